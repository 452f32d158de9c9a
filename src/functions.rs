//! The table of the functions, and what each is made of: configuration, clients, handler.

use std::env;
use std::pin::Pin;
use std::process::ExitCode;

use lambda_http::Error;
use rustls::RootCertStore;

use crate::config::Config;
use crate::metric::Metrics;
use crate::runner::{run_http, run_json};
use crate::services::Services;
use crate::time::Clock;
use crate::{
    aws, component_token, doctor, events, http, launch, log, messages, reconcile, refresh, token, visits,
};

const NO_FUNCTION: &str = "environment variable _HANDLER names no function: expected component_token, doctor, \
                           events, launch, messages, reconcile, refresh, token or visits";

/// The functions that read the component token before the first event, because somebody waits for their call of WeChat.
/// Lambda gives a start more of the processor than an invocation.
const CALL_WECHAT: [&str; 4] = ["events", "launch", "token", "visits"];

/// Answers the events of the function that `_HANDLER` names, for as long as the process lives. What it calls is trusted
/// if one of `roots` vouches for it.
pub async fn run(roots: RootCertStore) -> ExitCode {
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
    match answer(&config, roots).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("stopped: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn answer(config: &Config, roots: RootCertStore) -> Result<(), Error> {
    let (to_wechat, to_aws) = http::wires(roots);
    let aws = aws::config(|name| env::var(name).ok(), to_aws);
    let services = Services::new(config, &aws, to_wechat, Clock::default());
    let metrics = Metrics::of(config.component_appid.as_str());
    let handler = env::var("_HANDLER").unwrap_or_default();
    if CALL_WECHAT.contains(&handler.as_str()) {
        Box::pin(services.get_ready()).await;
    }
    // Boxed, so that a start makes room on the stack for one function and not for nine.
    let answering: Pin<Box<dyn Future<Output = Result<(), Error>> + '_>> = match handler.as_str() {
        "component_token" => Box::pin(async move {
            let app = component_token::App::new(config, services);
            run_json(metrics, |event| component_token::handle(&app, event)).await
        }),
        "doctor" => Box::pin(async move {
            let app = doctor::App::new(config, services);
            run_json(metrics, |event| doctor::handle(&app, event)).await
        }),
        "events" => Box::pin(async move {
            let app = events::App::new(config, services);
            run_http(metrics, |request| events::handle(&app, request)).await
        }),
        "launch" => Box::pin(async move {
            let app = launch::App::new(config, services);
            run_json(metrics, |event| launch::handle(&app, event)).await
        }),
        "messages" => Box::pin(async move {
            let app = messages::App::new(config, services);
            run_http(metrics, |request| messages::handle(&app, request)).await
        }),
        "reconcile" => Box::pin(async move {
            let app = reconcile::App::new(config, services);
            run_json(metrics, |event| reconcile::handle(&app, event)).await
        }),
        "refresh" => Box::pin(async move {
            let app = refresh::App::new(config, services);
            run_json(metrics, |event| refresh::handle(&app, event)).await
        }),
        "token" => Box::pin(async move {
            let app = token::App::new(config, services);
            run_json(metrics, |event| token::handle(&app, event)).await
        }),
        "visits" => Box::pin(async move {
            let app = visits::App::new(config, services);
            run_http(metrics, |request| visits::handle(&app, request)).await
        }),
        _ => return Err(NO_FUNCTION.into()),
    };
    answering.await
}
