//! What somebody cannot do who has no evidence, and what WeChat's odd times and single answers do not do.

use std::time::Duration;

use sandbox::wechat::Account;
use sandbox::{Browser, Fault};
use serde_json::{Value, json};

use crate::refresh::run;
use crate::scene::{Scene, assert_logged, of_launch, redirect};

const AILMENTS: [fn() -> Fault; 8] = [
    || Fault::errcode(-1),
    || Fault::errcode(-1000),
    || Fault::raw(500, "text/html", "<html>"),
    || Fault::raw(200, "text/html", ""),
    || Fault::ResetBefore,
    || Fault::ResetAfter,
    || Fault::Truncated,
    || Fault::DelayBefore(Duration::from_secs(6)),
];

/// Whether a time in a table is that of a moment ago.
fn is_now(scene: &Scene, time: &Value) -> bool {
    let now = scene.clock.now().as_secs();
    time.as_i64().is_some_and(|time| (now - 30..=now).contains(&time))
}

/// A stranger sends a made-up code while WeChat ails, beside a merchant who authorized by a service's launch.
async fn check_made_up_code(ailment: Fault, errcode: i64, require_launch: bool) {
    let scene = Scene::new().await;
    let launch = scene.launch().await;
    let merchants = of_launch(&scene.consent(), &launch);
    assert_eq!(scene.visit(&scene.callback(), &merchants).await.status, 200);
    let before = scene.stored().await;

    let made_up = redirect("queryauthcode@@@made-up");
    // The stranger opens another launch page, if possible.
    let page = Browser::new().visit(&scene.authorize(), "/authorize?state=tenant-of-a-stranger").await;
    let (_, id) = page.body.split_once("callback%3Flaunch%3D").expect("a launch");
    let mut visits =
        vec![made_up.clone(), format!("{made_up}&state=tenant-of-a-stranger&launch={}", &id[..32])];
    if require_launch {
        // And a launch of a service that he is a customer of.
        let own = scene.launch_with(json!({"state": "tenant-of-a-stranger"})).await;
        visits = vec![of_launch(&made_up, &own)];
    }
    let callback = scene.callback_with(&[("REQUIRE_LAUNCH", if require_launch { "true" } else { "false" })]);
    scene.wechat.on("api_query_auth").once(ailment.clone());
    scene.wechat.on("api_query_auth").always(Fault::errcode(errcode));
    for visit in &visits {
        let answer = scene.visit(&callback, visit).await;
        assert_ne!(answer.status, 200, "{ailment:?} {errcode}");
    }
    for _ in 0..5 {
        run(&scene.refresh()).await;
        scene.clock.advance(61);
    }
    let after = scene.stored().await;
    for attribute in
        ["state", "bound", "authorized_at", "authorizer_access_token", "authorizer_refresh_token"]
    {
        assert_eq!(after[attribute], before[attribute], "{attribute}: {ailment:?} {errcode}");
    }
    assert!(after.get("unverified_state").is_none());
    for visit in &visits {
        let reload = scene.visit(&callback, visit).await;
        assert_ne!(reload.status, 200);
        assert!(!reload.body.contains("茶馆") && !reload.body.contains(&scene.appid));
    }
}

#[tokio::test]
async fn a_made_up_code_gets_nothing_of_another_merchant_whatever_ails_wechat_meanwhile() {
    let mut checks = Vec::new();
    for ailment in AILMENTS {
        for (errcode, require_launch) in [(61009, false), (61010, false), (61010, true)] {
            checks.push(tokio::spawn(check_made_up_code(ailment(), errcode, require_launch)));
        }
    }
    for check in checks {
        check.await.expect("the check holds");
    }
}

#[tokio::test]
async fn a_code_without_a_launch_or_push_fails_when_wechat_refuses_it() {
    for errcode in [61009, 61010] {
        let scene = Scene::new().await;
        scene.wechat.on("api_query_auth").once(Fault::ResetAfter);
        scene.wechat.on("api_query_auth").always(Fault::errcode(errcode));
        let page = scene.visit(&scene.callback(), &redirect("queryauthcode@@@made-up")).await;
        assert!(page.status == 410 && page.body.contains("请在平台查看授权结果"), "{errcode}: {}", page.body);
        let claim = scene.claim().await;
        assert_eq!(claim["status"], "failed");
        assert!(claim.get("pending").is_none() && claim.get("authorization_code").is_none());
        run(&scene.refresh()).await;
        assert_eq!(scene.wechat.on("api_get_authorizer_list").count(), 0, "nothing is looked for");
    }
}

#[tokio::test]
async fn a_push_vouches_for_a_code_that_failed_without_it() {
    let scene = Scene::new().await;
    let code = scene.wechat.authorize(&scene.appid, &[1]);
    scene.wechat.on("api_query_auth").once(Fault::ResetAfter);
    assert_eq!(scene.visit(&scene.callback(), &redirect(&code)).await.status, 410);
    let push = scene.wechat.push_authorized(&scene.appid, &code, None);
    assert_eq!(scene.events().request(push).await.status, 200);
    for _ in 0..2 {
        run(&scene.refresh()).await;
        scene.clock.advance(61);
    }
    let record = scene.stored().await;
    assert!(scene.wechat.accepts(record["authorizer_access_token"].as_str().expect("a token")));
    assert_eq!(scene.visit(&scene.callback(), &redirect(&code)).await.status, 200);
}

#[tokio::test]
async fn two_visitors_who_share_a_state_do_not_see_each_others_account() {
    let scene = Scene::new().await;
    let launched = async |browser: &Browser| {
        let page = browser.visit(&scene.authorize(), "/authorize?state=tenant-7").await;
        page.body.split_once("callback%3Flaunch%3D").expect("a launch").1[..32].to_owned()
    };
    let (a, b) = (Browser::new(), Browser::new());
    let (launch_of_a, launch_of_b) = (launched(&a).await, launched(&b).await);
    let other = scene.wechat.add_account(Account::official_account("other"));
    let expired = redirect(&scene.wechat.authorize(&other, &[1]));
    scene.clock.advance(3601);
    let back = format!("{}&launch={launch_of_a}", scene.consent());
    assert_eq!(a.visit(&scene.callback(), &back).await.status, 200);
    let page = b.visit(&scene.callback(), &format!("{expired}&launch={launch_of_b}")).await;
    assert_eq!(page.status, 410);
    assert!(!page.body.contains("茶馆"));
}

#[tokio::test]
async fn beyond_the_allowance_made_up_codes_cost_no_call_and_a_merchant_loses_nothing() {
    let scene = Scene::new().await;
    let sandbox = scene.with("UNVOUCHED_PER_DAY", "20");
    let callback = sandbox.callback();
    // A tenth of the day's allowance at once, and one that has come back already.
    for attempt in 0..12 {
        let made_up = redirect(&format!("queryauthcode@@@made-up-{attempt}"));
        scene.visit(&callback, &made_up).await;
    }
    let calls = scene.exchanges();
    assert!((2..=4).contains(&calls), "{calls} calls");
    let claims = scene.dynamodb.platform_items("code#").await;
    assert_eq!(claims.len(), calls, "nothing is claimed that is not exchanged");

    // A merchant without a service's launch: the push brings the same grant, and his page waits for it.
    let code = scene.wechat.authorize(&scene.appid, &[1]);
    let (visiting, path) = (callback.clone(), redirect(&code));
    let visit = tokio::spawn(async move { visiting.get(&path).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    let push = scene.wechat.push_authorized(&scene.appid, &code, None);
    assert_eq!(sandbox.events().request(push).await.status, 200);
    assert_eq!(visit.await.expect("no panic").status, 200);
    assert_eq!(scene.stored().await["status"], "authorized");
    assert_logged(&["not exchanged: the allowance of visits without a service's launch is used up"]);

    // A service's launch is free of it.
    let other = scene.wechat.add_account(Account::official_account("other"));
    let code = scene.wechat.authorize(&other, &[1]);
    let back = of_launch(&redirect(&code), &scene.launch().await);
    assert_eq!(scene.visit(&callback, &back).await.status, 200);

    // It comes back over the day.
    scene.clock.advance(86_400 / 20);
    let calls = scene.exchanges();
    scene.visit(&callback, &redirect("queryauthcode@@@tomorrow")).await;
    assert_eq!(scene.exchanges(), calls + 1);
}

#[tokio::test]
async fn one_instance_exchanges_no_more_unvouched_codes_at_once_than_it_is_told() {
    for (per_second, exchanged) in [("0", 0), ("2", 2)] {
        let scene = Scene::new().await;
        let callback = scene.callback_with(&[("UNVOUCHED_PER_SECOND", per_second)]);
        let visits = (0..2).map(|attempt| {
            let (callback, path) =
                (callback.clone(), redirect(&format!("queryauthcode@@@made-up-{attempt}")));
            tokio::spawn(async move { callback.get(&path).await.status })
        });
        for visit in visits.collect::<Vec<_>>() {
            assert_eq!(visit.await.expect("no panic"), if exchanged == 0 { 503 } else { 400 });
        }
        assert_eq!(scene.exchanges(), exchanged);
    }
}

#[tokio::test]
async fn the_sweep_takes_first_what_is_vouched_for() {
    let scene = Scene::new().await;
    let vouched = scene.launched().await;
    scene.wechat.allow_address(false);
    for attempt in 0..3 {
        scene.visit(&scene.callback(), &redirect(&format!("queryauthcode@@@made-up-{attempt}"))).await;
    }
    scene.visit(&scene.callback(), &vouched).await;
    scene.wechat.allow_address(true);
    let before = scene.exchanges();
    scene.clock.advance(61);
    run(&scene.refresh()).await;
    let codes: Vec<Value> = scene
        .wechat
        .on("api_query_auth")
        .requests()
        .split_off(before)
        .into_iter()
        .map(|request| request.body["authorization_code"].clone())
        .collect();
    assert_eq!(codes.len(), 4);
    assert!(!codes[0].as_str().expect("a code").contains("made-up"), "{codes:?}");
}

#[tokio::test]
async fn a_genuine_code_that_ended_unexchanged_is_reported_everywhere() {
    let scene = Scene::new().await;
    let launch = scene.launch().await;
    let code = scene.wechat.authorize(&scene.appid, &[1]);
    scene.wechat.on("api_query_auth").always(Fault::errcode(45009));
    let back = of_launch(&redirect(&code), &launch);
    assert_eq!(scene.visit(&scene.callback(), &back).await.status, 503);
    let push = scene.wechat.push_authorized(&scene.appid, &code, launch["pre_auth_code"].as_str());
    assert_eq!(scene.events().request(push).await.status, 200);
    scene.clock.advance(3601);
    scene.put_ticket().await;
    scene.wechat.clear_faults();
    run(&scene.refresh()).await;
    assert_eq!(scene.claim().await["status"], "unexchanged");
    assert_logged(&["an authorization code died before WeChat exchanged it", &scene.appid]);
    let record = scene.stored().await;
    assert_eq!((&record["change"], &record["status"]), (&json!("unexchanged"), &json!("authorized")));
    assert!(record.get("authorizer_refresh_token").is_none());
    let page = scene.visit(&scene.callback(), &back).await;
    assert_eq!(page.status, 410);
    assert!(page.body.contains("重新授权"), "{}", page.body);
    let report = scene.with_gateway().await.doctor().run(json!({})).await.expect("a report");
    let check =
        report["checks"].as_array().expect("a list").iter().find(|check| check["name"] == "unexchanged");
    let check = check.expect("the check");
    assert!(
        check["ok"] == false && check["detail"].as_str().is_some_and(|detail| detail.contains(&scene.appid))
    );
    // The merchant authorizes again, and all is well.
    scene.clock.advance(60);
    let again = redirect(&scene.wechat.authorize(&scene.appid, &[1]));
    assert_eq!(scene.visit(&scene.callback(), &again).await.status, 200);
    assert!(scene.stored().await.get("authorizer_refresh_token").is_some());
}

#[tokio::test]
async fn a_time_in_milliseconds_shuts_nothing_out() {
    let scene = Scene::new().await;
    let (events, now) = (scene.events(), || scene.clock.now().as_secs());
    let push = scene.wechat.push_ticket().created_at(now() * 1000);
    assert_eq!(events.request(push).await.status, 200);
    scene.clock.advance(600);
    let push = scene.wechat.push_ticket().created_at(now());
    assert_eq!(events.request(push).await.status, 200);
    let ticket = scene.dynamodb.platform_items("ticket#").await.remove(0);
    assert!(is_now(&scene, &ticket["create_time"]), "the later ticket is the newer one");

    let code = scene.wechat.authorize(&scene.appid, &[1]);
    let push = scene.wechat.push_authorized(&scene.appid, &code, None).created_at(now() * 1000);
    assert_eq!(events.request(push).await.status, 200);
    assert!(is_now(&scene, &scene.stored().await["authorized_at"]));
    scene.clock.advance(600);
    let code = scene.wechat.authorize(&scene.appid, &[1, 2]);
    assert_eq!(scene.visit(&scene.callback(), &redirect(&code)).await.status, 200);
    assert_eq!(scene.stored().await["permission_set_ids"], json!([1, 2]));
    scene.clock.advance(600);
    scene.wechat.revoke(&scene.appid);
    let push = scene.wechat.push_unauthorized(&scene.appid).created_at(now() * 1000);
    assert_eq!(events.request(push).await.status, 200);
    assert!(is_now(&scene, &scene.stored().await["unauthorized_at"]));
}

#[tokio::test]
async fn an_impossible_time_counts_as_the_moment_of_arrival_and_is_shown() {
    for told in [4_102_444_800, 0, -5, 99_999_999_999_999_999] {
        let scene = Scene::new().await;
        let code = scene.wechat.authorize(&scene.appid, &[1]);
        let push = scene.wechat.push_authorized(&scene.appid, &code, None).created_at(told);
        assert_eq!(scene.events().request(push).await.status, 200);
        assert!(is_now(&scene, &scene.stored().await["authorized_at"]), "{told}");
        assert_logged(&["WeChat told an impossible time", &format!("\"told\":{told}")]);
        let report = scene.with_gateway().await.doctor().run(json!({})).await.expect("a report");
        let checks = report["checks"].as_array().expect("a list");
        let check = checks.iter().find(|check| check["name"] == "told_times").expect("the check");
        assert_eq!(check["ok"], false, "{told}");
    }
}

#[tokio::test]
async fn an_auth_time_in_milliseconds_shuts_out_no_later_grant() {
    let scene = Scene::new().await;
    assert_eq!(scene.visit(&scene.callback(), &scene.consent()).await.status, 200);
    let record = scene.stored().await;
    scene.sandbox.lose_record(&scene.appid).await;
    let now = scene.clock.now().as_secs();
    let listed = json!({
        "authorizer_appid": scene.appid, "refresh_token": record["authorizer_refresh_token"], "auth_time": now * 1000,
    });
    scene.wechat.on("api_get_authorizer_list").once(Fault::json(json!({"total_count": 1, "list": [listed]})));
    scene.reconcile().run(json!({})).await.expect("a run");
    assert!(is_now(&scene, &scene.stored().await["authorized_at"]));
    scene.clock.advance(600);
    let code = scene.wechat.authorize(&scene.appid, &[1, 89]);
    assert_eq!(scene.visit(&scene.callback(), &redirect(&code)).await.status, 200);
    assert_eq!(scene.stored().await["permission_set_ids"], json!([1, 89]));
}

#[tokio::test]
async fn a_grant_wins_over_the_revocation_that_was_stored_before_it_whatever_the_clocks_say() {
    for ahead in [1, 20, 240] {
        let scene = Scene::new().await;
        assert_eq!(scene.visit(&scene.callback(), &scene.consent()).await.status, 200);
        scene.clock.advance(600);
        scene.wechat.revoke(&scene.appid);
        let time = scene.clock.now().as_secs() + ahead;
        let push = scene.wechat.push_unauthorized(&scene.appid).created_at(time);
        assert_eq!(scene.events().request(push).await.status, 200);
        assert_eq!(scene.stored().await["status"], "unauthorized");
        scene.clock.advance(2);
        let answer = scene.visit(&scene.callback(), &scene.consent()).await;
        assert_eq!(answer.status, 200, "{ahead} seconds ahead");
        let record = scene.stored().await;
        assert_eq!(record["status"], "authorized");
        assert!(scene.wechat.accepts(record["authorizer_access_token"].as_str().expect("a token")));
    }
}

#[tokio::test]
async fn of_a_grant_and_a_revocation_in_one_moment_wechat_is_asked_which_holds() {
    for holds in [true, false] {
        let scene = Scene::new().await;
        assert_eq!(scene.visit(&scene.callback(), &scene.consent()).await.status, 200);
        let time = scene.clock.now().as_secs() + 10;
        if !holds {
            scene.wechat.revoke(&scene.appid);
        }
        let push = scene.wechat.push_unauthorized(&scene.appid).created_at(time);
        assert_eq!(scene.events().request(push).await.status, 200);
        let expected = if holds { "authorized" } else { "unauthorized" };
        assert_eq!(scene.stored().await["status"], expected);
    }
}

#[tokio::test]
async fn one_refusal_of_a_refresh_deletes_nothing() {
    let scene = Scene::new().await;
    assert_eq!(scene.visit(&scene.callback(), &scene.consent()).await.status, 200);
    let before = scene.stored().await;
    scene.clock.advance(6600);
    scene.put_ticket().await;
    scene.wechat.on("api_authorizer_token").once(Fault::errcode(61003));
    run(&scene.refresh()).await;
    let record = scene.stored().await;
    assert_eq!(record["status"], "authorized");
    assert_eq!(record["authorizer_refresh_token"], before["authorizer_refresh_token"]);
    scene.clock.advance(3600);
    run(&scene.refresh()).await;
    assert!(scene.wechat.accepts(scene.stored().await["authorizer_access_token"].as_str().expect("a token")));
}

#[tokio::test]
async fn a_wave_of_refusals_revokes_nobody_and_is_logged() {
    let scene = Scene::new().await;
    scene.crowd(30).await;
    scene.when_due().await;
    scene.wechat.on("api_authorizer_token").always(Fault::errcode(61003));
    scene.wechat.on("api_get_authorizer_info").always(Fault::errcode(61003));
    for _ in 0..3 {
        assert_eq!(run(&scene.refresh()).await[2], 0, "nobody is revoked");
        scene.clock.advance(61);
    }
    let records = scene.dynamodb.authorizers().await;
    assert!(
        records
            .iter()
            .all(|record| record["status"] == "authorized" && record["authorizer_refresh_token"].is_string())
    );
    assert_logged(&["WeChat answers 61003 for many accounts at once: nothing was deleted"]);
    scene.wechat.clear_faults();
    scene.clock.advance(1200);
    scene.put_ticket().await;
    assert_eq!(run(&scene.refresh()).await[0], 30, "and all are well afterwards");
}

#[tokio::test]
async fn a_code_beyond_the_allowance_is_not_thrown_away_where_no_push_comes() {
    let scene = Scene::new().await;
    let callback = scene.callback_with(&[("UNVOUCHED_PER_DAY", "48")]);
    for attempt in 0..8 {
        scene.visit(&callback, &redirect(&format!("queryauthcode@@@made-up-{attempt}"))).await;
    }
    let back = scene.consent();
    let page = scene.visit(&callback, &back).await;
    assert_eq!(
        (page.status, page.header("retry-after")),
        (503, "60"),
        "the address with the code is to be loaded again"
    );
    scene.clock.advance(86_400 / 48);
    assert_eq!(scene.visit(&callback, &back).await.status, 200);
    assert_eq!(scene.stored().await["status"], "authorized");
}

#[tokio::test]
async fn a_claim_that_nobody_made_is_not_being_completed() {
    let scene = Scene::new().await;
    let page = scene.visit(&scene.callback(), &format!("/callback?claim={}", "0".repeat(64))).await;
    assert_eq!(page.status, 400);
}
