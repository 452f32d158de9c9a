//! The times that WeChat told: whether one of the last days could not be.

use super::{Check, bounded};
use crate::deadline::Deadline;
use crate::services::Services;

const TOLD_TIMES: &str = "told_times";

pub(super) async fn check(services: &Services, deadline: Deadline) -> Check {
    bounded(TOLD_TIMES, deadline, last_odd(services)).await
}

async fn last_odd(services: &Services) -> Check {
    match services.store.odd_time(services.clock.now()).await {
        Ok(None) => Check::good(TOLD_TIMES, "WeChat sent no impossible time in the last 7 days"),
        Ok(Some(odd)) => Check::bad(
            TOLD_TIMES,
            format!(
                "WeChat sent the impossible time {} ({}); the time of its arrival, {}, is used instead",
                odd.told, odd.source, odd.noted_at
            ),
            "fix clock first if it failed: if this clock is behind, WeChat's times look impossible. Otherwise report it \
             to WeChat; nothing was lost. This finding ends 7 days after the last such time",
        ),
        Err(error) => Check::unread(TOLD_TIMES, &error),
    }
}
