//! One account's refresh: its lease, and its result.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};

use super::attribute::*;
use super::due::due_at;
use super::item::{Item, number, string, time};
use super::record::{Change, Record, is_as_read, record_update, revocation};
use super::update::{Condition, Update};
use super::{Store, StoreError, Written};
use crate::authorizer::Suspect;
use crate::lease::Lease;
use crate::time::Timestamp;
use crate::wechat::{Appid, AuthorizerAccessToken, AuthorizerRefreshToken, Errcode, RefreshedToken};

/// Why a token is to be refreshed.
#[derive(Clone, Debug)]
pub(crate) enum Reason {
    /// It was due at this time. What the index says may be out of date.
    DueBy(Timestamp),
    /// WeChat lists the account, and refused to tell of it.
    Listed,
    /// The access token cannot be used, or there is none. Not if there is another one by now.
    Unusable(Option<AuthorizerAccessToken>),
}

/// A record whose token may be refreshed by whoever has this.
#[derive(Clone, Debug)]
pub(crate) struct Leased {
    /// The account.
    pub authorizer_appid: Appid,
    /// Who refreshes it, and until when.
    pub lease: Lease,
    /// The record.
    pub record: Record,
    /// Its refresh token.
    pub refresh_token: AuthorizerRefreshToken,
}

/// Why a refresh failed, as the record says it.
#[derive(Clone, Debug)]
pub(crate) struct RefreshFailure {
    /// WeChat's errcode; 0 where there was no answer.
    pub errcode: Errcode,
    /// WeChat's words, masked.
    pub errmsg: String,
    /// The id of the request at WeChat.
    pub rid: String,
}

impl Store {
    /// Takes the lease of an authorized account that has a refresh token, if nobody has it and `reason`
    /// still holds.
    pub(crate) async fn lease_record(
        &self,
        authorizer_appid: &Appid,
        lease: Lease,
        reason: &Reason,
        now: Timestamp,
    ) -> Result<Option<Leased>, StoreError> {
        // A token that is refused may not be due for an hour. Whoever dies while it is replaced leaves it due.
        let doubted = matches!(reason, Reason::Unusable(Some(_)));
        let reason = match reason {
            Reason::DueBy(due_by) => Condition::AtMost(REFRESH_AT, time(*due_by)),
            Reason::Listed => Condition::Present(AUTHORIZER_REFRESH_TOKEN),
            Reason::Unusable(Some(token)) => {
                Condition::Equals(AUTHORIZER_ACCESS_TOKEN, string(token.expose()))
            }
            Reason::Unusable(None) => Condition::Absent(AUTHORIZER_ACCESS_TOKEN),
        };
        // That sets `updated_at`: a grant that is written while the token is refreshed may hold the token that the
        // refresh supersedes.
        let update = record_update(None, now).take_lease(&lease);
        let update = match doubted {
            true => update.set_from(REFRESH_AT, REFRESHED_AT, time(now)),
            false => update,
        };
        let update = update
            .when(Condition::Present(AUTHORIZER_REFRESH_TOKEN))
            .when(Condition::Equals(STATUS, string("authorized")))
            .when(Condition::can_take(&lease, now))
            .when(reason);
        let key = self.record_key(authorizer_appid);
        let written = self.write_returning("lease a record", key, update, ReturnValue::AllNew).await?;
        let Written::Made(item) = written else { return Ok(None) };
        let record = Record::read(&item);
        Ok(record.refresh_token.clone().map(|refresh_token| Leased {
            authorizer_appid: authorizer_appid.clone(),
            lease,
            record,
            refresh_token,
        }))
    }

    /// Stores what a refresh brought and gives the lease back. It is due again at `due`, or before it ends. False if the lease is no longer ours: then a
    /// newer grant or a revocation is stored.
    pub(crate) async fn put_refreshed(
        &self,
        leased: &Leased,
        refreshed: &RefreshedToken,
        due: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let issued = &refreshed.access_token;
        let refresh_token = refreshed.refresh_token.as_ref();
        let change = (leased.record.failed_attempts > 0).then_some(Change::Recovered);
        let update = record_update(change, now)
            .set(AUTHORIZER_ACCESS_TOKEN, string(issued.token.expose()))
            .set(ACCESS_TOKEN_EXPIRES_AT, time(now + issued.expires_in))
            .set(REFRESHED_AT, time(now))
            .set(
                REFRESH_AT,
                time(due.unwrap_or_else(|| due_at(&leased.authorizer_appid, now, issued.expires_in))),
            )
            .set_some(AUTHORIZER_REFRESH_TOKEN, refresh_token.map(|token| string(token.expose())))
            .remove(REFRESH_FAILURE)
            .end_lease();
        self.write_leased("store a refreshed token", leased, update).await
    }

    /// Stores a refresh token that WeChat had for the account, keeping the lease. False if it is lost.
    pub(crate) async fn put_refresh_token(
        &self,
        leased: &Leased,
        token: &AuthorizerRefreshToken,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let update = record_update(None, now).set(AUTHORIZER_REFRESH_TOKEN, string(token.expose()));
        self.write_leased("store a refresh token", leased, update).await
    }

    /// Records that a refresh failed, that it is due again at `retry_at`, and gives the lease back.
    pub(crate) async fn put_refresh_failure(
        &self,
        leased: &Leased,
        failure: &RefreshFailure,
        retry_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let attempts = i64::from(leased.record.failed_attempts) + 1;
        let change = (leased.record.failed_attempts == 0).then_some(Change::RefreshFailed);
        let failure = Item::from([
            ("errcode".to_owned(), number(failure.errcode.get())),
            ("errmsg".to_owned(), string(&failure.errmsg)),
            ("rid".to_owned(), string(&failure.rid)),
            ("at".to_owned(), time(now)),
            ("attempts".to_owned(), number(attempts)),
        ]);
        let update = record_update(change, now)
            .set(REFRESH_FAILURE, AttributeValue::M(failure))
            .set(REFRESH_AT, time(retry_at))
            .end_lease();
        self.write_leased("record a failed refresh", leased, update).await
    }

    /// Gives the lease back without a change.
    pub(crate) async fn release_record(&self, leased: &Leased, now: Timestamp) -> Result<bool, StoreError> {
        self.write_leased("release a record", leased, record_update(None, now).end_lease()).await
    }

    /// Gives back the lease of an account that is suspected of having revoked, which is due again at `retry_at`.
    /// Returns the version of the record; none if the lease is no longer ours.
    pub(crate) async fn release_suspect(
        &self,
        leased: &Leased,
        retry_at: Timestamp,
        now: Timestamp,
    ) -> Result<Option<i64>, StoreError> {
        let update = record_update(None, now)
            .set(REFRESH_AT, time(retry_at))
            .end_lease()
            .when(Condition::holds(&leased.lease));
        let key = self.record_key(&leased.authorizer_appid);
        let written = self.write_returning("release a record", key, update, ReturnValue::AllNew).await?;
        Ok(match written {
            Written::Made(item) => Record::read(&item).version,
            Written::Refused(_) => None,
        })
    }

    /// Removes the tokens of a suspected account. False if its record was written since it was suspected.
    pub(crate) async fn revoke_suspect(&self, suspect: &Suspect, now: Timestamp) -> Result<bool, StoreError> {
        let update = revocation(suspect.revoked_at, now)
            .when(Condition::Equals(STATUS, string("authorized")))
            .when(is_as_read(suspect.version));
        self.write("revoke an authorization", self.record_key(&suspect.authorizer_appid), update).await
    }

    async fn write_leased(
        &self,
        operation: &'static str,
        leased: &Leased,
        update: Update,
    ) -> Result<bool, StoreError> {
        let update = update.when(Condition::holds(&leased.lease));
        self.write(operation, self.record_key(&leased.authorizer_appid), update).await
    }
}
