//! `token`, invoked by services with IAM permission: a valid access token of an account, refreshed if it must
//! be. Never the refresh token.

use std::time::Duration;

use aws_config::SdkConfig;
use lambda_http::LambdaEvent;
use lambda_http::lambda_runtime::Diagnostic;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Value;
use thiserror::Error;
use tracing::Instrument;

use crate::authorizer::{Authorizers, Refreshed};
use crate::clock::Clock;
use crate::config::Config;
use crate::deadline::{Deadline, backoff};
use crate::services::Services;
use crate::store::{Reason, Record, Status, StoreError};
use crate::wechat::Appid;

/// A token with so many seconds left is given out as it is.
const FRESH: i64 = 300;

/// A token with so many seconds left is given out when no better one is to be had.
const USABLE: i64 = 30;

/// How long a caller waits for who is refreshing the token.
const WAIT: Duration = Duration::from_secs(10);

/// What is left over for the answer.
const FOR_ANSWERING: Duration = Duration::from_secs(1);

/// What the function depends on.
#[derive(Debug)]
pub struct App {
    services: Services,
    authorizers: Authorizers,
    component_appid: Appid,
}

/// A valid access token.
#[derive(Serialize)]
pub struct Answer {
    /// The account.
    pub authorizer_appid: String,
    /// The platform.
    pub component_appid: String,
    /// The token.
    pub authorizer_access_token: String,
    /// When it ends, in epoch seconds.
    pub access_token_expires_at: i64,
    /// What the merchant granted.
    pub permission_set_ids: Vec<i64>,
}

/// Why there is no token. The variant's name is the `errorType` of the invocation.
#[derive(Debug, Error)]
pub enum TokenError {
    /// The account never authorized the platform.
    #[error("no authorization of this account is known")]
    AuthorizerNotFound,
    /// The account revoked.
    #[error("the merchant has revoked the authorization and must authorize again")]
    AuthorizerUnauthorized,
    /// The account authorized without any API permission.
    #[error("the authorization has no token: the merchant must authorize again, with an API permission set")]
    NoAccessToken,
    /// Try again in a moment.
    #[error("no valid token can be had at the moment")]
    TemporarilyUnavailable,
    /// The request is not what it should be.
    #[error(
        "expected {{\"authorizer_appid\": \"wx…\"}}, with \"rejected_access_token\" where one was refused"
    )]
    InvalidRequest,
}

impl TokenError {
    fn name(&self) -> &'static str {
        match self {
            Self::AuthorizerNotFound => "AuthorizerNotFound",
            Self::AuthorizerUnauthorized => "AuthorizerUnauthorized",
            Self::NoAccessToken => "NoAccessToken",
            Self::TemporarilyUnavailable => "TemporarilyUnavailable",
            Self::InvalidRequest => "InvalidRequest",
        }
    }
}

impl From<TokenError> for Diagnostic {
    fn from(error: TokenError) -> Self {
        Self { error_type: error.name().to_owned(), error_message: error.to_string() }
    }
}

impl From<StoreError> for TokenError {
    fn from(error: StoreError) -> Self {
        tracing::error!("{error}");
        Self::TemporarilyUnavailable
    }
}

impl App {
    /// An instance of the function, as a cold start makes it.
    pub fn new(config: &Config, aws: &SdkConfig, http: reqwest::Client, clock: Clock) -> Self {
        let services = Services::new(config, aws, http, clock);
        let authorizers = Authorizers::new(services.clone());
        Self { services, authorizers, component_appid: config.component_appid.clone() }
    }
}

/// Answers one service.
pub async fn handle(app: &App, event: LambdaEvent<Value>) -> Result<Answer, TokenError> {
    let span = tracing::error_span!("token", request_id = event.context.request_id);
    async {
        let appid = event.payload["authorizer_appid"].as_str().and_then(Appid::parse);
        let appid = appid.ok_or(TokenError::InvalidRequest)?;
        let rejected = match &event.payload["rejected_access_token"] {
            Value::Null => None,
            Value::String(token) => Some(SecretString::from(token.as_str())),
            _ => return Err(TokenError::InvalidRequest),
        };
        let deadline = Deadline::of(&event.context).reserving(FOR_ANSWERING);
        token(app, &appid, rejected.as_ref(), deadline).await.inspect_err(|error| {
            tracing::warn!(authorizer.appid = %appid, error = error.name(), "no token");
        })
    }
    .instrument(span)
    .await
}

async fn token(
    app: &App,
    appid: &Appid,
    rejected: Option<&SecretString>,
    deadline: Deadline,
) -> Result<Answer, TokenError> {
    let waiting = deadline.within(WAIT);
    let mut just_refreshed = false;
    loop {
        let record = app.services.store.record(appid).await?.ok_or(TokenError::AuthorizerNotFound)?;
        if record.status == Some(Status::Unauthorized) {
            return Err(TokenError::AuthorizerUnauthorized);
        }
        let access_token = record.access_token.clone().filter(|token| differs(token, rejected));
        if let Some(token) = &access_token
            && (just_refreshed || is_fresh(app, &record))
        {
            return Ok(answer(app, appid, token, &record));
        }
        let refreshed = refreshed(app, appid, &record, deadline).await?;
        let usable =
            access_token.filter(|_| record.access_token_expires_at - app.services.clock.now() >= USABLE);
        match (refreshed, usable) {
            (Refreshed::Done, _) => just_refreshed = true,
            (Refreshed::Revoked, _) => return Err(TokenError::AuthorizerUnauthorized),
            (_, Some(token)) => return Ok(answer(app, appid, &token, &record)),
            (Refreshed::NotOurs, None) => {
                if !waiting.pause(backoff(1)).await {
                    return Err(TokenError::TemporarilyUnavailable);
                }
            }
            (_, None) if record.refresh_token.is_none() => return Err(TokenError::NoAccessToken),
            (Refreshed::Failed | Refreshed::Stopped(_), None) => {
                return Err(TokenError::TemporarilyUnavailable);
            }
        }
    }
}

/// Refreshes the token, unless somebody else does, or it is known to be of no use for now: callers must not
/// spend what is left of WeChat's patience.
async fn refreshed(
    app: &App,
    appid: &Appid,
    record: &Record,
    deadline: Deadline,
) -> Result<Refreshed, StoreError> {
    let now = app.services.clock.now();
    let failing = record.failed_attempts > 0 && record.refresh_at.is_some_and(|retry_at| retry_at > now);
    if record.refresh_token.is_none() || failing {
        return Ok(Refreshed::Failed);
    }
    if record.lease_until.is_some_and(|until| until > now) {
        return Ok(Refreshed::NotOurs);
    }
    if app.services.store.is_quota_exceeded(now).await? {
        tracing::warn!("not refreshed: the day's quota of api_authorizer_token is used up");
        return Ok(Refreshed::Failed);
    }
    let refreshed =
        app.authorizers.refresh(appid, &Reason::Useless(record.access_token.clone()), deadline).await?;
    if let Refreshed::Stopped(cause) = &refreshed {
        cause.report();
    }
    Ok(refreshed)
}

/// Whether the token can be given out as it is: it lives, and was not due from the moment it was stored, as
/// one is that may be superseded.
fn is_fresh(app: &App, record: &Record) -> bool {
    let suspect = record.refresh_at.is_some_and(|refresh_at| refresh_at <= record.refreshed_at);
    !suspect && record.access_token_expires_at - app.services.clock.now() >= FRESH
}

fn answer(app: &App, appid: &Appid, token: &SecretString, record: &Record) -> Answer {
    Answer {
        authorizer_appid: appid.as_str().to_owned(),
        component_appid: app.component_appid.as_str().to_owned(),
        authorizer_access_token: token.expose_secret().to_owned(),
        access_token_expires_at: record.access_token_expires_at,
        permission_set_ids: record.permission_set_ids.clone(),
    }
}

fn differs(token: &SecretString, rejected: Option<&SecretString>) -> bool {
    rejected.is_none_or(|rejected| rejected.expose_secret() != token.expose_secret())
}
