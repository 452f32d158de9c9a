//! Tokens stay fresh.

mod failure;

use sandbox::wechat::Account;
use sandbox::{Fault, Hold, JsonInstance};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::task::JoinHandle;

use crate::scene::{Scene, of_launch, redirect};

/// A run in numbers: refreshed, failed, revoked, pending_finished, remaining.
pub(crate) async fn run(refresh: &JsonInstance) -> [u64; 5] {
    let summary = refresh.run(json!({"time": "now"})).await.expect("the run succeeds");
    ["refreshed", "failed", "revoked", "pending_finished", "remaining"]
        .map(|name| summary[name].as_u64().expect("a count"))
}

impl Scene {
    /// The merchant authorizes, and the grant is stored.
    async fn authorized(&self) -> Value {
        assert_eq!(self.visit(&self.callback(), &self.consent()).await.status, 200);
        self.stored().await
    }

    /// More accounts with grants, so that there are `count` in all.
    pub(crate) async fn crowd(&self, count: usize) -> Vec<String> {
        let callback = self.callback();
        let mut appids = vec![self.appid.clone()];
        appids.extend(
            (1..count).map(|i| self.wechat.add_account(Account::official_account(&format!("shop {i}")))),
        );
        for appid in &appids {
            let code = self.wechat.authorize(appid, &[1]);
            assert_eq!(self.visit(&callback, &redirect(&code)).await.status, 200);
        }
        appids
    }

    /// How often WeChat was asked for authorizers' tokens.
    fn refreshes(&self) -> usize {
        self.wechat.on("api_authorizer_token").count()
    }

    /// A time at which every token stored now is due, and none has expired.
    pub(crate) async fn when_due(&self) {
        self.clock.advance(7200 - 600);
        self.put_ticket().await;
    }

    /// A run that has the lease of the account, which is due, and whose answer from WeChat is held.
    async fn refreshing(&self) -> (JoinHandle<[u64; 5]>, Hold) {
        self.when_due().await;
        let hold = self.wechat.on("api_authorizer_token").hold_after();
        let refresh = self.refresh();
        let running = tokio::spawn(async move { run(&refresh).await });
        hold.arrived().await;
        (running, hold)
    }
}

#[tokio::test]
async fn a_due_token_is_refreshed_once_and_stays_valid() {
    let scene = Scene::new().await;
    let before = scene.authorized().await;
    let refresh = scene.refresh();
    assert_eq!(run(&refresh).await, [0, 0, 0, 0, 0], "nothing is due");
    scene.when_due().await;
    assert_eq!(run(&refresh).await, [1, 0, 0, 0, 0]);
    assert_eq!(run(&refresh).await, [0, 0, 0, 0, 0]);
    let after = scene.stored().await;
    assert_ne!(after["authorizer_access_token"], before["authorizer_access_token"]);
    assert!(scene.wechat.accepts(after["authorizer_access_token"].as_str().expect("a token")));
    assert_eq!(after["authorizer_refresh_token"], before["authorizer_refresh_token"]);
    assert_eq!(after["permission_set_ids"], before["permission_set_ids"]);
    assert!(after.get("lease_owner").is_none());
    assert!(after["version"].as_i64() > before["version"].as_i64());
}

#[tokio::test]
async fn tokens_stay_valid_for_hours_without_anybody_doing_anything() {
    let scene = Scene::new().await;
    scene.authorized().await;
    let refresh = scene.refresh();
    for _ in 0..12 * 6 {
        scene.clock.advance(600);
        scene.put_ticket().await;
        run(&refresh).await;
        let token = scene.stored().await["authorizer_access_token"].as_str().expect("a token").to_owned();
        assert!(scene.wechat.accepts(&token));
    }
    assert!(scene.refreshes() <= 7, "a token lives two hours: {}", scene.refreshes());
}

#[tokio::test]
async fn the_component_token_is_renewed_before_a_visitor_would_wait_for_it() {
    let scene = Scene::new().await;
    scene.authorized().await;
    let refresh = scene.refresh();
    scene.clock.advance(7200 - 730);
    run(&refresh).await;
    assert_eq!(scene.wechat.on("api_component_token").count(), 1, "not before its time");
    scene.clock.advance(60);
    run(&refresh).await;
    assert_eq!(scene.wechat.on("api_component_token").count(), 2);
    scene.clock.advance(90);
    assert_eq!(scene.visit(&scene.authorize(), "/authorize").await.status, 200);
    assert_eq!(scene.wechat.on("api_component_token").count(), 2, "the visitor finds it");
}

#[tokio::test]
async fn a_rotated_refresh_token_is_stored_and_an_empty_one_is_not() {
    let scene = Scene::new().await;
    let before = scene.authorized().await;
    let refresh = scene.refresh();
    let answer = |refresh_token: &str| {
        Fault::json(json!({
            "authorizer_access_token": "fresh", "expires_in": 7200, "authorizer_refresh_token": refresh_token,
        }))
    };
    scene.when_due().await;
    scene.wechat.on("api_authorizer_token").once(answer(""));
    run(&refresh).await;
    assert_eq!(scene.stored().await["authorizer_refresh_token"], before["authorizer_refresh_token"]);
    scene.when_due().await;
    scene.wechat.on("api_authorizer_token").once(answer("refreshtoken@@@rotated"));
    run(&refresh).await;
    assert_eq!(scene.stored().await["authorizer_refresh_token"], "refreshtoken@@@rotated");
}

#[tokio::test]
async fn two_runs_at_once_never_refresh_an_account_twice() {
    let scene = Scene::new().await;
    scene.crowd(12).await;
    scene.when_due().await;
    scene.wechat.on("api_authorizer_token").always(Fault::DelayAfter(Duration::from_millis(30)));
    let (one, other) = (scene.refresh(), scene.refresh());
    let (one, other) = tokio::join!(run(&one), run(&other));
    assert_eq!(one[0] + other[0], 12);
    assert_eq!(scene.refreshes(), 12);
}

#[tokio::test]
async fn a_refresh_takes_two_writes_and_no_read() {
    let scene = Scene::new().await;
    scene.authorized().await;
    scene.when_due().await;
    let refresh = scene.refresh();
    run(&refresh).await;
    scene.when_due().await;
    let seen = scene.dynamodb.requests().len();
    run(&refresh).await;
    let requests = scene.dynamodb.requests().split_off(seen);
    let of_records: Vec<&str> = requests
        .iter()
        .filter(|request| request.body.to_string().contains(&scene.appid))
        .map(|request| request.endpoint.as_str())
        .collect();
    assert_eq!(of_records, ["UpdateItem", "UpdateItem"]);
    assert!(!requests.iter().any(|request| request.endpoint == "Scan"));
}

#[tokio::test]
async fn a_mass_of_grants_of_one_moment_does_not_come_due_in_one() {
    let scene = Scene::new().await;
    scene.crowd(40).await;
    let mut due: Vec<i64> = scene
        .dynamodb
        .authorizers()
        .await
        .iter()
        .filter_map(|record| record["refresh_at"].as_i64())
        .collect();
    due.sort_unstable();
    assert!(due[39] - due[0] > 300, "they are spread over minutes: {due:?}");
    let mut shards: Vec<i64> = scene
        .dynamodb
        .authorizers()
        .await
        .iter()
        .filter_map(|record| record["refresh_shard"].as_i64())
        .collect();
    shards.sort_unstable();
    shards.dedup();
    assert!(shards.len() > 8, "{shards:?}");
}

#[tokio::test]
async fn what_the_time_does_not_suffice_for_is_left_in_due_order() {
    let scene = Scene::new().await;
    scene.crowd(200).await;
    scene.when_due().await;
    scene.wechat.on("api_authorizer_token").always(Fault::DelayAfter(Duration::from_millis(700)));
    let short = scene.refresh().with_remaining(Duration::from_millis(11_500));
    let [refreshed, failed, revoked, _, remaining] = run(&short).await;
    assert_eq!((failed, revoked), (0, 0));
    assert!(refreshed > 0 && remaining > 0 && refreshed + remaining == 200, "{refreshed} {remaining}");
    let records = scene.dynamodb.authorizers().await;
    assert!(records.iter().all(|record| record.get("lease_owner").is_none()), "no lease is left behind");
    scene.wechat.clear_faults();
    assert_eq!(run(&scene.refresh()).await, [remaining, 0, 0, 0, 0]);
}

#[tokio::test]
async fn an_account_that_revoked_is_marked_and_left_in_peace() {
    let scene = Scene::new().await;
    scene.authorized().await;
    scene.wechat.revoke(&scene.appid);
    scene.when_due().await;
    assert_eq!(run(&scene.refresh()).await, [0, 0, 1, 0, 0]);
    let record = scene.stored().await;
    assert_eq!(record["status"], "unauthorized");
    assert!(record.get("authorizer_refresh_token").is_none());
    scene.clock.advance(7200);
    scene.put_ticket().await;
    assert_eq!(run(&scene.refresh()).await, [0, 0, 0, 0, 0]);

    let code = scene.wechat.authorize(&scene.appid, &[1]);
    assert_eq!(scene.visit(&scene.callback(), &redirect(&code)).await.status, 200);
    assert_eq!(scene.stored().await["status"], "authorized", "a newer authorization undoes it");
}

#[tokio::test]
async fn a_late_refresh_does_not_undo_a_revocation_or_a_newer_grant() {
    let scene = Scene::new().await;
    scene.authorized().await;
    let (running, hold) = scene.refreshing().await;
    let push = scene.wechat.push_unauthorized(&scene.appid).created_at(scene.clock.now().as_secs());
    assert_eq!(scene.events().request(push).await.status, 200);
    hold.release();
    assert_eq!(running.await.expect("no panic"), [0, 0, 0, 0, 0]);
    assert_eq!(scene.stored().await["status"], "unauthorized");

    scene.clock.advance(5);
    scene.authorized().await;
    let (running, hold) = scene.refreshing().await;
    let newer = scene.authorized().await;
    hold.release();
    assert_eq!(running.await.expect("no panic"), [0, 0, 0, 0, 0]);
    let record = scene.stored().await;
    assert_eq!(record["authorizer_refresh_token"], newer["authorizer_refresh_token"]);
    assert!(record["refresh_at"].as_i64() <= record["refreshed_at"].as_i64(), "and is due at once");
}

#[tokio::test]
async fn on_demand_refreshes_only_what_would_be_forgotten_and_still_finishes_pending_exchanges() {
    let scene = Scene::new().await;
    let sandbox = scene.with("REFRESH_MODE", "on-demand");
    scene.authorized().await;
    let refresh = sandbox.refresh();
    scene.when_due().await;
    let before = scene.wechat.on("api_component_token").count();
    assert_eq!(run(&refresh).await, [0, 0, 0, 0, 0]);
    assert_eq!(scene.wechat.on("api_component_token").count(), before + 1, "the component token is renewed");

    let appid = scene.wechat.add_account(Account::official_account("pending"));
    let code = scene.wechat.authorize(&appid, &[1]);
    scene.wechat.on("api_query_auth").once(Fault::ResetAfter);
    let redirect = of_launch(&redirect(&code), &scene.launch().await);
    assert_eq!(scene.visit(&sandbox.callback(), &redirect).await.status, 202);
    run(&refresh).await;
    scene.clock.advance(61);
    run(&refresh).await;
    let record = scene.dynamodb.authorizer(&appid).await.expect("a record");
    assert!(record.get("authorizer_access_token").is_some());

    scene.clock.advance(20 * 86_400 + 7200);
    scene.put_ticket().await;
    assert_eq!(run(&refresh).await[0], 2);
}

#[tokio::test]
async fn a_token_obtained_while_a_call_is_under_way_that_may_supersede_it_is_replaced_once_more() {
    let scene = Scene::new().await;
    scene.authorized().await;
    let (dying, hold) = scene.refreshing().await;
    // The grant takes the lease away, and nobody knows any more of the call.
    let code = scene.wechat.mint_code(&scene.appid);
    assert_eq!(scene.visit(&scene.callback(), &redirect(&code)).await.status, 200);
    dying.abort();
    let _ = dying.await;
    assert_eq!(run(&scene.refresh()).await[0], 1);
    hold.release();
    assert_eq!(run(&scene.refresh()).await[0], 0, "the call may still be under way");
    scene.clock.advance(60);
    assert_eq!(run(&scene.refresh()).await[0], 1);
    scene.clock.advance(60);
    assert_eq!(run(&scene.refresh()).await[0], 0, "and that was all");
}

#[tokio::test]
async fn a_process_that_dies_in_a_refresh_holds_nothing_up_for_longer_than_a_minute() {
    let scene = Scene::new().await;
    scene.authorized().await;
    let (dying, hold) = scene.refreshing().await;
    dying.abort();
    let _ = dying.await;
    drop(hold);
    assert_eq!(run(&scene.refresh()).await[0], 0, "the lease outlives its owner");
    scene.clock.advance(61);
    assert_eq!(run(&scene.refresh()).await[0], 1);
}
