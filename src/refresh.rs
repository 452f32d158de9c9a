//! `refresh`, every minute: renews the component token, finishes pending exchanges, refreshes the tokens that
//! are due.

mod measure;
mod pending;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::try_join_all;
use futures_util::stream::{self, StreamExt};
use lambda_http::LambdaEvent;
use lambda_http::lambda_runtime::Diagnostic;
use serde::Serialize;
use serde_json::Value;

use crate::authorizer::{Authorizers, Refreshed, Suspects};
use crate::component::report;
use crate::config::{Config, RefreshMode};
use crate::deadline::Deadline;
use crate::exchange::Exchange;
use crate::metric::{self, Door};
use crate::services::Services;
use crate::store::{Cursor, REFRESH_SHARDS, Reason, StoreError};
use crate::time::Timestamp;
use crate::wechat::{Appid, TOKEN_LIFE};
use measure::measure;
use pending::finish_pending;

/// How many tokens are refreshed at a time: enough for 100,000 accounts in a tenth of a run if WeChat answers
/// after 150 ms.
const REFRESHING: usize = 64;

/// How many due accounts are read from each shard at a time.
const PAGE: i32 = 64;

/// Time reserved for the summary.
const FOR_SUMMARY: Duration = Duration::from_secs(2);

/// A refresh that is begun with less time left may not be finished.
const SHORTEST: Duration = Duration::from_secs(8);

/// With `REFRESH_MODE=on-demand`, how long after it was due a token is refreshed all the same, so that WeChat does
/// not forget the authorization.
const FORGOTTEN: Duration = Duration::from_hours(20 * 24);

/// What the function depends on.
#[derive(Debug)]
pub struct App {
    services: Services,
    exchange: Exchange,
    authorizers: Authorizers,
    mode: RefreshMode,
}

/// What a run did, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Tokens refreshed.
    pub refreshed: usize,
    /// Tokens that could not be refreshed; their records say why.
    pub failed: usize,
    /// Accounts of which WeChat said that the merchant revoked.
    pub revoked: usize,
    /// Pending exchanges that are in the table now.
    pub pending_finished: usize,
    /// Accounts that are due and were not reached.
    pub remaining: usize,
}

impl App {
    /// An instance of the function, as a cold start makes it.
    pub fn new(config: &Config, services: Services) -> Self {
        Self {
            exchange: Exchange::new(services.clone(), Door::Refresh),
            authorizers: Authorizers::new(services.clone()),
            services,
            mode: config.refresh_mode,
        }
    }
}

/// One run. The event is the schedule's and says nothing.
pub async fn handle(app: &App, event: LambdaEvent<Value>) -> Result<Summary, Diagnostic> {
    let deadline = Deadline::of(&event.context).reserving(FOR_SUMMARY);
    let (summary, ()) = tokio::join!(run(app, deadline), measure(&app.services, deadline));
    let summary = summary.map_err(|error| {
        tracing::error!("run failed: {error}");
        error.diagnostic()
    })?;
    let Summary { refreshed, failed, revoked, pending_finished, remaining } = summary;
    tracing::info!(refreshed, failed, revoked, pending_finished, remaining, "run finished");
    Ok(summary)
}

async fn run(app: &App, deadline: Deadline) -> Result<Summary, StoreError> {
    let mut summary = Summary::default();
    let renewed = app.services.component.renew(deadline).await;
    let minted_at = app.services.component.minted_at().await;
    let mut age = minted_at.map(|minted_at| app.services.clock.now().since(minted_at));
    let has_component_token = match renewed {
        Ok(()) => true,
        Err(error) => {
            report(&error);
            if !error.is_about_ticket() {
                // None could ever be minted, which is as bad as one that has ended.
                age = age.or(Some(TOKEN_LIFE));
            }
            false
        }
    };
    if let Some(age) = age {
        metric::component_token_age(age);
    }
    // Without a component token nothing can be done, and no merchant is at fault.
    if has_component_token {
        // Codes that WeChat does not answer for leave half of the run to the tokens that are due.
        finish_pending(app, &mut summary, deadline.within(deadline.remaining() / 2)).await;
        refresh_due(app, &mut summary, deadline).await?;
    } else {
        summary.remaining = count_due(app).await?;
    }
    metric::due_backlog(summary.remaining);
    Ok(summary)
}

async fn refresh_due(app: &App, summary: &mut Summary, deadline: Deadline) -> Result<(), StoreError> {
    let due_by = due_by(app);
    let stopped = AtomicBool::new(app.services.store.is_quota_exceeded(app.services.clock.now()).await?);
    let mut suspects = Suspects::default();
    let mut shards: Vec<(u8, Option<Cursor>)> = (0..REFRESH_SHARDS).map(|shard| (shard, None)).collect();
    let in_time = || !stopped.load(Ordering::Relaxed) && deadline.remaining() > SHORTEST;
    while !shards.is_empty() && in_time() {
        let pages = shards.into_iter().map(|(shard, after)| async move {
            app.services.store.due(shard, due_by, PAGE, after).await.map(|page| (shard, page))
        });
        let pages = try_join_all(pages).await?;
        let mut due: Vec<&(Timestamp, Appid)> = pages.iter().flat_map(|(_, page)| &page.accounts).collect();
        due.sort_by_key(|(due_at, _)| *due_at);
        metric::oldest_due(due.first().map_or(Duration::ZERO, |(due_at, _)| due_by.since(*due_at)));
        let begun = due.iter().take_while(|_| in_time());
        let stopped = &stopped;
        let refreshing = begun.map(|(_, appid)| async move {
            let refreshed = app.authorizers.refresh(appid, &Reason::DueBy(due_by), deadline).await;
            if let Ok(Refreshed::Stopped(cause)) = &refreshed
                && !stopped.swap(true, Ordering::Relaxed)
            {
                cause.report();
            }
            refreshed.inspect_err(|error| tracing::warn!(authorizer.appid = %appid, "{error}"))
        });
        let mut refreshing = stream::iter(refreshing).buffer_unordered(REFRESHING);
        while let Some(refreshed) = refreshing.next().await {
            match refreshed {
                Ok(Refreshed::Done) => summary.refreshed += 1,
                Ok(Refreshed::Failed) | Err(_) => summary.failed += 1,
                Ok(Refreshed::Suspected(suspect)) => {
                    if suspects.add(suspect) {
                        stopped.store(true, Ordering::Relaxed);
                    }
                }
                Ok(Refreshed::NotOurs | Refreshed::Stopped(_)) => {}
            }
        }
        drop(refreshing);
        shards = pages
            .into_iter()
            .filter_map(|(shard, page)| page.next.map(|cursor| (shard, Some(cursor))))
            .collect();
    }
    let (revoked, spared) = app.authorizers.settle(suspects).await;
    summary.revoked += revoked;
    summary.failed += spared;
    if !in_time() {
        summary.remaining = count_due(app).await?;
    }
    Ok(())
}

/// How many accounts are due and will not be reached.
async fn count_due(app: &App) -> Result<usize, StoreError> {
    let due_by = due_by(app);
    let counts = (0..REFRESH_SHARDS).map(|shard| app.services.store.count_due(shard, due_by));
    let first = (0..REFRESH_SHARDS).map(|shard| app.services.store.due(shard, due_by, PAGE, None));
    let (counts, first) = tokio::try_join!(try_join_all(counts), try_join_all(first))?;
    let first_due_at = first.iter().flat_map(|page| &page.accounts).map(|(due_at, _)| *due_at).min();
    metric::oldest_due(first_due_at.map_or(Duration::ZERO, |due_at| due_by.since(due_at)));
    Ok(counts.into_iter().filter_map(|count| usize::try_from(count).ok()).sum())
}

/// The time by which a token must have become due to be refreshed now.
fn due_by(app: &App) -> Timestamp {
    let now = app.services.clock.now();
    match app.mode {
        RefreshMode::Proactive => now,
        RefreshMode::OnDemand => now - FORGOTTEN,
    }
}
