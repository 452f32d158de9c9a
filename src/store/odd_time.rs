//! The note of the last time that WeChat told and that could not be.

use std::time::Duration;

use super::attribute::{EXPIRES_AT, NOTED_AT, SOURCE, TOLD};
use super::item::{integer, number, string, text, time, timestamp};
use super::update::Update;
use super::{Store, StoreError};
use crate::time::Timestamp;

/// For how long the note counts.
const KEPT: Duration = Duration::from_hours(7 * 24);

/// A time that WeChat told and that could not be.
#[derive(Clone, Debug)]
pub(crate) struct OddTime {
    /// When it was told.
    pub noted_at: Timestamp,
    /// The number that was told.
    pub told: i64,
    /// What told it.
    pub source: String,
}

impl Store {
    /// The last one of the last seven days.
    pub(crate) async fn odd_time(&self, now: Timestamp) -> Result<Option<OddTime>, StoreError> {
        let item = self.item("read the note of an odd time", self.platform_key("odd_time")).await?;
        let item = item.filter(|item| timestamp(item, EXPIRES_AT).is_some_and(|until| now < until));
        Ok(item.and_then(|item| {
            Some(OddTime {
                noted_at: timestamp(&item, NOTED_AT)?,
                told: integer(&item, TOLD)?,
                source: text(&item, SOURCE)?.to_owned(),
            })
        }))
    }

    /// Notes one, in place of the one before.
    pub(crate) async fn put_odd_time(&self, odd: &OddTime) -> Result<(), StoreError> {
        let update = Update::default()
            .set(NOTED_AT, time(odd.noted_at))
            .set(TOLD, number(odd.told))
            .set(SOURCE, string(&odd.source))
            .set(EXPIRES_AT, time(odd.noted_at + KEPT));
        self.write("note an odd time", self.platform_key("odd_time"), update).await.map(|_| ())
    }
}
