//! A test's handle on one endpoint.

use super::{Planned, Request, Wire};
use crate::fault::{Fault, Gate, Hold};

/// One endpoint of a server: what it was asked, and what it shall do wrong. Faults are played in the order
/// in which they were planned.
#[derive(Clone)]
pub struct Endpoint {
    wire: Wire,
    endpoint: String,
    containing: String,
}

impl Endpoint {
    pub(super) fn new(wire: Wire, endpoint: &str) -> Self {
        Self { wire, endpoint: endpoint.to_owned(), containing: String::new() }
    }

    /// Only the requests whose body, as compact JSON, contains `text`.
    pub fn containing(mut self, text: &str) -> Self {
        text.clone_into(&mut self.containing);
        self
    }

    /// The next request meets the fault.
    pub fn once(&self, fault: Fault) {
        self.times(1, fault);
    }

    /// The next `times` requests meet the fault.
    pub fn times(&self, times: usize, fault: Fault) {
        let planned = Planned {
            endpoint: self.endpoint.clone(),
            containing: self.containing.clone(),
            fault,
            left: times,
        };
        self.wire.0.faults.lock().expect("not poisoned").push(planned);
    }

    /// Every request meets the fault, until the faults are cleared.
    pub fn always(&self, fault: Fault) {
        self.times(usize::MAX, fault);
    }

    /// Holds the next request before its effect.
    pub fn hold_before(&self) -> Hold {
        let gate = Gate::default();
        self.once(Fault::HoldBefore(gate.clone()));
        Hold::at(gate)
    }

    /// Holds the next request between its effect and its answer.
    pub fn hold_after(&self) -> Hold {
        let gate = Gate::default();
        self.once(Fault::HoldAfter(gate.clone()));
        Hold::at(gate)
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.wire.0.requests.borrow().iter().filter(|request| self.matches(request)).cloned().collect()
    }

    /// How many requests there were so far.
    pub fn count(&self) -> usize {
        self.wire.0.requests.borrow().iter().filter(|request| self.matches(request)).count()
    }

    /// Returns once `count` requests have arrived since the start.
    pub async fn arrived(&self, count: usize) {
        let mut requests = self.wire.0.requests.subscribe();
        let enough = |requests: &Vec<Request>| {
            requests.iter().filter(|request| self.matches(request)).count() >= count
        };
        requests.wait_for(enough).await.expect("the record outlives the wait");
    }

    fn matches(&self, request: &Request) -> bool {
        self.endpoint == request.endpoint
            && (self.containing.is_empty() || request.body.to_string().contains(&self.containing))
    }
}
