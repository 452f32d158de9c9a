//! The accounts' authorizations: made, changed, taken back, and exchanged for tokens.

use super::code::{DEMO_MINI_PROGRAM, DEMO_OFFICIAL_ACCOUNT};
use super::{Authorization, Ledger};
use crate::opaque;
use crate::wechat::account::{Account, Kind};
use crate::wechat::refusal::Refusal;
use crate::wechat::token::Tokens;

/// The access token in the event file of one that WeChat refused.
const EVENT_FILE_ACCESS_TOKEN: &str = "sandbox-official-account-5a4db0cacce55";

impl Ledger {
    /// A new authorization: its refresh token replaces the one before.
    pub(in super::super) fn authorize(&mut self, appid: &str, permission_set_ids: &[i64], now: i64) {
        let refresh_token = self.secret(opaque::prefixed("refreshtoken", 43));
        let authorization = Authorization {
            auth_time: now,
            refresh_token,
            permission_set_ids: permission_set_ids.to_vec(),
            exchanged: false,
        };
        self.entry(appid).authorization = Some(authorization);
    }

    /// Other permission sets for the authorization that stands.
    pub(in super::super) fn update(&mut self, appid: &str, permission_set_ids: &[i64]) {
        let authorization =
            self.entry(appid).authorization.as_mut().expect("a test updates what is authorized");
        authorization.permission_set_ids = permission_set_ids.to_vec();
    }

    /// The authorization and its tokens end at once.
    pub(in super::super) fn revoke(&mut self, appid: &str) {
        let entry = self.entry(appid);
        entry.authorization = None;
        entry.access_tokens = Tokens::default();
    }

    pub(in super::super) fn invalidate_access_tokens(&mut self, appid: &str) {
        self.entry(appid).access_tokens.invalidate();
    }

    /// An access token of an account that stands authorized.
    pub(in super::super) fn mint_access_token(&mut self, appid: &str, now: i64) -> String {
        // The first of the event files' account is fixed, so that one of them can name it.
        let first =
            appid == DEMO_OFFICIAL_ACCOUNT && !self.token_owners.contains_key(EVENT_FILE_ACCESS_TOKEN);
        let token = if first { EVENT_FILE_ACCESS_TOKEN.to_owned() } else { opaque::token(138) };
        let token = self.secret(token);
        self.token_owners.insert(token.clone(), appid.to_owned());
        self.entry(appid).access_tokens.add(token.clone(), now);
        token
    }

    pub(in super::super) fn check_authorizer_token(&self, token: &str, now: i64) -> Result<String, Refusal> {
        if self.component_tokens.contains(token) {
            return Err(Refusal::new(61015));
        }
        let owner = self.token_owners.get(token).ok_or_else(|| Refusal::new(40001))?;
        self.accounts[owner].access_tokens.check(token, now)?;
        Ok(owner.clone())
    }

    /// The authorization of an account; 61003 where there is none.
    pub(in super::super) fn authorization(&self, appid: &str) -> Result<(&Account, &Authorization), Refusal> {
        let entry = self.accounts.get(appid).ok_or_else(|| Refusal::new(61003))?;
        let authorization = entry.authorization.as_ref().ok_or_else(|| Refusal::new(61003))?;
        Ok((&entry.account, authorization))
    }

    /// A code for the authorization that stands.
    pub(in super::super) fn mint_code(&mut self, appid: &str, now: i64) -> String {
        let code = self.secret(opaque::prefixed("queryauthcode", 64));
        self.codes.put(&code, appid, now);
        code
    }

    /// Uses a code up and returns its account.
    pub(in super::super) fn spend_code(&mut self, code: &str, now: i64) -> Result<String, Refusal> {
        // What somebody made up is as secret as what was made here, and long enough not to be a word.
        if code.len() >= 16 {
            self.secret(code.to_owned());
        }
        self.know_fixed_code(code, now)?;
        let appid = self.codes.spend(code, now)?;
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
        if !self.codes.contains(code) {
            self.authorize(appid, kind.permission_set_ids(), now);
            self.codes.put(code, appid, now);
        }
        Ok(())
    }
}
