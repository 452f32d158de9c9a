//! Records in all their states, and the changes that they are published as.

use std::collections::BTreeSet;

use sandbox::wechat::{Account, Kind};
use sandbox::{Browser, Fault, dynamodb};
use serde_json::{Value, json};

use super::{check, check_refused, document, validate};
use crate::refresh::run;
use crate::scene::{Scene, of_launch, redirect};

/// What no reader sees.
const PRIVATE: [&str; 7] = [
    "authorizer_refresh_token",
    "change",
    "doubted",
    "lease_owner",
    "lease_until",
    "next_grant",
    "refresh_shard",
];

/// A record as a service sees it.
fn shown(record: &Value) -> Value {
    let mut record = record.clone();
    record.as_object_mut().expect("an item").retain(|name, _| !PRIVATE.contains(&name.as_str()));
    record
}

impl Scene {
    /// Checks every record as each write left it, and the event of each change. Returns the record as it is now, and the
    /// names of the changes.
    async fn check_records(&self) -> (Value, Vec<String>) {
        let stream = self.dynamodb.stream(&self.dynamodb.authorizers_table).await;
        let versions: Vec<Value> =
            stream.iter().map(|record| dynamodb::plain(&record["dynamodb"]["NewImage"])).collect();
        for version in &versions {
            check("record", &shown(version));
        }
        let mut changes = self.events_on_bus().await;
        changes.retain(|event| validate("change", event).is_ok());
        let changed: Vec<&Value> =
            versions.iter().filter(|version| version.get("change").is_some()).collect();
        assert_eq!(changes.len(), changed.len(), "the pipe lets each change pass");
        for (event, record) in changes.iter().zip(changed) {
            check("change/detail", &event["detail"]);
            assert_eq!(event["detail-type"], record["change"]);
            assert_eq!(event["detail"]["version"], record["version"].to_string());
            assert_eq!(event["detail"]["authorizer_appid"], record["authorizer_appid"]);
        }
        let names = changes.iter().map(|event| event["detail-type"].as_str().expect("text").to_owned());
        (shown(&self.record().await.unwrap_or_default()), names.collect())
    }

    async fn come_back(&self, redirect: &str) {
        assert_eq!(self.visit(&self.callback(), redirect).await.status, 200);
    }

    async fn pushes_unauthorized(&self) {
        let push = self.wechat.push_unauthorized(&self.appid).created_at(self.clock.now().as_secs());
        assert_eq!(self.events().request(push).await.status, 200);
    }
}

#[track_caller]
fn check_names(record: &Value, there: &[&str], absent: &[&str]) {
    for name in there {
        assert!(record.get(*name).is_some(), "{name} is not in {record:#}");
    }
    for name in absent {
        assert!(record.get(*name).is_none(), "{name} is in {record:#}");
    }
}

#[tokio::test]
async fn a_record_from_the_launch_to_the_revocation() {
    let scene = Scene::new().await;
    let launch = scene.launch().await;
    let browser = Browser::new();
    let path = format!("/authorize?launch={}", launch["launch_id"].as_str().expect("an id"));
    assert_eq!(browser.visit(&scene.authorize(), &path).await.status, 200);
    let back = of_launch(&scene.consent(), &launch);
    assert_eq!(browser.visit(&scene.callback(), &back).await.status, 200);
    let (record, _) = scene.check_records().await;
    let tokens = ["authorizer_access_token", "access_token_expires_at", "refresh_at", "permission_set_ids"];
    check_names(&record, &tokens, &["unverified_state", "unauthorized_at", "refresh_failure"]);
    check_names(&record, &["state", "bound", "profile", "func_info", "authorized_at", "refreshed_at"], &[]);

    scene.clock.advance(7200 - 600);
    scene.put_ticket().await;
    scene.wechat.on("api_authorizer_token").always(Fault::errcode(-1));
    run(&scene.refresh()).await;
    let (record, _) = scene.check_records().await;
    check_names(&record["refresh_failure"], &["errcode", "errmsg", "rid", "at", "attempts"], &[]);
    scene.wechat.clear_faults();
    scene.clock.advance(600);
    run(&scene.refresh()).await;
    let code = scene.wechat.update(&scene.appid, &[1, 89]);
    scene.clock.advance(120);
    scene.come_back(&redirect(&code)).await;
    scene.clock.advance(120);
    scene.pushes_unauthorized().await;
    let (record, changes) = scene.check_records().await;
    check_names(&record, &["unauthorized_at", "state", "profile", "func_info"], &tokens[..3]);
    assert_eq!(changes, ["authorized", "updated", "refresh_failed", "recovered", "updated", "unauthorized"]);
}

#[tokio::test]
async fn a_record_of_a_visitors_launch_and_without_a_profile() {
    let scene = Scene::new().await;
    scene.wechat.on("api_get_authorizer_info").always(Fault::errcode(-1));
    let page = scene.visit(&scene.authorize(), "/authorize?state=hint").await;
    let (_, rest) = page.body.split_once("callback%3Flaunch%3D").expect("a redirect_uri with a launch");
    scene.come_back(&format!("{}&launch={}", scene.consent(), &rest[..32])).await;
    let (record, _) = scene.check_records().await;
    check_names(&record, &["unverified_state", "authorizer_access_token"], &["state", "bound", "profile"]);
}

#[tokio::test]
async fn a_record_without_tokens() {
    let scene = Scene::new().await;
    let redirect = scene.consent();
    scene.wechat.on("api_query_auth").once(Fault::json(json!({"authorizer_appid": scene.appid})));
    scene.wechat.on("api_get_authorizer_info").once(Fault::errcode(-1));
    scene.come_back(&redirect).await;
    let (record, _) = scene.check_records().await;
    let tokens = ["authorizer_access_token", "access_token_expires_at", "refreshed_at", "refresh_at"];
    check_names(&record, &["authorized_at"], &tokens);
    check_names(&record, &[], &["permission_set_ids", "profile"]);
}

#[tokio::test]
async fn a_record_of_an_account_that_was_never_seen() {
    let scene = Scene::new().await;
    scene.pushes_unauthorized().await;
    let (record, changes) = scene.check_records().await;
    check_names(&record, &["unauthorized_at"], &["authorized_at", "func_info", "profile"]);
    assert_eq!(changes, ["unauthorized"]);
}

#[tokio::test]
async fn a_record_whose_code_died_and_that_is_restored() {
    let scene = Scene::new().await;
    let code = scene.wechat.authorize(&scene.appid, &[1]);
    scene.wechat.on("api_query_auth").always(Fault::errcode(45009));
    let push = scene.wechat.push_authorized(&scene.appid, &code, None);
    assert_eq!(scene.events().request(push).await.status, 200);
    scene.clock.advance(3601);
    scene.put_ticket().await;
    scene.wechat.clear_faults();
    run(&scene.refresh()).await;
    let (record, changes) = scene.check_records().await;
    check_names(&record, &["authorized_at"], &["func_info", "authorizer_access_token"]);
    assert_eq!(changes, ["unexchanged"]);
    scene.clock.advance(120);
    scene.come_back(&redirect(&scene.wechat.authorize(&scene.appid, &[1]))).await;
    scene.lose_record(&scene.appid).await;
    scene.clock.advance(120);
    scene.reconcile().run(json!({})).await.expect("the run succeeds");
    check("record", &shown(&scene.stored().await));
}

#[tokio::test]
async fn a_record_of_another_kind_of_account_and_with_what_wechat_adds() {
    let mut scene = Scene::new().await;
    scene.appid = scene.wechat.add_account(Account::mini_program("小店"));
    scene.come_back(&redirect(&scene.wechat.authorize(&scene.appid, &[17, 18, 25]))).await;
    let (record, _) = scene.check_records().await;
    assert_eq!(record["profile"]["account_type"], "mini_program");
    // Permission sets are WeChat's: a field that it adds is no fault, one in the profile is.
    let mut added = record.clone();
    added["func_info"][0]["new"] = json!(1);
    assert_eq!(validate("record", &added), Ok(()));
    let mut added = record;
    added["profile"]["new"] = json!(1);
    check_refused("record", &added);
}

#[tokio::test]
async fn an_item_that_contradicts_itself_is_not_read_as_a_record() {
    let scene = Scene::new().await;
    scene.come_back(&scene.consent()).await;
    let record = shown(&scene.stored().await);
    for required in
        ["authorizer_appid", "component_appid", "status", "version", "updated_at", "authorized_at"]
    {
        let mut less = record.clone();
        less.as_object_mut().expect("an item").remove(required);
        check_refused("record", &less);
    }
    let change = |name: &str, value: Value| {
        let mut other = record.clone();
        other[name] = value;
        check_refused("record", &other);
    };
    change("status", json!("unauthorized"));
    change("unauthorized_at", json!(1));
    change("bound", json!("cookie"));
    change("state", json!("a b"));
    change("authorizer_refresh_token", json!("x"));
    change("permission_set_ids", json!([]));
}

#[test]
fn the_changes_are_those_of_the_pipe() {
    let schema = document("change");
    let documented = schema["properties"]["detail-type"]["enum"].as_array().expect("a list");
    let documented: BTreeSet<&str> = documented.iter().filter_map(Value::as_str).collect();
    let template = include_str!("../../../template.yaml");
    let filter = template.split(r#""change":{"S":"#).nth(1).and_then(|rest| rest.split('}').next());
    let filter: Vec<&str> = serde_json::from_str(filter.expect("the filter")).expect("a list");
    assert_eq!(documented, filter.into_iter().collect());
}

#[tokio::test]
async fn a_record_of_each_kind_of_account_and_its_correction() {
    let mut scene = Scene::new().await;
    for kind in Kind::ALL {
        scene.appid = scene.wechat.add_account(Account::new(kind, "before"));
        scene.come_back(&redirect(&scene.wechat.authorize(&scene.appid, &[17, 192]))).await;
        let (record, _) = scene.check_records().await;
        check_names(&record, &["profile", "profile_at"], &[]);
        scene.wechat.rename(&scene.appid, "after");
        scene.wechat.set_account_status(&scene.appid, 16);
    }
    scene.clock.advance(8 * 24 * 3600);
    scene.put_ticket().await;
    let answer = scene.reconcile().run(json!({})).await.expect("a run");
    assert_eq!(answer["corrected"], Kind::ALL.len());
    let (record, changes) = scene.check_records().await;
    assert_eq!(
        (&record["profile"]["nick_name"], &record["profile"]["account_status"]),
        (&json!("after"), &json!(16))
    );
    assert_eq!(changes.last().map(String::as_str), Some("updated"));
}
