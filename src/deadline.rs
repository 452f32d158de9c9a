//! How long the invocation may still take.

use std::future::Future;
use std::time::{Duration, SystemTime};

use lambda_http::Context;
use tokio::time::{Instant, sleep, timeout_at};

/// The moment by which something must be over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// The end of the invocation, as Lambda announces it.
    pub(crate) fn of(context: &Context) -> Self {
        Self::after(context.deadline().duration_since(SystemTime::now()).unwrap_or_default())
    }

    /// The moment `time` from now.
    pub(crate) fn after(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    /// This deadline, or `time` from now if that is sooner.
    pub(crate) fn within(self, time: Duration) -> Self {
        Self(self.0.min(Instant::now() + time))
    }

    /// This deadline less what is left over for what comes after it: `reserve`, or a quarter of the time
    /// that remains if that is less.
    pub(crate) fn reserving(self, reserve: Duration) -> Self {
        Self(self.0 - reserve.min(self.remaining() / 4))
    }

    /// The time that remains.
    pub(crate) fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Waits for `pause`. False, at once, if that would pass the deadline.
    pub(crate) async fn pause(self, pause: Duration) -> bool {
        let in_time = pause < self.remaining();
        if in_time {
            sleep(pause).await;
        }
        in_time
    }

    /// The result of `work`, unless the deadline passes first.
    pub(crate) async fn limit<T>(self, work: impl Future<Output = T>) -> Option<T> {
        timeout_at(self.0, work).await.ok()
    }
}
