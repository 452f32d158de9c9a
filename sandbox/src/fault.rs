//! Faults on demand, the same for both servers.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::date::signing_time;
use crate::message::{Reply, error, json_or_text};

/// What an endpoint does instead of its work, or around it. The *effect* is what the request would have
/// changed: a code that is used up, an item that is written.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This answer, without the effect.
    Answer(Reply),
    /// The effect, and this answer in place of the true one. Made by [`Fault::after_effect`].
    AnswerAfter(Reply),
    /// The effect, and half of the answer under the whole one's `Content-Length`.
    Truncated,
    /// A pause, then the effect.
    DelayBefore(Duration),
    /// The effect, then a pause before the answer.
    DelayAfter(Duration),
    /// The connection is reset without an answer and without the effect.
    ResetBefore,
    /// The effect, then the connection is reset: the answer is lost.
    ResetAfter,
    /// Waits before the effect until the test goes on. Made by [`Endpoint::hold_before`](crate::wire::Endpoint::hold_before).
    HoldBefore(Gate),
    /// Waits between the effect and the answer until the test goes on.
    HoldAfter(Gate),
}

impl Fault {
    /// Any JSON as WeChat sends it: status 200, `text/plain`.
    pub fn json(answer: Value) -> Self {
        Self::Answer(Reply::new(StatusCode::OK, "text/plain", answer.to_string()))
    }

    /// Any answer at all.
    pub fn raw(status: u16, content_type: &str, body: &str) -> Self {
        let status = StatusCode::from_u16(status).expect("a test names a real status");
        Self::Answer(Reply::new(status, content_type, body.to_owned()))
    }

    /// DynamoDB's way of failing: an exception by its short name, with its status.
    pub fn exception(status: u16, name: &str) -> Self {
        Self::aws(status, &format!("com.amazonaws.dynamodb.v20120810#{name}"), &format!("{name} on demand"))
    }

    /// DynamoDB refuses because a table, an index or a partition has too many requests.
    pub fn throttled() -> Self {
        Self::exception(400, "ProvisionedThroughputExceededException")
    }

    /// DynamoDB refuses because the account has too many requests of this kind.
    pub fn throttling() -> Self {
        Self::exception(400, "ThrottlingException")
    }

    /// DynamoDB refuses because a transaction is under way with one of the items.
    pub fn transaction_conflict() -> Self {
        Self::exception(400, "TransactionConflictException")
    }

    /// DynamoDB refuses because the request was signed ten minutes ago, as one is whose process was frozen in between.
    ///
    /// The answer's `Date` is right: the server that sends it writes the time into it.
    pub fn signature_expired() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() as i64;
        let (signed_at, oldest) = (signing_time(now - 600), signing_time(now - 300));
        let message = format!(
            "Signature expired: {signed_at} is now earlier than {oldest} ({} - 5 min.)",
            signing_time(now)
        );
        Self::aws(400, "com.amazon.coral.service#InvalidSignatureException", &message)
    }

    /// DynamoDB has an internal error.
    pub fn internal() -> Self {
        Self::exception(500, "InternalServerError")
    }

    /// The same answer, sent after the effect: the caller is told of a failure that was none.
    ///
    /// Panics for what is no answer; those faults say themselves when they happen.
    pub fn after_effect(self) -> Self {
        match self {
            Self::Answer(reply) | Self::AnswerAfter(reply) => Self::AnswerAfter(reply),
            other => panic!("{other} is no answer"),
        }
    }

    fn aws(status: u16, kind: &str, message: &str) -> Self {
        let body = json!({"__type": kind, "message": message});
        Self::raw(status, "application/x-amz-json-1.0", &body.to_string())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Answer(reply) => {
                let status = || format!("status {}", reply.status.as_u16());
                return formatter.write_str(&error(&json_or_text(&reply.body)).unwrap_or_else(status));
            }
            Self::AnswerAfter(reply) => {
                return write!(formatter, "{} after the effect", Self::Answer(reply.clone()));
            }
            Self::Truncated => "truncated answer",
            Self::DelayBefore(_) | Self::DelayAfter(_) => "delay",
            Self::ResetBefore => "reset before the effect",
            Self::ResetAfter => "answer lost",
            Self::HoldBefore(_) | Self::HoldAfter(_) => "held",
        };
        formatter.write_str(name)
    }
}

/// Where a held request waits.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    arrived: watch::Sender<bool>,
    released: watch::Sender<bool>,
}

impl Gate {
    /// Says that the request is here, and waits.
    pub(crate) async fn pass(&self) {
        self.arrived.send_replace(true);
        let _ = self.released.subscribe().wait_for(|released| *released).await;
    }
}

/// One request that is held at an exact point. Dropping it lets the request go on.
#[derive(Debug)]
pub struct Hold(Gate);

impl Hold {
    pub(crate) fn at(gate: Gate) -> Self {
        Self(gate)
    }

    /// Returns once the request waits at the point.
    pub async fn arrived(&self) {
        let _ = self.0.arrived.subscribe().wait_for(|arrived| *arrived).await;
    }

    /// Lets the request go on.
    pub fn release(self) {}
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.released.send_replace(true);
    }
}
