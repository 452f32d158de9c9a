//! The same over HTTP, for browsers.

use std::time::Instant;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use axum::routing::{MethodFilter, on};

use super::request::HttpRequest;
use crate::instance::{Answer, Instance};
use crate::{say, template};

/// API Gateway takes bodies up to this many bytes.
const BODY_LIMIT: usize = 10 * 1024 * 1024;

/// The routes of the template, each with its function. Prints a line for each visit; a push gets its line from
/// whoever sends it.
pub fn router(functions: &[(impl AsRef<str>, Instance)]) -> Router {
    let mut router = Router::new();
    for (resource, instance) in functions {
        let is_push = ["events", "messages"].map(template::function).contains(&resource.as_ref().to_owned());
        for (method, path) in template::routes(resource.as_ref()) {
            let method = Method::from_bytes(method.as_bytes()).expect("the template names HTTP methods");
            let filter = MethodFilter::try_from(method).expect("a method that axum routes");
            let instance = instance.clone();
            let handler = async move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
                let (text, started) = (format!("{method} {}", uri.path()), Instant::now());
                let answer = answer(instance, method, uri, headers, body).await;
                if !is_push {
                    say!("platform  {text} {} {} ms", answer.status, started.elapsed().as_millis());
                }
                if let Some(error) = &answer.error {
                    say!("platform  {text} {error}");
                }
                Response::from(answer)
            };
            router = router.route(&path, on(filter, handler));
        }
    }
    router.layer(DefaultBodyLimit::max(BODY_LIMIT))
}

async fn answer(instance: Instance, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Answer {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let request = HttpRequest {
        method: method.to_string(),
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        headers: headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect(),
        body: body.to_vec(),
    };
    let (answer, left) = instance.answer(request).await;
    tokio::spawn(left.run());
    answer
}

impl From<Answer> for Response {
    fn from(answer: Answer) -> Self {
        let mut response = axum::http::Response::builder().status(answer.status);
        for (name, value) in &answer.headers {
            response = response.header(name, value);
        }
        for cookie in &answer.cookies {
            response = response.header("set-cookie", cookie);
        }
        response.body(Body::from(answer.body)).expect("the function's headers are headers")
    }
}
