//! The exchange of an authorization code for a merchant's grant. The redirect, the push and the sweep all
//! go through it.

mod finish;
mod grant;
mod outcome;
mod recovery;

use std::time::{Duration, Instant};

use crate::claim::{Authorization, Claim, ClaimState, CodeState, Done, Event, Next};
use crate::component::{CallFailure, Called, Cause, report};
use crate::deadline::Deadline;
use crate::evidence::{Binding, Bound};
use crate::lease::Lease;
use crate::metric::{self, Door};
use crate::retry::backoff;
use crate::services::Services;
use crate::store::StoreError;
use crate::time::Timestamp;
use crate::wechat::{AuthorizationCode, CallError, ComponentAccessToken, Grant};

pub(crate) use finish::Finished;
pub(crate) use outcome::{Account, Outcome, Shown, report_missing_record};

/// How long an invocation waits for another one that is exchanging the same code.
const WAIT_FOR_TWIN: Duration = Duration::from_secs(3);

/// The longest that one invocation works on a code, so that the lease of a dead one ends within a minute.
const LONGEST: Duration = Duration::from_secs(45);

/// Time reserved after the exchange for the transaction.
const FOR_WRITING: Duration = Duration::from_secs(3);

/// Time reserved after the transaction for sending the response.
const FOR_ANSWERING: Duration = Duration::from_secs(1);

/// The routine. Clones share everything.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    services: Services,
    door: Door,
}

/// The state of a code's exchange.
#[derive(Clone, Debug)]
pub(crate) enum Looked {
    /// Nobody has claimed the code: nothing about it is stored.
    Unclaimed,
    /// The next visit, push or run of `refresh` will finish it.
    Open,
    /// It is finished, with this outcome.
    Known(Outcome),
}

/// What WeChat's answer leaves to be done.
enum Answered {
    /// WeChat gave the grant.
    Granted(Box<Granted>),
    /// Nothing: the claim is closed or given back.
    Over(Outcome),
    /// The code is spent, and WeChat's answer did not reach us. The claim is still held.
    Spent,
}

/// A grant as WeChat has just given it.
struct Granted {
    grant: Grant,
    /// The component token that WeChat took.
    token: ComponentAccessToken,
    /// When the exchange began.
    asked_at: Timestamp,
}

impl Exchange {
    /// The routine on these services, for the function that `door` names.
    pub(crate) fn new(services: Services, door: Door) -> Self {
        Self { services, door }
    }

    /// Exchanges the code once, stores what it brings, and says how that ended; or says how it ended
    /// before. Whatever is not finished when the time is up stays pending in the table.
    pub(crate) async fn run(&self, authorization: Authorization<'_>, deadline: Deadline) -> Outcome {
        let outcome = self.outcome(authorization, deadline).await;
        metric::outcome(outcome.label());
        outcome
    }

    /// The state of the exchange of the code with this digest, without taking part in it. A grant that is stored ends the
    /// launch that the code came to, as a redirect does.
    pub(crate) async fn look(&self, digest: &str, binding: Option<&Binding>) -> Result<Looked, StoreError> {
        let now = self.services.clock.now();
        Ok(match self.services.store.claim_of(digest, now).await? {
            None => Looked::Unclaimed,
            Some(ClaimState::Open) => Looked::Open,
            Some(state) => Looked::Known(self.outcome_of(&state, binding).await),
        })
    }

    async fn outcome(&self, authorization: Authorization<'_>, deadline: Deadline) -> Outcome {
        let writing = deadline.within(LONGEST).reserving(FOR_ANSWERING);
        let (state, token) = match self.claim(authorization, writing).await {
            Ok(claimed) => claimed,
            Err(error) => return Outcome::Unclaimed(error),
        };
        match state {
            ClaimState::Held(mut claim) => {
                match self.exchange(authorization.code, &claim, token, writing).await {
                    Answered::Granted(granted) => {
                        let (outcome, unprofiled) = self.store_grant(&mut claim, *granted, writing).await;
                        if let Some(unprofiled) = unprofiled {
                            self.leave_profile(unprofiled);
                        }
                        let own = authorization.binding.map(|binding| &binding.launch);
                        match claim.binding.as_ref().map(|binding| &binding.launch) == own {
                            true => outcome,
                            // An event before this one named another launch.
                            false => outcome.shown_here(),
                        }
                    }
                    Answered::Over(outcome) => outcome,
                    Answered::Spent => {
                        writing.limit(self.release(&claim, CodeState::Spent)).await;
                        Outcome::Pending
                    }
                }
            }
            state => self.outcome_of(&state, authorization.binding).await,
        }
    }

    /// What a claim says that somebody else holds, or that is closed.
    async fn outcome_of(&self, state: &ClaimState, binding: Option<&Binding>) -> Outcome {
        match state {
            ClaimState::Held(_) | ClaimState::Running | ClaimState::Open | ClaimState::Spent => {
                Outcome::Pending
            }
            ClaimState::Done(done) => self.stored(done, binding).await,
            ClaimState::Failed(errcode) => Outcome::of_failed(*errcode),
            ClaimState::Unexchanged => Outcome::CodeSpent,
            ClaimState::Unmatched => Outcome::Unmatched,
        }
    }

    /// Claims the code and looks for the component token at the same time. Waits for a twin, for a while.
    async fn claim(
        &self,
        authorization: Authorization<'_>,
        writing: Deadline,
    ) -> Result<(ClaimState, Option<ComponentAccessToken>), StoreError> {
        let waiting = writing.within(WAIT_FOR_TWIN);
        let mut lease = Lease::take(self.services.clock.now(), writing.remaining());
        loop {
            let now = self.services.clock.now();
            lease = lease.again(now, writing.remaining());
            let (state, token) = tokio::join!(
                self.services.store.claim(authorization, &lease, now),
                self.services.component.peek()
            );
            let mut state = state?;
            let is_push = authorization.authorizer_appid.is_some();
            match &mut state {
                ClaimState::Running | ClaimState::Spent if is_push => {
                    // Nobody waits for the outcome of a push, so it only adds what it knows.
                    if self.services.store.annotate_claim(authorization, now).await?.is_some() {
                        return Ok((state, token));
                    }
                    // The holder has just closed it, and the push may open it again.
                    continue;
                }
                ClaimState::Held(claim) if is_push && names_another(authorization.binding, claim) => {
                    if let Some(told) = self.services.store.annotate_claim(authorization, now).await? {
                        claim.adopt(told);
                    }
                    return Ok((state, token));
                }
                ClaimState::Running => {}
                _ => return Ok((state, token)),
            }
            if !waiting.pause(backoff(1)).await {
                return Ok((state, token));
            }
        }
    }

    /// Sends the code to WeChat and gives the claim back, or closes it, unless WeChat granted or the code is spent.
    async fn exchange(
        &self,
        code: &AuthorizationCode,
        claim: &Claim,
        token: Option<ComponentAccessToken>,
        writing: Deadline,
    ) -> Answered {
        let calling = writing.reserving(FOR_WRITING);
        let known = claim.authorizer_appid.as_ref();
        let query_auth = |token: ComponentAccessToken, limit| async move {
            self.services.wechat.query_auth(&token, code, known, limit).await
        };
        let (began, asked_at) = (Instant::now(), self.services.clock.now());
        let answer = self.services.component.call(token, calling, query_auth).await;
        if !matches!(&answer, Err(CallFailure { cause: Cause::Component(_), .. })) {
            metric::exchange_took(began.elapsed());
        }
        match answer {
            Ok(Called { answer: grant, token, .. }) => {
                Answered::Granted(Box::new(Granted { grant, token, asked_at }))
            }
            // What cannot be written in time would cost the answer: then the lease ends by itself.
            Err(failure) => {
                let over = writing.limit(self.not_granted(claim, failure)).await;
                over.unwrap_or(Answered::Over(Outcome::Pending))
            }
        }
    }

    /// Closes the claim, gives it back, or leaves it to the caller as spent.
    async fn not_granted(&self, claim: &Claim, failure: CallFailure) -> Answered {
        let mut claim = claim.clone();
        if failure.maybe_taken_effect
            && let Next::Pending(code) = claim.code.after(Event::AnswerLost, claim.evidence)
        {
            claim.code = code;
        }
        let (event, outcome) = match &failure.cause {
            Cause::Component(error) => {
                report(error);
                (Event::NotSent, Outcome::without_component_token(error))
            }
            Cause::Call(CallError::Refused(refusal)) => {
                (Event::Refused(refusal.errcode), Outcome::of_refusal(refusal))
            }
            Cause::Call(_) => (Event::NotSent, Outcome::Pending),
        };
        let next = claim.code.after(event, claim.evidence);
        let outcome = match (next, outcome) {
            (Next::Failed(_), Outcome::CodeSpent | Outcome::CodeInvalid)
                if claim.code != CodeState::NotSent =>
            {
                Outcome::Unmatched
            }
            (_, outcome) => outcome,
        };
        if let Cause::Call(error) = &failure.cause {
            report_refusal(error, next);
        }
        if next == Next::Pending(CodeState::Spent) {
            return Answered::Spent;
        }
        match self.follow(&claim, next).await {
            true => Answered::Over(outcome),
            false => Answered::Over(Outcome::Pending),
        }
    }

    /// What is in the table for an account whose code was exchanged before, and whether this event may see it.
    async fn stored(&self, done: &Done, binding: Option<&Binding>) -> Outcome {
        let appid = &done.authorizer_appid;
        let record = match self.services.store.record(appid).await {
            Ok(Some(record)) => record,
            Ok(None) => {
                report_missing_record(appid);
                return Outcome::Unmatched;
            }
            Err(error) => {
                tracing::error!(authorizer.appid = %appid, "{error}");
                return Outcome::Unavailable;
            }
        };
        match self.bind(done, binding).await {
            Ok(shown) => Outcome::of_record(appid, &record, shown),
            Err(error) => {
                tracing::warn!(authorizer.appid = %appid, "{error}");
                Outcome::of_record(appid, &record, Shown::Elsewhere)
            }
        }
    }

    /// Gives the launch of this event its outcome, if the code belongs to it or to none: the push may have been first, or
    /// name no launch. Who brings a code that is used may see the account only with the cookie of its launch.
    async fn bind(&self, done: &Done, binding: Option<&Binding>) -> Result<Shown, StoreError> {
        let Some(binding) = binding else { return Ok(Shown::Elsewhere) };
        if done.launch.as_ref().is_some_and(|launch| *launch != binding.launch) || binding.bound.is_none() {
            return Ok(Shown::Elsewhere);
        }
        let mut binding = binding.clone();
        binding.viewer = binding.viewer.filter(|_| binding.bound == Some(Bound::Browser));
        let now = self.services.clock.now();
        let bound = self.services.store.bind(&binding, done, now).await?;
        Ok(if bound { Shown::Launch } else { Shown::Elsewhere })
    }
}

/// Whether an event names another launch than the one that an earlier event named.
fn names_another(named: Option<&Binding>, claim: &Claim) -> bool {
    named.is_some_and(|named| claim.binding.as_ref().is_some_and(|known| known.launch != named.launch))
}

/// Says to the operator why WeChat did not exchange a code, and what becomes of it.
fn report_refusal(error: &CallError, next: Next) {
    let (errcode, rid, advice) = (error.errcode().get(), error.rid(), error.advice());
    let CallError::Refused(refusal) = error else {
        return tracing::error!(advice, "the exchange is left pending: {error}");
    };
    match next {
        Next::Failed(_) => tracing::warn!(errcode, rid, advice, "{refusal}"),
        Next::Pending(CodeState::Spent) => {
            tracing::warn!(errcode, rid, "the code was spent and its answer lost; the grant is pending");
        }
        Next::Pending(_) => {
            let request_ip = &refusal.request_ip;
            tracing::error!(errcode, rid, request_ip, advice, "the exchange is left pending: {refusal}");
        }
    }
}
