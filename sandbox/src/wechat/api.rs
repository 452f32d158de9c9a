//! The API that the platform calls.

mod answers;

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Query};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::Response;
use serde_json::json;

use super::ledger::Ledger;
use super::part::Part;
use super::refusal::Refusal;
use super::token::LIFE;
use crate::date::http_date;
use crate::message::{Reply, Request};
use crate::net::Connection;
use answers::{
    Outcome, authorizer_info, authorizer_list, authorizer_token, check_appsecret, check_component,
    create_pre_auth_code, endpoint, query_auth, quota, rid, send_text, text,
};

pub(super) fn router(part: Part) -> Router {
    Router::new().fallback(
        async move |method: Method,
                    uri: Uri,
                    Query(query): Query<BTreeMap<String, String>>,
                    ConnectInfo(connection): ConnectInfo<Connection>,
                    headers: HeaderMap,
                    body: Bytes| {
            answer(part, method, uri, query, connection, headers, body).await
        },
    )
}

async fn answer(
    part: Part,
    method: Method,
    uri: Uri,
    query: BTreeMap<String, String>,
    connection: Connection,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = endpoint(uri.path());
    let request = Request::new(path.to_owned(), query, &headers, &body);
    let call = Call { method, endpoint: path.to_owned(), query: request.query.clone(), body };
    let (wire, received_at) = (part.wire.clone(), part.clock.now().as_secs());
    part.ledger().calls.count(path, received_at);
    let effect = async move {
        let now = part.clock.now().as_secs();
        let mut ledger = part.ledger();
        match call.carry_out(&mut ledger, now) {
            Ok(answer) => Reply::new(StatusCode::OK, "text/plain", answer.to_string()),
            Err(refusal) => {
                ledger.calls.remember(&refusal, &uri, &call.body, now);
                refusal.into()
            }
        }
    };
    let mut response = wire.answer(request, connection, effect).await;
    let date = http_date(received_at).try_into().expect("a header value");
    response.headers_mut().entry(header::DATE).or_insert(date);
    response
}

struct Call {
    method: Method,
    endpoint: String,
    query: BTreeMap<String, String>,
    body: Bytes,
}

impl Call {
    fn carry_out(&self, ledger: &mut Ledger, now: i64) -> Outcome {
        if !ledger.address_allowed {
            return Err(Refusal::new(61004));
        }
        // A business call, to see whether an authorizer's token works.
        if self.endpoint == "user/get" {
            ledger.check_authorizer_token(self.token(&["access_token"])?, now)?;
            return Ok(json!({"total": 0, "count": 0, "data": {"openid": []}, "next_openid": ""}));
        }
        if self.endpoint == "message/custom/send" {
            let appid = ledger.check_authorizer_token(self.token(&["access_token"])?, now)?;
            return send_text(ledger, &appid, &self.body()?);
        }
        match self.endpoint.as_str() {
            "api_component_token" => return self.component_token(ledger, now),
            "api_start_push_ticket" => return self.start_push_ticket(ledger),
            _ => {}
        }
        // The new documentation calls it access_token, the old one and most libraries the other. What is not of
        // the platforms alone never had the other name.
        let names: &[&str] = match self.endpoint.starts_with("openapi/") {
            true => &["access_token"],
            false => &["component_access_token", "access_token"],
        };
        let token = self.token(names)?;
        ledger.check_component_token(token, now)?;
        let body = self.body()?;
        match self.endpoint.as_str() {
            "api_create_preauthcode" => create_pre_auth_code(ledger, &body, now),
            "api_query_auth" => query_auth(ledger, &body, now),
            "api_authorizer_token" => authorizer_token(ledger, &body, now),
            "api_get_authorizer_info" => authorizer_info(ledger, &body),
            "api_get_authorizer_list" => authorizer_list(ledger, &body),
            "openapi/quota/get" => quota(ledger, &body, now),
            "openapi/rid/get" => rid(ledger, &body),
            _ => Err(Refusal::new(40066)),
        }
    }

    fn token(&self, names: &[&str]) -> Result<&str, Refusal> {
        let token = names.iter().find_map(|name| self.query.get(*name)).filter(|token| !token.is_empty());
        token.map(String::as_str).ok_or_else(|| Refusal::new(41001))
    }

    fn body(&self) -> Outcome {
        if self.method != Method::POST {
            return Err(Refusal::new(43002));
        }
        if self.body.is_empty() {
            return Err(Refusal::new(44002));
        }
        serde_json::from_slice(&self.body).map_err(|_| Refusal::new(47001))
    }

    fn component_token(&self, ledger: &mut Ledger, now: i64) -> Outcome {
        let body = self.body()?;
        check_component(&body)?;
        check_appsecret(ledger, &body, "component_appsecret")?;
        ledger.check_ticket(text(&body, "component_verify_ticket").unwrap_or_default(), now)?;
        let token = ledger.mint_component_token(now);
        Ok(json!({"component_access_token": token, "expires_in": LIFE}))
    }

    fn start_push_ticket(&self, ledger: &mut Ledger) -> Outcome {
        let body = self.body()?;
        check_component(&body)?;
        check_appsecret(ledger, &body, "component_secret")?;
        ledger.start_push_ticket();
        Ok(json!({"errcode": 0, "errmsg": "in a normal state"}))
    }
}
