//! A browser's visit: what it asks for, and how it is answered. The same for every page.

mod reloading;

use std::time::Instant;

use lambda_http::aws_lambda_events::query_map::QueryMap;
use lambda_http::http::header::{
    ACCEPT_LANGUAGE, ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, LOCATION,
    REFERRER_POLICY, REFRESH, RETRY_AFTER, SET_COOKIE, STRICT_TRANSPORT_SECURITY, USER_AGENT,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use lambda_http::http::{HeaderValue, Method, StatusCode};
use lambda_http::{Body, Context, Request, RequestExt, Response};

use crate::config::Face;
use crate::evidence::{Cookie, LaunchId};
use crate::metric;
use crate::page::{Frame, GoingOn, Language, Page, Visitor, content_security_policy};
pub(crate) use reloading::Reloading;

/// When a visitor comes back to a platform that has no ticket yet, in seconds: WeChat pushes one every ten
/// minutes.
pub(crate) const UNTIL_TICKET: u32 = 600;

/// When a visitor comes back after a fault that an operator fixes, in seconds.
pub(crate) const UNTIL_FIXED: u32 = 60;

/// How long a reference is: short enough to be read aloud, and no two of a day's visits share one.
const REFERENCE_CHARS: usize = 8;

/// How often a page of a passing fault reloads itself.
const MOST_RELOADS: usize = 10;

/// Who visits.
#[derive(Debug)]
pub(crate) struct Visit {
    /// Which page is visited.
    name: &'static str,
    began: Instant,
    language: Language,
    /// What the page is opened in.
    pub visitor: Visitor,
    /// On the page for the visitor, in every log line for the operator.
    reference: String,
}

/// The response to a visit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PageResponse {
    /// A page.
    Page {
        /// The HTTP status.
        status: StatusCode,
        /// The page.
        page: Page,
        /// `Retry-After`, in seconds.
        retry_after: Option<u32>,
        /// `Refresh`.
        going_on: Option<GoingOn>,
        /// `Set-Cookie`, for a browser that has none for this launch.
        set_cookie: Option<String>,
    },
    /// Status only, for requests that do not render a page.
    Empty(StatusCode),
    /// To the outcome of a launch, at an address without the code.
    SeeOther {
        /// The address.
        location: String,
        /// `Set-Cookie`, for a browser that has none for this launch.
        set_cookie: Option<String>,
    },
}

impl PageResponse {
    /// A page with its status.
    pub(crate) fn page(status: StatusCode, page: Page) -> Self {
        Self::Page { status, page, retry_after: None, going_on: None, set_cookie: None }
    }

    /// A page that comes back after `seconds`: at the address that is given, or else at its own.
    pub(crate) fn later(seconds: u32, page: Page, reloading: Option<&Reloading>) -> Self {
        let going_on = match reloading {
            Some(reloading) => reloading.after(seconds, MOST_RELOADS),
            None => Some(GoingOn { after: seconds, to: None, stop: None }),
        };
        Self::Page {
            status: StatusCode::SERVICE_UNAVAILABLE,
            page,
            retry_after: Some(seconds),
            going_on,
            set_cookie: None,
        }
    }

    /// The same page, which goes on by itself.
    pub(crate) fn going_on(mut self, next: Option<GoingOn>) -> Self {
        if let Self::Page { going_on, .. } = &mut self {
            *going_on = next;
        }
        self
    }

    /// To the outcome of a launch.
    pub(crate) fn see_outcome(id: &LaunchId) -> Self {
        Self::SeeOther { location: format!("callback?launch={}", id.as_str()), set_cookie: None }
    }

    /// The same response, with a launch's cookie.
    pub(crate) fn with_cookie(mut self, cookie: &Cookie) -> Self {
        if let Self::Page { set_cookie, .. } | Self::SeeOther { set_cookie, .. } = &mut self {
            *set_cookie = Some(cookie.header());
        }
        self
    }

    /// The same response, with a cookie if it leads to an address that only the cookie opens.
    pub(crate) fn with_cookie_if_seen(self, cookie: &Cookie) -> Self {
        if matches!(self, Self::SeeOther { .. }) { self.with_cookie(cookie) } else { self }
    }

    /// The response to a request that is no visit, so that a prefetch, a preview or a link scanner spends
    /// nothing that the merchant needs.
    pub(crate) fn without_effect(request: &Request) -> Option<Self> {
        match *request.method() {
            Method::GET => is_prefetch(request).then_some(Self::Empty(StatusCode::NO_CONTENT)),
            Method::HEAD => Some(Self::Empty(StatusCode::OK)),
            _ => Some(Self::Empty(StatusCode::METHOD_NOT_ALLOWED)),
        }
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Page { status, .. } | Self::Empty(status) => *status,
            Self::SeeOther { .. } => StatusCode::SEE_OTHER,
        }
    }
}

impl Visit {
    /// The visit of the page `name` that `request` is. Its reference is that of the launch, where the address names one, so
    /// that one reference leads to the lines of all visits of one authorization; or else of the invocation. Either is the
    /// beginning of an id. It is set in the invocation's span before anything is logged.
    pub(crate) fn of(name: &'static str, request: &Request) -> Self {
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        let query = request.query_string_parameters();
        let launch = parameter(&query, "launch").and_then(LaunchId::parse);
        let id = match (launch, parameter(&query, "claim")) {
            (Some(launch), _) => launch.digest(),
            // The page that waits without a launch has one reference, however often it reloads.
            (None, Some(claim)) => claim.chars().filter(char::is_ascii_hexdigit).collect(),
            (None, None) => context(request).request_id,
        };
        let reference: String = id.chars().take(REFERENCE_CHARS).collect();
        tracing::Span::current().record("reference", &reference);
        Self {
            name,
            began: Instant::now(),
            language: Language::negotiate(header(ACCEPT_LANGUAGE)),
            visitor: Visitor::of(header(USER_AGENT)),
            reference,
        }
    }

    /// The HTTP response. `launch_url` is where a failure page leads back to.
    pub(crate) fn respond(
        &self,
        page_response: &PageResponse,
        face: &Face,
        launch_url: Option<&str>,
    ) -> Response<Body> {
        let policy = match page_response {
            PageResponse::Page { page, .. } => page.policy(face),
            _ => content_security_policy().to_owned(),
        };
        let mut response = Response::builder()
            .status(page_response.status())
            .header(CACHE_CONTROL, "no-store")
            .header(REFERRER_POLICY, referrer_policy(page_response))
            .header(X_CONTENT_TYPE_OPTIONS, "nosniff")
            .header(X_FRAME_OPTIONS, "DENY")
            // A year, and for this host alone: others of the domain are not ours.
            .header(STRICT_TRANSPORT_SECURITY, "max-age=31536000")
            .header(CONTENT_SECURITY_POLICY, policy);
        if page_response.status() == StatusCode::METHOD_NOT_ALLOWED {
            response = response.header(ALLOW, "GET, HEAD");
        }
        let body = match page_response {
            PageResponse::Empty(_) => Body::Empty,
            PageResponse::SeeOther { location, set_cookie } => {
                response = response.header(LOCATION, location);
                if let Some(cookie) = set_cookie {
                    response = response.header(SET_COOKIE, cookie);
                }
                Body::Empty
            }
            PageResponse::Page { page, retry_after, going_on, set_cookie, .. } => {
                if let Some(cookie) = set_cookie {
                    response = response.header(SET_COOKIE, cookie);
                }
                response =
                    response.header(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
                if let Some(seconds) = retry_after {
                    response = response.header(RETRY_AFTER, *seconds);
                }
                // Inside WeChat the address ends in a fragment, and a reload without an address would only move to that.
                let going_on = going_on
                    .as_ref()
                    .filter(|going_on| going_on.to.is_some() || self.visitor != Visitor::WeChat);
                // The header and no element: an element of the same meaning is what checks of accessibility object to,
                // whether or not the visitor can stop it.
                if let Some(going_on) = going_on {
                    response = response.header(REFRESH, refresh(going_on));
                }
                let frame = Frame {
                    language: self.language,
                    visitor: self.visitor,
                    face,
                    reference: &self.reference,
                    launch_url,
                    going_on,
                };
                let body = Body::Text(page.render(&frame));
                metric::page_took(self.name, self.began.elapsed());
                body
            }
        };
        response.body(body).expect("the headers are constant")
    }
}

/// The value of a `Refresh` header.
fn refresh(going_on: &GoingOn) -> String {
    match &going_on.to {
        Some(to) => format!("{}; url={to}", going_on.after),
        None => going_on.after.to_string(),
    }
}

/// The launch cookies of the visitor's browser, in the order in which it sent them.
pub(crate) fn cookies(request: &Request) -> Vec<Cookie> {
    let headers = request.headers().get_all(COOKIE).iter();
    headers.filter_map(|value| value.to_str().ok()).flat_map(Cookie::read_all).collect()
}

/// A parameter of the query. Of a repeated one the last that is not empty counts: WeChat appends its own.
pub(crate) fn parameter<'a>(query: &'a QueryMap, name: &str) -> Option<&'a str> {
    query.all(name)?.into_iter().rev().find(|value| !value.is_empty())
}

/// The context of the invocation; `lambda_http` adds it to every request.
pub(crate) fn context(request: &Request) -> Context {
    request.lambda_context_ref().cloned().unwrap_or_default()
}

/// WeChat accepts a visitor of its consent page only with the origin of the launch page as Referer. All other
/// pages have an address that nobody else should see.
fn referrer_policy(page_response: &PageResponse) -> &'static str {
    match page_response {
        PageResponse::Page { page: Page::Launch(_), .. } => "origin",
        _ => "no-referrer",
    }
}

fn is_prefetch(request: &Request) -> bool {
    ["sec-purpose", "purpose", "x-purpose", "x-moz"].iter().any(|name| {
        let value = request.headers().get(*name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let value = value.to_ascii_lowercase();
        ["prefetch", "prerender", "preview"].iter().any(|purpose| value.contains(purpose))
    })
}
