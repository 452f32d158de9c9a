//! The metrics, in CloudWatch's embedded metric format: lines of the log from which CloudWatch makes metrics.
//!
//! This is all of them. Each has the dimension `ComponentAppid`, and at most one more. What a run of `refresh`
//! measures is a histogram of one value and not a gauge: a gauge would be repeated at every writing, whether or
//! not it was measured again.

use std::io;
use std::time::Duration;

use metrics::{Unit, counter, describe_histogram, histogram};
use metrics_cloudwatch_embedded::{Builder, Collector};
use serde_json::{Deserializer, Map, Value};

/// Under which name CloudWatch shows the metrics.
pub const NAMESPACE: &str = "wechat-authorizer";

/// Where the metrics of this process are gathered.
#[derive(Clone, Copy)]
pub struct Metrics(&'static Collector);

/// By which way a grant came into the table: the function that wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// The merchant's browser brought the code.
    Callback,
    /// WeChat's push brought the code.
    Events,
    /// A message of the release check brought the code.
    Messages,
    /// What neither could finish was finished by the clock.
    Refresh,
    /// WeChat's list had it, and the table had not.
    Reconcile,
}

impl Metrics {
    /// Begins to gather, for the platform `component_appid`. At most once in a process.
    pub fn of(component_appid: &str) -> Self {
        let collector = Builder::new()
            .cloudwatch_namespace(NAMESPACE)
            .with_dimension("ComponentAppid", component_appid.to_owned())
            .init()
            .expect("the namespace is set, and nothing else gathers metrics");
        for name in ["ExchangeLatency", "PageLatency"] {
            describe_histogram!(name, Unit::Milliseconds, "");
        }
        for name in ["OldestDue", "OldestPending", "TicketAge", "ComponentTokenAge"] {
            describe_histogram!(name, Unit::Seconds, "");
        }
        describe_histogram!("QuotaUsed", Unit::Percent, "");
        Self(collector)
    }

    /// Writes the metrics of an invocation to standard output, before Lambda freezes the process. With them goes the
    /// request id, by which its other lines are found.
    pub fn write_of_invocation(self, request_id: String) {
        self.0.set_property("request_id", request_id);
        if let Err(error) = self.write(io::stdout()) {
            tracing::warn!("metrics are lost: {error}");
        }
    }

    /// Writes what was gathered since the last time: as one line of JSON, or as one for each value of a dimension that has
    /// several.
    pub fn write(self, mut writer: impl io::Write) -> io::Result<()> {
        let mut lines = Vec::new();
        self.0.flush(&mut lines)?;
        for line in joined(&lines)? {
            serde_json::to_writer(&mut writer, &line)?;
            writeln!(writer)?;
        }
        Ok(())
    }
}

/// The collector writes a line for each value of each dimension. A line may name several dimensions, each for metrics of
/// its own, as long as each has one value: CloudWatch charges by the line.
fn joined(lines: &[u8]) -> serde_json::Result<Vec<Map<String, Value>>> {
    let mut joined: Vec<Map<String, Value>> = Vec::new();
    for line in Deserializer::from_slice(lines).into_iter::<Map<String, Value>>() {
        let mut line = line?;
        let is_same = |(name, value): (&String, &Value), into: &Map<String, Value>| {
            into.get(name).is_none_or(|other| other == value)
        };
        let directives = line.remove("_aws").unwrap_or_default();
        let fitting = joined.iter_mut().find(|into| line.iter().all(|member| is_same(member, into)));
        let Some(into) = fitting else {
            line.insert("_aws".to_owned(), directives);
            joined.push(line);
            continue;
        };
        if let Value::Array(all) = &mut into["_aws"]["CloudWatchMetrics"] {
            all.extend(directives["CloudWatchMetrics"].as_array().cloned().unwrap_or_default());
        }
        into.extend(line);
    }
    Ok(joined)
}

/// `Grants` by `Door`: a grant is in the table that was not there before.
pub(crate) fn grant(door: Door) {
    let door = match door {
        Door::Callback => "callback",
        Door::Events => "events",
        Door::Messages => "messages",
        Door::Refresh => "refresh",
        Door::Reconcile => "reconcile",
    };
    counter!("Grants", "Door" => door).increment(1);
}

/// `Redirects` by `Evidence`: who vouches for the code of a redirect: `browser` (a launch whose cookie came back),
/// `launch` (a service's launch), `visitor`, `bare`, or `refused` where it did not suffice.
pub(crate) fn redirect(evidence: &'static str) {
    counter!("Redirects", "Evidence" => evidence).increment(1);
}

/// `Unvouched` by `Result`: a visit that nobody vouches for found the allowance used up: `over_budget`.
pub(crate) fn over_budget() {
    counter!("Unvouched", "Result" => "over_budget").increment(1);
}

/// `Unexchanged`: an authorization code died before WeChat exchanged it.
pub(crate) fn unexchanged() {
    counter!("Unexchanged").increment(1);
}

/// `UnreadablePushes`: a genuine push of a kind that must be stored lacked what there is to store.
pub(crate) fn unreadable_push() {
    counter!("UnreadablePushes").increment(1);
}

/// `QuotaUsed` by `Endpoint`: how much of the day's quota of an endpoint of WeChat is used, in percent.
pub(crate) fn quota_used(endpoint: &'static str, percent: f64) {
    histogram!("QuotaUsed", "Endpoint" => endpoint).record(percent);
}

/// `Outcomes` by `Outcome`: how an exchange ended that a visit or a push began.
pub(crate) fn outcome(outcome: &'static str) {
    counter!("Outcomes", "Outcome" => outcome).increment(1);
}

/// `WechatCalls` by `Answer`: `given`, `refused` or `none`. The questions of `doctor` are not among them; some of those
/// are meant to be refused.
pub(crate) fn wechat_call(answer: &'static str) {
    counter!("WechatCalls", "Answer" => answer).increment(1);
}

/// `Refusals` by `Errcode`: what WeChat refused a request with.
pub(crate) fn refusal(errcode: i64) {
    counter!("Refusals", "Errcode" => errcode.to_string()).increment(1);
}

/// `ExchangeLatency`: how long WeChat took to exchange a code, with all tries, in milliseconds. Of more than a
/// hundred in one invocation the rest is not measured.
pub(crate) fn exchange_took(time: Duration) {
    histogram!("ExchangeLatency").record(time.as_millis() as f64);
}

/// `PageLatency` by `Page`: how long a visitor waited for a page, in milliseconds.
pub(crate) fn page_took(page: &'static str, time: Duration) {
    histogram!("PageLatency", "Page" => page).record(time.as_millis() as f64);
}

/// `Refreshes` by `Result`: how refreshing one account's token ended.
pub(crate) fn refresh(result: &'static str) {
    counter!("Refreshes", "Result" => result).increment(1);
}

/// `DueBacklog`: how many tokens a run left due.
pub(crate) fn due_backlog(tokens: usize) {
    histogram!("DueBacklog").record(tokens as f64);
}

/// `OldestDue`: for how many seconds the first in line had been due when the run reached it, or ended without it.
pub(crate) fn oldest_due(age: Duration) {
    histogram!("OldestDue").record(age.as_secs() as f64);
}

/// `PendingClaims`: how many exchanges are not finished.
pub(crate) fn pending_claims(claims: usize) {
    histogram!("PendingClaims").record(claims as f64);
}

/// `OldestPending`: for how many seconds the oldest exchange is not finished.
pub(crate) fn oldest_pending(age: Duration) {
    histogram!("OldestPending").record(age.as_secs() as f64);
}

/// `TicketAge`: of the newest `component_verify_ticket`, in seconds.
pub(crate) fn ticket_age(age: Duration) {
    histogram!("TicketAge").record(age.as_secs() as f64);
}

/// `ComponentTokenAge`: in seconds.
pub(crate) fn component_token_age(age: Duration) {
    histogram!("ComponentTokenAge").record(age.as_secs() as f64);
}
