//! Lambda's Runtime API on this machine, for one process.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::timeout;

/// What a process says, and when.
pub(crate) struct RuntimeApi {
    /// The value of `AWS_LAMBDA_RUNTIME_API`.
    pub(crate) address: SocketAddr,
    polls: UnboundedReceiver<Poll>,
    answers: UnboundedReceiver<Answer>,
    timeout: Duration,
    server: AbortHandle,
}

/// The process waits for its next event.
pub(crate) struct Poll {
    /// When it began to wait.
    pub(crate) at: Instant,
    /// Takes the event.
    pub(crate) event: oneshot::Sender<Value>,
}

/// What the process made of an event.
pub(crate) struct Answer {
    /// When all of it was here.
    pub(crate) at: Instant,
    /// What the handler returned, or the error with which the invocation or the start failed.
    pub(crate) result: Result<Value, String>,
}

impl RuntimeApi {
    /// Listens on a free port of this machine. `timeout` is how long an invocation may take.
    pub(crate) async fn start(timeout: Duration) -> Result<Self, Box<dyn Error>> {
        let (polls_in, polls) = unbounded_channel();
        let (answers_in, answers) = unbounded_channel();
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/{outcome}", post(outcome))
            .route("/2018-06-01/runtime/init/error", post(init_error))
            .with_state(Channels { polls: polls_in, answers: answers_in, timeout });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let server = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Ok(Self { address, polls, answers, timeout, server })
    }

    /// The next time that the process waits for an event.
    pub(crate) async fn poll(&mut self) -> Result<Poll, Box<dyn Error>> {
        tokio::select! {
            biased;
            poll = timeout(self.timeout, self.polls.recv()) => {
                poll?.ok_or_else(|| "the Runtime API has ended".into())
            }
            answer = self.answers.recv() => {
                let result = answer.map(|answer| answer.result);
                Err(format!("the process should poll, but says {result:?}").into())
            }
        }
    }

    /// The answer to the event that the process has.
    pub(crate) async fn answer(&mut self) -> Result<Answer, Box<dyn Error>> {
        let answer = timeout(self.timeout, self.answers.recv()).await?;
        answer.ok_or_else(|| "the Runtime API has ended".into())
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[derive(Clone)]
struct Channels {
    polls: UnboundedSender<Poll>,
    answers: UnboundedSender<Answer>,
    timeout: Duration,
}

async fn next(State(channels): State<Channels>) -> Result<impl IntoResponse, StatusCode> {
    let (sender, receiver) = oneshot::channel();
    let poll = Poll { at: Instant::now(), event: sender };
    channels.polls.send(poll).map_err(|_| StatusCode::GONE)?;
    let event = receiver.await.map_err(|_| StatusCode::GONE)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let headers = [
        ("Content-Type", "application/json".to_owned()),
        ("Lambda-Runtime-Aws-Request-Id", request_id()),
        ("Lambda-Runtime-Deadline-Ms", (now + channels.timeout).as_millis().to_string()),
        (
            "Lambda-Runtime-Invoked-Function-Arn",
            "arn:aws:lambda:us-east-1:123456789012:function:bench".to_owned(),
        ),
        (
            "Lambda-Runtime-Trace-Id",
            "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1".to_owned(),
        ),
    ];
    Ok((headers, event.to_string()))
}

/// A new id of the form that Lambda's have.
fn request_id() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("8476a536-e9f4-11e8-9739-{:012x}", COUNT.fetch_add(1, Ordering::Relaxed))
}

async fn outcome(
    State(channels): State<Channels>,
    Path((_, outcome)): Path<(String, String)>,
    body: String,
) -> StatusCode {
    let result = match outcome.as_str() {
        "response" => serde_json::from_str(&body).map_err(|error| error.to_string()),
        _ => Err(body),
    };
    accept(&channels, result)
}

async fn init_error(State(channels): State<Channels>, body: String) -> StatusCode {
    accept(&channels, Err(body))
}

fn accept(channels: &Channels, result: Result<Value, String>) -> StatusCode {
    match channels.answers.send(Answer { at: Instant::now(), result }) {
        Ok(()) => StatusCode::ACCEPTED,
        Err(_) => StatusCode::GONE,
    }
}
