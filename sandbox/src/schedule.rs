//! What runs by itself on a schedule, and its outcome.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sandbox::wechat::{GROUPS, Item};
use sandbox::{InvocationError, Sandbox, say};
use serde_json::{Value, json};

use crate::platform::Platform;

/// How often `refresh` runs.
const EVERY: Duration = Duration::from_secs(60);

/// Whom the service here launches for.
const CUSTOMER: &str = "customer-4711";

/// How many runs are remembered.
const REMEMBERED: usize = 8;

/// What the clock drives, with the last results.
#[derive(Clone)]
pub(crate) struct Schedule {
    sandbox: Sandbox,
    platform: Option<Platform>,
    runs: Arc<Mutex<Vec<Run>>>,
    /// What WeChat's last release check found.
    check: Arc<Mutex<Vec<Item>>>,
}

/// One run, or several in a row with the same outcome.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) function: &'static str,
    pub(crate) result: String,
    pub(crate) good: bool,
    pub(crate) times: usize,
}

impl Schedule {
    pub(crate) fn new(sandbox: &Sandbox, platform: &Platform) -> Self {
        Self { platform: Some(platform.clone()), ..Self::of_wechat(sandbox) }
    }

    /// Only what WeChat does. For a platform elsewhere, whose component token a second `refresh` would supersede.
    pub(crate) fn of_wechat(sandbox: &Sandbox) -> Self {
        Self { sandbox: sandbox.clone(), platform: None, runs: Arc::default(), check: Arc::default() }
    }

    /// Ticks forever.
    pub(crate) async fn run(self) {
        let mut interval = tokio::time::interval(EVERY);
        loop {
            interval.tick().await;
            self.tick().await;
        }
    }

    /// WeChat pushes the ticket that is due, and `refresh` runs.
    pub(crate) async fn tick(&self) {
        self.sandbox.wechat.push_due_ticket().await;
        self.refresh().await;
    }

    pub(crate) async fn refresh(&self) {
        let Some(platform) = &self.platform else { return };
        self.remember("refresh", async { summary(platform.invoke("refresh", json!({})).await) }).await;
    }

    /// A service begins a launch for its customer. Returns the launch page.
    pub(crate) async fn launch(&self) -> Option<String> {
        let platform = self.platform.as_ref()?;
        let started = Instant::now();
        let begun = platform.invoke("launch", json!({"state": CUSTOMER})).await;
        let said = match &begun {
            Ok(_) => Ok(format!("a launch of {CUSTOMER} begins")),
            Err(error) => Err(error.to_string()),
        };
        self.note("launch", said, started);
        begun.ok()?["launch_url"].as_str().map(str::to_owned)
    }

    pub(crate) async fn reconcile(&self) {
        let Some(platform) = &self.platform else { return };
        let event = json!({"dry_run": false});
        self.remember("reconcile", async { summary(platform.invoke("reconcile", event).await) }).await;
    }

    pub(crate) async fn doctor(&self) {
        let Some(platform) = &self.platform else { return };
        let report = async {
            let report = platform.invoke("doctor", json!({})).await.map_err(|error| error.to_string());
            report.and_then(|report| verdict(&report))
        };
        self.remember("doctor", report).await;
    }

    /// WeChat checks the platform with a group of its test accounts, and prints its list of results.
    pub(crate) async fn release_check(&self) {
        let items = self.sandbox.wechat.release_check(fastrand::usize(..GROUPS.len())).await;
        for item in &items {
            say!("wechat    全网发布检测 {} {}", if item.passed { "通过  " } else { "未通过" }, item.name);
        }
        *self.check.lock().expect("not poisoned") = items;
    }

    /// What WeChat's last release check found; empty before the first.
    pub(crate) fn check(&self) -> Vec<Item> {
        self.check.lock().expect("not poisoned").clone()
    }

    /// A service asks for an account's token, and says which one WeChat has just refused.
    pub(crate) async fn token(&self, authorizer_appid: &str) {
        let Some(platform) = &self.platform else { return };
        let record = self.sandbox.dynamodb.authorizer(authorizer_appid).await.unwrap_or_default();
        let stored = record["authorizer_access_token"].as_str();
        let refused = stored.filter(|token| !self.sandbox.wechat.accepts(token));
        let event = json!({"authorizer_appid": authorizer_appid, "rejected_access_token": refused});
        let verdict = |answer: Value| {
            let token = answer["authorizer_access_token"].as_str().unwrap_or_default();
            let verdict = if self.sandbox.wechat.accepts(token) { "accepts" } else { "refuses" };
            format!("a token that WeChat {verdict}")
        };
        let answer =
            async { platform.invoke("token", event).await.map(verdict).map_err(|error| error.to_string()) };
        self.remember("token", answer).await;
    }

    /// A program invokes a function, which only a platform that runs here has.
    pub(crate) async fn invoke(
        &self,
        function: &'static str,
        event: Value,
    ) -> Result<Value, InvocationError> {
        let platform = self.platform.as_ref().expect("programs are served only where functions are");
        let started = Instant::now();
        let answer = platform.invoke(function, event).await;
        let said = match &answer {
            Ok(_) => Ok("a program got an answer".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        self.note(function, said, started);
        answer
    }

    /// The last runs, newest first.
    pub(crate) fn runs(&self) -> Vec<Run> {
        let mut runs = self.runs.lock().expect("not poisoned").clone();
        runs.reverse();
        runs
    }

    /// Waits for a run, prints a line, and keeps the result.
    async fn remember(&self, function: &'static str, run: impl Future<Output = Result<String, String>>) {
        let started = Instant::now();
        self.note(function, run.await, started);
    }

    fn note(&self, function: &'static str, result: Result<String, String>, started: Instant) {
        let good = result.is_ok();
        let result = result.unwrap_or_else(|error| error);
        say!("run       {function}: {result} {} ms", started.elapsed().as_millis());
        let mut runs = self.runs.lock().expect("not poisoned");
        match runs.last_mut() {
            Some(last) if (last.function, &last.result) == (function, &result) => last.times += 1,
            _ => runs.push(Run { function, result, good, times: 1 }),
        }
        let surplus = runs.len().saturating_sub(REMEMBERED);
        runs.drain(..surplus);
    }
}

fn summary(result: Result<Value, InvocationError>) -> Result<String, String> {
    result.map(|summary| counts(&summary)).map_err(|error| error.to_string())
}

/// What is not as it should be, if anything is.
fn verdict(report: &Value) -> Result<String, String> {
    let checks = report["checks"].as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let failed = checks.iter().filter(|check| check["ok"] == false);
    let failed: Vec<_> =
        failed.map(|check| format!("{}: {}", text(&check["name"]), text(&check["detail"]))).collect();
    if failed.is_empty() { Ok(format!("all {} checks are ok", checks.len())) } else { Err(failed.join("; ")) }
}

/// `{"refreshed": 2, "failed": 0}` → `2 refreshed`.
fn counts(summary: &Value) -> String {
    let counts = summary.as_object().into_iter().flatten();
    let counts = counts.filter_map(|(name, count)| Some((name.replace('_', " "), count.as_u64()?)));
    let counts: Vec<_> =
        counts.filter(|(_, count)| *count > 0).map(|(name, count)| format!("{count} {name}")).collect();
    if counts.is_empty() { "nothing to do".to_owned() } else { counts.join(", ") }
}
