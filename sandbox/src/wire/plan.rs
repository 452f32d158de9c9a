//! The faults that wait for their requests.

use std::sync::{Arc, Mutex, MutexGuard};

use crate::fault::Fault;
use crate::message::Request;

/// The requests that are meant: of one endpoint, and with a text in the body.
#[derive(Clone)]
pub(super) struct Matching {
    pub(super) endpoint: String,
    /// Empty where every body is meant.
    pub(super) containing: String,
}

impl Matching {
    pub(super) fn matches(&self, request: &Request) -> bool {
        self.endpoint == request.endpoint
            && (self.containing.is_empty() || request.body.to_string().contains(&self.containing))
    }
}

/// The faults of one server, in the order in which they are played; clones are the same plan.
#[derive(Clone, Default)]
pub(super) struct Plan(Arc<Mutex<Vec<Planned>>>);

struct Planned {
    matching: Matching,
    fault: Fault,
    left: usize,
}

impl Plan {
    /// The next `times` requests that match meet the fault.
    pub(super) fn add(&self, matching: &Matching, times: usize, fault: Fault) {
        self.faults().push(Planned { matching: matching.clone(), fault, left: times });
    }

    /// The fault that this request meets.
    pub(super) fn take(&self, request: &Request) -> Option<Fault> {
        let mut faults = self.faults();
        let index = faults.iter().position(|planned| planned.matching.matches(request))?;
        let planned = &mut faults[index];
        let fault = planned.fault.clone();
        planned.left -= 1;
        if planned.left == 0 {
            faults.remove(index);
        }
        Some(fault)
    }

    pub(super) fn clear(&self) {
        self.faults().clear();
    }

    /// What is planned and not yet played, in words.
    pub(super) fn words(&self) -> Vec<String> {
        let words = |Planned { matching, fault, left }: &Planned| match left {
            1 => format!("{}: {fault}", matching.endpoint),
            2..=1000 => format!("{}: {fault}, {left} times", matching.endpoint),
            _ => format!("{}: {fault}, always", matching.endpoint),
        };
        self.faults().iter().map(words).collect()
    }

    fn faults(&self) -> MutexGuard<'_, Vec<Planned>> {
        self.0.lock().expect("not poisoned")
    }
}
