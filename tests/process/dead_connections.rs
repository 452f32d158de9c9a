//! Connections that ended while the process was frozen.

use sandbox::tunnel::Leaving;
use serde_json::json;

use crate::stage::Stage;

/// A warm process is frozen and its connections end; the next redirect must cost neither its code nor a wait for an answer
/// that cannot come.
async fn check_redirect(how: Leaving) {
    let stage = Stage::new().await;
    let mut process = stage.start("visits").await;
    let (_, first) = stage.consent("first").await;
    process.invoke(first).await.expect("an answer");
    stage.freeze(&mut process, how).await;

    let (appid, second) = stage.consent("second").await;
    let (_, _, answer) = process.invoke(second).await.expect("an answer");
    assert_eq!(answer["statusCode"], 303, "{how:?}");
    assert_eq!(stage.sandbox.wechat.on("api_query_auth").count(), 2, "{how:?}: each code is sent once");
    process.ready().await.expect("it asks for the next event");
    assert!(stage.record(&appid).await.get("authorizer_refresh_token").is_some());
    let log = process.log().expect("a log");
    assert!(!log.contains("tried again"), "{how:?}: {log}");
}

#[tokio::test]
async fn a_connection_that_was_closed_costs_nothing() {
    check_redirect(Leaving::Closing).await;
}

#[tokio::test]
async fn a_connection_that_was_reset_costs_nothing() {
    check_redirect(Leaving::Resetting).await;
}

#[tokio::test]
async fn a_connection_that_died_silently_costs_nothing() {
    check_redirect(Leaving::Silently).await;
}

#[tokio::test]
async fn a_token_is_refreshed_once_on_a_new_connection() {
    let stage = Stage::new().await;
    let (appid, redirect) = stage.consent("shop").await;
    stage.start("visits").await.invoke(redirect).await.expect("an answer");
    let mut process = stage.start("refresh").await;
    for how in [Leaving::Closing, Leaving::Resetting, Leaving::Silently] {
        let before = stage.sandbox.wechat.on("api_authorizer_token").count();
        stage.make_due(&appid).await;
        let (_, _, answer) = process.invoke(json!({})).await.expect("an answer");
        assert_eq!((&answer["refreshed"], &answer["failed"]), (&json!(1), &json!(0)), "{how:?}");
        assert_eq!(stage.sandbox.wechat.on("api_authorizer_token").count(), before + 1, "{how:?}");
        stage.freeze(&mut process, how).await;
    }
    stage.make_due(&appid).await;
    let (_, _, answer) = process.invoke(json!({})).await.expect("an answer");
    assert_eq!(answer["refreshed"], 1);
    assert_eq!(stage.sandbox.wechat.on("api_authorizer_token").count(), 4);
}

#[tokio::test]
async fn a_call_that_can_be_repeated_is_repeated_at_once() {
    let stage = Stage::new().await;
    let mut process = stage.start("launch").await;
    process.invoke(json!({})).await.expect("an answer");
    for how in [Leaving::Closing, Leaving::Resetting, Leaving::Silently] {
        stage.freeze(&mut process, how).await;
        let (_, _, answer) = process.invoke(json!({})).await.expect("an answer");
        assert!(answer["launch_id"].is_string(), "{how:?}: {answer}");
        let log = process.log().expect("a log");
        assert!(!log.contains("tried again"), "{how:?}: {log}");
    }
}
