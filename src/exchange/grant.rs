//! How a grant gets into the table, once WeChat has given it.

use std::time::Duration;

use super::{Account, Exchange, FOR_ANSWERING, Outcome};
use crate::claim::{Claim, Event};
use crate::deadline::Deadline;
use crate::metric;
use crate::store::{GrantWrite, Obtained, Record};
use crate::wechat::{Appid, ComponentAccessToken, Grant};

/// How long asking for the profile may take, best effort.
const FOR_PROFILE: Duration = Duration::from_millis(1500);

impl Exchange {
    /// Writes the grant. Nothing may keep it from being written but the end of the invocation.
    pub(super) async fn store_grant(
        &self,
        claim: &Claim,
        grant: Grant,
        token: &ComponentAccessToken,
        writing: Deadline,
    ) -> Outcome {
        let appid = &grant.authorizer_appid;
        match self.put_grant(claim, &grant, Obtained::Exchanged, writing).await {
            None => {
                tracing::error!(authorizer.appid = %appid, "the grant could not be written in time and is left pending");
                let giving_back = self.follow(claim, claim.code.after(Event::NotWritten));
                Deadline::after(FOR_ANSWERING / 2).limit(giving_back).await;
                return Outcome::Pending;
            }
            Some(Some(newer)) => {
                tracing::info!(authorizer.appid = %appid, "a newer event is stored already");
                return Outcome::of_record(appid, &newer);
            }
            Some(None) => {}
        }
        let nick_name = self.fetch_profile(claim, &grant, token, writing).await;
        tracing::info!(
            authorizer.appid = %appid,
            permission_sets = grant.func_info.len(),
            refresh_token = grant.refresh_token.is_some(),
            "grant stored"
        );
        let mut permission_set_ids: Vec<i64> = grant.func_info.iter().map(|set| set.id).collect();
        permission_set_ids.sort_unstable();
        permission_set_ids.dedup();
        Outcome::Stored(Account {
            nick_name,
            permission_set_ids,
            has_tokens: grant.access_token.is_some() || grant.refresh_token.is_some(),
            authorizer_appid: grant.authorizer_appid,
        })
    }

    /// Writes the grant of a claim. None if the time was up before; else the record if it is newer.
    pub(super) async fn put_grant(
        &self,
        claim: &Claim,
        grant: &Grant,
        obtained: Obtained,
        writing: Deadline,
    ) -> Option<Option<Record>> {
        let write = GrantWrite {
            grant,
            obtained,
            event_time: claim.event_time,
            state: claim.state.as_ref(),
            code: Some(&claim.digest),
        };
        let newer = writing.limit(self.services.put_grant(&write, None, writing)).await?.ok()?;
        match &newer {
            None => metric::grant(self.door),
            Some(record) => self.give_way(claim, &grant.authorizer_appid, record).await,
        }
        Some(newer)
    }

    /// Closes the claim of a grant that gives way to a newer record, and makes that record due: WeChat's tokens in force
    /// are those of whichever code was exchanged last, and this one was exchanged just now.
    async fn give_way(&self, claim: &Claim, appid: &Appid, newer: &Record) {
        if let Err(error) = self.services.store.close_claim(&claim.digest, appid).await {
            tracing::warn!("{error}");
        }
        if !newer.is_authorized() {
            return;
        }
        if let Err(error) = self.services.store.make_due(appid, self.services.clock.now()).await {
            tracing::warn!(authorizer.appid = %appid, "{error}");
        }
    }

    /// Asks who the account is, once its grant is safe: best effort. Returns its name.
    async fn fetch_profile(
        &self,
        claim: &Claim,
        grant: &Grant,
        token: &ComponentAccessToken,
        writing: Deadline,
    ) -> Option<String> {
        let appid = &grant.authorizer_appid;
        let deadline = writing.within(FOR_PROFILE);
        let fetching = async {
            let info = match self.services.wechat.authorizer_info(token, appid, deadline.remaining()).await {
                Ok(info) => info,
                Err(error) => {
                    let errcode = error.errcode().get();
                    tracing::warn!(authorizer.appid = %appid, errcode, "no profile: {error}");
                    return None;
                }
            };
            let missing = info.refresh_token.as_ref().filter(|_| grant.refresh_token.is_none());
            let now = self.services.clock.now();
            let put = self.services.store.put_profile(appid, claim.event_time, &info.profile, missing, now);
            if let Err(error) = put.await {
                tracing::warn!(authorizer.appid = %appid, "{error}");
            }
            info.profile.nick_name
        };
        deadline.limit(fetching).await?
    }
}
