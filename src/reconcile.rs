//! `reconcile`, daily and by hand: compares the table with WeChat's list of the accounts that authorize the platform, and restores
//! what is missing; and each account, when its turn comes, with what WeChat has of it. Deletes nothing. A table that
//! starts empty ends complete.

use std::collections::HashSet;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use lambda_http::LambdaEvent;
use lambda_http::lambda_runtime::Diagnostic;
use serde::Serialize;
use serde_json::Value;

use crate::authorizer::{Authorizers, Compared, Suspect, Suspects, Turns};
use crate::component::Cause;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::metric::{self, Door};
use crate::services::Services;
use crate::store::StoreError;
use crate::wechat::{Appid, AuthorizerList, LIST_PAGE, ListedAccount};

/// How many accounts are restored, compared or asked about at a time: enough for a million, a seventh of them a day, if
/// WeChat answers after 150 ms.
const CONCURRENCY: usize = 32;

/// What is left over for the summary.
const FOR_SUMMARY: Duration = Duration::from_secs(2);

/// An account that is taken up with less time left may not be finished.
const SHORTEST: Duration = Duration::from_secs(15);

/// What the function depends on.
#[derive(Debug)]
pub struct App {
    services: Services,
    authorizers: Authorizers,
}

/// What a run found and did, in numbers of accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Accounts that WeChat listed.
    pub listed: usize,
    /// Records that were missing or had no valid token; restored, or to be restored if this is a dry run.
    pub restored: usize,
    /// Records that said something else than WeChat of the profile or the permission sets; corrected, or to be corrected if
    /// this is a dry run.
    pub corrected: usize,
    /// Accounts of which WeChat confirmed that the merchant revoked.
    pub revoked: usize,
    /// Records that are as they should be.
    pub unchanged: usize,
    /// Accounts that could not be restored or compared; the log says why.
    pub failed: usize,
    /// Whether the whole list was compared. If not, the next run goes on where this one stopped.
    pub complete: bool,
}

impl App {
    /// An instance of the function, as a cold start makes it.
    pub fn new(_config: &Config, services: Services) -> Self {
        Self { authorizers: Authorizers::new(services.clone()), services }
    }
}

/// One run. `dry_run` in the event reports without writing; `all` compares every account, within the share of the quota that
/// comparing has.
pub async fn handle(app: &App, event: LambdaEvent<Value>) -> Result<Summary, Diagnostic> {
    let (dry_run, all) = (switch(&event.payload, "dry_run")?, switch(&event.payload, "all")?);
    let deadline = Deadline::of(&event.context).reserving(FOR_SUMMARY);
    let run =
        Run { app, dry_run, all, deadline, stopped: AtomicBool::new(false), suspects: Mutex::default() };
    let summary = run.go().await.map_err(|error| {
        tracing::error!("run failed: {error}");
        error.diagnostic()
    })?;
    let Summary { listed, restored, corrected, revoked, unchanged, failed, complete } = summary;
    tracing::info!(
        dry_run,
        listed,
        restored,
        corrected,
        revoked,
        unchanged,
        failed,
        complete,
        "run finished"
    );
    Ok(summary)
}

/// A switch of the event, off where it is absent. Whoever writes "true" means something, so it must not begin without it.
fn switch(event: &Value, name: &str) -> Result<bool, Diagnostic> {
    match &event[name] {
        Value::Null => Ok(false),
        Value::Bool(on) => Ok(*on),
        _ => Err(Diagnostic {
            error_type: "InvalidRequest".to_owned(),
            error_message: "expected {}, with \"dry_run\": true or \"all\": true".to_owned(),
        }),
    }
}

struct Run<'a> {
    app: &'a App,
    dry_run: bool,
    /// Whether every account is compared now, and not only those whose turn has come.
    all: bool,
    deadline: Deadline,
    /// WeChat cannot be asked about any account.
    stopped: AtomicBool,
    /// The accounts that revoked, as two answers of WeChat say.
    suspects: Mutex<Suspects>,
}

impl Run<'_> {
    async fn go(&self) -> Result<Summary, StoreError> {
        let store = &self.app.services.store;
        let mut summary = Summary::default();
        let begin = if self.dry_run { 0 } else { store.reconciled_up_to().await? };
        let mut offset = begin;
        let mut listed = HashSet::new();
        let mut turns = None;
        while self.in_time() {
            let Some(page) = self.page(offset).await else { break };
            self.note_odd_times(&page.accounts).await;
            summary.listed += page.accounts.len();
            let turns = match &mut turns {
                Some(turns) => turns,
                none => {
                    none.insert(self.app.authorizers.turns(page.total_count, self.all, self.deadline).await)
                }
            };
            let finished = self.compare(&page.accounts, turns, &mut summary).await?;
            listed.extend(page.accounts.into_iter().map(|account| account.authorizer_appid));
            tracing::info!(compared = offset + page.length, of = page.total_count, "list compared");
            if !finished {
                break;
            }
            offset += LIST_PAGE;
            summary.complete = page.length == 0 || offset >= page.total_count;
            if summary.complete {
                break;
            }
        }
        if !self.dry_run {
            store.put_reconciled_up_to(if summary.complete { 0 } else { offset }).await?;
        }
        // An account that is missing on the whole list may have revoked; on a part of it, that means nothing. An
        // empty list is more likely a fault at WeChat than the end of all authorizations.
        if summary.complete && begin == 0 && !listed.is_empty() {
            self.ask_about_unlisted(&listed, &mut summary).await?;
        }
        let suspects = mem::take(&mut *self.suspects.lock().unwrap_or_else(PoisonError::into_inner));
        let (revoked, spared) = self.app.authorizers.settle(suspects).await;
        summary.revoked += revoked;
        summary.failed += spared;
        Ok(summary)
    }

    fn in_time(&self) -> bool {
        !self.stopped.load(Ordering::Relaxed) && self.deadline.remaining() > SHORTEST
    }

    /// Begins no other account. Those under way are refused for the same reason, which is said once.
    fn stop(&self, cause: &Cause) {
        if !self.stopped.swap(true, Ordering::Relaxed) {
            cause.report();
        }
    }

    /// Leaves the account to the end of the run, and begins no other if there are too many of them.
    fn suspect(&self, suspect: Suspect) {
        let mut suspects = self.suspects.lock().unwrap_or_else(PoisonError::into_inner);
        if suspects.add(suspect) {
            self.stopped.store(true, Ordering::Relaxed);
        }
    }

    async fn page(&self, offset: usize) -> Option<AuthorizerList> {
        let page = self.app.services.authorizer_list(offset, self.deadline).await;
        page.inspect_err(Cause::report).ok()
    }

    /// Says and notes once for a page that WeChat told a time which cannot be, or none.
    async fn note_odd_times(&self, accounts: &[ListedAccount]) {
        let services = &self.app.services;
        let now = services.clock.now();
        let odd = accounts.iter().find(|account| account.auth_time.believable(now).is_none());
        if let Some(account) = odd.filter(|_| !self.dry_run) {
            services.note_odd_time(account.auth_time, "auth_time of the list", now, self.deadline).await;
        }
    }

    /// Compares a page of the list with the records. False if the time ran out on the way.
    async fn compare(
        &self,
        accounts: &[ListedAccount],
        turns: &Turns,
        summary: &mut Summary,
    ) -> Result<bool, StoreError> {
        let appids = accounts.iter().map(|account| &account.authorizer_appid);
        let records = self.app.services.store.records(appids).await?;
        let begun = accounts.iter().take_while(|_| self.in_time());
        let healing = begun.map(|account| {
            let record = records.get(&account.authorizer_appid);
            let healed = self.app.authorizers.heal(account, record, turns, self.dry_run, self.deadline);
            async move { (account, healed.await) }
        });
        let mut healing = stream::iter(healing).buffer_unordered(CONCURRENCY);
        let mut compared = 0;
        while let Some((account, healed)) = healing.next().await {
            compared += 1;
            match healed {
                Ok(Compared::Restored) => {
                    summary.restored += 1;
                    if !self.dry_run {
                        metric::grant(Door::Reconcile);
                    }
                }
                Ok(Compared::Corrected) => summary.corrected += 1,
                Ok(Compared::Unchanged) => summary.unchanged += 1,
                Ok(Compared::Revoked) => summary.revoked += 1,
                Ok(Compared::Suspected(suspect)) => self.suspect(suspect),
                Ok(Compared::Failed) => summary.failed += 1,
                Ok(Compared::Stopped(cause)) => self.stop(&cause),
                Err(error) => {
                    tracing::warn!(authorizer.appid = %account.authorizer_appid, "{error}");
                    summary.failed += 1;
                }
            }
        }
        Ok(compared == accounts.len() && !self.stopped.load(Ordering::Relaxed))
    }

    /// Asks WeChat about the accounts that are authorized in the table and not on its list.
    async fn ask_about_unlisted(
        &self,
        listed: &HashSet<Appid>,
        summary: &mut Summary,
    ) -> Result<(), StoreError> {
        let mut after = None;
        while self.in_time() {
            let (authorized, next) = self.app.services.store.authorized(after).await?;
            let unlisted = authorized.iter().filter(|appid| !listed.contains(*appid));
            let begun = unlisted.take_while(|_| self.in_time());
            let asking = begun.map(|appid| async move {
                let confirmed = self.app.authorizers.confirm(appid, self.dry_run, self.deadline).await;
                (appid, confirmed)
            });
            let mut asking = stream::iter(asking).buffer_unordered(CONCURRENCY);
            while let Some((appid, confirmed)) = asking.next().await {
                match confirmed {
                    Ok(Compared::Revoked) => summary.revoked += 1,
                    Ok(Compared::Suspected(suspect)) => self.suspect(suspect),
                    Ok(Compared::Restored | Compared::Corrected | Compared::Unchanged) => {
                        summary.unchanged += 1
                    }
                    Ok(Compared::Failed) => summary.failed += 1,
                    Ok(Compared::Stopped(cause)) => self.stop(&cause),
                    Err(error) => {
                        tracing::warn!(authorizer.appid = %appid, "{error}");
                        summary.failed += 1;
                    }
                }
            }
            after = next;
            if after.is_none() {
                return Ok(());
            }
        }
        // Those who were not asked about are asked about by the next run, or by `refresh`.
        summary.complete = false;
        Ok(())
    }
}
