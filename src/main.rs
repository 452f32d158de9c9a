//! The one binary of all functions: configuration, clients, and the table of the functions.

use std::env;
use std::process::ExitCode;

use aws_config::BehaviorVersion;
use lambda_http::lambda_runtime::{self, Diagnostic, LambdaEvent};
use lambda_http::{Error, service_fn};
use serde::Serialize;
use serde_json::Value;
use wechat_authorizer::clock::Clock;
use wechat_authorizer::config::Config;
use wechat_authorizer::metric::Metrics;
use wechat_authorizer::{authorize, callback, doctor, events, gateway, http, log, reconcile, refresh, token};

const NO_FUNCTION: &str = "environment variable _HANDLER names no function: expected authorize, callback, \
                           doctor, events, reconcile, refresh or token";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    log::init(
        env::var("AWS_LAMBDA_LOG_LEVEL").ok().as_deref(),
        env::var("AWS_LAMBDA_LOG_FORMAT").ok().as_deref(),
    );
    let config = match Config::from_variables(|name| env::var(name).ok()) {
        Ok(config) => config,
        Err(error) => {
            tracing::error!("cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match run(&config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("stopped: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(config: &Config) -> Result<(), Error> {
    let client = http::client();
    let aws = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http::aws_client(client.clone()))
        .load()
        .await;
    let clock = Clock::default();
    let metrics = Metrics::of(&config.component_appid);
    match env::var("_HANDLER").unwrap_or_default().as_str() {
        "authorize" => {
            let app = authorize::App::new(config, &aws, client, clock);
            gateway::run(metrics, |request| authorize::handle(&app, request)).await
        }
        "callback" => {
            let app = callback::App::new(config, &aws, client, clock);
            gateway::run(metrics, |request| callback::handle(&app, request)).await
        }
        "doctor" => {
            let app = doctor::App::new(config, &aws, client, clock);
            run_json(metrics, |event| doctor::handle(&app, event)).await
        }
        "events" => {
            let app = events::App::new(config, &aws, client, clock);
            gateway::run(metrics, |request| events::handle(&app, request)).await
        }
        "reconcile" => {
            let app = reconcile::App::new(config, &aws, client, clock);
            run_json(metrics, |event| reconcile::handle(&app, event)).await
        }
        "refresh" => {
            let app = refresh::App::new(config, &aws, client, clock);
            run_json(metrics, |event| refresh::handle(&app, event)).await
        }
        "token" => {
            let app = token::App::new(config, &aws, client, clock);
            run_json(metrics, |event| token::handle(&app, event)).await
        }
        _ => Err(NO_FUNCTION.into()),
    }
}

/// Answers the invocations of a function that is invoked with JSON, for as long as the process lives.
async fn run_json<F, Answer, Failure>(
    metrics: Metrics,
    handle: impl Fn(LambdaEvent<Value>) -> F,
) -> Result<(), Error>
where
    F: Future<Output = Result<Answer, Failure>>,
    Answer: Serialize,
    Failure: Into<Diagnostic> + std::fmt::Debug,
{
    let invoke = |event: LambdaEvent<Value>| {
        let request_id = event.context.request_id.clone();
        // Boxed, because the compiler gives up on the size of a future that is nested as deep.
        metrics.of_invocation(request_id, Box::pin(handle(event)))
    };
    lambda_runtime::run(service_fn(invoke)).await
}
