//! How WeChat says no.

use axum::http::StatusCode;
use serde_json::json;

use crate::fault::Fault;
use crate::message::Reply;
use crate::opaque;

/// The address that WeChat sees every caller have.
pub(super) const CLIENT_ADDRESS: &str = "203.0.113.7";

/// An `errcode` with WeChat's `errmsg` for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The number that decides.
    pub errcode: i64,
    /// The text, with the `rid` by which WeChat's support finds the request.
    pub errmsg: String,
}

impl Refusal {
    /// A refusal with WeChat's usual text.
    pub fn new(errcode: i64) -> Self {
        let rid = format!("{}-{}-{}", opaque::hex(8), opaque::hex(8), opaque::hex(8));
        let address = if errcode == 61004 { format!(" requestIP: {CLIENT_ADDRESS}") } else { String::new() };
        Self { errcode, errmsg: format!("{}{address} rid: {rid}", text(errcode)) }
    }

    /// The `rid` in the text.
    pub(super) fn rid(&self) -> &str {
        self.errmsg.rsplit(' ').next().unwrap_or_default()
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        let body = json!({"errcode": refusal.errcode, "errmsg": refusal.errmsg});
        Self::new(StatusCode::OK, "text/plain", body.to_string())
    }
}

impl Fault {
    /// WeChat's way of failing: status 200, an `errcode`, and its usual `errmsg`.
    pub fn errcode(errcode: i64) -> Self {
        Self::Answer(Refusal::new(errcode).into())
    }

    /// The same with a message of the test's own.
    pub fn errmsg(errcode: i64, errmsg: &str) -> Self {
        Self::json(json!({"errcode": errcode, "errmsg": errmsg}))
    }
}

fn text(errcode: i64) -> &'static str {
    match errcode {
        -1 => "system error",
        40001 => "invalid credential, access_token is invalid or not latest",
        40013 => "invalid appid",
        40014 => "invalid access_token",
        40066 => "invalid url",
        40097 => "invalid args",
        40125 => "invalid appsecret",
        40170 => "args count exceed count limit",
        41001 => "access_token missing",
        41004 => "appsecret missing",
        41018 => "component_appid missing",
        42001 => "access_token expired",
        42006 => "component_access_token expired",
        43001 => "require GET method",
        43002 => "require POST method",
        44002 => "empty post data",
        45009 => "reach max api daily quota limit",
        45011 => "api minute-quota reach limit, must slower, retry next minute",
        47001 => "data format error",
        48001 => "api unauthorized",
        61003 => "component is not authorized by this account",
        61004 => "access clientip is not registered",
        61005 => "component ticket is expired",
        61006 => "component ticket is invalid",
        61009 => "code is invalid",
        61010 => "code is expired",
        61011 => "invalid component",
        61014 => "must use component token for component api",
        61015 => "must use api authorizer token for non-component api",
        61023 => "refresh_token is invalid",
        76001 => "rid not found",
        76003 => "cgi_path is invalid",
        76021 => "cgi_path not found, please check",
        _ => "refused",
    }
}
