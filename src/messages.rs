//! `POST /messages/{appid}`: what the users of the accounts write and do (消息与事件接收URL). Verified, decrypted, put into
//! the outbox, answered.
//!
//! Source: 第三方平台 / 消息与事件.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use lambda_http::http::StatusCode;
use lambda_http::{Body, Error, Request, Response};

use crate::claim::Authorization;
use crate::component::Cause;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::delivery::{self, SUCCESS, publish, refused};
use crate::evidence::Evidence;
use crate::exchange::{Exchange, Outcome};
use crate::metric::Door;
use crate::outbox::Entry;
use crate::release_check::{self, Expected};
use crate::services::Services;
use crate::store::StoreError;
use crate::time::Timestamp;
use crate::wechat::{Appid, AuthorizationCode, Class, InfoType, Message, PushError};

/// Time reserved for sending the response.
const FOR_ANSWERING: Duration = Duration::from_millis(300);

/// For how long it is not asked again what WeChat did not know: whether an account is one of the platform's.
const UNKNOWN_FOR: Duration = Duration::from_mins(1);

/// More accounts are not remembered by one instance.
const MOST_REMEMBERED: usize = 10_000;

/// What the function depends on.
#[derive(Debug)]
pub struct App {
    exchange: Exchange,
    services: Services,
    /// The original ids of accounts, which never change; none for an account that WeChat did not know at this time.
    user_names: Mutex<HashMap<Appid, (Option<String>, Timestamp)>>,
}

impl App {
    /// An instance of the function, as a cold start makes it.
    pub fn new(_: &Config, services: Services) -> Self {
        let exchange = Exchange::new(services.clone(), Door::Messages);
        Self { exchange, services, user_names: Mutex::default() }
    }
}

/// Answers one message: `success` once it is in the outbox, what the release check expects, or a status without a word.
pub async fn handle(app: &App, request: Request) -> Result<Response<Body>, Error> {
    let deadline = delivery::deadline(&request);
    delivery::answer(deadline, receive(app, &request, deadline.reserving(FOR_ANSWERING))).await
}

async fn receive(app: &App, request: &Request, deadline: Deadline) -> Result<String, StatusCode> {
    let (message, secret) = delivery::open(&app.services, request).await?;
    let Some(msg_type) = message.text("MsgType").map(InfoType::new) else {
        if message.text("InfoType").is_some() {
            tracing::warn!(
                advice = "set the authorization event URL (授权事件接收URL) in WeChat's console to the output \
                          EventsUrl",
                "a push of the authorization event URL came to the message URL"
            );
        }
        return Err(refused(PushError::NoMessage));
    };
    let appid = account(app, request, &message, deadline).await?;
    publish(&app.services, &Entry::of_message(&msg_type, Some(&appid), &message), &message).await?;
    match release_check::expected(&appid, &message) {
        None => Ok(SUCCESS.to_owned()),
        Some(Expected::Reply(text)) => {
            let component_appid = app.services.store.component_appid();
            Ok(message.reply(&text, &secret.token, component_appid, app.services.clock.now()))
        }
        Some(Expected::CustomMessage { code, content }) => {
            let to = message.text("FromUserName").unwrap_or_default();
            send(app, &appid, &code, to, &content, deadline).await?;
            Ok(String::new())
        }
    }
}

/// The account that the address names. It is not signed and the receiver in the message is, so they must belong together:
/// else a message to one account could be sent again as one to another.
async fn account(
    app: &App,
    request: &Request,
    message: &Message,
    deadline: Deadline,
) -> Result<Appid, StatusCode> {
    let named = request.uri().path().rsplit('/').next().and_then(Appid::parse);
    let (Some(appid), Some(receiver)) = (named, message.text("ToUserName")) else {
        tracing::warn!(
            advice = "the message and event URL (消息与事件接收URL) must end in /$APPID$",
            "message refused: its address names no account, or it has no receiver"
        );
        return Err(StatusCode::BAD_REQUEST);
    };
    match user_name(app, &appid, deadline).await?.as_deref() {
        Some(user_name) if user_name == receiver => Ok(appid),
        Some(_) => {
            tracing::warn!(authorizer.appid = %appid, "message refused: it is for another account than its address says");
            Err(StatusCode::BAD_REQUEST)
        }
        None => {
            tracing::warn!(authorizer.appid = %appid, "message refused: WeChat knows no such account of the platform");
            Err(StatusCode::BAD_REQUEST)
        }
    }
}

/// The original id of an account: of the release check, as this instance remembers it, from the record, or from WeChat.
/// None if WeChat does not tell it.
async fn user_name(app: &App, appid: &Appid, deadline: Deadline) -> Result<Option<String>, StatusCode> {
    if let Some(user_name) = release_check::user_name(appid) {
        return Ok(Some(user_name.to_owned()));
    }
    let now = app.services.clock.now();
    if let Some((user_name, learnt_at)) = app.remembered(appid)
        && (user_name.is_some() || now.since(learnt_at) < UNKNOWN_FOR)
    {
        return Ok(user_name);
    }
    let record = app.services.store.record(appid).await.map_err(not_stored)?;
    let user_name = match record.and_then(|record| record.profile?.user_name) {
        Some(user_name) => Some(user_name),
        None => match app.services.authorizer_info(appid, deadline).await {
            Ok(info) => info.profile.and_then(|profile| profile.user_name),
            Err(Cause::Call(error)) if error.class() == Class::NotAuthorized => None,
            Err(cause) => {
                cause.report();
                return Err(StatusCode::INTERNAL_SERVER_ERROR);
            }
        },
    };
    app.remember(appid, user_name.clone(), now);
    Ok(user_name)
}

impl App {
    fn remembered(&self, appid: &Appid) -> Option<(Option<String>, Timestamp)> {
        self.user_names.lock().expect("nobody panics while holding it").get(appid).cloned()
    }

    fn remember(&self, appid: &Appid, user_name: Option<String>, now: Timestamp) {
        let mut user_names = self.user_names.lock().expect("nobody panics while holding it");
        if user_names.len() >= MOST_REMEMBERED {
            user_names.clear();
        }
        user_names.insert(appid.clone(), (user_name, now));
    }
}

/// Sends a text of the release check, with the token that `code` brings. The code is that of the push before, so it goes
/// through the same claim. A 500 makes WeChat send the message again.
async fn send(
    app: &App,
    appid: &Appid,
    code: &AuthorizationCode,
    to: &str,
    content: &str,
    deadline: Deadline,
) -> Result<(), StatusCode> {
    let authorization = Authorization {
        code,
        event_time: app.services.clock.now(),
        authorizer_appid: None,
        // Anybody can write to a test account.
        evidence: Evidence::Bare,
        binding: None,
    };
    match app.exchange.run(authorization, deadline).await {
        Outcome::Stored(account, _) if account.authorizer_appid == *appid => {}
        outcome => {
            tracing::error!(authorizer.appid = %appid, "release check: no token for the message: {}", outcome.label());
            return Err(StatusCode::INTERNAL_SERVER_ERROR);
        }
    }
    let record = app.services.store.record(appid).await.map_err(not_stored)?;
    let Some(access_token) = record.and_then(|record| record.access_token) else {
        tracing::error!(authorizer.appid = %appid, "release check: the grant has no access token");
        return Err(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let sent = app.services.wechat.send_text(&access_token.token, to, content, deadline.remaining()).await;
    sent.map_err(|error| {
        tracing::error!(
            authorizer.appid = %appid,
            errcode = error.errcode().get(),
            rid = error.rid(),
            "release check: the message is not sent: {error}"
        );
        StatusCode::INTERNAL_SERVER_ERROR
    })
}

fn not_stored(error: StoreError) -> StatusCode {
    tracing::error!("the message is not stored: {error}");
    StatusCode::INTERNAL_SERVER_ERROR
}
