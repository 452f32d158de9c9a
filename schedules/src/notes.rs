//! What happened in a world, as those who live in it would tell it.

use std::collections::{BTreeMap, BTreeSet};

use crate::product::Launched;

/// What is to be remembered.
#[derive(Default)]
pub struct Notes {
    /// Launch pages that came, by launch.
    pub launches: BTreeMap<u8, Launched>,
    /// Whose launch it is.
    pub launched_by: BTreeMap<u8, u8>,
    /// What merchants agreed to.
    pub consents: BTreeMap<u8, Consent>,
    /// What merchants took back.
    pub revocations: BTreeMap<u8, Revocation>,
    /// Pages that strangers opened: their paths.
    pub strangers: BTreeMap<u8, String>,
    /// The states of launches that each merchant's own codes ended.
    pub own_states: BTreeMap<u8, BTreeSet<String>>,
    /// Codes that WeChat or a service vouched for: a push with it was answered `success`, or it came to a launch.
    pub vouched_for: BTreeSet<String>,
    /// Merchants whose record was lost.
    pub lost: BTreeSet<u8>,
    /// Access tokens of which a service has said that they were refused.
    pub refused_tokens: BTreeSet<String>,
    /// Access tokens that WeChat ended before their time.
    pub ended_tokens: BTreeSet<String>,
    /// Invariants that do not hold.
    pub broken: Vec<String>,
}

/// A consent, or a change of permission sets.
pub struct Consent {
    /// Whose it is.
    pub merchant: u8,
    /// The code in the redirect.
    pub code: String,
    /// The code that a push may carry instead.
    pub own_code: String,
    /// The launch that it ended.
    pub launch: Option<u8>,
    /// When, by WeChat's clock.
    pub at: i64,
    /// Whether the account was authorized before.
    pub is_update: bool,
    /// Whether there is a redirect.
    pub has_redirect: bool,
    /// Whether WeChat has nothing to push about it.
    pub silent: bool,
    /// Whether WeChat has pushed it.
    pub pushed: bool,
    /// The status of the last visit.
    pub visited: Option<u16>,
}

/// A revocation.
pub struct Revocation {
    /// Whose it is.
    pub merchant: u8,
    /// When, by WeChat's clock.
    pub at: i64,
    /// Whether WeChat has pushed it.
    pub pushed: bool,
    /// Whether that push was answered `success`.
    pub taken: bool,
}

impl Notes {
    /// Notes that an invariant does not hold, once.
    pub fn broke(&mut self, what: impl Into<String>) {
        let what = what.into();
        if !self.broken.contains(&what) {
            self.broken.push(what);
        }
    }
}
