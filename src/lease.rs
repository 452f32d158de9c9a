//! The right of one owner to do a piece of work, for a while.

use std::time::Duration;

use crate::id::unique_id;
use crate::time::Timestamp;

/// By how much a lease outlives the work that it is taken for.
const MARGIN: Duration = Duration::from_secs(5);

/// Who does a piece of work, and until when nobody else may.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    owner: String,
    until: Timestamp,
}

impl Lease {
    /// A lease of a new owner, from `now` on, for work that ends within `work`.
    pub(crate) fn take(now: Timestamp, work: Duration) -> Self {
        Self { owner: unique_id(), until: now + work + MARGIN }
    }

    /// The lease of the same owner, taken anew.
    pub(crate) fn again(&self, now: Timestamp, work: Duration) -> Self {
        Self { owner: self.owner.clone(), until: now + work + MARGIN }
    }

    /// Who has it.
    pub(crate) fn owner(&self) -> &str {
        &self.owner
    }

    /// When others may take it.
    pub(crate) fn until(&self) -> Timestamp {
        self.until
    }
}
