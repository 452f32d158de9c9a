//! What merchants visit: the launch page and the redirect's target, in one function.
//!
//! The two routes have separate rates. Because they share a function, the redirect of a merchant who opened the launch
//! page finds a running process that has the component token in memory.

use lambda_http::{Body, Error, Request, RequestExt, Response};

use crate::config::Config;
use crate::services::Services;
use crate::{authorize, callback};

/// What the function depends on.
#[derive(Debug)]
pub struct App {
    authorize: authorize::App,
    callback: callback::App,
}

impl App {
    /// An instance of the function, as a cold start makes it.
    pub fn new(config: &Config, services: Services) -> Self {
        Self {
            authorize: authorize::App::new(config, services.clone()),
            callback: callback::App::new(config, services),
        }
    }
}

/// Answers one visit, by the last part of its path: there may be others before it.
pub async fn handle(app: &App, request: Request) -> Result<Response<Body>, Error> {
    let is_launch_page = request.raw_http_path().rsplit('/').next() == Some("authorize");
    // Boxed, because only one of them is needed.
    match is_launch_page {
        true => Box::pin(authorize::handle(&app.authorize, request)).await,
        false => Box::pin(callback::handle(&app.callback, request)).await,
    }
}
