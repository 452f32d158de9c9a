//! A browser's visit: what it asks for, and how it is answered. The same for every page.

use std::time::Instant;

use lambda_http::http::header::{
    ACCEPT_LANGUAGE, ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
    RETRY_AFTER, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use lambda_http::http::{HeaderValue, Method, StatusCode};
use lambda_http::{Body, Context, Request, RequestExt, Response};
use tracing::Span;

use crate::metric;
use crate::page::{Frame, Language, Page, content_security_policy};

/// When a visitor comes back to a platform that has no ticket yet, in seconds: WeChat pushes one every ten
/// minutes.
pub(crate) const UNTIL_TICKET: u32 = 600;

/// When a visitor comes back after a fault that an operator mends, in seconds.
pub(crate) const UNTIL_MENDED: u32 = 60;

/// Who visits.
#[derive(Debug)]
pub struct Visit {
    /// Which page is visited.
    name: &'static str,
    began: Instant,
    language: Language,
    /// The id of the invocation: on the page for the visitor, in every log line for the operator.
    support_id: String,
}

/// What a visitor gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A page.
    Page {
        /// The HTTP status.
        status: StatusCode,
        /// The page.
        page: Page,
        /// `Retry-After`, in seconds.
        retry_after: Option<u32>,
    },
    /// Nothing but a status, to who does not read pages.
    Empty(StatusCode),
}

impl Answer {
    /// A page with its status.
    pub fn page(status: StatusCode, page: Page) -> Self {
        Self::Page { status, page, retry_after: None }
    }

    /// A page that asks the visitor to come back after `seconds`.
    pub fn later(seconds: u32, page: Page) -> Self {
        Self::Page { status: StatusCode::SERVICE_UNAVAILABLE, page, retry_after: Some(seconds) }
    }

    /// The answer to a request that is no visit, so that a prefetch, a preview or a link scanner spends
    /// nothing that the merchant needs.
    pub fn without_effect(request: &Request) -> Option<Self> {
        match *request.method() {
            Method::GET => is_prefetch(request).then_some(Self::Empty(StatusCode::NO_CONTENT)),
            Method::HEAD => Some(Self::Empty(StatusCode::OK)),
            _ => Some(Self::Empty(StatusCode::METHOD_NOT_ALLOWED)),
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Page { status, .. } | Self::Empty(status) => *status,
        }
    }
}

impl Visit {
    /// The visit of the page `name` that `request` is.
    pub fn of(name: &'static str, request: &Request) -> Self {
        let accept_language = request.headers().get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let support_id = request.lambda_context_ref().map(|context| context.request_id.clone());
        Self {
            name,
            began: Instant::now(),
            language: Language::negotiate(accept_language),
            support_id: support_id.unwrap_or_default(),
        }
    }

    /// The span in which everything is logged that concerns this visit, at every log level.
    pub fn span(&self) -> Span {
        tracing::error_span!("visit", request_id = self.support_id)
    }

    /// The HTTP response. `launch_url` is where a failure page leads back to.
    pub fn respond(&self, answer: &Answer, launch_url: Option<&str>) -> Response<Body> {
        let mut response = Response::builder()
            .status(answer.status())
            .header(CACHE_CONTROL, "no-store")
            .header(REFERRER_POLICY, referrer_policy(answer))
            .header(X_CONTENT_TYPE_OPTIONS, "nosniff")
            .header(X_FRAME_OPTIONS, "DENY")
            .header(CONTENT_SECURITY_POLICY, content_security_policy());
        if answer.status() == StatusCode::METHOD_NOT_ALLOWED {
            response = response.header(ALLOW, "GET, HEAD");
        }
        let body = match answer {
            Answer::Empty(_) => Body::Empty,
            Answer::Page { page, retry_after, .. } => {
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

/// The context of the invocation; `lambda_http` adds it to every request.
pub(crate) fn context(request: &Request) -> Context {
    request.lambda_context_ref().cloned().unwrap_or_default()
}

/// WeChat accepts a visitor of its consent page only with the origin of the launch page as Referer. All other
/// pages have an address that nobody else should see.
fn referrer_policy(answer: &Answer) -> &'static str {
    match answer {
        Answer::Page { page: Page::Launch(_), .. } => "origin",
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
