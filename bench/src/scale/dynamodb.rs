//! The sandbox's DynamoDB with a count of what it is asked, and nothing kept.
//!
//! The capacity units are the embedded DynamoDB's own, which it reckons as DynamoDB does: by the size of the item,
//! and by the change of what the index stores.

use std::error::Error;
use std::ops::AddAssign;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use sandbox::Sandbox;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

/// A server; it ends with this value.
pub(crate) struct DynamoDb {
    /// The value of `AWS_ENDPOINT_URL_DYNAMODB`.
    pub(crate) endpoint: String,
    tally: Arc<Mutex<Tally>>,
    server: AbortHandle,
}

/// What was asked.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) requests: f64,
    /// Of the Authorizers table, single items.
    pub(crate) record_writes: f64,
    pub(crate) record_reads: f64,
    /// Capacity units for writing, of both tables and of their indexes.
    pub(crate) table_units: f64,
    pub(crate) index_units: f64,
    /// Capacity units for reading, of all.
    pub(crate) read_units: f64,
    refused: f64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.record_writes += other.record_writes;
        self.record_reads += other.record_reads;
        self.table_units += other.table_units;
        self.index_units += other.index_units;
        self.read_units += other.read_units;
        self.refused += other.refused;
    }
}

impl DynamoDb {
    /// Serves the tables of `sandbox`.
    pub(crate) async fn start(sandbox: &Sandbox) -> Result<Self, Box<dyn Error>> {
        let tally = Arc::<Mutex<Tally>>::default();
        let router = Router::new()
            .fallback(answer)
            .with_state(Proxy { sandbox: sandbox.clone(), tally: tally.clone() });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let endpoint = sandbox::origin(&listener);
        let server = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Ok(Self { endpoint, tally, server })
    }

    /// Whether a request since the last [`DynamoDb::take`] was refused. None should be.
    pub(crate) fn refused(&self) -> bool {
        self.tally.lock().is_ok_and(|tally| tally.refused > 0.0)
    }

    /// What was asked since the last time.
    pub(crate) fn take(&self) -> Tally {
        self.tally.lock().map(|mut tally| std::mem::take(&mut *tally)).unwrap_or_default()
    }
}

impl Drop for DynamoDb {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[derive(Clone)]
struct Proxy {
    sandbox: Sandbox,
    tally: Arc<Mutex<Tally>>,
}

async fn answer(State(proxy): State<Proxy>, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
    let mut request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let on_records = request["TableName"] == *proxy.sandbox.dynamodb.authorizers_table;
    let on_index = request["IndexName"].is_string();
    request["ReturnConsumedCapacity"] = "INDEXES".into();
    let answer = proxy.sandbox.dynamodb.ask(&operation, &request).await;

    let mut tally = Tally { requests: 1.0, ..Tally::default() };
    let is_write = operation == "UpdateItem";
    tally.record_writes = one_if(is_write && on_records);
    tally.record_reads = one_if(!is_write && on_records && !on_index);
    let (status, body) = match answer {
        Ok(mut answer) => {
            let capacity = answer.as_object_mut().and_then(|answer| answer.remove("ConsumedCapacity"));
            let capacity = capacity.unwrap_or_default();
            let units = capacity["CapacityUnits"].as_f64().unwrap_or_default();
            let of_table = capacity["Table"]["CapacityUnits"].as_f64().unwrap_or_default();
            match is_write {
                true => (tally.table_units, tally.index_units) = (of_table, units - of_table),
                false => tally.read_units = units,
            }
            (StatusCode::OK, answer.to_string())
        }
        Err(refusal) => {
            let is_condition =
                refusal["__type"].as_str().is_some_and(|name| name.contains("ConditionalCheck"));
            tally.refused = one_if(!is_condition);
            (StatusCode::BAD_REQUEST, refusal.to_string())
        }
    };
    if let Ok(mut total) = proxy.tally.lock() {
        *total += tally;
    }
    (status, [("Content-Type", "application/x-amz-json-1.0")], body)
}

fn one_if(condition: bool) -> f64 {
    f64::from(u8::from(condition))
}
