//! The exchange of an authorization code for a merchant's grant. The redirect, the push and the sweep all
//! go through it.

mod grant;

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use secrecy::SecretString;

use crate::clock::Clock;
use crate::component::{Cause, Component, ComponentError, report};
use crate::config::Config;
use crate::deadline::{Deadline, backoff, unique_id};
use crate::secrets::Secrets;
use crate::store::{Claim, ClaimOutcome, Record, State, Status, Store, StoreError};
use crate::wechat::{Appid, AuthorizationCode, CallError, Class, Client};

/// How long an invocation waits for another one that is exchanging the same code.
const WAIT_FOR_TWIN: Duration = Duration::from_secs(3);

/// The longest that one invocation works on a code, so that the lease of a dead one ends within a minute.
const LONGEST: Duration = Duration::from_secs(45);

/// What is left over after the exchange for the transaction.
const FOR_WRITING: Duration = Duration::from_secs(3);

/// What is left over after the transaction for the answer.
const FOR_ANSWERING: Duration = Duration::from_secs(1);

/// By how many seconds the lease outlives the work.
const LEASE_MARGIN: i64 = 5;

/// What an exchange needs.
#[derive(Debug)]
pub struct Exchange {
    store: Store,
    wechat: Arc<Client>,
    component: Component,
    secrets: Arc<Secrets>,
    clock: Clock,
}

/// An event that brought an authorization code.
#[derive(Clone, Copy, Debug)]
pub struct Authorization<'a> {
    /// The code.
    pub code: &'a AuthorizationCode,
    /// When it happened, in epoch seconds; decides which of two grants is the newer one.
    pub event_time: i64,
    /// The account, where the event names it.
    pub authorizer_appid: Option<&'a Appid>,
    /// The state of the launch, where the event brings it.
    pub state: Option<&'a State>,
}

/// What came of an exchange.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The grant is in the table, written now or before.
    Stored(Account),
    /// Not finished; it will be without the merchant.
    Pending,
    /// The code was never valid here.
    CodeInvalid,
    /// The code is expired or was used, and nothing is stored for it.
    CodeSpent,
    /// The account does not, or no longer, authorize the platform.
    NotAuthorized,
    /// The platform has no ticket yet. The code stays valid.
    NotReady,
    /// Something that an operator must mend. The code stays valid, and the claim on it pending.
    Unavailable,
    /// The claim could not be written, so nothing of this event is stored.
    Unclaimed(StoreError),
}

/// What a merchant is told about an account.
#[derive(Clone, Debug)]
pub struct Account {
    /// The account.
    pub authorizer_appid: Appid,
    /// Its name, where it is known.
    pub nick_name: Option<String>,
    /// The permission sets granted.
    pub permission_set_ids: Vec<i64>,
    /// Whether WeChat gave tokens for it.
    pub has_tokens: bool,
}

impl Exchange {
    /// What `config` describes.
    pub fn new(config: &Config, aws: &SdkConfig, http: reqwest::Client, clock: Clock) -> Self {
        let store = Store::new(config, aws);
        let base_url = config.wechat_api_base_url.clone();
        let wechat = Arc::new(Client::new(http, base_url, config.component_appid.clone()));
        let secrets = Arc::new(Secrets::new(config, aws));
        let component = Component::new(store.clone(), wechat.clone(), secrets.clone(), clock.clone());
        Self { store, wechat, component, secrets, clock }
    }

    /// The platform's credentials.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// The tables.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Exchanges the code once, stores what it brings, and says what came of it; or says what came of it
    /// before. Whatever is not finished when the time is up stays pending in the table.
    pub async fn run(&self, authorization: Authorization<'_>, deadline: Deadline) -> Outcome {
        let writing = deadline.within(LONGEST).reserving(FOR_ANSWERING);
        match self.claim(authorization, writing).await {
            Ok(Claimed::Ours(claim, token)) => self.exchange(authorization.code, claim, token, writing).await,
            Ok(Claimed::Theirs) => Outcome::Pending,
            Ok(Claimed::Done(appid)) => self.stored(appid).await,
            Ok(Claimed::Failed(errcode)) => failed(errcode),
            Err(error) => Outcome::Unclaimed(error),
        }
    }

    /// Claims the code and looks for the component token at the same time. Waits for a twin, for a while.
    async fn claim(
        &self,
        authorization: Authorization<'_>,
        writing: Deadline,
    ) -> Result<Claimed, StoreError> {
        let Authorization { code, event_time, authorizer_appid, state } = authorization;
        let owner = unique_id();
        let waiting = writing.within(WAIT_FOR_TWIN);
        let mut tries = 0;
        loop {
            let now = self.clock.now();
            let lease_until = now + writing.remaining().as_secs() as i64 + LEASE_MARGIN;
            let (claim, token) = tokio::join!(
                self.store.claim(code, &owner, event_time, authorizer_appid, state, now, lease_until),
                self.component.peek()
            );
            match claim? {
                ClaimOutcome::Claimed(claim) => return Ok(Claimed::Ours(claim, token)),
                ClaimOutcome::Done(appid) => return Ok(Claimed::Done(appid)),
                ClaimOutcome::Failed(errcode) => return Ok(Claimed::Failed(errcode)),
                ClaimOutcome::Running => tries += 1,
            }
            if let Some(appid) = authorizer_appid {
                // A push. Nobody waits for what comes of it, and what it knows is all it can add.
                self.store.annotate_claim(code, appid, state).await?;
                return Ok(Claimed::Theirs);
            }
            if !waiting.pause(backoff(tries)).await {
                return Ok(Claimed::Theirs);
            }
        }
    }

    async fn exchange(
        &self,
        code: &AuthorizationCode,
        mut claim: Claim,
        token: Option<SecretString>,
        writing: Deadline,
    ) -> Outcome {
        let calling = writing.reserving(FOR_WRITING);
        let known = claim.authorizer_appid.clone();
        let query_auth = |token: SecretString, limit| {
            let known = known.as_ref();
            async move { self.wechat.query_auth(&token, code, known, limit).await }
        };
        let failure = match self.component.call(token, calling, query_auth).await {
            Ok((grant, token)) => return self.land(claim, grant, &token, writing).await,
            Err(failure) => failure,
        };
        claim.maybe_spent |= failure.maybe_taken_effect;
        match failure.cause {
            Cause::Call(error) => self.refused(&claim, error).await,
            Cause::Component(error) => {
                report(&error);
                self.release(&claim).await;
                match error {
                    error if error.is_about_ticket() => Outcome::NotReady,
                    ComponentError::Contended => Outcome::Pending,
                    ComponentError::Call(call) if call.class() == Class::Busy => Outcome::Pending,
                    _ => Outcome::Unavailable,
                }
            }
        }
    }

    /// Ends, or leaves pending, an exchange that WeChat refused.
    async fn refused(&self, claim: &Claim, error: CallError) -> Outcome {
        let refusal = match &error {
            CallError::Refused(refusal) => refusal,
            lost => {
                tracing::error!(advice = lost.advice(), "the exchange is left pending: {lost}");
                self.release(claim).await;
                return Outcome::Pending;
            }
        };
        let (errcode, rid) = (refusal.errcode, &refusal.rid);
        let advice = refusal.class().advice();
        match failed(errcode) {
            // An earlier try may have spent it, and then WeChat has the refresh token for us.
            Outcome::CodeSpent if claim.maybe_spent => {
                tracing::warn!(errcode, rid, "the code was spent and its answer lost; left pending");
                self.release(claim).await;
                Outcome::Pending
            }
            outcome @ (Outcome::CodeInvalid | Outcome::CodeSpent | Outcome::NotAuthorized) => {
                tracing::warn!(errcode, rid, advice, "{refusal}");
                if let Err(error) = self.store.fail_claim(claim, errcode).await {
                    tracing::warn!("{error}");
                }
                outcome
            }
            _ => {
                let request_ip = &refusal.request_ip;
                tracing::error!(errcode, rid, request_ip, advice, "the exchange is left pending: {refusal}");
                self.release(claim).await;
                match refusal.class() {
                    Class::Busy => Outcome::Pending,
                    _ => Outcome::Unavailable,
                }
            }
        }
    }

    async fn release(&self, claim: &Claim) {
        if let Err(error) = self.store.release_claim(claim, self.clock.now()).await {
            tracing::warn!("the claim's lease stays until it ends: {error}");
        }
    }

    /// What is in the table for an account whose code was exchanged before.
    async fn stored(&self, appid: Appid) -> Outcome {
        match self.store.record(&appid).await {
            Ok(Some(record)) => account(&appid, &record),
            Ok(None) => {
                tracing::error!(authorizer.appid = %appid, "the record of an exchanged code is missing");
                Outcome::Unavailable
            }
            Err(error) => {
                tracing::error!(authorizer.appid = %appid, "{error}");
                Outcome::Unavailable
            }
        }
    }
}

enum Claimed {
    Ours(Claim, Option<SecretString>),
    Theirs,
    Done(Appid),
    Failed(i64),
}

/// What a final errcode of `api_query_auth` means for the code; [`Outcome::Unavailable`] if it is not final.
fn failed(errcode: i64) -> Outcome {
    /// "invalid args": what WeChat says to a code that is none.
    const INVALID_ARGS: i64 = 40097;
    match Class::of(errcode) {
        Class::CodeInvalid => Outcome::CodeInvalid,
        Class::BadRequest if errcode == INVALID_ARGS => Outcome::CodeInvalid,
        Class::CodeSpent => Outcome::CodeSpent,
        Class::NotAuthorized | Class::RefreshTokenRejected => Outcome::NotAuthorized,
        _ => Outcome::Unavailable,
    }
}

fn account(appid: &Appid, record: &Record) -> Outcome {
    match record.status {
        Some(Status::Authorized) => Outcome::Stored(Account {
            authorizer_appid: appid.clone(),
            nick_name: record.nick_name.clone(),
            permission_set_ids: record.permission_set_ids.clone(),
            has_tokens: record.has_access_token || record.has_refresh_token,
        }),
        Some(Status::Unauthorized) | None => Outcome::NotAuthorized,
    }
}
