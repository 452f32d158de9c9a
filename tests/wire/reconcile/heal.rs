//! What the table has of an account becomes what WeChat has of it.

use sandbox::Fault;
use sandbox::wechat::{Account, Kind};
use serde_json::{Value, json};

use super::check;
use crate::scene::{Scene, assert_logged, log, redirect};

const DAY: i64 = 86_400;

/// By then every account has had a turn.
const TURNS: i64 = 8 * DAY;

impl Scene {
    /// One account that has granted 1, 2 and 24.
    async fn of_a_grant() -> Self {
        let scene = Self::new().await;
        assert_eq!(scene.visit(&scene.callback(), &scene.consent()).await.status, 200);
        scene
    }

    async fn advance(&self, seconds: i64) {
        self.clock.advance(seconds);
        self.put_ticket().await;
    }

    /// How often WeChat was asked who an account is.
    fn questions(&self) -> usize {
        self.wechat.on("api_get_authorizer_info").count()
    }

    /// WeChat has answered, and nothing is written yet.
    async fn reconcile_until_answered(&self) -> (sandbox::Hold, tokio::task::JoinHandle<Value>) {
        let hold = self.wechat.on("api_get_authorizer_info").hold_after();
        let reconcile = self.reconcile();
        let run = async move { reconcile.run(json!({})).await.expect("the run succeeds") };
        let running = tokio::spawn(run);
        hold.arrived().await;
        (hold, running)
    }
}

/// The summary of a run over accounts of which this many were different.
#[track_caller]
fn check_corrected(summary: &Value, listed: u64, corrected: u64) {
    check(summary, [listed, 0, corrected, 0, listed - corrected, 0]);
}

fn tokens(record: &Value) -> [&Value; 4] {
    ["authorizer_access_token", "access_token_expires_at", "authorizer_refresh_token", "refresh_at"]
        .map(|name| &record[name])
}

#[tokio::test]
async fn a_lost_push_of_other_permission_sets_is_corrected_and_published() {
    let scene = Scene::of_a_grant().await;
    let before = scene.stored().await;
    scene.wechat.update(&scene.appid, &[89, 1]);
    scene.advance(TURNS).await;
    check_corrected(&scene.reconciled().await, 1, 1);
    let after = scene.stored().await;
    assert_eq!(after["permission_set_ids"], json!([1, 89]));
    assert_eq!(after["func_info"], json!([{"id": 89}, {"id": 1}]));
    assert_eq!((&after["change"], &after["profile"]), (&json!("updated"), &before["profile"]));
    assert_eq!(tokens(&after), tokens(&before), "the tokens are none of its business");
    assert!(after["version"].as_i64() > before["version"].as_i64());
    assert!((after["profile_at"].as_i64()) >= before["profile_at"].as_i64().map(|at| at + TURNS));

    let questions = scene.questions();
    check_corrected(&scene.reconciled().await, 1, 0);
    assert_eq!(scene.questions(), questions, "its turn is over");
    assert_eq!(scene.stored().await, after);
}

#[tokio::test]
async fn no_permission_set_at_all_is_corrected_too() {
    let scene = Scene::of_a_grant().await;
    scene.wechat.update(&scene.appid, &[]);
    scene.advance(TURNS).await;
    check_corrected(&scene.reconciled().await, 1, 1);
    let record = scene.stored().await;
    assert!(record.get("permission_set_ids").is_none() && record["func_info"] == json!([]), "{record}");
    assert!(record.get("authorizer_refresh_token").is_some());
}

#[tokio::test]
async fn another_name_and_another_status_are_corrected() {
    let scene = Scene::of_a_grant().await;
    for (change, attribute, expected) in [
        ((|scene| scene.wechat.rename(&scene.appid, "新茶馆")) as fn(&Scene), "nick_name", json!("新茶馆")),
        (|scene| scene.wechat.set_account_status(&scene.appid, 16), "account_status", json!(16)),
    ] {
        change(&scene);
        scene.advance(TURNS).await;
        check_corrected(&scene.reconciled().await, 1, 1);
        let record = scene.stored().await;
        assert_eq!((&record["profile"][attribute], &record["change"]), (&expected, &json!("updated")));
        assert_eq!(record["permission_set_ids"], json!([1, 2, 24]));
    }
}

#[tokio::test]
async fn a_comparison_that_finds_no_difference_writes_when_it_was_and_publishes_nothing() {
    let scene = Scene::of_a_grant().await;
    let before = scene.stored().await;
    scene.advance(TURNS).await;
    check_corrected(&scene.reconciled().await, 1, 0);
    let mut after = scene.stored().await;
    assert!(after.get("change").is_none());
    assert!(after["profile_at"].as_i64() > before["profile_at"].as_i64());
    for attribute in ["profile_at", "updated_at", "version", "change"] {
        after[attribute] = before[attribute].clone();
    }
    assert_eq!(after, before);
}

#[tokio::test]
async fn another_address_of_the_same_qr_code_is_stored_without_a_change() {
    let scene = Scene::of_a_grant().await;
    let before = scene.stored().await;
    let mut info = before["profile"].clone();
    info["service_type_info"] = json!({"id": 2});
    info["verify_type_info"] = json!({"id": 0});
    info["qrcode_url"] = json!("http://mmbiz.qpic.cn/another/0");
    scene.wechat.on("api_get_authorizer_info").once(Fault::json(json!({"authorizer_info": info})));
    scene.advance(TURNS).await;
    check_corrected(&scene.reconciled().await, 1, 0);
    let after = scene.stored().await;
    assert_eq!(after["profile"]["qrcode_url"], "http://mmbiz.qpic.cn/another/0");
    assert!(after.get("change").is_none());
    // The answer did not speak of permission sets.
    assert_eq!(after["permission_set_ids"], before["permission_set_ids"]);
}

#[tokio::test]
async fn an_answer_without_information_changes_nothing() {
    let scene = Scene::of_a_grant().await;
    let before = scene.stored().await;
    scene.advance(TURNS).await;
    for answer in [json!({}), json!({"authorizer_info": {}, "authorization_info": {"func_info": ""}})] {
        scene.wechat.on("api_get_authorizer_info").once(Fault::json(answer));
        check(&scene.reconciled().await, [1, 0, 0, 0, 0, 1]);
        assert_eq!(scene.stored().await, before);
    }
    check_corrected(&scene.reconciled().await, 1, 0);
}

#[tokio::test]
async fn every_kind_of_account_is_stored_as_what_it_is() {
    let scene = Scene::new().await;
    for (kind, expected) in [
        (Kind::OfficialAccount, "official_account"),
        (Kind::MiniProgram, "mini_program"),
        (Kind::Channels, "channels"),
        (Kind::Store, "store"),
        (Kind::Talent, "talent"),
        (Kind::Supplier, "supplier"),
    ] {
        let appid = scene.wechat.add_account(Account::new(kind, expected));
        let code = scene.wechat.authorize(&appid, kind.permission_set_ids());
        let page = scene.visit(&scene.callback(), &redirect(&code)).await;
        assert_eq!(page.status, 200);
        // The name that WeChat sends of the one that the product has none of.
        assert_eq!(page.body.contains("新权限集 192"), kind == Kind::Supplier);
        let profile = &scene.dynamodb.authorizer(&appid).await.expect("a record")["profile"];
        assert_eq!((&profile["account_type"], &profile["account_status"]), (&json!(expected), &json!(1)));
        assert_eq!((&profile["register_type"], &profile["nick_name"]), (&json!(0), &json!(expected)));
        assert!(profile["qrcode_url"].is_string() && profile.get("alias").is_none());
        let categories =
            (kind == Kind::MiniProgram).then(|| json!([{"first": "商家自营", "second": "食品"}]));
        assert_eq!(profile.get("categories"), categories.as_ref());
    }
    // A record that took all of them for Official Accounts.
    for record in scene.dynamodb.authorizers().await {
        let update = json!({
            "TableName": scene.dynamodb.authorizers_table,
            "Key": {
                "authorizer_appid": {"S": record["authorizer_appid"]},
                "component_appid": {"S": scene.wechat.component_appid},
            },
            "UpdateExpression": "SET profile.account_type = :kind",
            "ExpressionAttributeValues": {":kind": {"S": "official_account"}},
        });
        scene.dynamodb.call("UpdateItem", update).await;
    }
    scene.advance(TURNS).await;
    check_corrected(&scene.reconciled().await, 6, 5);
}

#[tokio::test]
async fn a_profile_that_did_not_come_with_the_grant_comes_with_the_next_run() {
    let scene = Scene::new().await;
    scene.wechat.on("api_get_authorizer_info").times(3, Fault::errcode(-1));
    assert_eq!(scene.visit(&scene.callback(), &scene.consent()).await.status, 200);
    let record = scene.stored().await;
    assert!(record.get("profile").is_none() && record.get("profile_at").is_none());
    scene.wechat.clear_faults();
    check_corrected(&scene.reconciled().await, 1, 1);
    let record = scene.stored().await;
    assert_eq!(
        (&record["profile"]["nick_name"], &record["change"]),
        (&json!("茶馆 & Co"), &json!("updated"))
    );
}

#[tokio::test]
async fn a_dry_run_counts_what_it_would_correct_and_writes_nothing() {
    let scene = Scene::of_a_grant().await;
    scene.wechat.rename(&scene.appid, "新茶馆");
    scene.advance(TURNS).await;
    let before = scene.stored().await;
    let summary = scene.reconcile().run(json!({"dry_run": true})).await.expect("the run succeeds");
    check_corrected(&summary, 1, 1);
    assert_eq!(scene.stored().await, before);
    check_corrected(&scene.reconciled().await, 1, 1);
}

#[tokio::test]
async fn a_newer_grant_between_question_and_write_wins() {
    let scene = Scene::of_a_grant().await;
    scene.wechat.update(&scene.appid, &[1]);
    scene.advance(TURNS).await;
    let (hold, running) = scene.reconcile_until_answered().await;
    let code = scene.wechat.update(&scene.appid, &[1, 89, 24]);
    let push = scene.wechat.push_updateauthorized(&scene.appid, &code, None);
    let push = push.created_at(scene.clock.now().as_secs());
    assert_eq!(scene.events().request(push).await.status, 200);
    let newer = scene.stored().await;
    hold.release();
    check_corrected(&running.await.expect("it ends"), 1, 0);
    assert_eq!(scene.stored().await, newer);
    assert_eq!(newer["permission_set_ids"], json!([1, 24, 89]));
}

#[tokio::test]
async fn a_revocation_between_question_and_write_stands() {
    let scene = Scene::of_a_grant().await;
    scene.wechat.rename(&scene.appid, "新茶馆");
    scene.advance(TURNS).await;
    let (hold, running) = scene.reconcile_until_answered().await;
    scene.wechat.revoke(&scene.appid);
    let push = scene.wechat.push_unauthorized(&scene.appid).created_at(scene.clock.now().as_secs());
    assert_eq!(scene.events().request(push).await.status, 200);
    let revoked = scene.stored().await;
    hold.release();
    check_corrected(&running.await.expect("it ends"), 1, 0);
    assert_eq!(scene.stored().await, revoked);
    assert_eq!(revoked["status"], "unauthorized");
}

#[tokio::test]
async fn the_accounts_of_one_day_are_compared_on_the_days_of_a_week() {
    const ACCOUNTS: usize = 42;
    let scene = Scene::new().await;
    scene.known_elsewhere(ACCOUNTS).await;
    let restored = scene.reconciled().await;
    assert_eq!(restored["restored"], ACCOUNTS);
    let mut counts = Vec::new();
    for _ in 0..7 {
        let before = scene.questions();
        scene.advance(DAY).await;
        check_corrected(&scene.reconciled().await, ACCOUNTS as u64, 0);
        counts.push(scene.questions() - before);
    }
    assert_eq!(counts.iter().sum::<usize>(), ACCOUNTS, "each of them once: {counts:?}");
    assert!(counts.iter().all(|count| *count < ACCOUNTS), "{counts:?}");
}

#[tokio::test]
async fn comparing_leaves_two_thirds_of_the_days_quota_and_goes_on_the_next_day() {
    let scene = Scene::new().await;
    scene.known_elsewhere(12).await;
    assert_eq!(scene.reconciled().await["restored"], 12);
    scene.advance(TURNS).await;
    let quota =
        |remain: u64| Fault::json(json!({"errcode": 0, "quota": {"daily_limit": 60, "remain": remain}}));
    // Grants have used 15.
    for (remain, asked) in [(45, 5), (40, 0), (10, 0), (60, 7), (60, 0)] {
        let before = scene.questions();
        scene.wechat.on("openapi/quota/get").once(quota(remain));
        check_corrected(&scene.reconciled().await, 12, 0);
        assert_eq!(scene.questions() - before, asked, "{remain} were left");
    }
    assert_logged(&["some accounts are not compared today"]);
}

#[tokio::test]
async fn a_push_that_cannot_be_stored_has_its_account_compared_by_the_next_run() {
    let scene = Scene::of_a_grant().await;
    scene.wechat.update(&scene.appid, &[1]);
    let message = format!(
        "<xml><AppId>{}</AppId><CreateTime>{}</CreateTime><InfoType>updateauthorized</InfoType>\
         <AuthorizerAppid>{}</AuthorizerAppid><AuthorizationCode></AuthorizationCode></xml>",
        scene.wechat.component_appid,
        scene.clock.now().as_secs(),
        scene.appid,
    );
    let push = scene.wechat.push_message(&message);
    assert_eq!(scene.events().request(push).await.status, 400);
    assert!(scene.stored().await.get("change").is_none());
    check_corrected(&scene.reconciled().await, 1, 1);
    assert_eq!(scene.stored().await["permission_set_ids"], json!([1]));
}

#[tokio::test]
async fn a_push_whose_code_wechat_refuses_has_its_account_compared_by_the_next_run() {
    for errcode in [61010, 61009] {
        let scene = Scene::of_a_grant().await;
        scene.clock.advance(120);
        let code = scene.wechat.update(&scene.appid, &[1]);
        scene.wechat.on("api_query_auth").once(Fault::errcode(errcode));
        let push = scene.wechat.push_updateauthorized(&scene.appid, &code, None);
        let push = push.created_at(scene.clock.now().as_secs());
        assert_eq!(scene.events().request(push).await.status, 200);
        assert_eq!(scene.stored().await["permission_set_ids"], json!([1, 2, 24]));
        check_corrected(&scene.reconciled().await, 1, 1);
        assert_eq!(scene.stored().await["permission_set_ids"], json!([1]));
    }
}

#[tokio::test]
async fn one_refusal_about_a_listed_account_revokes_nothing() {
    let scene = Scene::of_a_grant().await;
    scene.advance(TURNS).await;
    scene.wechat.on("api_get_authorizer_info").once(Fault::errcode(61003));
    check_corrected(&scene.reconciled().await, 1, 0);
    let record = scene.stored().await;
    assert_eq!(record["status"], "authorized");
    assert!(scene.wechat.accepts(record["authorizer_access_token"].as_str().expect("a token")));
}

#[tokio::test]
async fn one_account_that_cannot_be_compared_stops_nothing_and_a_platform_wide_error_stops_the_run() {
    let scene = Scene::new().await;
    let appids = scene.known_elsewhere(40).await;
    assert_eq!(scene.reconciled().await["restored"], 40);
    appids.iter().for_each(|appid| scene.wechat.rename(appid, "renamed"));
    scene.advance(TURNS).await;
    let errmsg = format!("no quota, said the comparison of {}", scene.appid);
    scene.wechat.on("api_get_authorizer_info").always(Fault::errmsg(45009, &errmsg));
    let before = scene.questions();
    let summary = scene.reconciled().await;
    assert_eq!((&summary["corrected"], &summary["complete"]), (&json!(0), &json!(false)));
    assert_eq!(log().lines().filter(|line| line.contains(&errmsg)).count(), 1);
    assert!(scene.questions() - before <= 32, "those under way");

    scene.wechat.clear_faults();
    scene.wechat.on("api_get_authorizer_info").containing(&appids[7]).always(Fault::errcode(48001));
    check(&scene.reconciled().await, [40, 0, 39, 0, 0, 1]);
    scene.wechat.clear_faults();
    check_corrected(&scene.reconciled().await, 40, 1);
}

#[tokio::test]
async fn an_account_without_tokens_is_compared_too() {
    let scene = Scene::new().await;
    let code = scene.wechat.authorize(&scene.appid, &[]);
    assert_eq!(scene.visit(&scene.callback(), &redirect(&code)).await.status, 200);
    scene.wechat.rename(&scene.appid, "新茶馆");
    // WeChat gives no refresh token of it.
    let info = json!({"authorizer_info": {"nick_name": "新茶馆", "service_type_info": {"id": 2}}});
    scene.wechat.on("api_get_authorizer_info").once(Fault::json(info));
    let listed = json!({"authorizer_appid": scene.appid, "auth_time": scene.clock.now().as_secs()});
    let list = Fault::json(json!({"total_count": 1, "list": [listed]}));
    let update = json!({
        "TableName": scene.dynamodb.authorizers_table,
        "Key": {"authorizer_appid": {"S": scene.appid}, "component_appid": {"S": scene.wechat.component_appid}},
        "UpdateExpression": "REMOVE authorizer_refresh_token, authorizer_access_token, refresh_at",
    });
    scene.dynamodb.call("UpdateItem", update).await;
    scene.wechat.on("api_get_authorizer_list").once(list);
    check(&scene.reconciled().await, [1, 0, 0, 0, 0, 1]);
    assert_eq!(scene.stored().await["profile"]["nick_name"], "新茶馆");
}

#[tokio::test]
async fn a_doubt_between_a_grant_and_its_profile_is_not_lost() {
    let scene = Scene::new().await;
    let hold = scene.wechat.on("api_get_authorizer_info").hold_before();
    let (callback, back) = (scene.callback(), scene.consent());
    let visit = tokio::spawn(async move { callback.get(&back).await.status });
    hold.arrived().await;
    scene.wechat.update(&scene.appid, &[1]);
    let lost = format!(
        "<xml><AppId>{}</AppId><CreateTime>1</CreateTime><InfoType>updateauthorized</InfoType>\
         <AuthorizerAppid>{}</AuthorizerAppid></xml>",
        scene.wechat.component_appid, scene.appid
    );
    let push = scene.wechat.push_message(&lost);
    assert_eq!(scene.events().request(push).await.status, 400);
    hold.release();
    visit.await.expect("no panic");
    scene.clock.advance(120);
    check_corrected(&scene.reconciled().await, 1, 1);
    assert_eq!(scene.stored().await["permission_set_ids"], json!([1]));
}

#[tokio::test]
async fn an_answer_that_leaves_out_the_names_does_not_take_them_away() {
    let scene = Scene::of_a_grant().await;
    let before = scene.stored().await["profile"].clone();
    scene.advance(TURNS).await;
    let answer = json!({"authorizer_info": {"service_type_info": {"id": 2}, "account_status": 16}});
    scene.wechat.on("api_get_authorizer_info").once(Fault::json(answer));
    scene.reconciled().await;
    let after = scene.stored().await["profile"].clone();
    for name in ["nick_name", "user_name", "principal_name"] {
        assert_eq!(after[name], before[name]);
    }
    assert_eq!(after["account_status"], 16);
}

#[tokio::test]
async fn all_accounts_are_compared_at_once_where_that_is_asked_for() {
    let scene = Scene::of_a_grant().await;
    scene.wechat.update(&scene.appid, &[1]);
    scene.clock.advance(120);
    check_corrected(&scene.reconciled().await, 1, 0);
    let answer = scene.reconcile().run(json!({"all": true})).await.expect("a run");
    assert_eq!(answer["corrected"], 1);
    let refused = scene.reconcile().run(json!({"all": "true"})).await.expect_err("no switch");
    assert_eq!(refused.error_type, "InvalidRequest");
}
