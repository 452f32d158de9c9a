//! Exchanges that were left pending: tried again, or completed from what WeChat has of the grant.

use std::time::Duration;

use super::{Exchange, FOR_ANSWERING, FOR_WRITING, LEASE_MARGIN, LONGEST, Outcome, Spent};
use crate::component::Cause;
use crate::deadline::{Deadline, unique_id};
use crate::store::{Claim, StoreError};
use crate::wechat::{Appid, AuthorizerList, Class, Grant, LIST_PAGE, ListedAccount};

/// How long a code lives, in seconds. The redirect says an hour; older pages of WeChat say ten minutes.
const CODE_LIFE: i64 = 3600;

/// For how long an account is looked for whose code was spent, in seconds.
const LOOKED_FOR: i64 = 86_400;

/// An account authorized at most so many seconds before, or after, the event that brought its code.
const BEFORE_EVENT: i64 = 600;
const AFTER_EVENT: i64 = 60;

/// WeChat's word for a code that is expired or used.
const CODE_SPENT: i64 = 61010;

/// What came of taking up a pending exchange.
#[derive(Clone, Debug)]
pub enum Finished {
    /// The grant is stored. Whether it has an access token is for the refresh to see.
    Stored(Appid),
    /// There is nothing to be had for the code.
    Failed,
    /// It stays pending, or somebody else has it.
    Pending,
    /// It stays pending, and so would every other: the reason, in the log, is not about this code.
    Stopped,
    /// The code is spent and nobody knows for which account: [`Exchange::find`] it.
    Unknown(Claim),
}

/// What came of looking for the accounts of spent codes.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The accounts whose grants are in the table now.
    pub stored: Vec<Appid>,
    /// The accounts that may be meant by a code that was not matched.
    pub unmatched: Vec<ListedAccount>,
}

impl Exchange {
    /// Takes up the pending exchange of the code with this digest.
    pub async fn finish(&self, digest: &str, deadline: Deadline) -> Result<Finished, StoreError> {
        let writing = deadline.within(LONGEST).reserving(FOR_ANSWERING);
        let now = self.services.clock.now();
        let lease_until = now + writing.remaining().as_secs() as i64 + LEASE_MARGIN;
        let reclaimed = self.services.store.reclaim(digest, &unique_id(), now, lease_until).await?;
        let Some((claim, code)) = reclaimed else { return Ok(Finished::Pending) };
        let spent = if !claim.spent && now < claim.event_time + CODE_LIFE {
            match self.exchange(&code, claim, None, writing).await {
                Ok(Outcome::Stored(account)) => return Ok(Finished::Stored(account.authorizer_appid)),
                Ok(Outcome::CodeInvalid | Outcome::CodeSpent | Outcome::NotAuthorized) => {
                    return Ok(Finished::Failed);
                }
                Ok(Outcome::Unavailable | Outcome::NotReady) => return Ok(Finished::Stopped),
                Ok(Outcome::Pending | Outcome::Unclaimed(_)) => return Ok(Finished::Pending),
                Err(Spent(claim)) => claim,
            }
        } else {
            Claim { spent: claim.spent || claim.maybe_spent, ..claim }
        };
        match spent.authorizer_appid.clone() {
            Some(appid) => Ok(self.recover(spent, &appid, writing).await),
            // It expired without having been sent.
            None if !spent.spent => {
                self.fail(&spent, CODE_SPENT).await;
                Ok(Finished::Failed)
            }
            None if now > spent.event_time + LOOKED_FOR => {
                tracing::warn!(
                    "a spent code could not be matched with one account; those it may be are restored"
                );
                self.fail(&spent, CODE_SPENT).await;
                Ok(Finished::Failed)
            }
            None => Ok(Finished::Unknown(spent)),
        }
    }

    /// Looks for the accounts of spent codes among all that authorize the platform. A code is matched with an
    /// account only if no other can be meant, for the merchant is shown which it is; the others are for the
    /// caller to restore.
    pub async fn find(&self, claims: Vec<Claim>, deadline: Deadline) -> Found {
        let calling = deadline.reserving(FOR_WRITING);
        let mut candidates: Vec<Vec<ListedAccount>> = vec![Vec::new(); claims.len()];
        let complete = self.walk_list(calling, |account| {
            for (claim, candidates) in claims.iter().zip(&mut candidates) {
                let window = claim.event_time - BEFORE_EVENT..=claim.event_time + AFTER_EVENT;
                if window.contains(&account.auth_time) {
                    candidates.push(account.clone());
                }
            }
        });
        let complete = complete.await;
        let mut found = Found::default();
        for (claim, candidates) in claims.into_iter().zip(candidates) {
            match candidates.as_slice() {
                [account] if complete => {
                    let recovered = self.recover(claim, &account.authorizer_appid, deadline).await;
                    found.stored.extend(match recovered {
                        Finished::Stored(appid) => Some(appid),
                        _ => None,
                    });
                }
                _ => {
                    self.release(&claim).await;
                    found.unmatched.extend(candidates);
                }
            }
        }
        found
    }

    /// Shows `visit` every account of the list. False if the list could not be read to its end.
    async fn walk_list(&self, calling: Deadline, mut visit: impl FnMut(&ListedAccount)) -> bool {
        let mut offset = 0;
        loop {
            let request = |token, limit: Duration| async move {
                self.services.wechat.authorizer_list(&token, offset, limit).await
            };
            let page: AuthorizerList = match self.services.component.call(None, calling, request).await {
                Ok((page, _)) => page,
                Err(failure) => {
                    failure.cause.report();
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

    /// Completes the grant of a spent code from what WeChat has of the account.
    async fn recover(&self, claim: Claim, appid: &Appid, writing: Deadline) -> Finished {
        // From here on the code is of no use, whether or not it was ever sent.
        let claim = Claim { spent: true, ..claim };
        let calling = writing.reserving(FOR_WRITING);
        let request =
            |token, limit| async move { self.services.wechat.authorizer_info(&token, appid, limit).await };
        let info = match self.services.component.call(None, calling, request).await {
            Ok((info, _)) => info,
            Err(failure) => return self.unrecovered(&claim, failure.cause).await,
        };
        if info.refresh_token.is_none() {
            tracing::warn!(authorizer.appid = %appid, "WeChat has no refresh token: the merchant must authorize again");
            self.fail(&claim, CODE_SPENT).await;
            return Finished::Failed;
        }
        let grant = Grant {
            authorizer_appid: appid.clone(),
            access_token: None,
            refresh_token: info.refresh_token,
            func_info: info.func_info,
        };
        match writing.limit(self.put_grant(&claim, &grant)).await {
            None => return Finished::Pending,
            Some(Some(_newer)) => return Finished::Stored(appid.clone()),
            Some(None) => {}
        }
        let now = self.services.clock.now();
        let profile = self.services.store.put_profile(appid, claim.event_time, &info.profile, None, now);
        if let Err(error) = profile.await {
            tracing::warn!(authorizer.appid = %appid, "{error}");
        }
        tracing::info!(authorizer.appid = %appid, "a grant whose answer was lost is recovered");
        Finished::Stored(appid.clone())
    }

    async fn unrecovered(&self, claim: &Claim, cause: Cause) -> Finished {
        match cause {
            Cause::Call(error) if error.class() == Class::NotAuthorized => {
                self.fail(claim, error.errcode()).await;
                return Finished::Failed;
            }
            cause => cause.report(),
        }
        self.release(claim).await;
        Finished::Pending
    }
}
