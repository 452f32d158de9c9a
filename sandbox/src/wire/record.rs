//! Every request that a server has seen.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

use crate::message::{Reply, Request, json_or_text};

/// The requests of one server, in the order in which they arrived; clones are the same record.
#[derive(Clone)]
pub(super) struct Record {
    order: Arc<AtomicU64>,
    requests: watch::Sender<Vec<Request>>,
}

impl Record {
    /// `order` numbers the requests of all servers together.
    pub(super) fn new(order: Arc<AtomicU64>) -> Self {
        Self { order, requests: watch::Sender::default() }
    }

    /// Looks at the requests so far.
    pub(super) fn read<T>(&self, look: impl FnOnce(&[Request]) -> T) -> T {
        look(&self.requests.borrow())
    }

    /// Returns once the requests are as `enough` wants them.
    pub(super) async fn wait_for(&self, enough: impl Fn(&[Request]) -> bool) {
        let mut requests = self.requests.subscribe();
        requests.wait_for(|requests| enough(requests)).await.expect("the record outlives the wait");
    }

    /// Adds a request, and returns its place.
    pub(super) fn begin(&self, mut request: Request) -> usize {
        let mut index = 0;
        self.requests.send_modify(|requests| {
            request.began = self.order.fetch_add(1, Ordering::Relaxed);
            index = requests.len();
            requests.push(request);
        });
        index
    }

    /// Notes the answer of the request at this place.
    pub(super) fn complete(&self, index: usize, reply: &Reply) {
        self.requests.send_modify(|requests| {
            let request = &mut requests[index];
            request.took = Some(request.at.elapsed());
            request.ended = Some(self.order.fetch_add(1, Ordering::Relaxed));
            request.status = Some(reply.status.as_u16());
            request.answer = Some(json_or_text(&reply.body));
        });
    }
}
