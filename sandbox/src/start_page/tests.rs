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
    let platform = Platform::new(sandbox.clone());
    State::new(&sandbox, &Schedule::new(&sandbox, &platform), &platform)
}

async fn press(state: &State, form: &str) -> String {
    action::carry_out(state, form.as_bytes()).await;
    page(state).await
}

#[tokio::test]
async fn the_start_page_shows_the_record_and_no_secret() {
    let state = state().await;
    assert!(page(&state).await.contains("No account has authorized the platform yet."));
    let event = include_str!("../../../events/callback.json");
    assert_eq!(state.sandbox.callback().invoke_file(event).await.status, 303);
    let page = page(&state).await;
    assert!(page.contains("<h3>沙箱咖啡馆") && page.contains("WeChat accepts it"));
    let secrets = state.sandbox.wechat.secrets();
    assert!(secrets.len() > 5);
    for secret in secrets {
        assert!(!page.contains(&secret));
    }
}

#[tokio::test]
async fn every_fault_is_planned_and_can_be_ended() {
    let state = state().await;
    for button in button::FAULTS.iter().flat_map(|group| group.buttons) {
        assert!(!page(&state).await.contains("End all faults"));
        let page = press(&state, &format!("action={}", button.action)).await;
        assert!(page.contains("End all faults"), "{}", button.label);
        press(&state, "action=end-faults").await;
    }
}

#[tokio::test]
async fn moving_the_clock_refreshes_the_tokens_that_are_due() {
    let state = state().await;
    let event = include_str!("../../../events/callback.json");
    state.sandbox.callback().invoke_file(event).await;
    for button in button::CLOCK {
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
    let buttons = button::WHEN.iter().map(|(button, _)| button);
    for button in buttons.chain(button::CODE.iter().map(|(button, _)| button)) {
        let page = press(&state, &format!("action={}", button.action)).await;
        let on = format!("value=\"{}\" aria-pressed=\"true\"", button.action);
        assert!(page.contains(&on), "{}", button.label);
    }
}

#[tokio::test]
async fn a_stale_token_heals_and_a_deleted_record_comes_back() {
    let state = state().await;
    let event = include_str!("../../../events/callback.json");
    state.sandbox.callback().invoke_file(event).await;
    let account = "account=wx5a4db0c0ffee0001";
    press(&state, "action=clock-600").await;
    let page = press(&state, &format!("action=stale&{account}")).await;
    assert!(page.contains("WeChat refuses it"));
    let page = press(&state, &format!("action=token&{account}")).await;
    assert!(page.contains("WeChat accepts it") && page.contains("a token that WeChat accepts"));
    let page = press(&state, &format!("action=delete&{account}")).await;
    assert!(!page.contains("<h3>沙箱咖啡馆") && page.contains("not in the table"));
    let page = press(&state, "action=reconcile").await;
    assert!(page.contains("<h3>沙箱咖啡馆") && page.contains("1 restored"), "{page}");
}

#[tokio::test]
async fn doctor_says_that_all_is_well_and_what_is_not() {
    let sandbox = Sandbox::start().await.with_gateway().await;
    let platform = Platform::new(sandbox.clone());
    let state = State::new(&sandbox, &Schedule::new(&sandbox, &platform), &platform);
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
    assert!(page.contains("The merchant revokes") && page.contains("<h3>沙箱咖啡馆"));
    for absent in ["Run refresh now", "Delete the record", "+10 min", "DynamoDB", "not in the table"] {
        assert!(!page.contains(absent), "{absent}");
    }
}

#[tokio::test]
async fn what_the_merchant_does_is_pushed_and_reaches_the_record() {
    let state = state().await;
    let event = include_str!("../../../events/callback.json");
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
    let event = include_str!("../../../events/callback.json");
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

#[tokio::test]
async fn settings_reach_functions_that_start_cold_and_wrong_ones_change_nothing() {
    let state = state().await;
    let platform = state.platform.clone().expect("a platform");
    let page = press(&state, "action=configure&PLATFORM_NAME=一号店管家&RETURN_URL=https://shop.example/&REFRESH_MODE=on-demand&REQUIRE_LAUNCH=true").await;
    assert!(page.contains("value=\"一号店管家\"") && page.contains("on-demand\" selected"), "{page}");
    let answer = visit(&platform, "/authorize?state=s1").await;
    assert!(answer.contains("一号店管家") && answer.contains("https://shop.example/"), "{answer}");
    let page = press(&state, "action=configure&PLATFORM_NAME=x&RETURN_URL=http://shop.example/").await;
    assert!(page.contains("Nothing was changed: environment variable RETURN_URL is malformed"), "{page}");
    assert!(visit(&platform, "/authorize?state=s1").await.contains("一号店管家"));
    let page = press(&state, "action=configure").await;
    assert!(!page.contains("Nothing was changed"));
    assert!(!visit(&platform, "/authorize?state=s1").await.contains("一号店管家"));
}

/// What a browser reads there.
async fn visit(platform: &Platform, address: &str) -> String {
    let listener = sandbox::bind(Ipv4Addr::LOCALHOST.into(), 0).await;
    let origin = sandbox::origin(&listener);
    tokio::spawn(axum::serve(listener, platform.router()).into_future());
    let answer = reqwest::get(format!("{origin}{address}")).await.expect("an answer");
    answer.text().await.expect("a whole answer")
}

#[tokio::test]
async fn an_account_of_ones_own_offers_what_it_was_given_and_tells_what_it_was_told_to() {
    let state = state().await;
    let form = "action=add&nick_name=茶馆&kind=小程序 Mini Program&sets=17, 999&no_profile=true";
    let page = press(&state, form).await;
    assert!(page.contains("、茶馆") || page.contains("茶馆、"), "{page}");
    press(&state, "action=add&nick_name=&kind=小程序 Mini Program").await;
    press(&state, "action=add&nick_name=酒馆&kind=视频号 Channels").await;
    let accounts = state.sandbox.wechat.accounts();
    let of = |name: &str| accounts.iter().find(|account| account.nick_name == name).expect("it was added");
    assert_eq!((&of("茶馆").permission_set_ids[..], of("茶馆").has_profile), (&[17, 999][..], false));
    assert_eq!(of("酒馆").permission_set_ids, of("酒馆").kind.permission_set_ids());
    assert!(of("酒馆").has_profile && !accounts.iter().any(|account| account.nick_name.is_empty()));
}

#[tokio::test]
async fn a_push_can_be_repeated_forged_and_held_until_later_ones_have_come() {
    let state = state().await;
    let wechat = &state.sandbox.wechat;
    press(&state, "action=ticket").await;
    press(&state, "action=repeat&push=0").await;
    press(&state, "action=forge&push=0").await;
    press(&state, "action=repeat&push=77").await;
    let statuses: Vec<_> = wechat.deliveries().iter().map(|delivery| delivery.status).collect();
    assert_eq!(statuses, [Some(200), Some(200), Some(403)]);
    assert_eq!(wechat.deliveries()[0].push.xml(), wechat.deliveries()[1].push.xml());
    let event = include_str!("../../../events/callback.json");
    state.sandbox.callback().invoke_file(event).await;
    let account = "account=wx5a4db0c0ffee0001";
    state.sandbox.clock.advance(10);
    press(&state, "action=hold").await;
    press(&state, &format!("action=edit&{account}&set=1")).await;
    state.sandbox.clock.advance(10);
    let page = press(&state, &format!("action=revoke&{account}")).await;
    assert!(page.contains("Send the 2 held") && wechat.deliveries().len() == 3, "{page}");
    let page = press(&state, "action=release").await;
    let sent: Vec<_> =
        wechat.deliveries().iter().skip(3).map(|delivery| delivery.info_type.clone()).collect();
    assert_eq!(sent, ["unauthorized", "updateauthorized"]);
    assert!(
        page.contains("Hold what is pushed") && page.contains("<span class=\"alert\">unauthorized</span>"),
        "{page}"
    );
}

#[tokio::test]
async fn the_page_shows_what_the_pipes_publish() {
    let state = state().await;
    let event = include_str!("../../../events/callback.json");
    state.sandbox.callback().invoke_file(event).await;
    let page = page(&state).await;
    assert!(
        page.contains("<code>authorized</code>") && page.contains("&#34;version&#34;: &#34;1&#34;"),
        "{page}"
    );
}
