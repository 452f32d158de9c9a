//! A browser's visit: what it asks for, and how it is answered. The same for every page.

use std::time::Instant;

use lambda_http::aws_lambda_events::query_map::QueryMap;
use lambda_http::http::header::{
    ACCEPT_LANGUAGE, ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, LOCATION,
    REFERRER_POLICY, RETRY_AFTER, SET_COOKIE, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use lambda_http::http::{HeaderValue, Method, StatusCode};
use lambda_http::{Body, Context, Request, RequestExt, Response};

use crate::evidence::{Cookie, LaunchId};
use crate::metric;
use crate::page::{Frame, Language, Page, content_security_policy};

/// When a visitor comes back to a platform that has no ticket yet, in seconds: WeChat pushes one every ten
/// minutes.
pub(crate) const UNTIL_TICKET: u32 = 600;

/// When a visitor comes back after a fault that an operator fixes, in seconds.
pub(crate) const UNTIL_FIXED: u32 = 60;

/// Who visits.
#[derive(Debug)]
pub(crate) struct Visit {
    /// Which page is visited.
    name: &'static str,
    began: Instant,
    language: Language,
    /// The id of the invocation: on the page for the visitor, in every log line for the operator.
    support_id: String,
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
        Self::Page { status, page, retry_after: None, set_cookie: None }
    }

    /// A page that asks the visitor to come back after `seconds`.
    pub(crate) fn later(seconds: u32, page: Page) -> Self {
        Self::Page {
            status: StatusCode::SERVICE_UNAVAILABLE,
            page,
            retry_after: Some(seconds),
            set_cookie: None,
        }
    }

    /// To the outcome of a launch.
    pub(crate) fn see_outcome(id: &LaunchId) -> Self {
        Self::SeeOther { location: format!("callback?launch={}", id.as_str()), set_cookie: None }
    }

    /// The same response, with a launch's cookie.
    pub(crate) fn with_cookie(self, cookie: &Cookie) -> Self {
        self.with_set_cookie(cookie.header())
    }

    /// The same response, with this `Set-Cookie`.
    pub(crate) fn with_set_cookie(mut self, header: String) -> Self {
        if let Self::Page { set_cookie, .. } | Self::SeeOther { set_cookie, .. } = &mut self {
            *set_cookie = Some(header);
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
    /// The visit of the page `name` that `request` is.
    pub(crate) fn of(name: &'static str, request: &Request) -> Self {
        let accept_language = request.headers().get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let support_id = request.lambda_context_ref().map(|context| context.request_id.clone());
        Self {
            name,
            began: Instant::now(),
            language: Language::negotiate(accept_language),
            support_id: support_id.unwrap_or_default(),
        }
    }

    /// The HTTP response. `launch_url` is where a failure page leads back to.
    pub(crate) fn respond(&self, page_response: &PageResponse, launch_url: Option<&str>) -> Response<Body> {
        let mut response = Response::builder()
            .status(page_response.status())
            .header(CACHE_CONTROL, "no-store")
            .header(REFERRER_POLICY, referrer_policy(page_response))
            .header(X_CONTENT_TYPE_OPTIONS, "nosniff")
            .header(X_FRAME_OPTIONS, "DENY")
            // A year, and for this host alone: others of the domain are not ours.
            .header(STRICT_TRANSPORT_SECURITY, "max-age=31536000")
            .header(CONTENT_SECURITY_POLICY, content_security_policy());
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
            PageResponse::Page { page, retry_after, set_cookie, .. } => {
                if let Some(cookie) = set_cookie {
                    response = response.header(SET_COOKIE, cookie);
                }
                response =
                    response.header(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
                if let Some(seconds) = retry_after {
                    response = response.header(RETRY_AFTER, *seconds);
                }
                let frame = Frame { language: self.language, support_id: &self.support_id, launch_url };
                let body = Body::Text(page.render(&frame));
                metric::page_took(self.name, self.began.elapsed());
                body
            }
        };
        response.body(body).expect("the headers are constant")
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
