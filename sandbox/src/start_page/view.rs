//! What the start page shows.

use askama::Template;
use sandbox::Sandbox;
use sandbox::wechat::{Delivery, Item, Kind};
use sandbox::wire::Request;
use serde_json::Value;

use super::State;
use super::authorizer::Authorizer;
use super::button::{self, Button, Group};
use super::words::{ahead, left, number, span, text};
use crate::mask::Mask;
use crate::platform::Platform;
use crate::schedule::Run;
use crate::{live, timeline};

/// Where "Authorize an account" leads: the platform's own launch page.
const LAUNCH: &str = "/authorize";

/// What it hands over.
const LAUNCH_QUERY: &str = "?state=sandbox-demo";

/// How many requests and how many pushes the page lists.
const REQUESTS: usize = 12;
const PUSHES: usize = 6;

/// How many events and how many authorizations.
const EVENTS: usize = 8;
const AUTHORIZATIONS: usize = 6;

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
    /// The consents, newest first, each with its number.
    authorizations: Vec<(usize, Line)>,
    events: Vec<Event>,
    settings: Settings,
    /// Why the last settings were refused.
    refused: Option<String>,
    kinds: Vec<&'static str>,
    /// The names of all accounts that can authorize.
    accounts: String,
    held: Option<usize>,
    script: &'static str,
    /// How many accounts authorize the platform at WeChat and have no record.
    lost: usize,
    /// The last ones, newest first, each with its number.
    pushes: Vec<(usize, Line)>,
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

/// What the pipes put on the bus.
struct Event {
    detail_type: String,
    account: String,
    detail: String,
}

/// What the variables of the platform say.
#[derive(Default)]
struct Settings {
    platform_name: String,
    return_url: String,
    on_demand: bool,
    require_launch: bool,
}

impl StartPage {
    pub(super) async fn of(state: &State) -> Self {
        let State { sandbox, schedule, platform, refused, elsewhere } = state;
        let elsewhere = elsewhere.as_deref();
        let now = sandbox.clock.now().as_secs();
        let mask = Mask::new(sandbox.wechat.secrets());
        let items = sandbox.dynamodb.platform().await;
        let item = |kind: &str| items.iter().find(|item| text(&item["pk"]).starts_with(kind));
        let ticket = item("ticket#").map(|item| format!("{} old", span(now - number(&item["create_time"]))));
        let component_token =
            item("component_token#").and_then(|item| item["access_token_expires_at"].as_i64());
        let claims = items.iter().filter(|item| text(&item["pk"]).starts_with("code#"));
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
            pushes: newest(&sandbox.wechat.deliveries(), PUSHES, Line::of_push),
            authorizations: newest(&timeline::agreements(sandbox), AUTHORIZATIONS, |agreement| Line {
                name: agreement.nick_name.clone(),
                outcome: agreement.authorizer_appid.clone(),
                good: true,
            }),
            events: events(sandbox, &mask).await,
            settings: platform.as_ref().map(Settings::of).unwrap_or_default(),
            refused: refused.lock().expect("not poisoned").clone(),
            kinds: Kind::ALL.map(Kind::name).to_vec(),
            accounts: names(sandbox),
            held: sandbox.wechat.held_pushes(),
            script: live::SCRIPT,
            when: switches(button::WHEN, &when),
            code: switches(button::CODE, &code),
            runs: schedule.runs(),
            check: schedule.check(),
            ticket: ticket.unwrap_or("none yet".to_owned()),
            component_token: component_token.map_or("none yet".to_owned(), |at| left(at, now)),
            claims: claims.map(Claim::of).collect(),
            requests: sandbox.wechat.requests().iter().rev().take(REQUESTS).map(Line::of_request).collect(),
            faults,
            clock: ahead(now),
            fault_groups: if elsewhere.is_none() { button::FAULTS } else { button::WECHAT_FAULTS },
            clock_buttons: button::CLOCK,
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

impl Settings {
    fn of(platform: &Platform) -> Self {
        let mut variables = platform.variables();
        let mut value = |name: &str| variables.remove(name).unwrap_or_default();
        Self {
            platform_name: value("PLATFORM_NAME"),
            return_url: value("RETURN_URL"),
            on_demand: value("REFRESH_MODE") == "on-demand",
            require_launch: value("REQUIRE_LAUNCH") == "true",
        }
    }
}

/// The last ones, newest first, each with its number.
fn newest<Thing>(all: &[Thing], most: usize, line: impl Fn(&Thing) -> Line) -> Vec<(usize, Line)> {
    all.iter().enumerate().rev().take(most).map(|(number, thing)| (number, line(thing))).collect()
}

async fn events(sandbox: &Sandbox, mask: &Mask) -> Vec<Event> {
    let events = sandbox.events_on_bus().await;
    let event = |event: &Value| Event {
        detail_type: text(&event["detail-type"]).to_owned(),
        account: text(&event["detail"]["authorizer_appid"]).to_owned(),
        detail: mask.apply(&format!("{:#}", event["detail"])),
    };
    events.iter().rev().take(EVENTS).map(event).collect()
}

fn names(sandbox: &Sandbox) -> String {
    let accounts = sandbox.wechat.accounts().into_iter().map(|account| account.nick_name);
    accounts.collect::<Vec<_>>().join("、")
}

fn switches<Setting: PartialEq>(all: &'static [(Button, Setting)], chosen: &Setting) -> Vec<Switch> {
    all.iter().map(|(button, setting)| Switch { button, on: setting == chosen }).collect()
}
