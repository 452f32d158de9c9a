//! What WeChat knows, and the rules by which it changes.

mod authorization;
mod calls;
mod code;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::account::{Account, Kind};
use super::consent::ConsentVisit;
use super::credentials;
use super::refusal::Refusal;
use super::token::Tokens;
use crate::opaque;
use calls::Calls;
use code::Codes;
pub(super) use code::{DEMO_MINI_PROGRAM, DEMO_OFFICIAL_ACCOUNT};

/// How long a ticket is accepted, in seconds.
const TICKET_LIFE: i64 = 12 * 3600;

/// How often a ticket is issued, in seconds.
const TICKET_EVERY: i64 = 600;

/// The ticket in the event file of one.
const EVENT_FILE_TICKET: &str = "ticket@@@sandbox-5a4db0c71c4e7";

/// How long a pre_auth_code lives, in seconds.
pub(super) const PRE_AUTH_CODE_LIFE: i64 = 1800;

/// The state of the simulated WeChat. Times are arguments; nothing here waits or sends.
pub(super) struct Ledger {
    pub(super) component_appsecret: String,
    /// Whether the caller's address is on the allow-list.
    pub(super) address_allowed: bool,
    /// 授权发起页域名.
    pub(super) launch_host: String,
    /// Whether the PC consent page insists on the Referer.
    pub(super) check_referer: bool,
    pub(super) accounts: BTreeMap<String, Entry>,
    /// Everything secret that was ever made here or sent here as a code.
    pub(super) secrets: BTreeSet<String>,
    pub(super) calls: Calls,
    /// The texts that accounts sent to their users.
    pub(super) sent: Vec<SentText>,
    /// The visits of the consent pages.
    pub(super) consents: Vec<ConsentVisit>,
    tickets: HashMap<String, i64>,
    /// When the newest was issued; absent before the first, and once the platform has asked for another.
    ticket_issued_at: Option<i64>,
    component_tokens: Tokens,
    /// Whose access token it is.
    token_owners: HashMap<String, String>,
    /// Until when each is accepted.
    pre_auth_codes: HashMap<String, i64>,
    codes: Codes,
}

/// A text that an account sent to one of its users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentText {
    /// The account.
    pub authorizer_appid: String,
    /// The user.
    pub openid: String,
    /// The text.
    pub content: String,
}

/// An account and its authorization of the platform.
pub(super) struct Entry {
    pub(super) account: Account,
    pub(super) authorization: Option<Authorization>,
    access_tokens: Tokens,
}

pub(super) struct Authorization {
    pub(super) auth_time: i64,
    pub(super) refresh_token: String,
    pub(super) permission_set_ids: Vec<i64>,
    /// Whether a code of this authorization was exchanged: until then info and list hide the refresh token.
    pub(super) exchanged: bool,
}

impl From<Account> for Entry {
    fn from(account: Account) -> Self {
        Self { account, authorization: None, access_tokens: Tokens::default() }
    }
}

impl Ledger {
    pub(super) fn new() -> Self {
        let secrets = [
            credentials::COMPONENT_APPSECRET,
            credentials::TOKEN,
            credentials::PREVIOUS_TOKEN,
            credentials::ENCODING_AES_KEY,
            credentials::PREVIOUS_ENCODING_AES_KEY,
            EVENT_FILE_TICKET,
        ];
        let mut ledger = Self {
            component_appsecret: credentials::COMPONENT_APPSECRET.to_owned(),
            address_allowed: true,
            launch_host: "platform.example.com".to_owned(),
            check_referer: true,
            accounts: BTreeMap::new(),
            secrets: secrets.map(str::to_owned).into(),
            calls: Calls::default(),
            sent: Vec::new(),
            consents: Vec::new(),
            // Accepted at any time.
            tickets: HashMap::from([(EVENT_FILE_TICKET.to_owned(), i64::MAX)]),
            ticket_issued_at: None,
            component_tokens: Tokens::default(),
            token_owners: HashMap::new(),
            pre_auth_codes: HashMap::new(),
            codes: Codes::default(),
        };
        ledger.add_demo_accounts();
        ledger
    }

    fn add_demo_accounts(&mut self) {
        let demo = [
            (DEMO_OFFICIAL_ACCOUNT, Kind::OfficialAccount, "沙箱咖啡馆", "gh_5a4db0c0ffee"),
            (DEMO_MINI_PROGRAM, Kind::MiniProgram, "沙箱小店", "gh_5a4db0c5709e"),
        ];
        for (appid, kind, nick_name, user_name) in demo {
            let mut account = Account::new(kind, nick_name);
            appid.clone_into(&mut account.appid);
            user_name.clone_into(&mut account.user_name);
            self.accounts.insert(appid.to_owned(), account.into());
        }
    }

    pub(super) fn issue_ticket(&mut self, now: i64) -> String {
        let ticket = self.secret(opaque::prefixed("ticket", 86));
        self.tickets.insert(ticket.clone(), now);
        self.ticket_issued_at = Some(now);
        ticket
    }

    pub(super) fn is_ticket_due(&self, now: i64) -> bool {
        self.ticket_issued_at.is_none_or(|issued_at| now - issued_at >= TICKET_EVERY)
    }

    /// The platform asks for a ticket that it does not have.
    pub(super) fn start_push_ticket(&mut self) {
        self.ticket_issued_at = None;
    }

    pub(super) fn check_ticket(&self, ticket: &str, now: i64) -> Result<(), Refusal> {
        let issued_at = self.tickets.get(ticket).ok_or_else(|| Refusal::new(61006))?;
        if now - issued_at < TICKET_LIFE { Ok(()) } else { Err(Refusal::new(61005)) }
    }

    pub(super) fn mint_component_token(&mut self, now: i64) -> String {
        let token = self.secret(opaque::token(157));
        self.component_tokens.add(token.clone(), now);
        token
    }

    pub(super) fn check_component_token(&self, token: &str, now: i64) -> Result<(), Refusal> {
        if self.token_owners.contains_key(token) {
            return Err(Refusal::new(61014));
        }
        self.component_tokens.check(token, now)
    }

    pub(super) fn mint_pre_auth_code(&mut self, now: i64) -> String {
        let code = self.secret(opaque::prefixed("preauthcode", 88));
        self.pre_auth_codes.insert(code.clone(), now + PRE_AUTH_CODE_LIFE);
        code
    }

    pub(super) fn accepts_pre_auth_code(&self, code: &str, now: i64) -> bool {
        self.pre_auth_codes.get(code).is_some_and(|expires_at| now < *expires_at)
    }

    /// A pre_auth_code completes one authorization.
    pub(super) fn spend_pre_auth_code(&mut self, code: &str) {
        self.pre_auth_codes.remove(code);
    }

    pub(super) fn account(&mut self, appid: &str) -> &mut Account {
        &mut self.entry(appid).account
    }

    fn entry(&mut self, appid: &str) -> &mut Entry {
        self.accounts.get_mut(appid).expect("a test names an account it has added")
    }

    fn secret(&mut self, secret: String) -> String {
        self.secrets.insert(secret.clone());
        secret
    }
}
