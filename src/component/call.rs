//! A call that carries the component token, and what is said of it when it fails.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::{Component, ComponentError};
use crate::deadline::Deadline;
use crate::retry::backoff;
use crate::wechat::{CallError, Class, ComponentAccessToken};

/// How often WeChat is asked the same thing by one invocation.
pub(super) const MOST_TRIES: u32 = 3;

/// A call with less time would be cut off, and nobody would know whether it took effect.
const SHORTEST: Duration = Duration::from_millis(200);

/// After how many requests without an answer WeChat counts as silent.
const SILENT: u32 = 2;

/// What a call that carries the component token brought.
#[derive(Clone, Debug)]
pub(crate) struct Called<T> {
    /// WeChat's answer.
    pub answer: T,
    /// The token that WeChat took.
    pub token: ComponentAccessToken,
    /// Whether an earlier try, whose answer was lost, may have done the same, or may do it yet.
    pub maybe_twice: bool,
}

/// A call with the component token failed.
#[derive(Clone, Debug)]
pub(crate) struct CallFailure {
    /// Why.
    pub cause: Cause,
    /// Whether one of the tries may have done what it was meant to do.
    pub maybe_taken_effect: bool,
}

/// Why a call with the component token failed.
#[derive(Clone, Debug)]
pub(crate) enum Cause {
    /// For want of a token.
    Component(ComponentError),
    /// The call itself.
    Call(CallError),
}

impl Cause {
    /// Says to the operator what failed and what to do.
    pub(crate) fn report(&self) {
        match self {
            Self::Component(error) => report(error),
            Self::Call(error) => report_call(error, error.advice(), ""),
        }
    }

    /// Whether every other call would fail for the same reason, which no merchant is at fault for.
    pub(crate) fn is_of_platform(&self) -> bool {
        match self {
            Self::Component(_) => true,
            Self::Call(error) => error.class().is_of_platform(),
        }
    }
}

impl Component {
    /// Makes a call with the component token: again while WeChat is unwell, and once more with another token
    /// if WeChat refuses this one. `token` is the token where it is at hand; `request` is told how long the
    /// call may take.
    pub(crate) async fn call<T, F>(
        &self,
        token: Option<ComponentAccessToken>,
        deadline: Deadline,
        request: impl Fn(ComponentAccessToken, Duration) -> F,
    ) -> Result<Called<T>, CallFailure>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        let mut maybe_taken_effect = false;
        let no_token =
            |error, maybe_taken_effect| CallFailure { cause: Cause::Component(error), maybe_taken_effect };
        let mut token = match token {
            Some(token) => token,
            None => self.token(deadline).await.map_err(|error| no_token(error, false))?,
        };
        let mut token_replaced = false;
        let mut tries = 1;
        loop {
            if deadline.remaining() < SHORTEST {
                let cause = Cause::Call(CallError::Unreachable("no time left for a call"));
                return Err(CallFailure { cause, maybe_taken_effect });
            }
            let answer = request(token.clone(), deadline.remaining()).await;
            self.note_silence(answer.as_ref().err());
            let error = match answer {
                Ok(answer) => return Ok(Called { answer, token, maybe_twice: maybe_taken_effect }),
                Err(error) => error,
            };
            maybe_taken_effect |= error.may_have_taken_effect();
            let again = tries < MOST_TRIES
                && match error.class() {
                    Class::Busy => deadline.pause(backoff(tries)).await,
                    Class::TokenRejected if !token_replaced => {
                        token = self
                            .token_after(&token, deadline)
                            .await
                            .map_err(|error| no_token(error, maybe_taken_effect))?;
                        token_replaced = true;
                        true
                    }
                    _ => false,
                };
            if !again {
                return Err(CallFailure { cause: Cause::Call(error), maybe_taken_effect });
            }
            tracing::info!(errcode = error.errcode().get(), rid = error.rid(), tries, "tried again: {error}");
            tries += 1;
        }
    }
}

impl Component {
    /// How long a visit may take: less while WeChat has left the last requests of this instance without an answer. What is
    /// not finished by then stays pending.
    pub(crate) fn patience(&self, deadline: Deadline) -> Deadline {
        /// Many visits that wait for as long as they can would leave no room for others.
        const WHILE_SILENT: Duration = Duration::from_secs(8);
        let is_silent = self.unanswered.load(Relaxed) >= SILENT;
        if is_silent { deadline.within(WHILE_SILENT) } else { deadline }
    }

    fn note_silence(&self, error: Option<&CallError>) {
        match error {
            Some(CallError::Unreachable(_) | CallError::Untrusted(_) | CallError::Lost(_)) => {
                self.unanswered.fetch_add(1, Relaxed);
            }
            _ => self.unanswered.store(0, Relaxed),
        }
    }
}

/// Says to the operator why there is no component token and what to do.
pub(crate) fn report(error: &ComponentError) {
    match error {
        ComponentError::NoTicket => tracing::error!(
            advice = "check the authorization event URL (授权事件接收URL) in WeChat's console; WeChat pushes a \
                      ticket every ten minutes",
            "platform not ready: {error}"
        ),
        ComponentError::Call(call) if call.class() == Class::TokenRejected => {
            // For this call the credential is the secret itself.
            report_call(call, Class::Misconfigured.advice(), "no component token: ");
        }
        ComponentError::Call(call) => report_call(call, call.advice(), "no component token: "),
        ComponentError::Secret(_) => tracing::error!(
            advice = "check the value of COMPONENT_SECRET_ARN and the function's permission to read it",
            "{error}"
        ),
        ComponentError::JustMinted => tracing::warn!(
            advice = "fix the service if it rejects every token; otherwise another system mints tokens of this platform",
            "{error}"
        ),
        ComponentError::Store(_) | ComponentError::Contended => tracing::error!("{error}"),
    }
}

fn report_call(error: &CallError, advice: &str, consequence: &str) {
    match error {
        CallError::Refused(refusal) => tracing::error!(
            errcode = refusal.errcode.get(),
            rid = refusal.rid,
            request_ip = refusal.request_ip,
            advice,
            "{consequence}{error}"
        ),
        error => tracing::error!(advice, "{consequence}{error}"),
    }
}
