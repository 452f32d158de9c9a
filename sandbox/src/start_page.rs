//! The page that leads through everything.

mod action;
mod authorizer;
mod view;
mod words;

use askama::Template;
use axum::Router;
use axum::extract::RawForm;
use axum::response::{Html, Redirect};
use axum::routing::{get, post};
use reqwest::Url;
use sandbox::Sandbox;

use crate::schedule::Schedule;
use view::StartPage;

/// What the page shows and moves.
#[derive(Clone)]
pub(crate) struct State {
    sandbox: Sandbox,
    schedule: Schedule,
    /// The launch page of a platform that is deployed elsewhere.
    elsewhere: Option<String>,
}

impl State {
    pub(crate) fn new(sandbox: &Sandbox, schedule: &Schedule) -> Self {
        Self { sandbox: sandbox.clone(), schedule: schedule.clone(), elsewhere: None }
    }

    /// For a platform that is deployed elsewhere: only what WeChat knows and does.
    pub(crate) fn of_wechat(sandbox: &Sandbox, schedule: &Schedule, launch: &Url) -> Self {
        Self { elsewhere: Some(launch.to_string()), ..Self::new(sandbox, schedule) }
    }
}

/// `/` shows, `/sandbox` acts and leads back.
pub(crate) fn router(state: State) -> Router {
    let shown = state.clone();
    Router::new().route("/", get(async move || Html(page(&shown).await))).route(
        "/sandbox",
        post(async move |RawForm(form): RawForm| {
            let to = action::carry_out(&state.sandbox, &state.schedule, &form).await;
            Redirect::to(to.as_deref().unwrap_or("/"))
        }),
    )
}

async fn page(state: &State) -> String {
    StartPage::of(&state.sandbox, &state.schedule, state.elsewhere.as_deref())
        .await
        .render()
        .expect("the template renders")
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use sandbox::gateway;

    use super::*;

    /// A sandbox whose WeChat pushes to its own `events`.
    async fn state() -> State {
        let sandbox = Sandbox::start().await;
        let listener = sandbox::bind(Ipv4Addr::LOCALHOST.into(), 0).await;
        sandbox.wechat.set_events_url(Some(&format!("{}/events", sandbox::origin(&listener))));
        let router = gateway::router(&[("EventsFunction", sandbox.events())]);
        tokio::spawn(axum::serve(listener, router).into_future());
        let schedule = Schedule::new(&sandbox);
        State::new(&sandbox, &schedule)
    }

    async fn press(state: &State, form: &str) -> String {
        action::carry_out(&state.sandbox, &state.schedule, form.as_bytes()).await;
        page(state).await
    }

    #[tokio::test]
    async fn the_start_page_shows_the_record_and_no_secret() {
        let state = state().await;
        assert!(page(&state).await.contains("No account has authorized the platform yet."));
        let event = include_str!("../../events/callback.json");
        assert_eq!(state.sandbox.callback().invoke_file(event).await.status, 303);
        let page = page(&state).await;
        assert!(page.contains("沙箱咖啡馆") && page.contains("WeChat accepts it"));
        let secrets = state.sandbox.wechat.secrets();
        assert!(secrets.len() > 5);
        for secret in secrets {
            assert!(!page.contains(&secret));
        }
    }

    #[tokio::test]
    async fn every_fault_is_planned_and_mended() {
        let state = state().await;
        for button in action::FAULTS.iter().flat_map(|group| group.buttons) {
            assert!(!page(&state).await.contains("Mend everything"));
            let page = press(&state, &format!("action={}", button.action)).await;
            assert!(page.contains("Mend everything"), "{}", button.label);
            press(&state, "action=mend").await;
        }
    }

    #[tokio::test]
    async fn moving_the_clock_refreshes_the_tokens_that_are_due() {
        let state = state().await;
        let event = include_str!("../../events/callback.json");
        state.sandbox.callback().invoke_file(event).await;
        for button in action::CLOCK {
            let before = state.sandbox.clock.now().as_secs();
            press(&state, &format!("action={}", button.action)).await;
            assert!(state.sandbox.clock.now().as_secs() >= before + 600);
        }
        let page = page(&state).await;
        assert!(page.contains("1 refreshed") && page.contains("WeChat accepts it"), "{page}");
    }

    #[tokio::test]
    async fn every_switch_is_on_once_it_is_turned() {
        let state = state().await;
        let buttons = action::WHEN.iter().map(|(button, _)| button);
        for button in buttons.chain(action::CODE.iter().map(|(button, _)| button)) {
            let page = press(&state, &format!("action={}", button.action)).await;
            let on = format!("value=\"{}\" aria-pressed=\"true\"", button.action);
            assert!(page.contains(&on), "{}", button.label);
        }
    }

    #[tokio::test]
    async fn a_stale_token_heals_and_a_deleted_record_comes_back() {
        let state = state().await;
        let event = include_str!("../../events/callback.json");
        state.sandbox.callback().invoke_file(event).await;
        let account = "account=wx5a4db0c0ffee0001";
        press(&state, "action=clock-600").await;
        let page = press(&state, &format!("action=stale&{account}")).await;
        assert!(page.contains("WeChat refuses it"));
        let page = press(&state, &format!("action=token&{account}")).await;
        assert!(page.contains("WeChat accepts it") && page.contains("a token that WeChat accepts"));
        let page = press(&state, &format!("action=delete&{account}")).await;
        assert!(!page.contains("沙箱咖啡馆") && page.contains("not in the table"));
        let page = press(&state, "action=reconcile").await;
        assert!(page.contains("沙箱咖啡馆") && page.contains("1 restored"), "{page}");
    }

    #[tokio::test]
    async fn doctor_says_that_all_is_well_and_what_is_not() {
        let sandbox = Sandbox::start().await.with_gateway().await;
        let state = State::new(&sandbox, &Schedule::new(&sandbox));
        let page = press(&state, "action=doctor").await;
        assert!(page.contains("checks are ok"), "{page}");
        press(&state, "action=address").await;
        let page = press(&state, "action=doctor").await;
        assert!(page.contains("allow_list: WeChat refuses 203.0.113.7"), "{page}");
    }

    #[tokio::test]
    async fn for_a_platform_elsewhere_the_page_has_what_wechat_does_and_runs_no_function() {
        let sandbox = Sandbox::start().await;
        let launch = Url::parse("https://platform.example.com/authorize").expect("a URL");
        let schedule = Schedule::of_wechat(&sandbox);
        let state = State::of_wechat(&sandbox, &schedule, &launch);
        let appid = "wx5a4db0c0ffee0001";
        sandbox.wechat.authorize(appid, &[1, 15]);
        for action in ["refresh", "reconcile", &format!("token&account={appid}"), "ticket"] {
            press(&state, &format!("action={action}")).await;
        }
        schedule.tick().await;
        assert!(sandbox.wechat.requests().is_empty());
        let page = page(&state).await;
        assert!(page.contains("href=\"https://platform.example.com/authorize?state=sandbox-demo\""));
        assert!(page.contains("The merchant revokes") && page.contains("沙箱咖啡馆"));
        for absent in ["Run refresh now", "Delete the record", "+10 min", "DynamoDB", "not in the table"] {
            assert!(!page.contains(absent), "{absent}");
        }
    }

    #[tokio::test]
    async fn what_the_merchant_does_is_pushed_and_reaches_the_record() {
        let state = state().await;
        let event = include_str!("../../events/callback.json");
        state.sandbox.callback().invoke_file(event).await;
        let account = "account=wx5a4db0c0ffee0001";
        // Later than the grant: of two events in one second the order is unknown.
        state.sandbox.clock.advance(10);
        let page = press(&state, &format!("action=edit&{account}&set=1&set=15")).await;
        assert!(page.contains("<code>updateauthorized</code>") && page.contains("200 success"));
        assert!(page.contains("<dt>permission sets</dt><dd>1, 15</dd>"), "{page}");
        state.sandbox.clock.advance(10);
        let page = press(&state, &format!("action=revoke&{account}")).await;
        assert!(page.contains("<code>unauthorized</code>"));
        assert!(page.contains("<span class=\"alert\">unauthorized</span>"), "{page}");
        let page = press(&state, "action=ticket").await;
        assert!(page.contains("<code>component_verify_ticket</code>"));
    }

    #[tokio::test]
    async fn what_nobody_pushes_reaches_the_record_when_the_accounts_turn_comes() {
        let state = state().await;
        let event = include_str!("../../events/callback.json");
        state.sandbox.callback().invoke_file(event).await;
        let account = "account=wx5a4db0c0ffee0001";
        press(&state, &format!("action=rename&{account}&nick_name=茶馆")).await;
        press(&state, &format!("action=ban&{account}")).await;
        let before = press(&state, &format!("action=edit-unheard&{account}&set=1")).await;
        assert!(before.contains("<h3>沙箱咖啡馆") && before.contains("value=\"茶馆\""), "{before}");
        for _ in 0..8 {
            state.sandbox.clock.advance(86_400);
            press(&state, "action=ticket").await;
            press(&state, "action=reconcile").await;
        }
        let page = page(&state).await;
        assert!(page.contains("<h3>茶馆") && page.contains("<dt>account status</dt><dd>16</dd>"), "{page}");
        assert!(page.contains("<dt>permission sets</dt><dd>1</dd>"), "{page}");
    }
}
