//! What a comparison with WeChat writes into a record, and what makes one due.

use aws_sdk_dynamodb::types::AttributeValue;

use super::attribute::*;
use super::item::{string, time};
use super::profile::{profile_map, set_permission_sets};
use super::record::{Change, Record, is_as_read, record_update};
use super::update::Condition;
use super::{Store, StoreError};
use crate::time::Timestamp;
use crate::wechat::{Appid, PermissionSet, Profile};

/// What a comparison found that is not as the record has it.
#[derive(Clone, Debug)]
pub(crate) struct Correction<'a> {
    /// The profile to write, if it is to be written.
    pub profile: Option<Profile>,
    /// The permission sets to write, if they are others.
    pub permission_sets: Option<&'a [PermissionSet]>,
    /// Whether services hear of it.
    pub is_news: bool,
}

impl Store {
    /// Notes that the account was compared with what WeChat has, and corrects what differs, tokens aside. False if the
    /// record was written since `record` was read: whatever is newer stays.
    pub(crate) async fn put_compared(
        &self,
        authorizer_appid: &Appid,
        record: &Record,
        correction: &Correction<'_>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let update = record_update(correction.is_news.then_some(Change::Corrected), now)
            .set(PROFILE_AT, time(now))
            .remove(DOUBTED)
            .set_some(
                PROFILE,
                correction.profile.as_ref().map(|profile| AttributeValue::M(profile_map(profile))),
            )
            .when(Condition::Equals(STATUS, string("authorized")))
            .when(is_as_read(record.version));
        let update = match correction.permission_sets {
            Some(sets) => set_permission_sets(update, sets),
            None => update,
        };
        self.write("correct a record", self.record_key(authorizer_appid), update).await
    }

    /// Has the account compared by the next run of `reconcile`, because something that WeChat said of it is lost.
    pub(crate) async fn doubt(&self, authorizer_appid: &Appid, now: Timestamp) -> Result<bool, StoreError> {
        // A profile that is just being fetched for a grant does not tell what is lost, so this is not its time.
        let update = record_update(None, now)
            .set(DOUBTED, AttributeValue::Bool(true))
            .when(Condition::Absent(DOUBTED))
            .when(Condition::Equals(STATUS, string("authorized")));
        self.write("doubt a record", self.record_key(authorizer_appid), update).await
    }
}
