//! How long WeChat's tokens live, and how long before their end they are replaced.

use std::time::Duration;

/// The life of a token where WeChat does not tell it.
pub(crate) const TOKEN_LIFE: Duration = Duration::from_hours(2);

/// No token lives longer; a larger number is a mistake that must not keep a token from being refreshed.
pub(super) const LONGEST_LIFE: Duration = Duration::from_hours(24);

/// The component token is renewed when it has less than this left. WeChat's advice is to do so after about 110 of
/// its 120 minutes.
pub(crate) const RENEWED_BEFORE: Duration = Duration::from_mins(10);

/// The scheduled run renews it when it has less than this left: at least one run before a visitor would have to.
pub(crate) const RENEWED_EARLY: Duration = Duration::from_mins(12);

/// A token with at least this left is returned to services without a refresh.
pub(crate) const FRESH: Duration = Duration::from_mins(5);

/// A token with at least this left is still used where no better one is available.
pub(crate) const USABLE: Duration = Duration::from_secs(30);

/// How long before its end an access token that lives `expires_in` is due for refresh: between a twelfth and a
/// sixth of its life (10 to 20 minutes of two hours). `spread` says where in that span, so that many grants of one
/// moment do not come due in one.
pub(crate) fn due_before_end(expires_in: Duration, spread: u8) -> Duration {
    let span = (expires_in / 12).as_secs();
    Duration::from_secs(2 * span - span * u64::from(spread) / 256)
}
