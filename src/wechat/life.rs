//! How long WeChat's tokens live, and how long before their end they are replaced.

use std::time::Duration;

/// The life of a token where WeChat does not tell it.
pub(crate) const TOKEN_LIFE: Duration = Duration::from_hours(2);

/// No token lives longer; a larger number is a mistake that must not keep a token from being refreshed.
pub(super) const LONGEST_LIFE: Duration = Duration::from_hours(24);

/// A token with at least this left is still used where no better one is available.
pub(crate) const USABLE: Duration = Duration::from_secs(30);

/// How long before its end a component token that lives `life` is renewed: ten minutes of two hours, as WeChat advises,
/// and a twelfth of any other life, so that a short one does not make every visit mint.
pub(crate) fn renewed_before(life: Duration) -> Duration {
    (life / 12).clamp(USABLE, Duration::from_mins(10))
}

/// How long before its end the scheduled run renews it: at least one run before a visitor would have to.
pub(crate) fn renewed_early(life: Duration) -> Duration {
    renewed_before(life) + Duration::from_mins(2)
}

/// With how much left an access token that lives `life` is returned to services without a refresh: five minutes of two
/// hours.
pub(crate) fn fresh(life: Duration) -> Duration {
    (life / 24).clamp(USABLE, Duration::from_mins(5))
}

/// How long before its end an access token that lives `expires_in` is due for refresh: between a twelfth and a
/// sixth of its life (10 to 20 minutes of two hours). `spread` says where in that span, so that many grants of one
/// moment do not come due in one.
pub(crate) fn due_before_end(expires_in: Duration, spread: u8) -> Duration {
    let span = (expires_in / 12).max(USABLE).min(expires_in / 4).as_secs();
    Duration::from_secs(2 * span - span * u64::from(spread) / 256)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_replaced_before_its_end_and_not_all_the_time_whatever_its_life() {
        for life in [60, 250, 550, 600, 7200, 86_400].map(Duration::from_secs) {
            assert!(renewed_before(life) <= life / 2, "{life:?}");
            assert!(fresh(life) <= due_before_end(life, 255).max(USABLE), "{life:?}");
            assert!(
                due_before_end(life, 0) <= life / 2 && due_before_end(life, 255) > Duration::ZERO,
                "{life:?}"
            );
        }
        let hours = Duration::from_hours(2);
        assert_eq!(
            (renewed_before(hours), renewed_early(hours)),
            (Duration::from_mins(10), Duration::from_mins(12))
        );
        assert_eq!(
            (fresh(hours), due_before_end(hours, 0)),
            (Duration::from_mins(5), Duration::from_mins(20))
        );
    }
}
