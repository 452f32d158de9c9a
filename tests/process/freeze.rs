//! What is done after the answer, and what of it survives.

use sandbox::Hold;
use sandbox::process::Process;

use crate::stage::Stage;

/// A process that has answered a redirect and now waits for WeChat to tell the account's profile.
async fn answered(stage: &Stage) -> (Process, String, Hold) {
    let mut process = stage.start("visits").await;
    let (appid, redirect) = stage.consent("茶馆").await;
    let profile = stage.sandbox.wechat.on("api_get_authorizer_info").hold_before();
    let (_, _, answer) = process.invoke(redirect).await.expect("an answer");
    assert_eq!(answer["statusCode"], 303);
    (process, appid, profile)
}

#[tokio::test]
async fn what_is_left_for_after_the_answer_is_done_before_the_next_event_is_asked_for() {
    let stage = Stage::new().await;
    let (mut process, appid, profile) = answered(&stage).await;
    assert!(stage.record(&appid).await.get("authorizer_refresh_token").is_some());
    profile.arrived().await;
    assert!(stage.record(&appid).await.get("profile").is_none(), "the answer did not wait for it");
    profile.release();
    process.ready().await.expect("it asks for the next event");
    process.freeze().expect("it runs");
    assert_eq!(stage.record(&appid).await["profile"]["nick_name"], "茶馆");
    let lines = process.log().expect("a log");
    let metrics: Vec<&str> = lines.lines().filter(|line| line.contains("CloudWatchMetrics")).collect();
    assert_eq!(metrics.len(), 1, "one line of metrics: {lines}");
    assert!(metrics[0].contains(r#""WechatCalls":2"#), "with the call after the answer: {}", metrics[0]);
}

#[tokio::test]
async fn a_process_that_dies_after_its_answer_has_stored_the_grant() {
    let stage = Stage::new().await;
    let (mut process, appid, profile) = answered(&stage).await;
    profile.arrived().await;
    process.kill().expect("it runs");
    drop(profile);
    let record = stage.record(&appid).await;
    for attribute in ["authorizer_access_token", "authorizer_refresh_token", "refresh_at"] {
        assert!(record.get(attribute).is_some(), "{attribute}");
    }
    assert!(record.get("profile").is_none());
}

#[tokio::test]
async fn the_component_token_is_read_before_the_first_event() {
    let stage = Stage::new().await;
    // Mints it.
    let (_, redirect) = stage.consent("first").await;
    stage.start("visits").await.invoke(redirect).await.expect("an answer");
    let reads = stage.sandbox.dynamodb.on("GetItem").containing("component_token#");
    let before = reads.count();
    let mut process = stage.start("visits").await;
    process.ready().await.expect("it asks for an event");
    assert_eq!(reads.count(), before + 1);
    let (_, redirect) = stage.consent("second").await;
    let before = reads.count();
    process.invoke(redirect).await.expect("an answer");
    assert_eq!(reads.count(), before);
}
