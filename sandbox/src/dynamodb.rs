//! DynamoDB: an embedded one or any other, behind a proxy that records requests and plays faults.

mod item;
mod proxy;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use dynoxide::Database;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::log::Log;
use crate::net::{self, Server};
use crate::template;
use crate::wire::{Endpoint, Request, Wire};

/// Names another DynamoDB (`http://127.0.0.1:8000`) to use in place of the embedded one.
const ENDPOINT_VARIABLE: &str = "TEST_DYNAMODB_ENDPOINT";

/// The tables, what was asked of them, and what is in them.
///
/// The functions talk to [`DynamoDb::endpoint`]; the helpers here go past the record and the faults.
#[derive(Clone)]
pub struct DynamoDb {
    /// Where the functions find DynamoDB.
    pub endpoint: String,
    /// Name of the table of authorizer records.
    pub authorizers_table: String,
    /// Name of the table of the service's private state.
    pub platform_table: String,
    /// Name of the table of pushes that are to be published.
    pub pushes_table: String,
    wire: Wire,
    upstream: proxy::Upstream,
    _servers: Arc<Vec<Server>>,
}

/// An item in DynamoDB's own JSON as plain JSON. Number sets are sorted arrays.
pub fn plain(item: &Value) -> Value {
    item::to_plain(&json!({"M": item}))
}

impl DynamoDb {
    /// Starts it behind `listener` and creates the tables.
    pub(crate) async fn start(listener: TcpListener, order: Arc<AtomicU64>, log: Log) -> Self {
        let mut servers = Vec::new();
        let external = std::env::var(ENDPOINT_VARIABLE).ok();
        // A shared DynamoDB keeps the tables of many sandboxes apart by their names.
        let suffix = external.as_ref().map(|_| format!("-{}", crate::opaque::hex(12))).unwrap_or_default();
        let upstream = match external {
            Some(endpoint) => endpoint,
            None => {
                let listener = net::bind(Ipv4Addr::LOCALHOST.into(), 0).await;
                let endpoint = net::origin(&listener);
                let database = Database::memory().expect("an in-memory database opens");
                servers.push(Server::spawn(dynoxide::server::serve_on(listener, database)));
                endpoint
            }
        };
        let upstream = proxy::Upstream::new(&upstream);
        let wire = Wire::new("dynamodb", order, log);
        let endpoint = net::origin(&listener);
        servers.push(net::serve(listener, proxy::router(wire.clone(), upstream.clone())));
        let dynamodb = Self {
            endpoint,
            authorizers_table: format!("authorizers{suffix}"),
            platform_table: format!("platform{suffix}"),
            pushes_table: format!("pushes{suffix}"),
            wire,
            upstream,
            _servers: Arc::new(servers),
        };
        dynamodb.create_tables().await;
        dynamodb
    }

    async fn create_tables(&self) {
        let tables = [
            ("AuthorizersTable", &self.authorizers_table),
            ("PlatformTable", &self.platform_table),
            ("PushesTable", &self.pushes_table),
        ];
        for (resource, name) in tables {
            let mut table = template::create_table(resource, name);
            // DynamoDB refuses an empty property where it takes none.
            table.as_object_mut().expect("a request is an object").retain(|_, value| !value.is_null());
            self.call("CreateTable", table).await;
            if let Some(request) = template::update_time_to_live(resource, name) {
                self.call("UpdateTimeToLive", request).await;
            }
            // The embedded one knows no backups.
            if std::env::var(ENDPOINT_VARIABLE).is_ok()
                && let Some(request) = template::update_continuous_backups(resource, name)
            {
                self.call("UpdateContinuousBackups", request).await;
            }
        }
    }

    /// One operation, as `GetItem`: to plan faults, to wait for requests, to count them.
    pub fn on(&self, operation: &str) -> Endpoint {
        self.wire.endpoint(operation)
    }

    /// Everything the functions asked, in order.
    pub fn requests(&self) -> Vec<Request> {
        self.wire.requests()
    }

    /// The faults that are planned and not yet played, in words.
    pub fn planned_faults(&self) -> Vec<String> {
        self.wire.planned_faults()
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.wire.clear_faults();
    }

    /// One request with DynamoDB's own JSON. Panics where DynamoDB refuses it.
    pub async fn call(&self, operation: &str, request: Value) -> Value {
        match self.ask(operation, &request).await {
            Ok(answer) => answer,
            Err(refusal) => panic!("DynamoDB refused {operation}: {refusal}"),
        }
    }

    /// The same, with DynamoDB's refusal as the error.
    pub async fn ask(&self, operation: &str, request: &Value) -> Result<Value, Value> {
        self.upstream.ask(operation, request).await
    }

    /// An AWS client past the record and the faults.
    pub fn client(&self) -> aws_sdk_dynamodb::Client {
        let config = self.upstream.sdk_config();
        aws_sdk_dynamodb::Client::new(&config)
    }

    /// All authorizer records as plain JSON, by key. Number sets are sorted arrays.
    pub async fn authorizers(&self) -> Vec<Value> {
        self.items(&self.authorizers_table, |item| {
            format!("{} {}", item["authorizer_appid"], item["component_appid"])
        })
        .await
    }

    /// The record of one authorizer as plain JSON.
    pub async fn authorizer(&self, authorizer_appid: &str) -> Option<Value> {
        self.authorizers().await.into_iter().find(|record| record["authorizer_appid"] == authorizer_appid)
    }

    /// All items of the Platform table as plain JSON, by key.
    pub async fn platform(&self) -> Vec<Value> {
        self.items(&self.platform_table, |item| item["pk"].to_string()).await
    }

    /// The items of the Platform table whose key starts with `prefix`, as `code#`.
    pub async fn platform_items(&self, prefix: &str) -> Vec<Value> {
        let mut items = self.platform().await;
        items.retain(|item| item["pk"].as_str().is_some_and(|pk| pk.starts_with(prefix)));
        items
    }

    /// All items of the outbox as plain JSON, by key.
    pub async fn pushes(&self) -> Vec<Value> {
        self.items(&self.pushes_table, |item| item["digest"].to_string()).await
    }

    /// All records of a table's stream so far, in order, as a pipe reads them.
    pub async fn stream(&self, table: &str) -> Vec<Value> {
        let table = self.call("DescribeTable", json!({"TableName": table})).await;
        let stream = json!({"StreamArn": table["Table"]["LatestStreamArn"]});
        let shards = self.call("DescribeStream", stream.clone()).await["StreamDescription"]["Shards"].take();
        let mut records = Vec::new();
        for shard in shards.as_array().expect("a stream has shards") {
            let mut request = stream.clone();
            request["ShardId"] = shard["ShardId"].clone();
            request["ShardIteratorType"] = json!("TRIM_HORIZON");
            let mut iterator = self.call("GetShardIterator", request).await["ShardIterator"].take();
            // A shard that is still written to has no last page, but an empty one.
            while !iterator.is_null() {
                let mut page = self.call("GetRecords", json!({"ShardIterator": iterator})).await;
                iterator = page["NextShardIterator"].take();
                match page["Records"].take() {
                    Value::Array(page) if !page.is_empty() => records.extend(page),
                    _ => break,
                }
            }
        }
        records
    }

    /// Writes an item given as plain JSON: strings, numbers, booleans, lists and maps.
    pub async fn put(&self, table: &str, item: Value) {
        let attributes = item::from_plain(&item)["M"].take();
        self.call("PutItem", json!({"TableName": table, "Item": attributes})).await;
    }

    /// Deletes the item with this key, given as plain JSON.
    pub async fn delete(&self, table: &str, key: Value) {
        let attributes = item::from_plain(&key)["M"].take();
        self.call("DeleteItem", json!({"TableName": table, "Key": attributes})).await;
    }

    async fn items(&self, table: &str, key: impl Fn(&Value) -> String) -> Vec<Value> {
        let mut items = BTreeMap::new();
        let mut request = json!({"TableName": table, "ConsistentRead": true});
        loop {
            let mut page = self.call("Scan", request.clone()).await;
            for item in page["Items"].as_array().expect("a scan has items") {
                let item = plain(item);
                items.insert(key(&item), item);
            }
            match page["LastEvaluatedKey"].take() {
                Value::Null => return items.into_values().collect(),
                last => request["ExclusiveStartKey"] = last,
            }
        }
    }
}
