//! The calls of WeChat's API.

mod openapi;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, DATE, HeaderValue};
use reqwest::{Method, Request, Url};
use serde_json::{Value, json};

use super::answer::{self, issued};
use super::{
    Appid, AuthorizationCode, AuthorizerAccessToken, AuthorizerInfo, AuthorizerList, AuthorizerRefreshToken,
    CallError, ComponentAccessToken, ComponentAppSecret, ComponentVerifyTicket, Errcode, Grant, Issued,
    PreAuthCode, RefreshedToken,
};
use crate::address::below;
use crate::http::{Http, untrusted};
use crate::metric;

pub(crate) use openapi::{ApiAnswer, Quota, Quotas};

/// WeChat's API as one platform sees it.
#[derive(Debug)]
pub struct Client {
    http: Http,
    base_url: Url,
    component_appid: Appid,
    /// Whether the component token travels as `access_token`, as WeChat's newer pages say, and not as
    /// `component_access_token`, as its older pages and nearly all SDKs do. Learnt from WeChat's answer.
    newer_name: AtomicBool,
}

/// A call that takes longer will not answer.
const LONGEST_CALL: Duration = Duration::from_secs(5);

/// The most accounts that one call of `api_get_authorizer_list` returns.
pub(crate) const LIST_PAGE: usize = 500;

impl Client {
    /// A client of the platform `component_appid` at `base_url`.
    pub fn new(http: Http, base_url: Url, component_appid: Appid) -> Self {
        Self { http, base_url, component_appid, newer_name: AtomicBool::new(false) }
    }

    /// `api_component_token`: the platform's own token, for its secret and the newest ticket.
    /// Each call makes the token before it invalid within five minutes.
    pub async fn component_token(
        &self,
        appsecret: &ComponentAppSecret,
        ticket: &ComponentVerifyTicket,
        limit: Duration,
    ) -> Result<Issued<ComponentAccessToken>, CallError> {
        let body = json!({
            "component_appid": self.component_appid.as_str(),
            "component_appsecret": appsecret.expose(),
            "component_verify_ticket": ticket.expose(),
        });
        let (answer, unreadable) =
            self.post("api_component_token", None, &body, Limit::repeatable(limit)).await?;
        issued(&answer, "component_access_token", ComponentAccessToken::new).ok_or(unreadable)
    }

    /// `api_start_push_ticket`: asks WeChat to push tickets (again).
    pub async fn start_push_ticket(
        &self,
        appsecret: &ComponentAppSecret,
        limit: Duration,
    ) -> Result<(), CallError> {
        // This endpoint alone calls the secret `component_secret`.
        let body = json!({
            "component_appid": self.component_appid.as_str(),
            "component_secret": appsecret.expose(),
        });
        self.post("api_start_push_ticket", None, &body, Limit::repeatable(limit)).await.map(|_| ())
    }

    /// `api_create_preauthcode`: the code with which one merchant's visit to the consent page begins.
    pub async fn create_pre_auth_code(
        &self,
        component_token: &ComponentAccessToken,
        limit: Duration,
    ) -> Result<Issued<PreAuthCode>, CallError> {
        let body = json!({ "component_appid": self.component_appid.as_str() });
        let (answer, unreadable) = self
            .post("api_create_preauthcode", Some(component_token), &body, Limit::repeatable(limit))
            .await?;
        issued(&answer, "pre_auth_code", PreAuthCode::new).ok_or(unreadable)
    }

    /// `api_query_auth`: exchanges an authorization code, once. `known` is the account where a push has
    /// already named it.
    pub async fn query_auth(
        &self,
        component_token: &ComponentAccessToken,
        code: &AuthorizationCode,
        known: Option<&Appid>,
        limit: Duration,
    ) -> Result<Grant, CallError> {
        let body = json!({
            "component_appid": self.component_appid.as_str(),
            "authorization_code": code.expose(),
        });
        // The answer comes once: it deserves what time there is.
        let (answer, unreadable) =
            self.post("api_query_auth", Some(component_token), &body, Limit::once(limit)).await?;
        Grant::read(&answer, known).ok_or(unreadable)
    }

    /// `api_get_authorizer_info`: an account's profile, and its refresh token once its code was exchanged.
    pub async fn authorizer_info(
        &self,
        component_token: &ComponentAccessToken,
        authorizer_appid: &Appid,
        limit: Duration,
    ) -> Result<AuthorizerInfo, CallError> {
        let body = json!({
            "component_appid": self.component_appid.as_str(),
            "authorizer_appid": authorizer_appid.as_str(),
        });
        let (answer, _) = self
            .post("api_get_authorizer_info", Some(component_token), &body, Limit::repeatable(limit))
            .await?;
        Ok(AuthorizerInfo::read(&answer))
    }

    /// `api_authorizer_token`: a new access token of an account. The refresh token in the answer is normally
    /// the one that was sent; whatever comes back is the one to keep.
    pub async fn authorizer_token(
        &self,
        component_token: &ComponentAccessToken,
        authorizer_appid: &Appid,
        refresh_token: &AuthorizerRefreshToken,
        limit: Duration,
    ) -> Result<RefreshedToken, CallError> {
        let body = json!({
            "component_appid": self.component_appid.as_str(),
            "authorizer_appid": authorizer_appid.as_str(),
            "authorizer_refresh_token": refresh_token.expose(),
        });
        let (answer, unreadable) = self
            .post("api_authorizer_token", Some(component_token), &body, Limit::once(limit.min(LONGEST_CALL)))
            .await?;
        RefreshedToken::read(&answer).ok_or(unreadable)
    }

    /// `api_get_authorizer_list`: the accounts that authorize the platform, from `offset` on, at most
    /// `LIST_PAGE` of them.
    pub async fn authorizer_list(
        &self,
        component_token: &ComponentAccessToken,
        offset: usize,
        limit: Duration,
    ) -> Result<AuthorizerList, CallError> {
        let body = json!({
            "component_appid": self.component_appid.as_str(),
            "offset": offset,
            "count": LIST_PAGE,
        });
        let (answer, unreadable) = self
            .post("api_get_authorizer_list", Some(component_token), &body, Limit::repeatable(limit))
            .await?;
        AuthorizerList::read(&answer).ok_or(unreadable)
    }

    /// `message/custom/send`: a text of an account to one of its users (客服消息), with the account's token.
    pub async fn send_text(
        &self,
        access_token: &AuthorizerAccessToken,
        openid: &str,
        content: &str,
        limit: Duration,
    ) -> Result<(), CallError> {
        let mut url = below(&self.base_url, "/cgi-bin/message/custom/send");
        url.query_pairs_mut().append_pair("access_token", access_token.expose());
        let body = json!({"touser": openid, "msgtype": "text", "text": {"content": content}});
        self.measured(url, &body, Limit::repeatable(limit)).await.map(|_| ())
    }

    /// Posts `body` and reads the answer. The second value is the error for an answer that lacks what the
    /// endpoint is asked for.
    async fn post(
        &self,
        endpoint: &str,
        component_token: Option<&ComponentAccessToken>,
        body: &Value,
        limit: Limit,
    ) -> Result<(Value, CallError), CallError> {
        let newer_name = self.newer_name.load(Ordering::Relaxed);
        let answer = self.post_with(endpoint, component_token, newer_name, body, limit).await;
        match answer {
            Err(error) if error.errcode() == Errcode::TOKEN_MISSING && component_token.is_some() => {
                let answer = self.post_with(endpoint, component_token, !newer_name, body, limit).await?;
                self.newer_name.store(!newer_name, Ordering::Relaxed);
                Ok(answer)
            }
            answer => answer,
        }
    }

    async fn post_with(
        &self,
        endpoint: &str,
        component_token: Option<&ComponentAccessToken>,
        newer_name: bool,
        body: &Value,
        limit: Limit,
    ) -> Result<(Value, CallError), CallError> {
        let mut url = below(&self.base_url, &format!("/cgi-bin/component/{endpoint}"));
        if let Some(token) = component_token {
            let name = if newer_name { "access_token" } else { "component_access_token" };
            url.query_pairs_mut().append_pair(name, token.expose());
        }
        self.measured(url, body, limit).await
    }

    async fn measured(&self, url: Url, body: &Value, limit: Limit) -> Result<(Value, CallError), CallError> {
        let answer = async {
            let reply = self.send(url, body, limit).await?;
            Ok((reply.json?, reply.unreadable))
        };
        let answer = answer.await;
        measure(&answer);
        answer
    }

    async fn send(&self, url: Url, body: &Value, limit: Limit) -> Result<Reply, CallError> {
        let secrets = secrets(&url, body);
        let mut request = Request::new(Method::POST, url);
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *request.timeout_mut() = Some(limit.time);
        *request.body_mut() = Some(body.to_string().into());
        let answer = match limit.repeatable {
            true => self.http.repeatable(request).await,
            false => self.http.once(request).await,
        };
        let response = answer.map_err(transport_error)?;
        let (status, date) = (response.status().as_u16(), response.headers().get(DATE).cloned());
        let bytes = response.bytes().await.map_err(transport_error)?;
        let unreadable = CallError::Unreadable { status, length: bytes.len() };
        Ok(Reply { json: answer::read(status, &bytes, &secrets), date, unreadable })
    }
}

/// How long a call may take, and whether it can be repeated.
#[derive(Clone, Copy, Debug)]
struct Limit {
    time: Duration,
    repeatable: bool,
}

impl Limit {
    /// Of a call that changes something at WeChat which only its answer tells: its answer is worth the time there is.
    fn once(time: Duration) -> Self {
        Self { time, repeatable: false }
    }

    /// Of a call that can be repeated: there is more in asking again than in waiting.
    fn repeatable(time: Duration) -> Self {
        Self { time: time.min(LONGEST_CALL), repeatable: true }
    }
}

/// What must not be seen again in WeChat's words: all that was sent but the appids, which are no secret.
fn secrets(url: &Url, body: &Value) -> Vec<String> {
    let sent = body.as_object().into_iter().flatten();
    let sent = sent.filter(|(name, _)| !name.ends_with("appid")).filter_map(|(_, value)| value.as_str());
    let query = url.query_pairs().map(|(_, value)| value.into_owned());
    sent.map(str::to_owned).chain(query).filter(|secret| !secret.is_empty()).collect()
}

/// What came back of one request.
struct Reply {
    json: Result<Value, CallError>,
    /// HTTP's `Date`.
    date: Option<HeaderValue>,
    /// The error for an answer that lacks what the endpoint is asked for.
    unreadable: CallError,
}

fn measure<T>(answer: &Result<T, CallError>) {
    match answer {
        Ok(_) => metric::wechat_call("given"),
        Err(CallError::Refused(refusal)) => {
            metric::wechat_call("refused");
            metric::refusal(refusal.errcode.get());
        }
        Err(_) => metric::wechat_call("none"),
    }
}

/// What happened on the way, without reqwest's own words: they repeat the URL and the token in it.
fn transport_error(error: reqwest::Error) -> CallError {
    if let Some(why) = untrusted(&error) {
        CallError::Untrusted(why)
    } else if error.is_connect() {
        CallError::Unreachable(if error.is_timeout() { "connecting took too long" } else { "no connection" })
    } else if error.is_timeout() {
        CallError::Lost("no answer in time")
    } else {
        CallError::Lost("the connection broke")
    }
}
