//! What a run finds, for the metrics.

use std::time::Duration;

use crate::deadline::Deadline;
use crate::metric;
use crate::services::Services;
use crate::store::StoreError;

/// How long measuring may take, beside what a run is for.
const MEASURING: Duration = Duration::from_secs(10);

/// Measures what the run finds. That it cannot be read is no reason not to run.
pub(super) async fn measure(services: &Services, deadline: Deadline) {
    let deadline = deadline.within(MEASURING);
    let Services { store, clock, .. } = services;
    let now = clock.now();
    let ticket = async {
        if let Some(ticket) = store.ticket().await? {
            metric::ticket_age(now.since(ticket.create_time));
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
    let (ticket, pending) = tokio::join!(deadline.limit(ticket), deadline.limit(pending));
    for measured in [ticket, pending] {
        match measured {
            Some(Ok(())) => {}
            Some(Err::<_, StoreError>(error)) => tracing::warn!("not measured: {error}"),
            None => tracing::warn!("not measured in time"),
        }
    }
}
