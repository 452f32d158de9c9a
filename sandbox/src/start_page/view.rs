//! What the start page shows.

use std::time::{SystemTime, UNIX_EPOCH};

use askama::Template;
use sandbox::Sandbox;
use sandbox::wire::Request;
use serde_json::Value;

use super::action::{self, Button, Group};
use crate::mask::Mask;

/// Where "Authorize an account" leads: the platform's own launch page.
const LAUNCH: &str = "/authorize?state=sandbox-demo";

/// How many requests the page lists.
const REQUESTS: usize = 12;

#[derive(Template)]
#[template(path = "start.html")]
pub(super) struct StartPage {
    launch: &'static str,
    authorizers: Vec<Authorizer>,
    ticket: String,
    component_token: String,
    claims: Vec<Claim>,
    requests: Vec<Line>,
    faults: Vec<String>,
    clock: String,
    fault_groups: &'static [Group],
    clock_buttons: &'static [Button],
}

struct Authorizer {
    name: String,
    appid: String,
    authorized: bool,
    rows: Vec<(&'static str, String)>,
}

struct Claim {
    digest: String,
    status: String,
    account: String,
}

struct Line {
    endpoint: String,
    outcome: String,
    good: bool,
}

impl StartPage {
    pub(super) async fn of(sandbox: &Sandbox) -> Self {
        let now = sandbox.clock.now();
        let mask = Mask::new(sandbox.wechat.secrets());
        let platform = sandbox.dynamodb.platform().await;
        let item = |kind: &str| platform.iter().find(|item| text(&item["pk"]).starts_with(kind));
        let ticket = item("ticket#").map(|item| format!("{} old", span(now - number(&item["create_time"]))));
        let component_token =
            item("component_token#").and_then(|item| item["access_token_expires_at"].as_i64());
        let claims = platform.iter().filter(|item| text(&item["pk"]).starts_with("code#"));
        let mut faults = [sandbox.wechat.planned_faults(), sandbox.dynamodb.planned_faults()].concat();
        if !sandbox.wechat.allows_address() {
            faults.push("every call: errcode 61004".to_owned());
        }
        Self {
            launch: LAUNCH,
            authorizers: sandbox
                .dynamodb
                .authorizers()
                .await
                .iter()
                .map(|record| Authorizer::of(record, sandbox, &mask, now))
                .collect(),
            ticket: ticket.unwrap_or("none yet".to_owned()),
            component_token: component_token.map_or("none yet".to_owned(), |at| left(at, now)),
            claims: claims.map(Claim::of).collect(),
            requests: sandbox.wechat.requests().iter().rev().take(REQUESTS).map(Line::of).collect(),
            faults,
            clock: ahead(now),
            fault_groups: action::FAULTS,
            clock_buttons: action::CLOCK,
        }
    }
}

impl Authorizer {
    fn of(record: &Value, sandbox: &Sandbox, mask: &Mask, now: i64) -> Self {
        let mut rows = Vec::new();
        if let Some(token) = record["authorizer_access_token"].as_str() {
            let works = if sandbox.wechat.accepts(token) { "WeChat accepts it" } else { "WeChat refuses it" };
            let expires = left(number(&record["access_token_expires_at"]), now);
            rows.push(("access token", format!("{} · {expires} · {works}", mask.apply(token))));
        }
        if let Some(token) = record["authorizer_refresh_token"].as_str() {
            rows.push(("refresh token", mask.apply(token)));
        }
        let sets = record["permission_set_ids"].as_array().into_iter().flatten();
        rows.push(("permission sets", sets.map(Value::to_string).collect::<Vec<_>>().join(", ")));
        if let Some(state) = record["state"].as_str() {
            rows.push(("state", mask.apply(state)));
        }
        rows.push(("authorized", format!("{} ago", span(now - number(&record["authorized_at"])))));
        rows.push(("version", record["version"].to_string()));
        let appid = text(&record["authorizer_appid"]).to_owned();
        let name = record["profile"]["nick_name"].as_str().unwrap_or(&appid).to_owned();
        Self { name, appid, authorized: record["status"] == "authorized", rows }
    }
}

impl Claim {
    fn of(item: &Value) -> Self {
        let digest = text(&item["pk"]).rsplit('#').next().unwrap_or_default();
        Self {
            digest: digest.chars().take(8).collect(),
            status: text(&item["status"]).to_owned(),
            account: text(&item["authorizer_appid"]).to_owned(),
        }
    }
}

impl Line {
    fn of(request: &Request) -> Self {
        let answer = request.answer.as_ref();
        let errcode = answer.and_then(|answer| answer["errcode"].as_i64()).filter(|errcode| *errcode != 0);
        let outcome = match (request.status, errcode) {
            (None, _) => "no answer".to_owned(),
            (_, Some(errcode)) => format!("errcode {errcode}"),
            (Some(200), None) => "ok".to_owned(),
            (Some(status), None) => format!("status {status}"),
        };
        Self { endpoint: request.endpoint.clone(), good: outcome == "ok", outcome }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

fn left(expires_at: i64, now: i64) -> String {
    if expires_at > now {
        format!("{} left", span(expires_at - now))
    } else {
        format!("expired {} ago", span(now - expires_at))
    }
}

/// How far the sandbox's time is ahead of the real one.
fn ahead(now: i64) -> String {
    let real = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() as i64;
    // The two clocks may be read on both sides of a second.
    if now - real < 2 {
        "the real time".to_owned()
    } else {
        format!("{} ahead of the real time", span(now - real))
    }
}

fn span(seconds: i64) -> String {
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    match (hours, minutes) {
        (0, 0) => format!("{} s", seconds.max(0)),
        (0, _) => format!("{minutes} min"),
        (_, 0) => format!("{hours} h"),
        _ => format!("{hours} h {minutes} min"),
    }
}
