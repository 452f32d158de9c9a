//! What the table lacks of an account, from WeChat's own list of who authorizes the platform.

use secrecy::ExposeSecret;

use super::{Authorizers, FOR_WRITING, Refreshed, revoked_at};
use crate::component::Cause;
use crate::deadline::{Deadline, unique_id};
use crate::store::{Landed, Reason, Record, Status, StoreError};
use crate::wechat::{Appid, Class, Grant, ListedAccount};

/// What came of comparing one account with its record.
#[derive(Clone, Debug)]
pub enum Restored {
    /// The record was missing or had no valid token, and is complete now.
    Restored,
    /// The record is as it should be, or newer.
    Unchanged,
    /// WeChat says that the merchant revoked.
    Revoked,
    /// WeChat did not say what is needed.
    Failed,
    /// WeChat cannot be asked, about no account. Not logged yet.
    Stopped(Box<Cause>),
}

impl Authorizers {
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
            Err(cause) if cause.is_of_platform() => return Ok(Restored::Stopped(Box::new(cause))),
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
            tracing::info!(authorizer.appid = %appid, "WeChat says that the merchant revoked");
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
            Err(cause) if cause.is_of_platform() => return Ok(Restored::Stopped(Box::new(cause))),
            Err(cause) => {
                tracing::warn!(authorizer.appid = %authorizer_appid, "not known whether the merchant revoked");
                cause.report();
                return Ok(Restored::Failed);
            }
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
