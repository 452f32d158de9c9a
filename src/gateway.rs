//! The way from API Gateway's event to an HTTP request.
//!
//! `lambda_http` makes a URL of what the visitor sent, and panics where that is none: for a raw space, quote
//! or angle bracket in the query, or an odd `X-Forwarded-Proto`. A link that was mangled in a chat is no
//! reason to die, so what it cannot take is escaped before, or left out.

use lambda_http::http::header::HOST;
use lambda_http::request::LambdaRequest;
use lambda_http::{
    Adapter, Body, Error, LambdaEvent, Request, Response, Service, lambda_runtime, service_fn,
};

use crate::metric::Metrics;

/// Longer than API Gateway's own limit of a request line and its headers.
const LONGEST: usize = 16 * 1024;

/// Answers the invocations of a function behind the HTTP API, for as long as the process lives.
pub async fn run<F>(metrics: Metrics, handle: impl FnMut(Request) -> F) -> Result<(), Error>
where
    F: Future<Output = Result<Response<Body>, Error>> + Send,
{
    let mut function = Adapter::from(service_fn(handle));
    let invoke = move |event: LambdaEvent<LambdaRequest>| {
        let LambdaEvent { payload, context } = event;
        let request_id = context.request_id.clone();
        let answer = function.call(LambdaEvent::new(convertible(payload), context));
        metrics.of_invocation(request_id, Box::pin(answer))
    };
    lambda_runtime::run(service_fn(invoke)).await
}

/// The same event, with nothing in it that cannot become a URL.
pub fn convertible(mut event: LambdaRequest) -> LambdaRequest {
    if let LambdaRequest::ApiGatewayV2(request) = &mut event {
        // Then the host is the API's own domain name and the scheme https: neither is the visitor's to choose.
        request.headers.remove(HOST);
        request.headers.remove("x-forwarded-proto");
        request.raw_query_string = request.raw_query_string.as_deref().map(escaped);
        if request.raw_path.as_ref().is_some_and(|path| path.len() > LONGEST) {
            request.raw_path = None;
        }
    }
    event
}

/// A query with every byte escaped that a URL cannot have there; none if it is too long.
fn escaped(query: &str) -> String {
    if query.len() > LONGEST {
        return String::new();
    }
    let mut escaped = String::with_capacity(query.len());
    for character in query.chars() {
        match character {
            '\0'..=' ' | '"' | '#' | '<' | '>' | '\x7f' => {
                escaped.push_str(&format!("%{:02X}", u32::from(character)));
            }
            _ => escaped.push(character),
        }
    }
    escaped
}
