//! Pushes and messages, as the pipe publishes them.

use std::collections::BTreeSet;

use sandbox::HttpRequest;
use sandbox::wechat::{Account, GROUPS};
use serde_json::{Value, json};

use super::{check, check_refused, validate};
use crate::scene::Scene;

const OPENID: &str = "oUser5a4db0c0000000000000001";

/// The events of the bus whose detail-type begins with `kind`, which are as its schema says, and as no other does.
async fn published(scene: &Scene, kind: &str) -> Vec<Value> {
    let mut events = scene.events_on_bus().await;
    events.retain(|event| event["detail-type"].as_str().is_some_and(|name| name.starts_with(kind)));
    for event in &events {
        assert_eq!(validate(kind, event), Ok(()));
        check(&format!("{kind}/detail"), &event["detail"]);
        for other in ["change", "push", "message"].into_iter().filter(|other| *other != kind) {
            check_refused(other, event);
        }
    }
    events
}

fn fields(event: &Value) -> Value {
    serde_json::from_str(event["detail"]["fields"].as_str().expect("text")).expect("JSON")
}

#[tokio::test]
async fn pushes_are_events_as_their_schema_says() {
    let scene = Scene::new().await;
    let appid = scene.wechat.add_account(Account::mini_program("new"));
    let code = scene.wechat.authorize(&appid, &[17]);
    let of = |info_type: &str, more: &str| {
        let component_appid = &scene.wechat.component_appid;
        scene.wechat.push_message(&format!(
            "<xml><AppId>{component_appid}</AppId><CreateTime>1413192605</CreateTime>\
             <InfoType>{info_type}</InfoType>{more}</xml>"
        ))
    };
    let registered = format!(
        "<appid>{appid}</appid><status>0</status><auth_code>{code}</auth_code><msg>OK</msg>\
         <info><name><![CDATA[ 茶 \"&\n ]]></name><code>preauthcode@@@x</code></info>"
    );
    for push in [
        of("notify_third_fasteregister", &registered),
        of(
            "order_path_apply_result_notify",
            "<list><appid>wx3</appid></list><list><appid>wx4</appid><e/></list>",
        ),
        of("never_heard_of", &format!("<long>{}</long>", "长".repeat(20_000))),
        scene.wechat.push_ticket(),
    ] {
        assert_eq!(scene.request(&scene.events(), push.into()).await.status, 200);
    }
    let events = published(&scene, "push").await;
    let names: BTreeSet<&str> = events.iter().filter_map(|event| event["detail-type"].as_str()).collect();
    let expected =
        ["push.never_heard_of", "push.notify_third_fasteregister", "push.order_path_apply_result_notify"];
    assert_eq!(names, expected.into_iter().collect());
    let of = |name: &str| events.iter().find(|event| event["detail-type"] == name).expect("the event");
    let registered = fields(of("push.notify_third_fasteregister"));
    assert_eq!(registered["info"], json!({"name": " 茶 \"&\n ", "code": "***"}));
    assert_eq!(of("push.notify_third_fasteregister")["detail"]["authorizer_appid"], appid);
    assert_eq!(of("push.never_heard_of")["detail"]["overflow"], "long");
}

#[tokio::test]
async fn messages_are_events_as_their_schema_says() {
    let scene = Scene::new().await;
    assert_eq!(scene.visit(&scene.callback(), &scene.consent()).await.status, 200);
    let text = |content: &str| scene.wechat.push_text(&scene.appid, OPENID, content).request();
    let astray = HttpRequest { path: "/events".to_owned(), ..text("astray") };
    let [(tester, user_name), _] = GROUPS[0];
    let account = Account {
        appid: tester.to_owned(),
        user_name: user_name.to_owned(),
        ..Account::official_account("test")
    };
    scene.wechat.add_account(account);
    for message in [
        text("你好 \"<b>\" \\ \u{7} ]] queryauthcode@@@x"),
        text(&"\"".repeat(50_000)),
        scene.wechat.push_event(&scene.appid, OPENID, "subscribe").request(),
        scene.wechat.push_text(tester, OPENID, "TESTCOMPONENT_MSG_TYPE_TEXT").request(),
    ] {
        assert_eq!(scene.request(&scene.messages(), message).await.status, 200);
    }
    assert_eq!(scene.request(&scene.events(), astray).await.status, 200);
    let events = published(&scene, "message").await;
    assert_eq!(events.len(), 5);
    let contents: Vec<Value> = events.iter().map(|event| fields(event)["Content"].take()).collect();
    assert!(contents.contains(&json!("你好 \"<b>\" \\ \u{7} ]] ***")), "{contents:?}");
    let is_astray = |event: &&Value| event["detail"]["authorizer_appid"] == "";
    assert_eq!(events.iter().filter(is_astray).count(), 1);
}

#[tokio::test]
async fn a_code_in_a_field_is_no_event() {
    let scene = Scene::new().await;
    assert_eq!(scene.visit(&scene.callback(), &scene.consent()).await.status, 200);
    let message = scene.wechat.push_text(&scene.appid, OPENID, "one");
    assert_eq!(scene.request(&scene.messages(), message.into()).await.status, 200);
    let event = published(&scene, "message").await.remove(0);
    for more in [json!({"AuthorizationCode": "x"}), json!({"Number": 1}), json!("no object")] {
        let mut other = event.clone();
        other["detail"]["fields"] = json!(more.to_string());
        check_refused("message", &other);
    }
    let mut other = event.clone();
    other["detail"]["fields"] = json!("no JSON");
    check_refused("message", &other);
    let mut other = event;
    other["detail"]["fields"] = fields(&other);
    check_refused("message", &other);
}
