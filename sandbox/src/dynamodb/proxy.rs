//! The proxy in front of DynamoDB.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use axum::Router;
use axum::body::Bytes;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::Response;
use serde_json::Value;
use wechat_authorizer::http;

use crate::message::{Reply, Request, json_or_text};
use crate::net::{self, Connection};
use crate::wire::Wire;

/// The DynamoDB behind the proxy.
#[derive(Clone)]
pub(super) struct Upstream {
    endpoint: String,
    client: reqwest::Client,
}

impl Upstream {
    pub(super) fn new(endpoint: &str) -> Self {
        Self { endpoint: endpoint.to_owned(), client: wechat_authorizer::http::client() }
    }

    pub(super) fn sdk_config(&self) -> SdkConfig {
        net::sdk_config(&self.endpoint, http::wires(http::roots()).1)
    }

    pub(super) async fn ask(&self, operation: &str, request: &Value) -> Result<Value, Value> {
        let service = match operation {
            "DescribeStream" | "GetRecords" | "GetShardIterator" => "DynamoDBStreams",
            _ => "DynamoDB",
        };
        let headers = HeaderMap::from_iter(
            [
                (HeaderName::from_static("x-amz-target"), format!("{service}_20120810.{operation}")),
                (header::CONTENT_TYPE, "application/x-amz-json-1.0".to_owned()),
                (HeaderName::from_static("x-amz-date"), "20200101T000000Z".to_owned()),
                // Nobody verifies it here; DynamoDB's stand-ins want to see one and read the region from it.
                (
                    header::AUTHORIZATION,
                    "AWS4-HMAC-SHA256 Credential=sandbox/20200101/us-east-1/dynamodb/aws4_request, \
                 SignedHeaders=host, Signature=0"
                        .to_owned(),
                ),
            ]
            .map(|(name, value)| (name, value.try_into().expect("a header value"))),
        );
        let reply = self.forward(headers, request.to_string().into()).await;
        let answer = json_or_text(&reply.body);
        if reply.status.is_success() { Ok(answer) } else { Err(answer) }
    }

    async fn forward(&self, mut headers: HeaderMap, body: Bytes) -> Reply {
        headers.remove(header::HOST);
        let response = self.client.post(&self.endpoint).headers(headers).body(body).send().await;
        let response = response.expect("DynamoDB answers");
        let status = response.status();
        let mut headers = response.headers().clone();
        // The length is set anew, because a fault may cut the body.
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::TRANSFER_ENCODING);
        let body = response.bytes().await.expect("DynamoDB answers in full");
        Reply { status, headers, body }
    }
}

pub(super) fn router(wire: Wire, upstream: Upstream) -> Router {
    Router::new().fallback(async move |ConnectInfo(connection), headers: HeaderMap, body: Bytes| {
        forward(wire, upstream, connection, headers, body).await
    })
}

async fn forward(
    wire: Wire,
    upstream: Upstream,
    connection: Connection,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
    let request = Request::new(operation, BTreeMap::new(), &headers, &body);
    let effect = async move {
        // A separate task: a caller that goes away must not cut a write in half.
        tokio::spawn(async move { upstream.forward(headers, body).await })
            .await
            .expect("forwarding never panics")
    };
    wire.answer(request, connection, effect).await
}
