//! The one binary of all functions: configuration, clients, and the table of the functions.

use std::env;
use std::process::ExitCode;

use aws_config::BehaviorVersion;
use lambda_http::Error;
use wechat_authorizer::config::Config;
use wechat_authorizer::metric::Metrics;
use wechat_authorizer::runner::{run_http, run_json};
use wechat_authorizer::services::Services;
use wechat_authorizer::time::Clock;
use wechat_authorizer::{
    authorize, callback, component_token, doctor, events, http, launch, log, messages, reconcile, refresh,
    token,
};

const NO_FUNCTION: &str = "environment variable _HANDLER names no function: expected authorize, callback, \
                           component_token, doctor, events, launch, messages, reconcile, refresh or token";

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
    let services = Services::new(config, &aws, client, Clock::default());
    let metrics = Metrics::of(config.component_appid.as_str());
    match env::var("_HANDLER").unwrap_or_default().as_str() {
        "authorize" => {
            let app = authorize::App::new(config, services);
            run_http(metrics, |request| authorize::handle(&app, request)).await
        }
        "callback" => {
            let app = callback::App::new(config, services);
            run_http(metrics, |request| callback::handle(&app, request)).await
        }
        "component_token" => {
            let app = component_token::App::new(config, services);
            run_json(metrics, |event| component_token::handle(&app, event)).await
        }
        "doctor" => {
            let app = doctor::App::new(config, services);
            run_json(metrics, |event| doctor::handle(&app, event)).await
        }
        "events" => {
            let app = events::App::new(config, services);
            run_http(metrics, |request| events::handle(&app, request)).await
        }
        "launch" => {
            let app = launch::App::new(config, services);
            run_json(metrics, |event| launch::handle(&app, event)).await
        }
        "messages" => {
            let app = messages::App::new(config, services);
            run_http(metrics, |request| messages::handle(&app, request)).await
        }
        "reconcile" => {
            let app = reconcile::App::new(config, services);
            run_json(metrics, |event| reconcile::handle(&app, event)).await
        }
        "refresh" => {
            let app = refresh::App::new(config, services);
            run_json(metrics, |event| refresh::handle(&app, event)).await
        }
        "token" => {
            let app = token::App::new(config, services);
            run_json(metrics, |event| token::handle(&app, event)).await
        }
        _ => Err(NO_FUNCTION.into()),
    }
}
