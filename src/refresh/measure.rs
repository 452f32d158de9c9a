//! What a run finds, for the metrics.

use std::time::Duration;

use crate::deadline::Deadline;
use crate::metric;
use crate::services::Services;
use crate::store::StoreError;
use crate::wechat::is_too_far_ahead;

/// How long measuring may take, beside what a run is for.
const MEASURING: Duration = Duration::from_secs(10);

/// How long a ticket lives.
const TICKET_LIFE: Duration = Duration::from_hours(12);

/// Measures what the run finds. That it cannot be read is no reason not to run.
pub(super) async fn measure(services: &Services, deadline: Deadline) {
    let deadline = deadline.within(MEASURING);
    let Services { store, clock, .. } = services;
    let now = clock.now();
    let ticket = async {
        if let Some(ticket) = store.ticket().await? {
            // An impossible time does not tell the age, and must not look like a fresh ticket.
            metric::ticket_age(match is_too_far_ahead(ticket.create_time, now) {
                true => TICKET_LIFE,
                false => now.since(ticket.create_time),
            });
        }
        Ok(())
    };
    let pending = async {
        let pending = store.pending_claims().await?;
        metric::pending_claims(pending.len());
        let since = store.oldest_of(&pending).await?;
        metric::oldest_pending(since.map_or(Duration::ZERO, |since| now.since(since)));
        Ok(())
    };
    let quotas = async {
        let Some(token) = services.component.peek().await else { return Ok(()) };
        if store.take_quota_turn(now).await? {
            for (endpoint, quota) in services.wechat.quotas(&token, deadline.remaining()).await {
                match quota {
                    Ok(quota) => metric::quota_used(endpoint, quota.used()),
                    Err(error) => {
                        tracing::info!(endpoint, errcode = error.errcode().get(), "no quota: {error}")
                    }
                }
            }
        }
        Ok(())
    };
    let (ticket, pending, quotas) =
        tokio::join!(deadline.limit(ticket), deadline.limit(pending), deadline.limit(quotas));
    for measured in [ticket, pending, quotas] {
        match measured {
            Some(Ok(())) => {}
            Some(Err::<_, StoreError>(error)) => tracing::warn!("not measured: {error}"),
            None => tracing::warn!("not measured in time"),
        }
    }
}
