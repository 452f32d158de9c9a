//! Functions that are invoked with JSON.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lambda_http::lambda_runtime::Diagnostic;
use lambda_http::{Error, LambdaEvent};
use sandbox::{InvocationError, JsonInstance, Sandbox};
use serde_json::{Value, json};
use tokio::sync::Notify;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn an_invocation_brings_the_event_and_the_deadline_and_returns_the_answer() {
    let echo = async |event: LambdaEvent<Value>| {
        let remaining = event.context.deadline().duration_since(SystemTime::now())?;
        Ok::<_, Error>(json!({"event": event.payload, "in time": remaining <= SECOND}))
    };
    let function = JsonInstance::new(Duration::from_secs(60), echo).with_remaining(SECOND);
    assert_eq!(function.run(json!({"a": 1})).await, Ok(json!({"event": {"a": 1}, "in time": true})));
}

#[tokio::test]
async fn an_error_has_the_type_that_lambda_shows() {
    let fail = async |_: LambdaEvent<Value>| {
        Err::<(), _>(Diagnostic { error_type: "OutOfTea".to_owned(), error_message: "buy some".to_owned() })
    };
    let error = JsonInstance::new(SECOND, fail).run(json!({})).await.expect_err("an error");
    assert_eq!(error.to_string(), "OutOfTea: buy some");
    let sandbox = Sandbox::start().await;
    let error = sandbox.token().run(json!({"authorizer_appid": 1})).await.expect_err("an error");
    assert_eq!(error.error_type, "InvalidRequest");
}

#[tokio::test]
async fn an_invocation_that_runs_out_of_time_ends_as_in_lambda() {
    let wait = async |_: LambdaEvent<Value>| std::future::pending::<Result<(), Error>>().await;
    let error = JsonInstance::new(Duration::from_millis(1), wait).run(json!({})).await;
    let error_message = "Task timed out after 0.00 seconds".to_owned();
    assert_eq!(error, Err(InvocationError { error_type: "Sandbox.Timedout".to_owned(), error_message }));
}

#[tokio::test]
async fn an_invocation_dies_with_its_future() {
    /// Says so when it is dropped.
    struct Life(Arc<Notify>);
    impl Drop for Life {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }
    let (begun, ended) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let function = JsonInstance::new(Duration::from_secs(60), {
        let (begun, ended) = (begun.clone(), ended.clone());
        move |_| {
            let (begun, life) = (begun.clone(), Life(ended.clone()));
            async move {
                begun.notify_one();
                std::future::pending::<()>().await;
                drop(life);
                Ok::<_, Error>(())
            }
        }
    });
    let caller = tokio::spawn(async move { function.run(json!({})).await });
    begun.notified().await;
    caller.abort();
    ended.notified().await;
}
