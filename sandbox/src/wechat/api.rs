//! The API that the platform calls.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Query};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::Response;
use serde_json::{Value, json};

use super::account::func_info;
use super::credentials;
use super::ledger::{Ledger, PRE_AUTH_CODE_LIFE};
use super::part::Part;
use super::refusal::Refusal;
use super::token::LIFE;
use crate::date::http_date;
use crate::message::{Reply, Request};
use crate::net::Connection;

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

/// The last part of a path, as `api_query_auth`.
fn endpoint(path: &str) -> &str {
    path.trim_start_matches("/cgi-bin/").trim_start_matches("component/")
}

/// The endpoints that have a quota.
const ENDPOINTS: &[&str] = &[
    "api_authorizer_token",
    "api_component_token",
    "api_create_preauthcode",
    "api_get_authorizer_info",
    "api_get_authorizer_list",
    "api_query_auth",
    "api_start_push_ticket",
];

/// How many calls each of them has in a day.
const DAILY_LIMIT: u64 = 10_000;

struct Call {
    method: Method,
    endpoint: String,
    query: BTreeMap<String, String>,
    body: Bytes,
}

type Outcome = Result<Value, Refusal>;

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

fn create_pre_auth_code(ledger: &mut Ledger, body: &Value, now: i64) -> Outcome {
    check_component(body)?;
    Ok(json!({"pre_auth_code": ledger.mint_pre_auth_code(now), "expires_in": PRE_AUTH_CODE_LIFE}))
}

fn query_auth(ledger: &mut Ledger, body: &Value, now: i64) -> Outcome {
    check_component(body)?;
    let code = text(body, "authorization_code").ok_or_else(|| Refusal::new(47001))?;
    if code.is_empty() {
        return Err(Refusal::new(40097));
    }
    let appid = ledger.spend_code(code, now)?;
    let (_, authorization) = ledger.authorization(&appid)?;
    let mut info = json!({
        "authorizer_appid": appid,
        "func_info": func_info(&authorization.permission_set_ids),
    });
    // Without any permission set there is no API to call, and no token to call it with.
    if !authorization.permission_set_ids.is_empty() {
        info["authorizer_refresh_token"] = json!(authorization.refresh_token);
        info["authorizer_access_token"] = json!(ledger.mint_access_token(&appid, now));
        info["expires_in"] = json!(LIFE);
    }
    Ok(json!({"authorization_info": info}))
}

fn authorizer_token(ledger: &mut Ledger, body: &Value, now: i64) -> Outcome {
    check_component(body)?;
    let appid = text(body, "authorizer_appid").ok_or_else(|| Refusal::new(47001))?;
    let (_, authorization) = ledger.authorization(appid)?;
    let refresh_token = authorization.refresh_token.clone();
    if text(body, "authorizer_refresh_token") != Some(&refresh_token) {
        return Err(Refusal::new(61023));
    }
    let access_token = ledger.mint_access_token(appid, now);
    Ok(json!({
        "authorizer_access_token": access_token,
        "expires_in": LIFE,
        "authorizer_refresh_token": refresh_token,
    }))
}

fn authorizer_info(ledger: &Ledger, body: &Value) -> Outcome {
    check_component(body)?;
    let appid = text(body, "authorizer_appid").ok_or_else(|| Refusal::new(47001))?;
    let (account, authorization) = ledger.authorization(appid)?;
    let refresh_token = if authorization.exchanged { authorization.refresh_token.as_str() } else { "" };
    Ok(json!({
        "authorizer_info": account.info(),
        "authorization_info": {
            "authorizer_appid": appid,
            "authorizer_refresh_token": refresh_token,
            "func_info": func_info(&authorization.permission_set_ids),
        },
    }))
}

fn authorizer_list(ledger: &Ledger, body: &Value) -> Outcome {
    check_component(body)?;
    let number = |name: &str| body[name].as_u64().and_then(|number| usize::try_from(number).ok());
    let (Some(offset), Some(count @ 1..=500)) = (number("offset"), number("count")) else {
        return Err(Refusal::new(40170));
    };
    let mut list: Vec<_> = ledger
        .accounts
        .values()
        .filter_map(|entry| {
            let authorization = entry.authorization.as_ref()?;
            let refresh_token =
                if authorization.exchanged { authorization.refresh_token.as_str() } else { "" };
            Some(json!({
                "authorizer_appid": entry.account.appid,
                "refresh_token": refresh_token,
                "auth_time": authorization.auth_time,
            }))
        })
        .collect();
    list.sort_by_key(|entry| entry["auth_time"].as_i64());
    let total_count = list.len();
    let list: Vec<_> = list.into_iter().skip(offset).take(count).collect();
    Ok(json!({"total_count": total_count, "list": list}))
}

fn quota(ledger: &Ledger, body: &Value, now: i64) -> Outcome {
    let path = text(body, "cgi_path").ok_or_else(|| Refusal::new(76003))?;
    let endpoint = endpoint(path);
    if !path.starts_with("/cgi-bin/component/") || !ENDPOINTS.contains(&endpoint) {
        return Err(Refusal::new(76021));
    }
    let used = ledger.calls.used(endpoint, now);
    let quota = json!({"daily_limit": DAILY_LIMIT, "used": used, "remain": DAILY_LIMIT.saturating_sub(used)});
    Ok(json!({"errcode": 0, "errmsg": "ok", "quota": quota}))
}

/// The refused request with everything that was in it, secrets too, as the real one tells it.
fn rid(ledger: &Ledger, body: &Value) -> Outcome {
    let rid = text(body, "rid").ok_or_else(|| Refusal::new(47001))?;
    let request = ledger.calls.refused(rid).ok_or_else(|| Refusal::new(76001))?;
    Ok(json!({"errcode": 0, "errmsg": "ok", "request": request}))
}

fn check_component(body: &Value) -> Result<(), Refusal> {
    match text(body, "component_appid") {
        None => Err(Refusal::new(41018)),
        Some(credentials::COMPONENT_APPID) => Ok(()),
        Some(_) => Err(Refusal::new(40013)),
    }
}

fn check_appsecret(ledger: &Ledger, body: &Value, name: &str) -> Result<(), Refusal> {
    match text(body, name) {
        None => Err(Refusal::new(41004)),
        Some(appsecret) if appsecret == ledger.component_appsecret => Ok(()),
        Some(_) => Err(Refusal::new(40125)),
    }
}

fn text<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    body[name].as_str()
}
