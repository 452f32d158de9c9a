//! `GET /authorize`: the launch page. Leads the merchant to WeChat's consent page.
//!
//! WeChat shows that page only to who comes from a page of the configured domain (授权发起页域名), so this is a
//! page with a plain link and not a redirect, and it is served from the host of the callback.

use std::time::Duration;

use futures_util::future::join_all;
use lambda_http::http::StatusCode;
use lambda_http::http::header::USER_AGENT;
use lambda_http::request::RequestContext;
use lambda_http::{Body, Error, Request, RequestExt, Response};
use reqwest::Url;

use crate::component::Cause;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::evidence::{Cookie, LaunchId, MadeBy, State};
use crate::launches::{Begun, Launches};
use crate::page;
use crate::page::Page;
use crate::services::Services;
use crate::store::{Launch, LaunchRequest, StoreError};
use crate::visit::{PageResponse, UNTIL_FIXED, UNTIL_TICKET, Visit, context, cookies, parameter};
use crate::wechat::Class;

/// How many launches that the visitor's cookies name are looked at to find the one that is opened again.
const MOST_REOPENED: usize = 3;

/// Time reserved for sending the response.
const FOR_ANSWERING: Duration = Duration::from_secs(1);

/// What the function depends on.
#[derive(Debug)]
pub struct App {
    services: Services,
    launches: Launches,
    public_base_url: Option<Url>,
    require_launch: bool,
}

/// What the visitor's link asks for.
enum Wanted {
    /// A launch that a service began.
    Launch(LaunchId),
    /// A launch of the visitor's own.
    New { state: Option<State>, request: LaunchRequest },
}

impl App {
    /// An instance of the function, as a cold start makes it.
    pub fn new(config: &Config, services: Services) -> Self {
        Self {
            launches: Launches::new(config, services.clone()),
            services,
            public_base_url: config.public_base_url.clone(),
            require_launch: config.require_launch,
        }
    }
}

/// Answers one visit.
pub async fn handle(app: &App, request: Request) -> Result<Response<Body>, Error> {
    let visit = Visit::of("authorize", &request);
    let response = respond(app, &request).await;
    tracing::info!(status = response.status().as_u16(), "launch page answered");
    Ok(visit.respond(&response, Some("authorize")))
}

async fn respond(app: &App, request: &Request) -> PageResponse {
    if let Some(response) = PageResponse::without_effect(request) {
        return response;
    }
    let Some(wanted) = Wanted::read(request) else {
        tracing::warn!("refused: launch, state, auth_type, biz_appid or category_id_list is malformed");
        return PageResponse::page(StatusCode::BAD_REQUEST, Page::InvalidLink);
    };
    let Some(origin) = app.public_base_url.clone().or_else(|| own_origin(request)) else {
        tracing::error!(advice = "set PUBLIC_BASE_URL", "the request does not say which host it is for");
        return PageResponse::later(UNTIL_FIXED, Page::Unavailable);
    };
    let cookies = cookies(request);
    let deadline = Deadline::of(&context(request)).reserving(FOR_ANSWERING);
    let begun = match &wanted {
        Wanted::Launch(id) => open(app, id, &cookies, deadline).await,
        Wanted::New { .. } if app.require_launch => Err(start_again()),
        Wanted::New { state, request } => begin(app, state.as_ref(), request, &cookies, deadline).await,
    };
    let (begun, launched, cookie) = match begun {
        Ok(begun) => begun,
        Err(response) => return response,
    };
    let page = page::Launch {
        pc_url: app.launches.pc_url(&begun, &launched, &origin),
        mobile_url: app.launches.mobile_url(&begun, &launched, &origin),
        prefer_mobile: is_phone(request),
    };
    let response = PageResponse::page(StatusCode::OK, Page::Launch(page));
    match cookie {
        Some(cookie) => response.with_cookie(&cookie),
        None => response,
    }
}

/// A launch to be shown: what it asks WeChat for, and the cookie that a new browser gets.
type Shown = (Begun, LaunchRequest, Option<Cookie>);

/// Opens a service's launch, which is open until its hours are over or an account has ended it.
async fn open(
    app: &App,
    id: &LaunchId,
    cookies: &[Cookie],
    deadline: Deadline,
) -> Result<Shown, PageResponse> {
    let launch = app.services.store.launch(&id.digest()).await.map_err(not_stored)?;
    let launch = launch.filter(|launch| launch.made_by == MadeBy::Service);
    let Some(launch) = launch else {
        tracing::warn!("refused: no service began this launch");
        return Err(PageResponse::page(StatusCode::FORBIDDEN, Page::StartAgain));
    };
    if launch.authorizer_appid.is_some() {
        return Err(PageResponse::see_outcome(id));
    }
    if !launch.is_open(app.services.clock.now()) {
        return Err(start_again());
    }
    let known = cookies.iter().find(|cookie| cookie.launch == *id && launch.knows(cookie));
    let opening = app.launches.open(id.clone(), &launch, known, deadline);
    let (begun, cookie) = opening.await.map_err(not_launched)?;
    Ok((begun, launch.request, cookie))
}

/// Begins a visitor's launch, or opens the one again that this browser began with the same parameters a moment ago: each
/// costs a call of WeChat.
async fn begin(
    app: &App,
    state: Option<&State>,
    request: &LaunchRequest,
    cookies: &[Cookie],
    deadline: Deadline,
) -> Result<Shown, PageResponse> {
    let now = app.services.clock.now();
    let newest = cookies.iter().rev().take(MOST_REOPENED);
    let launches = newest
        .map(|cookie| async move { (cookie, app.services.store.launch(&cookie.launch.digest()).await) });
    let is_same = |launch: &Launch, cookie: &Cookie| {
        launch.made_by == MadeBy::Visitor
            && launch.knows(cookie)
            && launch.state.as_ref() == state
            && launch.request == *request
            && launch.authorizer_appid.is_none()
            && launch.pre_auth_code.as_ref().is_some_and(|(_, reused_until)| now < *reused_until)
    };
    let again = join_all(launches).await.into_iter().find_map(|(cookie, launch)| {
        launch.ok().flatten().filter(|launch| is_same(launch, cookie)).map(|launch| (cookie, launch))
    });
    let (begun, cookie) = match again {
        Some((cookie, launch)) => {
            app.launches.open(cookie.launch.clone(), &launch, Some(cookie), deadline).await
        }
        None => app.launches.begin(MadeBy::Visitor, state, None, request, true, deadline).await,
    }
    .map_err(not_launched)?;
    Ok((begun, request.clone(), cookie))
}

fn start_again() -> PageResponse {
    tracing::warn!("refused: the visit has no open launch of a service");
    PageResponse::page(StatusCode::FORBIDDEN, Page::StartAgain)
}

fn not_stored(error: StoreError) -> PageResponse {
    tracing::error!("the launch cannot be noted: {error}");
    PageResponse::later(UNTIL_FIXED, Page::Unavailable)
}

/// The response where no launch could begin.
fn not_launched(cause: Cause) -> PageResponse {
    cause.report();
    let about_ticket = match &cause {
        Cause::Component(error) => error.is_about_ticket(),
        Cause::Call(error) => error.class() == Class::TicketRejected,
    };
    match about_ticket {
        true => PageResponse::later(UNTIL_TICKET, Page::NotReady),
        false => PageResponse::later(UNTIL_FIXED, Page::Unavailable),
    }
}

impl Wanted {
    /// The parameters, absent or empty ones as their defaults. None if one is malformed.
    fn read(request: &Request) -> Option<Self> {
        let query = request.query_string_parameters();
        let parameter = |name| parameter(&query, name);
        if let Some(id) = parameter("launch") {
            return LaunchId::parse(id).map(Self::Launch);
        }
        let ids = parameter("category_id_list").map(|ids| ids.split('|').map(str::parse).collect());
        Some(Self::New {
            state: match parameter("state") {
                Some(state) => Some(State::parse(state)?),
                None => None,
            },
            request: LaunchRequest::parse(
                parameter("auth_type").unwrap_or_default(),
                parameter("biz_appid").unwrap_or_default(),
                &ids.transpose().ok()?.unwrap_or_else(Vec::new),
            )?,
        })
    }
}

/// The origin at which this very request arrived.
fn own_origin(request: &Request) -> Option<Url> {
    let Some(RequestContext::ApiGatewayV2(context)) = request.request_context_ref() else { return None };
    Url::parse(&format!("https://{}", context.domain_name.as_deref()?)).ok()
}

/// Whether the mobile form of the consent page is the one to offer first: on phones, and inside WeChat, but
/// not inside WeChat's desktop programs, which show the form for desktops.
fn is_phone(request: &Request) -> bool {
    let agent = request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let desktop = ["WindowsWechat", "MacWechat", "Windows NT", "Macintosh", "X11"];
    let phone = ["MicroMessenger", "Mobile", "Android", "iPhone"];
    !desktop.iter().any(|mark| agent.contains(mark)) && phone.iter().any(|mark| agent.contains(mark))
}
