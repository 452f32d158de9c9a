//! `POST /events`: WeChat's encrypted pushes (授权事件接收URL). Verified, decrypted, made durable, answered.

use std::time::Duration;

use lambda_http::http::StatusCode;
use lambda_http::{Body, Error, Request, Response};

use crate::authorizer::Authorizers;
use crate::claim::Authorization;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::delivery::{self, SUCCESS, not_stored, publish, refused};
use crate::evidence::Evidence;
use crate::exchange::{Exchange, Outcome};
use crate::metric::{self, Door};
use crate::outbox::Entry;
use crate::services::Services;
use crate::store::{StoreError, Ticket};
use crate::time::Timestamp;
use crate::wechat::{Appid, Authorized, Info, InfoType, Message, Push, PushError};

/// Time reserved after the exchange for giving back what it held.
const FOR_ANSWERING: Duration = Duration::from_millis(500);

/// What the function depends on.
#[derive(Debug)]
pub struct App {
    exchange: Exchange,
    authorizers: Authorizers,
    services: Services,
    component_appid: Appid,
}

impl App {
    /// An instance of the function, as a cold start makes it.
    pub fn new(config: &Config, services: Services) -> Self {
        let exchange = Exchange::new(services.clone(), Door::Events);
        let authorizers = Authorizers::new(services.clone());
        Self { exchange, authorizers, services, component_appid: config.component_appid.clone() }
    }
}

/// Answers one push: `success` once it is durable, and otherwise a status without a word.
pub async fn handle(app: &App, request: Request) -> Result<Response<Body>, Error> {
    let deadline = delivery::deadline(&request);
    delivery::answer(deadline, receive(app, &request, deadline.reserving(FOR_ANSWERING))).await
}

/// Verifies the push and stores what it says. The error is the status of a push that is not stored.
async fn receive(app: &App, request: &Request, deadline: Deadline) -> Result<String, StatusCode> {
    let message = delivery::open(&app.services, request).await?;
    let push = match Push::read(&message, &app.component_appid) {
        Ok(push) => push,
        Err(error) => {
            if let PushError::Unstorable(account) = &error {
                metric::unreadable_push();
                doubt(app, account.as_ref()).await;
            }
            return Err(refused(error));
        }
    };
    let (stored, ()) =
        tokio::join!(store(app, &push, &message, deadline), note_odd_time(app, &push, deadline));
    stored.map(|()| SUCCESS.to_owned())
}

/// What was said of the account is lost: `reconcile` compares it in its next run.
async fn doubt(app: &App, account: Option<&Appid>) {
    let Some(appid) = account else { return };
    if let Err(error) = app.services.store.doubt(appid, app.services.clock.now()).await {
        tracing::warn!(authorizer.appid = %appid, "{error}");
    }
}

/// Says and notes that the push tells a time which cannot be, if it does and is of a kind whose time counts.
async fn note_odd_time(app: &App, push: &Push, deadline: Deadline) {
    let now = app.services.clock.now();
    let source = match push.info {
        Info::Ticket(_) => "a ticket's push",
        Info::Authorized(_) | Info::Registered(_) => "an authorization's push",
        Info::Unauthorized(_) => "a revocation's push",
        Info::Other(_) | Info::Message(_) => return,
    };
    if push.create_time.believable(now).is_none() {
        app.services.note_odd_time(push.create_time, source, now, deadline).await;
    }
}

/// Stores what the push says.
async fn store(app: &App, push: &Push, message: &Message, deadline: Deadline) -> Result<(), StatusCode> {
    let event_time = push.create_time.at(app.services.clock.now());
    match &push.info {
        Info::Other(info_type) => publish(&app.services, &Entry::of_push(info_type, message), message).await,
        Info::Registered(authorized) => {
            let entry = Entry::of_push(&InfoType::new("notify_third_fasteregister"), message);
            publish(&app.services, &entry, message).await?;
            match authorized {
                Some(authorized) => {
                    authorize(app, authorized, event_time, deadline).await.map_err(not_stored)
                }
                None => {
                    metric::unreadable_push();
                    doubt(app, entry.authorizer_appid.as_ref()).await;
                    tracing::warn!("an account that the platform registered came without a usable code");
                    Ok(())
                }
            }
        }
        Info::Message(msg_type) => {
            tracing::warn!(
                advice = "set the message and event URL (消息与事件接收URL) in WeChat's console to the output \
                          MessagesUrl",
                "a message came to the authorization event URL: published without its account"
            );
            publish(&app.services, &Entry::of_message(msg_type, None, message), message).await
        }
        Info::Ticket(ticket) => {
            let ticket = Ticket { component_verify_ticket: ticket.clone(), create_time: event_time };
            let newest = app.services.store.put_ticket(&ticket, app.services.clock.now()).await;
            tracing::info!(newest = newest.map_err(not_stored)?, "ticket received");
            Ok(())
        }
        Info::Authorized(authorized) => {
            authorize(app, authorized, event_time, deadline).await.map_err(not_stored)
        }
        Info::Unauthorized(appid) => {
            let newest = app.authorizers.revoke_pushed(appid, event_time, deadline).await;
            tracing::info!(authorizer.appid = %appid, newest = newest.map_err(not_stored)?, "authorization revoked");
            Ok(())
        }
    }
}

/// Claims the code, which makes the push durable, and exchanges it in the time that is left.
async fn authorize(
    app: &App,
    authorized: &Authorized,
    event_time: Timestamp,
    deadline: Deadline,
) -> Result<(), StoreError> {
    let Authorized { authorizer_appid, code, pre_auth_code } = authorized;
    let binding = match pre_auth_code {
        Some(code) => app.services.store.binding_of(code, app.services.clock.now()).await?,
        None => None,
    };
    let authorization = Authorization {
        code,
        event_time,
        authorizer_appid: Some(authorizer_appid),
        evidence: Evidence::Push,
        binding: binding.as_ref(),
    };
    tracing::info!(authorizer.appid = %authorizer_appid, launched = binding.is_some(), "authorization received");
    match app.exchange.run(authorization, deadline).await {
        Outcome::Unclaimed(error) => Err(error),
        _ => Ok(()),
    }
}
