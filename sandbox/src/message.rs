//! Requests and answers of the two simulated servers.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::{StreamExt, stream};
use serde_json::Value;

/// One request as a server saw it.
#[derive(Clone, Debug)]
pub struct Request {
    /// WeChat: the last part of the path, as `api_query_auth`. DynamoDB: the operation, as `GetItem`.
    pub endpoint: String,
    /// The query, decoded.
    pub query: BTreeMap<String, String>,
    /// The headers, with lower-case names.
    pub headers: BTreeMap<String, String>,
    /// The body; a string where it is not JSON.
    pub body: Value,
    /// When it arrived.
    pub at: Instant,
    /// How long its answer took; absent where that of [`Request::ended`] is.
    pub took: Option<Duration>,
    /// When it arrived, on a scale that both servers share: numbers, not times.
    pub began: u64,
    /// When its answer was ready, on the same scale; absent while it runs and when the caller went away.
    pub ended: Option<u64>,
    /// The status of the answer.
    pub status: Option<u16>,
    /// The body of the answer, also of one that a fault lost on the way.
    pub answer: Option<Value>,
}

impl Request {
    pub(crate) fn new(
        endpoint: String,
        query: BTreeMap<String, String>,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Self {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        let body = json_or_text(body);
        let at = Instant::now();
        Self {
            endpoint,
            query,
            headers,
            body,
            at,
            took: None,
            began: 0,
            ended: None,
            status: None,
            answer: None,
        }
    }
}

/// An answer before it is sent.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status code.
    pub status: StatusCode,
    /// The headers, without the length.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// An answer of one content type.
    pub fn new(status: StatusCode, content_type: &str, body: impl Into<Bytes>) -> Self {
        let content_type = HeaderValue::from_str(content_type).expect("a content type is a header value");
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, content_type)]);
        Self { status, headers, body: body.into() }
    }

    /// Half of the answer under the whole one's length. The pause between the half and the end makes the
    /// server send the half.
    pub(crate) fn truncated(self) -> Response {
        let length = self.body.len();
        let half = self.body.slice(..length / 2);
        let end = stream::once(async {
            tokio::task::yield_now().await;
            Err(std::io::Error::other("truncated on demand"))
        });
        let mut response = Response::from(Self { body: Bytes::new(), ..self });
        response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
        *response.body_mut() = Body::from_stream(stream::iter([Ok(half)]).chain(end));
        response
    }
}

impl From<Reply> for Response {
    fn from(reply: Reply) -> Self {
        let mut response = Self::new(reply.body.into());
        *response.status_mut() = reply.status;
        *response.headers_mut() = reply.headers;
        response
    }
}

pub(crate) fn json_or_text(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
}

/// The name of the failure in an answer of either server: `errcode -1`, `ThrottlingException`.
pub(crate) fn error(answer: &Value) -> Option<String> {
    match (answer["errcode"].as_i64(), answer["__type"].as_str()) {
        (Some(0) | None, None) => None,
        (_, Some(exception)) => exception.rsplit('#').next().map(str::to_owned),
        (Some(errcode), None) => Some(format!("errcode {errcode}")),
    }
}
