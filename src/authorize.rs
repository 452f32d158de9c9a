//! `GET /authorize`: the launch page. Leads the merchant to WeChat's consent page.
//!
//! WeChat shows that page only to who comes from a page of the configured domain (授权发起页域名), so this is a
//! page with a plain link and not a redirect, and it is served from the host of the callback.

use std::time::Duration;

use lambda_http::http::StatusCode;
use lambda_http::http::header::USER_AGENT;
use lambda_http::request::RequestContext;
use lambda_http::{Body, Error, Request, RequestExt, Response};
use reqwest::Url;

use crate::component::Cause;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::launch::State;
use crate::page::{Launch, Page};
use crate::services::Services;
use crate::visit::{PageResponse, UNTIL_FIXED, UNTIL_TICKET, Visit, context};
use crate::wechat::{Appid, Class, ComponentAccessToken, PreAuthCode};

/// What the merchant may authorize: 3 is Official Accounts and Mini Programs.
const USUAL_AUTH_TYPE: &str = "3";

/// The values of `auth_type` that WeChat defines.
const AUTH_TYPES: [&str; 7] = ["1", "2", "3", "4", "5", "6", "8"];

/// Time reserved for sending the response.
const FOR_ANSWERING: Duration = Duration::from_secs(1);

/// What the function depends on.
#[derive(Debug)]
pub struct App {
    component_appid: Appid,
    services: Services,
    pc_base_url: Url,
    mobile_base_url: Url,
    public_base_url: Option<Url>,
    require_state: bool,
}

impl App {
    /// An instance of the function, as a cold start makes it.
    pub fn new(config: &Config, services: Services) -> Self {
        Self {
            component_appid: config.component_appid.clone(),
            services,
            pc_base_url: config.wechat_pc_base_url.clone(),
            mobile_base_url: config.wechat_mobile_base_url.clone(),
            public_base_url: config.public_base_url.clone(),
            require_state: config.require_state,
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
    let Some(wanted) = LaunchRequest::read(request) else {
        tracing::warn!("refused: state, auth_type or biz_appid is malformed");
        return PageResponse::page(StatusCode::BAD_REQUEST, Page::InvalidLink);
    };
    let Some(origin) = app.public_base_url.clone().or_else(|| own_origin(request)) else {
        tracing::error!(advice = "set PUBLIC_BASE_URL", "the request does not say which host it is for");
        return PageResponse::later(UNTIL_FIXED, Page::Unavailable);
    };
    // Without a state of its own a launch could not be told from a forged redirect.
    let state = wanted.state.clone().or_else(|| app.require_state.then(State::random));
    let deadline = Deadline::of(&context(request)).reserving(FOR_ANSWERING);
    let create = |token: ComponentAccessToken, limit| async move {
        app.services.wechat.create_pre_auth_code(&token, limit).await
    };
    let pre_auth_code = match app.services.component.call(None, deadline, create).await {
        Ok((code, _)) => code,
        Err(failure) => return not_launched(failure.cause),
    };
    if let Some(state) = &state
        && let Err(error) =
            app.services.store.put_launch(&pre_auth_code, state, app.services.clock.now()).await
    {
        tracing::error!("the launch cannot be noted: {error}");
        return PageResponse::later(UNTIL_FIXED, Page::Unavailable);
    }
    let page = Launch {
        pc_url: app.pc_url(&wanted, &pre_auth_code, &origin, state.as_ref()),
        mobile_url: app.mobile_url(&wanted, &pre_auth_code, &origin, state.as_ref()),
        prefer_mobile: is_phone(request),
    };
    PageResponse::page(StatusCode::OK, Page::Launch(page))
}

/// The response where WeChat gave no `pre_auth_code`.
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

/// What the visitor's link asks for.
struct LaunchRequest {
    state: Option<State>,
    auth_type: String,
    biz_appid: Option<Appid>,
}

impl LaunchRequest {
    /// The parameters, absent or empty ones as their defaults. None if one is malformed.
    fn read(request: &Request) -> Option<Self> {
        let query = request.query_string_parameters();
        let parameter = |name| query.first(name).filter(|value| !value.is_empty());
        let auth_type = parameter("auth_type").unwrap_or(USUAL_AUTH_TYPE);
        Some(Self {
            state: match parameter("state") {
                Some(state) => Some(State::parse(state)?),
                None => None,
            },
            auth_type: AUTH_TYPES.contains(&auth_type).then(|| auth_type.to_owned())?,
            biz_appid: match parameter("biz_appid") {
                Some(appid) => Some(Appid::parse_component(appid)?),
                None => None,
            },
        })
    }
}

impl App {
    fn pc_url(
        &self,
        wanted: &LaunchRequest,
        code: &PreAuthCode,
        origin: &Url,
        state: Option<&State>,
    ) -> String {
        let mut url = self.pc_base_url.clone();
        url.set_path("/cgi-bin/componentloginpage");
        self.add_query(&mut url, wanted, code, origin, state);
        url.into()
    }

    fn mobile_url(
        &self,
        wanted: &LaunchRequest,
        code: &PreAuthCode,
        origin: &Url,
        state: Option<&State>,
    ) -> String {
        let mut url = self.mobile_base_url.clone();
        url.set_path("/wxaopen/safe/bindcomponent");
        url.query_pairs_mut().append_pair("action", "bindcomponent").append_pair("no_scan", "1");
        self.add_query(&mut url, wanted, code, origin, state);
        url.set_fragment(Some("wechat_redirect"));
        url.into()
    }

    fn add_query(
        &self,
        url: &mut Url,
        wanted: &LaunchRequest,
        code: &PreAuthCode,
        origin: &Url,
        state: Option<&State>,
    ) {
        let mut redirect_uri = origin.clone();
        redirect_uri.set_path("/callback");
        if let Some(state) = state {
            redirect_uri.query_pairs_mut().append_pair("state", state.as_str());
        }
        let mut query = url.query_pairs_mut();
        query
            .append_pair("component_appid", self.component_appid.as_str())
            .append_pair("pre_auth_code", code.expose())
            .append_pair("redirect_uri", redirect_uri.as_str())
            .append_pair("auth_type", &wanted.auth_type);
        if let Some(appid) = &wanted.biz_appid {
            query.append_pair("biz_appid", appid.as_str());
        }
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
