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
use crate::exchange::{Exchange, Looked, Outcome};
use crate::metric::Door;
use crate::outbox::Entry;
use crate::release_check::{self, Expected};
use crate::services::Services;
use crate::store::StoreError;
use crate::time::Timestamp;
use crate::wechat::{Appid, AuthorizationCode, Class, InfoType, Message, PushError};

/// Time reserved for sending the response.
const FOR_ANSWERING: Duration = Duration::from_millis(300);

/// For how long WeChat is not asked again about an account of which it told nothing: whoever writes to an account must not
/// use up the day's quota.
const UNKNOWN_FOR: Duration = Duration::from_mins(1);

/// More accounts are not remembered by one instance.
const MOST_REMEMBERED: usize = 10_000;

/// What the function depends on.
#[derive(Debug)]
pub struct App {
    exchange: Exchange,
    services: Services,
    /// What is known of accounts, and since when.
    accounts: Mutex<HashMap<Appid, (Known, Timestamp)>>,
    unvouched_per_day: u32,
}

/// What is known of the account that an address names.
#[derive(Clone, Debug)]
enum Known {
    /// Its original id, which never changes.
    UserName(String),
    /// It does not authorize the platform.
    Foreign,
    /// WeChat did not tell.
    Untold,
}

impl App {
    /// An instance of the function, as a cold start makes it.
    pub fn new(config: &Config, services: Services) -> Self {
        let exchange = Exchange::new(services.clone(), Door::Messages);
        let unvouched_per_day = config.unvouched_per_day;
        Self { exchange, services, accounts: Mutex::default(), unvouched_per_day }
    }
}

/// Answers one message: `success` once it is in the outbox, what the release check expects, or a status without a word.
pub async fn handle(app: &App, request: Request) -> Result<Response<Body>, Error> {
    let deadline = delivery::deadline(&request);
    delivery::answer(deadline, receive(app, &request, deadline.reserving(FOR_ANSWERING))).await
}

async fn receive(app: &App, request: &Request, deadline: Deadline) -> Result<String, StatusCode> {
    let message = delivery::open(&app.services, request).await?;
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
            Ok(message.reply(&text, component_appid, app.services.clock.now()))
        }
        Some(Expected::CustomMessage { code, content }) => {
            let to = message.text("FromUserName").unwrap_or_default();
            send(app, &appid, &code, to, &content, deadline).await.map(|()| String::new())
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
    match known(app, &appid, deadline).await? {
        Known::UserName(user_name) if user_name == receiver => Ok(appid),
        Known::UserName(_) => {
            tracing::warn!(authorizer.appid = %appid, "message refused: it is for another account than its address says");
            Err(StatusCode::BAD_REQUEST)
        }
        Known::Foreign => {
            tracing::warn!(authorizer.appid = %appid, "message refused: WeChat knows no such account of the platform");
            Err(StatusCode::BAD_REQUEST)
        }
        Known::Untold => {
            tracing::error!(authorizer.appid = %appid, "the message is not stored: WeChat does not tell whose it is");
            Err(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

/// What is known of an account: of the release check, by this instance, by its record, or by WeChat.
async fn known(app: &App, appid: &Appid, deadline: Deadline) -> Result<Known, StatusCode> {
    if let Some(user_name) = release_check::user_name(appid) {
        return Ok(Known::UserName(user_name.to_owned()));
    }
    let now = app.services.clock.now();
    match app.remembered(appid) {
        Some((known @ Known::UserName(_), _)) => return Ok(known),
        Some((known, since)) if now.since(since) < UNKNOWN_FOR => return Ok(known),
        _ => {}
    }
    let record = app.services.store.record(appid).await.map_err(not_stored)?;
    let known = match record.and_then(|record| record.profile?.user_name) {
        Some(user_name) => Known::UserName(user_name),
        None => match app.services.authorizer_info(appid, deadline).await {
            Ok(info) => {
                let user_name = info.profile.and_then(|profile| profile.user_name);
                user_name.map_or(Known::Untold, Known::UserName)
            }
            Err(Cause::Call(error)) if error.class() == Class::NotAuthorized => Known::Foreign,
            Err(cause) => {
                cause.report();
                Known::Untold
            }
        },
    };
    app.remember(appid, known.clone(), now);
    Ok(known)
}

impl App {
    fn remembered(&self, appid: &Appid) -> Option<(Known, Timestamp)> {
        self.accounts.lock().expect("nobody panics while holding it").get(appid).cloned()
    }

    fn remember(&self, appid: &Appid, known: Known, now: Timestamp) {
        let mut accounts = self.accounts.lock().expect("nobody panics while holding it");
        if accounts.len() >= MOST_REMEMBERED {
            accounts.clear();
        }
        accounts.insert(appid.clone(), (known, now));
    }
}

/// Sends a text of the release check, with the token that `code` brings. The code is that of the push before, so it goes
/// through the same claim; one that no push has brought is exchanged within the allowance of visits, because anybody can
/// write to a test account. A 500 makes WeChat send the message again.
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
        evidence: Evidence::Bare,
        binding: None,
    };
    let looked = app.exchange.look(&code.digest(), None).await.map_err(not_stored)?;
    if matches!(looked, Looked::Unclaimed) {
        let taken = app.services.store.take_unvouched(app.unvouched_per_day, app.services.clock.now()).await;
        if !taken.map_err(not_stored)? {
            tracing::error!(authorizer.appid = %appid, "release check: the allowance of codes that no push brought is used up");
            return Ok(());
        }
    }
    match app.exchange.run(authorization, deadline).await {
        Outcome::Stored(account, _) if account.authorizer_appid == *appid => {}
        outcome @ (Outcome::Stored(..) | Outcome::CodeInvalid | Outcome::CodeSpent) => {
            tracing::warn!(authorizer.appid = %appid, "release check: no token for the message: {}", outcome.label());
            return Ok(());
        }
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
