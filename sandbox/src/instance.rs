//! One instance of a function that answers HTTP, invoked as Lambda and API Gateway do it.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lambda_http::{Adapter, Body, Context, Error, LambdaEvent, Request, Response, Service, service_fn};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, timeout, timeout_at};
use wechat_authorizer::after::{self, AfterWork};
use wechat_authorizer::time::Clock;

use crate::gateway::request::{HttpRequest, event};
use crate::opaque;

type Handled = Pin<Box<dyn Future<Output = Result<Response<Body>, Error>> + Send>>;

/// A warm instance; clones are the same one.
#[derive(Clone)]
pub struct Instance {
    handler: Arc<dyn Fn(Request) -> Handled + Send + Sync>,
    timeout: Duration,
    clock: Clock,
}

/// What API Gateway makes of an invocation.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers, with lower-case names.
    pub headers: BTreeMap<String, String>,
    /// What `Set-Cookie` is made of, one for each cookie.
    pub cookies: Vec<String>,
    /// The body as it is sent.
    pub body: String,
    /// Why the invocation itself failed; then the rest is API Gateway's own answer.
    pub error: Option<String>,
}

impl Answer {
    /// A header by its lower-case name, empty where it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    fn failed(error: String) -> Self {
        let headers = [("content-type".to_owned(), "application/json".to_owned())].into();
        let body = r#"{"message":"Internal Server Error"}"#.to_owned();
        Self { status: 500, headers, cookies: Vec::new(), body, error: Some(error) }
    }
}

impl Instance {
    /// Any handler of HTTP requests as an instance.
    pub fn new<F>(
        timeout: Duration,
        clock: Clock,
        handler: impl Fn(Request) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Response<Body>, Error>> + Send + 'static,
    {
        Self { handler: Arc::new(move |request| Box::pin(handler(request))), timeout, clock }
    }

    /// The same instance with another time limit: its invocations end there, as Lambda ends them, and the
    /// functions see the deadline in their context.
    pub fn with_remaining(&self, remaining: Duration) -> Self {
        Self { timeout: remaining, ..self.clone() }
    }

    /// `GET` with nothing but the path and the query.
    pub async fn get(&self, path_and_query: &str) -> Answer {
        self.request(HttpRequest::get(path_and_query)).await
    }

    /// Any request, through the event that API Gateway makes of it.
    pub async fn request(&self, request: impl Into<HttpRequest>) -> Answer {
        self.invoke(event(&request.into(), self.clock.now().as_secs())).await
    }

    /// One event file.
    pub async fn invoke_file(&self, event: &str) -> Answer {
        self.invoke(serde_json::from_str(event).expect("an event file is JSON")).await
    }

    /// One invocation, with what it does after its answer. Dropping the future is the death of the process.
    pub async fn invoke(&self, event: Value) -> Answer {
        let ends = Instant::now() + self.timeout;
        let (answer, left) = after::gather(self.answered(event)).await;
        // Lambda ends what takes longer. The answer is on its way.
        let _ = timeout_at(ends, left.run()).await;
        answer
    }

    /// Any request up to its answer, and what the invocation has left to do before the instance takes the next event. A
    /// test that drops that kills the process after its answer; one that keeps it freezes the process.
    pub async fn answer(&self, request: impl Into<HttpRequest>) -> (Answer, AfterWork) {
        after::gather(self.answered(event(&request.into(), self.clock.now().as_secs()))).await
    }

    async fn answered(&self, event: Value) -> Answer {
        // The same way in as in the artifact.
        let request = match wechat_authorizer::gateway::read(event) {
            Ok(request) => request,
            Err(malformed) => return parse(&wechat_authorizer::gateway::refuse(malformed).to_string()),
        };
        let handler = self.handler.clone();
        let mut adapter = Adapter::from(service_fn(move |request| handler(request)));
        let invocation = adapter.call(LambdaEvent::new(request, context(self.timeout)));
        match timeout(self.timeout, invocation).await {
            Err(_) => {
                Answer::failed(format!("Task timed out after {:.2} seconds", self.timeout.as_secs_f64()))
            }
            Ok(Err(error)) => Answer::failed(error.to_string()),
            Ok(Ok(response)) => {
                parse(&serde_json::to_string(&response).expect("lambda_http serializes its responses"))
            }
        }
    }
}

/// What Lambda tells an invocation that may take so long.
pub(crate) fn context(timeout: Duration) -> Context {
    let deadline = SystemTime::now() + timeout;
    let mut context = Context::default();
    context.request_id = format!("{}-{}-{}", opaque::hex(8), opaque::hex(4), opaque::hex(12));
    context.deadline = deadline.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
    context
}

/// Reads what the function returns as API Gateway reads it.
fn parse(response: &str) -> Answer {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Returned {
        status_code: u16,
        #[serde(default)]
        headers: BTreeMap<String, String>,
        #[serde(default)]
        cookies: Vec<String>,
        body: Option<String>,
        #[serde(default)]
        is_base64_encoded: bool,
    }
    let returned: Returned = serde_json::from_str(response).expect("an API Gateway response");
    let body = returned.body.unwrap_or_default();
    let body = if returned.is_base64_encoded {
        let bytes = STANDARD.decode(body).expect("a base64 body");
        String::from_utf8_lossy(&bytes).into_owned()
    } else {
        body
    };
    let Returned { status_code: status, headers, cookies, .. } = returned;
    Answer { status, headers, cookies, body, error: None }
}
