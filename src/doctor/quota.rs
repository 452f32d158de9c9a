//! How many calls are left today, by WeChat's count and by our own note.

use super::{Check, bounded};
use crate::config::Config;
use crate::deadline::Deadline;
use crate::services::Services;
use crate::wechat::{CallError, Class, Quota, Quotas, Refusal};

pub(super) const QUOTA: &str = "quota";

/// Less than one part in this many left is too little.
const LOW: i64 = 10;

pub(super) fn check(quotas: &Quotas) -> Check {
    let mut fix = None;
    let mut parts = Vec::new();
    for (endpoint, quota) in quotas {
        parts.push(match quota {
            Ok(Quota { daily_limit, remain }) if remain.saturating_mul(LOW) < *daily_limit => {
                fix = Some(
                    "wait for midnight in Beijing; or reset the quota with clear_quota, at most ten times a month. \
                     Another system on the same platform uses the same quota",
                );
                format!("{endpoint} {remain} of {daily_limit}, nearly used up")
            }
            Ok(Quota { daily_limit, remain }) => format!("{endpoint} {remain} of {daily_limit}"),
            Err(CallError::Refused(refusal)) if is_untold(refusal) => {
                format!("{endpoint}: WeChat does not tell (errcode {})", refusal.errcode)
            }
            Err(error) => {
                fix = fix.or(Some(error.advice()));
                format!("{endpoint}: {}", error.with_rid())
            }
        });
    }
    let detail = format!("left today: {}", parts.join("; "));
    match fix {
        None => Check::good(QUOTA, detail),
        Some(fix) => Check::bad(QUOTA, detail, fix),
    }
}

/// Whether WeChat refuses to tell, and nothing else is wrong.
pub(super) fn is_untold(refusal: &Refusal) -> bool {
    matches!(refusal.class(), Class::BadRequest | Class::AccountBarred | Class::Unknown)
}

/// The note that keeps every run from calling WeChat while the quota is used up.
pub(super) async fn note(services: &Services, config: &Config, deadline: Deadline) -> Check {
    let name = "quota_note";
    bounded(name, deadline, async {
        match services.store.is_quota_exceeded(services.clock.now()).await {
            Ok(false) => Check::good(name, "no quota is noted as used up"),
            Ok(true) => Check::bad(
                name,
                "the day's quota of api_authorizer_token is noted as used up: no token is refreshed until midnight \
                 in Beijing",
                format!(
                    "wait for midnight in Beijing; or reset the quota with clear_quota, and then delete the item \
                     quota#{} of the platform table",
                    config.component_appid
                ),
            ),
            Err(error) => Check::unread(name, &error),
        }
    })
    .await
}
