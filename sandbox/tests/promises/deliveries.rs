//! Which pushes WeChat delivers, when, and what it remembers of them.

use std::net::Ipv4Addr;
use std::time::Duration;

use sandbox::wechat::{Account, PushedCode, When};
use sandbox::{Sandbox, gateway};
use serde_json::json;

use crate::call::{component_token, credentials, exchange, post};
use crate::consent::{PC, agree, link};

/// A sandbox whose WeChat pushes to its own `events`, and an account.
async fn platform() -> (Sandbox, String) {
    let sandbox = Sandbox::start().await;
    let listener = sandbox::bind(Ipv4Addr::LOCALHOST.into(), 0).await;
    sandbox.wechat.set_events_url(Some(&format!("{}/events", sandbox::origin(&listener))));
    let router = gateway::router(&[("EventsFunction", sandbox.events())]);
    tokio::spawn(axum::serve(listener, router).into_future());
    let appid = sandbox.wechat.add_account(Account::official_account("Tea"));
    (sandbox, appid)
}

/// The account consents, and the browser is sent back with a code.
async fn consent(sandbox: &Sandbox, appid: &str, sets: &[&str]) -> String {
    let location = agree(&link(sandbox, PC, ("", "")), appid, sets).await.expect("a redirect");
    let (_, code) = location.split_once("auth_code=").expect("a code");
    code.split('&').next().expect("a code").replace("%40", "@")
}

fn pushed(sandbox: &Sandbox) -> Vec<String> {
    let deliveries = sandbox.wechat.deliveries();
    assert!(deliveries.iter().all(sandbox::wechat::Delivery::succeeded), "{deliveries:?}");
    deliveries.into_iter().map(|delivery| delivery.info_type).collect()
}

#[tokio::test]
async fn a_push_before_the_redirect_has_done_its_work_when_the_browser_comes_back() {
    for (code, spent) in [(PushedCode::Same, json!(61010)), (PushedCode::Own, json!(null))] {
        let (sandbox, appid) = platform().await;
        sandbox.wechat.accompany_redirects(When::Before, code);
        let code = consent(&sandbox, &appid, &["1", "2"]).await;
        assert_eq!(pushed(&sandbox), ["authorized"]);
        let record = sandbox.dynamodb.authorizer(&appid).await.expect("a record");
        assert_eq!(record["permission_set_ids"], json!([1, 2]));
        let token = component_token(&sandbox).await;
        assert_eq!(exchange(&sandbox, &token, &code).await["errcode"], spent);
    }
}

#[tokio::test]
async fn a_push_at_once_or_after_the_redirect_comes_by_itself() {
    for when in [When::AtOnce, When::After(Duration::from_millis(1))] {
        let (sandbox, appid) = platform().await;
        sandbox.wechat.accompany_redirects(when, PushedCode::Same);
        consent(&sandbox, &appid, &["1"]).await;
        sandbox.wechat.delivered(1).await;
        assert_eq!(pushed(&sandbox), ["authorized"]);
    }
}

#[tokio::test]
async fn an_authorization_that_changes_nothing_is_not_pushed_and_one_that_changes_something_is_an_update() {
    let (sandbox, appid) = platform().await;
    sandbox.wechat.accompany_redirects(When::Before, PushedCode::Same);
    consent(&sandbox, &appid, &["1", "2"]).await;
    consent(&sandbox, &appid, &["1", "2"]).await;
    assert_eq!(pushed(&sandbox), ["authorized"]);
    consent(&sandbox, &appid, &["1"]).await;
    assert_eq!(pushed(&sandbox), ["authorized", "updateauthorized"]);
}

#[tokio::test]
async fn nothing_is_pushed_beside_a_redirect_where_it_is_switched_off_or_nobody_listens() {
    let (sandbox, appid) = platform().await;
    sandbox.wechat.accompany_redirects(When::Never, PushedCode::Same);
    consent(&sandbox, &appid, &["1"]).await;
    sandbox.wechat.accompany_redirects(When::Before, PushedCode::Same);
    sandbox.wechat.set_events_url(None);
    consent(&sandbox, &appid, &["1", "2"]).await;
    assert_eq!(pushed(&sandbox), [""; 0]);
}

#[tokio::test]
async fn a_merchant_who_edits_or_revokes_is_pushed_and_one_who_changes_nothing_is_not() {
    let (sandbox, appid) = platform().await;
    sandbox.wechat.authorize(&appid, &[1, 2]);
    assert!(sandbox.wechat.update_and_push(&appid, &[1, 2]).await.is_none());
    assert!(sandbox.wechat.update_and_push(&appid, &[1]).await.is_some());
    assert_eq!(sandbox.wechat.permission_set_ids(&appid), [1]);
    sandbox.wechat.revoke_and_push(&appid).await;
    assert_eq!(pushed(&sandbox), ["updateauthorized", "unauthorized"]);
}

#[tokio::test]
async fn a_ticket_is_pushed_every_ten_minutes_and_when_the_platform_asks_for_one() {
    let (sandbox, _) = platform().await;
    assert!(sandbox.wechat.push_due_ticket().await.is_none());
    sandbox.clock.advance(600);
    assert!(sandbox.wechat.push_due_ticket().await.is_some());
    assert!(sandbox.wechat.push_due_ticket().await.is_none());
    let mut body = credentials(&sandbox, "");
    body["component_secret"] = body["component_appsecret"].take();
    assert_eq!(post(&sandbox, "api_start_push_ticket", body).await["errcode"], 0);
    assert!(sandbox.wechat.push_due_ticket().await.is_some());
    assert_eq!(pushed(&sandbox), ["component_verify_ticket"; 2]);
}

#[tokio::test]
async fn a_push_that_nobody_or_nobody_happily_answers_is_remembered_as_that() {
    let (sandbox, _) = platform().await;
    let refused = sandbox.wechat.push_ticket().with_token("another");
    let refused = sandbox.wechat.deliver(refused).await.expect("a URL");
    assert_eq!((refused.status, refused.body.as_str()), (Some(403), ""));
    let listener = sandbox::bind(Ipv4Addr::LOCALHOST.into(), 0).await;
    let closed = sandbox::origin(&listener);
    drop(listener);
    sandbox.wechat.set_events_url(Some(&closed));
    let lost = sandbox.wechat.deliver(sandbox.wechat.push_ticket()).await.expect("a URL");
    assert_eq!(lost.status, None);
    assert!(sandbox.wechat.deliveries().iter().all(|delivery| !delivery.succeeded()));
    assert_eq!(sandbox.wechat.deliveries().len(), 2);
}

#[tokio::test]
async fn a_name_under_localhost_is_this_machine_and_stays_the_host() {
    let (sandbox, _) = platform().await;
    let listener = sandbox::bind(Ipv4Addr::LOCALHOST.into(), 0).await;
    let port = listener.local_addr().expect("it is bound").port();
    let hosts = axum::Router::new()
        .fallback(async |headers: axum::http::HeaderMap| headers["host"].to_str().expect("text").to_owned());
    tokio::spawn(axum::serve(listener, hosts).into_future());
    let name = format!("a1b2c3d4.execute-api.localhost:{port}");
    sandbox.wechat.set_events_url(Some(&format!("http://{name}/events")));
    let delivery = sandbox.wechat.deliver(sandbox.wechat.push_ticket()).await.expect("a URL");
    assert_eq!(delivery.body, name);
}

#[tokio::test]
async fn what_is_held_is_sent_last_one_first() {
    let (sandbox, appid) = platform().await;
    sandbox.wechat.authorize(&appid, &[1, 2]);
    assert_eq!(sandbox.wechat.held_pushes(), None);
    sandbox.wechat.hold_pushes();
    assert!(sandbox.wechat.update_and_push(&appid, &[1]).await.is_none());
    assert!(sandbox.wechat.revoke_and_push(&appid).await.is_none());
    assert_eq!((sandbox.wechat.held_pushes(), pushed(&sandbox).len()), (Some(2), 0));
    sandbox.wechat.release_pushes_reversed().await;
    assert_eq!(pushed(&sandbox), ["unauthorized", "updateauthorized"]);
    assert_eq!(sandbox.wechat.held_pushes(), None);
    assert!(sandbox.wechat.deliver(sandbox.wechat.push_ticket()).await.is_some());
}
