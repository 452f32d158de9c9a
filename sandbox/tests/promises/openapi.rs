//! What WeChat tells about calls.

use sandbox::{Fault, Sandbox};
use serde_json::{Value, json};

use crate::call::{client, component_token, exchange};

async fn ask(sandbox: &Sandbox, endpoint: &str, token: &str, body: Value) -> Value {
    ask_as(sandbox, endpoint, "access_token", token, body).await
}

async fn ask_as(sandbox: &Sandbox, endpoint: &str, name: &str, token: &str, body: Value) -> Value {
    let url = format!("{}/cgi-bin/openapi/{endpoint}?{name}={token}", sandbox.wechat.base_url);
    let answer = client().post(url).body(body.to_string()).send().await.expect("WeChat answers");
    serde_json::from_str(&answer.text().await.expect("a whole answer")).expect("JSON")
}

async fn used(sandbox: &Sandbox, token: &str, endpoint: &str) -> Value {
    let body = json!({"cgi_path": format!("/cgi-bin/component/{endpoint}")});
    let answer = ask(sandbox, "quota/get", token, body).await;
    let quota = &answer["quota"];
    let sum = quota["used"].as_i64().zip(quota["remain"].as_i64()).map(|(used, remain)| used + remain);
    assert_eq!(sum, quota["daily_limit"].as_i64());
    quota["used"].clone()
}

#[tokio::test]
async fn a_quota_counts_the_calls_of_its_endpoint_and_day() {
    let sandbox = Sandbox::start().await;
    let token = component_token(&sandbox).await;
    sandbox.wechat.on("api_query_auth").once(Fault::ResetAfter);
    for _ in 0..2 {
        let url = format!("{}/cgi-bin/component/api_query_auth", sandbox.wechat.base_url);
        let _ = client().post(url).body("{}").send().await;
    }
    exchange(&sandbox, &token, "queryauthcode@@@none").await;
    assert_eq!(used(&sandbox, &token, "api_query_auth").await, 3, "refused and lost ones, too");
    assert_eq!(used(&sandbox, &token, "api_component_token").await, 1);
    assert_eq!(used(&sandbox, &token, "api_authorizer_token").await, 0);
    sandbox.clock.advance(86_400);
    let token = component_token(&sandbox).await;
    assert_eq!(used(&sandbox, &token, "api_query_auth").await, 0);
}

#[tokio::test]
async fn a_rid_tells_the_refused_request_with_its_token_and_its_address() {
    let sandbox = Sandbox::start().await;
    let token = component_token(&sandbox).await;
    let refusal = ask(&sandbox, "quota/get", &token, json!({"cgi_path": "/cgi-bin/component/none"})).await;
    assert_eq!(refusal["errcode"], 76021);
    let (_, rid) = refusal["errmsg"].as_str().and_then(|errmsg| errmsg.split_once("rid: ")).expect("a rid");
    let told = ask(&sandbox, "rid/get", &token, json!({"rid": rid})).await;
    assert_eq!(told["request"]["client_ip"], "203.0.113.7");
    assert_eq!(told["request"]["request_url"], format!("access_token={token}"));
    assert_eq!(told["request"]["invoke_time"], sandbox.clock.now().as_secs());
    let unknown = ask(&sandbox, "rid/get", &token, json!({"rid": "65f"})).await;
    assert_eq!(unknown["errcode"], 76001);
}

#[tokio::test]
async fn these_endpoints_do_not_know_the_older_name_of_the_token() {
    let sandbox = Sandbox::start().await;
    let token = component_token(&sandbox).await;
    let body = json!({"cgi_path": "/cgi-bin/component/api_query_auth"});
    let answer = ask_as(&sandbox, "quota/get", "component_access_token", &token, body).await;
    assert_eq!(answer["errcode"], 41001);
}

#[tokio::test]
async fn every_answer_has_the_date_of_the_sandboxs_clock() {
    let sandbox = Sandbox::start_without_ticket().await;
    sandbox.clock.advance(1_785_000_000 - sandbox.clock.now().as_secs());
    let answer = client().get(&sandbox.wechat.base_url).send().await.expect("WeChat answers");
    let date = answer.headers()["date"].to_str().expect("text");
    assert!(date.starts_with("Sat, 25 Jul 2026 17:20:0"), "{date}");
}
