//! Pushes on their way to the platform, and when WeChat sends which.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::http::header;
use reqwest::Url;
use tokio::sync::watch;

use super::push::{Push, authorization};
use crate::log::Log;
use crate::say;

/// One push and how it was answered.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// What was sent.
    pub push: Push,
    /// The `InfoType` of the message, or its `MsgType`.
    pub info_type: String,
    /// When it was sent.
    pub at: Instant,
    /// The status; absent where no answer came within five seconds.
    pub status: Option<u16>,
    /// The body of the answer.
    pub body: String,
    /// How long the answer took.
    pub duration: Duration,
}

impl Delivery {
    /// Whether WeChat takes the push as received.
    pub fn succeeded(&self) -> bool {
        self.status == Some(200) && self.body == "success"
    }
}

/// When the push about an authorization arrives beside the redirect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// It is answered before the browser is sent back.
    Before,
    /// It is sent as the browser is.
    AtOnce,
    /// It is sent so long after the browser.
    After(Duration),
    /// It is not sent.
    Never,
}

/// Which code the push beside the redirect carries. WeChat documents neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushedCode {
    /// The redirect's.
    Same,
    /// Another code than the redirect's.
    Own,
}

/// The sender of pushes; clones share the record.
#[derive(Clone)]
pub(super) struct Pushes(Arc<Inner>);

struct Inner {
    client: reqwest::Client,
    settings: Mutex<Settings>,
    deliveries: watch::Sender<Vec<Delivery>>,
    log: Log,
}

pub(super) struct Settings {
    pub(super) events_url: Option<String>,
    pub(super) messages_url: Option<String>,
    pub(super) beside_redirect: (When, PushedCode),
    /// What waits to be sent; absent while everything is sent at once.
    held: Option<Vec<Push>>,
}

impl Pushes {
    pub(super) fn new(log: Log) -> Self {
        let settings = Settings {
            events_url: None,
            messages_url: None,
            beside_redirect: (When::AtOnce, PushedCode::Same),
            held: None,
        };
        Self(Arc::new(Inner {
            // Gives up after five seconds, as WeChat does.
            client: wechat_authorizer::http::client(),
            settings: Mutex::new(settings),
            deliveries: watch::Sender::new(Vec::new()),
            log,
        }))
    }

    pub(super) fn settings(&self) -> MutexGuard<'_, Settings> {
        self.0.settings.lock().expect("not poisoned")
    }

    pub(super) fn beside_redirect(&self) -> (When, PushedCode) {
        self.settings().beside_redirect
    }

    pub(super) fn hold(&self) {
        self.settings().held.get_or_insert_default();
    }

    pub(super) fn held(&self) -> Option<usize> {
        self.settings().held.as_ref().map(Vec::len)
    }

    pub(super) async fn release_reversed(&self) {
        let held = self.settings().held.take();
        for push in held.into_iter().flatten().rev() {
            self.deliver(push).await;
        }
    }

    pub(super) async fn deliver(&self, push: Push) -> Option<Delivery> {
        if let Some(held) = &mut self.settings().held {
            held.push(push);
            return None;
        }
        let url = match push.authorizer_appid() {
            Some(appid) => self.settings().messages_url.clone()?.replace("$APPID$", appid),
            None => self.settings().events_url.clone()?,
        };
        let request = push.request();
        let url = format!("{url}{}{}", if url.contains('?') { '&' } else { '?' }, request.query);
        let mut post = post(&self.0.client, &url).body(request.body);
        for (name, value) in request.headers.iter().filter(|(name, _)| name != "Host") {
            post = post.header(name, value);
        }
        let started = Instant::now();
        let answer = async {
            let answer = post.send().await?;
            Ok::<_, reqwest::Error>((answer.status().as_u16(), answer.text().await?))
        };
        let (status, body) = match answer.await {
            Ok((status, body)) => (Some(status), body),
            Err(_) => (None, String::new()),
        };
        let (info_type, duration) = (push.info_type(), started.elapsed());
        let delivery = Delivery { push, info_type, at: started, status, body, duration };
        if self.0.log >= Log::Pushes {
            let status = delivery.status.map_or("no answer".to_owned(), |status| status.to_string());
            say!("wechat    pushed {} {status} {} ms", delivery.info_type, delivery.duration.as_millis());
        }
        self.0.deliveries.send_modify(|deliveries| deliveries.push(delivery.clone()));
        Some(delivery)
    }

    /// The record of all that were answered or not.
    pub(super) fn deliveries(&self) -> &watch::Sender<Vec<Delivery>> {
        &self.0.deliveries
    }

    /// Sends the push about an authorization when it is time. Returns when the browser may go on.
    pub(super) async fn accompany(&self, push: Push) {
        let pushes = self.clone();
        match self.beside_redirect().0 {
            When::Never => {}
            When::Before => {
                pushes.deliver(push).await;
            }
            When::AtOnce => {
                tokio::spawn(async move { pushes.deliver(push).await });
            }
            When::After(pause) => {
                tokio::spawn(async move {
                    tokio::time::sleep(pause).await;
                    pushes.deliver(push).await
                });
            }
        }
    }
}

/// A name that ends in .localhost is this machine (RFC 6761), which browsers know and resolvers may not.
fn post(client: &reqwest::Client, url: &str) -> reqwest::RequestBuilder {
    let parsed =
        Url::parse(url).ok().filter(|url| url.host_str().is_some_and(|host| host.ends_with(".localhost")));
    let Some(mut parsed) = parsed else { return client.post(url) };
    let port = parsed.port().map_or(String::new(), |port| format!(":{port}"));
    let host = format!("{}{port}", parsed.host_str().unwrap_or_default());
    // With https the certificate's name would no longer fit, but nobody has one for such a name.
    parsed.set_host(Some("127.0.0.1")).expect("an address is a host");
    client.post(parsed).header(header::HOST, host)
}

/// The push beside a redirect.
pub(super) fn about(is_new: bool, appid: &str, code: &str, pre_auth_code: &str, now: i64) -> Push {
    let info_type = if is_new { "authorized" } else { "updateauthorized" };
    Push::of(info_type, authorization(appid, code, Some(pre_auth_code)), now)
}
