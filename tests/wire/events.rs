//! WeChat's pushes.

use std::time::{Duration, Instant};

use sandbox::wechat::{Account, Push};
use sandbox::{Answer, Browser, Fault, HttpRequest};
use serde_json::{Value, json};

use crate::scene::{Scene, assert_logged, of_launch, redirect};

impl Scene {
    /// Hands a push to a cold instance.
    pub(crate) async fn push(&self, push: &Push) -> Answer {
        self.request(&self.events(), push.request()).await
    }
}

#[track_caller]
pub(crate) fn check_success(answer: &Answer) {
    assert_eq!((answer.status, answer.body.as_str()), (200, "success"));
    assert_eq!(
        (answer.header("cache-control"), answer.header("x-content-type-options")),
        ("no-store", "nosniff")
    );
}

#[track_caller]
fn check_refused(answer: &Answer, status: u16) {
    assert_eq!((answer.status, answer.body.as_str()), (status, ""), "nothing about the reason in the body");
}

#[tokio::test]
async fn a_ticket_is_stored_and_makes_the_platform_ready() {
    let scene = Scene::without_ticket().await;
    check_success(&scene.push(&scene.wechat.push_ticket()).await);
    let tickets = scene.dynamodb.platform_items("ticket#").await;
    assert!(
        tickets[0]["component_verify_ticket"].as_str().is_some_and(|ticket| ticket.starts_with("ticket@@@"))
    );
    assert_eq!(scene.visit(&scene.callback(), &scene.consent()).await.status, 200);
    assert!(scene.wechat.on("api_component_token").count() == 1, "no token is minted by a ticket");
}

#[tokio::test]
async fn an_older_ticket_never_replaces_a_newer_one() {
    let scene = Scene::without_ticket().await;
    let (older, newer) = (scene.wechat.push_ticket(), scene.wechat.push_ticket());
    let now = scene.clock.now().as_secs();
    check_success(&scene.push(&newer.created_at(now)).await);
    let stored = scene.dynamodb.platform_items("ticket#").await;
    check_success(&scene.push(&older.created_at(now - 600)).await);
    assert_eq!(scene.dynamodb.platform_items("ticket#").await, stored);
}

#[tokio::test]
async fn a_push_that_cannot_be_stored_is_never_answered_success() {
    let scene = Scene::without_ticket().await;
    for operation in ["UpdateItem", "GetItem"] {
        scene.dynamodb.on(operation).always(Fault::internal());
    }
    let code = scene.wechat.authorize(&scene.appid, &[1]);
    let pushes = [
        scene.wechat.push_ticket(),
        scene.wechat.push_authorized(&scene.appid, &code, None),
        scene.wechat.push_authorized(&scene.appid, &code, Some("preauthcode@@@x")),
        scene.wechat.push_unauthorized(&scene.appid),
    ];
    for push in pushes {
        check_refused(&scene.push(&push).await, 500);
    }
}

#[tokio::test]
async fn a_grant_that_comes_by_push_alone_is_stored() {
    let scene = Scene::new().await;
    let code = scene.wechat.authorize(&scene.appid, &[1, 2]);
    check_success(&scene.push(&scene.wechat.push_authorized(&scene.appid, &code, None)).await);
    let record = scene.stored().await;
    assert_eq!(record["status"], "authorized");
    assert_eq!(record["permission_set_ids"], json!([1, 2]));
    assert_eq!(record["profile"]["nick_name"], "茶馆 & Co");
    assert!(record.get("state").is_none());
}

#[tokio::test]
async fn a_push_brings_the_state_of_its_launch_although_the_browser_never_came_back() {
    let scene = Scene::new().await;
    let launch = scene.launch().await;
    let code = scene.wechat.authorize(&scene.appid, &[1]);
    let push = scene.wechat.push_authorized(&scene.appid, &code, launch["pre_auth_code"].as_str());
    check_success(&scene.push(&push).await);
    let record = scene.stored().await;
    assert_eq!((&record["state"], &record["bound"]), (&json!("tenant-7"), &json!("launch")));
    let outcome = scene.outcome(&launch).await;
    assert_eq!(outcome["status"], "authorized");
    assert_eq!(outcome["authorizer_appid"], scene.appid.as_str());
}

#[tokio::test]
async fn changed_permission_sets_replace_the_grant() {
    let scene = Scene::new().await;
    assert_eq!(scene.visit(&scene.callback(), &scene.consent()).await.status, 200);
    scene.clock.advance(3600);
    let code = scene.wechat.update(&scene.appid, &[1, 89]);
    check_success(&scene.push(&scene.wechat.push_updateauthorized(&scene.appid, &code, None)).await);
    assert_eq!(scene.stored().await["permission_set_ids"], json!([1, 89]));
}

#[tokio::test]
async fn the_claim_is_durable_before_the_exchange_and_the_answer_comes_within_five_seconds() {
    let scene = Scene::new().await;
    scene.wechat.on("api_query_auth").always(Fault::DelayBefore(Duration::from_secs(30)));
    let code = scene.wechat.authorize(&scene.appid, &[1]);
    let began = Instant::now();
    check_success(&scene.push(&scene.wechat.push_authorized(&scene.appid, &code, None)).await);
    assert!(began.elapsed() < Duration::from_secs(5));
    let claim = scene.claim().await;
    assert_eq!(claim["status"], "claimed");
    assert_eq!(claim["authorizer_appid"], scene.appid.as_str());
    assert!(claim.get("pending").is_some() && claim.get("lease_owner").is_none());
}

/// Redirect and push of one grant, in one order or the other.
async fn check_both_doors(same_code: bool, push_first: bool) {
    let scene = Scene::new().await;
    let first = scene.wechat.authorize(&scene.appid, &[1]);
    let second = if same_code { first.clone() } else { scene.wechat.mint_code(&scene.appid) };
    let push = scene.wechat.push_authorized(&scene.appid, &second, None);
    if push_first {
        check_success(&scene.push(&push).await);
    }
    assert_eq!(scene.visit(&scene.callback(), &redirect(&first)).await.status, 200);
    if !push_first {
        check_success(&scene.push(&push).await);
    }
    let record = scene.stored().await;
    assert_eq!(record["status"], "authorized");
    assert_eq!(scene.exchanges(), if same_code { 1 } else { 2 });
    let token = record["authorizer_access_token"].as_str().expect("a token");
    assert!(scene.wechat.accepts(token), "same: {same_code}, push first: {push_first}");
    let due_at_once = record["refresh_at"].as_i64() <= record["refreshed_at"].as_i64();
    assert_eq!(due_at_once, !same_code, "what may be superseded heals at once");
}

#[tokio::test]
async fn redirect_and_push_end_in_one_record_whatever_their_codes_and_order() {
    for same_code in [true, false] {
        for push_first in [true, false] {
            check_both_doors(same_code, push_first).await;
        }
    }
}

#[tokio::test]
async fn redirect_and_push_at_once_end_in_one_record() {
    for same_code in [true, false] {
        let scene = Scene::new().await;
        let first = scene.wechat.authorize(&scene.appid, &[1]);
        let second = if same_code { first.clone() } else { scene.wechat.mint_code(&scene.appid) };
        let push = scene.wechat.push_authorized(&scene.appid, &second, None);
        scene.wechat.on("api_query_auth").always(Fault::DelayAfter(Duration::from_millis(100)));
        let (callback, path) = (scene.callback(), redirect(&first));
        let visit = tokio::spawn(async move { Browser::new().visit(&callback, &path).await });
        check_success(&scene.push(&push).await);
        assert_eq!(visit.await.expect("no panic").status, 200);
        assert_eq!(scene.stored().await["status"], "authorized");
        assert_eq!(scene.exchanges(), if same_code { 1 } else { 2 });
    }
}

#[tokio::test]
async fn a_duplicate_of_a_push_changes_nothing() {
    let scene = Scene::new().await;
    let code = scene.wechat.authorize(&scene.appid, &[1]);
    let push = scene.wechat.push_authorized(&scene.appid, &code, None);
    check_success(&scene.push(&push).await);
    let record = scene.stored().await;
    check_success(&scene.push(&push).await);
    assert_eq!(scene.stored().await, record);
    assert_eq!(scene.exchanges(), 1);
}

#[tokio::test]
async fn every_other_push_is_published_once() {
    let scene = Scene::new().await;
    let message = |info_type: &str, more: &str| {
        format!(
            "<xml><AppId>{}</AppId><CreateTime>1</CreateTime><InfoType>{info_type}</InfoType>{more}</xml>",
            scene.wechat.component_appid
        )
    };
    for (info_type, more, appid, fields) in [
        (
            "notify_icpfiling_verify_result",
            "<task_id>1</task_id><verify_appid><![CDATA[wx2]]></verify_appid>",
            "wx2",
            json!({"task_id": "1", "verify_appid": "wx2"}),
        ),
        ("never_heard_of", "", "", json!({})),
        (
            "notify_third_fasteregister",
            "<appid>wx1</appid><status>89251</status><info><name><![CDATA[ 茶 ]]></name></info>",
            "wx1",
            json!({"appid": "wx1", "status": "89251", "info": {"name": " 茶 "}}),
        ),
        (
            "order_path_apply_result_notify",
            "<list><appid>wx3</appid></list><list><appid>wx4</appid></list>",
            "",
            json!({"list": [{"appid": "wx3"}, {"appid": "wx4"}]}),
        ),
    ] {
        let push = scene.wechat.push_message(&message(info_type, more));
        for _ in 0..2 {
            check_success(&scene.push(&push).await);
        }
        let pushes = scene.dynamodb.pushes().await;
        let detail_type = format!("push.{info_type}");
        let published: Vec<_> = pushes.iter().filter(|push| push["detail_type"] == *detail_type).collect();
        let [published] = published[..] else { panic!("{published:?} for {info_type}") };
        assert_eq!(published["authorizer_appid"], appid);
        let mut found: Value =
            serde_json::from_str(published["fields"].as_str().expect("text")).expect("JSON");
        for envelope in ["AppId", "CreateTime", "InfoType"] {
            assert!(found[envelope].take().is_string());
        }
        let mut expected = fields;
        for envelope in ["AppId", "CreateTime", "InfoType"] {
            expected[envelope] = Value::Null;
        }
        assert_eq!(found, expected);
    }
    // What cannot be stored is not acknowledged.
    for (info_type, more) in [
        ("component_verify_ticket", ""),
        ("authorized", "<AuthorizerAppid>wx1</AuthorizerAppid>"),
        ("authorized", "<AuthorizerAppid>no appid</AuthorizerAppid><AuthorizationCode>x</AuthorizationCode>"),
        ("unauthorized", ""),
    ] {
        let push = scene.wechat.push_message(&message(info_type, more));
        check_refused(&scene.push(&push).await, 400);
    }
    assert!(scene.dynamodb.authorizers().await.is_empty());
    assert!(scene.dynamodb.platform_items("code#").await.is_empty());
    // A time that is missing counts as the moment of arrival.
    let without_time = format!(
        "<xml><AppId>{}</AppId><InfoType>unauthorized</InfoType><AuthorizerAppid>wx1</AuthorizerAppid></xml>",
        scene.wechat.component_appid
    );
    check_success(&scene.push(&scene.wechat.push_message(&without_time)).await);
    assert_eq!(scene.dynamodb.authorizer("wx1").await.expect("a tombstone")["status"], "unauthorized");
}

#[tokio::test]
async fn a_fast_registration_brings_a_grant() {
    let scene = Scene::new().await;
    let appid = scene.wechat.add_account(Account::mini_program("new"));
    let code = scene.wechat.authorize(&appid, &[17]);
    let push = scene.wechat.push_message(&format!(
        "<xml><AppId><![CDATA[{}]]></AppId><CreateTime>{}</CreateTime>\
         <InfoType><![CDATA[notify_third_fasteregister]]></InfoType><appid>{appid}</appid><status>0</status>\
         <auth_code><![CDATA[{code}]]></auth_code><msg>OK</msg><info><name>a</name><code>1</code></info></xml>",
        scene.wechat.component_appid,
        scene.clock.now().as_secs()
    ));
    check_success(&scene.push(&push).await);
    assert_eq!(scene.dynamodb.authorizer(&appid).await.expect("a record")["status"], "authorized");
    let published = scene.dynamodb.pushes().await.remove(0);
    assert_eq!(published["detail_type"], "push.notify_third_fasteregister");
    let fields = published["fields"].as_str().expect("text");
    assert!(
        fields.contains("\"info\":{\"code\":\"1\",\"name\":\"a\"}") && !fields.contains("auth_code"),
        "{fields}"
    );
}

#[tokio::test]
async fn a_fast_registration_without_a_code_is_published_and_logged() {
    let scene = Scene::new().await;
    let push = scene.wechat.push_message(&format!(
        "<xml><AppId>{}</AppId><CreateTime>1</CreateTime><InfoType>notify_third_fasteregister</InfoType>\
         <appid>{}</appid><status>0</status><info><wxuser>a</wxuser></info></xml>",
        scene.wechat.component_appid, scene.appid
    ));
    check_success(&scene.push(&push).await);
    assert_eq!(scene.dynamodb.pushes().await[0]["detail_type"], "push.notify_third_fasteregister");
    assert_logged(&["WARN", "came without a usable code"]);
    assert!(scene.dynamodb.platform_items("code#").await.is_empty());
}

#[tokio::test]
async fn a_forged_push_is_refused_and_leaves_no_trace() {
    let scene = Scene::new().await;
    let items = scene.dynamodb.platform().await;
    let push = || scene.wechat.push_unauthorized(&scene.appid);
    check_refused(&scene.push(&push().with_token("another-token")).await, 403);
    check_refused(&scene.push(&push().with_key("0123456789012345678901234567890123456789012")).await, 400);
    check_refused(&scene.push(&push().with_appid("wx0000000000000000")).await, 400);
    let genuine = push().request();
    let path = |query: &str| format!("/events?{query}");
    let unsigned = HttpRequest { query: String::new(), ..genuine.clone() };
    check_refused(&scene.request(&scene.events(), unsigned).await, 403);
    for body in ["", "not xml", "<xml><AppId>wx</AppId></xml>", "<!DOCTYPE a><xml><Encrypt>a</Encrypt></xml>"]
    {
        let request = HttpRequest::post(&path(&genuine.query), body);
        check_refused(&scene.request(&scene.events(), request).await, 400);
    }
    let request = HttpRequest::post(&path(&genuine.query), vec![b'x'; 256 * 1024 + 1]);
    check_refused(&scene.request(&scene.events(), request).await, 413);
    check_refused(&scene.request(&scene.events(), HttpRequest::get("/events")).await, 405);
    assert_eq!(scene.dynamodb.platform().await, items);
    assert!(scene.record().await.is_none());
}

#[tokio::test]
async fn a_push_with_the_previous_key_or_token_is_read() {
    for with_previous in [Push::with_previous_key, Push::with_previous_token] {
        let scene = Scene::new().await;
        check_success(&scene.push(&with_previous(scene.wechat.push_unauthorized(&scene.appid))).await);
        assert_eq!(scene.stored().await["status"], "unauthorized");
    }
}

#[tokio::test]
async fn the_accounts_of_the_release_check_authorize_and_revoke_by_push_alone() {
    let scene = Scene::new().await;
    let account =
        Account { appid: "wx570bc396a51b8ff8".to_owned(), ..Account::official_account("release check") };
    let appid = scene.wechat.add_account(account);
    let code = scene.wechat.authorize(&appid, &[1]);
    let sandbox = scene.with("REQUIRE_LAUNCH", "true");
    let authorized = scene.wechat.push_authorized(&appid, &code, None).request();
    check_success(&scene.request(&sandbox.events(), authorized).await);
    assert_eq!(scene.dynamodb.authorizer(&appid).await.expect("a record")["status"], "authorized");
    scene.clock.advance(5);
    scene.wechat.revoke(&appid);
    check_success(
        &scene.push(&scene.wechat.push_unauthorized(&appid).created_at(scene.clock.now().as_secs())).await,
    );
    assert_eq!(scene.dynamodb.authorizer(&appid).await.expect("a record")["status"], "unauthorized");
}

#[tokio::test]
async fn a_redirect_whose_code_the_push_has_spent_shows_what_the_push_stored() {
    let scene = Scene::new().await;
    let launch = scene.launch().await;
    let (pushed, redirected) =
        (scene.wechat.authorize(&scene.appid, &[1]), scene.wechat.mint_code(&scene.appid));
    let push = scene.wechat.push_authorized(&scene.appid, &pushed, launch["pre_auth_code"].as_str());
    check_success(&scene.push(&push).await);
    scene.wechat.on("api_query_auth").always(Fault::errcode(61010));
    let launched = of_launch(&redirect(&redirected), &launch);
    for _ in 0..2 {
        let answer = scene.visit(&scene.callback(), &launched).await;
        assert_eq!(answer.status, 200, "the launch has its outcome, whatever became of the second code");
        assert!(!answer.body.contains("茶馆"));
    }
    let without = redirect(&scene.wechat.mint_code(&scene.appid));
    assert_eq!(scene.visit(&scene.callback(), &without).await.status, 410);
}
