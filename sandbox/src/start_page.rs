//! The page that leads through everything.

mod action;
mod view;

use askama::Template;
use axum::Router;
use axum::extract::RawForm;
use axum::response::{Html, Redirect};
use axum::routing::{get, post};
use sandbox::Sandbox;

use view::StartPage;

/// What the page shows and moves.
#[derive(Clone)]
pub(crate) struct State {
    sandbox: Sandbox,
}

impl State {
    pub(crate) fn new(sandbox: &Sandbox) -> Self {
        Self { sandbox: sandbox.clone() }
    }
}

/// `/` shows, `/sandbox` acts and leads back.
pub(crate) fn router(state: State) -> Router {
    let shown = state.clone();
    Router::new().route("/", get(async move || Html(page(&shown.sandbox).await))).route(
        "/sandbox",
        post(async move |RawForm(form): RawForm| {
            action::carry_out(&state.sandbox, &form).await;
            Redirect::to("/")
        }),
    )
}

async fn page(sandbox: &Sandbox) -> String {
    StartPage::of(sandbox).await.render().expect("the template renders")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_start_page_shows_the_record_and_no_secret() {
        let sandbox = Sandbox::start().await;
        assert!(page(&sandbox).await.contains("No account has authorized the platform yet."));
        let event = include_str!("../../events/callback.json");
        assert_eq!(sandbox.callback().invoke_file(event).await.status, 200);
        let page = page(&sandbox).await;
        assert!(page.contains("沙箱咖啡馆") && page.contains("WeChat accepts it"));
        let secrets = sandbox.wechat.secrets();
        assert!(secrets.len() > 5);
        for secret in secrets {
            assert!(!page.contains(&secret));
        }
    }

    #[tokio::test]
    async fn every_button_does_something() {
        let sandbox = Sandbox::start().await;
        for button in action::FAULTS.iter().flat_map(|group| group.buttons) {
            assert!(!page(&sandbox).await.contains("Mend everything"));
            action::carry_out(&sandbox, format!("action={}", button.action).as_bytes()).await;
            assert!(page(&sandbox).await.contains("Mend everything"), "{}", button.label);
            action::carry_out(&sandbox, b"action=mend").await;
        }
        for button in action::CLOCK {
            let before = sandbox.clock.now();
            action::carry_out(&sandbox, format!("action={}", button.action).as_bytes()).await;
            assert!(sandbox.clock.now() >= before + 600);
        }
    }
}
