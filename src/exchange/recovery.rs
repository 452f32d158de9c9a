//! Grants whose answer was lost, completed from what WeChat has of the account.

use std::time::Duration;

use super::finish::CODE_LIFE;
use super::{Exchange, FOR_WRITING, Finished};
use crate::claim::{Claim, CodeState};
use crate::component::Cause;
use crate::deadline::Deadline;
use crate::metric;
use crate::services::Landed;
use crate::store::Obtained;
use crate::wechat::{Appid, Class, Grant, LIST_PAGE, ListedAccount};

/// An account authorized at most this long before, or after, the event that brought its code.
const BEFORE_EVENT: Duration = Duration::from_mins(10);
const AFTER_EVENT: Duration = Duration::from_mins(1);

impl Exchange {
    /// The accounts on WeChat's list that spent codes may be of. No code is matched with one of them, for that would be a
    /// guess, and whoever brought the code would get another merchant's account: their records are for the caller to
    /// make complete, as `reconcile` would. None if the list could not be read to its end.
    pub(crate) async fn candidates(
        &self,
        claims: &[Claim],
        deadline: Deadline,
    ) -> Option<Vec<ListedAccount>> {
        let calling = deadline.reserving(FOR_WRITING);
        let now = self.services.clock.now();
        let mut candidates = Vec::new();
        let walk = self.walk_list(calling, |account| {
            let is_meant = |claim: &Claim| {
                let window = claim.event_time - BEFORE_EVENT..=claim.event_time + AFTER_EVENT;
                window.contains(&account.auth_time.at(now))
            };
            if claims.iter().any(is_meant) {
                candidates.push(account.clone());
            }
        });
        walk.await.then_some(candidates)
    }

    /// Shows `visit` every account of the list. False if it could not be read to its end.
    async fn walk_list(&self, calling: Deadline, mut visit: impl FnMut(&ListedAccount)) -> bool {
        let mut offset = 0;
        loop {
            let page = match self.services.authorizer_list(offset, calling).await {
                Ok(page) => page,
                Err(cause) => {
                    cause.report();
                    return false;
                }
            };
            page.accounts.iter().for_each(&mut visit);
            offset += LIST_PAGE;
            if page.length == 0 || offset >= page.total_count {
                return true;
            }
        }
    }

    /// Completes the grant of a code from what WeChat has of the account. From here on the code is not sent any more,
    /// whether or not it ever was.
    pub(super) async fn recover(&self, claim: &mut Claim, appid: &Appid, writing: Deadline) -> Finished {
        let asked_at = self.services.clock.now();
        let info = match self.services.authorizer_info(appid, writing.reserving(FOR_WRITING)).await {
            Ok(info) => info,
            Err(cause) => return self.not_recovered(claim, cause).await,
        };
        if info.refresh_token.is_none() {
            if info.func_info.is_none() && asked_at < claim.event_time + CODE_LIFE {
                // WeChat leaves `authorization_info` out at times, which says nothing of it.
                self.release(claim, CodeState::Spent).await;
                return Finished::Pending;
            }
            return self.unexchanged(claim, appid).await;
        }
        let grant = Grant {
            authorizer_appid: appid.clone(),
            access_token: None,
            refresh_token: info.refresh_token,
            func_info: info.func_info.unwrap_or_default(),
        };
        let authorized_at = match self.put_grant(claim, &grant, Obtained::Recovered, asked_at, writing).await
        {
            None | Some(Landed::Heard(_)) => return Finished::Pending,
            Some(Landed::Newer(_) | Landed::Doubtful(_)) => return Finished::Stored(appid.clone()),
            Some(Landed::Written { authorized_at, .. }) => authorized_at,
        };
        let now = self.services.clock.now();
        let profile = self.services.store.put_profile(appid, authorized_at, info.profile.as_ref(), None, now);
        if let Err(error) = profile.await {
            tracing::warn!(authorizer.appid = %appid, "{error}");
        }
        tracing::info!(authorizer.appid = %appid, "a grant whose answer was lost is recovered");
        Finished::Stored(appid.clone())
    }

    /// Ends a claim whose code was never exchanged and is dead: WeChat keeps no refresh token for it. Services, `doctor`
    /// and an alarm say so, for only the merchant can authorize again.
    async fn unexchanged(&self, claim: &Claim, appid: &Appid) -> Finished {
        let (store, now) = (&self.services.store, self.services.clock.now());
        tracing::error!(
            authorizer.appid = %appid,
            advice = "ask the merchant to authorize again; look for 45009 or 61004 in the log of the last hours",
            "an authorization code died before WeChat exchanged it"
        );
        let written = async {
            store.put_unexchanged_record(appid, claim.event_time, now).await?;
            store.put_unexchanged(claim, now).await
        };
        match written.await {
            Ok(_) => {
                metric::unexchanged();
                Finished::Failed
            }
            Err(error) => {
                tracing::warn!(authorizer.appid = %appid, "{error}");
                Finished::Pending
            }
        }
    }

    async fn not_recovered(&self, claim: &Claim, cause: Cause) -> Finished {
        match cause {
            // One refusal may be a fault of WeChat's: it must say so again.
            Cause::Call(error) if error.class() == Class::NotAuthorized && claim.sweeps > 1 => {
                self.fail(claim, error.errcode()).await;
                return Finished::Failed;
            }
            cause => cause.report(),
        }
        self.release(claim, CodeState::Spent).await;
        Finished::Pending
    }
}
