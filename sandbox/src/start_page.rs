//! The page that leads through everything.

mod action;
mod authorizer;
mod button;
mod view;
mod words;

use std::sync::{Arc, Mutex};

use askama::Template;
use axum::Router;
use axum::extract::RawForm;
use axum::response::{Html, Redirect};
use axum::routing::{get, post};
use reqwest::Url;
use sandbox::Sandbox;

use crate::platform::Platform;
use crate::schedule::Schedule;
use crate::timeline;
use view::StartPage;

/// What the page shows and moves.
#[derive(Clone)]
pub(crate) struct State {
    sandbox: Sandbox,
    schedule: Schedule,
    /// The platform that runs here.
    platform: Option<Platform>,
    /// Why the last settings were refused.
    refused: Arc<Mutex<Option<String>>>,
    /// The launch page of a platform that is deployed elsewhere.
    elsewhere: Option<String>,
}

impl State {
    pub(crate) fn new(sandbox: &Sandbox, schedule: &Schedule, platform: &Platform) -> Self {
        Self { platform: Some(platform.clone()), elsewhere: None, ..Self::of(sandbox, schedule) }
    }

    fn of(sandbox: &Sandbox, schedule: &Schedule) -> Self {
        let (sandbox, schedule) = (sandbox.clone(), schedule.clone());
        Self { sandbox, schedule, platform: None, refused: Arc::default(), elsewhere: None }
    }

    /// For a platform that is deployed elsewhere: only what WeChat knows and does.
    pub(crate) fn of_wechat(sandbox: &Sandbox, schedule: &Schedule, launch: &Url) -> Self {
        Self { elsewhere: Some(launch.to_string()), ..Self::of(sandbox, schedule) }
    }

    fn refuse(&self, why: Option<String>) {
        *self.refused.lock().expect("not poisoned") = why;
    }
}

/// `/` shows, `/sandbox` acts and leads back.
pub(crate) fn router(state: State) -> Router {
    let shown = state.clone();
    let timeline = timeline::router(&state.sandbox, state.platform.as_ref());
    Router::new().merge(timeline).route("/", get(async move || Html(page(&shown).await))).route(
        "/sandbox",
        post(async move |RawForm(form): RawForm| {
            let to = action::carry_out(&state, &form).await;
            Redirect::to(to.as_deref().unwrap_or("/"))
        }),
    )
}

async fn page(state: &State) -> String {
    StartPage::of(state).await.render().expect("the template renders")
}

#[cfg(test)]
mod tests;
