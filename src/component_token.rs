//! `component_token`, invoked by services with IAM permission: the platform's own token. Whoever has it can list the
//! refresh token of every merchant, so IAM grants this function apart from `token`.

use std::time::Duration;

use lambda_http::LambdaEvent;
use lambda_http::lambda_runtime::Diagnostic;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::component::{ComponentError, report};
use crate::config::Config;
use crate::deadline::Deadline;
use crate::runner::object;
use crate::services::Services;
use crate::time::Timestamp;
use crate::wechat::ComponentAccessToken;

/// Time reserved for sending the response.
const FOR_ANSWERING: Duration = Duration::from_secs(1);

/// What the function depends on.
#[derive(Debug)]
pub struct App {
    services: Services,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    #[serde(default)]
    rejected_component_access_token: Option<String>,
}

/// The platform's token.
#[derive(Serialize)]
pub struct ValidComponentToken {
    /// The platform.
    pub component_appid: String,
    /// The token.
    pub component_access_token: String,
    /// When it ends, in epoch seconds.
    pub component_access_token_expires_at: Timestamp,
}

/// Why there is no token. The variant's name is the `errorType` of the invocation.
#[derive(Debug, Error)]
pub enum ComponentTokenError {
    /// Try again in a moment.
    #[error("no valid component token is available at the moment")]
    TemporarilyUnavailable,
    /// The request is not what it should be.
    #[error("expected {{}}, with \"rejected_component_access_token\" where WeChat refused one")]
    InvalidRequest,
}

impl From<ComponentTokenError> for Diagnostic {
    fn from(error: ComponentTokenError) -> Self {
        let error_type = match error {
            ComponentTokenError::TemporarilyUnavailable => "TemporarilyUnavailable",
            ComponentTokenError::InvalidRequest => "InvalidRequest",
        };
        Self { error_type: error_type.to_owned(), error_message: error.to_string() }
    }
}

impl From<ComponentError> for ComponentTokenError {
    fn from(error: ComponentError) -> Self {
        report(&error);
        Self::TemporarilyUnavailable
    }
}

impl App {
    /// An instance of the function, as a cold start makes it.
    pub fn new(_config: &Config, services: Services) -> Self {
        Self { services }
    }
}

/// Answers one service.
pub async fn handle(
    app: &App,
    event: LambdaEvent<Value>,
) -> Result<ValidComponentToken, ComponentTokenError> {
    let request: Request = object(event.payload).ok_or(ComponentTokenError::InvalidRequest)?;
    let rejected = request.rejected_component_access_token.map(ComponentAccessToken::new);
    let deadline = Deadline::of(&event.context).reserving(FOR_ANSWERING);
    let token = app.services.component.stored(rejected.as_ref(), deadline).await?;
    Ok(ValidComponentToken {
        component_appid: app.services.store.component_appid().as_str().to_owned(),
        component_access_token: token.component_access_token.expose().to_owned(),
        component_access_token_expires_at: token.expires_at,
    })
}
