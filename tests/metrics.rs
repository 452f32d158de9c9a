//! What the functions measure. In a separate process and one test at a time, because the metrics of a process
//! are gathered in one place.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use sandbox::gateway::redirect;
use sandbox::wechat::Account;
use sandbox::{Browser, Fault, HttpRequest, Sandbox};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};
use wechat_authorizer::metric::{Metrics, NAMESPACE};

const COMPONENT_APPID: &str = "wx7c0de5a4db0c0001";

static METRICS: LazyLock<Metrics> = LazyLock::new(|| Metrics::of(COMPONENT_APPID));

static TURN: Mutex<()> = Mutex::const_new(());

/// Waits until no other test measures. What was measured before is gone.
async fn turn() -> MutexGuard<'static, ()> {
    let turn = TURN.lock().await;
    written();
    turn
}

/// What the functions would have written to the log by now.
fn written() -> String {
    let mut lines = Vec::new();
    METRICS.write(&mut lines).expect("memory takes it");
    String::from_utf8(lines).expect("JSON is UTF-8")
}

/// The values by name, and by the dimension's value where there is one: `Grants callback`.
fn values(lines: &str) -> BTreeMap<String, Value> {
    let mut values = BTreeMap::new();
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).expect("a line of JSON");
        for directive in line["_aws"]["CloudWatchMetrics"].as_array().expect("a list") {
            assert_eq!(directive["Namespace"], NAMESPACE);
            let dimensions = directive["Dimensions"][0].as_array().expect("a list");
            let dimensions: Vec<&str> = dimensions.iter().filter_map(Value::as_str).collect();
            assert_eq!(dimensions[0], "ComponentAppid");
            assert_eq!(line["ComponentAppid"], COMPONENT_APPID);
            assert!(dimensions.len() <= 2, "{dimensions:?}");
            for metric in directive["Metrics"].as_array().expect("a list") {
                let name = metric["Name"].as_str().expect("a name");
                let key = match dimensions.get(1) {
                    Some(dimension) => format!("{name} {}", line[dimension].as_str().expect("its value")),
                    None => name.to_owned(),
                };
                values.insert(key, line[name].clone());
            }
        }
    }
    values
}

async fn scene() -> (Sandbox, String) {
    let sandbox = Sandbox::start().await.with("PUBLIC_BASE_URL", "https://platform.example.com");
    let appid = sandbox.wechat.add_account(Account::official_account("shop"));
    (sandbox, appid)
}

/// The redirect of a merchant who comes from a service's launch.
async fn launched(sandbox: &Sandbox, appid: &str) -> String {
    let launch = sandbox.launch().run(json!({"state": "s"})).await.expect("a launch begins");
    let id = launch["launch_id"].as_str().expect("an id");
    format!("{}&launch={id}", redirect(&sandbox.wechat.authorize(appid, &[1])))
}

#[tokio::test]
async fn a_visit_is_measured_without_anything_secret() {
    let _turn = turn().await;
    let (sandbox, appid) = scene().await;
    let visit = redirect(&sandbox.wechat.authorize(&appid, &[1]));
    let (browser, callback) = (Browser::new(), sandbox.callback());
    assert_eq!(browser.visit(&callback, &visit).await.status, 200);
    assert_eq!(browser.visit(&callback, &visit).await.status, 200);
    let lines = written();
    let values = values(&lines);
    assert_eq!(values["Grants callback"], 1, "the reload brought no other");
    assert_eq!(lines.lines().count(), 1, "what has one value of each dimension is one line");
    assert_eq!(values["Outcomes stored"], 1);
    assert_eq!(values["Redirects bare"], 2);
    assert_eq!(values["WechatCalls given"], sandbox.wechat.requests().len());
    assert_eq!(values["PageLatency callback"].as_array().map(Vec::len), Some(2));
    assert_eq!(values["ExchangeLatency"].as_array().map(Vec::len), Some(1));
    assert!(lines.contains(r#""Unit":"Milliseconds""#));
    for secret in sandbox.wechat.secrets() {
        assert!(!lines.contains(&secret), "a metric shows a secret");
    }
}

#[tokio::test]
async fn a_redirect_is_counted_by_its_evidence() {
    let _turn = turn().await;
    let (sandbox, appid) = scene().await;
    let bare = redirect(&sandbox.wechat.authorize(&appid, &[1]));
    assert_eq!(sandbox.callback_with(&[("REQUIRE_LAUNCH", "true")]).get(&bare).await.status, 403);
    assert_eq!(sandbox.callback().get(&bare).await.status, 303);
    assert_eq!(sandbox.callback().get(&launched(&sandbox, &appid).await).await.status, 303);

    // With the cookie of the launch page.
    let launch = sandbox.launch().run(json!({})).await.expect("a launch begins");
    let id = launch["launch_id"].as_str().expect("an id");
    let browser = Browser::new();
    browser.visit(&sandbox.authorize(), &format!("/authorize?launch={id}")).await;
    let code = sandbox.wechat.authorize(&appid, &[1]);
    browser.visit(&sandbox.callback(), &format!("{}&launch={id}", redirect(&code))).await;

    // Of a launch page that anybody can open.
    let page = Browser::new().visit(&sandbox.authorize(), "/authorize").await.body;
    let id = page.split_once("callback%3Flaunch%3D").expect("a launch").1.split_at(32).0;
    let code = sandbox.wechat.authorize(&appid, &[1]);
    assert_eq!(sandbox.callback().get(&format!("{}&launch={id}", redirect(&code))).await.status, 303);

    let values = values(&written());
    for evidence in ["refused", "bare", "launch", "browser", "visitor"] {
        assert_eq!(values[&format!("Redirects {evidence}")], 1, "{evidence}");
    }
}

#[tokio::test]
async fn a_visit_without_a_launch_over_the_allowance_is_counted() {
    let _turn = turn().await;
    let (sandbox, _) = scene().await;
    let callback = sandbox.callback_with(&[("UNVOUCHED_PER_DAY", "0")]);
    assert_eq!(callback.get(&redirect("queryauthcode@@@made-up")).await.status, 503);
    let values = values(&written());
    assert_eq!(values["Unvouched over_budget"], 1);
    assert!(!values.contains_key("WechatCalls given") && !values.contains_key("WechatCalls refused"));
}

#[tokio::test]
async fn wechats_quotas_are_measured_once_an_hour() {
    let _turn = turn().await;
    let (sandbox, _) = scene().await;
    let refresh = sandbox.refresh();
    // The first run has no component token to ask with yet.
    for _ in 0..3 {
        refresh.run(json!({})).await.expect("it runs");
        sandbox.clock.advance(60);
    }
    let first = values(&written());
    for endpoint in ["api_query_auth", "api_authorizer_token", "api_create_preauthcode"] {
        let used = first[&format!("QuotaUsed {endpoint}")].as_array().expect("a list").clone();
        assert_eq!(used.len(), 1, "{endpoint}");
    }
    let spent = first["QuotaUsed api_component_token"][0].as_f64().expect("a number");
    assert!(spent > 0.0 && spent < 1.0, "{spent}");
    sandbox.clock.advance(3600);
    refresh.run(json!({})).await.expect("it runs");
    assert_eq!(values(&written())["QuotaUsed api_query_auth"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn an_answer_without_a_page_counts_no_page_latency() {
    let _turn = turn().await;
    let (sandbox, _) = scene().await;
    let head = HttpRequest::head("/authorize");
    assert_eq!(sandbox.authorize().request(head).await.status, 200);
    assert_eq!(written(), "");
}

#[tokio::test]
async fn a_refusal_is_counted_by_its_errcode_and_a_missing_answer_as_none() {
    let _turn = turn().await;
    let (sandbox, appid) = scene().await;
    let exchange = sandbox.wechat.on("api_query_auth");
    exchange.once(Fault::errcode(61004));
    exchange.once(Fault::ResetBefore);
    let visit = redirect(&sandbox.wechat.authorize(&appid, &[1]));
    assert_eq!(sandbox.callback().get(&visit).await.status, 503);
    let values_then = values(&written());
    assert_eq!(values_then["Refusals 61004"], 1);
    assert_eq!(values_then["WechatCalls refused"], 1);
    assert_eq!(values_then["Outcomes unavailable"], 1);
    assert!(!values_then.contains_key("Grants callback"));
    assert_eq!(sandbox.callback().get(&visit).await.status, 303);
    assert_eq!(values(&written())["WechatCalls none"], 1);
}

#[tokio::test]
async fn a_run_measures_ages_and_backlogs_once() {
    let _turn = turn().await;
    let (sandbox, appid) = scene().await;
    sandbox.wechat.on("api_query_auth").once(Fault::errcode(61004));
    let visit = launched(&sandbox, &appid).await;
    assert_eq!(sandbox.callback().get(&visit).await.status, 503);
    sandbox.clock.advance(700);
    written();
    sandbox.wechat.on("api_query_auth").once(Fault::errcode(61004));
    let refresh = sandbox.refresh();
    refresh.run(json!({})).await.expect("it runs");
    let values_then = values(&written());
    assert_eq!(values_then["PendingClaims"], json!([1.0]));
    let age = |name: &str| values_then[name][0].as_f64().expect("a number");
    for name in ["OldestPending", "TicketAge", "ComponentTokenAge"] {
        assert!((700.0..710.0).contains(&age(name)), "{name}: {}", age(name));
    }
    assert_eq!(values_then["DueBacklog"], json!([0.0]));
    assert_eq!(values_then["OldestDue"], json!([0.0]));
    assert_eq!(written(), "", "nothing is repeated that was not measured again");
    sandbox.clock.advance(60);
    refresh.run(json!({})).await.expect("it runs");
    assert_eq!(values(&written())["Grants refresh"], 1);
}

#[tokio::test]
async fn a_claim_that_cannot_be_read_silences_nothing_else() {
    let _turn = turn().await;
    let (sandbox, appid) = scene().await;
    sandbox.wechat.on("api_query_auth").always(Fault::errcode(61004));
    let visit = launched(&sandbox, &appid).await;
    assert_eq!(sandbox.callback().get(&visit).await.status, 503);
    sandbox.dynamodb.on("GetItem").containing("code#").always(Fault::throttled());
    written();
    sandbox.refresh().run(json!({})).await.expect("it runs");
    let values = values(&written());
    assert_eq!(values["PendingClaims"], json!([1.0]));
    assert!(values.contains_key("TicketAge") && !values.contains_key("OldestPending"));
}

#[tokio::test]
async fn a_token_that_waits_for_the_platform_is_backlog() {
    let _turn = turn().await;
    let (sandbox, appid) = scene().await;
    // Another platform's records, which nobody refreshes any more, are first in every line.
    for shard in 0..16 {
        let item = json!({
            "authorizer_appid": {"S": format!("wx{shard:016}")}, "component_appid": {"S": "wx00000000000000ff"},
            "refresh_shard": {"N": shard.to_string()}, "refresh_at": {"N": "1"},
        });
        let table = &sandbox.dynamodb.authorizers_table;
        sandbox.dynamodb.call("PutItem", json!({"TableName": table, "Item": item})).await;
    }
    let visit = redirect(&sandbox.wechat.authorize(&appid, &[1]));
    assert_eq!(sandbox.callback().get(&visit).await.status, 303);
    sandbox.clock.advance(7200);
    sandbox.wechat.on("api_component_token").always(Fault::errcode(61004));
    written();
    sandbox.refresh().run(json!({})).await.expect("it runs");
    let values = values(&written());
    assert_eq!(values["DueBacklog"], json!([17.0]));
    assert!(values["OldestDue"][0].as_f64().is_some_and(|age| (600.0..1210.0).contains(&age)));
    assert_eq!(
        values["ComponentTokenAge"][0].as_f64().map(|age| age >= 7200.0),
        Some(true),
        "it goes on growing"
    );
    assert!(!values.contains_key("Refreshes failed"), "no account is at fault");
}

#[tokio::test]
async fn a_component_token_that_cannot_be_minted_counts_as_ended() {
    let _turn = turn().await;
    let (sandbox, _) = scene().await;
    sandbox.wechat.on("api_component_token").always(Fault::errcode(40125));
    sandbox.refresh().run(json!({})).await.expect("it runs");
    assert_eq!(values(&written())["ComponentTokenAge"], json!([7200.0]));
}

#[tokio::test]
async fn refreshes_are_counted_by_their_result() {
    let _turn = turn().await;
    let (sandbox, appid) = scene().await;
    let visit = redirect(&sandbox.wechat.authorize(&appid, &[1]));
    assert_eq!(sandbox.callback().get(&visit).await.status, 303);
    sandbox.clock.advance(7200 - 600);
    sandbox.put_ticket().await;
    sandbox.refresh().run(json!({})).await.expect("it runs");
    assert_eq!(values(&written())["Refreshes refreshed"], 1);
    sandbox.clock.advance(7200 - 600);
    sandbox.put_ticket().await;
    sandbox.wechat.revoke(&appid);
    sandbox.refresh().run(json!({})).await.expect("it runs");
    assert_eq!(values(&written())["Refreshes revoked"], 1);
}

#[tokio::test]
async fn a_push_before_the_redirect_is_the_grants_door() {
    let _turn = turn().await;
    let (sandbox, appid) = scene().await;
    let code = sandbox.wechat.authorize(&appid, &[1]);
    let push = sandbox.wechat.push_authorized(&appid, &code, None).request();
    assert_eq!(sandbox.events().request(push).await.status, 200);
    assert_eq!(sandbox.callback().get(&redirect(&code)).await.status, 200);
    let values = values(&written());
    assert_eq!(values["Grants events"], 1);
    assert!(!values.contains_key("Grants callback"));
}

#[tokio::test]
async fn without_a_ticket_there_is_no_age_of_one() {
    let _turn = turn().await;
    let sandbox = Sandbox::start_without_ticket().await;
    sandbox.refresh().run(json!({})).await.expect("it runs");
    assert_eq!(sandbox.callback().get(&redirect("queryauthcode@@@x")).await.status, 503);
    let values = values(&written());
    assert!(!values.contains_key("ExchangeLatency"), "WeChat was not asked");
    assert!(!values.contains_key("TicketAge") && !values.contains_key("ComponentTokenAge"));
    assert_eq!(values["PendingClaims"], json!([0.0]));
}
