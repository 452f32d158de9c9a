//! `launch`, invoked by services with IAM permission: begins a launch that the platform vouches for, and tells what
//! became of one.

use std::time::Duration;

use lambda_http::LambdaEvent;
use lambda_http::lambda_runtime::Diagnostic;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::config::Config;
use crate::deadline::Deadline;
use crate::evidence::{LaunchId, MadeBy, State};
use crate::launches::Launches;
use crate::runner::object;
use crate::services::Services;
use crate::store::{LAUNCH_LIFE, LaunchRequest, StoreError};
use crate::time::Timestamp;

/// Time reserved for sending the response.
const FOR_ANSWERING: Duration = Duration::from_secs(1);

/// The longest `return_url`, in bytes.
const LONGEST_RETURN_URL: usize = 2048;

/// What the function depends on.
#[derive(Debug)]
pub struct App {
    services: Services,
    launches: Launches,
    component_appid: String,
    public_base_url: Option<Url>,
    return_url_prefix: Option<Url>,
}

/// What a service asks for. All of it may be absent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    #[serde(default)]
    launch_id: Option<String>,
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    auth_type: Option<String>,
    #[serde(default)]
    biz_appid: Option<String>,
    #[serde(default)]
    category_id_list: Vec<u32>,
    #[serde(default)]
    return_url: Option<String>,
}

/// The answer.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Response {
    /// A launch that has begun.
    Begun {
        /// Its id: for the service to keep, in the session of whoever it is for.
        launch_id: String,
        /// The launch page.
        launch_url: String,
        /// For the mini-program plugin, which needs no page.
        pre_auth_code: String,
        /// WeChat's consent page for desktops, to be opened from a page of the same host.
        pc_url: String,
        /// WeChat's consent page inside WeChat.
        mobile_url: String,
        /// Until when it may be opened and ended, in epoch seconds.
        expires_at: Timestamp,
    },
    /// What became of a launch.
    Outcome {
        /// `open`, `authorized`, `unauthorized` (revoked since) or `expired`.
        status: &'static str,
        /// The account that ended it.
        authorizer_appid: Option<String>,
        /// The platform.
        component_appid: String,
        /// What the launch was begun with.
        state: Option<String>,
        /// How it is known that the account belongs to it: `browser` or `launch`.
        bound: Option<&'static str>,
        /// What the merchant granted.
        permission_set_ids: Option<Vec<i64>>,
    },
}

/// Why there is no answer. The variant's name is the `errorType` of the invocation.
#[derive(Debug, Error)]
pub enum LaunchError {
    /// There never was such a launch, or it is too long ago.
    #[error("no launch with this id is known")]
    LaunchNotFound,
    /// Try again in a moment.
    #[error("no launch can begin at the moment")]
    TemporarilyUnavailable,
    /// The request is not what it should be.
    #[error(
        "expected {{\"launch_id\": …}}, or any of state, auth_type, biz_appid, category_id_list and a return_url below \
         RETURN_URL_PREFIX"
    )]
    InvalidRequest,
}

impl From<LaunchError> for Diagnostic {
    fn from(error: LaunchError) -> Self {
        let name = match error {
            LaunchError::LaunchNotFound => "LaunchNotFound",
            LaunchError::TemporarilyUnavailable => "TemporarilyUnavailable",
            LaunchError::InvalidRequest => "InvalidRequest",
        };
        Self { error_type: name.to_owned(), error_message: error.to_string() }
    }
}

impl From<StoreError> for LaunchError {
    fn from(error: StoreError) -> Self {
        tracing::error!("{error}");
        Self::TemporarilyUnavailable
    }
}

impl App {
    /// An instance of the function, as a cold start makes it.
    pub fn new(config: &Config, services: Services) -> Self {
        Self {
            launches: Launches::new(config, services.clone()),
            services,
            component_appid: config.component_appid.as_str().to_owned(),
            public_base_url: config.public_base_url.clone(),
            return_url_prefix: config.return_url_prefix.clone(),
        }
    }
}

/// Answers one service.
pub async fn handle(app: &App, event: LambdaEvent<Value>) -> Result<Response, LaunchError> {
    let deadline = Deadline::of(&event.context).reserving(FOR_ANSWERING);
    let request: Request = object(event.payload).ok_or(LaunchError::InvalidRequest)?;
    match &request.launch_id {
        Some(id) => tell(app, LaunchId::parse(id).ok_or(LaunchError::InvalidRequest)?).await,
        None => begin(app, &request, deadline).await,
    }
}

async fn begin(app: &App, request: &Request, deadline: Deadline) -> Result<Response, LaunchError> {
    let state = request.state.as_deref().map(|state| State::parse(state).ok_or(LaunchError::InvalidRequest));
    let state = state.transpose()?;
    let wanted = LaunchRequest::parse(
        request.auth_type.as_deref().unwrap_or_default(),
        request.biz_appid.as_deref().unwrap_or_default(),
        &request.category_id_list,
    );
    let wanted = wanted.ok_or(LaunchError::InvalidRequest)?;
    let return_url = request.return_url.as_deref();
    if let Some(url) = return_url
        && !is_below(url, app.return_url_prefix.as_ref())
    {
        return Err(LaunchError::InvalidRequest);
    }
    let Some(origin) = &app.public_base_url else {
        tracing::error!(
            advice = "set PUBLIC_BASE_URL",
            "no launch can begin: the address of its page is unknown"
        );
        return Err(LaunchError::TemporarilyUnavailable);
    };
    let beginning = app.launches.begin(MadeBy::Service, state.as_ref(), return_url, &wanted, false, deadline);
    let (begun, _) = beginning.await.map_err(|cause| {
        cause.report();
        LaunchError::TemporarilyUnavailable
    })?;
    tracing::info!("launch begun");
    let mut launch_url = origin.clone();
    launch_url.set_path("/authorize");
    launch_url.query_pairs_mut().append_pair("launch", begun.id.as_str());
    Ok(Response::Begun {
        launch_id: begun.id.as_str().to_owned(),
        launch_url: launch_url.into(),
        pre_auth_code: begun.pre_auth_code.expose().to_owned(),
        pc_url: app.launches.pc_url(&begun, &wanted, origin),
        mobile_url: app.launches.mobile_url(&begun, &wanted, origin),
        expires_at: begun.began + LAUNCH_LIFE,
    })
}

async fn tell(app: &App, id: LaunchId) -> Result<Response, LaunchError> {
    let launch = app.services.store.launch(&id.digest()).await?;
    // What a visitor began says nothing that a service could rely on.
    let launch = launch.filter(|launch| launch.made_by == MadeBy::Service);
    let launch = launch.ok_or(LaunchError::LaunchNotFound)?;
    let record = match &launch.authorizer_appid {
        Some(appid) => app.services.store.record(appid).await?,
        None => None,
    };
    let status = match (&launch.authorizer_appid, &record) {
        (Some(_), Some(record)) if launch.holds(record) => "authorized",
        (Some(_), _) => "unauthorized",
        (None, _) if launch.is_open(app.services.clock.now()) => "open",
        (None, _) => "expired",
    };
    Ok(Response::Outcome {
        status,
        authorizer_appid: launch.authorizer_appid.map(|appid| appid.as_str().to_owned()),
        component_appid: app.component_appid.clone(),
        state: launch.state.map(|state| state.as_str().to_owned()),
        bound: launch.bound.map(|bound| bound.as_str()),
        permission_set_ids: record.filter(|_| status == "authorized").map(|record| record.permission_set_ids),
    })
}

/// Whether `url` is not too long, on the prefix's origin and below its path, so that no launch sends a merchant elsewhere.
fn is_below(url: &str, prefix: Option<&Url>) -> bool {
    if url.len() > LONGEST_RETURN_URL {
        return false;
    }
    let (Some(url), Some(prefix)) = (Url::parse(url).ok(), prefix) else { return false };
    let path = prefix.path().trim_end_matches('/');
    let below = url.path().strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    url.origin() == prefix.origin() && url.username().is_empty() && url.password().is_none() && below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_return_url_stays_below_its_prefix() {
        let prefix = Url::parse("https://shop.example/wechat/").expect("a URL");
        for (url, expected) in [
            ("https://shop.example/wechat", true),
            ("https://shop.example/wechat/done?x=1", true),
            ("https://shop.example/wechatter", false),
            ("https://shop.example/", false),
            ("https://shop.example/wechat/../admin", false),
            ("https://shop.example.evil.example/wechat/", false),
            ("https://shop.example@evil.example/wechat/", false),
            ("http://shop.example/wechat/", false),
            ("javascript:alert(1)", false),
        ] {
            assert_eq!(is_below(url, Some(&prefix)), expected, "{url}");
            assert!(!is_below(url, None));
        }
        let of_length = |length: usize| format!("https://shop.example/wechat/{}", "x".repeat(length - 28));
        assert!(is_below(&of_length(2048), Some(&prefix)) && !is_below(&of_length(2049), Some(&prefix)));
    }
}
