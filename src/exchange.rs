//! The exchange of an authorization code for a merchant's grant. The redirect, the push and the sweep all
//! go through it.

mod grant;
mod pending;

use std::time::{Duration, Instant};

use secrecy::SecretString;

use crate::component::{Cause, ComponentError, Failure, report};
use crate::deadline::{Deadline, backoff, unique_id};
use crate::metric::{self, Door};
use crate::services::Services;
use crate::store::{Claim, ClaimOutcome, Record, State, Status, StoreError};
use crate::wechat::{Appid, AuthorizationCode, CallError, Class};

pub use pending::{Finished, Found};

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

/// The routine. Clones share everything.
#[derive(Clone, Debug)]
pub struct Exchange {
    services: Services,
    door: Door,
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
    /// The routine on these services, for the function that `door` names.
    pub fn new(services: Services, door: Door) -> Self {
        Self { services, door }
    }

    /// Exchanges the code once, stores what it brings, and says what came of it; or says what came of it
    /// before. Whatever is not finished when the time is up stays pending in the table.
    pub async fn run(&self, authorization: Authorization<'_>, deadline: Deadline) -> Outcome {
        let outcome = match (self.outcome(authorization, deadline).await, authorization.state) {
            (Outcome::CodeSpent, Some(state)) => self.stored_by_push(state).await,
            (outcome, _) => outcome,
        };
        metric::outcome(&outcome);
        outcome
    }

    async fn outcome(&self, authorization: Authorization<'_>, deadline: Deadline) -> Outcome {
        let writing = deadline.within(LONGEST).reserving(FOR_ANSWERING);
        match self.claim(authorization, writing).await {
            Ok(Claimed::Ours(claim, token)) => {
                match self.exchange(authorization.code, claim, token, writing).await {
                    Ok(outcome) => outcome,
                    Err(Spent(claim)) => {
                        self.release(&claim).await;
                        Outcome::Pending
                    }
                }
            }
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
            let now = self.services.clock.now();
            let lease_until = now + writing.remaining().as_secs() as i64 + LEASE_MARGIN;
            let (claim, token) = tokio::join!(
                self.services.store.claim(
                    code,
                    &owner,
                    event_time,
                    authorizer_appid,
                    state,
                    now,
                    lease_until
                ),
                self.services.component.peek()
            );
            match claim? {
                ClaimOutcome::Claimed(claim) => return Ok(Claimed::Ours(claim, token)),
                ClaimOutcome::Done(appid) => return Ok(Claimed::Done(appid)),
                ClaimOutcome::Failed(errcode) => return Ok(Claimed::Failed(errcode)),
                taken @ (ClaimOutcome::Spent | ClaimOutcome::Running) => {
                    if let Some(appid) = authorizer_appid {
                        // A push. Nobody waits for what comes of it, and what it knows is all it can add.
                        self.services.store.annotate_claim(code, appid, state, now).await?;
                        return Ok(Claimed::Theirs);
                    }
                    if matches!(taken, ClaimOutcome::Spent) {
                        return Ok(Claimed::Theirs);
                    }
                }
            }
            tries += 1;
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
    ) -> Result<Outcome, Spent> {
        let calling = writing.reserving(FOR_WRITING);
        let known = claim.authorizer_appid.clone();
        let query_auth = |token: SecretString, limit| {
            let known = known.as_ref();
            async move { self.services.wechat.query_auth(&token, code, known, limit).await }
        };
        let began = Instant::now();
        let answer = self.services.component.call(token, calling, query_auth).await;
        if !matches!(&answer, Err(Failure { cause: Cause::Component(_), .. })) {
            metric::exchange_took(began.elapsed());
        }
        let failure = match answer {
            Ok((grant, token)) => return Ok(self.land(claim, grant, &token, writing).await),
            Err(failure) => failure,
        };
        claim.maybe_spent |= failure.maybe_taken_effect;
        match failure.cause {
            Cause::Call(error) => self.refused(claim, error).await,
            Cause::Component(error) => {
                report(&error);
                self.release(&claim).await;
                Ok(match error {
                    error if error.is_about_ticket() => Outcome::NotReady,
                    ComponentError::Contended => Outcome::Pending,
                    ComponentError::Call(call) if call.class() == Class::Busy => Outcome::Pending,
                    _ => Outcome::Unavailable,
                })
            }
        }
    }

    /// Ends, or leaves pending, an exchange that WeChat refused.
    async fn refused(&self, claim: Claim, error: CallError) -> Result<Outcome, Spent> {
        let refusal = match error {
            CallError::Refused(refusal) => refusal,
            lost => {
                tracing::error!(advice = lost.advice(), "the exchange is left pending: {lost}");
                self.release(&claim).await;
                return Ok(Outcome::Pending);
            }
        };
        let (errcode, rid) = (refusal.errcode, &refusal.rid);
        let advice = refusal.class().advice();
        match failed(errcode) {
            // WeChat's answer to a code that was used is 61010, and 61009 by some accounts.
            Outcome::CodeSpent | Outcome::CodeInvalid if claim.maybe_spent => {
                tracing::warn!(errcode, rid, "the code was spent and its answer lost; the grant is pending");
                Err(Spent(Claim { spent: true, ..claim }))
            }
            outcome @ (Outcome::CodeInvalid | Outcome::CodeSpent | Outcome::NotAuthorized) => {
                tracing::warn!(errcode, rid, advice, "{refusal}");
                self.fail(&claim, errcode).await;
                Ok(outcome)
            }
            _ => {
                let request_ip = &refusal.request_ip;
                tracing::error!(errcode, rid, request_ip, advice, "the exchange is left pending: {refusal}");
                self.release(&claim).await;
                Ok(match refusal.class() {
                    Class::Busy => Outcome::Pending,
                    _ => Outcome::Unavailable,
                })
            }
        }
    }

    async fn fail(&self, claim: &Claim, errcode: i64) {
        if let Err(error) = self.services.store.fail_claim(claim, errcode).await {
            tracing::warn!("{error}");
        }
    }

    /// Gives the claim back: to whoever comes next, the merchant's reload or the sweep; or, if the sweep had
    /// it, to the sweep, ever later, for what it does is not cheap.
    async fn release(&self, claim: &Claim) {
        let wait = match claim.sweeps {
            0 => 0,
            sweeps => (30 << (sweeps - 1).min(7)).min(3600),
        };
        let retry_at = self.services.clock.now() + wait;
        if let Err(error) = self.services.store.release_claim(claim, retry_at).await {
            tracing::warn!("the claim's lease stays until it ends: {error}");
        }
    }

    /// What a push has stored for the launch that this code ends, if it has: the code of the redirect may be
    /// another one, and the first of the two to be exchanged may spend both.
    async fn stored_by_push(&self, state: &State) -> Outcome {
        match self.services.store.authorized_with(state, self.services.clock.now()).await {
            Ok(Some(appid)) => self.stored(appid).await,
            Ok(None) => Outcome::CodeSpent,
            Err(error) => {
                tracing::warn!("{error}");
                Outcome::CodeSpent
            }
        }
    }

    /// What is in the table for an account whose code was exchanged before.
    async fn stored(&self, appid: Appid) -> Outcome {
        match self.services.store.record(&appid).await {
            Ok(Some(record)) => account(&appid, &record),
            Ok(None) => {
                tracing::error!(
                    authorizer.appid = %appid,
                    advice = "run reconcile, which restores it from WeChat",
                    "the record of an exchanged code is missing"
                );
                Outcome::Unavailable
            }
            Err(error) => {
                tracing::error!(authorizer.appid = %appid, "{error}");
                Outcome::Unavailable
            }
        }
    }
}

/// Who has the claim.
enum Claimed {
    Ours(Claim, Option<SecretString>),
    Theirs,
    Done(Appid),
    Failed(i64),
}

/// The code was spent by an earlier try, and what it brought did not reach us. The lease is still held.
struct Spent(Claim);

/// What a final errcode of `api_query_auth` means for the code; [`Outcome::Unavailable`] if it is not final.
fn failed(errcode: i64) -> Outcome {
    /// "invalid args": what WeChat says to a code that is none.
    const INVALID_ARGS: i64 = 40097;
    match Class::of(errcode) {
        Class::CodeInvalid => Outcome::CodeInvalid,
        Class::BadRequest if errcode == INVALID_ARGS => Outcome::CodeInvalid,
        Class::CodeSpent => Outcome::CodeSpent,
        Class::NotAuthorized | Class::PermissionMissing | Class::RefreshTokenRejected => {
            Outcome::NotAuthorized
        }
        _ => Outcome::Unavailable,
    }
}

fn account(appid: &Appid, record: &Record) -> Outcome {
    match record.status {
        Some(Status::Authorized) => Outcome::Stored(Account {
            authorizer_appid: appid.clone(),
            nick_name: record.nick_name.clone(),
            permission_set_ids: record.permission_set_ids.clone(),
            has_tokens: record.access_token.is_some() || record.refresh_token.is_some(),
        }),
        Some(Status::Unauthorized) | None => Outcome::NotAuthorized,
    }
}
