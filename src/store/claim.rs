//! The claim on one authorization code, as the table has it. The states are in [`crate::claim`].

use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, TransactWriteItem};

use super::attribute::*;
use super::item::{Item, appid, integer, number, string, text, time, timestamp};
use super::update::{Condition, Update};
use super::{Key, Store, StoreError, Written};
use crate::claim::{Authorization, Claim, ClaimState, CodeState, Done, Rejection, Told};
use crate::evidence::{Binding, Bound, Evidence, MadeBy, State};
use crate::id::unique_id;
use crate::lease::Lease;
use crate::time::Timestamp;
use crate::wechat::{Appid, Errcode};

/// How long a claim is kept: a code lives an hour at most, a page may be reloaded for days.
const KEPT: Duration = Duration::from_hours(7 * 24);

/// What a finished claim no longer has, besides its lease.
const UNFINISHED: [&str; 6] = [PENDING, PENDING_AT, AUTHORIZATION_CODE, CODE_STATE, SWEEPS, HEARD];

impl Store {
    /// Claims the code. What the event knows is stored with the claim; what is stored already stays, but for what a
    /// push knows better. A push also opens a claim again that failed without WeChat's word for its code.
    pub(crate) async fn claim(
        &self,
        authorization: Authorization<'_>,
        lease: &Lease,
        now: Timestamp,
    ) -> Result<ClaimState, StoreError> {
        let Authorization { code, event_time, evidence, .. } = authorization;
        let digest = code.digest();
        let is_free = Condition::All(vec![
            Condition::Equals(STATUS, string("claimed")),
            Condition::Differs(CODE_STATE, string("spent")),
            Condition::can_take(lease, now),
        ]);
        let mut takeable = vec![Condition::Absent(PK), is_free];
        if evidence == Evidence::Push {
            takeable.push(Condition::Equals(STATUS, string("unmatched")));
            takeable.push(Condition::All(vec![
                Condition::Equals(STATUS, string("failed")),
                Condition::Differs(EVIDENCE, string(Evidence::Push.as_str())),
            ]));
        }
        let heard = (evidence == Evidence::Push).then(unique_id);
        let mut update = self
            .known_of(authorization)
            .set(STATUS, string("claimed"))
            .set_some(HEARD, heard.as_ref().map(string))
            .take_lease(lease)
            .set_if_absent(CODE_STATE, string(PERHAPS_SPENT))
            .set(PENDING_AT, time(lease.until()))
            .set(AUTHORIZATION_CODE, string(code.expose()))
            .set_if_absent(EVENT_TIME, time(event_time))
            .set(EXPIRES_AT, time(now + KEPT))
            .when(Condition::Any(takeable));
        // What a bare visit is bound to is its own: whoever takes the claim over has another.
        if let Some(binding) = authorization.binding.filter(|binding| binding.bound.is_some()) {
            update = update.set_if_absent(BINDING, binding_map(binding));
        }
        let key = self.claim_key(&digest);
        let given = Claim {
            digest,
            lease: lease.clone(),
            event_time,
            authorizer_appid: authorization.authorizer_appid.cloned(),
            evidence,
            binding: authorization.binding.cloned(),
            code: CodeState::NotSent,
            sweeps: 0,
            heard,
        };
        Ok(match self.write_returning("claim a code", key, update, ReturnValue::AllOld).await? {
            Written::Refused(item) => found(&given.digest, &item),
            Written::Made(before) => ClaimState::Held(taken_over(given, &before)),
        })
    }

    /// What is known of a code, without claiming it; none if nobody has claimed it yet.
    pub(crate) async fn claim_of(
        &self,
        digest: &str,
        now: Timestamp,
    ) -> Result<Option<ClaimState>, StoreError> {
        let item = self.item("read a claim", self.claim_key(digest)).await?;
        Ok(item.map(|item| {
            let is_held = timestamp(&item, LEASE_UNTIL).is_some_and(|until| until > now);
            match found(digest, &item) {
                ClaimState::Running if !is_held => ClaimState::Open,
                state => state,
            }
        }))
    }

    /// Adds what a push knows of the account and the launch to a claim that is held, so that its holder, or whoever comes
    /// after, goes on from it. The launch that the push names replaces another one. None if the claim is closed by now.
    pub(crate) async fn annotate_claim(
        &self,
        authorization: Authorization<'_>,
        now: Timestamp,
    ) -> Result<Option<Told>, StoreError> {
        let digest = authorization.code.digest();
        loop {
            let Some(item) = self.item("read a claim", self.claim_key(&digest)).await? else {
                return Ok(None);
            };
            if text(&item, STATUS) != Some("claimed") {
                return Ok(None);
            }
            let known = read_binding(&item);
            let named = authorization
                .binding
                .filter(|named| known.as_ref().is_none_or(|known| known.launch != named.launch));
            let heard = unique_id();
            // What the push knows may be all that the sweep was waiting for.
            let update = self
                .known_of(authorization)
                .set(PENDING_AT, time(now))
                .set(HEARD, string(&heard))
                .set_some(BINDING, named.map(binding_map))
                .when(Condition::Equals(STATUS, string("claimed")))
                .when(unchanged(BINDING, item.get(BINDING).cloned()));
            if self.write("annotate a claim", self.claim_key(&digest), update).await? {
                return Ok(Some(Told { binding: named.cloned().or(known), heard: Some(heard) }));
            }
        }
    }

    /// Gives the claim back, unfinished; the sweep takes it up again at `retry_at`. A lease that is no longer
    /// ours is left alone.
    pub(crate) async fn release_claim(
        &self,
        claim: &Claim,
        code: CodeState,
        retry_at: Timestamp,
    ) -> Result<(), StoreError> {
        let update = Update::default()
            .set(PENDING_AT, time(retry_at))
            .set(PENDING, self.pending_key(claim.evidence))
            .set(EVIDENCE, string(claim.evidence.as_str()))
            .set_or_remove(CODE_STATE, code_state(code).map(string))
            .end_lease()
            .when(Condition::holds(&claim.lease))
            .when(heard_nothing(claim));
        match self.write("release a claim", self.claim_key(&claim.digest), update).await? {
            true => Ok(()),
            false => self.give_back(claim, code).await,
        }
    }

    /// Records that the code can never be exchanged. False if a push has told more meanwhile, or the lease is no longer
    /// ours. What is known of the code stays: a push that vouches for it may come yet.
    pub(crate) async fn fail_claim(&self, claim: &Claim, errcode: Errcode) -> Result<bool, StoreError> {
        let update = Update::default()
            .remove_all(&[PENDING, PENDING_AT])
            .set(EVIDENCE, string(claim.evidence.as_str()))
            .set_or_remove(CODE_STATE, code_state(claim.code).map(string))
            .set(STATUS, string("failed"))
            .set(ERRCODE, number(errcode.get()));
        self.close(claim, update).await
    }

    /// Records that a genuine code died before WeChat would exchange it. `doctor` lists such claims.
    pub(crate) async fn put_unexchanged(&self, claim: &Claim, now: Timestamp) -> Result<bool, StoreError> {
        let update = Update::default()
            .set(STATUS, string("unexchanged"))
            .set(PENDING, string(format!("{}#unexchanged", self.component_appid)))
            .set(PENDING_AT, time(now))
            .remove(CODE_STATE);
        self.close(claim, update).await
    }

    /// Records that nobody named the account of a spent code, and that those it may be of are stored. A push that names it
    /// opens the claim again.
    pub(crate) async fn put_unmatched(&self, claim: &Claim) -> Result<(), StoreError> {
        let update = Update::default()
            .set(STATUS, string("unmatched"))
            .set(CODE_STATE, string("spent"))
            .remove_all(&[PENDING, PENDING_AT]);
        self.close(claim, update).await.map(|_| ())
    }

    /// Records that the code brought a grant that is not written, because the record has a newer one.
    pub(crate) async fn close_claim(&self, digest: &str, authorizer_appid: &Appid) -> Result<(), StoreError> {
        self.write("close a claim", self.claim_key(digest), done(authorizer_appid)).await.map(|_| ())
    }

    /// That a code, which brought a grant without a launch, belongs to this launch: a part of the transaction that ends it.
    pub(super) fn code_given_to(&self, binding: &Binding, digest: &str) -> TransactWriteItem {
        Update::default()
            .set(BINDING, binding_map(binding))
            .when(Condition::Equals(STATUS, string("done")))
            .when(Condition::Absent(BINDING))
            .in_transaction(self, self.claim_key(digest))
    }

    pub(super) fn claim_key(&self, digest: &str) -> Key {
        self.platform_key_of("code", digest)
    }
}

impl Store {
    /// Ends a claim that is held, whose code is sent no more. False if a push has told more of it meanwhile, and the claim
    /// is given back for that; or if the lease is no longer ours.
    async fn close(&self, claim: &Claim, update: Update) -> Result<bool, StoreError> {
        let update = update
            .remove_all(&[AUTHORIZATION_CODE, SWEEPS])
            .end_lease()
            .when(Condition::holds(&claim.lease))
            .when(heard_nothing(claim));
        if self.write("close a claim", self.claim_key(&claim.digest), update).await? {
            return Ok(true);
        }
        self.give_back(claim, claim.code).await.map(|()| false)
    }

    /// Gives a claim back of which a push has told more than its holder knew. That stays, and the sweep acts on it at once,
    /// as the push asked for. A lease that is no longer ours is left alone.
    async fn give_back(&self, claim: &Claim, code: CodeState) -> Result<(), StoreError> {
        let update = Update::default()
            .set_or_remove(CODE_STATE, code_state(code).map(string))
            .end_lease()
            .when(Condition::Equals(STATUS, string("claimed")))
            .when(Condition::holds(&claim.lease));
        self.write("give a claim back", self.claim_key(&claim.digest), update).await.map(|_| ())
    }

    /// What an event knows of the account and of the evidence.
    fn known_of(&self, authorization: Authorization<'_>) -> Update {
        let Authorization { authorizer_appid, evidence, .. } = authorization;
        let (pending, name) = (self.pending_key(evidence), string(evidence.as_str()));
        let update = match evidence {
            Evidence::Push => Update::default().set(PENDING, pending).set(EVIDENCE, name),
            _ => Update::default().set_if_absent(PENDING, pending).set_if_absent(EVIDENCE, name),
        };
        match authorizer_appid {
            Some(appid) => update.set_if_absent(AUTHORIZER_APPID, string(appid.as_str())),
            None => update,
        }
    }

    /// The partition of the index of pending claims: the sweep takes first what is vouched for.
    pub(super) fn pending_key(&self, evidence: Evidence) -> AttributeValue {
        match evidence.is_vouched() {
            true => string(self.component_appid.as_str()),
            false => string(format!("{}#unvouched", self.component_appid)),
        }
    }
}

/// That no push has told more of the claim than its holder knows.
pub(super) fn heard_nothing(claim: &Claim) -> Condition {
    unchanged(HEARD, claim.heard.as_ref().map(string))
}

/// That the attribute is as it was read.
fn unchanged(attribute: &'static str, read: Option<AttributeValue>) -> Condition {
    read.map_or(Condition::Absent(attribute), |read| Condition::Equals(attribute, read))
}

/// What a push has told of the claim.
pub(super) fn told(item: &Item) -> Told {
    Told { binding: read_binding(item), heard: text(item, HEARD).map(str::to_owned) }
}

fn finished() -> Update {
    Update::default().end_lease().remove_all(&UNFINISHED)
}

/// The end of a claim whose code brought the grant of this account.
pub(super) fn done(authorizer_appid: &Appid) -> Update {
    finished().set(STATUS, string("done")).set(AUTHORIZER_APPID, string(authorizer_appid.as_str()))
}

/// The claim after taking it over from an owner that released it or died.
pub(super) fn taken_over(given: Claim, before: &Item) -> Claim {
    let code = match text(before, CODE_STATE) {
        Some("spent") => CodeState::Spent,
        Some(_) => CodeState::PerhapsSpent,
        None => CodeState::NotSent,
    };
    Claim {
        event_time: timestamp(before, EVENT_TIME).unwrap_or(given.event_time),
        authorizer_appid: appid(before, AUTHORIZER_APPID).or(given.authorizer_appid),
        evidence: Evidence::read(text(before, EVIDENCE)).max(given.evidence),
        binding: read_binding(before).or(given.binding),
        heard: given.heard.or_else(|| text(before, HEARD).map(str::to_owned)),
        code,
        ..given
    }
}

/// The value of `code_state` of a claim that is held: whoever holds it may die after it has sent the code. It is written
/// with the lease, so that it is there whatever becomes of the answer to that.
pub(super) const PERHAPS_SPENT: &str = "perhaps_spent";

/// The value of `code_state`; absent while the code was not sent.
fn code_state(code: CodeState) -> Option<&'static str> {
    match code {
        CodeState::NotSent => None,
        CodeState::PerhapsSpent => Some(PERHAPS_SPENT),
        CodeState::Spent => Some("spent"),
    }
}

/// What a claim that could not be taken is.
fn found(digest: &str, item: &Item) -> ClaimState {
    match text(item, STATUS) {
        Some("done") => match (appid(item, AUTHORIZER_APPID), timestamp(item, EVENT_TIME)) {
            (Some(authorizer_appid), Some(event_time)) => ClaimState::Done(Done {
                digest: digest.to_owned(),
                authorizer_appid,
                event_time,
                launch: read_binding(item).map(|binding| binding.launch),
            }),
            _ => ClaimState::Running,
        },
        Some("unexchanged") => ClaimState::Unexchanged,
        Some("unmatched") => ClaimState::Unmatched,
        // WeChat refused it after an answer was lost, and nobody vouched for it.
        Some("failed") if item.contains_key(CODE_STATE) && !is_revoked(item) => ClaimState::Unmatched,
        Some("failed") => ClaimState::Failed(integer(item, ERRCODE).map_or(Errcode::NONE, Errcode::new)),
        _ if text(item, CODE_STATE) == Some("spent") => ClaimState::Spent,
        _ => ClaimState::Running,
    }
}

fn is_revoked(item: &Item) -> bool {
    let errcode = integer(item, ERRCODE).map(Errcode::new);
    errcode.is_some_and(|errcode| Rejection::of(errcode) == Some(Rejection::NotAuthorized))
}

/// A binding as the claim keeps it: one attribute, so that what one event knows is never mixed with another's.
fn binding_map(binding: &Binding) -> AttributeValue {
    let Binding { launch, made_by, state, bound, viewer } = binding;
    let fields = [
        (LAUNCH, Some(launch.as_str())),
        (MADE_BY, Some(made_by.as_str())),
        (STATE, state.as_ref().map(State::as_str)),
        (BOUND, bound.map(Bound::as_str)),
        (VIEWER, viewer.as_deref()),
    ];
    let present = fields.into_iter().filter_map(|(name, text)| Some((name.to_owned(), string(text?))));
    AttributeValue::M(present.collect())
}

pub(super) fn read_binding(item: &Item) -> Option<Binding> {
    let map = item.get(BINDING)?.as_m().ok()?;
    Some(Binding {
        launch: text(map, LAUNCH)?.to_owned(),
        made_by: MadeBy::read(text(map, MADE_BY)),
        state: text(map, STATE).and_then(State::parse),
        bound: Bound::read(text(map, BOUND)),
        viewer: text(map, VIEWER).map(str::to_owned),
    })
}
