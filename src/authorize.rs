//! `GET /authorize`: the launch page. Leads the merchant to WeChat's consent page.
//!
//! WeChat shows that page only to who comes from a page of the configured domain (授权发起页域名), so this is a
//! page with a plain link and not a redirect, and it is served from the host of the callback.

mod wanted;

use std::time::Duration;

use futures_util::future::join_all;
use lambda_http::http::StatusCode;
use lambda_http::request::RequestContext;
use lambda_http::{Body, Error, Request, RequestExt, Response};
use reqwest::Url;

use crate::component::Cause;
use crate::config::{Config, Face};
use crate::deadline::Deadline;
use crate::evidence::{Cookie, LaunchId, MadeBy, State};
use crate::launches::{Begun, Launches, way_back};
use crate::page::{self, Page, Visitor, Way};
use crate::services::Services;
use crate::store::{Launch, LaunchRequest, StoreError};
use crate::visit::{PageResponse, Reloading, UNTIL_FIXED, UNTIL_TICKET, Visit, context, cookies};
use crate::wechat::Class;
use wanted::Wanted;

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
    return_url: Option<Url>,
    require_launch: bool,
    face: Face,
}

impl App {
    /// An instance of the function, as a cold start makes it.
    pub fn new(config: &Config, services: Services) -> Self {
        Self {
            launches: Launches::new(config, services.clone()),
            services,
            public_base_url: config.public_base_url.clone(),
            return_url: config.return_url.clone(),
            require_launch: config.require_launch,
            face: config.face.clone(),
        }
    }
}

/// Answers one visit.
pub async fn handle(app: &App, request: Request) -> Result<Response<Body>, Error> {
    let visit = Visit::of("authorize", &request);
    let response = match PageResponse::without_effect(&request) {
        Some(response) => response,
        None => respond(app, &request, visit.visitor).await,
    };
    tracing::info!(status = response.status().as_u16(), "launch page answered");
    Ok(visit.respond(&response, &app.face, Some("authorize")))
}

async fn respond(app: &App, request: &Request, visitor: Visitor) -> PageResponse {
    let Some(wanted) = Wanted::read(request) else {
        tracing::warn!("refused: launch, state, auth_type, biz_appid or category_id_list is malformed");
        return PageResponse::page(StatusCode::BAD_REQUEST, Page::InvalidLink);
    };
    let Some(origin) = app.public_base_url.clone().or_else(|| own_origin(request)) else {
        tracing::error!(advice = "set PUBLIC_BASE_URL", "the request does not say which host it is for");
        return PageResponse::later(UNTIL_FIXED, Page::Unavailable, None);
    };
    let launch_url = wanted.address(&origin);
    let here = launch_url.query().map_or("authorize".to_owned(), |query| format!("authorize?{query}"));
    let reloading = Reloading::read(here, &request.query_string_parameters());
    let deadline = app.services.component.patience(Deadline::of(&context(request)).reserving(FOR_ANSWERING));
    match launch(app, &wanted, visitor, &cookies(request), deadline).await {
        Ok(Launching::Here(begun, launched, cookie)) => {
            let pc_url = || app.launches.pc_url(&begun, &launched, &origin);
            let mobile_url = || app.launches.mobile_url(&begun, &launched, &origin);
            let way = match visitor {
                Visitor::Desktop => Way::Desktop { pc_url: pc_url(), launch_url },
                Visitor::WeChat => Way::InWeChat { mobile_url: mobile_url() },
                Visitor::Phone | Visitor::Unknown => {
                    Way::Either { pc_url: pc_url(), mobile_url: mobile_url() }
                }
            };
            let response = show(&launched, way);
            match cookie {
                Some(cookie) => response.with_cookie(&cookie),
                None => response,
            }
        }
        Ok(Launching::InWeChat(launched)) => show(&launched, Way::ThroughWeChat { launch_url }),
        Err(NoLaunch::Answered(response)) => response,
        Err(NoLaunch::NotStored(error)) => {
            tracing::error!("the launch cannot be noted: {error}");
            PageResponse::later(UNTIL_FIXED, Page::Unavailable, Some(&reloading))
        }
        Err(NoLaunch::NotBegun(cause)) => not_begun(&cause, &reloading),
    }
}

fn show(launched: &LaunchRequest, way: Way) -> PageResponse {
    let auth_type = launched.biz_appid.is_none().then(|| launched.auth_type.clone());
    PageResponse::page(StatusCode::OK, Page::Launch(page::Launch { auth_type, way }))
}

/// A launch to be shown.
enum Launching {
    /// From here: what it asks WeChat for, and the cookie that a new browser gets.
    Here(Begun, LaunchRequest, Option<Cookie>),
    /// Inside WeChat, which this browser is not: it begins there, and costs nothing before.
    InWeChat(LaunchRequest),
}

/// Why no launch is shown.
enum NoLaunch {
    /// There is another answer.
    Answered(PageResponse),
    /// The table does not answer.
    NotStored(StoreError),
    /// There is no `pre_auth_code`, or it cannot be noted.
    NotBegun(Cause),
}

async fn launch(
    app: &App,
    wanted: &Wanted,
    visitor: Visitor,
    cookies: &[Cookie],
    deadline: Deadline,
) -> Result<Launching, NoLaunch> {
    match wanted {
        Wanted::Launch(id) => {
            let launch = find(app, id).await?;
            match visitor {
                Visitor::Phone => Ok(Launching::InWeChat(launch.request)),
                _ => open(app, id, &launch, cookies, deadline).await,
            }
        }
        Wanted::New { .. } if app.require_launch => Err(start_again(app, None)),
        Wanted::New { request, .. } if visitor == Visitor::Phone => Ok(Launching::InWeChat(request.clone())),
        Wanted::New { state, request } => begin(app, state.as_ref(), request, cookies, deadline).await,
    }
}

/// Finds a service's launch, which is open until its hours are over or an account has ended it. If that account has revoked
/// since, it may authorize again.
async fn find(app: &App, id: &LaunchId) -> Result<Launch, NoLaunch> {
    let launch = app.services.store.launch(&id.digest()).await.map_err(NoLaunch::NotStored)?;
    let launch = launch.filter(|launch| launch.made_by == MadeBy::Service);
    let Some(launch) = launch else {
        tracing::warn!("refused: no service began this launch");
        let return_url = way_back(app.return_url.as_ref(), None);
        let page = Page::StartAgain { return_url };
        return Err(NoLaunch::Answered(PageResponse::page(StatusCode::FORBIDDEN, page)));
    };
    if let Some(appid) = &launch.authorizer_appid {
        let record = app.services.store.record(appid).await.map_err(NoLaunch::NotStored)?;
        if record.is_none_or(|record| launch.holds(&record)) {
            return Err(NoLaunch::Answered(PageResponse::see_outcome(id)));
        }
    }
    if !launch.is_open(app.services.clock.now()) {
        return Err(start_again(app, Some((id, &launch))));
    }
    Ok(launch)
}

async fn open(
    app: &App,
    id: &LaunchId,
    launch: &Launch,
    cookies: &[Cookie],
    deadline: Deadline,
) -> Result<Launching, NoLaunch> {
    let known = cookies.iter().find(|cookie| cookie.launch == *id && launch.knows(cookie));
    let opening = app.launches.open(id.clone(), launch, known, deadline);
    let (begun, cookie) = opening.await.map_err(NoLaunch::NotBegun)?;
    Ok(Launching::Here(begun, launch.request.clone(), cookie))
}

/// Begins a visitor's launch, or opens the one again that this browser began with the same parameters a moment ago: each
/// costs a call of WeChat.
async fn begin(
    app: &App,
    state: Option<&State>,
    request: &LaunchRequest,
    cookies: &[Cookie],
    deadline: Deadline,
) -> Result<Launching, NoLaunch> {
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
    .map_err(NoLaunch::NotBegun)?;
    Ok(Launching::Here(begun, request.clone(), cookie))
}

fn start_again(app: &App, launch: Option<(&LaunchId, &Launch)>) -> NoLaunch {
    tracing::warn!("refused: the visit has no open launch of a service");
    let return_url = way_back(app.return_url.as_ref(), launch);
    NoLaunch::Answered(PageResponse::page(StatusCode::FORBIDDEN, Page::StartAgain { return_url }))
}

/// The response where no launch could begin.
fn not_begun(cause: &Cause, reloading: &Reloading) -> PageResponse {
    cause.report();
    let about_ticket = match cause {
        Cause::Component(error) => error.is_about_ticket(),
        Cause::Call(error) => error.class() == Class::TicketRejected,
    };
    match about_ticket {
        true => PageResponse::later(UNTIL_TICKET, Page::NotReady, Some(reloading)),
        false => PageResponse::later(UNTIL_FIXED, Page::Unavailable, Some(reloading)),
    }
}

/// The origin at which this very request arrived.
fn own_origin(request: &Request) -> Option<Url> {
    let Some(RequestContext::ApiGatewayV2(context)) = request.request_context_ref() else { return None };
    Url::parse(&format!("https://{}", context.domain_name.as_deref()?)).ok()
}
