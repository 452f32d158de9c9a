//! The way from API Gateway's event to an HTTP request.
//!
//! `lambda_http` makes a URL of what the visitor sent, and panics where that is none: for a raw space, quote
//! or angle bracket in the query, or an odd `X-Forwarded-Proto`. A link that was mangled in a chat is no
//! reason to die, so what it cannot take is escaped before, or left out.

use lambda_http::http::header::HOST;
use lambda_http::request::LambdaRequest;

/// Longer than API Gateway's own limit of a request line and its headers.
const LONGEST: usize = 16 * 1024;

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
