//! The note that the day's quota of `api_authorizer_token` is used up.

use super::attribute::EXPIRES_AT;
use super::item::{time, timestamp};
use super::update::Update;
use super::{Store, StoreError};
use crate::time::Timestamp;

impl Store {
    /// Whether the day's quota of `api_authorizer_token` is known to be used up at `now`.
    pub async fn is_quota_exceeded(&self, now: Timestamp) -> Result<bool, StoreError> {
        let item = self.item("read the quota", self.platform_key("quota")).await?;
        Ok(item.and_then(|item| timestamp(&item, EXPIRES_AT)).is_some_and(|until| now < until))
    }

    /// Notes that the day's quota of `api_authorizer_token` is used up until `until`.
    pub async fn put_quota_exceeded(&self, until: Timestamp) -> Result<(), StoreError> {
        let update = Update::default().set(EXPIRES_AT, time(until));
        self.write("note the quota", self.platform_key("quota"), update).await.map(|_| ())
    }
}
