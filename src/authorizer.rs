//! The tokens of the authorizers: refreshed under a lease, and looked up at WeChat where they are missing.

use std::time::Duration;

use secrecy::ExposeSecret;

use crate::component::Cause;
use crate::deadline::{Deadline, backoff, unique_id};
use crate::services::Services;
use crate::store::{Landed, Leased, Reason, Record, RefreshFailure, Status, StoreError};
use crate::wechat::{Appid, masked};
use crate::wechat::{AuthorizerInfo, CallError, Class, Grant, ListedAccount, RefreshedToken};

/// The longest that one refresh may take, so that the lease of a dead owner ends within a minute.
const LONGEST: Duration = Duration::from_secs(40);

/// By how many seconds the lease outlives the work.
const LEASE_MARGIN: i64 = 5;

/// What is left over after WeChat's answer for writing it.
const FOR_WRITING: Duration = Duration::from_secs(5);

/// A revocation that WeChat tells by refusing happened before the call; by how many seconds at least is not
/// known, and clocks differ. An authorization that is newer than this wins over it.
const CLOCKS_APART: i64 = 60;

/// Keeper of the authorizers' tokens.
#[derive(Clone, Debug)]
pub struct Authorizers {
    services: Services,
}

/// What came of a refresh.
#[derive(Clone, Debug)]
pub enum Refreshed {
    /// The account has a new access token.
    Done,
    /// Somebody else is refreshing it, or there is no reason to refresh it any more.
    NotOurs,
    /// The merchant revoked.
    Revoked,
    /// It failed, which the record says, with the time of the next try.
    Failed,
    /// It failed through no fault of this account; every other would fail, too. Not logged yet.
    Stopped(Box<Cause>),
}

/// What came of comparing one account with its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restored {
    /// The record was missing or had no valid token, and is complete now.
    Restored,
    /// The record is as it should be, or newer.
    Unchanged,
    /// WeChat says that the merchant revoked.
    Revoked,
    /// WeChat did not say what is needed.
    Failed,
    /// WeChat cannot be asked, about no account. The reason is in the log.
    Stopped,
}

impl Authorizers {
    /// The keeper on these services.
    pub fn new(services: Services) -> Self {
        Self { services }
    }

    /// Refreshes the access token of an account, under its lease.
    pub async fn refresh(
        &self,
        authorizer_appid: &Appid,
        reason: &Reason,
        deadline: Deadline,
    ) -> Result<Refreshed, StoreError> {
        let deadline = deadline.within(LONGEST);
        let now = self.services.clock.now();
        let until = now + deadline.remaining().as_secs() as i64 + LEASE_MARGIN;
        let leased =
            self.services.store.lease_record(authorizer_appid, &unique_id(), reason, now, until).await?;
        match leased {
            Some(leased) => self.refresh_leased(leased, now, deadline).await,
            None => Ok(Refreshed::NotOurs),
        }
    }

    async fn refresh_leased(
        &self,
        mut leased: Leased,
        began: i64,
        deadline: Deadline,
    ) -> Result<Refreshed, StoreError> {
        let calling = deadline.reserving(FOR_WRITING);
        let mut looked_up = false;
        loop {
            let cause = match self.call(&leased, calling).await {
                Ok(token) => return self.put(&leased, &token, deadline).await,
                Err(cause) => cause,
            };
            let error = match cause {
                Cause::Call(error) if !error.class().is_of_platform() => error,
                cause => return self.stop(&leased, cause).await,
            };
            match error.class() {
                Class::NotAuthorized => return self.revoke(&leased, began).await,
                Class::RefreshTokenRejected if !looked_up => {
                    looked_up = true;
                    match self.look_up(&mut leased, calling).await? {
                        LookedUp::Other => {}
                        LookedUp::Same => return self.fail(&leased, &error).await,
                        LookedUp::Revoked => return self.revoke(&leased, began).await,
                        LookedUp::Lost => return Ok(Refreshed::NotOurs),
                    }
                }
                _ => return self.fail(&leased, &error).await,
            }
        }
    }

    async fn call(&self, leased: &Leased, calling: Deadline) -> Result<RefreshedToken, Cause> {
        let Leased { authorizer_appid, refresh_token, .. } = leased;
        let request = |token, limit| async move {
            self.services.wechat.authorizer_token(&token, authorizer_appid, refresh_token, limit).await
        };
        let answer = self.services.component.call(None, calling, request).await;
        answer.map(|(token, _)| token).map_err(|failure| failure.cause)
    }

    /// Writes what the refresh brought, until the time is up: WeChat may have replaced the refresh token.
    async fn put(
        &self,
        leased: &Leased,
        token: &RefreshedToken,
        deadline: Deadline,
    ) -> Result<Refreshed, StoreError> {
        let now = self.services.clock.now();
        let mut tries = 0;
        loop {
            match self.services.store.put_refreshed(leased, token, now).await {
                Ok(true) => return Ok(Refreshed::Done),
                Ok(false) => return Ok(Refreshed::NotOurs),
                Err(error) => {
                    tries += 1;
                    if !deadline.pause(backoff(tries.min(3))).await {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// Looks for the refresh token that WeChat has for the account in place of the one it refused.
    async fn look_up(&self, leased: &mut Leased, calling: Deadline) -> Result<LookedUp, StoreError> {
        let info = match self.info(&leased.authorizer_appid, calling).await {
            Ok(info) => info,
            Err(Cause::Call(error)) if error.class() == Class::NotAuthorized => return Ok(LookedUp::Revoked),
            Err(_) => return Ok(LookedUp::Same),
        };
        let other =
            info.refresh_token.filter(|token| token.expose_secret() != leased.refresh_token.expose_secret());
        let Some(other) = other else { return Ok(LookedUp::Same) };
        if !self.services.store.put_refresh_token(leased, &other, self.services.clock.now()).await? {
            return Ok(LookedUp::Lost);
        }
        tracing::warn!(authorizer.appid = %leased.authorizer_appid, "a lost refresh token was restored from WeChat");
        leased.refresh_token = other;
        Ok(LookedUp::Other)
    }

    async fn info(&self, authorizer_appid: &Appid, calling: Deadline) -> Result<AuthorizerInfo, Cause> {
        let request = |token, limit| async move {
            self.services.wechat.authorizer_info(&token, authorizer_appid, limit).await
        };
        let answer = self.services.component.call(None, calling, request).await;
        answer.map(|(info, _)| info).map_err(|failure| failure.cause)
    }

    async fn revoke(&self, leased: &Leased, began: i64) -> Result<Refreshed, StoreError> {
        let revoked_at = (began - CLOCKS_APART).max(leased.record.authorized_at.unwrap_or_default());
        let revoked =
            self.services.store.revoke_leased(leased, revoked_at, self.services.clock.now()).await?;
        if !revoked {
            return Ok(Refreshed::NotOurs);
        }
        tracing::info!(authorizer.appid = %leased.authorizer_appid, "WeChat says that the merchant revoked");
        Ok(Refreshed::Revoked)
    }

    async fn fail(&self, leased: &Leased, error: &CallError) -> Result<Refreshed, StoreError> {
        let now = self.services.clock.now();
        let (errcode, rid) = (error.errcode(), error.rid());
        let attempts = leased.record.failed_attempts + 1;
        let retry_at = now + retry_after(error.class(), attempts);
        tracing::warn!(
            authorizer.appid = %leased.authorizer_appid,
            errcode,
            rid,
            attempts,
            retry_at,
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
            self.services.store.put_quota_exceeded(next_day_in_beijing(now)).await?;
        }
        self.services.store.release_record(leased, now).await?;
        Ok(Refreshed::Stopped(Box::new(cause)))
    }

    /// Makes the record of a listed account complete, if it is not. With `dry_run` says what would be done.
    pub async fn restore(
        &self,
        listed: &ListedAccount,
        record: Option<&Record>,
        dry_run: bool,
        deadline: Deadline,
    ) -> Result<Restored, StoreError> {
        let Some(event_time) = missing_since(listed, record) else { return Ok(Restored::Unchanged) };
        let appid = &listed.authorizer_appid;
        let calling = deadline.reserving(FOR_WRITING);
        let info = match self.info(appid, calling).await {
            Ok(info) => info,
            Err(Cause::Call(error)) if error.class() == Class::NotAuthorized => {
                return self.revoke_listed(appid, record, dry_run).await;
            }
            Err(cause) if cause.is_of_platform() => {
                cause.report();
                return Ok(Restored::Stopped);
            }
            Err(cause) => {
                tracing::warn!(authorizer.appid = %appid, "not restored");
                cause.report();
                return Ok(Restored::Failed);
            }
        };
        let refresh_token = info.refresh_token.or_else(|| listed.refresh_token.clone());
        if refresh_token.is_none() {
            tracing::warn!(authorizer.appid = %appid, "WeChat has no refresh token: the merchant must authorize again");
            return Ok(Restored::Failed);
        }
        if dry_run {
            return Ok(Restored::Restored);
        }
        let grant = Grant {
            authorizer_appid: appid.clone(),
            access_token: None,
            refresh_token,
            func_info: info.func_info,
        };
        if !self.put_restored(event_time, &grant, record).await? {
            return Ok(Restored::Unchanged);
        }
        let now = self.services.clock.now();
        self.services.store.put_profile(appid, event_time, &info.profile, None, now).await?;
        tracing::info!(authorizer.appid = %appid, "record restored from WeChat");
        match self.refresh(appid, &Reason::DueBy(now), deadline).await? {
            Refreshed::Revoked => Ok(Restored::Revoked),
            Refreshed::Stopped(cause) => {
                cause.report();
                Ok(Restored::Restored)
            }
            _ => Ok(Restored::Restored),
        }
    }

    /// An account that is still on WeChat's list although it revoked, as those of the release check are.
    async fn revoke_listed(
        &self,
        appid: &Appid,
        record: Option<&Record>,
        dry_run: bool,
    ) -> Result<Restored, StoreError> {
        let authorized = record.filter(|record| record.status == Some(Status::Authorized));
        if let Some(record) = authorized.filter(|_| !dry_run) {
            let now = self.services.clock.now();
            self.services.store.revoke(appid, revoked_at(now, record), now).await?;
        }
        Ok(Restored::Revoked)
    }

    /// Asks WeChat whether an account that is not on its list revoked, and if so removes its tokens.
    pub async fn confirm(
        &self,
        authorizer_appid: &Appid,
        dry_run: bool,
        deadline: Deadline,
    ) -> Result<Restored, StoreError> {
        // Read before the question, so that a grant made after it is newer than the answer.
        let record = self.services.store.record(authorizer_appid).await?.unwrap_or_default();
        let began = self.services.clock.now();
        match self.info(authorizer_appid, deadline.reserving(FOR_WRITING)).await {
            Ok(_) => return Ok(Restored::Unchanged),
            Err(Cause::Call(error)) if error.class() == Class::NotAuthorized => {}
            Err(cause) if cause.is_of_platform() => {
                cause.report();
                return Ok(Restored::Stopped);
            }
            Err(_) => return Ok(Restored::Failed),
        }
        if dry_run {
            return Ok(Restored::Revoked);
        }
        let (now, revoked_at) = (self.services.clock.now(), revoked_at(began, &record));
        if !self.services.store.revoke(authorizer_appid, revoked_at, now).await? {
            return Ok(Restored::Unchanged);
        }
        tracing::info!(authorizer.appid = %authorizer_appid, "WeChat says that the merchant revoked");
        Ok(Restored::Revoked)
    }

    /// Writes a restored grant over `record`, or over what is there instead if that is not newer.
    async fn put_restored(
        &self,
        event_time: i64,
        grant: &Grant,
        record: Option<&Record>,
    ) -> Result<bool, StoreError> {
        let mut known = record.cloned();
        loop {
            let now = self.services.clock.now();
            let store = &self.services.store;
            match store.restore_grant(event_time, grant, known.as_ref(), now, &unique_id()).await? {
                Landed::Written => return Ok(true),
                Landed::Conflict(record) if record.is_newer_than(event_time) => return Ok(false),
                Landed::Conflict(record) => known = Some(*record),
            }
        }
    }
}

enum LookedUp {
    Other,
    Same,
    Revoked,
    Lost,
}

/// The time that a revocation gets of which a call that began at `began` told.
fn revoked_at(began: i64, record: &Record) -> i64 {
    (began - CLOCKS_APART).max(record.authorized_at.unwrap_or_default())
}

/// When the grant was made that `record` lacks; none if it lacks nothing.
fn missing_since(listed: &ListedAccount, record: Option<&Record>) -> Option<i64> {
    let Some(record) = record else { return Some(listed.auth_time) };
    let authorized_at = record.authorized_at.unwrap_or_default();
    if record.status == Some(Status::Unauthorized) {
        return (listed.auth_time > record.unauthorized_at.unwrap_or_default()).then_some(listed.auth_time);
    }
    match (&record.refresh_token, &listed.refresh_token) {
        // The grant is known, and brought no token.
        (None, _) => Some(listed.auth_time.max(authorized_at)),
        (Some(stored), Some(current)) if stored.expose_secret() != current.expose_secret() => {
            (listed.auth_time > authorized_at).then_some(listed.auth_time)
        }
        _ => None,
    }
}

/// After how many seconds a refresh is tried again that has failed `attempts` times in a row: what WeChat
/// mends by itself soon, what an operator or the merchant must mend ever more rarely, at least once a day.
fn retry_after(class: Class, attempts: u32) -> i64 {
    let (first, longest) = match class {
        Class::Busy => (60, 900),
        _ => (600, 86_400),
    };
    (first << (attempts - 1).min(10)).min(longest)
}

/// The next midnight in Beijing, when WeChat's daily quotas begin anew. In epoch seconds, like `now`.
fn next_day_in_beijing(now: i64) -> i64 {
    const OFFSET: i64 = 8 * 3600;
    (now + OFFSET).div_euclid(86_400) * 86_400 + 86_400 - OFFSET
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_changes_at_midnight_in_beijing() {
        // 2026-01-01 00:00:00 in Beijing.
        let midnight = 1_767_196_800;
        assert_eq!(next_day_in_beijing(midnight - 1), midnight);
        assert_eq!(next_day_in_beijing(midnight), midnight + 86_400);
    }

    #[test]
    fn failures_are_tried_again_at_growing_intervals_up_to_a_day() {
        let intervals: Vec<i64> =
            (1..=9).map(|attempts| retry_after(Class::RefreshTokenRejected, attempts)).collect();
        assert_eq!(intervals, [600, 1200, 2400, 4800, 9600, 19_200, 38_400, 76_800, 86_400]);
        assert_eq!(retry_after(Class::Busy, 1), 60);
        assert_eq!(retry_after(Class::Busy, 99), 900);
    }
}
