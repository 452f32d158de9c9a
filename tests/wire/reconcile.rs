//! What is missing from the table comes back.

mod heal;

use sandbox::Fault;
use sandbox::wechat::Account;
use serde_json::{Value, json};

use crate::scene::{Scene, log, redirect};

impl Scene {
    async fn reconciled(&self) -> Value {
        self.reconcile().run(json!({})).await.expect("the run succeeds")
    }

    /// Accounts that authorized, and whose codes some other system exchanged.
    async fn known_elsewhere(&self, count: usize) -> Vec<String> {
        let appids: Vec<String> = (0..count)
            .map(|i| self.wechat.add_account(Account::official_account(&format!("shop {i}"))))
            .collect();
        let callback = self.callback();
        for appid in &appids {
            let code = self.wechat.authorize(appid, &[1, 15]);
            assert_eq!(self.visit(&callback, &redirect(&code)).await.status, 200);
        }
        for appid in &appids {
            self.forget(appid).await;
        }
        appids
    }

    /// A revocation whose time is this one, as a table may have it from before.
    async fn tombstone(&self, unauthorized_at: i64) {
        let update = json!({
            "TableName": self.dynamodb.authorizers_table,
            "Key": {
                "authorizer_appid": {"S": self.appid},
                "component_appid": {"S": self.wechat.component_appid},
            },
            "UpdateExpression": "SET #status = :status, unauthorized_at = :at \
                REMOVE authorizer_refresh_token, authorizer_access_token, refresh_at, authorized_at",
            "ExpressionAttributeNames": {"#status": "status"},
            "ExpressionAttributeValues": {
                ":status": {"S": "unauthorized"},
                ":at": {"N": unauthorized_at.to_string()},
            },
        });
        self.dynamodb.call("UpdateItem", update).await;
    }

    async fn forget(&self, appid: &str) {
        let key = json!({"authorizer_appid": appid, "component_appid": self.wechat.component_appid});
        self.dynamodb.delete(&self.dynamodb.authorizers_table, key).await;
    }
}

/// The summary of a run that was complete.
#[track_caller]
fn check(summary: &Value, counts: [u64; 6]) {
    let [listed, restored, corrected, revoked, unchanged, failed] = counts;
    let expected = json!({
        "listed": listed, "restored": restored, "corrected": corrected, "revoked": revoked, "unchanged": unchanged,
        "failed": failed, "complete": true,
    });
    assert_eq!(*summary, expected);
}

#[tokio::test]
async fn a_table_that_starts_empty_ends_complete() {
    let scene = Scene::new().await;
    let appids = scene.known_elsewhere(30).await;
    check(&scene.reconciled().await, [30, 30, 0, 0, 0, 0]);
    for appid in &appids {
        let record = scene.dynamodb.authorizer(appid).await.expect("a record");
        assert_eq!(record["status"], "authorized");
        assert_eq!(record["authorizer_refresh_token"].as_str(), scene.wechat.refresh_token(appid).as_deref());
        assert!(scene.wechat.accepts(record["authorizer_access_token"].as_str().expect("a token")));
        assert_eq!(record["permission_set_ids"], json!([1, 15]));
        assert!(record["profile"]["nick_name"].as_str().is_some_and(|name| name.starts_with("shop ")));
    }
    let records = scene.dynamodb.authorizers().await;
    check(&scene.reconciled().await, [30, 0, 0, 0, 30, 0]);
    assert_eq!(scene.dynamodb.authorizers().await, records, "correct records are not written");
}

#[tokio::test]
async fn a_dry_run_reports_without_writing() {
    let scene = Scene::new().await;
    scene.known_elsewhere(3).await;
    let before = scene.dynamodb.platform().await;
    let summary = scene.reconcile().run(json!({"dry_run": true})).await.expect("the run succeeds");
    check(&summary, [3, 3, 0, 0, 0, 0]);
    assert!(scene.dynamodb.authorizers().await.is_empty());
    assert_eq!(scene.dynamodb.platform().await, before);
}

#[tokio::test]
async fn a_lost_refresh_token_comes_back() {
    let scene = Scene::new().await;
    assert_eq!(scene.visit(&scene.callback(), &scene.consent()).await.status, 200);
    let update = json!({
        "TableName": scene.dynamodb.authorizers_table,
        "Key": {"authorizer_appid": {"S": scene.appid}, "component_appid": {"S": scene.wechat.component_appid}},
        "UpdateExpression": "REMOVE authorizer_refresh_token, authorizer_access_token, refresh_at",
    });
    scene.dynamodb.call("UpdateItem", update).await;
    check(&scene.reconciled().await, [1, 1, 0, 0, 0, 0]);
    let record = scene.stored().await;
    assert_eq!(
        record["authorizer_refresh_token"].as_str(),
        scene.wechat.refresh_token(&scene.appid).as_deref()
    );
    assert!(record.get("authorizer_access_token").is_some());
}

#[tokio::test]
async fn only_what_wechat_confirms_as_revoked_is_marked() {
    let scene = Scene::new().await;
    let appids = scene.known_elsewhere(3).await;
    check(&scene.reconciled().await, [3, 3, 0, 0, 0, 0]);
    scene.wechat.revoke(&appids[0]);
    check(&scene.reconciled().await, [2, 0, 0, 1, 2, 0]);
    let record = scene.dynamodb.authorizer(&appids[0]).await.expect("nothing is deleted");
    assert_eq!(record["status"], "unauthorized");

    scene.wechat.on("api_get_authorizer_list").once(Fault::json(json!({"total_count": 0, "list": []})));
    check(&scene.reconciled().await, [0, 0, 0, 0, 0, 0]);
    let long_ago = scene.clock.now().as_secs() - 86_400;
    let partial = json!({
        "total_count": 1,
        "list": [{"authorizer_appid": appids[1], "refresh_token": "x", "auth_time": long_ago}],
    });
    scene.wechat.on("api_get_authorizer_list").once(Fault::json(partial));
    check(&scene.reconciled().await, [1, 0, 0, 0, 2, 0]);
    for appid in &appids[1..] {
        assert_eq!(scene.dynamodb.authorizer(appid).await.expect("a record")["status"], "authorized");
    }
}

#[tokio::test]
async fn a_revocation_that_the_list_does_not_know_yet_stands() {
    let scene = Scene::new().await;
    assert_eq!(scene.visit(&scene.callback(), &scene.consent()).await.status, 200);
    let listed = json!({
        "authorizer_appid": scene.appid,
        "refresh_token": scene.wechat.refresh_token(&scene.appid),
        "auth_time": scene.clock.now().as_secs(),
    });
    scene.clock.advance(10);
    scene.wechat.revoke(&scene.appid);
    let push = scene.wechat.push_unauthorized(&scene.appid).created_at(scene.clock.now().as_secs());
    assert_eq!(scene.events().request(push).await.status, 200);
    let list = Fault::json(json!({"total_count": 1, "list": [listed]}));
    scene.wechat.on("api_get_authorizer_list").once(list);
    check(&scene.reconciled().await, [1, 0, 0, 1, 0, 0]);
    assert_eq!(scene.stored().await["status"], "unauthorized");
}

#[tokio::test]
async fn an_account_that_list_and_info_confirm_is_restored_whatever_the_tombstone_says() {
    for ahead in [20, 600, 86_400] {
        let scene = Scene::new().await;
        assert_eq!(scene.visit(&scene.callback(), &scene.consent()).await.status, 200);
        scene.clock.advance(100);
        scene.tombstone(scene.clock.now().as_secs() + ahead).await;
        scene.clock.advance(100);
        check(&scene.reconciled().await, [1, 1, 0, 0, 0, 0]);
        let record = scene.stored().await;
        assert_eq!(record["status"], "authorized");
        assert!(scene.wechat.accepts(record["authorizer_access_token"].as_str().expect("a token")));
    }
}

#[tokio::test]
async fn an_account_whose_code_was_never_exchanged_is_reported() {
    let scene = Scene::new().await;
    scene.consent();
    check(&scene.reconciled().await, [1, 0, 0, 0, 0, 1]);
    assert!(scene.record().await.is_none());
}

#[tokio::test]
async fn one_failing_account_never_stops_a_run() {
    let scene = Scene::new().await;
    let appids = scene.known_elsewhere(4).await;
    // WeChat tells of one of them neither by info nor by its list.
    scene.wechat.on("api_get_authorizer_info").containing(&appids[1]).always(Fault::errcode(40013));
    let listed = |appid: &String| {
        let token = scene.wechat.refresh_token(appid).filter(|_| *appid != appids[1]);
        json!({"authorizer_appid": appid, "refresh_token": token, "auth_time": scene.clock.now().as_secs()})
    };
    let list: Vec<Value> = appids.iter().map(listed).collect();
    scene.wechat.on("api_get_authorizer_list").once(Fault::json(json!({"total_count": 4, "list": list})));
    check(&scene.reconciled().await, [4, 3, 0, 0, 0, 1]);
}

#[tokio::test]
async fn a_run_goes_on_where_the_last_one_had_to_stop() {
    let scene = Scene::new().await;
    let appids = scene.known_elsewhere(2).await;
    let list = scene.wechat.on("api_get_authorizer_list");
    let page = |appid: &str| {
        let token = scene.wechat.refresh_token(appid);
        let listed = json!({"authorizer_appid": appid, "refresh_token": token, "auth_time": scene.clock.now().as_secs()});
        Fault::json(json!({"total_count": 501, "list": [listed]}))
    };
    list.once(page(&appids[0]));
    list.times(3, Fault::errcode(-1));
    let first = scene.reconciled().await;
    assert_eq!((&first["restored"], &first["complete"]), (&json!(1), &json!(false)));
    assert!(scene.dynamodb.authorizer(&appids[0]).await.is_some());

    list.once(page(&appids[1]));
    check(&scene.reconciled().await, [1, 1, 0, 0, 0, 0]);
    assert!(scene.dynamodb.authorizer(&appids[1]).await.is_some());
    let offsets: Vec<u64> =
        list.requests().iter().filter_map(|request| request.body["offset"].as_u64()).collect();
    assert_eq!(offsets, [0, 500, 500, 500, 500]);
    assert_eq!(scene.reconciled().await["listed"], 2, "and begins anew after the end");
}

#[tokio::test]
async fn a_platform_wide_error_stops_the_run_and_is_logged_once() {
    let scene = Scene::new().await;
    scene.known_elsewhere(40).await;
    let errmsg = format!("no quota, said the test about {}", scene.appid);
    scene.wechat.on("api_get_authorizer_info").always(Fault::errmsg(45009, &errmsg));
    let summary = scene.reconciled().await;
    assert_eq!(log().lines().filter(|line| line.contains(&errmsg)).count(), 1);
    assert_eq!((&summary["restored"], &summary["complete"]), (&json!(0), &json!(false)));
    scene.wechat.clear_faults();
    check(&scene.reconciled().await, [40, 40, 0, 0, 0, 0]);
}

#[tokio::test]
async fn a_request_that_is_not_clear_about_writing_does_not_begin() {
    let scene = Scene::new().await;
    scene.known_elsewhere(1).await;
    let error = scene.reconcile().run(json!({"dry_run": "true"})).await.expect_err("an error");
    assert_eq!(error.error_type, "InvalidRequest");
    assert!(scene.dynamodb.authorizers().await.is_empty());
}
