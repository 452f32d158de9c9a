//! Services get a valid token, and never the refresh token.

use std::time::Duration;

use sandbox::{Fault, InvocationError, JsonInstance};
use serde_json::{Value, json};

use crate::scene::Scene;

impl Scene {
    async fn ask(&self, token: &JsonInstance) -> Result<Value, InvocationError> {
        token.run(json!({"authorizer_appid": self.appid})).await
    }

    async fn granted(&self) {
        assert_eq!(self.visit(&self.callback(), &self.consent()).await.status, 200);
    }
}

fn error_type(answer: Result<Value, InvocationError>) -> String {
    answer.expect_err("an error").error_type
}

#[tokio::test]
async fn a_token_that_lives_is_one_read() {
    let scene = Scene::new().await;
    scene.granted().await;
    let token = scene.token();
    let (seen, asked) = (scene.dynamodb.requests().len(), scene.wechat.requests().len());
    let answer = scene.ask(&token).await.expect("a token");
    assert_eq!(scene.dynamodb.requests().len() - seen, 1);
    assert_eq!(scene.wechat.requests().len(), asked);
    let record = scene.stored().await;
    let expected = json!({
        "authorizer_appid": scene.appid,
        "component_appid": scene.wechat.component_appid,
        "authorizer_access_token": record["authorizer_access_token"],
        "access_token_expires_at": record["access_token_expires_at"],
        "permission_set_ids": [1, 2, 24],
    });
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn a_token_that_ends_is_refreshed_first() {
    let scene = Scene::new().await;
    scene.granted().await;
    for expired in [7200 - 299, 9000] {
        scene.clock.advance(expired);
        scene.put_ticket().await;
        let answer = scene.ask(&scene.token()).await.expect("a token");
        assert!(scene.wechat.accepts(answer["authorizer_access_token"].as_str().expect("text")));
        assert!(answer["access_token_expires_at"].as_i64() > Some(scene.clock.now().as_secs() + 7000));
    }
}

#[tokio::test]
async fn a_hundred_callers_at_once_cause_one_refresh() {
    let scene = Scene::new().await;
    scene.granted().await;
    scene.clock.advance(7200);
    scene.wechat.on("api_authorizer_token").always(Fault::DelayAfter(Duration::from_millis(100)));
    let token = scene.token();
    let request = json!({"authorizer_appid": scene.appid});
    let callers = (0..100).map(|_| {
        let (token, request) = (token.clone(), request.clone());
        tokio::spawn(async move { token.run(request).await })
    });
    for caller in callers.collect::<Vec<_>>() {
        let answer = caller.await.expect("no panic").expect("a token");
        assert!(scene.wechat.accepts(answer["authorizer_access_token"].as_str().expect("text")));
    }
    assert_eq!(scene.wechat.on("api_authorizer_token").count(), 1);
}

#[tokio::test]
async fn a_token_that_wechat_refused_is_replaced_once() {
    let scene = Scene::new().await;
    scene.granted().await;
    let token = scene.token();
    let refused = scene.ask(&token).await.expect("a token")["authorizer_access_token"].clone();
    scene.clock.advance(60);
    let request = json!({"authorizer_appid": scene.appid, "rejected_access_token": refused});
    for _ in 0..3 {
        let answer = token.run(request.clone()).await.expect("a token");
        assert_ne!(answer["authorizer_access_token"], refused);
    }
    assert_eq!(scene.wechat.on("api_authorizer_token").count(), 1, "only while it is the stored one");
}

#[tokio::test]
async fn a_service_that_rejects_every_token_makes_one_refresh_a_minute() {
    let scene = Scene::new().await;
    scene.granted().await;
    let token = scene.token();
    let mut newest = scene.ask(&token).await.expect("a token")["authorizer_access_token"].clone();
    for second in 0..50 {
        let request = json!({"authorizer_appid": scene.appid, "rejected_access_token": newest});
        match token.run(request).await {
            Ok(answer) => newest = answer["authorizer_access_token"].clone(),
            Err(error) => assert_eq!(error.error_type, "TemporarilyUnavailable"),
        }
        if second == 25 {
            scene.clock.advance(60);
        }
    }
    assert_eq!(scene.wechat.on("api_authorizer_token").count(), 1);
}

#[tokio::test]
async fn a_token_that_may_be_superseded_is_replaced_before_it_is_given_out() {
    let scene = Scene::new().await;
    scene.granted().await;
    let code = scene.wechat.mint_code(&scene.appid);
    assert_eq!(scene.visit(&scene.callback(), &crate::scene::redirect(&code)).await.status, 200);
    scene.clock.advance(1);
    let answer = scene.ask(&scene.token()).await.expect("a token");
    assert_eq!(scene.wechat.on("api_authorizer_token").count(), 1);
    assert!(scene.wechat.accepts(answer["authorizer_access_token"].as_str().expect("text")));
}

#[tokio::test]
async fn a_token_that_a_lost_call_may_have_superseded_is_replaced_when_that_call_is_over() {
    let scene = Scene::new().await;
    scene.granted().await;
    scene.clock.advance(7200 - 299);
    scene.put_ticket().await;
    scene.wechat.on("api_authorizer_token").once(Fault::ResetAfter);
    for (seconds, calls) in [(0, 2), (59, 2), (1, 3), (60, 3)] {
        scene.clock.advance(seconds);
        scene.ask(&scene.token()).await.expect("a token");
        assert_eq!(scene.wechat.on("api_authorizer_token").count(), calls, "after {seconds} s more");
    }
}

#[tokio::test]
async fn a_token_that_may_be_superseded_is_not_given_out_while_it_is_being_replaced() {
    let scene = Scene::new().await;
    scene.granted().await;
    let code = scene.wechat.mint_code(&scene.appid);
    assert_eq!(scene.visit(&scene.callback(), &crate::scene::redirect(&code)).await.status, 200);
    let doubtful = scene.stored().await["authorizer_access_token"].clone();
    let called = scene.wechat.on("api_authorizer_token").hold_before();
    let refresh = scene.refresh();
    let refreshing = tokio::spawn(async move { refresh.run(json!({})).await });
    called.arrived().await;
    let read = scene.dynamodb.on("GetItem").containing(&scene.appid).hold_after();
    let (token, request) = (scene.token(), json!({"authorizer_appid": scene.appid}));
    let asking = tokio::spawn(async move { token.run(request).await });
    read.arrived().await;
    read.release();
    called.release();
    let answer = asking.await.expect("no panic").expect("a token");
    assert_ne!(answer["authorizer_access_token"], doubtful);
    assert_eq!(refreshing.await.expect("no panic").expect("a run")["refreshed"], 1);
}

#[tokio::test]
async fn each_reason_for_no_token_has_its_name() {
    let scene = Scene::new().await;
    let token = scene.token();
    assert_eq!(error_type(scene.ask(&token).await), "AuthorizerNotFound");
    for malformed in [json!({}), json!(null), json!({"authorizer_appid": 7}), json!({"authorizer_appid": ""})]
    {
        assert_eq!(error_type(token.run(malformed).await), "InvalidRequest");
    }
    let malformed = json!({"authorizer_appid": scene.appid, "rejected_access_token": 7});
    assert_eq!(error_type(token.run(malformed).await), "InvalidRequest");

    let redirect = scene.consent();
    scene.wechat.on("api_query_auth").once(Fault::json(json!({"authorizer_appid": scene.appid})));
    scene.wechat.on("api_get_authorizer_info").once(Fault::errcode(-1));
    assert_eq!(scene.visit(&scene.callback(), &redirect).await.status, 200);
    assert_eq!(error_type(scene.ask(&token).await), "NoAccessToken");

    scene.clock.advance(120);
    scene.granted().await;
    scene.clock.advance(7200);
    scene.put_ticket().await;
    scene.wechat.on("api_authorizer_token").always(Fault::errcode(-1));
    assert_eq!(error_type(scene.ask(&token).await), "TemporarilyUnavailable");
    let calls = scene.wechat.on("api_authorizer_token").count();
    assert_eq!(error_type(scene.ask(&token).await), "TemporarilyUnavailable");
    assert_eq!(
        scene.wechat.on("api_authorizer_token").count(),
        calls,
        "callers do not repeat what just failed"
    );
    scene.wechat.clear_faults();
    scene.wechat.revoke(&scene.appid);
    scene.clock.advance(61);
    assert_eq!(error_type(scene.ask(&token).await), "AuthorizerUnauthorized");
    assert_eq!(error_type(scene.ask(&token).await), "AuthorizerUnauthorized");
    scene.dynamodb.on("GetItem").always(Fault::internal());
    assert_eq!(error_type(scene.ask(&token).await), "TemporarilyUnavailable");
}

#[tokio::test]
async fn a_token_that_still_works_is_returned_when_no_newer_one_is_available() {
    let scene = Scene::new().await;
    scene.granted().await;
    scene.clock.advance(7200 - 200);
    scene.put_ticket().await;
    scene.wechat.on("api_authorizer_token").always(Fault::errcode(45009));
    let answer = scene.ask(&scene.token()).await.expect("the old token");
    assert!(scene.wechat.accepts(answer["authorizer_access_token"].as_str().expect("text")));
}

#[tokio::test]
async fn after_the_daily_quota_callers_make_no_more_calls() {
    let scene = Scene::new().await;
    scene.granted().await;
    scene.clock.advance(7200);
    scene.put_ticket().await;
    scene.wechat.on("api_authorizer_token").always(Fault::errcode(45009));
    for _ in 0..5 {
        assert_eq!(error_type(scene.ask(&scene.token()).await), "TemporarilyUnavailable");
    }
    assert_eq!(scene.wechat.on("api_authorizer_token").count(), 1);
}

#[tokio::test]
async fn the_refresh_token_is_never_in_an_answer() {
    let scene = Scene::new().await;
    scene.granted().await;
    let answer = scene.ask(&scene.token()).await.expect("a token").to_string();
    assert!(!answer.contains("refresh"), "{answer}");
    assert!(!answer.contains(&scene.wechat.refresh_token(&scene.appid).expect("a token")));
}
