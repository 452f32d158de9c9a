//! What a push tells of a code while somebody else works on it.

use std::time::Duration;

use sandbox::{Browser, Fault, Hold};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::refresh::run;
use crate::scene::{Scene, of_launch, redirect};

impl Scene {
    /// A redirect to this address, under way.
    fn visiting(&self, path: String, variables: &[(&str, &str)]) -> JoinHandle<u16> {
        let callback = self.callback_with(variables);
        tokio::spawn(async move { Browser::new().visit(&callback, &path).await.status })
    }

    /// A redirect that no service's launch vouches for, under way: its code is spent, and the second try will be told so.
    async fn spending_in_vain(&self, code: &str) -> (Hold, JoinHandle<u16>) {
        let query = self.wechat.on("api_query_auth");
        query.once(Fault::ResetAfter);
        let hold = query.hold_before();
        let visit = self.visiting(redirect(code), &[]);
        hold.arrived().await;
        (hold, visit)
    }

    /// WeChat pushes the grant of this code, and names this launch if any. It is acknowledged.
    async fn heard(&self, code: &str, launch: Option<&Value>) {
        let pre_auth_code = launch.and_then(|launch| launch["pre_auth_code"].as_str());
        let push = self.wechat.push_authorized(&self.appid, code, pre_auth_code);
        assert_eq!(self.events().request(push).await.status, 200);
    }

    /// The sweep has its time. The grant is stored then, with this state.
    async fn check_stored_with(&self, state: Option<&str>) {
        for _ in 0..5 {
            run(&self.refresh()).await;
            self.clock.advance(61);
        }
        let record = self.stored().await;
        assert!(
            record["authorizer_access_token"].is_string() && record["authorizer_refresh_token"].is_string()
        );
        assert_eq!(record["state"].as_str(), state);
        assert_eq!(self.claim().await["status"], "done");
    }
}

#[tokio::test]
async fn a_code_that_a_push_names_is_not_given_up_by_a_visit_that_did_not_hear_of_it() {
    let scene = Scene::new().await;
    let launch = scene.launch().await;
    let code = scene.wechat.authorize(&scene.appid, &[1]);
    let (hold, visit) = scene.spending_in_vain(&code).await;
    scene.heard(&code, Some(&launch)).await;
    hold.release();
    assert_eq!(visit.await.expect("no panic"), 202, "it is being completed");
    let claim = scene.claim().await;
    assert_eq!((&claim["status"], &claim["evidence"]), (&json!("claimed"), &json!("push")));
    scene.check_stored_with(Some("tenant-7")).await;
    assert_eq!(scene.outcome(&launch).await["status"], "authorized");
}

#[tokio::test]
async fn a_code_that_a_push_names_is_given_back_as_one_that_a_push_named() {
    let scene = Scene::new().await;
    let code = scene.wechat.authorize(&scene.appid, &[1]);
    let query = scene.wechat.on("api_query_auth");
    query.once(Fault::DelayAfter(Duration::from_secs(60)));
    let visit = scene.visiting(redirect(&code), &[]);
    query.arrived(1).await;
    scene.heard(&code, None).await;
    assert_eq!(visit.await.expect("no panic"), 202);
    scene.check_stored_with(None).await;
}

#[tokio::test]
async fn a_used_code_that_wechat_calls_invalid_is_not_given_up_once_a_push_names_it() {
    let scene = Scene::new().await;
    let launch = scene.launch().await;
    let code = scene.wechat.authorize(&scene.appid, &[1]);
    let query = scene.wechat.on("api_query_auth");
    query.once(Fault::errcode(-1).after_effect());
    query.always(Fault::errcode(61009));
    let failing = scene.dynamodb.on("UpdateItem").containing("\"S\":\"failed\"").hold_before();
    let visit = scene.visiting(of_launch(&redirect(&code), &launch), &[("REQUIRE_LAUNCH", "true")]);
    failing.arrived().await;
    scene.heard(&code, Some(&launch)).await;
    failing.release();
    assert_eq!(visit.await.expect("no panic"), 202);
    scene.check_stored_with(Some("tenant-7")).await;
}

#[tokio::test]
async fn a_push_that_finds_the_claim_just_closed_opens_it_again() {
    let scene = Scene::new().await;
    let code = scene.wechat.authorize(&scene.appid, &[1]);
    let (hold, visit) = scene.spending_in_vain(&code).await;
    let annotating = scene.dynamodb.on("UpdateItem").containing("\"S\":\"push\"").containing(&scene.appid);
    // The first write finds the claim held, the second adds to it.
    annotating.once(Fault::DelayBefore(Duration::ZERO));
    let held = annotating.hold_before();
    let (events, push) = (scene.events(), scene.wechat.push_authorized(&scene.appid, &code, None));
    let pushing = tokio::spawn(async move { events.request(push).await.status });
    held.arrived().await;
    hold.release();
    assert_eq!(visit.await.expect("no panic"), 410);
    assert_eq!(scene.claim().await["status"], "failed");
    held.release();
    assert_eq!(pushing.await.expect("no panic"), 200);
    scene.check_stored_with(None).await;
}

#[tokio::test]
async fn a_push_is_heard_while_the_sweep_gives_a_spent_code_up() {
    let scene = Scene::new().await;
    let launch = scene.launch().await;
    let code = scene.wechat.authorize(&scene.appid, &[1, 2]);
    scene.wechat.on("api_query_auth").once(Fault::ResetAfter);
    assert_eq!(scene.visiting(of_launch(&redirect(&code), &launch), &[]).await.expect("no panic"), 202);
    scene.clock.advance(660);
    let hold = scene.wechat.on("api_get_authorizer_list").hold_before();
    let refresh = scene.refresh();
    let running = tokio::spawn(async move { run(&refresh).await });
    hold.arrived().await;
    scene.heard(&code, Some(&launch)).await;
    hold.release();
    running.await.expect("no panic");
    scene.check_stored_with(Some("tenant-7")).await;
}

#[tokio::test]
async fn the_launch_that_a_push_names_is_the_one_that_is_written() {
    for others in [None, Some("stranger")] {
        let scene = Scene::new().await;
        let launch = scene.launch().await;
        let code = scene.wechat.authorize(&scene.appid, &[1]);
        let path = match others {
            Some(state) => of_launch(&redirect(&code), &scene.launch_with(json!({"state": state})).await),
            None => redirect(&code),
        };
        let hold = scene.wechat.on("api_query_auth").hold_after();
        let visit = scene.visiting(path, &[]);
        hold.arrived().await;
        scene.heard(&code, Some(&launch)).await;
        hold.release();
        visit.await.expect("no panic");
        assert_eq!(scene.stored().await["state"], "tenant-7", "{others:?}");
        assert_eq!(scene.outcome(&launch).await["status"], "authorized", "{others:?}");
    }
}

#[tokio::test]
async fn the_launch_that_a_push_names_replaces_that_of_a_visit_that_is_over() {
    let scene = Scene::new().await;
    let (launch, other) = (scene.launch().await, scene.launch_with(json!({"state": "stranger"})).await);
    let code = scene.wechat.authorize(&scene.appid, &[1]);
    scene.wechat.allow_address(false);
    scene.visiting(of_launch(&redirect(&code), &other), &[]).await.expect("no panic");
    scene.wechat.allow_address(true);
    scene.heard(&code, Some(&launch)).await;
    assert_eq!(scene.stored().await["state"], "tenant-7");
    assert_eq!(scene.outcome(&launch).await["status"], "authorized");
    assert_eq!(scene.outcome(&other).await["status"], "open");
}
