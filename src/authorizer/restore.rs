//! What the table lacks of an account, from WeChat's own list of who authorizes the platform.

use super::{Authorizers, FOR_WRITING, Refreshed, Suspect, revoked_at};
use crate::component::Cause;
use crate::deadline::Deadline;
use crate::services::Landed;
use crate::store::{GrantWrite, Obtained, Reason, Record, StoreError};
use crate::time::{CLOCKS_APART, Timestamp};
use crate::wechat::{Appid, Class, Grant, ListedAccount};

/// How comparing one account with its record ended.
#[derive(Clone, Debug)]
pub(crate) enum Compared {
    /// The record was missing or had no valid token, and is complete now.
    Restored,
    /// The record said something else than WeChat of the profile or the permission sets, and is corrected.
    Corrected,
    /// The record is as it should be, or newer.
    Unchanged,
    /// The merchant revoked, and the table says so, or this is a dry run.
    Revoked,
    /// Two different answers of WeChat say that the merchant revoked. The tokens are still stored.
    Suspected(Suspect),
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
        let asked_at = self.services.clock.now();
        let Some(event_time) = missing_since(listed, record, asked_at) else {
            return Ok(Compared::Unchanged);
        };
        let appid = &listed.authorizer_appid;
        let calling = deadline.reserving(FOR_WRITING);
        let info = match self.services.authorizer_info(appid, calling).await {
            Ok(info) => Some(info),
            Err(Cause::Call(error)) if error.class() == Class::NotAuthorized => {
                return self.refuse_listed(appid, record, dry_run, deadline).await;
            }
            Err(cause) if cause.is_of_platform() => return Ok(Compared::Stopped(Box::new(cause))),
            Err(cause) => {
                cause.report();
                if listed.refresh_token.is_none() {
                    tracing::warn!(authorizer.appid = %appid, "not restored");
                    return Ok(Compared::Failed);
                }
                // The token is what is lost for good; what else there is to know, a later run asks for.
                tracing::warn!(authorizer.appid = %appid, "restored from the list alone");
                None
            }
        };
        let told = info.as_ref().and_then(|info| info.refresh_token.clone());
        let refresh_token = told.or_else(|| listed.refresh_token.clone());
        if refresh_token.is_none() {
            if let (Some(record), Some(info)) = (record.filter(|record| record.is_authorized()), &info) {
                self.correct(appid, record, info, dry_run).await?;
            }
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
            func_info: info.as_ref().and_then(|info| info.func_info.clone()).unwrap_or_default(),
        };
        let write = GrantWrite {
            grant: &grant,
            obtained: Obtained::Recovered,
            event_time,
            binding: None,
            asked_at,
            claim: None,
        };
        // Over a tombstone that was read before the question: the list and the account's info agree, whatever its time is.
        let authorized_at = match deadline.limit(self.services.put_grant(&write, record, deadline)).await {
            None | Some(Err(_)) => return Ok(Compared::Failed),
            Some(Ok(Landed::Newer(_) | Landed::Doubtful(_) | Landed::Heard(_))) => {
                return Ok(Compared::Unchanged);
            }
            Some(Ok(Landed::Written { authorized_at, .. })) => authorized_at,
        };
        let now = self.services.clock.now();
        if let Some(info) = &info {
            self.services.store.put_profile(appid, authorized_at, info.profile.as_ref(), None, now).await?;
        }
        tracing::info!(authorizer.appid = %appid, "record restored from WeChat");
        match self.refresh(appid, &Reason::DueBy(now), deadline).await? {
            Refreshed::Suspected(suspect) => Ok(Compared::Suspected(suspect)),
            Refreshed::Stopped(cause) => {
                cause.report();
                Ok(Compared::Restored)
            }
            _ => Ok(Compared::Restored),
        }
    }

    /// An account that is still on WeChat's list although WeChat refuses to tell of it, as those of the release check
    /// are. Refreshing its token brings the second answer.
    pub(super) async fn refuse_listed(
        &self,
        appid: &Appid,
        record: Option<&Record>,
        dry_run: bool,
        deadline: Deadline,
    ) -> Result<Compared, StoreError> {
        let Some(record) = record.filter(|record| record.is_authorized()) else {
            return Ok(Compared::Revoked);
        };
        if dry_run {
            return Ok(Compared::Revoked);
        }
        if record.refresh_token.is_none() {
            tracing::warn!(authorizer.appid = %appid, "WeChat lists the account and refuses to tell of it");
            return Ok(Compared::Failed);
        }
        Ok(match self.refresh(appid, &Reason::Listed, deadline).await? {
            Refreshed::Suspected(suspect) => Compared::Suspected(suspect),
            Refreshed::Failed => Compared::Failed,
            Refreshed::Done | Refreshed::NotOurs => Compared::Unchanged,
            Refreshed::Stopped(cause) => Compared::Stopped(cause),
        })
    }

    /// Asks WeChat whether an account that is not on its list revoked, which its absence from the list says already.
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
        match self.services.authorizer_info(authorizer_appid, deadline.reserving(FOR_WRITING)).await {
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
        Ok(Compared::Suspected(Suspect {
            authorizer_appid: authorizer_appid.clone(),
            version: record.version,
            revoked_at: revoked_at(began, &record),
        }))
    }
}

/// When the grant was made that `record` lacks; none if it lacks nothing.
pub(super) fn missing_since(
    listed: &ListedAccount,
    record: Option<&Record>,
    now: Timestamp,
) -> Option<Timestamp> {
    let auth_time = listed.auth_time.at(now);
    let Some(record) = record else { return Some(auth_time) };
    if !record.is_authorized() {
        return Some(auth_time);
    }
    match (&record.refresh_token, &listed.refresh_token) {
        // The grant is known, and brought no token.
        (None, _) => Some(record.authorized_at.map_or(auth_time, |known| known.max(auth_time))),
        (Some(stored), Some(current)) if stored != current => {
            record.authorized_at.is_none_or(|known| auth_time > known).then_some(auth_time)
        }
        // The answer of a later exchange was lost: the refresh token is the same, the access token is not.
        _ => record.authorized_at.is_none_or(|known| auth_time > known + CLOCKS_APART).then_some(auth_time),
    }
}
