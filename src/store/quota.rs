//! The notes on WeChat's quotas: that the one of `api_authorizer_token` is used up, and when all were asked for.

use std::time::Duration;

use super::attribute::{EXPIRES_AT, REQUESTED_AT};
use super::item::{time, timestamp};
use super::update::{Condition, Update};
use super::{Store, StoreError};
use crate::time::Timestamp;

/// How often WeChat is asked for its quotas.
const BETWEEN_QUESTIONS: Duration = Duration::from_hours(1);

impl Store {
    /// Whether the day's quota of `api_authorizer_token` is known to be used up at `now`.
    pub(crate) async fn is_quota_exceeded(&self, now: Timestamp) -> Result<bool, StoreError> {
        let item = self.item("read the quota", self.platform_key("quota")).await?;
        Ok(item.and_then(|item| timestamp(&item, EXPIRES_AT)).is_some_and(|until| now < until))
    }

    /// Takes the turn to ask WeChat for its quotas, which comes once an hour. False if somebody has it already.
    pub(crate) async fn take_quota_turn(&self, now: Timestamp) -> Result<bool, StoreError> {
        let update = Update::default()
            .set(REQUESTED_AT, time(now))
            .when(Condition::absent_or_at_most(REQUESTED_AT, time(now - BETWEEN_QUESTIONS)));
        self.write("take the turn to ask for the quotas", self.platform_key("quota_asked"), update).await
    }

    /// Notes that the day's quota of `api_authorizer_token` is used up until `until`.
    pub(crate) async fn put_quota_exceeded(&self, until: Timestamp) -> Result<(), StoreError> {
        let update = Update::default().set(EXPIRES_AT, time(until));
        self.write("note the quota", self.platform_key("quota"), update).await.map(|_| ())
    }
}
