//! What WeChat remembers of the calls themselves: how many there were, and what was refused.

use std::collections::HashMap;

use axum::http::Uri;
use serde_json::{Value, json};

use super::super::refusal::{CLIENT_ADDRESS, Refusal};

/// Quotas start again at midnight in Beijing, this many seconds before midnight UTC.
const BEIJING: i64 = 8 * 3600;

#[derive(Default)]
pub(in super::super) struct Calls {
    /// By day and endpoint.
    counts: HashMap<(i64, String), u64>,
    /// By rid.
    refused: HashMap<String, Value>,
}

impl Calls {
    pub(in super::super) fn count(&mut self, endpoint: &str, now: i64) {
        *self.counts.entry((day(now), endpoint.to_owned())).or_default() += 1;
    }

    /// How many calls of an endpoint there were on the day of `now`.
    pub(in super::super) fn used(&self, endpoint: &str, now: i64) -> u64 {
        self.counts.get(&(day(now), endpoint.to_owned())).copied().unwrap_or_default()
    }

    pub(in super::super) fn remember(&mut self, refusal: &Refusal, uri: &Uri, body: &[u8], now: i64) {
        let request = json!({
            "invoke_time": now,
            "cost_in_ms": 30,
            "request_url": uri.query().unwrap_or_default(),
            "request_body": String::from_utf8_lossy(body),
            "response_body": json!({"errcode": refusal.errcode, "errmsg": refusal.errmsg}).to_string(),
            "client_ip": CLIENT_ADDRESS,
        });
        self.refused.insert(refusal.rid().to_owned(), request);
    }

    /// The request that was refused under this `rid`.
    pub(in super::super) fn refused(&self, rid: &str) -> Option<&Value> {
        self.refused.get(rid)
    }
}

fn day(now: i64) -> i64 {
    (now + BEIJING).div_euclid(86_400)
}
