//! A test's handle on one endpoint.

use super::plan::{Matching, Plan};
use super::record::Record;
use crate::fault::{Fault, Gate, Hold};
use crate::message::Request;

/// One endpoint of a server: what it was asked, and what it shall do wrong. Faults are played in the order
/// in which they were planned.
#[derive(Clone)]
pub struct Endpoint {
    record: Record,
    plan: Plan,
    matching: Matching,
}

impl Endpoint {
    pub(super) fn new(record: Record, plan: Plan, endpoint: &str) -> Self {
        let matching = Matching { endpoint: endpoint.to_owned(), containing: String::new() };
        Self { record, plan, matching }
    }

    /// Only the requests whose body, as compact JSON, contains `text`.
    pub fn containing(mut self, text: &str) -> Self {
        text.clone_into(&mut self.matching.containing);
        self
    }

    /// The next request meets the fault.
    pub fn once(&self, fault: Fault) {
        self.times(1, fault);
    }

    /// The next `times` requests meet the fault.
    pub fn times(&self, times: usize, fault: Fault) {
        self.plan.add(&self.matching, times, fault);
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
        self.record.read(|requests| self.matching(requests).cloned().collect())
    }

    /// How many requests there were so far.
    pub fn count(&self) -> usize {
        self.record.read(|requests| self.matching(requests).count())
    }

    /// Returns once `count` requests have arrived since the start.
    pub async fn arrived(&self, count: usize) {
        self.record.wait_for(|requests| self.matching(requests).count() >= count).await;
    }

    fn matching<'a>(&'a self, requests: &'a [Request]) -> impl Iterator<Item = &'a Request> {
        requests.iter().filter(|request| self.matching.matches(request))
    }
}
