//! The simulated WeChat as a test or a person moves it.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use wechat_authorizer::time::Clock;

use super::account::Account;
use super::consent::ConsentVisit;
use super::delivery::Pushes;
use super::ledger::{Ledger, SentText};
use super::part::Part;
use super::{api, consent, credentials};
use crate::log::Log;
use crate::net::{self, Server};
use crate::opaque;
use crate::wire::{Endpoint, Request, Wire};

/// The simulated WeChat and its controls.
#[derive(Clone)]
pub struct WeChat {
    /// Where its API and its consent pages answer.
    pub base_url: String,
    /// The platform's appid.
    pub component_appid: String,
    pub(super) part: Part,
    _server: Arc<Server>,
}

impl WeChat {
    pub(crate) fn start(listener: TcpListener, clock: Clock, order: Arc<AtomicU64>, log: Log) -> Self {
        let part = Part {
            clock,
            ledger: Arc::new(Mutex::new(Ledger::new())),
            wire: Wire::new("wechat", order, log),
            pushes: Pushes::new(log),
        };
        let base_url = net::origin(&listener);
        let router =
            Router::new().merge(consent::router(part.clone())).fallback_service(api::router(part.clone()));
        let server = Arc::new(net::serve(listener, router));
        Self { base_url, component_appid: credentials::COMPONENT_APPID.to_owned(), part, _server: server }
    }

    /// One endpoint by the last part of its path, as `api_query_auth`: to plan faults, to wait for
    /// requests, to count them.
    pub fn on(&self, endpoint: &str) -> Endpoint {
        self.part.wire.endpoint(endpoint)
    }

    /// Every API request so far, in order.
    pub fn requests(&self) -> Vec<Request> {
        self.part.wire.requests()
    }

    /// Every visit of a consent page that was accepted so far, in order.
    pub fn consents(&self) -> Vec<ConsentVisit> {
        self.ledger().consents.clone()
    }

    /// The faults that are planned and not yet played, in words.
    pub fn planned_faults(&self) -> Vec<String> {
        self.part.wire.planned_faults()
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.part.wire.clear_faults();
    }

    /// The platform's credentials as `COMPONENT_SECRET` wants them, while a change of the key is under way.
    pub fn component_secret(&self) -> Value {
        json!({
            "component_appsecret": self.ledger().component_appsecret,
            "token": credentials::TOKEN,
            "previous_token": credentials::PREVIOUS_TOKEN,
            "encoding_aes_key": credentials::ENCODING_AES_KEY,
            "previous_encoding_aes_key": credentials::PREVIOUS_ENCODING_AES_KEY,
        })
    }

    /// Adds an account that can authorize the platform, and returns its appid.
    pub fn add_account(&self, account: Account) -> String {
        let appid = account.appid.clone();
        self.ledger().accounts.insert(appid.clone(), account.into());
        appid
    }

    /// All accounts, authorized or not.
    pub fn accounts(&self) -> Vec<Account> {
        self.ledger().accounts.values().map(|entry| entry.account.clone()).collect()
    }

    /// The account authorizes the platform, as after the consent page: returns the authorization code.
    ///
    /// A further authorization gets a new refresh token, and the one before stops working.
    pub fn authorize(&self, authorizer_appid: &str, permission_set_ids: &[i64]) -> String {
        let now = self.part.clock.now().as_secs();
        let mut ledger = self.ledger();
        ledger.authorize(authorizer_appid, permission_set_ids, now);
        ledger.mint_code(authorizer_appid, now)
    }

    /// The account changes the permission sets: a new code, the refresh token stays.
    pub fn update(&self, authorizer_appid: &str, permission_set_ids: &[i64]) -> String {
        let now = self.part.clock.now().as_secs();
        let mut ledger = self.ledger();
        ledger.update(authorizer_appid, permission_set_ids);
        ledger.mint_code(authorizer_appid, now)
    }

    /// One more code for the authorization that stands: what a push may carry beside the redirect.
    pub fn mint_code(&self, authorizer_appid: &str) -> String {
        self.ledger().mint_code(authorizer_appid, self.part.clock.now().as_secs())
    }

    /// The account takes the authorization back.
    pub fn revoke(&self, authorizer_appid: &str) {
        self.ledger().revoke(authorizer_appid);
    }

    /// The account gets another name. WeChat pushes nothing about that.
    pub fn rename(&self, authorizer_appid: &str, nick_name: &str) {
        nick_name.clone_into(&mut self.ledger().account(authorizer_appid).nick_name);
    }

    /// WeChat bans the account (16), freezes it (19), or gives it back (1). It pushes nothing about that.
    pub fn set_account_status(&self, authorizer_appid: &str, account_status: i64) {
        self.ledger().account(authorizer_appid).account_status = account_status;
    }

    /// What the account grants the platform now; nothing if it is not authorized.
    pub fn permission_set_ids(&self, authorizer_appid: &str) -> Vec<i64> {
        let ledger = self.ledger();
        ledger
            .authorization(authorizer_appid)
            .map_or(Vec::new(), |(_, granted)| granted.permission_set_ids.clone())
    }

    /// All access tokens of the account end before their time: they get 40001 from now on.
    pub fn invalidate_access_tokens(&self, authorizer_appid: &str) {
        self.ledger().invalidate_access_tokens(authorizer_appid);
    }

    /// Makes a new ticket, as WeChat does every ten minutes.
    pub fn issue_ticket(&self) -> String {
        let now = self.part.clock.now().as_secs();
        self.ledger().issue_ticket(now)
    }

    /// Mints a component token that another service of the platform might have asked for: the one before
    /// is superseded.
    pub fn mint_component_token(&self) -> String {
        let now = self.part.clock.now().as_secs();
        self.ledger().mint_component_token(now)
    }

    /// Mints a pre_auth_code as `api_create_preauthcode` does.
    pub fn mint_pre_auth_code(&self) -> String {
        let now = self.part.clock.now().as_secs();
        self.ledger().mint_pre_auth_code(now)
    }

    /// Switches the allow-list of addresses: off it, every call gets 61004.
    pub fn allow_address(&self, allowed: bool) {
        self.ledger().address_allowed = allowed;
    }

    /// Resets the AppSecret in the console: the old one is refused from now on. Returns the new one.
    pub fn reset_appsecret(&self) -> String {
        let mut ledger = self.ledger();
        ledger.component_appsecret = opaque::hex(32);
        let appsecret = ledger.component_appsecret.clone();
        ledger.secrets.insert(appsecret.clone());
        appsecret
    }

    /// Whether the caller's address is on the allow-list.
    pub fn allows_address(&self) -> bool {
        self.ledger().address_allowed
    }

    /// Sets 授权发起页域名: the host that launch pages and redirects must have, and whether the PC page
    /// insists that the visitor comes from it.
    pub fn set_launch_host(&self, host: &str, check_referer: bool) {
        let mut ledger = self.ledger();
        host.clone_into(&mut ledger.launch_host);
        ledger.check_referer = check_referer;
    }

    /// The refresh token that WeChat accepts for an account now.
    pub fn refresh_token(&self, authorizer_appid: &str) -> Option<String> {
        let ledger = self.ledger();
        let authorization = ledger.accounts.get(authorizer_appid)?.authorization.as_ref()?;
        Some(authorization.refresh_token.clone())
    }

    /// Whether a business call of the account with this access token works now.
    pub fn accepts(&self, authorizer_access_token: &str) -> bool {
        self.ledger().check_authorizer_token(authorizer_access_token, self.part.clock.now().as_secs()).is_ok()
    }

    /// The texts that accounts sent to their users, in order.
    pub fn sent_texts(&self) -> Vec<SentText> {
        self.ledger().sent.clone()
    }

    /// Everything secret that was ever made here, and every code that was sent here: no log line and no page may show any of it.
    pub fn secrets(&self) -> Vec<String> {
        self.ledger().secrets.iter().cloned().collect()
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.part.ledger()
    }
}
