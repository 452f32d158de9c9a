//! What the two simulated servers do around their work: record, fail on demand, answer.

mod connection;
mod endpoint;
mod message;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::response::Response;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::fault::Fault;
pub(crate) use connection::Connection;
pub use endpoint::Endpoint;
pub use message::{Reply, Request};
pub(crate) use message::{error, json_or_text};

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

    /// What is planned and not yet played, in words.
    pub(crate) fn planned_faults(&self) -> Vec<String> {
        let faults = self.0.faults.lock().expect("not poisoned");
        let words = |planned: &Planned| match planned.left {
            1 => format!("{}: {}", planned.endpoint, planned.fault),
            2..=1000 => format!("{}: {}, {} times", planned.endpoint, planned.fault, planned.left),
            _ => format!("{}: {}, always", planned.endpoint, planned.fault),
        };
        faults.iter().map(words).collect()
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
            Some(Fault::Truncated) => effect.await.truncated(),
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
        let error = request.answer.as_ref().and_then(error).map(|error| format!(" {error}"));
        let error = error.unwrap_or_default();
        println!("{:<9} {endpoint} {status}{error} {} ms", self.0.name, took.as_millis());
    }
}

/// A task that serves; it ends with this handle.
pub(crate) struct Server(AbortHandle);

impl Server {
    pub(crate) fn spawn(serving: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(serving).abort_handle())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Serves HTTP. Handlers find their [`Connection`] as connect info.
pub(crate) fn serve(listener: TcpListener, router: Router) -> Server {
    let router = router.into_make_service_with_connect_info::<Connection>();
    let listener = connection::Listener(listener);
    Server::spawn(async { axum::serve(listener, router).await.expect("serving never ends") })
}
