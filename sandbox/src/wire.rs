//! What the two simulated servers do around their work: record, fail on demand, answer.

mod endpoint;
mod plan;
mod record;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use axum::response::Response;

use crate::fault::Fault;
use crate::log::Log;
use crate::message::error;
use crate::net::Connection;
use crate::say;
pub use endpoint::Endpoint;
use plan::Plan;
use record::Record;

pub use crate::message::{Reply, Request};

/// The record and the faults of one server; clones are the same ones.
#[derive(Clone)]
pub(crate) struct Wire {
    name: &'static str,
    log: Log,
    record: Record,
    plan: Plan,
}

impl Wire {
    /// `order` numbers the requests of all servers together; `log` says whether each gets a line.
    pub(crate) fn new(name: &'static str, order: Arc<AtomicU64>, log: Log) -> Self {
        Self { name, log, record: Record::new(order), plan: Plan::default() }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.record.read(<[Request]>::to_vec)
    }

    pub(crate) fn clear_faults(&self) {
        self.plan.clear();
    }

    /// What is planned and not yet played, in words.
    pub(crate) fn planned_faults(&self) -> Vec<String> {
        self.plan.words()
    }

    pub(crate) fn endpoint(&self, endpoint: &str) -> Endpoint {
        Endpoint::new(self.record.clone(), self.plan.clone(), endpoint)
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
        let fault = self.plan.take(&request);
        let index = self.record.begin(request);
        let answered = |reply: Reply| {
            self.record.complete(index, &reply);
            reply
        };
        let response = match fault {
            None => answered(effect.await).into(),
            Some(Fault::Answer(reply)) => answered(reply).into(),
            Some(Fault::AnswerAfter(reply)) => {
                effect.await;
                answered(reply).into()
            }
            Some(Fault::Truncated) => answered(effect.await).truncated(),
            Some(Fault::DelayBefore(pause)) => {
                tokio::time::sleep(pause).await;
                answered(effect.await).into()
            }
            Some(Fault::DelayAfter(pause)) => {
                let reply = answered(effect.await);
                tokio::time::sleep(pause).await;
                reply.into()
            }
            Some(Fault::ResetBefore) => connection.reset(),
            Some(Fault::ResetAfter) => {
                answered(effect.await);
                connection.reset()
            }
            Some(Fault::HoldBefore(gate)) => {
                gate.pass().await;
                answered(effect.await).into()
            }
            Some(Fault::HoldAfter(gate)) => {
                let reply = answered(effect.await);
                gate.pass().await;
                reply.into()
            }
        };
        self.print(&endpoint, index, started.elapsed());
        response
    }

    /// Names and numbers only: bodies and queries are full of secrets.
    fn print(&self, endpoint: &str, index: usize, took: Duration) {
        if self.log < Log::Requests {
            return;
        }
        let (status, error) = self.record.read(|requests| {
            let request = &requests[index];
            let status = request.status.map_or("reset".to_owned(), |status| status.to_string());
            (status, request.answer.as_ref().and_then(error))
        });
        let error = error.map(|error| format!(" {error}")).unwrap_or_default();
        say!("{:<9} {endpoint} {status}{error} {} ms", self.name, took.as_millis());
    }
}
