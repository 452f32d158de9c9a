//! Events as API Gateway sends them, and instances as Lambda runs them.

use std::time::{Duration, SystemTime};

use lambda_http::{Body, Request, RequestExt, Response};
use sandbox::Instance;
use sandbox::gateway::{HttpRequest, event};
use serde_json::json;
use wechat_authorizer::time::Clock;

#[test]
fn a_request_becomes_the_event_that_api_gateway_sends() {
    let request = HttpRequest::get("/callback?auth_code=queryauthcode%40%40%40abc&x=1&x=2&empty=")
        .header("Accept", "text/html")
        .header("accept", "*/*")
        .header("Cookie", "a=1; b=2")
        .header("User-Agent", "Mozilla/5.0");
    let mut event = event(&request, 1_583_348_638);
    assert!(event["requestContext"]["requestId"].take().as_str().is_some_and(|id| id.len() == 15));
    let expected = json!({
        "version": "2.0",
        "routeKey": "GET /callback",
        "rawPath": "/callback",
        "rawQueryString": "auth_code=queryauthcode%40%40%40abc&x=1&x=2&empty=",
        "cookies": ["a=1", "b=2"],
        "headers": {
            "accept": "text/html,*/*",
            "host": "platform.example.com",
            "user-agent": "Mozilla/5.0",
        },
        "queryStringParameters": {"auth_code": "queryauthcode@@@abc", "x": "1,2", "empty": ""},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "a1b2c3d4e5",
            "domainName": "platform.example.com",
            "domainPrefix": "platform",
            "http": {
                "method": "GET",
                "path": "/callback",
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.5",
                "userAgent": "Mozilla/5.0",
            },
            "requestId": null,
            "routeKey": "GET /callback",
            "stage": "$default",
            "time": "04/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1_583_348_638_000_i64,
        },
        "isBase64Encoded": false,
    });
    assert_eq!(event, expected);
}

#[test]
fn a_text_body_is_sent_as_it_is_and_another_in_base64() {
    let text = event(&HttpRequest::post("/events", "<xml>票</xml>").header("Content-Type", "text/xml"), 0);
    assert_eq!(
        (text["body"].as_str(), text["isBase64Encoded"].as_bool()),
        (Some("<xml>票</xml>"), Some(false))
    );
    let other = event(&HttpRequest::post("/events", "<xml/>"), 0);
    assert_eq!((other["body"].as_str(), other["isBase64Encoded"].as_bool()), (Some("PHhtbC8+"), Some(true)));
}

#[tokio::test]
async fn an_answer_is_what_the_function_returned() {
    let function = Instance::new(Duration::from_secs(1), Clock::default(), async |request: Request| {
        let remaining = request.lambda_context().deadline().duration_since(SystemTime::now())?;
        let body = format!("{} {} {}", request.method(), request.uri(), remaining <= Duration::from_secs(1));
        Ok(Response::builder().status(202).header("Retry-After", "5").body(Body::Text(body))?)
    });
    let answer = function.get("/callback?auth_code=a%40b").await;
    assert_eq!((answer.status, answer.header("retry-after")), (202, "5"));
    assert_eq!(answer.error, None);
    assert_eq!(answer.body, "GET https://platform.example.com/callback?auth_code=a%40b true");
}

#[tokio::test]
async fn a_link_that_was_mangled_reaches_the_function_as_in_the_artifact() {
    let function = Instance::new(Duration::from_secs(1), Clock::default(), async |request: Request| {
        Ok(Response::new(Body::Text(request.uri().to_string())))
    });
    let answer = function.get("/callback?auth_code=<a b>").await;
    assert_eq!(answer.body, "https://platform.example.com/callback?auth_code=%3Ca%20b%3E");
}

#[tokio::test]
async fn an_invocation_that_runs_out_of_time_is_ended_and_answered_by_the_gateway() {
    let function =
        Instance::new(Duration::from_millis(1), Clock::default(), async |_| std::future::pending().await);
    let answer = function.get("/callback").await;
    assert_eq!((answer.status, answer.body.as_str()), (500, r#"{"message":"Internal Server Error"}"#));
    assert_eq!(answer.error.as_deref(), Some("Task timed out after 0.00 seconds"));
}
