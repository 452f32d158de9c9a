//! What the users of the accounts write and do.

use std::time::Duration;

use sandbox::wechat::{GROUPS, Push};
use sandbox::{Answer, Fault, HttpRequest};
use serde_json::{Value, json};

use crate::scene::{Scene, assert_logged, log};

impl Scene {
    /// Hands a message to a cold instance.
    async fn message(&self, push: &Push) -> Answer {
        self.request(&self.messages(), push.request()).await
    }

    async fn merchant_authorizes(&self) {
        assert_eq!(self.visit(&self.callback(), &self.consent()).await.status, 200);
    }

    /// The only push in the outbox, with its fields read.
    async fn published(&self) -> Value {
        let mut pushes = self.dynamodb.pushes().await;
        assert_eq!(pushes.len(), 1, "one push: {pushes:?}");
        let mut push = pushes.remove(0);
        push["fields"] = serde_json::from_str(push["fields"].as_str().expect("text")).expect("JSON");
        push
    }
}

const OPENID: &str = "oUser5a4db0c0000000000000001";

#[track_caller]
fn check(answer: &Answer, status: u16) {
    let body = if status == 200 { "success" } else { "" };
    assert_eq!((answer.status, answer.body.as_str()), (status, body));
}

#[tokio::test]
async fn a_message_is_in_the_outbox_before_it_is_answered() {
    let scene = Scene::new().await;
    scene.merchant_authorizes().await;
    let text = "  你好 <b>&amp;</b> ]]>\n";
    let message = scene.wechat.push_text(&scene.appid, OPENID, text.trim_end_matches("]]>\n"));
    let asked = scene.wechat.requests().len();
    check(&scene.message(&message).await, 200);
    let published = scene.published().await;
    assert_eq!(published["detail_type"], "message.text");
    assert_eq!(published["authorizer_appid"], json!(scene.appid));
    assert_eq!(published["fields"]["Content"], "  你好 <b>&amp;</b> ", "text in CDATA is left as it is");
    assert_eq!(published["fields"]["FromUserName"], OPENID);
    assert_eq!(published["overflow"], "");
    let life = published["expires_at"].as_i64().zip(published["received_at"].as_i64());
    assert_eq!(life.map(|(expires_at, received_at)| expires_at - received_at), Some(24 * 3600));
    assert_eq!(scene.wechat.requests().len(), asked, "the record knows the account");
    assert!(!log().contains("你好") && !log().contains(OPENID), "personal data is in no log");
}

#[tokio::test]
async fn a_message_that_is_sent_again_is_published_once() {
    let scene = Scene::new().await;
    scene.merchant_authorizes().await;
    let text = scene.wechat.push_text(&scene.appid, OPENID, "one");
    let event = scene.wechat.push_event(&scene.appid, OPENID, "subscribe");
    for push in [&text, &event, &text, &event] {
        check(&scene.message(push).await, 200);
    }
    assert_eq!(scene.dynamodb.pushes().await.len(), 2);
    // Two menu clicks in one second are two events.
    let click = |key: &str| {
        let event = format!("CLICK]]></Event><EventKey>{key}</EventKey><Event><![CDATA[");
        scene.wechat.push_event(&scene.appid, OPENID, &event)
    };
    check(&scene.message(&click("a")).await, 200);
    check(&scene.message(&click("b")).await, 200);
    assert_eq!(scene.dynamodb.pushes().await.len(), 4);
}

#[tokio::test]
async fn a_message_that_is_not_stored_is_not_acknowledged() {
    let scene = Scene::new().await;
    scene.merchant_authorizes().await;
    let message = scene.wechat.push_text(&scene.appid, OPENID, "one");
    scene.dynamodb.on("UpdateItem").always(Fault::internal());
    check(&scene.message(&message).await, 500);
    scene.dynamodb.clear_faults();
    // The answer of a write is lost, and the SDK writes again.
    scene.dynamodb.on("UpdateItem").once(Fault::ResetAfter);
    check(&scene.message(&message).await, 200);
    assert_eq!(scene.dynamodb.pushes().await.len(), 1);
}

#[tokio::test]
async fn a_message_cannot_be_sent_again_as_one_to_another_account() {
    let scene = Scene::new().await;
    scene.merchant_authorizes().await;
    let other = scene.wechat.add_account(sandbox::wechat::Account::official_account("other"));
    scene.wechat.authorize(&other, &[1]);
    let genuine = scene.wechat.push_text(&scene.appid, OPENID, "one").request();
    for path in [format!("/messages/{other}"), "/messages/wxnobody".to_owned(), "/messages/".to_owned()] {
        let request = HttpRequest { path, ..genuine.clone() };
        check(&scene.request(&scene.messages(), request).await, 400);
    }
    assert!(scene.dynamodb.pushes().await.is_empty());
    check(&scene.request(&scene.messages(), genuine).await, 200);
}

#[tokio::test]
async fn an_account_that_the_table_does_not_know_is_looked_up_once() {
    let scene = Scene::new().await;
    scene.wechat.authorize(&scene.appid, &[1]);
    let messages = scene.messages();
    for content in ["one", "two"] {
        let message = scene.wechat.push_text(&scene.appid, OPENID, content);
        check(&scene.request(&messages, message.request()).await, 200);
    }
    let nobody = HttpRequest {
        path: "/messages/wxnobody".to_owned(),
        ..scene.wechat.push_text(&scene.appid, OPENID, "three").request()
    };
    for _ in 0..3 {
        check(&scene.request(&messages, nobody.clone()).await, 400);
    }
    assert_eq!(scene.wechat.on("api_get_authorizer_info").count(), 2);
    // Not known and not to be learnt now: WeChat sends it again, and is not asked for each message.
    scene.wechat.on("api_get_authorizer_info").always(Fault::errcode(-1));
    let messages = scene.messages();
    let asked = scene.wechat.on("api_get_authorizer_info").count();
    for content in ["four", "five", "six"] {
        let message = scene.wechat.push_text(&scene.appid, OPENID, content);
        check(&scene.request(&messages, message.request()).await, 500);
    }
    assert!(scene.wechat.on("api_get_authorizer_info").count() - asked <= 3, "one question with its tries");
    // An answer without the original id is no proof that the account is another one.
    scene.wechat.clear_faults();
    let nameless = json!({"authorizer_info": {"service_type_info": {"id": 2}}});
    scene.wechat.on("api_get_authorizer_info").always(Fault::json(nameless));
    scene.clock.advance(61);
    check(
        &scene.request(&messages, scene.wechat.push_text(&scene.appid, OPENID, "seven").request()).await,
        500,
    );
}

#[tokio::test]
async fn a_message_that_was_signed_more_than_a_day_ago_is_not_published_again() {
    let scene = Scene::new().await;
    scene.merchant_authorizes().await;
    let message = scene.wechat.push_text(&scene.appid, OPENID, "one");
    check(&scene.message(&message).await, 200);
    scene.clock.advance(24 * 3600 + 1);
    check(&scene.message(&message).await, 400);
    assert_logged(&["signed more than a day ago"]);
}

#[tokio::test]
async fn a_forged_message_is_refused_as_a_forged_push_is() {
    let scene = Scene::new().await;
    scene.merchant_authorizes().await;
    let message = || scene.wechat.push_text(&scene.appid, OPENID, "one");
    check(&scene.message(&message().with_token("another-token")).await, 403);
    check(&scene.message(&message().with_key("0123456789012345678901234567890123456789012")).await, 400);
    check(&scene.message(&message().with_appid("wx0000000000000000")).await, 400);
    check(&scene.request(&scene.messages(), HttpRequest::get("/messages/wx1")).await, 405);
    let long = HttpRequest { body: vec![b'x'; 256 * 1024 + 1], ..message().request() };
    check(&scene.request(&scene.messages(), long).await, 413);
    assert!(scene.dynamodb.pushes().await.is_empty());
    check(&scene.message(&message().with_previous_key().with_previous_token()).await, 200);
}

#[tokio::test]
async fn a_long_message_is_bounded_and_says_what_it_leaves_out() {
    let scene = Scene::new().await;
    scene.merchant_authorizes().await;
    let message = scene.wechat.push_text(&scene.appid, OPENID, &"长".repeat(30_000));
    check(&scene.message(&message).await, 200);
    let published = scene.published().await;
    assert_eq!(published["overflow"], "Content");
    assert!(published["fields"]["Content"].is_null() && published["fields"]["FromUserName"] == OPENID);
}

#[tokio::test]
async fn each_url_says_when_it_gets_what_belongs_to_the_other() {
    let scene = Scene::new().await;
    scene.merchant_authorizes().await;
    let message = HttpRequest {
        path: "/events".to_owned(),
        ..scene.wechat.push_text(&scene.appid, OPENID, "one").request()
    };
    check(&scene.request(&scene.events(), message).await, 200);
    let published = scene.published().await;
    assert_eq!(
        (&published["detail_type"], &published["authorizer_appid"]),
        (&json!("message.text"), &json!(""))
    );
    assert_logged(&["a message came to the authorization event URL", "MessagesUrl"]);
    let push = HttpRequest {
        path: format!("/messages/{}", scene.appid),
        ..scene.wechat.push_unauthorized(&scene.appid).request()
    };
    check(&scene.request(&scene.messages(), push).await, 400);
    assert_logged(&["came to the message URL", "EventsUrl"]);
    assert_eq!(scene.stored().await["status"], "authorized");
}

/// A platform whose URLs WeChat can reach.
async fn reachable() -> Scene {
    let mut scene = Scene::new().await;
    scene.sandbox = scene.sandbox.with_gateway().await;
    let origin = scene.variables()["PUBLIC_BASE_URL"].clone();
    scene.wechat.set_events_url(Some(&format!("{origin}/events")));
    scene.wechat.set_messages_url(Some(&format!("{origin}/messages/$APPID$")));
    scene
}

async fn check_release(scene: &Scene, group: usize) {
    let failed = scene.wechat.release_check(group).await.into_iter().filter(|item| !item.passed);
    assert_eq!(failed.collect::<Vec<_>>(), []);
}

#[tokio::test]
async fn the_release_check_passes_with_each_of_the_ten_accounts() {
    let scene = reachable().await;
    for group in 0..GROUPS.len() {
        check_release(&scene, group).await;
    }
    assert_eq!(scene.exchanges(), 10, "the message brings the code of the push");
    for push in scene.dynamodb.pushes().await {
        assert!(!push["fields"].as_str().expect("text").contains("queryauthcode@@@"), "{push}");
    }
}

#[tokio::test]
async fn the_release_check_waits_for_a_push_that_is_still_exchanging_its_code() {
    let scene = reachable().await;
    let slow = scene.wechat.on("api_query_auth");
    slow.once(Fault::DelayAfter(Duration::from_millis(1500)));
    let [(appid, user_name), _] = GROUPS[0];
    let account = sandbox::wechat::Account {
        appid: appid.to_owned(),
        user_name: user_name.to_owned(),
        ..sandbox::wechat::Account::official_account("test")
    };
    scene.wechat.add_account(account);
    let code = scene.wechat.authorize(appid, &[1]);
    let push = scene.wechat.push_authorized(appid, &code, None);
    let message = scene.wechat.push_text(appid, OPENID, &format!("QUERY_AUTH_CODE:{code}"));
    let (pushed, answered) = tokio::join!(scene.wechat.deliver(push), async {
        slow.arrived(1).await;
        scene.wechat.deliver(message.clone()).await
    });
    assert!(pushed.is_some_and(|delivery| delivery.succeeded()));
    assert_eq!(answered.map(|delivery| (delivery.status, delivery.body)), Some((Some(200), String::new())));
    assert_eq!(scene.exchanges(), 1);
    assert_eq!(scene.wechat.sent_texts().len(), 1);
    // WeChat has nothing to send with: the message may come again.
    scene.wechat.on("message/custom/send").once(Fault::errcode(45015));
    check(&scene.message(&message).await, 500);
    assert_logged(&["release check: the message is not sent", "45015"]);
}

#[tokio::test]
async fn what_a_stranger_writes_to_a_test_account_costs_no_merchant_anything() {
    let scene = reachable().await;
    let [(appid, user_name), _] = GROUPS[1];
    let account = sandbox::wechat::Account {
        appid: appid.to_owned(),
        user_name: user_name.to_owned(),
        ..sandbox::wechat::Account::official_account("test")
    };
    scene.wechat.add_account(account);
    scene.merchant_authorizes().await;
    let before = scene.stored().await;
    let ask = |code: &str| scene.wechat.push_text(appid, OPENID, &format!("QUERY_AUTH_CODE:{code}"));
    let answer = scene.message(&ask("queryauthcode@@@made-up")).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""), "WeChat has no reason to send it again");
    // The code of a merchant: the grant is his, and nothing is sent.
    let answer = scene.message(&ask(&scene.wechat.mint_code(&scene.appid))).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert!(scene.wechat.sent_texts().is_empty());
    let after = scene.stored().await;
    assert_eq!((&after["state"], &after["bound"]), (&before["state"], &before["bound"]));
    assert_eq!(after["status"], "authorized");
    // Many made-up codes share the allowance of visits.
    let (sandbox, exchanges) = (scene.with("UNVOUCHED_PER_DAY", "10"), scene.exchanges());
    for attempt in 0..5 {
        let message = ask(&format!("queryauthcode@@@made-up-{attempt}"));
        assert_eq!(scene.request(&sandbox.messages(), message.request()).await.status, 200);
    }
    assert!(scene.exchanges() - exchanges <= 2, "{} exchanges", scene.exchanges() - exchanges);
}
