//! The way from API Gateway's event to an HTTP request.
//!
//! `lambda_http` makes a URL of what the visitor sent, and panics if that is not a URL: for a raw space, quote
//! or angle bracket in the query, an odd `X-Forwarded-Proto` or domain name, a body that is not base64. A link that was
//! mangled in a chat is no reason to die, so what it cannot take is escaped before, or left out. An event that API Gateway
//! does not make is answered with 400 and a line that names what this function is for.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use lambda_http::http::Uri;
use lambda_http::http::header::HOST;
use lambda_http::request::LambdaRequest;
use reqwest::Url;
use serde_json::{Value, json};
use thiserror::Error;

/// Longer than API Gateway's own limit of a request line and its headers.
const LONGEST: usize = 16 * 1024;

/// Why an event is not one of an HTTP API.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum MalformedEvent {
    /// It has another payload format, or none: a REST API's, a load balancer's, a test of the console's.
    #[error("its version is not 2.0")]
    OtherFormat,
    /// A part that each event has is missing, or is of another type.
    #[error("a part of it is missing or malformed")]
    Part,
    /// The body says that it is base64 and is not.
    #[error("its body is not base64")]
    Body,
    /// The domain name and the path are no address.
    #[error("domainName and rawPath make no address")]
    Address,
}

/// The request of an event, with nothing in it that cannot become a URL.
pub fn read(event: Value) -> Result<LambdaRequest, MalformedEvent> {
    if event["version"] != "2.0" {
        return Err(MalformedEvent::OtherFormat);
    }
    if event["isBase64Encoded"] == true
        && STANDARD.decode(event["body"].as_str().unwrap_or_default()).is_err()
    {
        return Err(MalformedEvent::Body);
    }
    if !event["requestContext"]["http"]["method"].is_string() {
        return Err(MalformedEvent::Part);
    }
    let request: ApiGatewayV2httpRequest = serde_json::from_value(event).map_err(|_| MalformedEvent::Part)?;
    convertible(request).map(LambdaRequest::ApiGatewayV2)
}

/// Says to the operator why an event is not answered, and answers whoever sent it.
pub fn refuse(malformed: MalformedEvent) -> Value {
    tracing::warn!(
        advice = "invoke this function through an HTTP API with payload format 2.0, as the template does",
        "refused: the event is not one of an HTTP API: {malformed}"
    );
    json!({
        "statusCode": 400,
        "headers": {"content-type": "text/plain; charset=utf-8", "cache-control": "no-store"},
        "body": "This function answers an HTTP API with payload format 2.0.",
        "isBase64Encoded": false,
    })
}

fn convertible(mut request: ApiGatewayV2httpRequest) -> Result<ApiGatewayV2httpRequest, MalformedEvent> {
    // Then the host is the API's own domain name and the scheme https: neither is the visitor's to choose.
    request.headers.remove(HOST);
    request.headers.remove("x-forwarded-proto");
    request.raw_query_string = request.raw_query_string.as_deref().map(escaped);
    request.raw_path = request.raw_path.filter(|path| path.len() <= LONGEST);
    let path = request.raw_path.as_deref().unwrap_or_default();
    let domain_name = request.request_context.domain_name.as_deref().unwrap_or("localhost");
    let starts_anew = path.is_empty() || path.starts_with('/');
    let address = starts_anew.then(|| Url::parse(&format!("https://{domain_name}{path}")).ok()).flatten();
    let query = request.raw_query_string.as_deref().unwrap_or_default();
    let is_address = address.is_some_and(|address| format!("{address}?{query}").parse::<Uri>().is_ok());
    is_address.then_some(request).ok_or(MalformedEvent::Address)
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
