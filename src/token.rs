//! `token`, invoked by services with IAM permission: a valid access token of an account, refreshed if it must
//! be. Never the refresh token.

use std::time::Duration;

use lambda_http::LambdaEvent;
use lambda_http::lambda_runtime::Diagnostic;
use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

use crate::authorizer::{Authorizers, DOUBTED_AFTER, Refreshed};
use crate::component::REPLACEABLE_AFTER;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::retry::backoff;
use crate::services::Services;
use crate::store::{AccessToken, Reason, Record, StoreError};
use crate::time::Timestamp;
use crate::wechat::{Appid, AuthorizerAccessToken, USABLE, fresh};

/// How long a caller waits for whoever is refreshing the token.
const WAIT: Duration = Duration::from_secs(10);

/// Time reserved for sending the response.
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
pub struct ValidToken {
    /// The account.
    pub authorizer_appid: String,
    /// The platform.
    pub component_appid: String,
    /// The token.
    pub authorizer_access_token: String,
    /// When it ends, in epoch seconds.
    pub access_token_expires_at: Timestamp,
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
    #[error("no valid token is available at the moment")]
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
    pub fn new(config: &Config, services: Services) -> Self {
        let authorizers = Authorizers::new(services.clone());
        Self { services, authorizers, component_appid: config.component_appid.clone() }
    }
}

/// Answers one service.
pub async fn handle(app: &App, event: LambdaEvent<Value>) -> Result<ValidToken, TokenError> {
    let appid = event.payload["authorizer_appid"].as_str().and_then(Appid::parse);
    let appid = appid.ok_or(TokenError::InvalidRequest)?;
    let rejected = match &event.payload["rejected_access_token"] {
        Value::Null => None,
        Value::String(token) => Some(AuthorizerAccessToken::new(token)),
        _ => return Err(TokenError::InvalidRequest),
    };
    let deadline = Deadline::of(&event.context).reserving(FOR_ANSWERING);
    token(app, &appid, rejected.as_ref(), deadline).await.inspect_err(|error| {
        tracing::warn!(authorizer.appid = %appid, error = error.name(), "no token");
    })
}

async fn token(
    app: &App,
    appid: &Appid,
    rejected: Option<&AuthorizerAccessToken>,
    deadline: Deadline,
) -> Result<ValidToken, TokenError> {
    let waiting = deadline.within(WAIT);
    let mut just_refreshed = false;
    loop {
        let record = app.services.store.record(appid).await?.ok_or(TokenError::AuthorizerNotFound)?;
        if !record.is_authorized() {
            return Err(TokenError::AuthorizerUnauthorized);
        }
        let now = app.services.clock.now();
        let stored = record.access_token.as_ref();
        let access_token = stored.filter(|access_token| Some(&access_token.token) != rejected);
        let is_young = |stored: &AccessToken| now.since(stored.refreshed_at) < REPLACEABLE_AFTER;
        if access_token.is_none()
            && stored.is_some_and(|stored| is_young(stored) && !is_doubted(&record, stored, now))
        {
            tracing::warn!(
                authorizer.appid = %appid,
                advice = "fix the service if it rejects every token; otherwise another system refreshes this account",
                "a service rejects an access token that is less than a minute old"
            );
            return Err(TokenError::TemporarilyUnavailable);
        }
        if let Some(access_token) = access_token
            && (just_refreshed || is_fresh(&record, access_token, now))
        {
            return Ok(valid_token(app, appid, access_token, &record));
        }
        let refreshed = refreshed(app, appid, &record, deadline).await?;
        let now = app.services.clock.now();
        let usable = access_token.filter(|access_token| access_token.expires_at.since(now) >= USABLE);
        let certain = usable.filter(|access_token| !is_doubted(&record, access_token, now));
        // Whoever refreshes it has another one in a moment.
        if matches!(refreshed, Refreshed::NotOurs) && certain.is_none() && waiting.pause(backoff(1)).await {
            continue;
        }
        match (refreshed, usable) {
            (Refreshed::Done, _) => just_refreshed = true,
            (Refreshed::Suspected(_), _) => return Err(TokenError::AuthorizerUnauthorized),
            (_, Some(access_token)) => return Ok(valid_token(app, appid, access_token, &record)),
            (Refreshed::NotOurs, None) => return Err(TokenError::TemporarilyUnavailable),
            (_, None) if record.refresh_token.is_none() => return Err(TokenError::NoAccessToken),
            (Refreshed::Failed | Refreshed::Stopped(_), None) => {
                return Err(TokenError::TemporarilyUnavailable);
            }
        }
    }
}

/// Refreshes the token, unless somebody else does, or it is known to be of no use for now: callers must not
/// use up the calls that WeChat still accepts.
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
    let reason =
        Reason::Unusable(record.access_token.as_ref().map(|access_token| access_token.token.clone()));
    let refreshed = app.authorizers.refresh(appid, &reason, deadline).await?;
    if let Refreshed::Stopped(cause) = &refreshed {
        cause.report();
    }
    Ok(refreshed)
}

/// Whether the token may be superseded: it was due from the moment it was stored, or is since the call is over that may have
/// superseded it; or a refresh of it was left unfinished or failed.
fn is_doubted(record: &Record, access_token: &AccessToken, now: Timestamp) -> bool {
    let since = access_token.refreshed_at;
    record.refresh_at.is_some_and(|due| due <= since || due <= now && due <= since + DOUBTED_AFTER)
        || record.lease_until.is_some_and(|until| until <= now)
        || record.failed_attempts > 0 && record.refresh_at.is_some_and(|retry_at| retry_at <= now)
}

/// Whether the token can be returned as it is.
fn is_fresh(record: &Record, access_token: &AccessToken, now: Timestamp) -> bool {
    !is_doubted(record, access_token, now)
        && access_token.expires_at.since(now)
            >= fresh(access_token.expires_at.since(access_token.refreshed_at))
}

fn valid_token(app: &App, appid: &Appid, access_token: &AccessToken, record: &Record) -> ValidToken {
    ValidToken {
        authorizer_appid: appid.as_str().to_owned(),
        component_appid: app.component_appid.as_str().to_owned(),
        authorizer_access_token: access_token.token.expose().to_owned(),
        access_token_expires_at: access_token.expires_at,
        permission_set_ids: record.permission_set_ids.clone(),
    }
}
