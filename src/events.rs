//! `POST /events`: WeChat's encrypted pushes (授权事件接收URL). Verified, decrypted, made durable, answered.

use std::time::Duration;

use lambda_http::http::{Method, StatusCode};
use lambda_http::{Body, Error, Request, RequestExt, Response};

use crate::claim::Authorization;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::exchange::{Exchange, Outcome};
use crate::metric::Door;
use crate::services::Services;
use crate::store::{StoreError, Ticket};
use crate::time::Timestamp;
use crate::visit::context;
use crate::wechat::{Appid, Authorized, ComponentSecret, Info, Push, PushError, Signature};

/// The longest body that is read, in bytes. Real pushes have one or two thousand.
const LONGEST_BODY: usize = 256 * 1024;

/// WeChat waits five seconds for the answer; the rest is for the way there and back.
const ANSWERED_WITHIN: Duration = Duration::from_millis(4500);

/// Time reserved after the exchange for giving back what it held.
const FOR_ANSWERING: Duration = Duration::from_millis(500);

/// What the function depends on.
#[derive(Debug)]
pub struct App {
    exchange: Exchange,
    services: Services,
    component_appid: Appid,
}

impl App {
    /// An instance of the function, as a cold start makes it.
    pub fn new(config: &Config, services: Services) -> Self {
        let exchange = Exchange::new(services.clone(), Door::Events);
        Self { exchange, services, component_appid: config.component_appid.clone() }
    }
}

/// Answers one push: `success` once it is durable, and otherwise a status without a word.
pub async fn handle(app: &App, request: Request) -> Result<Response<Body>, Error> {
    let deadline = Deadline::of(&context(&request)).within(ANSWERED_WITHIN);
    let received = deadline.limit(receive(app, &request, deadline.reserving(FOR_ANSWERING))).await;
    let status = match received {
        Some(Ok(())) => StatusCode::OK,
        Some(Err(status)) => status,
        None => {
            tracing::error!("the push is not stored in time");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    let body = if status == StatusCode::OK { Body::from("success") } else { Body::Empty };
    Ok(Response::builder().status(status).header("content-type", "text/plain").body(body)?)
}

/// Verifies the push and stores what it says. The error is the status of a push that is not stored.
async fn receive(app: &App, request: &Request, deadline: Deadline) -> Result<(), StatusCode> {
    if request.method() != Method::POST {
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    let body = request.body().as_ref();
    if body.len() > LONGEST_BODY {
        tracing::warn!(bytes = body.len(), "push refused: too long");
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let push = open(app, request, body).await?;
    store(app, push, deadline).await.map_err(|error| {
        tracing::error!("the push is not stored: {error}");
        StatusCode::INTERNAL_SERVER_ERROR
    })
}

/// Verifies and decrypts the push: with the secret as it is known, and if that does not fit, with the secret read
/// again.
async fn open(app: &App, request: &Request, body: &[u8]) -> Result<Push, StatusCode> {
    let secret = app.services.secrets.get().await.map_err(|error| {
        tracing::error!("the push cannot be verified: {error}");
        StatusCode::INTERNAL_SERVER_ERROR
    })?;
    let query = request.query_string_parameters();
    let signature = Signature {
        timestamp: query.first("timestamp").unwrap_or_default(),
        nonce: query.first("nonce").unwrap_or_default(),
        msg_signature: query.first("msg_signature").unwrap_or_default(),
    };
    let open = |secret: &ComponentSecret| Push::open(&signature, body, secret, &app.component_appid);
    let mut push = open(&secret);
    if let Err(PushError::BadSignature | PushError::Undecryptable) = push
        && let Some(newer) = app.services.secrets.get_newer().await
    {
        push = open(&newer);
    }
    push.map_err(|error| {
        tracing::warn!("push refused: {error}");
        match error {
            PushError::BadSignature => StatusCode::FORBIDDEN,
            _ => StatusCode::BAD_REQUEST,
        }
    })
}

/// Stores what the push says.
async fn store(app: &App, push: Push, deadline: Deadline) -> Result<(), StoreError> {
    let Services { store, clock, .. } = &app.services;
    match push.info {
        Info::Ticket(ticket) => {
            let ticket = Ticket { component_verify_ticket: ticket, create_time: push.create_time };
            let newest = store.put_ticket(&ticket).await?;
            tracing::info!(newest, "ticket received");
            Ok(())
        }
        Info::Authorized(authorized) => authorize(app, &authorized, push.create_time, deadline).await,
        Info::Unauthorized(appid) => {
            let newest = store.revoke(&appid, push.create_time, clock.now()).await?;
            tracing::info!(authorizer.appid = %appid, newest, "authorization revoked");
            Ok(())
        }
        Info::Other(info_type) => {
            tracing::info!(info_type, "ignored push of an unsupported type");
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
    let state = match pre_auth_code {
        Some(pre_auth_code) => {
            app.services.store.launched_state(pre_auth_code, app.services.clock.now()).await?
        }
        None => None,
    };
    let authorization =
        Authorization { code, event_time, authorizer_appid: Some(authorizer_appid), state: state.as_ref() };
    tracing::info!(authorizer.appid = %authorizer_appid, launched = state.is_some(), "authorization received");
    match (app.exchange.run(authorization, deadline).await, &state) {
        (Outcome::Unclaimed(error), _) => Err(error),
        (Outcome::Stored(account), Some(state)) => {
            let now = app.services.clock.now();
            let noted = app.services.store.put_authorized_with(state, &account.authorizer_appid, now);
            // The grant is stored; this only helps a redirect whose own code turns out to be spent.
            if let Some(Err(error)) = deadline.limit(noted).await {
                tracing::warn!("{error}");
            }
            Ok(())
        }
        _ => Ok(()),
    }
}
