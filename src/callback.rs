//! `GET /callback`: the redirect target. Takes the authorization code with which WeChat sends the
//! merchant's browser back, and answers with a page.

mod budget;
mod completing;
mod outcome;

use std::time::Duration;

use lambda_http::http::StatusCode;
use lambda_http::{Body, Error, Request, RequestExt, Response};
use reqwest::Url;

use crate::claim::Authorization;
use crate::config::{Config, Face};
use crate::deadline::Deadline;
use crate::evidence::{Binding, Bound, Cookie, Evidence, LaunchId, MadeBy};
use crate::exchange::{Exchange, Looked, Outcome, Shown};
use crate::launches::way_back;
use crate::metric::{self, Door};
use crate::page::Page;
use crate::services::Services;
use crate::store::{Launch, StoreError};
use crate::visit::{PageResponse, UNTIL_FIXED, UNTIL_TICKET, Visit, context, cookies, parameter};
use crate::wechat::AuthorizationCode;
use budget::Budget;
use completing::Waiting;

/// After how many seconds a visit may find an allowance again.
const UNTIL_ALLOWED: u32 = 60;

/// A visit with less time is not begun: it could not finish.
const SHORTEST: Duration = Duration::from_secs(1);

/// What the function depends on.
#[derive(Debug)]
pub struct App {
    exchange: Exchange,
    services: Services,
    return_url: Option<Url>,
    require_launch: bool,
    budget: Budget,
    face: Face,
}

impl App {
    /// An instance of the function, as a cold start makes it.
    pub fn new(config: &Config, services: Services) -> Self {
        Self {
            exchange: Exchange::new(services.clone(), Door::Callback),
            budget: Budget::new(config, services.store.clone()),
            services,
            return_url: config.return_url.clone(),
            require_launch: config.require_launch,
            face: config.face.clone(),
        }
    }
}

/// Answers one redirect. Every fault has its page, so there is no error to return.
pub async fn handle(app: &App, request: Request) -> Result<Response<Body>, Error> {
    let visit = Visit::of("callback", &request);
    let (response, launch_url) = match PageResponse::without_effect(&request) {
        Some(response) => (response, None),
        None => respond(app, &request).await,
    };
    tracing::info!(status = response.status().as_u16(), "callback answered");
    Ok(visit.respond(&response, &app.face, Some(launch_url.as_deref().unwrap_or("authorize"))))
}

/// A code that a visit brings, and who vouches for it.
struct Brought {
    code: AuthorizationCode,
    evidence: Evidence,
    /// The launch that the visit names, if it may end with this code.
    launch: Option<(LaunchId, Launch)>,
    /// What the grant is bound to: that launch, or one that is made after a bare visit has exchanged the code.
    binding: Binding,
    /// The cookie that may see the account, and whether the browser has it already.
    cookie: (Cookie, bool),
}

/// The response, and the launch page that a failure page leads back to.
async fn respond(app: &App, request: &Request) -> (PageResponse, Option<String>) {
    let query = request.query_string_parameters();
    let id = parameter(&query, "launch").and_then(LaunchId::parse);
    let Some(code) = parameter(&query, "auth_code") else {
        return match Waiting::read(&query) {
            Some(waiting) => outcome::show(app, &waiting, request).await,
            None => (refuse("no authorization code"), None),
        };
    };
    let code = match AuthorizationCode::of_redirect(code) {
        Ok(code) => code,
        Err(reason) => return (refuse(reason), None),
    };
    match vouch(app, code, id, &cookies(request)).await {
        Ok(brought) => {
            let launch_url = brought.launch.as_ref().map(|(id, launch)| launch_url(id, launch));
            (exchange(app, request, &brought).await, launch_url)
        }
        Err(response) => (response, None),
    }
}

fn refuse(reason: impl std::fmt::Display) -> PageResponse {
    tracing::warn!("refused: {reason}");
    PageResponse::page(StatusCode::BAD_REQUEST, Page::InvalidLink)
}

/// Finds out who vouches for the code, before any quota is used for it.
async fn vouch(
    app: &App,
    code: AuthorizationCode,
    id: Option<LaunchId>,
    cookies: &[Cookie],
) -> Result<Brought, PageResponse> {
    let now = app.services.clock.now();
    let noted = match &id {
        Some(id) => app.services.store.note_code(&id.digest(), &code.digest(), now).await,
        None => Ok(None),
    };
    let noted = noted.map_err(|error| {
        tracing::error!("the launch cannot be read: {error}");
        PageResponse::later(UNTIL_FIXED, Page::Unavailable, None)
    })?;
    let launch = id.zip(noted).map(|(id, (launch, vouches))| (id, launch, vouches));
    let evidence = match &launch {
        Some((_, launch, true)) => launch.made_by.evidence(),
        _ => Evidence::Bare,
    };
    if app.require_launch && !evidence.is_vouched() {
        metric::redirect("refused");
        tracing::warn!(
            missing = launch.is_none(),
            "refused: no open launch of a service vouches for the code"
        );
        // The platform knows nothing about a launch that no service began.
        let services = launch.as_ref().filter(|(_, launch, _)| launch.made_by == MadeBy::Service);
        let return_url = way_back(app.return_url.as_ref(), services.map(|(id, launch, _)| (id, launch)));
        return Err(PageResponse::page(StatusCode::FORBIDDEN, Page::StartAgain { return_url }));
    }
    let (id, launch) = match launch {
        Some((id, launch, true)) => (id, launch),
        // A launch that is over, or had other codes, has a page. Nothing of it is written.
        launch => return Ok(of_no_launch(code, launch.map(|(id, launch, _)| (id, launch)))),
    };
    let own = cookies.iter().find(|cookie| cookie.launch == id);
    let bound = if own.is_some_and(|own| launch.knows(own)) { Bound::Browser } else { Bound::Launch };
    metric::redirect(match (evidence, bound) {
        (Evidence::Bare, _) => "bare",
        (_, Bound::Browser) => "browser",
        (Evidence::Visitor, _) => "visitor",
        _ => "launch",
    });
    let cookie = match own {
        Some(cookie) => (cookie.clone(), true),
        None => (Cookie::random(&id), false),
    };
    let binding = launch.binding(bound, Some(&cookie.0));
    Ok(Brought { code, evidence, launch: Some((id, launch)), binding, cookie })
}

/// A code that no launch vouches for: its visitor alone may see what it brings. `launch` is the one of the address.
fn of_no_launch(code: AuthorizationCode, launch: Option<(LaunchId, Launch)>) -> Brought {
    metric::redirect("bare");
    let receipt = Cookie::random(&LaunchId::random());
    let binding = Binding {
        launch: receipt.launch.digest(),
        made_by: MadeBy::Visit,
        state: None,
        bound: None,
        viewer: Some(receipt.digest()),
    };
    Brought { code, evidence: Evidence::Bare, launch, binding, cookie: (receipt, false) }
}

/// Exchanges the code, or waits for the push where its allowance is used up, and makes a page of the outcome.
async fn exchange(app: &App, request: &Request, brought: &Brought) -> PageResponse {
    let deadline = app.services.component.patience(Deadline::of(&context(request)));
    if deadline.remaining() < SHORTEST {
        tracing::error!("the exchange cannot begin: no time is left");
        return PageResponse::later(UNTIL_FIXED, Page::Unavailable, None);
    }
    let authorization = Authorization {
        code: &brought.code,
        event_time: app.services.clock.now(),
        authorizer_appid: None,
        evidence: brought.evidence,
        binding: Some(&brought.binding),
    };
    let outcome = match run(app, authorization, deadline).await {
        Ok(Some(outcome)) => outcome,
        // Nothing about the code is stored, so the address that contains it must be loaded again.
        Ok(None) => return PageResponse::later(UNTIL_ALLOWED, Page::Unavailable, None),
        Err(error) => Outcome::Unclaimed(error),
    };
    let ended = brought.launch.as_ref().filter(|(_, launch)| launch.authorizer_appid.is_some());
    let response = match (outcome, ended) {
        (Outcome::Stored(_, Shown::Launch), _) => PageResponse::see_outcome(&brought.cookie.0.launch),
        (Outcome::Stored(account, Shown::Here), _) => {
            PageResponse::page(StatusCode::OK, outcome::complete(app, Some(account), None))
        }
        (Outcome::Stored(_, Shown::Elsewhere), _) => {
            PageResponse::page(StatusCode::OK, outcome::complete(app, None, None))
        }
        // WeChat sometimes repeats a redirect with another code: the launch has its outcome anyway.
        (Outcome::CodeSpent | Outcome::CodeInvalid, Some((id, _))) => PageResponse::see_outcome(id),
        (Outcome::CodeSpent | Outcome::CodeInvalid, None) if ended_meanwhile(app, brought).await => {
            PageResponse::see_outcome(&brought.cookie.0.launch)
        }
        (outcome, _) => {
            let launch = brought.launch.as_ref().map(|(id, launch)| (id, launch));
            let waiting = Waiting::for_code(launch.map(|(id, _)| id), &brought.code.digest());
            failure(app, &waiting, launch, outcome)
        }
    };
    if brought.cookie.1 { response } else { response.with_cookie_if_seen(&brought.cookie.0) }
}

/// Whether a push has ended the visit's launch while its own code was looked at.
async fn ended_meanwhile(app: &App, brought: &Brought) -> bool {
    let Some((_, launch)) = &brought.launch else { return false };
    let launch = app.services.store.launch(&launch.digest).await;
    launch.ok().flatten().is_some_and(|launch| launch.authorizer_appid.is_some())
}

/// The outcome of a visit's code; none if the allowance is used up and nobody has claimed the code.
async fn run(
    app: &App,
    authorization: Authorization<'_>,
    deadline: Deadline,
) -> Result<Option<Outcome>, StoreError> {
    if authorization.evidence.is_vouched() {
        return Ok(Some(app.exchange.run(authorization, deadline).await));
    }
    match app.exchange.look(&authorization.code.digest(), authorization.binding).await? {
        Looked::Known(Outcome::Pending) => return app.budget.wait(app, authorization, deadline).await,
        Looked::Known(outcome) => return Ok(Some(outcome)),
        Looked::Unclaimed | Looked::Open => {}
    }
    if app.budget.take(app.services.clock.now()).await? {
        return Ok(Some(app.exchange.run(authorization, deadline).await));
    }
    metric::over_budget();
    tracing::warn!(
        advice = "raise UnvouchedPerDay, or let services begin the launches",
        "not exchanged: the allowance of visits without a service's launch is used up"
    );
    app.budget.wait(app, authorization, deadline).await
}

/// The page of an exchange that stored nothing.
fn failure(
    app: &App,
    waiting: &Waiting,
    launch: Option<(&LaunchId, &Launch)>,
    outcome: Outcome,
) -> PageResponse {
    match outcome {
        Outcome::Stored(..) | Outcome::Pending => waiting.page(),
        Outcome::CodeInvalid => PageResponse::page(StatusCode::BAD_REQUEST, Page::InvalidLink),
        Outcome::CodeSpent => PageResponse::page(StatusCode::GONE, Page::Expired),
        Outcome::Unmatched => {
            let return_url = way_back(app.return_url.as_ref(), launch);
            PageResponse::page(StatusCode::GONE, Page::Unmatched { return_url })
        }
        Outcome::NotAuthorized => PageResponse::page(StatusCode::GONE, Page::Revoked),
        Outcome::NotReady => waiting.later(UNTIL_TICKET, Page::NotReady),
        Outcome::Unavailable => waiting.later(UNTIL_FIXED, Page::Unavailable),
        // Nothing is stored: only the address has the code.
        Outcome::Unclaimed(error) => {
            tracing::error!("the exchange cannot begin: {error}");
            PageResponse::later(UNTIL_FIXED, Page::Unavailable, None)
        }
    }
}

/// The page on which a launch begins again.
fn launch_url(id: &LaunchId, launch: &Launch) -> String {
    match (launch.made_by, &launch.state) {
        (MadeBy::Service, _) => format!("authorize?launch={}", id.as_str()),
        (_, Some(state)) => format!("authorize?state={}", state.as_str()),
        (_, None) => "authorize".to_owned(),
    }
}
