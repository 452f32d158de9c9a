//! The tokens of the authorizers: refreshed under a lease, and looked up at WeChat where they are missing.

mod compare;
mod restore;
mod revoke;
mod schedule;
mod suspect;
mod turn;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::component::{Called, Cause};
use crate::deadline::Deadline;
use crate::lease::Lease;
use crate::metric;
use crate::retry::until_written;
use crate::services::Services;
use crate::store::{Leased, Reason, Record, RefreshFailure, StoreError};
use crate::time::{CLOCKS_APART, Timestamp};
use crate::wechat::{Appid, CallError, Class, RefreshedToken, masked};

pub(crate) use restore::Compared;
use schedule::{next_day_in_beijing, retry_after};
pub(crate) use suspect::{Suspect, Suspects};
pub(crate) use turn::Turns;

/// The longest that one refresh may take, so that the lease of a dead owner ends within a minute.
const LONGEST: Duration = Duration::from_secs(40);

/// After how long an account is asked about again that is suspected of having revoked.
const SUSPECTED_AGAIN: Duration = Duration::from_mins(10);

/// After how long a token is refreshed again that a lost call may have superseded: when that call is over for certain.
pub(crate) const DOUBTED_AFTER: Duration = Duration::from_mins(1);

/// Time reserved after WeChat's answer for writing it.
const FOR_WRITING: Duration = Duration::from_secs(5);

/// Keeper of the authorizers' tokens.
#[derive(Clone, Debug)]
pub(crate) struct Authorizers {
    services: Services,
    /// Until when this instance knows the day's quota to be used up, in epoch seconds; 0 where it does not.
    quota_exceeded_until: Arc<AtomicI64>,
}

/// How a refresh ended.
#[derive(Clone, Debug)]
pub(crate) enum Refreshed {
    /// The account has a new access token.
    Done,
    /// Somebody else is refreshing it, there is no reason to refresh it any more, or no quota left.
    NotOurs,
    /// WeChat answered two questions with a refusal that says the merchant revoked. The tokens are still stored.
    Suspected(Suspect),
    /// It failed, which the record says, with the time of the next try.
    Failed,
    /// It failed through no fault of this account; every other would fail, too. Not logged yet.
    Stopped(Box<Cause>),
}

impl Refreshed {
    /// The name in the metrics; none for an account that was left alone.
    fn label(&self) -> Option<&'static str> {
        match self {
            Self::Done => Some("refreshed"),
            Self::Failed => Some("failed"),
            Self::Suspected(_) | Self::NotOurs | Self::Stopped(_) => None,
        }
    }
}

impl Authorizers {
    /// The keeper on these services.
    pub(crate) fn new(services: Services) -> Self {
        Self { services, quota_exceeded_until: Arc::default() }
    }

    /// Refreshes the access token of an account, under its lease.
    pub(crate) async fn refresh(
        &self,
        authorizer_appid: &Appid,
        reason: &Reason,
        deadline: Deadline,
    ) -> Result<Refreshed, StoreError> {
        let deadline = deadline.within(LONGEST);
        let now = self.services.clock.now();
        if now < Timestamp::from_secs(self.quota_exceeded_until.load(Ordering::Relaxed)) {
            return Ok(Refreshed::NotOurs);
        }
        let lease = Lease::take(now, deadline.remaining());
        let leased = self.services.store.lease_record(authorizer_appid, lease, reason, now).await?;
        let Some(leased) = leased else { return Ok(Refreshed::NotOurs) };
        let refreshed = self.refresh_leased(leased, reason, now, deadline).await?;
        if let Some(label) = refreshed.label() {
            metric::refresh(label);
        }
        Ok(refreshed)
    }

    async fn refresh_leased(
        &self,
        mut leased: Leased,
        reason: &Reason,
        began: Timestamp,
        deadline: Deadline,
    ) -> Result<Refreshed, StoreError> {
        let calling = deadline.reserving(FOR_WRITING);
        let mut looked_up = false;
        loop {
            let cause = match self.call(&leased, calling).await {
                Ok(called) => return self.put(&leased, &called, deadline).await,
                Err(cause) => cause,
            };
            let error = match cause {
                Cause::Call(error) if !error.class().is_of_platform() => error,
                cause => return self.stop(&leased, cause).await,
            };
            match error.class() {
                // One refusal proves nothing: what WeChat has of the account decides.
                Class::NotAuthorized | Class::RefreshTokenRejected if !looked_up => {
                    looked_up = true;
                    match self.look_up(&mut leased, calling).await? {
                        LookedUp::Other => {}
                        LookedUp::Same => return self.fail(&leased, &error).await,
                        LookedUp::Revoked => return self.suspect(&leased, reason, began).await,
                        LookedUp::Lost => return Ok(Refreshed::NotOurs),
                        LookedUp::Stopped(cause) => return self.stop(&leased, cause).await,
                    }
                }
                _ => return self.fail(&leased, &error).await,
            }
        }
    }

    async fn call(&self, leased: &Leased, calling: Deadline) -> Result<Called<RefreshedToken>, Cause> {
        let Leased { authorizer_appid, refresh_token, .. } = leased;
        let request = |token, limit| async move {
            self.services.wechat.authorizer_token(&token, authorizer_appid, refresh_token, limit).await
        };
        let answer = self.services.component.call(None, calling, request).await;
        answer.map_err(|failure| failure.cause)
    }

    /// Writes what the refresh brought, until the time is up: WeChat may have replaced the refresh token. If an earlier
    /// try was lost, WeChat may carry it out after this one, and what is written is superseded: so it is due again soon. So
    /// it is in place of a token that was obtained just now: that was doubtful, and what made it so may not be over. Whoever
    /// lost a try may have lost the lease as well, to a grant.
    async fn put(
        &self,
        leased: &Leased,
        called: &Called<RefreshedToken>,
        deadline: Deadline,
    ) -> Result<Refreshed, StoreError> {
        let now = self.services.clock.now();
        let replaced = leased.record.access_token.as_ref();
        let was_young = replaced.is_some_and(|replaced| now.since(replaced.refreshed_at) < DOUBTED_AFTER);
        let due_at = (called.maybe_twice || was_young).then(|| now + DOUBTED_AFTER);
        let put = || self.services.store.put_refreshed(leased, &called.answer, due_at, now);
        Ok(if until_written(deadline, put).await? { Refreshed::Done } else { Refreshed::NotOurs })
    }

    /// Looks for the refresh token that WeChat has for the account in place of the one it refused.
    async fn look_up(&self, leased: &mut Leased, calling: Deadline) -> Result<LookedUp, StoreError> {
        let info = match self.services.authorizer_info(&leased.authorizer_appid, calling).await {
            Ok(info) => info,
            Err(Cause::Call(error)) if error.class() == Class::NotAuthorized => return Ok(LookedUp::Revoked),
            // A limit of this endpoint says nothing about that of refreshing.
            Err(Cause::Call(error)) if matches!(error.class(), Class::QuotaExceeded | Class::TooFrequent) => {
                return Ok(LookedUp::Same);
            }
            Err(cause) if cause.is_of_platform() => return Ok(LookedUp::Stopped(cause)),
            Err(_) => return Ok(LookedUp::Same),
        };
        let other = info.refresh_token.filter(|token| *token != leased.refresh_token);
        let Some(other) = other else { return Ok(LookedUp::Same) };
        if !self.services.store.put_refresh_token(leased, &other, self.services.clock.now()).await? {
            return Ok(LookedUp::Lost);
        }
        tracing::warn!(authorizer.appid = %leased.authorizer_appid, "a lost refresh token was restored from WeChat");
        leased.refresh_token = other;
        Ok(LookedUp::Other)
    }

    /// Leaves the account to whoever counts the suspected ones. What `token` suspects is due at once, for `refresh`, and is
    /// given to nobody until then.
    async fn suspect(
        &self,
        leased: &Leased,
        reason: &Reason,
        began: Timestamp,
    ) -> Result<Refreshed, StoreError> {
        let now = self.services.clock.now();
        let retry_at = match reason {
            Reason::Unusable(_) => {
                leased.record.access_token.as_ref().map_or(now, |token| token.refreshed_at)
            }
            Reason::DueBy(_) | Reason::Listed => now + SUSPECTED_AGAIN,
        };
        let appid = &leased.authorizer_appid;
        let Some(version) = self.services.store.release_suspect(leased, retry_at, now).await? else {
            return Ok(Refreshed::NotOurs);
        };
        tracing::warn!(authorizer.appid = %appid, "WeChat says twice that the merchant revoked; not deleted yet");
        Ok(Refreshed::Suspected(Suspect {
            authorizer_appid: appid.clone(),
            version: Some(version),
            revoked_at: revoked_at(began, &leased.record),
        }))
    }

    async fn fail(&self, leased: &Leased, error: &CallError) -> Result<Refreshed, StoreError> {
        let now = self.services.clock.now();
        let (errcode, rid) = (error.errcode(), error.rid());
        let attempts = leased.record.failed_attempts + 1;
        let retry_at = now + retry_after(error.class(), attempts);
        tracing::warn!(
            authorizer.appid = %leased.authorizer_appid,
            errcode = errcode.get(),
            rid,
            attempts,
            retry_at = retry_at.as_secs(),
            advice = error.advice(),
            "refresh failed: {error}"
        );
        let errmsg = match error {
            CallError::Refused(refusal) => refusal.errmsg.clone(),
            error => masked(&error.to_string()),
        };
        let failure = RefreshFailure { errcode, errmsg, rid: rid.to_owned() };
        self.services.store.put_refresh_failure(leased, &failure, retry_at, now).await?;
        Ok(Refreshed::Failed)
    }

    async fn stop(&self, leased: &Leased, cause: Cause) -> Result<Refreshed, StoreError> {
        let now = self.services.clock.now();
        if matches!(&cause, Cause::Call(error) if error.class() == Class::QuotaExceeded) {
            let until = next_day_in_beijing(now);
            self.quota_exceeded_until.store(until.as_secs(), Ordering::Relaxed);
            self.services.store.put_quota_exceeded(until).await?;
        }
        self.services.store.release_record(leased, now).await?;
        Ok(Refreshed::Stopped(Box::new(cause)))
    }
}

enum LookedUp {
    Other,
    Same,
    Revoked,
    Lost,
    Stopped(Cause),
}

/// The time that a revocation gets of which a call that began at `began` told.
fn revoked_at(began: Timestamp, record: &Record) -> Timestamp {
    let before = began - CLOCKS_APART;
    record.authorized_at.map_or(before, |authorized_at| before.max(authorized_at))
}
