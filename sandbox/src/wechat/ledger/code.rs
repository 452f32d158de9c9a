//! Authorization codes: one hour, one use, one account.

use super::{Kind, Ledger, Refusal};
use crate::opaque;

/// How long an authorization code lives, in seconds.
const LIFE: i64 = 3600;

/// The Official Account of the event files.
pub(in super::super) const DEMO_OFFICIAL_ACCOUNT: &str = "wx5a4db0c0ffee0001";

/// The Mini Program of the event files.
pub(in super::super) const DEMO_MINI_PROGRAM: &str = "wx5a4db0c5709e0002";

/// What a code stands for.
pub(super) struct Code {
    authorizer_appid: String,
    expires_at: i64,
    used: bool,
}

impl Ledger {
    /// A code for the authorization that stands.
    pub(in super::super) fn mint_code(&mut self, appid: &str, now: i64) -> String {
        let code = self.secret(opaque::prefixed("queryauthcode", 64));
        self.put_code(&code, appid, now);
        code
    }

    fn put_code(&mut self, code: &str, appid: &str, now: i64) {
        let code_ = Code { authorizer_appid: appid.to_owned(), expires_at: now + LIFE, used: false };
        self.codes.insert(code.to_owned(), code_);
    }

    /// Uses a code up and returns whose it is.
    pub(in super::super) fn spend_code(&mut self, code: &str, now: i64) -> Result<String, Refusal> {
        // What somebody made up is as secret as what was made here, and long enough not to be a word.
        if code.len() >= 16 {
            self.secret(code.to_owned());
        }
        self.know_fixed_code(code, now)?;
        let known = self.codes.get_mut(code).ok_or_else(|| Refusal::new(61009))?;
        if known.used || now >= known.expires_at {
            return Err(Refusal::new(61010));
        }
        known.used = true;
        let appid = known.authorizer_appid.clone();
        let authorization = self.entry(&appid).authorization.as_mut().ok_or_else(|| Refusal::new(61003))?;
        authorization.exchanged = true;
        Ok(appid)
    }

    /// The codes of the event files are fixed strings. The account authorizes when its code first arrives,
    /// so that a sandbox in which nobody uses them lists nobody.
    fn know_fixed_code(&mut self, code: &str, now: i64) -> Result<(), Refusal> {
        let (appid, kind) = match code.strip_prefix("queryauthcode@@@sandbox-") {
            Some("official-account") => (DEMO_OFFICIAL_ACCOUNT, Kind::OfficialAccount),
            Some("mini-program") => (DEMO_MINI_PROGRAM, Kind::MiniProgram),
            Some("expired") => return Err(Refusal::new(61010)),
            Some("busy") => return Err(Refusal::new(-1)),
            _ => return Ok(()),
        };
        if !self.codes.contains_key(code) {
            self.authorize(appid, kind.permission_set_ids(), now);
            self.put_code(code, appid, now);
        }
        Ok(())
    }
}
