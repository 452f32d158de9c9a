//! What the table has of an account against what WeChat has of it: profile, status and permission sets.

use std::collections::BTreeSet;

use super::restore::missing_since;
use super::{Authorizers, Compared, FOR_WRITING, Turns};
use crate::component::Cause;
use crate::deadline::Deadline;
use crate::store::{Correction, Record, StoreError};
use crate::wechat::{Appid, AuthorizerInfo, Class, ListedAccount};

impl Authorizers {
    /// Makes the record of a listed account complete if it is not; else compares it with what WeChat has, if its turn has
    /// come. With `dry_run` says what would be done.
    pub(crate) async fn heal(
        &self,
        listed: &ListedAccount,
        record: Option<&Record>,
        turns: &Turns,
        dry_run: bool,
        deadline: Deadline,
    ) -> Result<Compared, StoreError> {
        let now = self.services.clock.now();
        let appid = &listed.authorizer_appid;
        match record.filter(|record| missing_since(listed, Some(record), now).is_none()) {
            None => self.restore(listed, record, dry_run, deadline).await,
            Some(record) if turns.has_come(appid, record.profile_at, now) && turns.take() => {
                self.compare(appid, record, dry_run, deadline).await
            }
            Some(_) => Ok(Compared::Unchanged),
        }
    }

    async fn compare(
        &self,
        appid: &Appid,
        record: &Record,
        dry_run: bool,
        deadline: Deadline,
    ) -> Result<Compared, StoreError> {
        let info = match self.services.authorizer_info(appid, deadline.reserving(FOR_WRITING)).await {
            Ok(info) => info,
            Err(Cause::Call(error)) if error.class() == Class::NotAuthorized => {
                return self.refuse_listed(appid, Some(record), dry_run, deadline).await;
            }
            Err(cause) if cause.is_of_platform() => return Ok(Compared::Stopped(Box::new(cause))),
            Err(cause) => {
                tracing::warn!(authorizer.appid = %appid, "not compared");
                cause.report();
                return Ok(Compared::Failed);
            }
        };
        self.correct(appid, record, &info, dry_run).await
    }

    /// Writes what WeChat has in place of what the record has, tokens aside.
    pub(super) async fn correct(
        &self,
        appid: &Appid,
        record: &Record,
        info: &AuthorizerInfo,
        dry_run: bool,
    ) -> Result<Compared, StoreError> {
        if info.profile.is_none() && info.func_info.is_none() {
            tracing::warn!(authorizer.appid = %appid, "not compared: WeChat's answer says nothing of the account");
            return Ok(Compared::Failed);
        }
        let correction = correction(record, info);
        let compared = if correction.is_news { Compared::Corrected } else { Compared::Unchanged };
        if dry_run {
            return Ok(compared);
        }
        let now = self.services.clock.now();
        if !self.services.store.put_compared(appid, record, &correction, now).await? {
            tracing::info!(authorizer.appid = %appid, "the record was written meanwhile, and stays");
            return Ok(Compared::Unchanged);
        }
        if correction.is_news {
            tracing::info!(
                authorizer.appid = %appid,
                profile = correction.profile.is_some(),
                permission_sets = correction.permission_sets.is_some(),
                "record corrected from WeChat"
            );
        }
        Ok(compared)
    }
}

/// What is to be written of WeChat's answer. What it does not say stays as it is.
fn correction<'a>(record: &Record, info: &'a AuthorizerInfo) -> Correction<'a> {
    let stored = record.profile.as_ref();
    let told = info.profile.clone().map(|told| match stored {
        Some(stored) => told.completed(stored),
        None => told,
    });
    let profile = told.filter(|told| stored != Some(told));
    let is_other = profile.as_ref().is_some_and(|told| stored.is_none_or(|stored| told.differs(stored)));
    let permission_sets = info.func_info.as_deref().filter(|sets| {
        let ids: BTreeSet<i64> = sets.iter().map(|set| set.id).collect();
        !record.permission_set_ids.iter().eq(&ids)
    });
    Correction { profile, permission_sets, is_news: is_other || permission_sets.is_some() }
}
