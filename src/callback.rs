//! `GET /callback`: the redirect target. Takes the authorization code with which WeChat sends the
//! merchant's browser back, and answers with a page.

use lambda_http::http::StatusCode;
use lambda_http::{Body, Error, Request, RequestExt, Response};
use reqwest::Url;

use crate::claim::Authorization;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::exchange::{Account, Exchange, Outcome};
use crate::launch::State;
use crate::metric::{self, Door};
use crate::page::{Complete, Page};
use crate::services::Services;
use crate::time::Timestamp;
use crate::visit::{PageResponse, UNTIL_FIXED, UNTIL_TICKET, Visit, context};
use crate::wechat::AuthorizationCode;

/// What the function depends on.
#[derive(Debug)]
pub struct App {
    exchange: Exchange,
    services: Services,
    return_url: Option<Url>,
    require_state: bool,
}

impl App {
    /// An instance of the function, as a cold start makes it.
    pub fn new(config: &Config, services: Services) -> Self {
        Self {
            exchange: Exchange::new(services.clone(), Door::Callback),
            services,
            return_url: config.return_url.clone(),
            require_state: config.require_state,
        }
    }
}

/// Answers one redirect. Every fault has its page, so there is no error to return.
pub async fn handle(app: &App, request: Request) -> Result<Response<Body>, Error> {
    let visit = Visit::of("callback", &request);
    let query = request.query_string_parameters();
    let state = query.first("state").and_then(State::parse);
    let response = respond(app, &request, query.first("auth_code"), state.as_ref()).await;
    tracing::info!(status = response.status().as_u16(), "callback answered");
    Ok(visit.respond(&response, Some(&launch_url(state.as_ref()))))
}

async fn respond(app: &App, request: &Request, code: Option<&str>, state: Option<&State>) -> PageResponse {
    let event_time = app.services.clock.now();
    if let Some(response) = PageResponse::without_effect(request) {
        return response;
    }
    let code = match AuthorizationCode::parse(code.unwrap_or_default()) {
        Ok(code) => code,
        Err(reason) => {
            tracing::warn!("refused: {reason}");
            return PageResponse::page(StatusCode::BAD_REQUEST, Page::InvalidLink);
        }
    };
    if app.require_state
        && let Some(refusal) = refuse_state(app, state, event_time).await
    {
        return refusal;
    }
    metric::redirect(if state.is_some() { "present" } else { "missing" });
    let authorization = Authorization { code: &code, event_time, authorizer_appid: None, state };
    match app.exchange.run(authorization, Deadline::of(&context(request))).await {
        Outcome::Stored(account) => PageResponse::page(StatusCode::OK, complete(app, account, state)),
        Outcome::Pending => PageResponse::page(StatusCode::ACCEPTED, Page::Completing),
        Outcome::CodeInvalid => PageResponse::page(StatusCode::BAD_REQUEST, Page::InvalidLink),
        Outcome::CodeSpent => PageResponse::page(StatusCode::GONE, Page::Expired),
        Outcome::NotAuthorized => PageResponse::page(StatusCode::GONE, Page::Revoked),
        Outcome::NotReady => PageResponse::later(UNTIL_TICKET, Page::NotReady),
        Outcome::Unavailable => PageResponse::later(UNTIL_FIXED, Page::Unavailable),
        Outcome::Unclaimed(error) => {
            tracing::error!("the exchange cannot begin: {error}");
            PageResponse::later(UNTIL_FIXED, Page::Unavailable)
        }
    }
}

/// The response to a callback whose state was not launched, or not lately enough.
async fn refuse_state(app: &App, state: Option<&State>, now: Timestamp) -> Option<PageResponse> {
    let accepted = match state {
        Some(state) => app.services.store.accepts_state(state, now).await,
        None => Ok(false),
    };
    match accepted {
        Ok(true) => None,
        Ok(false) => {
            metric::redirect("refused");
            tracing::warn!(missing = state.is_none(), "refused: the state is not one that was launched");
            Some(PageResponse::page(StatusCode::FORBIDDEN, Page::StartAgain))
        }
        Err(error) => {
            tracing::error!("the state cannot be checked: {error}");
            Some(PageResponse::later(UNTIL_FIXED, Page::Unavailable))
        }
    }
}

fn complete(app: &App, account: Account, state: Option<&State>) -> Page {
    let return_url = app.return_url.clone().map(|mut url| {
        url.query_pairs_mut().append_pair("authorizer_appid", account.authorizer_appid.as_str());
        if let Some(state) = state {
            url.query_pairs_mut().append_pair("state", state.as_str());
        }
        url.into()
    });
    Page::Complete(Complete {
        authorizer_appid: account.authorizer_appid.as_str().to_owned(),
        nick_name: account.nick_name,
        permission_set_ids: account.permission_set_ids,
        has_tokens: account.has_tokens,
        return_url,
    })
}

/// The launch page beside this one, with the state that this visit came with.
fn launch_url(state: Option<&State>) -> String {
    match state {
        Some(state) => format!("authorize?state={}", state.as_str()),
        None => "authorize".to_owned(),
    }
}
