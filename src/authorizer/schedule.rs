//! When a refresh is tried again.

use std::time::Duration;

use crate::time::Timestamp;
use crate::wechat::Class;

/// After how long a refresh is tried again that has failed `attempts` times in a row: what WeChat
/// fixes by itself soon, what an operator or the merchant must fix ever more rarely, at least once a day.
pub(super) fn retry_after(class: Class, attempts: u32) -> Duration {
    let (first, longest) = match class {
        Class::Busy => (15, 900),
        _ => (600, 86_400),
    };
    Duration::from_secs((first << (attempts - 1).min(10)).min(longest))
}

/// Beijing's clocks are this many seconds ahead.
const OFFSET: i64 = 8 * 3600;
const DAY: i64 = 86_400;

/// The number of the day in Beijing.
pub(super) fn day_in_beijing(at: Timestamp) -> i64 {
    (at.as_secs() + OFFSET).div_euclid(DAY)
}

/// The next midnight in Beijing, when WeChat's daily quotas begin anew.
pub(super) fn next_day_in_beijing(now: Timestamp) -> Timestamp {
    Timestamp::from_secs((day_in_beijing(now) + 1) * DAY - OFFSET)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_changes_at_midnight_in_beijing() {
        // 2026-01-01 00:00:00 in Beijing.
        let midnight = Timestamp::from_secs(1_767_196_800);
        assert_eq!(next_day_in_beijing(midnight - Duration::from_secs(1)), midnight);
        assert_eq!(next_day_in_beijing(midnight), midnight + Duration::from_hours(24));
    }

    #[test]
    fn failures_are_tried_again_at_growing_intervals_up_to_a_day() {
        let intervals: Vec<u64> =
            (1..=9).map(|attempts| retry_after(Class::RefreshTokenRejected, attempts).as_secs()).collect();
        assert_eq!(intervals, [600, 1200, 2400, 4800, 9600, 19_200, 38_400, 76_800, 86_400]);
        assert_eq!(retry_after(Class::Busy, 1).as_secs(), 15);
        assert_eq!(retry_after(Class::Busy, 99).as_secs(), 900);
    }
}
