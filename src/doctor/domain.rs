//! The addresses that WeChat's console has of the platform: that they lead here.

use lambda_http::http::header::CONTENT_SECURITY_POLICY;
use lambda_http::http::{Method, StatusCode};
use reqwest::Url;

use super::{Check, bounded};
use crate::config::Config;
use crate::deadline::Deadline;
use crate::http::untrusted;
use crate::page::content_security_policy;

const LAUNCH_PAGE: &str = "launch_page";
const CALLBACK: &str = "callback";
const EVENTS_URL: &str = "events_url";
const MESSAGES_URL: &str = "messages_url";

/// One check of each address, by requests that spend nothing.
pub(super) async fn checks(http: &reqwest::Client, config: &Config, deadline: Deadline) -> [Check; 4] {
    let Some(base_url) = &config.public_base_url else {
        return [LAUNCH_PAGE, CALLBACK, EVENTS_URL, MESSAGES_URL].map(|name| {
            let detail =
                "not checked: PUBLIC_BASE_URL is not set, and this function cannot learn its address otherwise";
            Check::bad(name, detail, "set PUBLIC_BASE_URL of this function to the origin of the API")
        });
    };
    let host = base_url.host_str().unwrap_or_default();
    let path = |path: &str| base_url.join(path).expect("an origin takes any path");
    let (authorize, redirect, events) = (path("authorize"), path("callback"), path(&config.events_path));
    // A route takes one more part of a path, whatever it is: in the console WeChat's $APPID$ stands there.
    let messages = path(&format!("{}/{}", config.messages_path, config.component_appid.as_str()));
    let messages_in_console = format!("{}/$APPID$", path(&config.messages_path));
    let (launch_page, callback, events_url, messages_url) = tokio::join!(
        bounded(LAUNCH_PAGE, deadline, async {
            let found = ask(http, Method::HEAD, &authorize).await;
            conclude(
                LAUNCH_PAGE,
                authorize.as_str(),
                found.and_then(is_page),
                &format!("{host} must stand at 授权发起页域名"),
            )
        }),
        bounded(CALLBACK, deadline, async {
            let found = ask(http, Method::HEAD, &redirect).await;
            let console = format!("its host, {host}, must be that of the launch page, at 授权发起页域名");
            conclude(CALLBACK, redirect.as_str(), found.and_then(is_page), &console)
        }),
        bounded(EVENTS_URL, deadline, async {
            let found = ask(http, Method::POST, &events).await;
            let found = found.and_then(|found| is_of_pushes(found, "events"));
            conclude(EVENTS_URL, events.as_str(), found, "it must stand at 授权事件接收URL")
        }),
        bounded(MESSAGES_URL, deadline, async {
            let found = ask(http, Method::POST, &messages).await;
            let found = found.and_then(|found| is_of_pushes(found, "messages"));
            conclude(MESSAGES_URL, &messages_in_console, found, "it must stand at 消息与事件接收URL")
        }),
    );
    [launch_page, callback, events_url, messages_url]
}

/// What an address answered.
struct Found {
    status: StatusCode,
    /// Whether it has the policy with which this very version sends its pages.
    has_policy: bool,
    is_empty: bool,
}

/// What is wrong with an address, and what to do.
struct Wrong {
    why: String,
    fix: &'static str,
}

impl From<String> for Wrong {
    fn from(why: String) -> Self {
        let fix = "let the domain of PublicBaseUrl lead to this API: its DNS record, its certificate and its API \
                   mapping, without a redirect or a path in between; or leave PublicBaseUrl empty and use the API's \
                   domain";
        Self { why, fix }
    }
}

async fn ask(http: &reqwest::Client, method: Method, url: &Url) -> Result<Found, Wrong> {
    if url.scheme() != "https" && !matches!(url.host_str(), Some("127.0.0.1" | "localhost")) {
        return Err("the address is not https, which WeChat demands".to_owned().into());
    }
    // Without reqwest's own words: they repeat the URL.
    let lost = |error: reqwest::Error| match untrusted(&error) {
        Some(why) => Wrong {
            why: why.to_owned(),
            fix: "the network works: give the domain a certificate that names it, is valid today and comes \
                  from an authority that browsers know, by CertificateArn, or by HostedZoneId, with which the \
                  stack makes one; if a proxy is in front, give it to the proxy",
        },
        None if error.is_timeout() => "no answer in time: nobody listens there".to_owned().into(),
        None => "no connection: the name does not resolve, or nobody listens".to_owned().into(),
    };
    let response = http.request(method, url.clone()).send().await.map_err(lost)?;
    let policy = response.headers().get(CONTENT_SECURITY_POLICY);
    let has_policy = policy.is_some_and(|policy| policy.as_bytes() == content_security_policy().as_bytes());
    let status = response.status();
    let is_empty = response.bytes().await.map_err(lost)?.is_empty();
    Ok(Found { status, has_policy, is_empty })
}

fn is_page(found: Found) -> Result<(), Wrong> {
    match found {
        Found { status: StatusCode::OK, has_policy: true, .. } => Ok(()),
        Found { status, .. } if status.is_redirection() => {
            Err(format!("HTTP {}: it redirects elsewhere", status.as_u16()).into())
        }
        Found { status, .. } => {
            Err(format!("HTTP {}, and not from this version of the stack", status.as_u16()).into())
        }
    }
}

/// `events` and `messages` refuse what is no push without a word; API Gateway's refusals have a body.
fn is_of_pushes(found: Found, function: &str) -> Result<(), Wrong> {
    match found {
        Found { status: StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN, is_empty: true, .. } => Ok(()),
        Found { status, .. } if status.is_redirection() => {
            Err(format!("HTTP {}: it redirects elsewhere, and WeChat does not follow", status.as_u16())
                .into())
        }
        Found { status: StatusCode::INTERNAL_SERVER_ERROR, is_empty: true, .. } => {
            Err(format!("HTTP 500: {function} cannot read the secret").into())
        }
        Found { status, .. } => Err(format!("HTTP {}, and not from {function}", status.as_u16()).into()),
    }
}

fn conclude(name: &'static str, url: &str, found: Result<(), Wrong>, console: &str) -> Check {
    match found {
        Ok(()) => Check::good(name, format!("{url} leads here; {console}")),
        Err(Wrong { why, fix }) => {
            Check::bad(name, format!("{url} does not answer as it should: {why}"), fix)
        }
    }
}
