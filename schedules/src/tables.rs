//! DynamoDB in this very process: a database in memory, and the AWS SDK's way to it over the wire.

use std::collections::HashMap;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::{Response, StatusCode};
use aws_smithy_types::body::SdkBody;
use dynoxide::Database;
use dynoxide::errors::DynoxideError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::fault::Side;
use crate::wire::{Arrival, Reply, Request, Wire};

/// A database of one world.
#[derive(Clone)]
pub struct Tables(Database);

impl Tables {
    /// A database with these tables, by their names and the resources of the template that describe them.
    pub fn new(tables: &[(&str, &str)]) -> Self {
        let database = Database::memory().expect("a database in memory opens");
        let tables_ = Self(database);
        for (resource, name) in tables {
            let mut table = sandbox::template::create_table(resource, name);
            table.as_object_mut().expect("a request is an object").retain(|_, value| !value.is_null());
            tables_.ask("CreateTable", &table);
        }
        tables_
    }

    /// All items of a table as plain JSON.
    pub fn items(&self, table: &str) -> Vec<Value> {
        let page = self.ask("Scan", &json!({"TableName": table, "ConsistentRead": true}));
        page["Items"].as_array().into_iter().flatten().map(|item| plain(&json!({"M": item}))).collect()
    }

    /// One item as plain JSON, null if it is not there. All keys are strings.
    pub fn item(&self, table: &str, key: &[(&str, &str)]) -> Value {
        let key: Map<_, _> =
            key.iter().map(|(name, value)| ((*name).to_owned(), json!({"S": value}))).collect();
        let answer = self.ask("GetItem", &json!({"TableName": table, "Key": key, "ConsistentRead": true}));
        match &answer["Item"] {
            Value::Null => Value::Null,
            item => plain(&json!({"M": item})),
        }
    }

    /// Deletes one item.
    pub fn delete(&self, table: &str, key: &[(&str, &str)]) {
        let key: Map<_, _> =
            key.iter().map(|(name, value)| ((*name).to_owned(), json!({"S": value}))).collect();
        self.ask("DeleteItem", &json!({"TableName": table, "Key": key}));
    }

    /// The AWS SDK's client for one process.
    pub fn client(&self, wire: &Wire, process: u32) -> SharedHttpClient {
        let connector = Connector { tables: self.clone(), wire: wire.clone(), process };
        let connector = SharedHttpConnector::new(connector);
        http_client_fn(move |_, _| connector.clone())
    }

    fn ask(&self, operation: &str, request: &Value) -> Value {
        let reply = self.answer(operation, request.to_string().as_bytes());
        let answer = serde_json::from_slice(&reply.body).expect("the database answers JSON");
        assert_eq!(reply.status, 200, "{operation}: {answer}");
        answer
    }

    fn answer(&self, operation: &str, body: &[u8]) -> Reply {
        let database = &self.0;
        let answer = match operation {
            "BatchGetItem" => call(body, |request| database.batch_get_item(request)),
            "CreateTable" => call(body, |request| database.create_table(request)),
            "DeleteItem" => call(body, |request| database.delete_item(request)),
            "DescribeTable" => call(body, |request| database.describe_table(request)),
            "GetItem" => call(body, |request| database.get_item(request)),
            "PutItem" => call(body, |request| database.put_item(request)),
            "Query" => call(body, |request| database.query(request)),
            "Scan" => call(body, |request| database.scan(request)),
            "TransactWriteItems" => call(body, |request| database.transact_write_items(request)),
            "UpdateItem" => call(body, |request| database.update_item(request)),
            _ => panic!("the product asks DynamoDB for {operation}, which is not in this list yet"),
        };
        let (status, body) = match answer {
            Ok(body) => (200, body),
            Err(error) => (error.status_code(), error.to_json()),
        };
        Reply { status, content_type: "application/x-amz-json-1.0".to_owned(), body: body.into_bytes() }
    }
}

fn call<Question: DeserializeOwned, Answer: Serialize>(
    body: &[u8],
    ask: impl FnOnce(Question) -> Result<Answer, DynoxideError>,
) -> Result<String, DynoxideError> {
    let question = serde_json::from_slice(body)
        .map_err(|error| DynoxideError::ValidationException(error.to_string()))?;
    Ok(serde_json::to_string(&ask(question)?).expect("an answer is JSON"))
}

#[derive(Clone)]
struct Connector {
    tables: Tables,
    wire: Wire,
    process: u32,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Connector")
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let body = request.body().bytes().unwrap_or_default().to_vec();
        let request = Request { side: Side::DynamoDb, operation, body: body.clone(), process: self.process };
        let this = self.clone();
        // A separate task: a request that was sent takes effect, whether or not somebody still waits.
        let operation = request.operation.clone();
        let passing = tokio::spawn(async move {
            this.wire.pass(request, async { this.tables.answer(&operation, &body) }).await
        });
        HttpConnectorFuture::new(async move {
            match passing.await.expect("passing a request on never panics") {
                Arrival::Whole(reply) => answer(reply),
                Arrival::Half(_) => Err(broken("half of an answer")),
                Arrival::Nothing => Err(broken("the connection was reset")),
                Arrival::Silence => std::future::pending().await,
            }
        })
    }
}

fn answer(reply: Reply) -> Result<Response<SdkBody>, ConnectorError> {
    let status =
        StatusCode::try_from(reply.status).map_err(|error| ConnectorError::other(error.into(), None))?;
    let mut answer = Response::new(status, SdkBody::from(reply.body));
    answer.headers_mut().append("content-type", reply.content_type);
    Ok(answer)
}

fn broken(what: &'static str) -> ConnectorError {
    ConnectorError::io(std::io::Error::new(std::io::ErrorKind::ConnectionReset, what).into())
}

/// `{"N": "1"}` → `1`. Sets become arrays.
fn plain(attribute: &Value) -> Value {
    let typed: HashMap<&str, &Value> =
        attribute.as_object().into_iter().flatten().map(|(kind, value)| (kind.as_str(), value)).collect();
    let Some((kind, value)) = typed.into_iter().next() else { return Value::Null };
    let number = |text: &Value| text.as_str().and_then(|text| serde_json::from_str(text).ok());
    match kind {
        "N" => number(value).unwrap_or_default(),
        "NS" => value.as_array().into_iter().flatten().filter_map(number).collect(),
        "L" => value.as_array().into_iter().flatten().map(plain).collect(),
        "M" => {
            let entries = value.as_object().into_iter().flatten();
            entries.map(|(name, value)| (name.clone(), plain(value))).collect::<Map<_, _>>().into()
        }
        "NULL" => Value::Null,
        _ => value.clone(),
    }
}
