//! 接口管理: what WeChat tells about calls. Its quotas, the address it saw, its clock.

use std::net::IpAddr;
use std::time::Duration;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{Client, Reply};
use crate::wechat::answer::integer;
use crate::wechat::{CallError, Refusal};

/// What is left of one endpoint's quota of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// `daily_limit`: how many calls there are in a day.
    pub daily_limit: i64,
    /// `remain`: how many of them are left. WeChat's counters are about one in a hundred off.
    pub remain: i64,
}

/// How WeChat answers who says nothing about himself.
#[derive(Clone, Debug)]
pub struct Greeting {
    /// It refuses, which is as it should be.
    pub refusal: Refusal,
    /// Its time, in epoch seconds: HTTP's `Date`.
    pub date: Option<i64>,
}

impl Client {
    /// 查询API调用额度 (getApiQuota): what is left of the quota of an endpoint below `/cgi-bin/component/`.
    pub async fn quota(
        &self,
        component_token: &SecretString,
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
        component_token: &SecretString,
        rid: &str,
        limit: Duration,
    ) -> Result<IpAddr, CallError> {
        let answer = self.ask("rid/get", Some(component_token), &json!({ "rid": rid }), limit).await?;
        let client_ip = answer.json?["request"]["client_ip"].as_str().and_then(|ip| ip.parse().ok());
        client_ip.ok_or(answer.unreadable)
    }

    /// Asks for a quota without a token. WeChat refuses that, and so says that it is there and what time it
    /// is; it costs nothing.
    pub async fn greet(&self, limit: Duration) -> Result<Greeting, CallError> {
        let answer = self.ask("quota/get", None, &json!({}), limit).await?;
        match answer.json {
            Err(CallError::Refused(refusal)) => {
                Ok(Greeting { refusal, date: answer.date.as_ref().and_then(seconds) })
            }
            Err(error) => Err(error),
            Ok(_) => Err(answer.unreadable),
        }
    }

    /// Posts to an endpoint below `/cgi-bin/openapi/`, which know the token as `access_token` alone.
    async fn ask(
        &self,
        endpoint: &str,
        component_token: Option<&SecretString>,
        body: &Value,
        limit: Duration,
    ) -> Result<Reply, CallError> {
        let mut url = self.base_url.clone();
        url.set_path(&format!("/cgi-bin/openapi/{endpoint}"));
        if let Some(token) = component_token {
            url.query_pairs_mut().append_pair("access_token", token.expose_secret());
        }
        self.send(url, body, limit).await
    }
}

fn seconds(date: &HeaderValue) -> Option<i64> {
    DateTime::from_str(date.to_str().ok()?, Format::HttpDate).ok().map(|date| date.secs())
}
