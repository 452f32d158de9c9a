//! The way of a grant into the table, once WeChat has said yes.

use std::time::Duration;

use secrecy::SecretString;

use super::{Account, Exchange, FOR_ANSWERING, Outcome, account};
use crate::deadline::{Deadline, backoff, unique_id};
use crate::metric;
use crate::store::{Claim, Landed, Record, Status, TWINS_APART};
use crate::wechat::Grant;

/// How long the best-effort look at the account may take.
const INTRODUCTION: Duration = Duration::from_millis(1500);

impl Exchange {
    /// Writes the grant. Nothing may keep it from being written but the end of the invocation.
    pub(super) async fn land(
        &self,
        mut claim: Claim,
        grant: Grant,
        token: &SecretString,
        writing: Deadline,
    ) -> Outcome {
        let appid = &grant.authorizer_appid;
        let landing = self.put_grant(&claim, &grant);
        let Some(newer) = writing.limit(landing).await else {
            tracing::error!(authorizer.appid = %appid, "the grant could not be written in time and is left pending");
            claim.maybe_spent = true;
            Deadline::after(FOR_ANSWERING / 2).limit(self.release(&claim)).await;
            return Outcome::Pending;
        };
        if let Some(newer) = newer {
            tracing::info!(authorizer.appid = %appid, "a newer event is stored already");
            return account(appid, &newer);
        }
        let nick_name = self.introduce(&claim, &grant, token, writing).await;
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

    /// Writes the grant, however long it takes. Returns the record instead if it is newer.
    pub(super) async fn put_grant(&self, claim: &Claim, grant: &Grant) -> Option<Record> {
        let mut known = None;
        loop {
            let now = self.services.clock.now();
            let request_token = unique_id();
            let mut tries = 0;
            let landed = loop {
                match self.services.store.put_grant(claim, grant, known.as_ref(), now, &request_token).await {
                    Ok(landed) => break landed,
                    Err(error) => {
                        tries += 1;
                        tracing::warn!(authorizer.appid = %grant.authorizer_appid, tries, "{error}");
                        tokio::time::sleep(backoff(tries.min(3))).await;
                    }
                }
            };
            match landed {
                Landed::Written => {
                    metric::grant(self.door);
                    return None;
                }
                Landed::Conflict(record) if record.is_newer_than(claim.event_time) => {
                    if let Err(error) = self.services.store.close_claim(claim, &grant.authorizer_appid).await
                    {
                        tracing::warn!("{error}");
                    }
                    self.heal(claim, grant, &record).await;
                    return Some(*record);
                }
                Landed::Conflict(record) => known = Some(*record),
            }
        }
    }

    /// Makes the newer record due if its grant is a twin of this one: which of the two was exchanged last, and
    /// so holds the tokens that are in force, is not known.
    async fn heal(&self, claim: &Claim, grant: &Grant, newer: &Record) {
        let apart = newer.authorized_at.unwrap_or_default() - claim.event_time;
        if newer.status != Some(Status::Authorized) || apart >= TWINS_APART {
            return;
        }
        let now = self.services.clock.now();
        if let Err(error) = self.services.store.make_due(&grant.authorizer_appid, now).await {
            tracing::warn!(authorizer.appid = %grant.authorizer_appid, "{error}");
        }
    }

    /// Looks who the account is, once its grant is safe: best effort. Returns its name.
    async fn introduce(
        &self,
        claim: &Claim,
        grant: &Grant,
        token: &SecretString,
        writing: Deadline,
    ) -> Option<String> {
        let appid = &grant.authorizer_appid;
        let deadline = writing.within(INTRODUCTION);
        let introduction = async {
            let info = match self.services.wechat.authorizer_info(token, appid, deadline.remaining()).await {
                Ok(info) => info,
                Err(error) => {
                    tracing::warn!(authorizer.appid = %appid, errcode = error.errcode(), "no profile: {error}");
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
        deadline.limit(introduction).await?
    }
}
