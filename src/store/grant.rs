//! The writes of what a merchant grants and takes back.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::AttributeValue;

use super::attribute::*;
use super::claim::{done, heard_nothing, told};
use super::due::{due_at, shard};
use super::item::{Item, number, string, text, time};
use super::launch::{bind_record, outcome};
use super::profile::{profile_map, set_permission_sets};
use super::record::{Change, Record, is_as_read, record_update, revocation};
use super::update::{Condition, Update};
use super::{Store, StoreError};
use crate::claim::{Claim, Told};
use crate::evidence::Binding;
use crate::time::Timestamp;
use crate::wechat::{Appid, AuthorizerRefreshToken, Grant, Profile};

/// Two grants of one account that are closer together than this may have been exchanged in another order than they
/// are written, so that the later write holds a superseded token.
const TWINS_APART: Duration = Duration::from_mins(1);

/// How a grant was obtained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obtained {
    /// Its code was exchanged: what it brought is all there is.
    Exchanged,
    /// It was read from WeChat, which does not tell the access token twice: the one in the record stays until it is
    /// refreshed, which is due at once.
    Recovered,
}

/// A grant, and what is written with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GrantWrite<'a> {
    /// The grant.
    pub grant: &'a Grant,
    /// How it was obtained.
    pub obtained: Obtained,
    /// When it was made; decides which of two grants is the newer one.
    pub event_time: Timestamp,
    /// The launch that it ends.
    pub binding: Option<&'a Binding>,
    /// When WeChat was asked that gave it: a tombstone that was stored before loses against it, whatever the clocks of
    /// others said.
    pub asked_at: Timestamp,
    /// The claim on the code that brought it, as its holder knows it: it is closed in the same transaction.
    pub claim: Option<&'a Claim>,
}

/// What became of the attempt to write a grant.
#[derive(Clone, Debug)]
pub(crate) enum Stored {
    /// Record and claim are written.
    Written,
    /// The record is not as the write expected it; nothing is written. The record as it is.
    Conflict(Box<Record>),
    /// The launch was begun for another account, or ended by it; nothing is written.
    LaunchTaken,
    /// A push has named another launch meanwhile; nothing is written.
    Heard(Told),
}

impl Store {
    /// Writes the grant and closes its claim, in one transaction.
    ///
    /// The claim is closed whoever holds the lease by now: a code can be exchanged once, so nobody else
    /// can have, or get, what it brought. `known` is the record as it was read after a conflict.
    ///
    /// The request is idempotent for `request_token`, which is the same for each repetition and for nothing else.
    pub(crate) async fn put_grant(
        &self,
        write: &GrantWrite<'_>,
        known: Option<&Record>,
        now: Timestamp,
        request_token: &str,
    ) -> Result<Stored, StoreError> {
        let appid = &write.grant.authorizer_appid;
        let record = grant_update(write, known, now).in_transaction(self, self.record_key(appid));
        let claim = write.claim.map(|claim| {
            done(appid)
                .when(Condition::Differs(STATUS, string("done")))
                .when(heard_nothing(claim))
                .in_transaction(self, self.claim_key(&claim.digest))
        });
        let launch = write.binding.map(|binding| {
            outcome(binding, appid, now)
                .set(AUTHORIZED_AT, time(write.event_time))
                .in_transaction(self, self.launch_key(&binding.launch))
        });
        let result = self
            .client
            .transact_write_items()
            .client_request_token(request_token)
            .set_transact_items(Some([Some(record), claim, launch].into_iter().flatten().collect()))
            .send()
            .await;
        let Err(error) = result else { return Ok(Stored::Written) };
        let refused = |index| refused(error.as_service_error(), index);
        if let Some(claim) = refused(1) {
            return Ok(match text(&claim, STATUS) {
                // Only this code's grant closes the claim as done: an earlier try whose answer was lost.
                Some("done") => Stored::Written,
                _ => Stored::Heard(told(&claim)),
            });
        }
        if refused(2).is_some() {
            return Ok(Stored::LaunchTaken);
        }
        match refused(0) {
            Some(item) => Ok(Stored::Conflict(Box::new(Record::read(&item)))),
            None => Err(StoreError::of("write a grant", &error)),
        }
    }

    /// Makes the token of an authorized account due, as one that may be superseded.
    pub(crate) async fn make_due(
        &self,
        authorizer_appid: &Appid,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let update = record_update(None, now)
            .set_from(REFRESH_AT, REFRESHED_AT, time(now))
            .set(REFRESH_SHARD, number(shard(authorizer_appid)))
            .when(Condition::Equals(STATUS, string("authorized")))
            .when(Condition::Present(AUTHORIZER_REFRESH_TOKEN));
        self.write("make a record due", self.record_key(authorizer_appid), update).await
    }

    /// Records that an account authorized with a code that died before WeChat would exchange it, for the services to
    /// hear. False if something newer is stored.
    pub(crate) async fn put_unexchanged_record(
        &self,
        authorizer_appid: &Appid,
        event_time: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let update = || {
            record_update(Some(Change::Unexchanged), now)
                .set(STATUS, string("authorized"))
                .set(AUTHORIZED_AT, time(event_time))
                .set_if_absent(AUTHORIZED_SINCE, time(event_time))
                .remove(UNAUTHORIZED_AT)
                .remove(PROFILE_AT)
                .when(Condition::absent_or_at_most(AUTHORIZED_AT, time(event_time)))
                .when(Condition::absent_or_at_most(UNAUTHORIZED_AT, time(event_time)))
        };
        let unauthorized = || string("unauthorized");
        let kept = update().when(Condition::Differs(STATUS, unauthorized()));
        let (operation, key) = ("record an unexchanged code", || self.record_key(authorizer_appid));
        if self.write(operation, key(), kept).await? {
            return Ok(true);
        }
        let forgotten = bind_record(update(), None, true).when(Condition::Equals(STATUS, unauthorized()));
        self.write(operation, key(), forgotten).await
    }

    /// Removes the tokens of an account that revoked at `event_time`, also of one that was never seen, so that
    /// a late authorization does not bring it back. False if something newer is stored.
    pub(crate) async fn revoke(
        &self,
        authorizer_appid: &Appid,
        event_time: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let update = revocation(event_time, now)
            .when(Condition::absent_or_at_most(AUTHORIZED_AT, time(event_time)))
            .when(Condition::absent_or_at_most(UNAUTHORIZED_AT, time(event_time)));
        self.write("revoke an authorization", self.record_key(authorizer_appid), update).await
    }

    /// Adds what `api_get_authorizer_info` says to the grant made at `authorized_at`: the profile if it says any, and the
    /// refresh token if the grant brought none. A profile that the record did not have is a change. False if the record has
    /// another grant by now.
    pub(crate) async fn put_profile(
        &self,
        authorizer_appid: &Appid,
        authorized_at: Timestamp,
        profile: Option<&Profile>,
        refresh_token: Option<&AuthorizerRefreshToken>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let update = |change| {
            let update = record_update(change, now)
                .set_some(PROFILE, profile.map(|profile| AttributeValue::M(profile_map(profile))))
                .set_some(PROFILE_AT, profile.map(|_| time(now)))
                .when(Condition::Equals(AUTHORIZED_AT, time(authorized_at)))
                .when(Condition::Equals(STATUS, string("authorized")));
            match refresh_token {
                Some(token) => update
                    .set_if_absent(AUTHORIZER_REFRESH_TOKEN, string(token.expose()))
                    .set_if_absent(REFRESH_AT, time(now))
                    .set(REFRESH_SHARD, number(shard(authorizer_appid))),
                None => update,
            }
        };
        let (operation, key) = ("store a profile", || self.record_key(authorizer_appid));
        if let Some(profile) = profile {
            let is_news = Condition::Differs(PROFILE, AttributeValue::M(profile_map(profile)));
            if self.write(operation, key(), update(Some(Change::Corrected)).when(is_news)).await? {
                return Ok(true);
            }
        }
        self.write(operation, key(), update(None)).await
    }
}

/// The item of a transaction's part whose condition was not true, and was the reason for its end.
pub(super) fn refused(error: Option<&TransactWriteItemsError>, index: usize) -> Option<Item> {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error else { return None };
    let reason = cancelled.cancellation_reasons().get(index)?;
    (reason.code() == Some("ConditionalCheckFailed")).then(|| reason.item().cloned().unwrap_or_default())
}

/// The write of a whole grant.
///
/// Without `known` it holds for an account that has no record, or one with nothing to decide on: all it
/// says is older, and the grant brings a refresh token. With `known` the decision was made on
/// that version of the record.
fn grant_update(write: &GrantWrite<'_>, known: Option<&Record>, now: Timestamp) -> Update {
    let GrantWrite { grant, obtained, event_time, binding, .. } = *write;
    let appid = &grant.authorizer_appid;
    let ids: BTreeSet<i64> = grant.func_info.iter().map(|set| set.id).collect();
    let is_news = !known.is_some_and(|known| is_same_grant(known, event_time, &ids));
    let update = record_update(is_news.then_some(Change::Granted), now)
        .set(STATUS, string("authorized"))
        .set(AUTHORIZED_AT, time(event_time))
        .set_if_absent(AUTHORIZED_SINCE, time(event_time))
        .set_some(AUTHORIZER_REFRESH_TOKEN, grant.refresh_token.as_ref().map(|token| string(token.expose())))
        .remove(UNAUTHORIZED_AT)
        .remove(REFRESH_FAILURE)
        // What WeChat shows of the account is asked for next; until then, nobody knows whether that changed as well.
        .remove(PROFILE_AT)
        .end_lease();
    let update = match obtained {
        // WeChat did not tell the permission sets.
        Obtained::Recovered if ids.is_empty() => update,
        _ => set_permission_sets(update, &grant.func_info),
    };
    let update = match (&grant.access_token, obtained) {
        (Some(issued), _) => update
            .set(REFRESHED_AT, time(now))
            .set(ACCESS_TOKEN_EXPIRES_AT, time(now + issued.expires_in))
            .set(AUTHORIZER_ACCESS_TOKEN, string(issued.token.expose())),
        (None, Obtained::Exchanged) => update.remove(ACCESS_TOKEN_EXPIRES_AT).remove(AUTHORIZER_ACCESS_TOKEN),
        (None, Obtained::Recovered) => update,
    };
    let is_refreshable =
        grant.refresh_token.is_some() || known.is_some_and(|known| known.refresh_token.is_some());
    let is_twin = known.is_some_and(|known| now.since(known.updated_at) < TWINS_APART);
    let due = match &grant.access_token {
        Some(issued) if !is_twin => due_at(appid, now, issued.expires_in),
        _ => now,
    };
    bind_record(update, binding, known.is_some_and(|known| !known.is_authorized()))
        .set_or_remove(REFRESH_AT, is_refreshable.then(|| time(due)))
        .set_or_remove(REFRESH_SHARD, is_refreshable.then(|| number(shard(appid))))
        .when(expected(write, known, now))
}

/// What a record must be for the grant to be written.
fn expected(write: &GrantWrite<'_>, known: Option<&Record>, now: Timestamp) -> Condition {
    match known {
        Some(known) => is_as_read(known.version),
        None if write.grant.refresh_token.is_some() => Condition::Any(vec![
            Condition::Absent(AUTHORIZER_APPID),
            Condition::All(vec![
                Condition::absent_or_at_most(AUTHORIZED_AT, time(write.event_time)),
                Condition::absent_or_at_most(UNAUTHORIZED_AT, time(write.event_time)),
                Condition::Equals(STATUS, string("authorized")),
                Condition::AtMost(UPDATED_AT, time(now - TWINS_APART)),
            ]),
        ]),
        None => Condition::Absent(AUTHORIZER_APPID),
    }
}

/// Whether a grant is the one that `known` has from the other door, redirect or push: services hear of it once.
fn is_same_grant(known: &Record, event_time: Timestamp, permission_set_ids: &BTreeSet<i64>) -> bool {
    known.is_authorized()
        && known.authorized_at.is_some_and(|authorized_at| event_time.distance(authorized_at) < TWINS_APART)
        && known.failed_attempts == 0
        && known.permission_set_ids.iter().eq(permission_set_ids)
}
