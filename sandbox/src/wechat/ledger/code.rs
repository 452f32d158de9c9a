//! Authorization codes: one hour, one use, one account.

use std::collections::HashMap;

use super::super::refusal::Refusal;

/// How long an authorization code lives, in seconds.
const LIFE: i64 = 3600;

/// The Official Account of the event files.
pub(in super::super) const DEMO_OFFICIAL_ACCOUNT: &str = "wx5a4db0c0ffee0001";

/// The Mini Program of the event files.
pub(in super::super) const DEMO_MINI_PROGRAM: &str = "wx5a4db0c5709e0002";

/// All codes ever made, by themselves.
#[derive(Default)]
pub(super) struct Codes(HashMap<String, Code>);

/// What a code stands for.
struct Code {
    authorizer_appid: String,
    expires_at: i64,
    used: bool,
}

impl Codes {
    pub(super) fn put(&mut self, code: &str, appid: &str, now: i64) {
        let meaning = Code { authorizer_appid: appid.to_owned(), expires_at: now + LIFE, used: false };
        self.0.insert(code.to_owned(), meaning);
    }

    pub(super) fn contains(&self, code: &str) -> bool {
        self.0.contains_key(code)
    }

    /// Uses a code up and returns its account: 61009 for what was never made here, 61010 for what was used before or
    /// grew too old.
    pub(super) fn spend(&mut self, code: &str, now: i64) -> Result<String, Refusal> {
        let known = self.0.get_mut(code).ok_or_else(|| Refusal::new(61009))?;
        if known.used || now >= known.expires_at {
            return Err(Refusal::new(61010));
        }
        known.used = true;
        Ok(known.authorizer_appid.clone())
    }
}
