//! A platform that calls the simulated WeChat directly.

use sandbox::Sandbox;
use serde_json::{Value, json};

/// Every permission set a test grants.
pub(crate) const SETS: &[i64] = &[1, 2, 24];

/// One call with a component token.
pub(crate) async fn call(sandbox: &Sandbox, endpoint: &str, token: &str, body: Value) -> Value {
    let path = format!("{endpoint}?component_access_token={token}");
    post(sandbox, &path, with_appid(sandbox, body)).await
}

/// One call of any path below `/cgi-bin/component/`.
pub(crate) async fn post(sandbox: &Sandbox, path: &str, body: Value) -> Value {
    let url = format!("{}/cgi-bin/component/{path}", sandbox.wechat.base_url);
    let answer = client().post(url).body(body.to_string()).send().await.expect("WeChat answers");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/plain");
    serde_json::from_str(&answer.text().await.expect("a whole answer")).expect("JSON")
}

/// A component token, minted with a fresh ticket.
pub(crate) async fn component_token(sandbox: &Sandbox) -> String {
    let ticket = sandbox.wechat.issue_ticket();
    let answer = post(sandbox, "api_component_token", credentials(sandbox, &ticket)).await;
    answer["component_access_token"].as_str().expect("a token").to_owned()
}

/// The body of `api_component_token`.
pub(crate) fn credentials(sandbox: &Sandbox, ticket: &str) -> Value {
    with_appid(
        sandbox,
        json!({
            "component_appsecret": sandbox.wechat.component_secret()["component_appsecret"],
            "component_verify_ticket": ticket,
        }),
    )
}

/// The exchange of a code.
pub(crate) async fn exchange(sandbox: &Sandbox, token: &str, code: &str) -> Value {
    call(sandbox, "api_query_auth", token, json!({"authorization_code": code})).await
}

fn with_appid(sandbox: &Sandbox, mut body: Value) -> Value {
    if body.get("component_appid").is_none() {
        body["component_appid"] = json!(sandbox.wechat.component_appid);
    }
    body
}

pub(crate) fn client() -> reqwest::Client {
    wechat_authorizer::http::client()
}
