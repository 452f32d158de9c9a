//! What the simulated WeChat's controls and its handlers share.

use std::sync::{Arc, Mutex, MutexGuard};

use wechat_authorizer::time::Clock;

use super::delivery::Pushes;
use super::ledger::Ledger;
use crate::wire::Wire;

/// Clones are the same one.
#[derive(Clone)]
pub(super) struct Part {
    pub(super) clock: Clock,
    pub(super) ledger: Arc<Mutex<Ledger>>,
    pub(super) wire: Wire,
    pub(super) pushes: Pushes,
}

impl Part {
    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("not poisoned")
    }
}
