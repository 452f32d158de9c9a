//! Whose account it is: a code and an account belong to one launch, and for no longer than the merchant agrees.

use sandbox::wechat::Account;
use sandbox::{Answer, Browser};
use serde_json::{Value, json};

use crate::scene::{Scene, of_launch, redirect};

impl Scene {
    /// A grant of the account, stored by a push that names this launch, if any. Returns its code.
    async fn pushed(&self, appid: &str, launch: Option<&Value>) -> String {
        let code = self.wechat.authorize(appid, &[1]);
        let pre_auth_code = launch.and_then(|launch| launch["pre_auth_code"].as_str());
        let push = self.wechat.push_authorized(appid, &code, pre_auth_code);
        let push = push.created_at(self.clock.now().as_secs());
        assert_eq!(self.events().request(push).await.status, 200);
        code
    }

    async fn revoked(&self) {
        self.clock.advance(120);
        self.wechat.revoke(&self.appid);
        let push = self.wechat.push_unauthorized(&self.appid).created_at(self.clock.now().as_secs());
        assert_eq!(self.events().request(push).await.status, 200);
        self.clock.advance(120);
    }

    async fn brought(&self, code: &str, launch: &Value) -> Answer {
        Browser::new().visit(&self.callback(), &of_launch(&redirect(code), launch)).await
    }

    async fn ended_by(&self, launch: &Value) -> Option<String> {
        self.outcome(launch).await["authorizer_appid"].as_str().map(str::to_owned)
    }
}

#[tokio::test]
async fn a_used_code_belongs_to_the_first_launch_that_brings_it() {
    let scene = Scene::new().await;
    let first = scene.launch_with(json!({"state": "tenant-1"})).await;
    let second = scene.launch_with(json!({"state": "tenant-2"})).await;
    let code = scene.pushed(&scene.appid, None).await;
    for launch in [&first, &second, &first] {
        assert_eq!(scene.brought(&code, launch).await.status, 200);
    }
    assert_eq!(scene.ended_by(&first).await.as_ref(), Some(&scene.appid));
    assert_eq!(scene.ended_by(&second).await, None);
    assert_eq!(scene.stored().await["state"], "tenant-1");
}

#[tokio::test]
async fn of_two_launches_that_bring_a_used_code_at_once_one_gets_it() {
    let scene = Scene::new().await;
    let first = scene.launch_with(json!({"state": "tenant-1"})).await;
    let second = scene.launch_with(json!({"state": "tenant-2"})).await;
    let code = scene.pushed(&scene.appid, None).await;
    tokio::join!(scene.brought(&code, &first), scene.brought(&code, &second));
    // DynamoDB may have refused both, as a conflict of transactions: then each is repeated.
    scene.brought(&code, &first).await;
    scene.brought(&code, &second).await;
    let ended = (scene.ended_by(&first).await, scene.ended_by(&second).await);
    let state = match ended {
        (Some(_), None) => "tenant-1",
        (None, Some(_)) => "tenant-2",
        both => panic!("{both:?}"),
    };
    assert_eq!(scene.stored().await["state"], state);
}

#[tokio::test]
async fn a_launch_that_is_begun_after_a_code_gets_nothing_by_it() {
    let scene = Scene::new().await;
    let code = scene.pushed(&scene.appid, None).await;
    scene.clock.advance(120);
    let later = scene.launch_with(json!({"state": "thief"})).await;
    let page = scene.brought(&code, &later).await;
    assert!(page.status == 200 && !page.body.contains(&scene.appid), "{}", page.body);
    assert_eq!(scene.ended_by(&later).await, None);
    assert!(scene.stored().await.get("state").is_none());
}

#[tokio::test]
async fn a_launch_for_one_account_is_ended_by_no_other() {
    for is_pushed in [false, true] {
        let scene = Scene::new().await;
        let launch = scene.launch_with(json!({"state": "tenant-7", "biz_appid": scene.appid})).await;
        let other = scene.wechat.add_account(Account::official_account("another's"));
        if is_pushed {
            let code = scene.pushed(&other, Some(&launch)).await;
            assert_eq!(scene.brought(&code, &launch).await.status, 200);
        } else {
            let code = scene.wechat.authorize(&other, &[1]);
            assert_eq!(scene.brought(&code, &launch).await.status, 200);
        }
        let record = scene.dynamodb.authorizer(&other).await.expect("its grant is stored");
        assert!(record["authorizer_refresh_token"].is_string(), "{record}");
        assert!(record.get("state").is_none() && record.get("bound").is_none(), "{record}");
        assert_eq!(scene.outcome(&launch).await["status"], "open", "pushed: {is_pushed}");

        let code = scene.wechat.authorize(&scene.appid, &[1]);
        assert_eq!(scene.brought(&code, &launch).await.status, 200);
        assert_eq!(scene.ended_by(&launch).await.as_ref(), Some(&scene.appid));
        assert_eq!(scene.stored().await["state"], "tenant-7");
    }
}

#[tokio::test]
async fn what_a_merchant_grants_after_a_revocation_is_not_the_earlier_launch_s() {
    let scene = Scene::new().await;
    let first = scene.launch_with(json!({"state": "tenant-1"})).await;
    scene.pushed(&scene.appid, Some(&first)).await;
    scene.clock.advance(120);
    scene.pushed(&scene.appid, None).await;
    assert_eq!(scene.outcome(&first).await["status"], "authorized", "another grant, and no revocation");

    scene.revoked().await;
    let second = scene.launch_with(json!({"state": "tenant-2"})).await;
    scene.pushed(&scene.appid, Some(&second)).await;
    let over = scene.outcome(&first).await;
    assert_eq!((&over["status"], &over["permission_set_ids"]), (&json!("unauthorized"), &Value::Null));
    assert_eq!(scene.outcome(&second).await["status"], "authorized");
    let path = format!("/callback?launch={}", first["launch_id"].as_str().expect("an id"));
    assert_eq!(scene.visit(&scene.callback(), &path).await.status, 410);
}

#[tokio::test]
async fn who_revokes_may_authorize_again_by_the_same_launch() {
    let scene = Scene::new().await;
    let launch = scene.launch_with(json!({"state": "tenant-1"})).await;
    let path = format!("/authorize?launch={}", launch["launch_id"].as_str().expect("an id"));
    scene.pushed(&scene.appid, Some(&launch)).await;
    assert_eq!(scene.authorize().get(&path).await.status, 303, "it is done");
    scene.revoked().await;
    assert_eq!(scene.outcome(&launch).await["status"], "unauthorized");
    assert_eq!(scene.authorize().get(&path).await.status, 200, "it is open again");
    let stranger = scene.wechat.add_account(Account::official_account("another's"));
    let code = scene.wechat.authorize(&stranger, &[1]);
    assert_eq!(scene.brought(&code, &launch).await.status, 200);
    assert_eq!(scene.outcome(&launch).await["status"], "unauthorized", "for the same account alone");
    let code = scene.wechat.authorize(&scene.appid, &[1]);
    assert_eq!(scene.brought(&code, &launch).await.status, 200);
    assert_eq!(scene.outcome(&launch).await["status"], "authorized");
    assert_eq!(scene.stored().await["state"], "tenant-1");

    scene.revoked().await;
    scene.clock.advance(7200);
    assert_eq!(scene.authorize().get(&path).await.status, 403, "its hours are over");
}

#[tokio::test]
async fn a_launch_whose_grant_gives_way_to_a_newer_one_is_authorized() {
    let scene = Scene::new().await;
    let first = scene.launch_with(json!({"state": "tenant-1"})).await;
    let code = scene.wechat.authorize(&scene.appid, &[1]);
    let earlier = scene.clock.now().as_secs();
    scene.clock.advance(30);
    scene.pushed(&scene.appid, None).await;
    let push = scene.wechat.push_authorized(&scene.appid, &code, first["pre_auth_code"].as_str());
    assert_eq!(scene.events().request(push.created_at(earlier)).await.status, 200);
    assert_eq!(scene.outcome(&first).await["status"], "authorized");
}
