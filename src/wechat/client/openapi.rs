//! 接口管理: what WeChat tells about calls. Its quotas, the address it saw, its clock.

use std::net::IpAddr;
use std::time::Duration;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use futures_util::future::join_all;
use reqwest::header::HeaderValue;
use serde_json::{Value, json};

use super::{Client, Limit, Reply};
use crate::address::below;
use crate::time::Timestamp;
use crate::wechat::answer::integer;
use crate::wechat::{CallError, ComponentAccessToken, Refusal};

/// The endpoints that the platform lives by.
const ENDPOINTS: [&str; 6] = [
    "api_component_token",
    "api_create_preauthcode",
    "api_query_auth",
    "api_authorizer_token",
    "api_get_authorizer_info",
    "api_get_authorizer_list",
];

/// What WeChat told of the quota of each of them.
pub(crate) type Quotas = Vec<(&'static str, Result<Quota, CallError>)>;

/// What is left of one endpoint's quota of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// `daily_limit`: how many calls there are in a day.
    pub daily_limit: i64,
    /// `remain`: how many of them are left. WeChat's counters are about one in a hundred off.
    pub remain: i64,
}

/// WeChat's reply to a request without a token.
#[derive(Clone, Debug)]
pub struct ApiAnswer {
    /// WeChat refuses it, as it should.
    pub refusal: Refusal,
    /// WeChat's time: HTTP's `Date`.
    pub date: Option<Timestamp>,
}

impl Quota {
    /// How much of the day's quota is used, in percent.
    pub(crate) fn used(self) -> f64 {
        if self.daily_limit <= 0 { 0.0 } else { 100.0 - 100.0 * self.remain as f64 / self.daily_limit as f64 }
    }
}

impl Client {
    /// What is left of the quota of each endpoint that the platform lives by.
    pub(crate) async fn quotas(&self, component_token: &ComponentAccessToken, limit: Duration) -> Quotas {
        let ask = async |endpoint| (endpoint, self.quota(component_token, endpoint, limit).await);
        join_all(ENDPOINTS.map(ask)).await
    }

    /// 查询API调用额度 (getApiQuota): what is left of the quota of an endpoint below `/cgi-bin/component/`.
    pub async fn quota(
        &self,
        component_token: &ComponentAccessToken,
        endpoint: &str,
        limit: Duration,
    ) -> Result<Quota, CallError> {
        let body = json!({ "cgi_path": format!("/cgi-bin/component/{endpoint}") });
        let answer = self.ask("quota/get", Some(component_token), &body, limit).await?;
        let quota = &answer.json?["quota"];
        let numbers = integer(&quota["daily_limit"]).zip(integer(&quota["remain"]));
        numbers.map(|(daily_limit, remain)| Quota { daily_limit, remain }).ok_or(answer.unreadable)
    }

    /// 查询rid信息 (getRidInfo): the address from which WeChat saw the request `rid` come. The answer repeats
    /// that request with its token; nothing else of it is read.
    pub async fn client_address(
        &self,
        component_token: &ComponentAccessToken,
        rid: &str,
        limit: Duration,
    ) -> Result<IpAddr, CallError> {
        let answer = self.ask("rid/get", Some(component_token), &json!({ "rid": rid }), limit).await?;
        let client_ip = answer.json?["request"]["client_ip"].as_str().and_then(|ip| ip.parse().ok());
        client_ip.ok_or(answer.unreadable)
    }

    /// Asks for a quota without a token. WeChat refuses that, and so says that it is there and what time it
    /// is; it costs nothing.
    pub async fn ask_without_token(&self, limit: Duration) -> Result<ApiAnswer, CallError> {
        let answer = self.ask("quota/get", None, &json!({}), limit).await?;
        match answer.json {
            Err(CallError::Refused(refusal)) => {
                Ok(ApiAnswer { refusal, date: answer.date.as_ref().and_then(seconds) })
            }
            Err(error) => Err(error),
            Ok(_) => Err(answer.unreadable),
        }
    }

    /// Posts to an endpoint below `/cgi-bin/openapi/`, which know the token as `access_token` alone.
    async fn ask(
        &self,
        endpoint: &str,
        component_token: Option<&ComponentAccessToken>,
        body: &Value,
        limit: Duration,
    ) -> Result<Reply, CallError> {
        let mut url = below(&self.base_url, &format!("/cgi-bin/openapi/{endpoint}"));
        if let Some(token) = component_token {
            url.query_pairs_mut().append_pair("access_token", token.expose());
        }
        self.send(url, body, Limit::repeatable(limit)).await
    }
}

fn seconds(date: &HeaderValue) -> Option<Timestamp> {
    let date = DateTime::from_str(date.to_str().ok()?, Format::HttpDate).ok()?;
    Some(Timestamp::from_secs(date.secs()))
}
