//! What the two simulated servers do around their work: record, fail on demand, answer.

mod connection;
mod endpoint;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::{StreamExt, stream};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::fault::Fault;
pub(crate) use connection::Connection;
pub use endpoint::Endpoint;

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
        Self { endpoint, query, headers, body, began: 0, ended: None, status: None, answer: None }
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
}

/// The record and the faults of one server.
#[derive(Clone)]
pub(crate) struct Wire(Arc<Inner>);

struct Inner {
    name: &'static str,
    order: Arc<AtomicU64>,
    verbose: bool,
    requests: watch::Sender<Vec<Request>>,
    faults: Mutex<Vec<Planned>>,
}

struct Planned {
    endpoint: String,
    containing: String,
    fault: Fault,
    left: usize,
}

impl Wire {
    /// `order` numbers the requests of all servers together; `verbose` prints a line for each.
    pub(crate) fn new(name: &'static str, order: Arc<AtomicU64>, verbose: bool) -> Self {
        let requests = watch::Sender::new(Vec::new());
        Self(Arc::new(Inner { name, order, verbose, requests, faults: Mutex::default() }))
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.0.requests.borrow().clone()
    }

    pub(crate) fn clear_faults(&self) {
        self.0.faults.lock().expect("not poisoned").clear();
    }

    pub(crate) fn endpoint(&self, endpoint: &str) -> Endpoint {
        Endpoint::new(self.clone(), endpoint)
    }

    /// Records `request`, then does its `effect` and answers, or what a fault says.
    pub(crate) async fn answer(
        &self,
        request: Request,
        connection: Connection,
        effect: impl Future<Output = Reply>,
    ) -> Response {
        let started = Instant::now();
        let endpoint = request.endpoint.clone();
        let fault = self.take_fault(&request);
        let index = self.record(request);
        let effect = async {
            let reply = effect.await;
            self.complete(index, &reply);
            reply
        };
        let response = match fault {
            None => effect.await.into(),
            Some(Fault::Answer(reply)) => {
                self.complete(index, &reply);
                reply.into()
            }
            Some(Fault::Truncated) => truncated(effect.await),
            Some(Fault::DelayBefore(pause)) => {
                tokio::time::sleep(pause).await;
                effect.await.into()
            }
            Some(Fault::DelayAfter(pause)) => {
                let reply = effect.await;
                tokio::time::sleep(pause).await;
                reply.into()
            }
            Some(Fault::ResetBefore) => connection.reset(),
            Some(Fault::ResetAfter) => {
                effect.await;
                connection.reset()
            }
            Some(Fault::HoldBefore(gate)) => {
                gate.pass().await;
                effect.await.into()
            }
            Some(Fault::HoldAfter(gate)) => {
                let reply = effect.await;
                gate.pass().await;
                reply.into()
            }
        };
        self.print(&endpoint, index, started.elapsed());
        response
    }

    fn take_fault(&self, request: &Request) -> Option<Fault> {
        let mut faults = self.0.faults.lock().expect("not poisoned");
        if faults.is_empty() {
            return None;
        }
        let body = request.body.to_string();
        let index = faults
            .iter()
            .position(|planned| planned.endpoint == request.endpoint && body.contains(&planned.containing))?;
        let planned = &mut faults[index];
        let fault = planned.fault.clone();
        planned.left -= 1;
        if planned.left == 0 {
            faults.remove(index);
        }
        Some(fault)
    }

    fn record(&self, mut request: Request) -> usize {
        let mut index = 0;
        self.0.requests.send_modify(|requests| {
            request.began = self.0.order.fetch_add(1, Ordering::Relaxed);
            index = requests.len();
            requests.push(request);
        });
        index
    }

    fn complete(&self, index: usize, reply: &Reply) {
        self.0.requests.send_modify(|requests| {
            let request = &mut requests[index];
            request.ended = Some(self.0.order.fetch_add(1, Ordering::Relaxed));
            request.status = Some(reply.status.as_u16());
            request.answer = Some(json_or_text(&reply.body));
        });
    }

    /// Names and numbers only: bodies and queries are full of secrets.
    fn print(&self, endpoint: &str, index: usize, took: Duration) {
        if !self.0.verbose {
            return;
        }
        let requests = self.0.requests.borrow();
        let request = &requests[index];
        let status = request.status.map_or("reset".to_owned(), |status| status.to_string());
        let errcode = request.answer.as_ref().and_then(|answer| answer["errcode"].as_i64());
        let errcode = errcode.map(|errcode| format!(" errcode {errcode}")).unwrap_or_default();
        println!("{:<9} {endpoint} {status}{errcode} {} ms", self.0.name, took.as_millis());
    }
}

/// Serves until aborted. Handlers find their [`Connection`] as connect info.
pub(crate) fn serve(listener: TcpListener, router: Router) -> AbortHandle {
    let router = router.into_make_service_with_connect_info::<Connection>();
    let listener = connection::Listener(listener);
    tokio::spawn(async { axum::serve(listener, router).await.expect("serving never ends") }).abort_handle()
}

pub(crate) fn json_or_text(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
}

impl From<Reply> for Response {
    fn from(reply: Reply) -> Self {
        let mut response = Self::new(reply.body.into());
        *response.status_mut() = reply.status;
        *response.headers_mut() = reply.headers;
        response
    }
}

/// The pause between the half and the end makes the server send the half.
fn truncated(reply: Reply) -> Response {
    let length = reply.body.len();
    let half = reply.body.slice(..length / 2);
    let end = stream::once(async {
        tokio::task::yield_now().await;
        Err(std::io::Error::other("truncated on demand"))
    });
    let mut response = Response::from(Reply { body: Bytes::new(), ..reply });
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    *response.body_mut() = Body::from_stream(stream::iter([Ok(half)]).chain(end));
    response
}
