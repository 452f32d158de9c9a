//! Access tokens: two hours, and five minutes of overlap when a new one is made.

use super::refusal::Refusal;

/// How long an access token lives, in seconds.
pub(super) const LIFE: i64 = 7200;

/// How long a superseded token goes on working, in seconds.
const OVERLAP: i64 = 300;

/// All access tokens ever made for one purpose.
#[derive(Default)]
pub(super) struct Tokens(Vec<Token>);

struct Token {
    value: String,
    expires_at: i64,
    superseded: bool,
}

impl Tokens {
    /// The token just made is the newest.
    pub(super) fn add(&mut self, value: String, now: i64) {
        if let Some(last) = self.0.last_mut() {
            last.superseded = true;
            last.expires_at = last.expires_at.min(now + OVERLAP);
        }
        self.0.push(Token { value, expires_at: now + LIFE, superseded: false });
    }

    /// All end now, with the refusal of a token that is not the newest.
    pub(super) fn invalidate(&mut self) {
        for token in &mut self.0 {
            (token.expires_at, token.superseded) = (i64::MIN, true);
        }
    }

    pub(super) fn contains(&self, value: &str) -> bool {
        self.0.iter().any(|token| token.value == value)
    }

    /// 40001 for what was never made here or is no longer the newest, 42001 for what grew too old.
    pub(super) fn check(&self, value: &str, now: i64) -> Result<(), Refusal> {
        let token = self.0.iter().find(|token| token.value == value).ok_or_else(|| Refusal::new(40001))?;
        match (now < token.expires_at, token.superseded) {
            (true, _) => Ok(()),
            (false, true) => Err(Refusal::new(40001)),
            (false, false) => Err(Refusal::new(42001)),
        }
    }
}
