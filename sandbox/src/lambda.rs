//! Lambda's `Invoke`, for programs that find it at `AWS_ENDPOINT_URL_LAMBDA`.
//!
//! Source: <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use sandbox::JSON_FUNCTIONS;
use serde_json::{Value, json};

use crate::schedule::Schedule;

/// The most bytes of an event.
const BODY_LIMIT: usize = 6 * 1024 * 1024;

/// One route, for every function that is invoked with JSON.
pub(crate) fn router(schedule: Schedule) -> Router {
    let invoke = async move |Path(name): Path<String>, headers: HeaderMap, body: Bytes| {
        invoke(schedule, &name, &headers, &body).await
    };
    Router::new()
        .route("/2015-03-31/functions/{name}/invocations", post(invoke))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
}

async fn invoke(schedule: Schedule, name: &str, headers: &HeaderMap, body: &Bytes) -> Response {
    let Some(function) = JSON_FUNCTIONS.iter().find(|function| **function == bare(name)) else {
        let message = format!("Function not found: arn:aws:lambda:us-east-1:123456789012:function:{name}");
        return refuse(StatusCode::NOT_FOUND, "ResourceNotFoundException", &message);
    };
    // Lambda makes an empty object of nothing.
    let body = if body.is_empty() { b"{}" } else { &body[..] };
    let event: Value = match serde_json::from_slice(body) {
        Ok(event) => event,
        Err(error) => {
            let message = format!("Could not parse request body into json: {error}");
            return refuse(StatusCode::BAD_REQUEST, "InvalidRequestContentException", &message);
        }
    };
    let kind = headers.get("x-amz-invocation-type").and_then(|kind| kind.to_str().ok());
    match kind.unwrap_or("RequestResponse") {
        "RequestResponse" => match schedule.invoke(function, event).await {
            Ok(answer) => answered(&[], &answer),
            Err(error) => answered(
                &[("x-amz-function-error", "Unhandled")],
                &json!({"errorType": error.error_type, "errorMessage": error.error_message}),
            ),
        },
        "Event" => {
            tokio::spawn(async move { schedule.invoke(function, event).await });
            StatusCode::ACCEPTED.into_response()
        }
        "DryRun" => StatusCode::NO_CONTENT.into_response(),
        _ => {
            let message = "InvocationType is none of Event, RequestResponse and DryRun";
            refuse(StatusCode::BAD_REQUEST, "InvalidParameterValueException", message)
        }
    }
}

/// A function's name, also out of `arn:aws:lambda:us-east-1:123456789012:function:token:live`.
fn bare(name: &str) -> &str {
    let name = name.rsplit_once("function:").map_or(name, |(_, name)| name);
    name.split(':').next().unwrap_or_default()
}

fn answered(headers: &[(&'static str, &'static str)], body: &Value) -> Response {
    let mut response =
        ([("content-type", "application/json"), ("x-amz-executed-version", "$LATEST")], body.to_string())
            .into_response();
    for (name, value) in headers {
        response.headers_mut().insert(*name, value.parse().expect("a header value"));
    }
    response
}

fn refuse(status: StatusCode, kind: &'static str, message: &str) -> Response {
    let body = json!({"Type": "User", "Message": message}).to_string();
    (status, [("content-type", "application/json"), ("x-amzn-errortype", kind)], body).into_response()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use sandbox::Sandbox;

    use super::*;
    use crate::platform::Platform;

    /// The account of the event files, authorized, and the address of `Invoke`.
    async fn start() -> String {
        let sandbox = Sandbox::start().await.with("PUBLIC_BASE_URL", "http://127.0.0.1");
        let event = include_str!("../../events/callback.json");
        assert_eq!(sandbox.callback().invoke_file(event).await.status, 303);
        let schedule = Schedule::new(&sandbox, &Platform::new(sandbox.clone()));
        let listener = sandbox::bind(Ipv4Addr::LOCALHOST.into(), 0).await;
        let origin = sandbox::origin(&listener);
        tokio::spawn(axum::serve(listener, router(schedule)).into_future());
        origin
    }

    async fn post(origin: &str, name: &str, kind: &str, body: &str) -> (u16, String, String, String) {
        let url = format!("{origin}/2015-03-31/functions/{name}/invocations");
        let request = reqwest::Client::new().post(url).header("X-Amz-Invocation-Type", kind);
        let answer = request.body(body.to_owned()).send().await.expect("an answer");
        let header = |name: &str| {
            answer.headers().get(name).map_or("", |value| value.to_str().expect("text")).to_owned()
        };
        let (status, failed, refused) =
            (answer.status().as_u16(), header("x-amz-function-error"), header("x-amzn-errortype"));
        (status, failed, refused, answer.text().await.expect("a whole answer"))
    }

    #[tokio::test]
    async fn a_function_answers_by_its_name_and_by_its_arn() {
        let origin = start().await;
        let event = r#"{"authorizer_appid": "wx5a4db0c0ffee0001"}"#;
        for name in ["token", "arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Atoken%3Alive"] {
            let (status, failed, _, body) = post(&origin, name, "RequestResponse", event).await;
            assert_eq!((status, failed.as_str()), (200, ""));
            assert!(body.contains("\"authorizer_access_token\":"), "{body}");
        }
        for (name, field) in
            [("launch", "\"launch_url\":"), ("component_token", "\"component_access_token\":")]
        {
            let (status, failed, _, body) = post(&origin, name, "RequestResponse", "").await;
            assert_eq!((status, failed.as_str()), (200, ""), "{body}");
            assert!(body.contains(field), "{body}");
        }
    }

    #[tokio::test]
    async fn a_failure_of_the_function_is_no_failure_of_the_call() {
        let origin = start().await;
        let event = r#"{"authorizer_appid": "wx5a4db0c0ffee9999"}"#;
        let (status, failed, _, body) = post(&origin, "token", "RequestResponse", event).await;
        assert_eq!((status, failed.as_str()), (200, "Unhandled"));
        assert!(body.contains("\"errorType\":\"AuthorizerNotFound\""), "{body}");
    }

    #[tokio::test]
    async fn what_cannot_be_invoked_is_refused_as_lambda_does_it() {
        let origin = start().await;
        for (name, kind, body, status, refused) in [
            ("callback", "RequestResponse", "{}", 404, "ResourceNotFoundException"),
            ("token", "RequestResponse", "no", 400, "InvalidRequestContentException"),
            ("token", "Sometimes", "{}", 400, "InvalidParameterValueException"),
            ("token", "DryRun", "{}", 204, ""),
            ("refresh", "Event", "{}", 202, ""),
        ] {
            let answer = post(&origin, name, kind, body).await;
            assert_eq!((answer.0, answer.2.as_str()), (status, refused), "{name} {kind}");
        }
    }
}
