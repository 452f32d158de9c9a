//! What passes in a moment, and what is merely odd, costs a merchant nothing.

use std::time::{Duration, Instant};

use sandbox::gateway::event;
use sandbox::wechat::Account;
use sandbox::{Fault, HttpRequest};
use serde_json::{Value, json};

use crate::refresh::run;
use crate::scene::{Scene, assert_logged, of_launch, redirect};

/// Refusals of DynamoDB that are over in a moment.
const PASSING: [fn() -> Fault; 5] = [
    Fault::transaction_conflict,
    Fault::signature_expired,
    Fault::throttled,
    Fault::throttling,
    Fault::internal,
];

/// What a function asks of DynamoDB in one invocation of each kind.
const OPERATIONS: [&str; 6] =
    ["GetItem", "UpdateItem", "TransactWriteItems", "Query", "BatchGetItem", "Scan"];

#[tokio::test]
async fn one_refusal_that_passes_is_seen_by_nobody_whatever_is_refused() {
    for passing in PASSING {
        for operation in OPERATIONS {
            let scene = Scene::new().await;
            let hurt = || scene.dynamodb.on(operation).once(passing());
            let what = format!("{:?} of {operation}", passing());
            hurt();
            let launch = scene.launch().await;
            hurt();
            let page = scene
                .visit(
                    &scene.authorize(),
                    launch["launch_url"].as_str().expect("a URL").split_once(".com").expect("a path").1,
                )
                .await;
            assert_eq!(page.status, 200, "{what}");
            hurt();
            let answer = scene.visit(&scene.callback(), &of_launch(&scene.consent(), &launch)).await;
            assert_eq!(answer.status, 200, "{what}");
            hurt();
            let code = scene.wechat.authorize(&scene.appid, &[1, 2]);
            let push = scene.wechat.push_authorized(&scene.appid, &code, None);
            assert_eq!(scene.events().request(push).await.status, 200, "{what}");
            scene.when_due().await;
            hurt();
            assert_eq!(run(&scene.refresh()).await[0], 1, "{what}");
            hurt();
            let event = json!({"authorizer_appid": scene.appid});
            scene.token().run(event).await.unwrap_or_else(|error| panic!("{what}: {error}"));
            hurt();
            assert_eq!(scene.reconcile().run(json!({})).await.expect("a run")["failed"], 0, "{what}");
            scene.clock.advance(120);
            scene.wechat.revoke(&scene.appid);
            hurt();
            let push = scene.wechat.push_unauthorized(&scene.appid).created_at(scene.clock.now().as_secs());
            assert_eq!(scene.events().request(push).await.status, 200, "{what}");
            assert_eq!(scene.stored().await["status"], "unauthorized", "{what}");
        }
    }
}

#[tokio::test]
async fn refusals_for_a_while_are_lived_through_by_redirect_and_push() {
    for passing in [Fault::transaction_conflict, Fault::throttled] {
        let scene = Scene::new().await;
        let redirected = scene.launched().await;
        let other = scene.wechat.add_account(Account::official_account("other"));
        let pushed = scene.wechat.authorize(&other, &[1]);
        scene.dynamodb.on("UpdateItem").always(passing());
        scene.dynamodb.on("TransactWriteItems").always(passing());
        let (callback, events) = (scene.callback(), scene.events());
        let visit = tokio::spawn(async move { callback.get(&redirected).await.status });
        let push = scene.wechat.push_authorized(&other, &pushed, None);
        let push = tokio::spawn(async move { events.request(push).await.status });
        tokio::time::sleep(Duration::from_millis(500)).await;
        scene.dynamodb.clear_faults();
        assert_eq!((visit.await.expect("no panic"), push.await.expect("no panic")), (303, 200));
        assert_eq!(scene.stored().await["status"], "authorized");
        assert_eq!(scene.dynamodb.authorizer(&other).await.expect("a record")["status"], "authorized");
    }
}

#[tokio::test]
async fn half_an_emoji_costs_neither_tokens_nor_a_recovery() {
    let scene = Scene::new().await;
    let code = scene.wechat.authorize(&scene.appid, &[1]);
    let token = "a-token-beside-an-odd-name";
    let answer = format!(
        "\u{feff}{{\"authorization_info\":{{\"authorizer_appid\":\"{}\",\"authorizer_access_token\":\"{token}\",\
         \"expires_in\":7200,\"authorizer_refresh_token\":\"refreshtoken@@@odd\",\
         \"func_info\":[{{\"funcscope_category\":{{\"id\":1,\"name\":\"\\ud83dTea\\v\"}}}}]}}}}",
        scene.appid
    );
    scene.wechat.on("api_query_auth").once(Fault::raw(200, "text/plain", &answer));
    let info = r#"{"authorizer_info":{"nick_name":"\ud83dTea"},"authorization_info":{}}"#;
    scene.wechat.on("api_get_authorizer_info").once(Fault::raw(200, "text/plain", info));
    let page = scene.visit(&scene.callback(), &redirect(&code)).await;
    assert!(page.status == 200 && page.body.contains("\u{fffd}Tea"), "{}", page.body);
    assert_eq!(scene.stored().await["authorizer_access_token"], token);
}

#[tokio::test]
async fn the_list_alone_recovers_a_grant_whose_info_cannot_be_read() {
    let scene = Scene::new().await;
    assert_eq!(scene.visit(&scene.callback(), &scene.consent()).await.status, 200);
    scene.sandbox.lose_record(&scene.appid).await;
    scene.wechat.on("api_get_authorizer_info").always(Fault::raw(200, "text/html", "<html>"));
    let summary = scene.reconcile().run(json!({})).await.expect("a run");
    assert_eq!((&summary["restored"], &summary["failed"]), (&json!(1), &json!(0)));
    let record = scene.stored().await;
    assert!(scene.wechat.accepts(record["authorizer_access_token"].as_str().expect("a token")));
    assert_logged(&["restored from the list alone", &scene.appid]);
}

#[tokio::test]
async fn an_exchange_that_takes_six_seconds_is_waited_for() {
    let scene = Scene::new().await;
    scene.wechat.on("api_query_auth").once(Fault::DelayAfter(Duration::from_secs(6)));
    let page = scene.visit(&scene.callback(), &scene.consent()).await;
    assert!(page.status == 200 && page.body.contains("茶馆"), "{}", page.body);
    assert_eq!(scene.exchanges(), 1);
}

#[tokio::test]
async fn after_wechat_was_silent_twice_a_visit_does_not_wait_as_long_as_it_could() {
    let scene = Scene::new().await;
    let exchange = scene.wechat.on("api_query_auth");
    let instance = scene.callback();
    exchange.once(Fault::ResetBefore);
    exchange.once(Fault::ResetBefore);
    exchange.once(Fault::ResetBefore);
    assert_eq!(scene.visit(&instance, &scene.consent()).await.status, 202);
    // A patient visit sees this answer: another instance has heard no silence.
    exchange.once(Fault::DelayAfter(Duration::from_secs(6)));
    exchange.once(Fault::DelayAfter(Duration::from_secs(6)));
    let (redirect, another) = (scene.consent(), scene.consent());
    let other = scene.callback();
    let (impatient, patient) = tokio::join!(scene.visit(&instance, &redirect), scene.visit(&other, &another));
    assert_eq!((impatient.status, patient.status), (202, 200));
    // One answer, and WeChat is waited for again.
    assert_eq!(scene.visit(&instance, &scene.consent()).await.status, 200);
    exchange.once(Fault::DelayAfter(Duration::from_secs(6)));
    assert_eq!(scene.visit(&instance, &scene.consent()).await.status, 200);
}

#[tokio::test]
async fn a_token_with_a_short_life_is_not_replaced_all_the_time() {
    let scene = Scene::new().await;
    scene.visit(&scene.authorize(), "/authorize").await;
    let mut token = scene.dynamodb.platform_items("component_token#").await.remove(0);
    token["access_token_expires_at"] = json!(token["minted_at"].as_i64().expect("a time") + 550);
    scene.dynamodb.put(&scene.dynamodb.platform_table, token).await;
    for _ in 0..3 {
        scene.visit(&scene.authorize(), "/authorize").await;
    }
    assert_eq!(scene.wechat.on("api_component_token").count(), 1);

    let scene = Scene::new().await;
    assert_eq!(scene.visit(&scene.callback(), &scene.consent()).await.status, 200);
    scene.when_due().await;
    let short =
        json!({"authorizer_access_token": "access-short", "expires_in": 250, "authorizer_refresh_token": ""});
    scene.wechat.on("api_authorizer_token").once(Fault::json(short));
    run(&scene.refresh()).await;
    for _ in 0..3 {
        let event = json!({"authorizer_appid": scene.appid});
        let answer = scene.token().run(event).await.expect("a token");
        assert_eq!(answer["authorizer_access_token"], "access-short");
    }
    assert_eq!(scene.wechat.on("api_authorizer_token").count(), 1);
}

#[tokio::test]
async fn a_refresh_that_may_be_carried_out_twice_is_repeated_soon() {
    let scene = Scene::new().await;
    assert_eq!(scene.visit(&scene.callback(), &scene.consent()).await.status, 200);
    scene.when_due().await;
    scene.wechat.on("api_authorizer_token").once(Fault::ResetAfter);
    assert_eq!(run(&scene.refresh()).await[0], 1);
    assert_eq!(scene.wechat.on("api_authorizer_token").count(), 2);
    scene.clock.advance(61);
    assert_eq!(run(&scene.refresh()).await[0], 1, "once more, when the lost call is over");
    scene.clock.advance(61);
    assert_eq!(run(&scene.refresh()).await[0], 0);
}

#[tokio::test]
async fn a_token_that_could_not_be_stored_is_not_followed_by_the_old_one() {
    let scene = Scene::new().await;
    assert_eq!(scene.visit(&scene.callback(), &scene.consent()).await.status, 200);
    let refused = scene.stored().await["authorizer_access_token"].as_str().expect("a token").to_owned();
    scene.clock.advance(60);
    scene.wechat.invalidate_access_tokens(&scene.appid);
    scene.dynamodb.on("UpdateItem").containing("refreshed_at = ").always(Fault::throttled());
    let event = json!({"authorizer_appid": scene.appid, "rejected_access_token": refused});
    let began = Instant::now();
    let error = scene.token().run(event).await.expect_err("it cannot be stored");
    assert_eq!(error.error_type, "TemporarilyUnavailable");
    assert!(began.elapsed() < Duration::from_secs(30), "an answer comes before the function's time");
    scene.dynamodb.clear_faults();
    scene.clock.advance(61);
    // Another service, which knows nothing of the refusal.
    let answer = scene.token().run(json!({"authorizer_appid": scene.appid})).await.expect("a token");
    let token = answer["authorizer_access_token"].as_str().expect("a token");
    assert!(token != refused && scene.wechat.accepts(token));
}

#[tokio::test]
async fn a_dead_refresh_leaves_the_record_due() {
    let scene = Scene::new().await;
    assert_eq!(scene.visit(&scene.callback(), &scene.consent()).await.status, 200);
    let record = scene.stored().await;
    scene.clock.advance(60);
    scene.wechat.invalidate_access_tokens(&scene.appid);
    let hold = scene.dynamodb.on("UpdateItem").containing("refreshed_at = ").hold_before();
    let event =
        json!({"authorizer_appid": scene.appid, "rejected_access_token": record["authorizer_access_token"]});
    let token = scene.token();
    let dying = tokio::spawn(async move { token.run(event).await });
    hold.arrived().await;
    dying.abort();
    let _ = dying.await;
    scene.clock.advance(61);
    assert_eq!(run(&scene.refresh()).await[0], 1, "although it would be due in an hour and a half");
    assert!(scene.wechat.accepts(scene.stored().await["authorizer_access_token"].as_str().expect("a token")));
}

#[tokio::test]
async fn a_spent_code_that_no_push_names_ends_with_a_truthful_page() {
    let scene = Scene::new().await;
    let other = scene.wechat.add_account(Account::official_account("other"));
    scene.wechat.authorize(&other, &[1]);
    let code = scene.wechat.authorize(&scene.appid, &[1]);
    let path = of_launch(&redirect(&code), &scene.launch().await);
    scene.wechat.on("api_query_auth").once(Fault::ResetAfter);
    assert_eq!(scene.visit(&scene.callback(), &path).await.status, 202);
    // The other's code is exchanged by some other way, so that WeChat has a refresh token of it.
    let others = redirect(&scene.wechat.mint_code(&other));
    assert_eq!(scene.visit(&scene.callback(), &others).await.status, 200);
    for _ in 0..20 {
        run(&scene.refresh()).await;
        scene.clock.advance(61);
    }
    let page = scene.visit(&scene.callback(), &path).await;
    assert!(page.status == 410 && page.body.contains("请在平台查看授权结果"), "{}", page.body);
    assert!(!page.body.contains("茶馆"));
    assert_eq!(scene.stored().await["status"], "authorized", "and the grant is there");
    // A push that names it comes late.
    let push = scene.wechat.push_authorized(&scene.appid, &code, None);
    assert_eq!(scene.events().request(push).await.status, 200);
    for _ in 0..2 {
        run(&scene.refresh()).await;
        scene.clock.advance(61);
    }
    assert_eq!(scene.visit(&scene.callback(), &path).await.status, 200);
}

#[tokio::test]
async fn of_several_codes_in_one_address_wechats_counts() {
    let scene = Scene::new().await;
    let old = redirect(&scene.wechat.authorize(&scene.appid, &[1]));
    assert_eq!(scene.visit(&scene.callback(), &old).await.status, 200);
    let other = scene.wechat.add_account(Account::official_account("second"));
    let new = scene.wechat.authorize(&other, &[1]);
    let new = redirect(&new).replace("/callback?", "");
    let page = scene.visit(&scene.callback(), &format!("{old}&{new}")).await;
    assert!(page.status == 200 && page.body.contains("second"), "{}", page.body);
    let third = scene.wechat.add_account(Account::official_account("third"));
    let third = redirect(&scene.wechat.authorize(&third, &[1])).replace("/callback?", "");
    assert_eq!(scene.visit(&scene.callback(), &format!("/callback?auth_code=&{third}")).await.status, 200);
}

#[tokio::test]
async fn a_code_is_read_however_the_address_was_passed_on_and_nothing_else_costs_a_call() {
    let scene = Scene::new().await;
    for encode in [
        |code: &str| code.to_owned(),
        |code: &str| code.replace('@', "%40"),
        |code: &str| code.replace('@', "%2540"),
        |code: &str| format!("%20{code}%0A"),
    ] {
        let code = scene.wechat.authorize(&scene.appid, &[1]);
        let path = format!("/callback?auth_code={}", encode(&code));
        assert_eq!(scene.visit(&scene.callback(), &path).await.status, 200, "{path}");
        scene.clock.advance(120);
    }
    let calls = scene.exchanges();
    for none in ["a%25zz", "%3Cscript%3E", "a%26x%3D1", "%22", "a%7Cb", "%E4%BB%A3", "%20"] {
        let path = format!("/callback?auth_code={none}");
        assert_eq!(scene.visit(&scene.callback(), &path).await.status, 400, "{path}");
    }
    assert_eq!(scene.exchanges(), calls);
}

#[tokio::test]
async fn a_long_code_is_as_good_at_both_doors_and_one_beyond_all_limits_is_not_acknowledged() {
    let scene = Scene::new().await;
    let long = format!("queryauthcode@@@{}", "x".repeat(1000));
    scene.wechat.on("api_query_auth").always(Fault::errcode(-1));
    assert_eq!(scene.visit(&scene.callback(), &redirect(&long)).await.status, 202);
    let other = format!("{long}y");
    let push = scene.wechat.push_authorized(&scene.appid, &other, None);
    assert_eq!(scene.events().request(push).await.status, 200);
    let claims = scene.dynamodb.platform_items("code#").await;
    assert!(
        claims.iter().any(|claim| claim["authorization_code"] == other.as_str()),
        "what is acknowledged is stored"
    );
    let push = scene.wechat.push_authorized(&scene.appid, &"x".repeat(5000), None);
    let answer = scene.events().request(push).await;
    assert_eq!((answer.status, answer.body.as_str()), (400, ""));
    assert_logged(&["push refused: the push lacks a required field, or has one that cannot be stored"]);
}

#[tokio::test]
async fn blanks_in_an_encrypted_push_are_ignored() {
    let scene = Scene::new().await;
    for (open, close) in [("<![CDATA[ ", " ]]>"), ("<![CDATA[\n", "\n]]>"), ("\n  ", "\n  ")] {
        let mut request = scene.wechat.push_ticket().request();
        let body = String::from_utf8(request.body).expect("XML");
        let (before, rest) = body.split_once("<Encrypt><![CDATA[").expect("an envelope");
        let (encrypted, after) = rest.split_once("]]></Encrypt>").expect("an envelope");
        let (first, second) = encrypted.split_at(60);
        request.body =
            format!("{before}<Encrypt>{open}{first}\n{second}{close}</Encrypt>{after}").into_bytes();
        assert_eq!(scene.events().request(request).await.status, 200, "{open:?}");
    }
}

#[tokio::test]
async fn an_event_that_api_gateway_does_not_make_is_answered_and_logged() {
    let scene = Scene::new().await;
    let good = || event(&HttpRequest::get("/callback"), scene.clock.now().as_secs());
    let with = |path: &str, value: Value| {
        let mut event = good();
        *event.pointer_mut(path).expect("a part of each event") = value;
        event
    };
    let mut without_context = good();
    without_context.as_object_mut().expect("an object").remove("requestContext");
    let mut broken_body = good();
    broken_body["isBase64Encoded"] = json!(true);
    broken_body["body"] = json!("%%% not base64");
    let odd = [
        json!({}),
        json!([]),
        json!("text"),
        json!(null),
        json!({"httpMethod": "GET", "path": "/callback", "headers": {}, "requestContext": {"elb": {"targetGroupArn": "x"}}}),
        with("/version", json!("1.0")),
        with("/version", json!(null)),
        with("/requestContext/domainName", json!("a b{}")),
        with("/requestContext/http", json!(null)),
        with("/requestContext/http/method", json!(7)),
        with("/rawPath", json!(":99999999")),
        with("/headers", json!("none")),
        without_context,
        broken_body,
    ];
    for event in odd {
        for instance in [scene.callback(), scene.authorize(), scene.events()] {
            let answer = instance.invoke(event.clone()).await;
            assert_eq!((answer.status, answer.error), (400, None), "{event}");
            assert!(answer.body.contains("payload format 2.0"), "{event}");
        }
    }
    assert_logged(&["refused: the event is not one of an HTTP API", "payload format 2.0"]);
}

#[tokio::test]
async fn a_visit_without_time_left_is_answered_503_and_spends_nothing() {
    let scene = Scene::new().await;
    let callback = scene.callback().with_remaining(Duration::from_millis(400));
    let answer = callback.get(&scene.launched().await).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "60"));
    assert_eq!(scene.exchanges(), 0);
}

#[tokio::test]
async fn a_relays_path_is_kept_in_every_call_and_link() {
    let scene = Scene::new().await;
    let relay = "https://relay.example/weixin";
    let sandbox = scene.with("WECHAT_PC_BASE_URL", relay).with("WECHAT_MOBILE_BASE_URL", relay);
    let page = scene.visit(&sandbox.authorize(), "/authorize").await;
    assert!(page.body.contains("https://relay.example/weixin/cgi-bin/componentloginpage?"), "{}", page.body);
    assert!(page.body.contains("https://relay.example/weixin/wxaopen/safe/bindcomponent?"), "{}", page.body);
}

#[tokio::test]
async fn a_line_break_at_the_end_of_a_secret_is_ignored() {
    let scene = Scene::new().await;
    let mut secret = scene.wechat.component_secret();
    for value in secret.as_object_mut().expect("an object").values_mut() {
        *value = json!(format!("{}\n", value.as_str().unwrap_or_default()));
    }
    let sandbox = scene.with("COMPONENT_SECRET", &secret.to_string());
    assert_eq!(sandbox.events().request(scene.wechat.push_ticket()).await.status, 200);
    assert_eq!(scene.visit(&sandbox.callback(), &scene.consent()).await.status, 200);
}
