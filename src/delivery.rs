//! How a function receives what WeChat posts, and how it answers.

use std::time::Duration;

use lambda_http::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use lambda_http::http::{Method, StatusCode};
use lambda_http::{Body, Error, Request, RequestExt, Response};

use crate::deadline::Deadline;
use crate::outbox::Entry;
use crate::services::Services;
use crate::store::StoreError;
use crate::visit::context;
use crate::wechat::{ComponentSecret, Message, PushError, Signature};

/// The longest body that is read, in bytes. Real pushes have one or two thousand.
const LONGEST_BODY: usize = 256 * 1024;

/// WeChat waits five seconds for the answer; the rest is for the way there and back.
const ANSWERED_WITHIN: Duration = Duration::from_millis(4500);

/// What WeChat takes for an answer where it waits for no other.
pub(crate) const SUCCESS: &str = "success";

/// The moment by which WeChat must have the answer to this request.
pub(crate) fn deadline(request: &Request) -> Deadline {
    Deadline::of(&context(request)).within(ANSWERED_WITHIN)
}

/// Answers what was received: 200 with a body once it is stored, and otherwise a status without a word.
pub(crate) async fn answer(
    deadline: Deadline,
    received: impl Future<Output = Result<String, StatusCode>>,
) -> Result<Response<Body>, Error> {
    // Boxed, because the exchange in it is large.
    let (status, body) = match deadline.limit(Box::pin(received)).await {
        Some(Ok(body)) => (StatusCode::OK, body),
        Some(Err(status)) => (status, String::new()),
        None => {
            tracing::error!("the push is not stored in time");
            (StatusCode::INTERNAL_SERVER_ERROR, String::new())
        }
    };
    let body = if body.is_empty() { Body::Empty } else { Body::from(body) };
    Ok(Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "text/plain")
        .header(CACHE_CONTROL, "no-store")
        .header(X_CONTENT_TYPE_OPTIONS, "nosniff")
        .body(body)?)
}

/// Verifies and decrypts a request: with the secret as it is known, and if that does not fit, with the secret read again.
/// The error is the status of what is refused.
pub(crate) async fn open(services: &Services, request: &Request) -> Result<Message, StatusCode> {
    if request.method() != Method::POST {
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    let body = request.body().as_ref();
    if body.len() > LONGEST_BODY {
        tracing::warn!(bytes = body.len(), "push refused: too long");
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let secret = services.secrets.get().await.map_err(|error| {
        tracing::error!("the push cannot be verified: {error}");
        StatusCode::INTERNAL_SERVER_ERROR
    })?;
    let query = request.query_string_parameters();
    let signature = Signature {
        timestamp: query.first("timestamp").unwrap_or_default(),
        nonce: query.first("nonce").unwrap_or_default(),
        msg_signature: query.first("msg_signature").unwrap_or_default(),
    };
    let open =
        |secret: &ComponentSecret| Message::open(&signature, body, secret, services.store.component_appid());
    let mut message = open(&secret);
    if let Err(PushError::BadSignature | PushError::Undecryptable) = message
        && let Some(newer) = services.secrets.get_newer().await
    {
        message = open(&newer);
    }
    message.map_err(refused)
}

/// Says why a push is refused, and returns the status.
pub(crate) fn refused(error: PushError) -> StatusCode {
    tracing::warn!("push refused: {error}");
    match error {
        PushError::BadSignature => StatusCode::FORBIDDEN,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// Puts a message into the outbox. The error is the status of what is not stored.
pub(crate) async fn publish(services: &Services, entry: &Entry, message: &Message) -> Result<(), StatusCode> {
    let now = services.clock.now();
    let signed_at = message.signed_at().believable(now);
    if signed_at.is_some_and(|signed_at| now.since(signed_at) > Entry::LIFE) {
        tracing::warn!("push refused: it was signed more than a day ago");
        return Err(StatusCode::BAD_REQUEST);
    }
    if !entry.overflow.is_empty() {
        tracing::warn!(
            detail_type = entry.detail_type,
            "the push is too long: the event names what it leaves out"
        );
    }
    match services.store.put_push(entry, now).await {
        Ok(is_new) => {
            tracing::info!(detail_type = entry.detail_type, is_new, "push received");
            Ok(())
        }
        Err(error) => Err(not_stored(error)),
    }
}

/// Says why a push is not stored, and returns the status.
pub(crate) fn not_stored(error: StoreError) -> StatusCode {
    tracing::error!("the push is not stored: {error}");
    StatusCode::INTERNAL_SERVER_ERROR
}
