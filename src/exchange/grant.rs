//! How a grant gets into the table, once WeChat has given it.

use std::time::Duration;

use super::{Account, Exchange, FOR_ANSWERING, Granted, Outcome, Shown};
use crate::after;
use crate::claim::{Claim, Event};
use crate::component::Cause;
use crate::deadline::Deadline;
use crate::evidence::Binding;
use crate::metric;
use crate::services::Landed;
use crate::store::{GrantWrite, Obtained, Record, StoreError};
use crate::time::Timestamp;
use crate::wechat::{Appid, Class, ComponentAccessToken, Grant};

/// How long asking for the profile and writing it may take, best effort.
const FOR_PROFILE: Duration = Duration::from_secs(3);

/// An account whose grant is stored, and whose profile is to be fetched.
#[derive(Clone, Debug)]
pub(super) struct Unprofiled {
    appid: Appid,
    /// Which grant of the account it is.
    authorized_at: Timestamp,
    /// Whether WeChat gave a refresh token with the grant; if not, it may tell one with the profile.
    has_refresh_token: bool,
    token: ComponentAccessToken,
}

impl Exchange {
    /// Writes the grant. Nothing may keep it from being written but the end of the invocation. Returns the account if it
    /// is to be asked who it is.
    pub(super) async fn store_grant(
        &self,
        claim: &mut Claim,
        granted: Granted,
        writing: Deadline,
    ) -> (Outcome, Option<Unprofiled>) {
        let Granted { grant, token, asked_at } = granted;
        let appid = &grant.authorizer_appid;
        let (bound, authorized_at) = match self
            .put_grant(claim, &grant, Obtained::Exchanged, asked_at, writing)
            .await
        {
            None | Some(Landed::Heard(_)) => {
                tracing::error!(authorizer.appid = %appid, "the grant could not be written in time and is left pending");
                let giving_back = self.follow(claim, claim.code.after(Event::AnswerLost, claim.evidence));
                Deadline::after(FOR_ANSWERING / 2).limit(giving_back).await;
                return (Outcome::Pending, None);
            }
            Some(Landed::Newer(newer) | Landed::Doubtful(newer)) => {
                tracing::info!(authorizer.appid = %appid, "a newer event is stored already");
                return (Outcome::of_record(appid, &newer, self.shown_of(claim, &newer)), None);
            }
            Some(Landed::Written { bound, authorized_at }) => (bound, authorized_at),
        };
        let unprofiled = Unprofiled {
            appid: appid.clone(),
            authorized_at,
            has_refresh_token: grant.refresh_token.is_some(),
            token,
        };
        tracing::info!(
            authorizer.appid = %appid,
            permission_sets = grant.func_info.len(),
            refresh_token = grant.refresh_token.is_some(),
            "grant stored"
        );
        let mut permission_sets = grant.func_info;
        permission_sets.sort_by_key(|set| set.id);
        permission_sets.dedup_by_key(|set| set.id);
        let account = Account {
            nick_name: None,
            permission_sets,
            // Nearly every page of a grant reads the record.
            head_img: None,
            has_tokens: grant.access_token.is_some() || grant.refresh_token.is_some(),
            authorizer_appid: grant.authorizer_appid,
        };
        (Outcome::Stored(account, if bound { Shown::Launch } else { Shown::Here }), Some(unprofiled))
    }

    /// Who may see the account of a grant that gave way to a newer one: its launch has it as its outcome all the same.
    fn shown_of(&self, claim: &Claim, newer: &Record) -> Shown {
        if claim.binding.is_some() && newer.is_authorized() { Shown::Launch } else { Shown::Here }
    }

    /// Writes the grant of a claim, and what pushes have told of that meanwhile. None if the time was up before, or WeChat
    /// could not be asked what holds.
    pub(super) async fn put_grant(
        &self,
        claim: &mut Claim,
        grant: &Grant,
        obtained: Obtained,
        asked_at: Timestamp,
        writing: Deadline,
    ) -> Option<Landed> {
        loop {
            match self.put_grant_as_known(claim, grant, obtained, asked_at, writing).await? {
                Landed::Heard(told) => claim.adopt(told),
                landed => return Some(landed),
            }
        }
    }

    async fn put_grant_as_known(
        &self,
        claim: &Claim,
        grant: &Grant,
        obtained: Obtained,
        asked_at: Timestamp,
        writing: Deadline,
    ) -> Option<Landed> {
        let mut write = GrantWrite {
            grant,
            obtained,
            event_time: claim.event_time,
            binding: claim.binding.as_ref(),
            asked_at,
            claim: Some(claim),
        };
        let appid = &grant.authorizer_appid;
        let mut landed = writing.limit(self.services.put_grant(&write, None, writing)).await?.ok()?;
        if let Landed::Doubtful(tombstone) = landed {
            let asked_at = self.services.clock.now();
            let mut answer = self.services.authorizer_info(appid, writing).await;
            // It has just given this grant: one refusal may be a fault.
            if matches!(&answer, Err(Cause::Call(error)) if error.class() == Class::NotAuthorized) {
                answer = self.services.authorizer_info(appid, writing).await;
            }
            match answer {
                Ok(_) => {
                    write.asked_at = asked_at.max(tombstone.updated_at + Duration::from_secs(1));
                    let writing_again = self.services.put_grant(&write, Some(&tombstone), writing);
                    landed = writing.limit(writing_again).await?.ok()?;
                }
                Err(Cause::Call(error)) if error.class() == Class::NotAuthorized => {
                    landed = Landed::Newer(tombstone);
                }
                Err(cause) => {
                    cause.report();
                    return None;
                }
            }
        }
        match &landed {
            Landed::Written { .. } => metric::grant(self.door),
            Landed::Newer(record) | Landed::Doubtful(record) => self.give_way(claim, grant, record).await,
            Landed::Heard(_) => {}
        }
        Some(landed)
    }

    /// Closes the claim of a grant that gives way to a newer record, and its launch. Makes that record due: WeChat's
    /// tokens in force are those of whichever code was exchanged last, and this one was exchanged just now. If the record is
    /// of the same authorization and of no launch, it gets this one's: it may be the same grant, restored from WeChat's
    /// list, which knows of no launch.
    async fn give_way(&self, claim: &Claim, grant: &Grant, newer: &Record) {
        let (store, now) = (&self.services.store, self.services.clock.now());
        let appid = &grant.authorizer_appid;
        if newer.is_authorized() {
            // First, and the claim stays if it fails: whoever takes that up does it again.
            if let Err(error) = store.make_due(appid, now).await {
                return tracing::warn!(authorizer.appid = %appid, "{error}");
            }
            if let Some(binding) = &claim.binding
                && let Err(error) = self.bind_older(binding, grant, newer).await
            {
                tracing::warn!("{error}");
            }
        }
        if let Err(error) = store.close_claim(&claim.digest, appid).await {
            tracing::warn!("{error}");
        }
    }

    async fn bind_older(&self, binding: &Binding, grant: &Grant, newer: &Record) -> Result<(), StoreError> {
        let (store, now) = (&self.services.store, self.services.clock.now());
        let appid = &grant.authorizer_appid;
        let is_ended = store.end_launch(binding, appid, newer.authorized_at, now).await?;
        if is_ended && grant.refresh_token.is_some() && grant.refresh_token == newer.refresh_token {
            store.bind_unbound(binding, appid, newer.authorized_at, now).await?;
        }
        Ok(())
    }

    /// Asks who the account is, once its grant is safe: best effort. If that is lost, `reconcile` asks again.
    pub(super) async fn fetch_profile(&self, unprofiled: &Unprofiled, deadline: Deadline) {
        let Unprofiled { appid, authorized_at, has_refresh_token, token } = unprofiled;
        let deadline = deadline.within(FOR_PROFILE);
        let fetching = async {
            let info = match self.services.wechat.authorizer_info(token, appid, deadline.remaining()).await {
                Ok(info) => info,
                Err(error) => {
                    let errcode = error.errcode().get();
                    return tracing::warn!(authorizer.appid = %appid, errcode, "no profile: {error}");
                }
            };
            let missing = info.refresh_token.as_ref().filter(|_| !has_refresh_token);
            let now = self.services.clock.now();
            let profile = info.profile.as_ref();
            let put = self.services.store.put_profile(appid, *authorized_at, profile, missing, now);
            if let Err(error) = put.await {
                tracing::warn!(authorizer.appid = %appid, "{error}");
            }
        };
        deadline.limit(fetching).await;
    }

    /// The same, once the invocation has answered: whoever waits for that does not wait for the profile.
    pub(super) fn leave_profile(&self, unprofiled: Unprofiled) {
        let exchange = self.clone();
        after::leave(async move {
            exchange.fetch_profile(&unprofiled, Deadline::after(FOR_PROFILE)).await;
        });
    }
}
