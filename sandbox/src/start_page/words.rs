//! Values as the page says them.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

pub(super) fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

pub(super) fn left(expires_at: i64, now: i64) -> String {
    if expires_at > now {
        format!("{} left", span(expires_at - now))
    } else {
        format!("expired {} ago", span(now - expires_at))
    }
}

/// How far the sandbox's time is ahead of the real one.
pub(super) fn ahead(now: i64) -> String {
    let real = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() as i64;
    // The two clocks may be read on both sides of a second.
    if now - real < 2 {
        "the real time".to_owned()
    } else {
        format!("{} ahead of the real time", span(now - real))
    }
}

pub(super) fn span(seconds: i64) -> String {
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    match (hours, minutes) {
        (0, 0) => format!("{} s", seconds.max(0)),
        (0, _) => format!("{minutes} min"),
        (_, 0) => format!("{hours} h"),
        _ => format!("{hours} h {minutes} min"),
    }
}
