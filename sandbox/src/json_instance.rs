//! One instance of a function that is invoked with JSON and not over HTTP.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use lambda_http::LambdaEvent;
use lambda_http::lambda_runtime::Diagnostic;
use serde::Serialize;
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::instance::context;

type Handled = Pin<Box<dyn Future<Output = Result<Value, Diagnostic>>>>;

/// A warm instance; clones are the same one.
#[derive(Clone)]
pub struct JsonInstance {
    handler: Arc<dyn Fn(LambdaEvent<Value>) -> Handled + Send + Sync>,
    timeout: Duration,
}

/// How Lambda tells a caller that an invocation failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvocationError {
    /// `errorType`, by which callers tell errors apart.
    pub error_type: String,
    /// `errorMessage`, for people.
    pub error_message: String,
}

impl fmt::Display for InvocationError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.error_type, self.error_message)
    }
}

impl std::error::Error for InvocationError {}

impl JsonInstance {
    /// Any handler of JSON events as an instance.
    pub fn new<F, Answer, Error>(
        timeout: Duration,
        handler: impl Fn(LambdaEvent<Value>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Answer, Error>> + 'static,
        Answer: Serialize,
        Error: Into<Diagnostic>,
    {
        let handler = move |event| -> Handled {
            let handled = handler(event);
            Box::pin(async move {
                let answer = handled.await.map_err(Into::into)?;
                Ok(serde_json::to_value(answer).expect("an answer is JSON"))
            })
        };
        Self { handler: Arc::new(handler), timeout }
    }

    /// The same instance with another time limit: its invocations end there, as Lambda ends them, and the
    /// function sees the deadline in its context.
    pub fn with_remaining(&self, remaining: Duration) -> Self {
        Self { timeout: remaining, ..self.clone() }
    }

    /// One invocation. Dropping the future is the death of the process.
    ///
    /// It runs on one thread, as in Lambda, so a function's future need not be [`Send`].
    pub async fn run(&self, event: Value) -> Result<Value, InvocationError> {
        let Self { handler, timeout } = self.clone();
        let (_caller, gone) = oneshot::channel::<Infallible>();
        let runtime = Handle::current();
        let thread = move || {
            runtime.block_on(async {
                let handled = handler(LambdaEvent::new(event, context(timeout)));
                tokio::select! {
                    handled = tokio::time::timeout(timeout, handled) => Some(handled),
                    _ = gone => None,
                }
            })
        };
        let handled = tokio::task::spawn_blocking(thread).await.expect("the function does not panic");
        match handled.expect("this caller is not gone") {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(Diagnostic { error_type, error_message })) => {
                Err(InvocationError { error_type, error_message })
            }
            // Lambda's own name for it.
            Err(_) => Err(InvocationError {
                error_type: "Sandbox.Timedout".to_owned(),
                error_message: format!("Task timed out after {:.2} seconds", timeout.as_secs_f64()),
            }),
        }
    }
}
