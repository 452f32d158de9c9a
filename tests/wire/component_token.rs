//! Services get the platform's own token, and only one is minted for all of them.

use sandbox::{Fault, InvocationError};
use serde_json::{Value, json};

use crate::scene::{Scene, assert_logged};

impl Scene {
    async fn component_token(&self, event: Value) -> Result<Value, InvocationError> {
        self.sandbox.component_token().run(event).await
    }

    fn mints(&self) -> usize {
        self.wechat.on("api_component_token").count()
    }
}

fn token(answer: &Value) -> &str {
    answer["component_access_token"].as_str().expect("a token")
}

#[tokio::test]
async fn the_stored_token_is_one_read() {
    let scene = Scene::new().await;
    let first = scene.component_token(json!({})).await.expect("a token");
    let (seen, asked) = (scene.dynamodb.requests().len(), scene.wechat.requests().len());
    let answer = scene.component_token(json!({})).await.expect("a token");
    assert_eq!(scene.dynamodb.requests().len() - seen, 1);
    assert_eq!(scene.wechat.requests().len(), asked);
    assert_eq!(answer, first);
    let stored = scene.dynamodb.platform_items("component_token#").await.remove(0);
    let expected = json!({
        "component_appid": scene.wechat.component_appid,
        "component_access_token": stored["component_access_token"],
        "component_access_token_expires_at": stored["access_token_expires_at"],
    });
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn a_warm_instance_hears_of_a_token_that_another_one_minted() {
    let scene = Scene::new().await;
    let warm = scene.sandbox.component_token();
    let old = warm.run(json!({})).await.expect("a token");
    scene.clock.advance(60);
    let rejected = json!({"rejected_component_access_token": token(&old)});
    let new = scene.component_token(rejected).await.expect("a token");
    assert_ne!(new, old);
    assert_eq!(warm.run(json!({})).await.expect("a token"), new);
    assert_eq!(scene.mints(), 2);
}

#[tokio::test]
async fn a_rejected_token_is_replaced_once_and_only_while_it_is_the_stored_one() {
    let scene = Scene::new().await;
    let old = scene.component_token(json!({})).await.expect("a token");
    scene.clock.advance(60);
    let rejected = json!({"rejected_component_access_token": token(&old)});
    for _ in 0..3 {
        let new = scene.component_token(rejected.clone()).await.expect("a token");
        assert_ne!(token(&new), token(&old));
    }
    assert_eq!(scene.mints(), 2);
}

#[tokio::test]
async fn a_service_that_rejects_every_token_makes_one_a_minute() {
    let scene = Scene::new().await;
    let mut newest = scene.component_token(json!({})).await.expect("a token");
    for second in 0..50 {
        let rejected = json!({"rejected_component_access_token": token(&newest)});
        match scene.component_token(rejected).await {
            Ok(answer) => newest = answer,
            Err(error) => assert_eq!(error.error_type, "TemporarilyUnavailable"),
        }
        if second == 40 {
            scene.clock.advance(60);
        }
    }
    assert_eq!(scene.mints(), 2);
    assert_logged(&["a service rejects a component token that is less than a minute old", "\"advice\""]);
}

#[tokio::test]
async fn a_hundred_callers_at_once_mint_one_token() {
    let scene = Scene::new().await;
    let function = scene.sandbox.component_token();
    let callers = (0..100).map(|_| {
        let function = function.clone();
        tokio::spawn(async move { function.run(json!({})).await })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.expect("no panic").expect("a token");
    }
    assert_eq!(scene.mints(), 1);
}

#[tokio::test]
async fn each_reason_for_no_token_has_its_name() {
    let scene = Scene::without_ticket().await;
    let error_type = |answer: Result<Value, InvocationError>| answer.expect_err("an error").error_type;
    assert_eq!(error_type(scene.component_token(json!({})).await), "TemporarilyUnavailable");
    scene.put_ticket().await;
    for malformed in [json!(null), json!([]), json!({"rejected_component_access_token": 7}), json!({"x": 1})]
    {
        assert_eq!(error_type(scene.component_token(malformed).await), "InvalidRequest");
    }
    scene.dynamodb.on("GetItem").always(Fault::internal());
    assert_eq!(error_type(scene.component_token(json!({})).await), "TemporarilyUnavailable");
    scene.dynamodb.clear_faults();
    scene.wechat.allow_address(false);
    assert_eq!(error_type(scene.component_token(json!({})).await), "TemporarilyUnavailable");
}
