//! What an operator hears of each thing that keeps a platform from working.

mod tables;

use std::time::Duration;

use sandbox::{Fault, Sandbox};
use serde_json::{Value, json};
use wechat_authorizer::time::Clock;

use crate::scene::{Scene, assert_logged};

const CHECKS: [&str; 21] = [
    "configuration",
    "secret",
    "authorizers_table",
    "platform_table",
    "pushes_table",
    "time_to_live",
    "point_in_time_recovery",
    "ticket",
    "told_times",
    "unexchanged",
    "wechat",
    "clock",
    "component_token",
    "allow_list",
    "address",
    "quota",
    "quota_note",
    "launch_page",
    "callback",
    "events_url",
    "messages_url",
];

impl Scene {
    /// The report of a cold instance in `sandbox`, which must show no secret.
    async fn report(&self, sandbox: &Sandbox) -> Report {
        let report = sandbox.doctor().run(json!({})).await.expect("a report");
        self.assert_clean(&report.to_string(), "the report");
        assert_eq!(report["version"], env!("CARGO_PKG_VERSION"));
        let checks = report["checks"].as_array().expect("checks").clone();
        let names: Vec<_> = checks.iter().map(|check| check["name"].as_str().expect("a name")).collect();
        assert_eq!(names, CHECKS);
        for check in &checks {
            assert_eq!(check["ok"] == true, check["fix"].is_null(), "{check}");
        }
        let report = Report { ok: report["ok"] == true, checks };
        assert_eq!(report.ok, report.failed().is_empty());
        report
    }
}

struct Report {
    ok: bool,
    checks: Vec<Value>,
}

impl Report {
    fn failed(&self) -> Vec<&str> {
        let failed = self.checks.iter().filter(|check| check["ok"] == false);
        failed.filter_map(|check| check["name"].as_str()).collect()
    }

    fn check(&self, name: &str) -> &Value {
        self.checks.iter().find(|check| check["name"] == name).expect("a check of that name")
    }

    #[track_caller]
    fn assert_ok(&self, name: &str, detail: &str) {
        let check = self.check(name);
        assert!(check["ok"] == true && contains(&check["detail"], detail), "{check}");
    }

    #[track_caller]
    fn assert_finds(&self, name: &str, detail: &str, fix: &str) {
        let check = self.check(name);
        assert!(check["ok"] == false, "{check}");
        assert!(contains(&check["detail"], detail), "{check}");
        assert!(contains(&check["fix"], fix), "{check}");
    }
}

fn contains(value: &Value, part: &str) -> bool {
    value.as_str().is_some_and(|text| text.contains(part))
}

#[tokio::test]
async fn a_healthy_platform_is_ok_and_doctor_spends_nothing() {
    let scene = Scene::new().await;
    let sandbox = scene.with_gateway().await;
    let report = scene.report(&sandbox).await;
    assert!(report.ok, "{:?}", report.checks);
    let base = &sandbox.variables()["PUBLIC_BASE_URL"];
    report.assert_ok("configuration", &scene.wechat.component_appid);
    report.assert_ok("configuration", base);
    report.assert_ok("secret", "previous_token, previous_encoding_aes_key is still set");
    report.assert_ok("address", "WeChat sees this network as 203.0.113.7");
    report.assert_ok("quota", "api_component_token 9999 of 10000");
    report.assert_ok("launch_page", "127.0.0.1 must stand at 授权发起页域名");
    report.assert_ok("events_url", &format!("{base}/events leads here; it must stand at 授权事件接收URL"));
    report.assert_ok(
        "messages_url",
        &format!("{base}/messages/$APPID$ leads here; it must stand at 消息与事件接收URL"),
    );
    assert_eq!(scene.wechat.on("api_create_preauthcode").count(), 0);
    assert!(scene.dynamodb.authorizers().await.is_empty());
    assert_logged(&["\"message\":\"doctor finished\"", "\"failed\":0"]);
}

#[tokio::test]
async fn the_token_that_is_minted_is_stored_and_the_one_before_works_on() {
    let scene = Scene::new().await;
    let callback = scene.callback();
    assert_eq!(scene.visit(&callback, &scene.consent()).await.status, 200);
    let before = scene.dynamodb.platform_items("component_token#").await;
    assert!(scene.report(&scene.with_gateway().await).await.ok);
    let after = scene.dynamodb.platform_items("component_token#").await;
    assert_ne!(before[0]["component_access_token"], after[0]["component_access_token"]);
    assert!(after[0].get("lease_owner").is_none());
    for instance in [callback, scene.callback()] {
        let redirect = crate::scene::redirect(&scene.wechat.mint_code(&scene.appid));
        assert_eq!(scene.visit(&instance, &redirect).await.status, 200);
    }
    assert_eq!(scene.wechat.on("api_component_token").count(), 2);
}

#[tokio::test]
async fn only_the_address_of_the_rid_s_answer_is_shown() {
    let scene = Scene::new().await;
    scene.report(&scene.with_gateway().await).await;
    let told =
        &scene.wechat.on("openapi/rid/get").requests()[0].answer.clone().expect("an answer")["request"];
    let secrets = scene.wechat.secrets();
    assert!(secrets.iter().any(|secret| contains(&told["request_url"], secret)), "it has the token in it");
    assert!(!crate::scene::log().contains("request_url"));
}

#[tokio::test]
async fn before_the_first_ticket_the_events_url_is_what_to_check() {
    let scene = Scene::without_ticket().await;
    let sandbox = scene.with_gateway().await;
    let report = scene.report(&sandbox).await;
    let events_url =
        format!("授权事件接收URL) in WeChat's console to {}/events", sandbox.variables()["PUBLIC_BASE_URL"]);
    report.assert_finds("ticket", "no component_verify_ticket has arrived yet", &events_url);
    report.assert_finds("component_token", "not checked: no ticket", "fix ticket first");
    for name in ["allow_list", "address", "quota"] {
        report.assert_finds(name, "not checked: no component token", "fix component_token first");
    }
    assert_eq!(report.failed(), ["ticket", "component_token", "allow_list", "address", "quota"]);
}

#[tokio::test]
async fn a_ticket_that_was_not_renewed_is_named_with_its_age() {
    let scene = Scene::new().await;
    let sandbox = scene.with_gateway().await;
    scene.clock.advance(29 * 60);
    assert!(scene.report(&sandbox).await.ok);
    scene.clock.advance(61);
    let report = scene.report(&sandbox).await;
    report.assert_finds("ticket", "is 30 minutes old", "授权事件接收URL");
    assert_eq!(report.failed(), ["ticket"], "it still mints");
    scene.clock.advance(12 * 3600);
    let report = scene.report(&sandbox).await;
    report.assert_finds("component_token", "errcode 61005", "fix ticket first");
}

#[tokio::test]
async fn a_wrong_appsecret_is_found_while_the_old_token_lives() {
    let scene = Scene::new().await;
    assert_eq!(scene.visit(&scene.callback(), &scene.consent()).await.status, 200);
    scene.wechat.reset_appsecret();
    let report = scene.report(&scene.with_gateway().await).await;
    report.assert_finds(
        "component_token",
        "errcode 40125",
        "AppSecret into the secret as component_appsecret",
    );
    assert_eq!(report.failed(), ["component_token", "allow_list", "address", "quota"]);
}

#[tokio::test]
async fn the_placeholder_of_the_first_deployment_is_called_by_its_name() {
    let scene = Scene::new().await;
    let mut secret =
        json!({"component_appsecret": "replace-me", "token": "replace-me", "encoding_aes_key": "replace-me"});
    for complete in [false, true] {
        if complete {
            secret = scene.wechat.component_secret();
            secret["component_appsecret"] = json!("replace-me");
        }
        scene.dynamodb.clear_faults();
        let sandbox = scene.with_secrets_manager(secret.clone()).with_gateway().await;
        let report = scene.report(&sandbox).await;
        report.assert_finds("secret", "the placeholder replace-me is still in it", "just rotate-secret");
        report.assert_finds("component_token", "not checked: no secret", "fix secret first");
        report.assert_finds("events_url", "events cannot read the secret", "");
        report.assert_finds("messages_url", "messages cannot read the secret", "");
    }
    assert_eq!(scene.wechat.on("api_component_token").count(), 0, "it is never sent");
}

#[tokio::test]
async fn a_secret_that_may_not_be_read_or_is_incomplete_is_told_apart() {
    let scene = Scene::new().await;
    let sandbox = scene.with_secrets_manager(json!({"token": "t"}));
    scene.report(&sandbox).await.assert_finds("secret", "missing or empty", "just rotate-secret");
    for (exception, fix) in [
        ("AccessDeniedException", "secretsmanager:GetSecretValue"),
        ("ResourceNotFoundException", "COMPONENT_SECRET_ARN"),
        ("InternalServiceError", "NAT gateway"),
    ] {
        scene.dynamodb.clear_faults();
        scene.dynamodb.on("GetSecretValue").always(Fault::exception(400, exception));
        scene.report(&sandbox).await.assert_finds("secret", exception, fix);
    }
    scene.dynamodb.clear_faults();
    let sandbox = scene.with_secrets_manager(scene.wechat.component_secret());
    scene.report(&sandbox).await.assert_ok("secret", "in Secrets Manager");
}

#[tokio::test]
async fn an_appid_with_large_letters_is_found() {
    let scene = Scene::new().await;
    let report = scene.report(&scene.with("COMPONENT_APPID", "wx7C0DE5A4DB0C0001")).await;
    report.assert_finds("configuration", "wx7C0DE5A4DB0C0001", "copy the platform's AppID");
}

#[tokio::test]
async fn an_address_off_the_allow_list_is_named() {
    let scene = Scene::new().await;
    let sandbox = scene.with_gateway().await;
    scene.wechat.allow_address(false);
    let report = scene.report(&sandbox).await;
    report.assert_finds("allow_list", "WeChat refuses 203.0.113.7 (errcode 61004", "add 203.0.113.7 to");
    report.assert_finds("allow_list", "", "白名单IP地址列表");
    report.assert_finds("component_token", "errcode 61004", "fix allow_list first");
    report.assert_ok("wechat", "answers");
    scene.wechat.allow_address(true);
    let refusal = "invalid ip 198.51.100.4 ipv6 ::ffff:198.51.100.4, not in whitelist rid: 65f";
    scene.wechat.on("api_component_token").once(Fault::errmsg(40164, refusal));
    let report = scene.report(&sandbox).await;
    report.assert_finds("allow_list", "refuses 198.51.100.4 (errcode 40164, rid 65f)", "add 198.51.100.4 to");
}

#[tokio::test]
async fn one_of_several_addresses_off_the_allow_list_is_found() {
    let scene = Scene::new().await;
    let refusal = "access clientip is not registered requestIP: 198.51.100.9 rid: 65f";
    let quota = scene.wechat.on("openapi/quota/get");
    quota.containing("api_query_auth").once(Fault::errmsg(61004, refusal));
    let report = scene.report(&scene.with_gateway().await).await;
    report.assert_finds(
        "allow_list",
        "refuses 198.51.100.9",
        "with several NAT gateways add the address of each",
    );
    assert_eq!(report.failed(), ["allow_list", "quota"]);
}

#[tokio::test]
async fn a_quota_that_wechat_does_not_tell_is_not_a_failure() {
    let scene = Scene::new().await;
    scene.wechat.on("openapi/quota/get").containing("cgi_path").always(Fault::errcode(76022));
    let report = scene.report(&scene.with_gateway().await).await;
    assert!(report.ok, "{:?}", report.checks);
    report.assert_ok("quota", "api_query_auth: WeChat does not tell (errcode 76022)");
    // The simulated WeChat does not know the rid of a fault.
    report.assert_ok("address", "errcode 76001");
    report.assert_ok("address", "the other source is a 61004");
}

#[tokio::test]
async fn clocks_that_disagree_by_more_than_a_minute_are_found() {
    let scene = Scene::new().await;
    let mut sandbox = scene.with_gateway().await;
    for (ahead, detail) in [(90, "s ahead of WeChat's"), (-180, "s behind WeChat's")] {
        sandbox.clock = Clock::default();
        sandbox.clock.advance(ahead);
        let report = scene.report(&sandbox).await;
        report.assert_finds("clock", detail, "NTP");
        assert_eq!(report.failed(), ["clock"]);
    }
}

#[tokio::test]
async fn a_domain_that_leads_elsewhere_is_found() {
    let scene = Scene::new().await;
    let sandbox = scene.with("PUBLIC_BASE_URL", &scene.wechat.base_url);
    let report = scene.report(&sandbox).await;
    let elsewhere = "HTTP 200, and not from this version of the stack";
    report.assert_finds("launch_page", elsewhere, "domain of PublicBaseUrl");
    report.assert_finds("callback", elsewhere, "domain of PublicBaseUrl");
    report.assert_finds("events_url", "HTTP 200, and not from events", "domain of PublicBaseUrl");
    report.assert_finds("messages_url", "HTTP 200, and not from messages", "domain of PublicBaseUrl");
    assert_eq!(report.failed(), ["launch_page", "callback", "events_url", "messages_url"]);
    let messages = format!("/messages/{}", scene.wechat.component_appid);
    for path in ["/authorize", "/events", &messages] {
        scene.wechat.on(path).once(Fault::raw(302, "text/html", ""));
    }
    let report = scene.report(&sandbox).await;
    report.assert_finds("launch_page", "HTTP 302: it redirects elsewhere", "without a redirect");
    report.assert_finds("events_url", "WeChat does not follow", "without a redirect");
    report.assert_finds("messages_url", "WeChat does not follow", "without a redirect");
    // What API Gateway says itself where there is no mapping.
    scene.wechat.on("/events").once(Fault::raw(403, "application/json", r#"{"message":"Forbidden"}"#));
    scene.report(&sandbox).await.assert_finds("events_url", "HTTP 403, and not from events", "API mapping");
}

#[tokio::test]
async fn the_path_of_the_pushes_has_the_stack_s_id() {
    let scene = Scene::new().await;
    let sandbox = scene
        .with("PUBLIC_BASE_URL", &scene.wechat.base_url)
        .with("EVENTS_PATH", "events/5ac1")
        .with("MESSAGES_PATH", "messages/5ac1");
    scene.wechat.on("/events/5ac1").once(Fault::raw(400, "text/plain", ""));
    let messages = format!("/messages/5ac1/{}", scene.wechat.component_appid);
    scene.wechat.on(&messages).once(Fault::raw(400, "text/plain", ""));
    let report = scene.report(&sandbox).await;
    report.assert_ok("events_url", "/events/5ac1 leads here");
    report.assert_ok("messages_url", "/messages/5ac1/$APPID$ leads here");
}

#[tokio::test]
async fn a_certificate_and_a_network_are_told_apart() {
    let scene = Scene::new().await;
    // It speaks no TLS.
    let address = scene.wechat.base_url.replace("http://", "https://");
    let sandbox = scene.with("PUBLIC_BASE_URL", &address).with("WECHAT_API_BASE_URL", &address);
    let report = scene.report(&sandbox).await;
    report.assert_finds("launch_page", "no certificate for this name", "the network works");
    report.assert_finds("wechat", "no certificate for this name", "has no certificate of that host");
    let nowhere = "https://127.0.0.1:1";
    let sandbox = scene.with("PUBLIC_BASE_URL", nowhere).with("WECHAT_API_BASE_URL", nowhere);
    let report = scene.report(&sandbox).await;
    report.assert_finds("launch_page", "no connection", "DNS record");
    report.assert_finds("wechat", "no connection", "NAT gateway");
}

#[tokio::test]
async fn a_domain_that_cannot_be_looked_at_is_no_agreement() {
    let scene = Scene::new().await;
    let report = scene.report(&scene.sandbox).await;
    report.assert_finds("launch_page", "PUBLIC_BASE_URL is not set", "set PUBLIC_BASE_URL");
    assert_eq!(report.failed(), ["launch_page", "callback", "events_url", "messages_url"]);
    let report = scene.report(&scene.with("PUBLIC_BASE_URL", "http://platform.localhost")).await;
    report.assert_finds("launch_page", "not https", "certificate");
    let report = scene.report(&scene.with("PUBLIC_BASE_URL", "http://127.0.0.1:1")).await;
    report.assert_finds("events_url", "no connection", "DNS record");
}

#[tokio::test]
async fn a_quota_that_is_nearly_used_up_is_found() {
    let scene = Scene::new().await;
    let quota = scene.wechat.on("openapi/quota/get").containing("api_query_auth");
    let left = |remain| {
        Fault::json(json!({"errcode": 0, "quota": {"daily_limit": 10000, "used": 0, "remain": remain}}))
    };
    quota.once(left(1000));
    quota.once(left(999));
    let sandbox = scene.with_gateway().await;
    assert!(scene.report(&sandbox).await.ok);
    let report = scene.report(&sandbox).await;
    report.assert_finds("quota", "api_query_auth 999 of 10000, nearly used up", "clear_quota");
    assert_eq!(report.failed(), ["quota"]);
}

#[tokio::test]
async fn a_quota_that_is_noted_as_used_up_is_named_with_its_item() {
    let scene = Scene::new().await;
    let pk = format!("quota#{}", scene.wechat.component_appid);
    let item = json!({"pk": pk, "expires_at": scene.clock.now().as_secs() + 3600});
    scene.dynamodb.put(&scene.dynamodb.platform_table, item).await;
    let report = scene.report(&scene.with_gateway().await).await;
    report.assert_finds("quota_note", "api_authorizer_token is noted as used up", &pk);
    assert_eq!(report.failed(), ["quota_note"]);
}

#[tokio::test]
async fn an_unreachable_wechat_is_told_apart_from_another_server() {
    let scene = Scene::new().await;
    let sandbox = scene.with_gateway().await;
    let report = scene.report(&sandbox.with("WECHAT_API_BASE_URL", "http://127.0.0.1:1")).await;
    report.assert_finds("wechat", "no connection", "NAT gateway");
    report.assert_finds("clock", "not checked: WeChat does not answer", "fix wechat first");
    report.assert_finds("component_token", "no connection", "fix wechat first");
    report.assert_finds("quota", "not checked: no component token", "fix component_token first");
    scene.wechat.on("openapi/quota/get").once(Fault::raw(200, "text/html", "<h1>Sign in</h1>"));
    let report = scene.report(&sandbox).await;
    report.assert_finds("wechat", "HTTP 200 with 16 bytes", "something other than WeChat's API");
    assert_eq!(report.failed(), ["wechat", "clock"]);
}

#[tokio::test]
async fn a_report_comes_in_time_whatever_hangs() {
    let scene = Scene::new().await;
    let sandbox = scene.with_gateway().await;
    let _held = [
        scene.dynamodb.on("UpdateItem").hold_before(),
        scene.wechat.on("openapi/quota/get").hold_before(),
        scene.dynamodb.on("DescribeTable").hold_before(),
    ];
    let doctor = sandbox.doctor().with_remaining(Duration::from_secs(1));
    let report = doctor.run(json!({})).await.expect("a report");
    let checks = Report { ok: false, checks: report["checks"].as_array().expect("checks").clone() };
    assert_eq!(checks.checks.len(), CHECKS.len());
    checks.assert_finds("wechat", "no answer in time", "NAT gateway");
    checks.assert_ok("ticket", "0 minutes old");
    checks.assert_ok("launch_page", "leads here");
}

#[tokio::test]
async fn a_wechat_that_hangs_while_minting_leaves_no_lease_behind() {
    let scene = Scene::new().await;
    assert_eq!(scene.visit(&scene.callback(), &scene.consent()).await.status, 200);
    let sandbox = scene.with_gateway().await;
    let _held = scene.wechat.on("api_component_token").hold_before();
    let doctor = sandbox.doctor().with_remaining(Duration::from_secs(2));
    let report = doctor.run(json!({})).await.expect("a report");
    let report = Report { ok: false, checks: report["checks"].as_array().expect("checks").clone() };
    report.assert_finds("component_token", "no answer in time", "fix wechat first");
    let stored = scene.dynamodb.platform_items("component_token#").await;
    assert!(stored[0].get("lease_owner").is_none(), "the next minting need not wait for it");
}
