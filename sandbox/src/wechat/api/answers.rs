//! What each endpoint of the API answers, once the caller's token is good.

use serde_json::{Value, json};

use crate::wechat::account::func_info;
use crate::wechat::credentials;
use crate::wechat::ledger::{Ledger, PRE_AUTH_CODE_LIFE, SentText};
use crate::wechat::refusal::Refusal;
use crate::wechat::token::LIFE;

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

pub(super) type Outcome = Result<Value, Refusal>;

/// The last part of a path, as `api_query_auth`.
pub(super) fn endpoint(path: &str) -> &str {
    path.trim_start_matches("/cgi-bin/").trim_start_matches("component/")
}

pub(super) fn create_pre_auth_code(ledger: &mut Ledger, body: &Value, now: i64) -> Outcome {
    check_component(body)?;
    Ok(json!({"pre_auth_code": ledger.mint_pre_auth_code(now), "expires_in": PRE_AUTH_CODE_LIFE}))
}

pub(super) fn query_auth(ledger: &mut Ledger, body: &Value, now: i64) -> Outcome {
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

pub(super) fn authorizer_token(ledger: &mut Ledger, body: &Value, now: i64) -> Outcome {
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

pub(super) fn authorizer_info(ledger: &Ledger, body: &Value) -> Outcome {
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

pub(super) fn authorizer_list(ledger: &Ledger, body: &Value) -> Outcome {
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

pub(super) fn send_text(ledger: &mut Ledger, authorizer_appid: &str, body: &Value) -> Outcome {
    let (to, content) = (text(body, "touser"), text(&body["text"], "content"));
    let (Some(openid), Some(content), "text") = (to, content, text(body, "msgtype").unwrap_or_default())
    else {
        return Err(Refusal::new(47001));
    };
    ledger.sent.push(SentText {
        authorizer_appid: authorizer_appid.to_owned(),
        openid: openid.to_owned(),
        content: content.to_owned(),
    });
    Ok(json!({"errcode": 0, "errmsg": "ok"}))
}

pub(super) fn quota(ledger: &Ledger, body: &Value, now: i64) -> Outcome {
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
pub(super) fn rid(ledger: &Ledger, body: &Value) -> Outcome {
    let rid = text(body, "rid").ok_or_else(|| Refusal::new(47001))?;
    let request = ledger.calls.refused(rid).ok_or_else(|| Refusal::new(76001))?;
    Ok(json!({"errcode": 0, "errmsg": "ok", "request": request}))
}

pub(super) fn check_component(body: &Value) -> Result<(), Refusal> {
    match text(body, "component_appid") {
        None => Err(Refusal::new(41018)),
        Some(credentials::COMPONENT_APPID) => Ok(()),
        Some(_) => Err(Refusal::new(40013)),
    }
}

pub(super) fn check_appsecret(ledger: &Ledger, body: &Value, name: &str) -> Result<(), Refusal> {
    match text(body, name) {
        None => Err(Refusal::new(41004)),
        Some(appsecret) if appsecret == ledger.component_appsecret => Ok(()),
        Some(_) => Err(Refusal::new(40125)),
    }
}

pub(super) fn text<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    body[name].as_str()
}
