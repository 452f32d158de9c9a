use std::net::Ipv4Addr;

use sandbox::wechat::{Account, PushedCode, When};
use serde_json::json;

use super::*;

/// A platform behind an address, with pushes that come before the browser.
async fn start() -> (Sandbox, Platform) {
    let listener = sandbox::bind(Ipv4Addr::LOCALHOST.into(), 0).await;
    let origin = sandbox::origin(&listener);
    let sandbox = Sandbox::start().await.with("PUBLIC_BASE_URL", &origin);
    sandbox.wechat.set_launch_host("127.0.0.1", false);
    sandbox.wechat.set_events_url(Some(&format!("{origin}/events")));
    sandbox.wechat.accompany_redirects(When::Before, PushedCode::Own);
    let platform = Platform::new(sandbox.clone());
    tokio::spawn(axum::serve(listener, platform.router()).into_future());
    (sandbox, platform)
}

/// A service's launch, the consent, and the browser's way back.
async fn authorize(platform: &Platform, appid: &str) {
    let launch = platform.invoke("launch", json!({"state": "customer-4711"})).await.expect("a launch");
    let client = reqwest::Client::new();
    let launch_page = client.get(launch["launch_url"].as_str().expect("a URL")).send().await.expect("a page");
    assert_eq!(launch_page.status(), 200);
    let consent = launch["pc_url"].as_str().expect("a URL");
    assert_eq!(client.get(consent).send().await.expect("a page").status(), 200);
    let (_, query) = consent.split_once('?').expect("a query");
    let form = format!("{query}&account={appid}&set=1&set=15");
    let confirmation = client.post(consent).body(form).send().await.expect("a page");
    assert_eq!(confirmation.status(), 200);
}

/// The phrases stand on the page, in this order.
#[track_caller]
fn assert_in_order(page: &str, phrases: &[&str]) {
    let mut rest = page;
    for phrase in phrases {
        let Some((_, after)) = rest.split_once(phrase) else { panic!("no {phrase} at its place: {page}") };
        rest = after;
    }
}

#[tokio::test]
async fn an_authorization_is_told_in_its_order_and_without_secrets() {
    let (sandbox, platform) = start().await;
    let appid = sandbox.wechat.add_account(Account::official_account("山茶书店"));
    authorize(&platform, &appid).await;
    let html = page(&sandbox, Some(&platform), 0).await.expect("a page");
    assert_in_order(
        &html,
        &[
            "invokes launch",
            "GET /authorize?launch=",
            "opens WeChat&#39;s consent page",
            &format!("{appid} agrees at WeChat"),
            "WeChat pushes authorized",
            "api_query_auth",
            "version 1 of the record",
            "authorized is answered 200 success",
            "GET /callback?",
            "/callback answers and leads to",
        ],
    );
    let secrets = sandbox.wechat.secrets();
    assert!(secrets.len() > 5 && secrets.iter().all(|secret| !html.contains(secret)));
    let launch = platform.invocations()[0].answer.as_ref().expect("a launch")["launch_id"].clone();
    assert!(!html.contains(launch.as_str().expect("an id")));
}

#[tokio::test]
async fn each_authorization_has_what_belongs_to_it() {
    let (sandbox, platform) = start().await;
    let [first, second] =
        ["山茶书店", "山茶读书"].map(|name| sandbox.wechat.add_account(Account::official_account(name)));
    authorize(&platform, &first).await;
    authorize(&platform, &second).await;
    let html = page(&sandbox, Some(&platform), 0).await.expect("a page");
    assert!(html.contains(&first) && !html.contains(&second));
    // What happens to the account later is told, until it authorizes again.
    sandbox.clock.advance(10);
    sandbox.wechat.revoke_and_push(&first).await;
    let html = page(&sandbox, Some(&platform), 0).await.expect("a page");
    assert_in_order(&html, &["WeChat pushes unauthorized", "<dt>status</dt>", "<dd>unauthorized</dd>"]);
    sandbox.clock.advance(10);
    authorize(&platform, &first).await;
    let again = page(&sandbox, Some(&platform), 0).await.expect("a page");
    assert_eq!(again.matches("class=\"step ").count(), html.matches("class=\"step ").count());
    assert!(page(&sandbox, Some(&platform), 2).await.is_some());
    assert!(page(&sandbox, Some(&platform), 3).await.is_none());
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_changes_the_record_once() {
    let (sandbox, platform) = start().await;
    let appid = sandbox.wechat.add_account(Account::official_account("山茶书店"));
    sandbox.dynamodb.on("TransactWriteItems").containing(&appid).once(sandbox::Fault::ResetAfter);
    authorize(&platform, &appid).await;
    let html = page(&sandbox, Some(&platform), 0).await.expect("a page");
    let record = sandbox.dynamodb.authorizer(&appid).await.expect("a record");
    let version = record["version"].as_u64().expect("a version");
    assert_eq!(html.matches(" of the record").count() as u64, version);
}
