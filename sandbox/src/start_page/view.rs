//! What the start page shows.

use askama::Template;
use sandbox::Sandbox;
use sandbox::wechat::{Delivery, Item};
use sandbox::wire::Request;
use serde_json::Value;

use super::action::{self, Button, Group};
use super::authorizer::Authorizer;
use super::words::{ahead, left, number, span, text};
use crate::mask::Mask;
use crate::schedule::{Run, Schedule};

/// Where "Authorize an account" leads: the platform's own launch page.
const LAUNCH: &str = "/authorize";

/// What it hands over.
const LAUNCH_QUERY: &str = "?state=sandbox-demo";

/// How many requests and how many pushes the page lists.
const REQUESTS: usize = 12;
const PUSHES: usize = 6;

#[derive(Template)]
#[template(path = "start.html")]
pub(super) struct StartPage {
    launch: String,
    /// Whether the functions and their tables are somewhere else.
    elsewhere: bool,
    authorizers: Vec<Authorizer>,
    ticket: String,
    component_token: String,
    claims: Vec<Claim>,
    requests: Vec<Line>,
    /// How many accounts authorize the platform at WeChat and have no record.
    lost: usize,
    pushes: Vec<Line>,
    when: Vec<Switch>,
    code: Vec<Switch>,
    runs: Vec<Run>,
    check: Vec<Item>,
    faults: Vec<String>,
    clock: String,
    fault_groups: &'static [Group],
    clock_buttons: &'static [Button],
}

struct Claim {
    digest: String,
    status: String,
    account: String,
}

struct Line {
    name: String,
    outcome: String,
    good: bool,
}

struct Switch {
    button: &'static Button,
    on: bool,
}

impl StartPage {
    pub(super) async fn of(sandbox: &Sandbox, schedule: &Schedule, elsewhere: Option<&str>) -> Self {
        let now = sandbox.clock.now().as_secs();
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
        let records = sandbox.dynamodb.authorizers().await;
        let is_lost = |appid: &str| {
            elsewhere.is_none()
                && sandbox.wechat.refresh_token(appid).is_some()
                && !records.iter().any(|record| record["authorizer_appid"] == appid)
        };
        let (when, code) = sandbox.wechat.beside_redirect();
        let authorizers = match elsewhere {
            None => records.iter().map(|record| Authorizer::of(record, sandbox, &mask, now)).collect(),
            Some(_) => Authorizer::all_at_wechat(sandbox),
        };
        Self {
            launch: format!("{}{LAUNCH_QUERY}", elsewhere.unwrap_or(LAUNCH)),
            elsewhere: elsewhere.is_some(),
            lost: sandbox.wechat.accounts().iter().filter(|account| is_lost(&account.appid)).count(),
            authorizers,
            pushes: sandbox.wechat.deliveries().iter().rev().take(PUSHES).map(Line::of_push).collect(),
            when: switches(action::WHEN, &when),
            code: switches(action::CODE, &code),
            runs: schedule.runs(),
            check: schedule.check(),
            ticket: ticket.unwrap_or("none yet".to_owned()),
            component_token: component_token.map_or("none yet".to_owned(), |at| left(at, now)),
            claims: claims.map(Claim::of).collect(),
            requests: sandbox.wechat.requests().iter().rev().take(REQUESTS).map(Line::of_request).collect(),
            faults,
            clock: ahead(now),
            fault_groups: if elsewhere.is_none() { action::FAULTS } else { action::WECHAT_FAULTS },
            clock_buttons: action::CLOCK,
        }
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
    fn of_request(request: &Request) -> Self {
        let answer = request.answer.as_ref();
        let errcode = answer.and_then(|answer| answer["errcode"].as_i64()).filter(|errcode| *errcode != 0);
        let outcome = match (request.status, errcode) {
            (None, _) => "no answer".to_owned(),
            (_, Some(errcode)) => format!("errcode {errcode}"),
            (Some(200), None) => "ok".to_owned(),
            (Some(status), None) => format!("status {status}"),
        };
        Self { name: request.endpoint.clone(), good: outcome == "ok", outcome }
    }

    fn of_push(delivery: &Delivery) -> Self {
        let status = delivery.status.map_or("no answer".to_owned(), |status| status.to_string());
        Self {
            name: delivery.info_type.clone(),
            outcome: format!("{status} {} · {} ms", delivery.body, delivery.duration.as_millis()),
            good: delivery.succeeded(),
        }
    }
}

fn switches<Setting: PartialEq>(all: &'static [(Button, Setting)], chosen: &Setting) -> Vec<Switch> {
    all.iter().map(|(button, setting)| Switch { button, on: setting == chosen }).collect()
}
