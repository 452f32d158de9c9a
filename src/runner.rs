//! The loop of a function: what surrounds every invocation.

use std::fmt::Debug;
use std::time::Duration;

use lambda_http::lambda_runtime::tower::layer::layer_fn;
use lambda_http::lambda_runtime::{Diagnostic, LambdaEvent, LambdaInvocation, Runtime};
use lambda_http::{Adapter, Body, Error, Request, Response, Service, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tracing::Instrument;

use crate::after;
use crate::deadline::Deadline;
use crate::gateway;
use crate::metric::Metrics;

/// Time reserved at the end of an invocation for writing its metrics.
const FOR_METRICS: Duration = Duration::from_millis(500);

/// Answers the invocations of a function behind the HTTP API, for as long as the process lives.
pub async fn run_http<F>(metrics: Metrics, handle: impl FnMut(Request) -> F) -> Result<(), Error>
where
    F: Future<Output = Result<Response<Body>, Error>> + Send,
{
    let mut function = Adapter::from(service_fn(handle));
    let invoke = move |event: LambdaEvent<Value>| {
        let LambdaEvent { payload, context } = event;
        let called = gateway::read(payload).map(|request| function.call(LambdaEvent::new(request, context)));
        async move {
            match called {
                Ok(response) => Ok(serde_json::to_value(response.await?)?),
                Err(malformed) => Ok::<_, Error>(gateway::refuse(malformed)),
            }
        }
    };
    let runtime = Runtime::new(service_fn(invoke));
    runtime.layer(layer_fn(|service| surrounded(metrics, service))).run().await
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
    // Boxed, because the compiler cannot compute the size of a future nested this deep.
    let runtime = Runtime::new(service_fn(|event: LambdaEvent<Value>| Box::pin(handle(event))));
    runtime.layer(layer_fn(|service| surrounded(metrics, service))).run().await
}

/// The event of a function that is invoked with JSON, if it is an object that `T` fits. Serde alone takes a list for an
/// object, too.
pub(crate) fn object<T: DeserializeOwned>(event: Value) -> Option<T> {
    if event.is_object() { serde_json::from_value(event).ok() } else { None }
}

/// Wraps `service`, which runs the function and posts its answer: all log lines of an invocation are in one span, then
/// comes the work left for after the answer, then the metrics. Only then is Lambda asked for the next event.
fn surrounded<S>(
    metrics: Metrics,
    mut service: S,
) -> impl Service<LambdaInvocation, Response = (), Error = Error>
where
    S: Service<LambdaInvocation, Response = (), Error = Error>,
{
    service_fn(move |invocation: LambdaInvocation| {
        let request_id = invocation.context.request_id.clone();
        let id = request_id.clone();
        let deadline = Deadline::of(&invocation.context).reserving(FOR_METRICS);
        let answering = Box::pin(service.call(invocation));
        let work = async move {
            let (posted, left) = after::gather(answering).await;
            deadline.limit(left.run()).await;
            metrics.write_of_invocation(request_id);
            posted
        };
        async move { logged(&id, work).await }
    })
}

/// Does `work` in the span of an invocation. A page adds to it the `reference` that its visitor reads.
pub async fn logged<T>(request_id: &str, work: impl Future<Output = T>) -> T {
    let span = tracing::error_span!("invocation", request_id, reference = tracing::field::Empty);
    work.instrument(span).await
}
