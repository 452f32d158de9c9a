//! What nobody vouches for shares an allowance of exchanges.

use std::time::Duration;

use aws_sdk_dynamodb::types::ReturnValue;

use super::attribute::SPENT_UNTIL;
use super::item::{time, timestamp};
use super::update::{Condition, Update};
use super::{Store, StoreError, Written};
use crate::time::Timestamp;

/// The part of a day's allowance that may be used at once.
const BURST: u32 = 10;

const DAY: Duration = Duration::from_hours(24);

impl Store {
    /// Takes one of the `per_day` exchanges that visits without a service's launch share. They come back evenly over the
    /// day; up to a tenth of them may be used at once. False if none is left at `now`.
    ///
    /// One number says it all: until when the allowance is spent, if each exchange costs its part of a day.
    pub(crate) async fn take_unvouched(&self, per_day: u32, now: Timestamp) -> Result<bool, StoreError> {
        let Some(interval) = DAY.checked_div(per_day) else { return Ok(false) };
        let interval = interval.max(Duration::from_secs(1));
        let spend = |update: Update| {
            let key = self.platform_key("budget");
            self.write_returning("take an exchange", key, update, ReturnValue::None)
        };
        /// Others take at the same time, and the moment at which nothing is spent may lie between the two writes.
        const TRIES: u32 = 3;
        for _ in 0..TRIES {
            let anew = Update::default()
                .set(SPENT_UNTIL, time(now + interval))
                .when(Condition::absent_or_at_most(SPENT_UNTIL, time(now)));
            if let Written::Made(_) = spend(anew).await? {
                return Ok(true);
            }
            let more = Update::default()
                .increase(SPENT_UNTIL, interval.as_secs() as i64)
                .when(Condition::MoreThan(SPENT_UNTIL, time(now)))
                .when(Condition::AtMost(SPENT_UNTIL, time(now + DAY / BURST)));
            match spend(more).await? {
                Written::Made(_) => return Ok(true),
                Written::Refused(item) if timestamp(&item, SPENT_UNTIL).is_some_and(|until| until > now) => {
                    return Ok(false);
                }
                Written::Refused(_) => {}
            }
        }
        Ok(false)
    }
}
