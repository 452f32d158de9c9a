//! What the table lacks of an account, from WeChat's own list of who authorizes the platform.

use super::{Authorizers, FOR_WRITING, Refreshed, revoked_at};
use crate::component::Cause;
use crate::deadline::Deadline;
use crate::store::{GrantWrite, Obtained, Reason, Record, StoreError};
use crate::time::Timestamp;
use crate::wechat::{Appid, Class, Grant, ListedAccount};

/// How comparing one account with its record ended.
#[derive(Clone, Debug)]
pub(crate) enum Compared {
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
    pub(crate) async fn restore(
        &self,
        listed: &ListedAccount,
        record: Option<&Record>,
        dry_run: bool,
        deadline: Deadline,
    ) -> Result<Compared, StoreError> {
        let Some(event_time) = missing_since(listed, record) else { return Ok(Compared::Unchanged) };
        let appid = &listed.authorizer_appid;
        let calling = deadline.reserving(FOR_WRITING);
        let info = match self.info(appid, calling).await {
            Ok(info) => info,
            Err(Cause::Call(error)) if error.class() == Class::NotAuthorized => {
                return self.revoke_listed(appid, record, dry_run).await;
            }
            Err(cause) if cause.is_of_platform() => return Ok(Compared::Stopped(Box::new(cause))),
            Err(cause) => {
                tracing::warn!(authorizer.appid = %appid, "not restored");
                cause.report();
                return Ok(Compared::Failed);
            }
        };
        let refresh_token = info.refresh_token.or_else(|| listed.refresh_token.clone());
        if refresh_token.is_none() {
            tracing::warn!(authorizer.appid = %appid, "WeChat has no refresh token: the merchant must authorize again");
            return Ok(Compared::Failed);
        }
        if dry_run {
            return Ok(Compared::Restored);
        }
        let grant = Grant {
            authorizer_appid: appid.clone(),
            access_token: None,
            refresh_token,
            func_info: info.func_info,
        };
        let write =
            GrantWrite { grant: &grant, obtained: Obtained::Recovered, event_time, state: None, code: None };
        match deadline.limit(self.services.put_grant(&write, record, deadline)).await {
            None | Some(Err(_)) => return Ok(Compared::Failed),
            Some(Ok(Some(_newer))) => return Ok(Compared::Unchanged),
            Some(Ok(None)) => {}
        }
        let now = self.services.clock.now();
        self.services.store.put_profile(appid, event_time, &info.profile, None, now).await?;
        tracing::info!(authorizer.appid = %appid, "record restored from WeChat");
        match self.refresh(appid, &Reason::DueBy(now), deadline).await? {
            Refreshed::Revoked => Ok(Compared::Revoked),
            Refreshed::Stopped(cause) => {
                cause.report();
                Ok(Compared::Restored)
            }
            _ => Ok(Compared::Restored),
        }
    }

    /// An account that is still on WeChat's list although it revoked, as those of the release check are.
    async fn revoke_listed(
        &self,
        appid: &Appid,
        record: Option<&Record>,
        dry_run: bool,
    ) -> Result<Compared, StoreError> {
        let authorized = record.filter(|record| record.is_authorized());
        if let Some(record) = authorized.filter(|_| !dry_run) {
            let now = self.services.clock.now();
            self.services.store.revoke(appid, revoked_at(now, record), now).await?;
            tracing::info!(authorizer.appid = %appid, "WeChat says that the merchant revoked");
        }
        Ok(Compared::Revoked)
    }

    /// Asks WeChat whether an account that is not on its list revoked, and if so removes its tokens.
    pub(crate) async fn confirm(
        &self,
        authorizer_appid: &Appid,
        dry_run: bool,
        deadline: Deadline,
    ) -> Result<Compared, StoreError> {
        // Read before the question, so that a grant made after it is newer than the answer.
        let Some(record) = self.services.store.record(authorizer_appid).await? else {
            return Ok(Compared::Unchanged);
        };
        let began = self.services.clock.now();
        match self.info(authorizer_appid, deadline.reserving(FOR_WRITING)).await {
            Ok(_) => return Ok(Compared::Unchanged),
            Err(Cause::Call(error)) if error.class() == Class::NotAuthorized => {}
            Err(cause) if cause.is_of_platform() => return Ok(Compared::Stopped(Box::new(cause))),
            Err(cause) => {
                tracing::warn!(authorizer.appid = %authorizer_appid, "not known whether the merchant revoked");
                cause.report();
                return Ok(Compared::Failed);
            }
        }
        if dry_run {
            return Ok(Compared::Revoked);
        }
        let (now, revoked_at) = (self.services.clock.now(), revoked_at(began, &record));
        if !self.services.store.revoke(authorizer_appid, revoked_at, now).await? {
            return Ok(Compared::Unchanged);
        }
        tracing::info!(authorizer.appid = %authorizer_appid, "WeChat says that the merchant revoked");
        Ok(Compared::Revoked)
    }
}

/// When the grant was made that `record` lacks; none if it lacks nothing.
fn missing_since(listed: &ListedAccount, record: Option<&Record>) -> Option<Timestamp> {
    let Some(record) = record else { return Some(listed.auth_time) };
    let is_newer_than = |known: Option<Timestamp>| known.is_none_or(|known| listed.auth_time > known);
    if !record.is_authorized() {
        return is_newer_than(record.unauthorized_at).then_some(listed.auth_time);
    }
    match (&record.refresh_token, &listed.refresh_token) {
        // The grant is known, and brought no token.
        (None, _) => Some(record.authorized_at.map_or(listed.auth_time, |known| known.max(listed.auth_time))),
        (Some(stored), Some(current)) if stored != current => {
            is_newer_than(record.authorized_at).then_some(listed.auth_time)
        }
        _ => None,
    }
}
