//! The platform that runs here, and what it was asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header;
use axum::response::Response;
use lambda_http::Service;
use sandbox::{Function, InvocationError, JSON_FUNCTIONS, JsonInstance, Sandbox, gateway};
use serde_json::Value;
use wechat_authorizer::config::{Config, ConfigError};

/// The variables that the start page sets.
pub(crate) const SETTINGS: [&str; 4] = ["PLATFORM_NAME", "RETURN_URL", "REFRESH_MODE", "REQUIRE_LAUNCH"];

/// The functions, warm, and a record of their calls; clones are the same ones.
#[derive(Clone)]
pub(crate) struct Platform(Arc<Mutex<State>>);

struct State {
    sandbox: Sandbox,
    http: Router,
    json: BTreeMap<&'static str, JsonInstance>,
    visits: Vec<Visit>,
    invocations: Vec<Invocation>,
}

/// A request that came over HTTP, a push too.
#[derive(Clone)]
pub(crate) struct Visit {
    pub(crate) at: Instant,
    pub(crate) took: Duration,
    pub(crate) method: String,
    pub(crate) path_and_query: String,
    pub(crate) status: u16,
    /// Where the answer leads; empty where it leads nowhere.
    pub(crate) location: String,
    pub(crate) body: String,
}

/// A function that was invoked with JSON.
#[derive(Clone)]
pub(crate) struct Invocation {
    pub(crate) at: Instant,
    pub(crate) took: Duration,
    pub(crate) function: &'static str,
    pub(crate) event: Value,
    pub(crate) answer: Result<Value, InvocationError>,
}

impl Platform {
    pub(crate) fn new(sandbox: Sandbox) -> Self {
        let (http, json) = cold(&sandbox);
        Self(Arc::new(Mutex::new(State { sandbox, http, json, visits: Vec::new(), invocations: Vec::new() })))
    }

    /// What the functions find in their environment.
    pub(crate) fn variables(&self) -> BTreeMap<String, String> {
        self.state().sandbox.variables().clone()
    }

    /// Replaces all functions by cold ones that find these variables. Nothing changes where one of them cannot be right.
    pub(crate) fn configure(&self, variables: &[(&str, &str)]) -> Result<(), ConfigError> {
        let mut state = self.state();
        let with = |sandbox: Sandbox, (name, value): &(&str, &str)| sandbox.with(name, value);
        let sandbox = variables.iter().fold(state.sandbox.clone(), with);
        Config::from_variables(|name| sandbox.variables().get(name).cloned())?;
        (state.http, state.json) = cold(&sandbox);
        state.sandbox = sandbox;
        Ok(())
    }

    /// The functions that answer HTTP.
    pub(crate) fn router(&self) -> Router {
        let platform = self.clone();
        Router::new().fallback(async move |request: Request| platform.visit(request).await)
    }

    async fn visit(&self, request: Request) -> Response {
        let at = Instant::now();
        let (method, uri) = (request.method().to_string(), request.uri().to_string());
        let mut http = self.state().http.clone();
        let Ok(answer) = http.call(request).await;
        let (parts, body) = answer.into_parts();
        // It is whole already: the function's answer is a text.
        let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
        let location = parts.headers.get(header::LOCATION).and_then(|location| location.to_str().ok());
        self.state().visits.push(Visit {
            at,
            took: at.elapsed(),
            method,
            path_and_query: uri,
            status: parts.status.as_u16(),
            location: location.unwrap_or_default().to_owned(),
            body: String::from_utf8_lossy(&body).into_owned(),
        });
        Response::from_parts(parts, Body::from(body))
    }

    /// Invokes one of [`JSON_FUNCTIONS`].
    pub(crate) async fn invoke(
        &self,
        function: &'static str,
        event: Value,
    ) -> Result<Value, InvocationError> {
        let at = Instant::now();
        let instance = self.state().json[function].clone();
        let answer = instance.run(event.clone()).await;
        let invocation = Invocation { at, took: at.elapsed(), function, event, answer: answer.clone() };
        self.state().invocations.push(invocation);
        answer
    }

    pub(crate) fn visits(&self) -> Vec<Visit> {
        self.state().visits.clone()
    }

    pub(crate) fn invocations(&self) -> Vec<Invocation> {
        self.state().invocations.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("not poisoned")
    }
}

fn cold(sandbox: &Sandbox) -> (Router, BTreeMap<&'static str, JsonInstance>) {
    let instance = |name: &&'static str| match sandbox.function(name)? {
        Function::Json(instance) => Some((*name, instance)),
        Function::Http(_) => None,
    };
    let http = gateway::router(&sandbox.http_functions());
    (http, JSON_FUNCTIONS.iter().filter_map(instance).collect())
}
