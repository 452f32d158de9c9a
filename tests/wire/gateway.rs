//! What API Gateway hands over and no URL can hold.

use sandbox::HttpRequest;
use sandbox::gateway::event;
use serde_json::json;

use crate::scene::{Scene, redirect};

#[tokio::test]
async fn a_mangled_link_is_answered_and_a_code_beside_it_still_counts() {
    let scene = Scene::new().await;
    let callback = scene.callback();
    let mangled = ["\"", "<b>", "a b", "\u{7f}", "{}|\\^`", "%zz", "微信", "&&&=", "\t\n"];
    for mangled in mangled {
        let mut event = event(&HttpRequest::get("/callback"), scene.clock.now().as_secs());
        event["rawQueryString"] = json!(format!("auth_code={mangled}"));
        assert_eq!(callback.invoke(event).await.status, 400, "{mangled}");
    }
    let code = scene.wechat.authorize(&scene.appid, &[1]);
    let mut event = event(&HttpRequest::get(&redirect(&code)), scene.clock.now().as_secs());
    event["rawQueryString"] =
        json!(format!("{}&from=\"<chat>\"", event["rawQueryString"].as_str().expect("text")));
    assert_eq!(callback.invoke(event).await.status, 303);
}

#[tokio::test]
async fn headers_that_a_visitor_chooses_break_nothing() {
    let scene = Scene::new().await;
    for (name, value) in
        [("host", "a b"), ("host", "a{b}"), ("x-forwarded-proto", "ht tp"), ("x-forwarded-proto", "")]
    {
        let mut event = event(&HttpRequest::get("/authorize"), scene.clock.now().as_secs());
        event["headers"][name] = json!(value);
        let answer = scene.authorize().invoke(event).await;
        assert_eq!((answer.status, answer.error), (200, None), "{name}: {value}");
        assert!(answer.body.contains("platform.example.com"));
    }
}

#[tokio::test]
async fn a_query_that_is_too_long_is_ignored() {
    let scene = Scene::new().await;
    let mut event = event(&HttpRequest::get("/callback"), scene.clock.now().as_secs());
    event["rawQueryString"] = json!(format!("auth_code={}", "x".repeat(70_000)));
    assert_eq!(scene.callback().invoke(event).await.status, 400);
}
