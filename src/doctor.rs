//! `doctor`, on demand and from inside the deployed network: what keeps the platform from working, and how to
//! fix it.
//!
//! A finding is an answer and never an error. Every run starts without memory, as a cold instance does, so that it
//! says what is true now and not what was true when the instance started.

mod domain;
mod quota;
mod setup;
mod tables;
mod ticket;
mod told_times;
mod unexchanged;
mod wechat;

use std::convert::Infallible;
use std::time::Duration;

use lambda_http::LambdaEvent;
use serde::Serialize;
use serde_json::Value;

use crate::config::Config;
use crate::deadline::Deadline;
use crate::services::Services;
use crate::store::StoreError;

/// Time reserved for the report.
const FOR_REPORT: Duration = Duration::from_secs(2);

/// What the function depends on.
#[derive(Debug)]
pub struct App {
    config: Config,
    services: Services,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The version that is deployed.
    pub version: &'static str,
    /// Whether all checks are ok.
    pub ok: bool,
    /// The checks, in an order in which they can be fixed.
    pub checks: Vec<Check>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name, which does not change.
    pub name: &'static str,
    /// Whether the check found nothing wrong.
    pub ok: bool,
    /// What was found. Never a secret.
    pub detail: String,
    /// What to do; null if nothing.
    pub fix: Option<String>,
}

impl Check {
    fn good(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, ok: true, detail: detail.into(), fix: None }
    }

    fn bad(name: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, ok: false, detail: detail.into(), fix: Some(fix.into()) }
    }

    /// A check that cannot run until `first`, another check, is fixed.
    fn not_checked(name: &'static str, why: &str, first: &str) -> Self {
        Self::bad(name, format!("not checked: {why}"), format!("fix {first} first"))
    }

    /// An item of the Platform table that could not be read.
    fn unread(name: &'static str, error: &StoreError) -> Self {
        let fix = "fix platform_table first; if that is ok, give the function's role dynamodb:GetItem \
                   and dynamodb:UpdateItem on it, and kms:Decrypt on its key";
        Self::bad(name, error.to_string(), fix)
    }
}

impl App {
    /// An instance of the function, as a cold start makes it.
    pub fn new(config: &Config, services: Services) -> Self {
        Self { config: config.clone(), services }
    }
}

/// One run of all checks. The event is ignored.
pub async fn handle(app: &App, event: LambdaEvent<Value>) -> Result<Report, Infallible> {
    let deadline = Deadline::of(&event.context).reserving(FOR_REPORT);
    let checks = examine(app, deadline).await;
    for Check { name, detail, fix, .. } in checks.iter().filter(|check| !check.ok) {
        tracing::warn!(check = name, advice = fix.as_deref().unwrap_or_default(), "{detail}");
    }
    let failed = checks.iter().filter(|check| !check.ok).count();
    tracing::info!(checks = checks.len(), failed, "doctor finished");
    Ok(Report { version: env!("CARGO_PKG_VERSION"), ok: failed == 0, checks })
}

async fn examine(app: &App, deadline: Deadline) -> Vec<Check> {
    let services = app.services.with_empty_memory();
    let config = &app.config;
    let http = services.http.alive();
    let (secret, tables, ticket, told_times, unexchanged, wechat, note, domain) = tokio::join!(
        setup::secret(&services, config, deadline),
        tables::checks(&services.store, deadline),
        ticket::check(&services, config, deadline),
        told_times::check(&services, deadline),
        unexchanged::check(&services, deadline),
        wechat::checks(&services, deadline),
        quota::note(&services, config, deadline),
        domain::checks(&http, config, deadline),
    );
    let mut checks = vec![setup::configuration(config), secret];
    checks.extend(tables);
    checks.extend([ticket, told_times, unexchanged]);
    checks.extend(wechat);
    checks.push(note);
    checks.extend(domain);
    checks
}

/// The finding of `work`, unless it takes too long.
async fn bounded(name: &'static str, deadline: Deadline, work: impl Future<Output = Check>) -> Check {
    let too_long = || {
        Check::bad(name, "not checked: it took too long", "fix the other failed checks, and run doctor again")
    };
    deadline.limit(work).await.unwrap_or_else(too_long)
}
