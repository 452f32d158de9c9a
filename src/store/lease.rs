//! Leases, as the tables have them. This is the one place that says when one may be taken.

use super::attribute::{LEASE_OWNER, LEASE_UNTIL};
use super::item::{string, time};
use super::update::{Condition, Update};
use crate::lease::Lease;
use crate::time::Timestamp;

impl Condition {
    /// Nobody has a lease at `now`, or it is over, or it is this one: its answer was lost.
    pub(super) fn can_take(lease: &Lease, now: Timestamp) -> Self {
        Self::Any(vec![Self::absent_or_at_most(LEASE_UNTIL, time(now)), Self::holds(lease)])
    }

    /// The owner of this lease has it.
    pub(super) fn holds(lease: &Lease) -> Self {
        Self::Equals(LEASE_OWNER, string(lease.owner()))
    }
}

impl Update {
    /// Takes the lease. Whether that is allowed is a condition.
    pub(super) fn take_lease(self, lease: &Lease) -> Self {
        self.set(LEASE_OWNER, string(lease.owner())).set(LEASE_UNTIL, time(lease.until()))
    }

    /// Ends the lease, whoever has it.
    pub(super) fn end_lease(self) -> Self {
        self.remove(LEASE_OWNER).remove(LEASE_UNTIL)
    }
}
