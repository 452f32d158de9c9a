//! `POST /events`: WeChat's encrypted pushes (授权事件接收URL). Verified, decrypted, made durable, answered.

use std::time::Duration;

use lambda_http::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use lambda_http::http::{Method, StatusCode};
use lambda_http::{Body, Error, Request, RequestExt, Response};

use crate::authorizer::Authorizers;
use crate::claim::Authorization;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::evidence::Evidence;
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
    Ok(Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "text/plain")
        .header(CACHE_CONTROL, "no-store")
        .header(X_CONTENT_TYPE_OPTIONS, "nosniff")
        .body(body)?)
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
    let (stored, ()) = tokio::join!(store(app, &push, deadline), note_odd_time(app, &push, deadline));
    stored.map_err(|error| {
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

/// Says and notes that the push tells a time which cannot be, if it does and is of a kind whose time counts.
async fn note_odd_time(app: &App, push: &Push, deadline: Deadline) {
    let now = app.services.clock.now();
    let source = match push.info {
        Info::Ticket(_) => "a ticket's push",
        Info::Authorized(_) => "an authorization's push",
        Info::Unauthorized(_) => "a revocation's push",
        Info::Other(_) => return,
    };
    if push.create_time.believable(now).is_none() {
        app.services.note_odd_time(push.create_time, source, now, deadline).await;
    }
}

/// Stores what the push says.
async fn store(app: &App, push: &Push, deadline: Deadline) -> Result<(), StoreError> {
    let Services { store, clock, .. } = &app.services;
    let now = clock.now();
    let event_time = push.create_time.at(now);
    match &push.info {
        Info::Ticket(ticket) => {
            let ticket = Ticket { component_verify_ticket: ticket.clone(), create_time: event_time };
            let newest = store.put_ticket(&ticket, now).await?;
            tracing::info!(newest, "ticket received");
            Ok(())
        }
        Info::Authorized(authorized) => authorize(app, authorized, event_time, deadline).await,
        Info::Unauthorized(appid) => {
            let newest = app.authorizers.revoke_pushed(appid, event_time, deadline).await?;
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
