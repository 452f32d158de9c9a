//! Faults and the record of requests.

use std::time::Duration;

use crate::call::{SETS, client, component_token, exchange};
use sandbox::wechat::Account;
use sandbox::{Fault, Sandbox};
use serde_json::{Value, json};

async fn raw_exchange(sandbox: &Sandbox, token: &str, code: &str) -> reqwest::Result<String> {
    let url = format!("{}/cgi-bin/component/api_query_auth?access_token={token}", sandbox.wechat.base_url);
    let body = json!({"component_appid": sandbox.wechat.component_appid, "authorization_code": code});
    client().post(url).body(body.to_string()).send().await?.text().await
}

async fn sandbox_with_code() -> (Sandbox, String, String) {
    let sandbox = Sandbox::start().await;
    let token = component_token(&sandbox).await;
    let appid = sandbox.wechat.add_account(Account::official_account("Tea"));
    let code = sandbox.wechat.authorize(&appid, SETS);
    (sandbox, token, code)
}

#[tokio::test]
async fn an_errcode_is_played_once_and_spends_nothing() {
    let (sandbox, token, code) = sandbox_with_code().await;
    sandbox.wechat.on("api_query_auth").once(Fault::errcode(-1));
    assert_eq!(exchange(&sandbox, &token, &code).await["errcode"], -1);
    assert!(exchange(&sandbox, &token, &code).await["authorization_info"].is_object());
}

#[tokio::test]
async fn faults_are_played_in_order_and_end_when_they_are_cleared() {
    let (sandbox, token, code) = sandbox_with_code().await;
    let endpoint = sandbox.wechat.on("api_query_auth");
    endpoint.times(2, Fault::errcode(-1));
    endpoint.always(Fault::errcode(45009));
    for errcode in [-1, -1, 45009, 45009] {
        assert_eq!(exchange(&sandbox, &token, &code).await["errcode"], errcode);
    }
    sandbox.wechat.clear_faults();
    assert!(exchange(&sandbox, &token, &code).await["authorization_info"].is_object());
    assert_eq!(endpoint.count(), 5);
}

#[tokio::test]
async fn a_reset_before_the_effect_leaves_the_code_unspent() {
    let (sandbox, token, code) = sandbox_with_code().await;
    sandbox.wechat.on("api_query_auth").once(Fault::ResetBefore);
    assert!(raw_exchange(&sandbox, &token, &code).await.is_err());
    assert!(exchange(&sandbox, &token, &code).await["authorization_info"].is_object());
}

#[tokio::test]
async fn a_reset_after_the_effect_loses_the_answer_only() {
    let (sandbox, token, code) = sandbox_with_code().await;
    sandbox.wechat.on("api_query_auth").once(Fault::ResetAfter);
    let error = raw_exchange(&sandbox, &token, &code).await.expect_err("no answer");
    assert!(error.is_request(), "{error:?}");
    assert!(!error.is_timeout(), "{error:?}");
    assert_eq!(exchange(&sandbox, &token, &code).await["errcode"], 61010);
    let lost = &sandbox.wechat.on("api_query_auth").requests()[0];
    assert!(lost.answer.as_ref().expect("an answer")["authorization_info"].is_object());
}

#[tokio::test]
async fn a_truncated_answer_breaks_off_in_the_body() {
    let (sandbox, token, code) = sandbox_with_code().await;
    sandbox.wechat.on("api_query_auth").once(Fault::Truncated);
    let error = raw_exchange(&sandbox, &token, &code).await.expect_err("half an answer");
    assert!(error.is_decode() || error.is_body(), "{error:?}");
}

#[tokio::test]
async fn a_delayed_answer_comes_after_the_effect() {
    let (sandbox, token, code) = sandbox_with_code().await;
    sandbox.wechat.on("api_query_auth").once(Fault::DelayAfter(Duration::from_millis(1)));
    assert!(exchange(&sandbox, &token, &code).await["authorization_info"].is_object());
}

#[tokio::test]
async fn a_raw_answer_is_sent_as_it_is() {
    let (sandbox, token, code) = sandbox_with_code().await;
    sandbox.wechat.on("api_query_auth").once(Fault::raw(502, "text/html", "<h1>Bad Gateway</h1>"));
    assert_eq!(raw_exchange(&sandbox, &token, &code).await.expect("an answer"), "<h1>Bad Gateway</h1>");
}

#[tokio::test]
async fn a_request_that_is_held_before_the_effect_and_dies_has_none() {
    let (sandbox, token, code) = sandbox_with_code().await;
    let hold = sandbox.wechat.on("api_query_auth").hold_before();
    let request = tokio::spawn({
        let (sandbox, token, code) = (sandbox.clone(), token.clone(), code.clone());
        async move { raw_exchange(&sandbox, &token, &code).await }
    });
    hold.arrived().await;
    request.abort();
    assert!(request.await.is_err());
    assert!(exchange(&sandbox, &token, &code).await["authorization_info"].is_object());
    hold.release();
}

#[tokio::test]
async fn a_request_that_is_held_after_the_effect_goes_on_when_released() {
    let (sandbox, token, code) = sandbox_with_code().await;
    let hold = sandbox.wechat.on("api_query_auth").hold_after();
    let request = tokio::spawn({
        let (sandbox, token, code) = (sandbox.clone(), token.clone(), code.clone());
        async move { raw_exchange(&sandbox, &token, &code).await }
    });
    sandbox.wechat.on("api_query_auth").arrived(1).await;
    hold.arrived().await;
    assert_eq!(exchange(&sandbox, &token, &code).await["errcode"], 61010);
    hold.release();
    let answer = request.await.expect("not aborted").expect("an answer");
    assert!(answer.contains("authorizer_refresh_token"), "{answer}");
}

#[tokio::test]
async fn dynamodb_can_lose_the_answer_of_a_write() {
    let sandbox = Sandbox::start().await;
    sandbox.dynamodb.on("PutItem").containing("lost").once(Fault::ResetAfter);
    // The client of a function retries by itself.
    let client = aws_sdk_dynamodb::Client::new(&sandbox.sdk_config());
    for pk in ["kept", "lost"] {
        let pk = aws_sdk_dynamodb::types::AttributeValue::S(pk.to_owned());
        client
            .put_item()
            .table_name(&sandbox.dynamodb.platform_table)
            .item("pk", pk)
            .send()
            .await
            .expect("a write");
    }
    assert_eq!(sandbox.dynamodb.on("PutItem").count(), 3);
    assert_eq!(sandbox.dynamodb.on("PutItem").containing("lost").count(), 2);
    let keys: Vec<Value> =
        sandbox.dynamodb.platform().await.into_iter().map(|mut item| item["pk"].take()).collect();
    assert_eq!(keys, ["kept", "lost", "ticket#wx7c0de5a4db0c0001"]);
}

#[tokio::test]
async fn dynamodb_throttles_and_fails_like_dynamodb() {
    let sandbox = Sandbox::start().await;
    let client = aws_sdk_dynamodb::Client::from_conf(
        aws_sdk_dynamodb::config::Builder::from(&sandbox.sdk_config())
            .retry_config(aws_sdk_dynamodb::config::retry::RetryConfig::disabled())
            .build(),
    );
    let scan = || client.scan().table_name(&sandbox.dynamodb.authorizers_table).send();
    sandbox.dynamodb.on("Scan").once(Fault::throttled());
    sandbox.dynamodb.on("Scan").once(Fault::internal());
    let error = scan().await.expect_err("throttled").into_service_error();
    assert!(error.is_provisioned_throughput_exceeded_exception(), "{error:?}");
    let error = scan().await.expect_err("internal").into_service_error();
    assert!(error.is_internal_server_error(), "{error:?}");
    assert!(scan().await.is_ok());
}

#[tokio::test]
async fn requests_of_both_servers_are_numbered_together() {
    let (sandbox, token, code) = sandbox_with_code().await;
    exchange(&sandbox, &token, &code).await;
    let client = aws_sdk_dynamodb::Client::new(&sandbox.sdk_config());
    client.scan().table_name(&sandbox.dynamodb.authorizers_table).send().await.expect("a scan");
    let exchange = &sandbox.wechat.on("api_query_auth").requests()[0];
    let scan = &sandbox.dynamodb.on("Scan").requests()[0];
    assert!(exchange.ended.expect("an end") < scan.began);
    assert_eq!(exchange.query["component_access_token"], token);
    assert_eq!(exchange.body["authorization_code"], code);
}
