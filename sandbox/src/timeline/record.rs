//! The record as it changed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use sandbox::wire::Request;
use sandbox::{Sandbox, dynamodb};
use serde_json::{Map, Value};

use super::step::Step;

/// A step for each change of an account's record. The stream has what was written, the requests have when: one record of the
/// stream for each write that DynamoDB carried out.
pub(super) async fn changes(sandbox: &Sandbox, authorizer_appid: &str) -> Vec<Step> {
    let stream = sandbox.dynamodb.stream(&sandbox.dynamodb.authorizers_table).await;
    let is_record = |change: &&Value| change["dynamodb"]["Keys"]["authorizer_appid"]["S"] == authorizer_appid;
    // A record is deleted by a button of the sandbox only, which makes no request.
    let images = stream.iter().filter(is_record).map(|change| {
        let image = &change["dynamodb"]["NewImage"];
        image.is_object().then(|| dynamodb::plain(image))
    });
    let mut times = written_at(sandbox, authorizer_appid).into_iter();
    let mut before = Map::new();
    let mut steps = Vec::new();
    for image in images {
        let Some(Value::Object(image)) = image else {
            before = Map::new();
            continue;
        };
        if let Some(at) = times.next() {
            let version = image.get("version").map(Value::to_string).unwrap_or_default();
            steps.push(Step {
                unseen: authorizer_appid.to_owned(),
                changes: differences(&before, &image),
                ..Step::new(at, "record", format!("version {version} of the record"))
            });
        }
        before = image;
    }
    steps
}

/// When each write of the record was carried out. A repeated transaction is carried out once.
fn written_at(sandbox: &Sandbox, authorizer_appid: &str) -> Vec<Instant> {
    let mut tokens = BTreeSet::new();
    let mut requests = sandbox.dynamodb.requests();
    requests.retain(|request| {
        request.status == Some(200)
            && writes(request).iter().any(|part| record_key(part) == Some(authorizer_appid))
            && request.body["ClientRequestToken"].as_str().is_none_or(|token| tokens.insert(token.to_owned()))
    });
    requests.sort_by_key(|request| request.ended);
    requests.iter().map(|request| request.at + request.took.unwrap_or_default()).collect()
}

/// The attributes that are new, are different, or are gone.
fn differences(before: &Map<String, Value>, now: &Map<String, Value>) -> Vec<(String, String)> {
    let names: BTreeMap<_, _> = before.keys().chain(now.keys()).map(|name| (name, now.get(name))).collect();
    let changed = names.into_iter().filter(|(name, value)| before.get(*name) != *value);
    changed
        .map(|(name, value)| {
            let value = value.map_or("removed".to_owned(), |value| {
                value.as_str().map_or_else(|| value.to_string(), str::to_owned)
            });
            (name.clone(), value)
        })
        .collect()
}

/// The account whose record a write is of.
fn record_key(part: &Value) -> Option<&str> {
    ["Key", "Item"].into_iter().find_map(|name| part[name]["authorizer_appid"]["S"].as_str())
}

/// Every write in a request.
fn writes(request: &Request) -> Vec<Value> {
    match request.endpoint.as_str() {
        "PutItem" | "UpdateItem" | "DeleteItem" => vec![request.body.clone()],
        "TransactWriteItems" => {
            let parts = request.body["TransactItems"].as_array().into_iter().flatten();
            let parts = parts.filter_map(|part| part.as_object());
            parts
                .flatten()
                .filter(|(kind, _)| *kind != "ConditionCheck")
                .map(|(_, part)| part.clone())
                .collect()
        }
        _ => Vec::new(),
    }
}
