//! What happened, whoever recorded it.

use std::time::{Duration, Instant};

use sandbox::Sandbox;
use sandbox::wechat::{ConsentVisit, Delivery};
use sandbox::wire::Request;
use serde_json::Value;

use crate::platform::{Invocation, Platform, Visit};

/// One line of the timeline.
pub(super) struct Step {
    pub(super) at: Instant,
    /// `browser`, `service`, `push`, `wechat`, `table` or `record`.
    pub(super) lane: &'static str,
    pub(super) what: String,
    pub(super) outcome: String,
    pub(super) good: bool,
    /// What was sent and answered, each with its name.
    pub(super) bodies: Vec<(&'static str, String)>,
    /// What is looked at beside the bodies, and not shown.
    pub(super) unseen: String,
    /// What the record has now, attribute by attribute.
    pub(super) changes: Vec<(String, String)>,
}

impl Step {
    pub(super) fn new(at: Instant, lane: &'static str, what: impl Into<String>) -> Self {
        Self {
            at,
            lane,
            what: what.into(),
            outcome: String::new(),
            good: true,
            bodies: Vec::new(),
            unseen: String::new(),
            changes: Vec::new(),
        }
    }

    pub(super) fn mentions(&self, text: &str) -> bool {
        [&self.what, &self.unseen]
            .into_iter()
            .chain(self.bodies.iter().map(|(_, body)| body))
            .any(|all| all.contains(text))
    }
}

/// All that was recorded so far, in no order.
pub(super) fn all(sandbox: &Sandbox, platform: Option<&Platform>, consents: &[ConsentVisit]) -> Vec<Step> {
    let mut steps: Vec<Step> = consents.iter().map(consent).collect();
    steps.extend(sandbox.wechat.requests().iter().map(call));
    steps.extend(sandbox.dynamodb.requests().iter().map(table));
    steps.extend(sandbox.wechat.deliveries().iter().flat_map(push));
    if let Some(platform) = platform {
        // A push is told by WeChat.
        let visits = platform.visits().into_iter().filter(|visit| visit.method != "POST");
        steps.extend(visits.flat_map(|visit| browser(&visit)));
        steps.extend(platform.invocations().iter().map(service));
    }
    steps
}

fn consent(visit: &ConsentVisit) -> Step {
    let code = ("pre_auth_code", visit.pre_auth_code.clone());
    match &visit.agreement {
        None => Step {
            bodies: vec![code],
            ..Step::new(visit.at, "browser", format!("opens WeChat's consent page {}", visit.path))
        },
        Some(agreement) => Step {
            outcome: "302".to_owned(),
            bodies: vec![code, ("redirect", decoded(&agreement.location))],
            ..Step::new(visit.at, "browser", format!("{} agrees at WeChat", agreement.authorizer_appid))
        },
    }
}

fn browser(visit: &Visit) -> [Step; 2] {
    let Visit { at, took, method, path_and_query, status, location, body } = visit;
    let path = path_and_query.split('?').next().unwrap_or_default();
    let unseen = format!("{body}{}", decoded(location));
    let opens = Step {
        unseen: unseen.clone(),
        ..Step::new(*at, "browser", format!("{method} {}", decoded(path_and_query)))
    };
    let leads =
        if location.is_empty() { String::new() } else { format!(" and leads to {}", decoded(location)) };
    let reads = Step {
        outcome: said(*status, *took),
        good: *status < 400,
        unseen: decoded(path_and_query) + &unseen,
        ..Step::new(*at + *took, "browser", format!("{path} answers{leads}"))
    };
    [opens, reads]
}

fn push(delivery: &Delivery) -> [Step; 2] {
    let Delivery { push, info_type, at, duration, status, body, .. } = delivery;
    let xml = push.xml();
    let sent = Step {
        bodies: vec![("message, decrypted", xml.clone())],
        ..Step::new(*at, "push", format!("WeChat pushes {info_type}"))
    };
    let answered = Step {
        outcome: format!("{} ms", duration.as_millis()),
        good: delivery.succeeded(),
        unseen: xml,
        ..Step::new(
            *at + *duration,
            "push",
            match status {
                Some(status) => format!("{info_type} is answered {status} {body}"),
                None => format!("{info_type} is not answered"),
            },
        )
    };
    [sent, answered]
}

fn service(invocation: &Invocation) -> Step {
    let Invocation { at, took, function, event, answer } = invocation;
    let shown = match answer {
        Ok(answer) => format!("{answer:#}"),
        Err(error) => error.to_string(),
    };
    Step {
        outcome: format!("{} ms", took.as_millis()),
        good: answer.is_ok(),
        bodies: vec![("event", format!("{event:#}")), ("answer", shown)],
        ..Step::new(*at, "service", format!("invokes {function}"))
    }
}

fn call(request: &Request) -> Step {
    let errcode =
        request.answer.as_ref().and_then(|answer| answer["errcode"].as_i64()).filter(|code| *code != 0);
    let outcome = errcode.map(|errcode| format!("errcode {errcode}"));
    wire(request, "wechat", request.endpoint.clone(), outcome)
}

fn table(request: &Request) -> Step {
    let refused = request.answer.as_ref().and_then(|answer| answer["__type"].as_str());
    let refused = refused.and_then(|kind| kind.rsplit('#').next()).map(str::to_owned);
    wire(request, "table", format!("{} {}", request.endpoint, items(&request.body)), refused)
}

fn wire(request: &Request, lane: &'static str, what: String, refused: Option<String>) -> Step {
    let took = request.took.map_or(String::new(), |took| format!("{} ms", took.as_millis()));
    let mut bodies = vec![("request", shown(&request.body))];
    bodies.extend(request.answer.as_ref().map(|answer| ("answer", shown(answer))));
    let outcome = match (request.status, &refused) {
        (None, _) => "no answer".to_owned(),
        (Some(_), Some(refused)) => format!("{refused} · {took}"),
        (Some(200), None) => took,
        (Some(status), None) => format!("{status} · {took}"),
    };
    Step {
        good: refused.is_none() && request.status == Some(200),
        outcome,
        bodies,
        ..Step::new(request.at, lane, what)
    }
}

fn shown(body: &Value) -> String {
    body.as_str().map_or_else(|| format!("{body:#}"), str::to_owned)
}

fn said(status: u16, took: Duration) -> String {
    format!("{status} · {} ms", took.as_millis())
}

/// An address as a person reads it.
fn decoded(address: &str) -> String {
    let Some((path, query)) = address.split_once('?') else { return address.to_owned() };
    let pairs = form_urlencoded::parse(query.as_bytes()).map(|(name, value)| format!("{name}={value}"));
    format!("{path}?{}", pairs.collect::<Vec<_>>().join("&"))
}

/// The items that a request of DynamoDB names: `authorizers wx…, platform code#…`.
fn items(body: &Value) -> String {
    let parts = body["TransactItems"].as_array().into_iter().flatten();
    let parts = parts.filter_map(|part| part.as_object()?.values().next());
    let items = parts.chain([body]).filter_map(|part| {
        let table = part["TableName"].as_str()?;
        let key = ["Key", "Item"].into_iter().find_map(|name| part[name].as_object())?;
        let key =
            ["authorizer_appid", "pk", "digest"].into_iter().find_map(|name| key.get(name)?["S"].as_str());
        Some(format!("{table} {}", key.map(short).unwrap_or_default()))
    });
    items.collect::<Vec<_>>().join(", ")
}

/// `code#wx7c0de5a4db0c0001#ed4d18…` → `code#…ed4d1864`.
fn short(key: &str) -> String {
    match key.split('#').collect::<Vec<_>>()[..] {
        [kind, _, digest] => format!("{kind}#…{}", digest.chars().take(8).collect::<String>()),
        _ => key.to_owned(),
    }
}
