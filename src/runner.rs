//! The loop of a function: what surrounds every invocation.

use std::fmt::Debug;

use lambda_http::lambda_runtime::{self, Diagnostic, LambdaEvent};
use lambda_http::{Adapter, Body, Error, Request, Response, Service, service_fn};
use serde::Serialize;
use serde_json::Value;
use tracing::Instrument;

use crate::gateway;
use crate::metric::Metrics;

/// Answers the invocations of a function behind the HTTP API, for as long as the process lives.
pub async fn run_http<F>(metrics: Metrics, handle: impl FnMut(Request) -> F) -> Result<(), Error>
where
    F: Future<Output = Result<Response<Body>, Error>> + Send,
{
    let mut function = Adapter::from(service_fn(handle));
    let invoke = move |event: LambdaEvent<Value>| {
        let LambdaEvent { payload, context } = event;
        let request_id = context.request_id.clone();
        let called = gateway::read(payload).map(|request| function.call(LambdaEvent::new(request, context)));
        let answer = async move {
            match called {
                Ok(response) => Ok(serde_json::to_value(response.await?)?),
                Err(malformed) => Ok::<_, Error>(gateway::refuse(malformed)),
            }
        };
        invocation(metrics, request_id, Box::pin(answer))
    };
    lambda_runtime::run(service_fn(invoke)).await
}

/// Answers the invocations of a function that is invoked with JSON, for as long as the process lives.
pub async fn run_json<F, Answer, Refusal>(
    metrics: Metrics,
    handle: impl Fn(LambdaEvent<Value>) -> F,
) -> Result<(), Error>
where
    F: Future<Output = Result<Answer, Refusal>>,
    Answer: Serialize,
    Refusal: Into<Diagnostic> + Debug,
{
    let invoke = |event: LambdaEvent<Value>| {
        let request_id = event.context.request_id.clone();
        // Boxed, because the compiler gives up on the size of a future that is nested as deep.
        invocation(metrics, request_id, Box::pin(handle(event)))
    };
    lambda_runtime::run(service_fn(invoke)).await
}

/// Does what an invocation does, in the span in which all its lines are logged at every level, and writes its
/// metrics.
async fn invocation<T>(metrics: Metrics, request_id: String, work: impl Future<Output = T>) -> T {
    let id = request_id.clone();
    logged(&id, metrics.of_invocation(request_id, work)).await
}

/// Does `work` in the span of an invocation. A page adds to it the `reference` that its visitor reads.
pub async fn logged<T>(request_id: &str, work: impl Future<Output = T>) -> T {
    let span = tracing::error_span!("invocation", request_id, reference = tracing::field::Empty);
    work.instrument(span).await
}
