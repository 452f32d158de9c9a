//! Times as WeChat tells them, which count only within bounds.

use std::time::Duration;

use crate::time::Timestamp;

/// How far a time of somebody else's clock may be ahead of ours and still be believed.
pub(crate) const AHEAD: Duration = Duration::from_mins(5);

/// The first second of 2012, before there were third-party platforms.
const EARLIEST: i64 = 1_325_376_000;

/// A number above this is a time in milliseconds: as seconds it is in the year 5138.
const MILLISECONDS_ABOVE: i64 = 100_000_000_000;

/// A time as WeChat told it. It is no [`Timestamp`] until somebody with a clock has bounded it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToldTime(i64);

impl ToldTime {
    /// The number that was told; 0 where none was.
    pub(super) const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number as it was told.
    pub const fn as_told(self) -> i64 {
        self.0
    }

    /// The moment that is meant, with `now` as the moment of arrival; none if that cannot be: it is more than five
    /// minutes ahead of us, or before there were platforms.
    pub fn believable(self, now: Timestamp) -> Option<Timestamp> {
        let seconds = if self.0 > MILLISECONDS_ABOVE { self.0 / 1000 } else { self.0 };
        let moment = Timestamp::from_secs(seconds);
        (seconds >= EARLIEST && !is_too_far_ahead(moment, now)).then_some(moment)
    }

    /// The moment that is meant, or `now`, the moment of arrival, if that cannot be.
    pub fn at(self, now: Timestamp) -> Timestamp {
        self.believable(now).unwrap_or(now)
    }
}

/// Whether no clock that goes right could have told this time by `now`.
pub(crate) fn is_too_far_ahead(moment: Timestamp, now: Timestamp) -> bool {
    moment.since(now) > AHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_counts_within_bounds_and_in_milliseconds_too() {
        const NOW: i64 = 1_767_196_800;
        let cases = [
            (NOW - 86_400, Some(NOW - 86_400)),
            (NOW + 300, Some(NOW + 300)),
            (NOW + 301, None),
            (NOW * 1000 + 999, Some(NOW)),
            ((NOW + 301) * 1000, None),
            (EARLIEST, Some(EARLIEST)),
            (EARLIEST - 1, None),
            (0, None),
            (-1, None),
            (i64::MAX, None),
            (i64::MIN, None),
        ];
        for (told, expected) in cases {
            let believed = ToldTime::new(told).believable(Timestamp::from_secs(NOW));
            assert_eq!(believed.map(Timestamp::as_secs), expected, "{told}");
        }
    }
}
