//! The claim on one authorization code, as the table has it. The states are in [`crate::claim`].

use std::time::Duration;

use aws_sdk_dynamodb::types::ReturnValue;

use super::attribute::*;
use super::item::{Item, appid, integer, number, string, text, time, timestamp};
use super::update::{Condition, Update};
use super::{Key, Store, StoreError, Written};
use crate::claim::{Authorization, Claim, ClaimState, CodeState};
use crate::launch::State;
use crate::lease::Lease;
use crate::time::Timestamp;
use crate::wechat::{Appid, Errcode};

/// How long a claim is kept: a code lives an hour at most, a page may be reloaded for days.
const KEPT: Duration = Duration::from_hours(7 * 24);

/// What a finished claim no longer has, besides its lease.
const UNFINISHED: [&str; 5] = [PENDING, PENDING_AT, AUTHORIZATION_CODE, CODE_STATE, SWEEPS];

impl Store {
    /// Claims the code. What the event knows of the account and the state is stored with the claim; what is stored
    /// already stays.
    pub async fn claim(
        &self,
        authorization: Authorization<'_>,
        lease: &Lease,
        now: Timestamp,
    ) -> Result<ClaimState, StoreError> {
        let Authorization { code, event_time, .. } = authorization;
        let digest = code.digest();
        let is_free = Condition::All(vec![
            Condition::Equals(STATUS, string("claimed")),
            Condition::Differs(CODE_STATE, string("spent")),
            Condition::can_take(lease, now),
        ]);
        let update = known_of(authorization)
            .set(STATUS, string("claimed"))
            .take_lease(lease)
            .set(PENDING, string(self.component_appid.as_str()))
            .set(PENDING_AT, time(lease.until()))
            .set(AUTHORIZATION_CODE, string(code.expose()))
            .set_if_absent(EVENT_TIME, time(event_time))
            .set(EXPIRES_AT, time(now + KEPT))
            .when(Condition::Any(vec![Condition::Absent(PK), is_free]));
        let key = self.claim_key(&digest);
        let given = Claim {
            digest,
            lease: lease.clone(),
            event_time,
            authorizer_appid: authorization.authorizer_appid.cloned(),
            state: authorization.state.cloned(),
            code: CodeState::NotSent,
            sweeps: 0,
        };
        Ok(match self.write_returning("claim a code", key, update, ReturnValue::AllOld).await? {
            Written::Made(before) => ClaimState::Held(taken_over(given, &before)),
            Written::Refused(item) => found(&item),
        })
    }

    /// Adds what a push knows of the account and the state to a claim that somebody else holds, so that the
    /// exchange can be finished from it if they die.
    pub async fn annotate_claim(
        &self,
        authorization: Authorization<'_>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        // What the push knows may be all that the sweep was waiting for.
        let update = known_of(authorization)
            .set(PENDING_AT, time(now))
            .when(Condition::Equals(STATUS, string("claimed")));
        let key = self.claim_key(&authorization.code.digest());
        self.write("annotate a claim", key, update).await.map(|_| ())
    }

    /// Gives the claim back, unfinished; the sweep takes it up again at `retry_at`. A lease that is no longer
    /// ours is left alone.
    pub async fn release_claim(
        &self,
        claim: &Claim,
        code: CodeState,
        retry_at: Timestamp,
    ) -> Result<(), StoreError> {
        let update = Update::default()
            .set(PENDING_AT, time(retry_at))
            .set_some(CODE_STATE, code_state(code).map(string))
            .end_lease()
            .when(Condition::holds(&claim.lease));
        self.write("release a claim", self.claim_key(&claim.digest), update).await.map(|_| ())
    }

    /// Records that the code can never be exchanged. A lease that is no longer ours is left alone.
    pub async fn fail_claim(&self, claim: &Claim, errcode: Errcode) -> Result<(), StoreError> {
        let update = finished()
            .set(STATUS, string("failed"))
            .set(ERRCODE, number(errcode.get()))
            .when(Condition::holds(&claim.lease));
        self.write("close a claim", self.claim_key(&claim.digest), update).await.map(|_| ())
    }

    /// Records that the code brought a grant that is not written, because the record has a newer one.
    pub async fn close_claim(&self, digest: &str, authorizer_appid: &Appid) -> Result<(), StoreError> {
        self.write("close a claim", self.claim_key(digest), done(authorizer_appid)).await.map(|_| ())
    }

    pub(super) fn claim_key(&self, digest: &str) -> Key {
        self.platform_key_of("code", digest)
    }
}

/// What an event knows, where nothing is known yet.
fn known_of(Authorization { authorizer_appid, state, .. }: Authorization<'_>) -> Update {
    let mut update = Update::default();
    if let Some(appid) = authorizer_appid {
        update = update.set_if_absent(AUTHORIZER_APPID, string(appid.as_str()));
    }
    if let Some(state) = state {
        update = update.set_if_absent(STATE, string(state.as_str()));
    }
    update
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
        Some("perhaps_spent") => CodeState::PerhapsSpent,
        // The lease of an owner that died in the middle of its work.
        _ if text(before, LEASE_OWNER).is_some_and(|owner| owner != given.lease.owner()) => {
            CodeState::PerhapsSpent
        }
        _ => CodeState::NotSent,
    };
    Claim {
        event_time: timestamp(before, EVENT_TIME).unwrap_or(given.event_time),
        authorizer_appid: appid(before, AUTHORIZER_APPID).or(given.authorizer_appid),
        state: text(before, STATE).and_then(State::parse).or(given.state),
        code,
        ..given
    }
}

/// The value of `code_state`; absent while the code was not sent.
fn code_state(code: CodeState) -> Option<&'static str> {
    match code {
        CodeState::NotSent => None,
        CodeState::PerhapsSpent => Some("perhaps_spent"),
        CodeState::Spent => Some("spent"),
    }
}

/// What a claim that could not be taken is.
fn found(item: &Item) -> ClaimState {
    match text(item, STATUS) {
        Some("done") => appid(item, AUTHORIZER_APPID).map_or(ClaimState::Running, ClaimState::Done),
        Some("failed") => ClaimState::Failed(integer(item, ERRCODE).map_or(Errcode::NONE, Errcode::new)),
        _ if text(item, CODE_STATE) == Some("spent") => ClaimState::Spent,
        _ => ClaimState::Running,
    }
}
