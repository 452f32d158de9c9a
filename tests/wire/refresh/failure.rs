//! What becomes of a refresh that fails.

use sandbox::Fault;
use serde_json::json;

use super::run;
use crate::scene::{Scene, assert_logged, log};

#[tokio::test]
async fn a_refused_refresh_token_is_looked_up_at_wechat() {
    let scene = Scene::new().await;
    scene.authorized().await;
    scene.when_due().await;
    scene.wechat.on("api_authorizer_token").once(Fault::errcode(61023));
    scene.wechat.on("api_get_authorizer_info").once(Fault::json(json!({
        "authorizer_info": {}, "authorization_info": {"authorizer_refresh_token": "refreshtoken@@@looked-up"},
    })));
    scene.wechat.on("api_authorizer_token").once(Fault::json(json!({
        "authorizer_access_token": "fresh", "expires_in": 7200,
    })));
    assert_eq!(run(&scene.refresh()).await, [1, 0, 0, 0, 0]);
    let record = scene.stored().await;
    assert_eq!(record["authorizer_refresh_token"], "refreshtoken@@@looked-up");
    assert_eq!(record["authorizer_access_token"], "fresh");
    let sent = scene.wechat.on("api_authorizer_token").requests();
    assert_eq!(sent[1].body["authorizer_refresh_token"], "refreshtoken@@@looked-up");
}

#[tokio::test]
async fn a_refresh_token_that_wechat_has_no_better_one_for_is_tried_ever_more_rarely_and_never_dropped() {
    let scene = Scene::new().await;
    let stored = scene.authorized().await;
    let refresh = scene.refresh();
    scene.when_due().await;
    scene
        .wechat
        .on("api_authorizer_token")
        .always(Fault::errmsg(61023, "invalid refreshtoken@@@x rid: 65f-1"));
    let mut waits = Vec::new();
    for attempts in 1..=4 {
        assert_eq!(run(&refresh).await, [0, 1, 0, 0, 0]);
        let record = scene.stored().await;
        assert_eq!(record["status"], "authorized");
        assert_eq!(record["authorizer_refresh_token"], stored["authorizer_refresh_token"]);
        let failure = &record["refresh_failure"];
        assert_eq!((&failure["errcode"], &failure["attempts"]), (&json!(61023), &json!(attempts)));
        assert_eq!((&failure["errmsg"], &failure["rid"]), (&json!("invalid ***"), &json!("65f-1")));
        let wait = record["refresh_at"].as_i64().expect("a time") - scene.clock.now().as_secs();
        waits.push(wait);
        scene.clock.advance(wait + 1);
        scene.put_ticket().await;
    }
    assert!(waits.windows(2).all(|pair| pair[0] < pair[1]), "{waits:?}");
    scene.wechat.clear_faults();
    assert_eq!(run(&refresh).await, [1, 0, 0, 0, 0]);
    assert!(scene.stored().await.get("refresh_failure").is_none());
}

#[tokio::test]
async fn a_passing_fault_backs_off_and_recovers() {
    for fault in [Fault::errcode(-1), Fault::ResetBefore, Fault::raw(502, "text/html", "<html>")] {
        let scene = Scene::new().await;
        scene.authorized().await;
        scene.when_due().await;
        scene.wechat.on("api_authorizer_token").always(fault.clone());
        let refresh = scene.refresh();
        assert_eq!(run(&refresh).await, [0, 1, 0, 0, 0], "{fault:?}");
        assert_eq!(scene.refreshes(), 3, "{fault:?}");
        scene.wechat.clear_faults();
        assert_eq!(run(&refresh).await, [0, 0, 0, 0, 0], "it waits");
        scene.clock.advance(61);
        assert_eq!(run(&refresh).await, [1, 0, 0, 0, 0], "{fault:?}");
    }
}

#[tokio::test]
async fn after_the_daily_quota_no_more_calls_are_made_until_the_day_changes_in_beijing() {
    let scene = Scene::new().await;
    scene.crowd(80).await;
    scene.when_due().await;
    scene.wechat.on("api_authorizer_token").always(Fault::errcode(45009));
    let refresh = scene.refresh();
    let [refreshed, failed, revoked, _, remaining] = run(&refresh).await;
    assert_eq!((refreshed, failed, revoked, remaining), (0, 0, 0, 80));
    assert!(scene.refreshes() <= 64, "at most the calls already in flight: {}", scene.refreshes());
    let calls = scene.refreshes();
    let records = scene.dynamodb.authorizers().await;
    assert!(records.iter().all(|record| record.get("refresh_failure").is_none()), "no merchant is at fault");
    assert!(records.iter().all(|record| record.get("lease_owner").is_none()));
    assert_eq!(run(&refresh).await, [0, 0, 0, 0, 80]);
    assert_eq!(scene.refreshes(), calls);
    scene.wechat.clear_faults();
    scene.clock.advance(86_400);
    scene.put_ticket().await;
    assert_eq!(run(&refresh).await, [80, 0, 0, 0, 0]);
}

#[tokio::test]
async fn a_platform_wide_error_stops_the_run_with_a_line_for_the_operator() {
    let scene = Scene::new().await;
    scene.crowd(80).await;
    scene.when_due().await;
    scene
        .wechat
        .on("api_authorizer_token")
        .always(Fault::errmsg(61004, "requestIP: 10.1.2.3 rid: stop-61004"));
    let [refreshed, failed, revoked, _, remaining] = run(&scene.refresh()).await;
    assert_eq!((refreshed, failed, revoked, remaining), (0, 0, 0, 80));
    assert!(scene.refreshes() <= 64);
    assert_logged(&["\"request_ip\":\"10.1.2.3\""]);
    let records = scene.dynamodb.authorizers().await;
    assert!(records.iter().all(|record| record.get("refresh_failure").is_none()));
    assert!(records.iter().all(|record| record.get("lease_owner").is_none()));

    scene.wechat.clear_faults();
    scene.wechat.reset_appsecret();
    let calls = scene.refreshes();
    scene.clock.advance(7200);
    scene.put_ticket().await;
    let [refreshed, failed, revoked, _, remaining] = run(&scene.refresh()).await;
    assert_eq!((refreshed, failed, revoked, remaining), (0, 0, 0, 80));
    assert_eq!(scene.refreshes(), calls);
}

#[tokio::test]
async fn one_malformed_record_and_one_failing_account_never_stop_a_run() {
    let scene = Scene::new().await;
    let appids = scene.crowd(5).await;
    scene.when_due().await;
    let table = scene.dynamodb.authorizers_table.clone();
    let now = scene.clock.now().as_secs();
    let malformed = json!({
        "authorizer_appid": "wxmalformed", "component_appid": scene.wechat.component_appid,
        "refresh_shard": 3, "refresh_at": now - 9999, "status": 7, "authorizer_refresh_token": ["x"],
    });
    scene.dynamodb.put(&table, malformed).await;
    scene.wechat.on("api_authorizer_token").containing(&appids[2]).always(Fault::errcode(40013));
    assert_eq!(run(&scene.refresh()).await, [4, 1, 0, 0, 0]);
}

#[tokio::test]
async fn storage_that_fails_a_refresh_loses_no_token() {
    let scene = Scene::new().await;
    scene.authorized().await;
    scene.when_due().await;
    let rotated = json!({
        "authorizer_access_token": "fresh", "expires_in": 7200, "authorizer_refresh_token": "refreshtoken@@@rotated",
    });
    scene.wechat.on("api_authorizer_token").once(Fault::json(rotated));
    scene.dynamodb.on("UpdateItem").containing("refreshtoken@@@rotated").times(4, Fault::throttled());
    assert_eq!(run(&scene.refresh()).await, [1, 0, 0, 0, 0]);
    assert_eq!(scene.stored().await["authorizer_refresh_token"], "refreshtoken@@@rotated");
    assert!(!log().contains("refreshtoken@@@rotated"));
}
