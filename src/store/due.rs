//! The index of the tokens that are due for refresh.

use std::time::Duration;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::Select;

use super::attribute::{AUTHORIZER_APPID, COMPONENT_APPID, REFRESH_AT};
use super::item::{Item, appid, number, text, time, timestamp};
use super::{Cursor, Store, StoreError};
use crate::id::sha256;
use crate::time::Timestamp;
use crate::wechat::{Appid, due_before_end};

/// Over how many partitions the index of due tokens is spread. One partition of an index takes 1,000
/// writes a second; ten million accounts make about 3,000.
pub(crate) const REFRESH_SHARDS: u8 = 16;

/// Due accounts of one shard, the longest due first.
#[derive(Clone, Debug)]
pub(crate) struct DuePage {
    /// The accounts, with the time they became due.
    pub accounts: Vec<(Timestamp, Appid)>,
    /// Where the next page begins, if there may be one.
    pub next: Option<Cursor>,
}

impl Store {
    /// A page of the accounts of this platform in `shard` that are due at `now`.
    pub(crate) async fn due(
        &self,
        shard: u8,
        now: Timestamp,
        limit: i32,
        after: Option<Cursor>,
    ) -> Result<DuePage, StoreError> {
        let output = self
            .due_query(shard, now)
            .limit(limit)
            .set_exclusive_start_key(after.map(Cursor::into_key))
            .send()
            .await
            .map_err(|error| StoreError::of("find due tokens", &error))?;
        let of_this_platform = |item: &Item| {
            let is_own = text(item, COMPONENT_APPID) == Some(self.component_appid.as_str());
            let due_at = timestamp(item, REFRESH_AT).filter(|_| is_own)?;
            Some((due_at, appid(item, AUTHORIZER_APPID)?))
        };
        Ok(DuePage {
            accounts: output.items().iter().filter_map(of_this_platform).collect(),
            next: output.last_evaluated_key.map(Cursor::from_key),
        })
    }

    /// How many accounts of all platforms in `shard` are due at `now`, counted up to one page of the index.
    pub(crate) async fn count_due(&self, shard: u8, now: Timestamp) -> Result<i32, StoreError> {
        let output = self
            .due_query(shard, now)
            .select(Select::Count)
            .send()
            .await
            .map_err(|error| StoreError::of("count due tokens", &error))?;
        Ok(output.count)
    }

    fn due_query(&self, shard: u8, now: Timestamp) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.authorizers_table)
            .index_name("refresh-due")
            .key_condition_expression("refresh_shard = :shard AND refresh_at <= :now")
            .expression_attribute_values(":shard", number(i64::from(shard)))
            .expression_attribute_values(":now", time(now))
    }
}

/// When a token that was obtained at `now` and lives `expires_in` is due for refresh.
pub(super) fn due_at(authorizer_appid: &Appid, now: Timestamp, expires_in: Duration) -> Timestamp {
    let spread = sha256(authorizer_appid.as_str())[1];
    now + expires_in - due_before_end(expires_in, spread)
}

/// The partition of the index of due tokens that an account belongs to.
pub(super) fn shard(authorizer_appid: &Appid) -> i64 {
    i64::from(sha256(authorizer_appid.as_str())[0] % REFRESH_SHARDS)
}
