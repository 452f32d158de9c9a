//! DynamoDB's faults, as a caller without the SDK sees them.

use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use sandbox::{Fault, Sandbox};
use serde_json::{Value, json};

use crate::call::client;

/// One write, which adds an item to the Platform table.
async fn put(sandbox: &Sandbox) -> (u16, Value, String) {
    let request =
        json!({"TableName": sandbox.dynamodb.platform_table, "Item": {"pk": {"S": "written"}}}).to_string();
    let signature = "AWS4-HMAC-SHA256 Credential=sandbox/20200101/us-east-1/dynamodb/aws4_request, \
                     SignedHeaders=host, Signature=0";
    let answer = client()
        .post(&sandbox.dynamodb.endpoint)
        .header("x-amz-target", "DynamoDB_20120810.PutItem")
        .header("x-amz-date", "20200101T000000Z")
        .header("content-type", "application/x-amz-json-1.0")
        .header("authorization", signature)
        .body(request)
        .send()
        .await
        .expect("an answer");
    let date = answer.headers()["date"].to_str().expect("text").to_owned();
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.expect("a body")).expect("JSON"), date)
}

async fn is_written(sandbox: &Sandbox) -> bool {
    !sandbox.dynamodb.platform_items("written").await.is_empty()
}

/// The fault is answered twice without the write, then once after it, and then no more.
async fn check(fault: Fault, status: u16, kind: &str) {
    let sandbox = Sandbox::start().await;
    let endpoint = sandbox.dynamodb.on("PutItem");
    endpoint.times(2, fault.clone());
    endpoint.once(fault.after_effect());
    for written in [false, false, true] {
        let (answered, body, _) = put(&sandbox).await;
        assert_eq!((answered, body["__type"].as_str()), (status, Some(kind)));
        assert_eq!(is_written(&sandbox).await, written);
    }
    assert_eq!(put(&sandbox).await.0, 200);
    let statuses: Vec<_> = endpoint.requests().iter().map(|request| request.status).collect();
    assert_eq!(statuses, [Some(status), Some(status), Some(status), Some(200)]);
}

#[tokio::test]
async fn a_transaction_conflicts() {
    let kind = "com.amazonaws.dynamodb.v20120810#TransactionConflictException";
    check(Fault::transaction_conflict(), 400, kind).await;
}

#[tokio::test]
async fn the_account_has_too_many_requests() {
    check(Fault::throttling(), 400, "com.amazonaws.dynamodb.v20120810#ThrottlingException").await;
}

#[tokio::test]
async fn the_table_has_too_many_requests() {
    let kind = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException";
    check(Fault::throttled(), 400, kind).await;
}

#[tokio::test]
async fn dynamodb_has_a_problem_of_its_own() {
    check(Fault::internal(), 500, "com.amazonaws.dynamodb.v20120810#InternalServerError").await;
}

#[tokio::test]
async fn a_signature_has_expired_and_the_date_is_right() {
    check(Fault::signature_expired(), 400, "com.amazon.coral.service#InvalidSignatureException").await;
    let sandbox = Sandbox::start().await;
    sandbox.dynamodb.on("PutItem").once(Fault::signature_expired());
    let (_, body, date) = put(&sandbox).await;
    let message = body["message"].as_str().expect("a message");
    assert!(message.starts_with("Signature expired: 20") && message.ends_with(" - 5 min.)"), "{message}");
    let date = DateTime::from_str(&date, Format::HttpDate).expect("a date");
    let date = SystemTime::try_from(date).expect("a time");
    let distance = SystemTime::now().duration_since(date).expect("a date that has begun");
    assert!(distance < Duration::from_secs(60), "{distance:?}");
}

#[tokio::test]
async fn the_wire_says_in_words_which_faults_are_planned() {
    let sandbox = Sandbox::start().await;
    sandbox.dynamodb.on("Scan").times(2, Fault::transaction_conflict());
    sandbox.dynamodb.on("GetItem").once(Fault::signature_expired().after_effect());
    assert_eq!(
        sandbox.dynamodb.planned_faults(),
        [
            "Scan: TransactionConflictException, 2 times",
            "GetItem: InvalidSignatureException after the effect",
        ]
    );
}
