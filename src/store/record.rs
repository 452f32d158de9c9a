//! The authorizer records: the contract with the services that read the tokens.

use super::attribute::*;
use super::item::{Item, integer, number, string, text, time, timestamp};
use super::profile::{read_permission_sets, read_profile};
use super::update::{Condition, Update};
use super::{Store, StoreError};
use crate::time::Timestamp;
use crate::wechat::{Appid, AuthorizerAccessToken, AuthorizerRefreshToken, PermissionSet, Profile};

/// One account's record, as far as decisions need it.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// Whether the account authorizes the platform.
    pub status: Status,
    /// When the newest grant was made.
    pub authorized_at: Option<Timestamp>,
    /// When the first grant was made after the last revocation, or of all.
    pub authorized_since: Option<Timestamp>,
    /// When the merchant revoked.
    pub unauthorized_at: Option<Timestamp>,
    /// When anything was last written.
    pub updated_at: Timestamp,
    /// Grows with every write.
    pub version: Option<i64>,
    /// The refresh token.
    pub refresh_token: Option<AuthorizerRefreshToken>,
    /// The access token; absent when the account has no API permission.
    pub access_token: Option<AccessToken>,
    /// When the access token is due for refresh.
    pub refresh_at: Option<Timestamp>,
    /// How often in a row refreshing it has failed.
    pub failed_attempts: u32,
    /// Until when somebody is refreshing it.
    pub lease_until: Option<Timestamp>,
    /// The ids of the permission sets, in ascending order.
    pub permission_set_ids: Vec<i64>,
    /// The permission sets with the names that WeChat sent, in ascending order.
    pub permission_sets: Vec<PermissionSet>,
    /// Who the account is, where that is known.
    pub profile: Option<Profile>,
    /// When profile and permission sets were last compared with WeChat's; none if that is to be done at once.
    pub profile_at: Option<Timestamp>,
}

/// The access token of a record.
#[derive(Clone, Debug)]
pub(crate) struct AccessToken {
    /// The token.
    pub token: AuthorizerAccessToken,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was obtained.
    pub refreshed_at: Timestamp,
}

/// Whether the account authorizes the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// It does.
    Authorized,
    /// It did, and the merchant revoked.
    Unauthorized,
}

impl Record {
    /// The record in an item. What is missing or malformed counts as not granted.
    pub(super) fn read(item: &Item) -> Self {
        let ids = item.get(PERMISSION_SET_IDS).and_then(|value| value.as_ns().ok());
        let mut permission_set_ids: Vec<i64> =
            ids.into_iter().flatten().filter_map(|id| id.parse().ok()).collect();
        permission_set_ids.sort_unstable();
        let func_info = item.get(FUNC_INFO).and_then(|value| value.as_l().ok());
        let profile = item.get(PROFILE).and_then(|value| value.as_m().ok());
        let failure = item.get(REFRESH_FAILURE).and_then(|value| value.as_m().ok());
        Self {
            status: match text(item, STATUS) {
                Some("authorized") => Status::Authorized,
                _ => Status::Unauthorized,
            },
            authorized_at: timestamp(item, AUTHORIZED_AT),
            authorized_since: timestamp(item, AUTHORIZED_SINCE),
            unauthorized_at: timestamp(item, UNAUTHORIZED_AT),
            updated_at: timestamp(item, UPDATED_AT).unwrap_or(Timestamp::from_secs(0)),
            version: integer(item, VERSION),
            refresh_token: text(item, AUTHORIZER_REFRESH_TOKEN).map(AuthorizerRefreshToken::new),
            access_token: AccessToken::read(item),
            refresh_at: timestamp(item, REFRESH_AT),
            failed_attempts: failure
                .and_then(|failure| integer(failure, "attempts"))
                .and_then(|attempts| attempts.try_into().ok())
                .unwrap_or_default(),
            lease_until: timestamp(item, LEASE_UNTIL),
            permission_set_ids,
            permission_sets: func_info.map(|sets| read_permission_sets(sets)).unwrap_or_default(),
            profile: profile.map(read_profile),
            profile_at: timestamp(item, PROFILE_AT).filter(|_| !item.contains_key(DOUBTED)),
        }
    }

    /// Whether the record knows of something that happened after `event_time`. In the same second, the
    /// later write wins.
    pub(crate) fn is_newer_than(&self, event_time: Timestamp) -> bool {
        self.authorized_at.max(self.unauthorized_at).is_some_and(|newest| newest > event_time)
    }

    /// Whether the account authorizes the platform.
    pub(crate) fn is_authorized(&self) -> bool {
        self.status == Status::Authorized
    }
}

impl AccessToken {
    fn read(item: &Item) -> Option<Self> {
        Some(Self {
            token: AuthorizerAccessToken::new(text(item, AUTHORIZER_ACCESS_TOKEN)?),
            expires_at: timestamp(item, ACCESS_TOKEN_EXPIRES_AT)?,
            refreshed_at: timestamp(item, REFRESHED_AT)?,
        })
    }
}

impl Store {
    /// The record of an account.
    pub(crate) async fn record(&self, authorizer_appid: &Appid) -> Result<Option<Record>, StoreError> {
        let item = self.item("read a record", self.record_key(authorizer_appid)).await?;
        Ok(item.as_ref().map(Record::read))
    }
}

/// The changes of a record that services hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The merchant granted: `authorized` if the account did not authorize before, else `updated`.
    Granted,
    /// WeChat has another profile, or other permission sets, than the record had: `updated`.
    Corrected,
    /// The merchant authorized, and the code died before WeChat would exchange it.
    Unexchanged,
    /// The merchant revoked.
    Unauthorized,
    /// Refreshing the token failed, after it had worked.
    RefreshFailed,
    /// Refreshing the token works again.
    Recovered,
}

/// The beginning of every write of a record. It names the change that the write is, for the events that the table's
/// stream feeds; a write that is no change removes the name of the last one, or it would be published again.
pub(super) fn record_update(change: Option<Change>, now: Timestamp) -> Update {
    let update = Update::default().set(UPDATED_AT, time(now)).increase(VERSION, 1);
    match change {
        // Whether the account was authorized before is known to the item alone, which says in `next_grant` what the
        // next grant is called.
        Some(Change::Granted) => {
            update.set_from(CHANGE, NEXT_GRANT, string("authorized")).set(NEXT_GRANT, string("updated"))
        }
        Some(Change::Corrected) => update.set(CHANGE, string("updated")),
        Some(Change::Unauthorized) => update.set(CHANGE, string("unauthorized")).remove(NEXT_GRANT),
        Some(Change::Unexchanged) => update.set(CHANGE, string("unexchanged")).remove(NEXT_GRANT),
        Some(Change::RefreshFailed) => update.set(CHANGE, string("refresh_failed")),
        Some(Change::Recovered) => update.set(CHANGE, string("recovered")),
        None => update.remove(CHANGE),
    }
}

/// Nobody has written the record since it was read with this version.
pub(super) fn is_as_read(version: Option<i64>) -> Condition {
    match version {
        Some(version) => Condition::Equals(VERSION, number(version)),
        None => Condition::Absent(VERSION),
    }
}

/// What is left of a record when its account has revoked: no token, and the time of it.
pub(super) fn revocation(unauthorized_at: Timestamp, now: Timestamp) -> Update {
    record_update(Some(Change::Unauthorized), now)
        .set(STATUS, string("unauthorized"))
        .set(UNAUTHORIZED_AT, time(unauthorized_at))
        .remove_all(&[
            AUTHORIZED_SINCE,
            AUTHORIZER_ACCESS_TOKEN,
            ACCESS_TOKEN_EXPIRES_AT,
            AUTHORIZER_REFRESH_TOKEN,
            REFRESH_AT,
            REFRESH_SHARD,
            REFRESH_FAILURE,
        ])
        .end_lease()
}
