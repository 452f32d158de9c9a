//! Authorizations that were lost: their codes ended before WeChat exchanged them.

use super::{Check, bounded};
use crate::deadline::Deadline;
use crate::services::Services;

const UNEXCHANGED: &str = "unexchanged";

pub(super) async fn check(services: &Services, deadline: Deadline) -> Check {
    bounded(UNEXCHANGED, deadline, lost(services)).await
}

async fn lost(services: &Services) -> Check {
    match services.store.unexchanged().await {
        Ok(appids) if appids.is_empty() => Check::good(
            UNEXCHANGED,
            "no authorization code of the last 7 days ended before WeChat exchanged it",
        ),
        Ok(appids) => Check::bad(
            UNEXCHANGED,
            format!(
                "authorization codes of the last 7 days ended before WeChat exchanged them: {}",
                appids.join(", ")
            ),
            "ask these merchants to authorize again; look for 45009 or 61004 in the log to see why WeChat did \
             not exchange their codes. This finding ends 7 days after the last such code",
        ),
        Err(error) => Check::unread(UNEXCHANGED, &error),
    }
}
