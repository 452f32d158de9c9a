//! What was left pending is finished.

use std::time::Duration;

use sandbox::Fault;
use sandbox::wechat::Account;
use serde_json::json;
use tokio::time::timeout;

use crate::events::check_success;
use crate::refresh::run;
use crate::scene::{Scene, of_launch, redirect};

#[tokio::test]
async fn a_grant_whose_writer_died_is_complete_within_two_runs() {
    let scene = Scene::new().await;
    let code = scene.wechat.authorize(&scene.appid, &[1, 2, 24]);
    let redirect = of_launch(&redirect(&code), &scene.launch().await);
    scene.die_before_writing(&redirect).await;
    let push = scene.wechat.push_authorized(&scene.appid, &code, None);
    assert_eq!(scene.events().request(push).await.status, 200);
    scene.clock.advance(60);
    assert_eq!(run(&scene.refresh()).await[3], 1);
    let record = scene.stored().await;
    assert_eq!(
        record["authorizer_refresh_token"].as_str(),
        scene.wechat.refresh_token(&scene.appid).as_deref()
    );
    assert!(scene.wechat.accepts(record["authorizer_access_token"].as_str().expect("a token")));
    assert_eq!(record["permission_set_ids"], json!([1, 2, 24]));
    assert_eq!(record["profile"]["nick_name"], "茶馆 & Co");
    let answer = scene.visit(&scene.callback(), &redirect).await;
    assert_eq!(answer.status, 200, "the page turns into the confirmation");
    assert!(!answer.body.contains("茶馆"), "whose account it is, is not for whoever has the address");
}

#[tokio::test]
async fn a_lost_answer_is_recovered_whether_or_not_a_push_named_the_account() {
    for push_names_it in [true, false] {
        let scene = Scene::new().await;
        let code = scene.wechat.authorize(&scene.appid, &[1, 2]);
        let redirect = of_launch(&redirect(&code), &scene.launch().await);
        scene.wechat.on("api_query_auth").once(Fault::ResetAfter);
        assert_eq!(scene.visit(&scene.callback(), &redirect).await.status, 202);
        if push_names_it {
            let push = scene.wechat.push_authorized(&scene.appid, &code, None);
            assert_eq!(scene.events().request(push).await.status, 200);
        }
        run(&scene.refresh()).await;
        scene.clock.advance(61);
        run(&scene.refresh()).await;
        let record = scene.stored().await;
        assert!(
            scene.wechat.accepts(record["authorizer_access_token"].as_str().expect("a token")),
            "{push_names_it}"
        );
        assert_eq!(scene.wechat.on("api_get_authorizer_list").count() > 0, !push_names_it);
        // Without WeChat's word the account is only one that the code may be of, and so nobody is shown it.
        let status = if push_names_it { 200 } else { 202 };
        assert_eq!(scene.visit(&scene.callback(), &redirect).await.status, status);
    }
}

#[tokio::test]
async fn a_grant_that_is_being_completed_holds_up_no_other() {
    let scene = Scene::new().await;
    let appids: [String; 4] =
        std::array::from_fn(|_| scene.wechat.add_account(Account::official_account("Tea")));
    for appid in &appids {
        let code = scene.wechat.authorize(appid, &[1]);
        scene.wechat.on("api_query_auth").once(Fault::ResetAfter);
        let push = scene.wechat.push_authorized(appid, &code, None);
        assert_eq!(scene.events().request(push).await.status, 200);
    }
    scene.clock.advance(61);
    let completing = scene.wechat.on("api_authorizer_token");
    let first = completing.hold_before();
    let refresh = scene.refresh();
    let running = tokio::spawn(async move { run(&refresh).await });
    first.arrived().await;
    timeout(Duration::from_secs(4), completing.arrived(appids.len())).await.expect("the others go on");
    first.release();
    assert_eq!(running.await.expect("no panic")[3], 4);
}

#[tokio::test]
async fn a_code_that_was_never_sent_is_exchanged_by_the_sweep_once_wechat_can_be_called() {
    let scene = Scene::new().await;
    let redirect = scene.consent();
    scene.wechat.allow_address(false);
    assert_eq!(scene.visit(&scene.callback(), &redirect).await.status, 503);
    assert_eq!(run(&scene.refresh()).await, [0, 0, 0, 0, 0]);
    scene.wechat.allow_address(true);
    scene.clock.advance(120);
    assert_eq!(run(&scene.refresh()).await, [0, 0, 0, 1, 0]);
    assert_eq!(scene.stored().await["status"], "authorized");
    assert_eq!(scene.visit(&scene.callback(), &redirect).await.status, 200);
}

#[tokio::test]
async fn a_code_that_expired_unspent_is_given_up_and_the_merchant_told() {
    let scene = Scene::new().await;
    let redirect = scene.consent();
    scene.wechat.allow_address(false);
    assert_eq!(scene.visit(&scene.callback(), &redirect).await.status, 503);
    scene.wechat.allow_address(true);
    scene.clock.advance(2 * 86_400);
    scene.put_ticket().await;
    run(&scene.refresh()).await;
    assert_eq!(scene.claim().await["status"], "failed");
    assert_eq!(scene.visit(&scene.callback(), &redirect).await.status, 410);
}

#[tokio::test]
async fn two_spent_codes_are_not_matched_with_the_wrong_accounts() {
    let scene = Scene::new().await;
    let other = scene.wechat.add_account(Account::official_account("other"));
    let codes = [scene.wechat.authorize(&scene.appid, &[1]), scene.wechat.authorize(&other, &[1])];
    let mut visits = Vec::new();
    for code in &codes {
        scene.wechat.on("api_query_auth").containing(code).once(Fault::ResetAfter);
        let redirect = of_launch(&redirect(code), &scene.launch().await);
        assert_eq!(scene.visit(&scene.callback(), &redirect).await.status, 202);
        visits.push(redirect);
    }
    run(&scene.refresh()).await;
    for redirect in &visits {
        let answer = scene.visit(&scene.callback(), redirect).await;
        assert_ne!(answer.status, 200, "nobody is shown another merchant's account");
    }
    for appid in [&scene.appid, &other] {
        let record = scene.dynamodb.authorizer(appid).await.expect("nothing is lost");
        assert!(scene.wechat.accepts(record["authorizer_access_token"].as_str().expect("a token")));
    }
}

#[tokio::test]
async fn a_merchant_who_waits_on_the_page_does_not_keep_the_sweep_away() {
    let scene = Scene::new().await;
    let code = scene.wechat.authorize(&scene.appid, &[1, 2, 24]);
    let redirect = of_launch(&redirect(&code), &scene.launch().await);
    scene.wechat.on("api_query_auth").once(Fault::ResetAfter);
    for _ in 0..5 {
        assert_eq!(scene.visit(&scene.callback(), &redirect).await.status, 202);
    }
    let push = scene.wechat.push_authorized(&scene.appid, &code, None);
    assert_eq!(scene.events().request(push).await.status, 200);
    assert_eq!(scene.exchanges(), 2, "what WeChat calls spent is not asked for again");
    assert_eq!(run(&scene.refresh()).await[3], 1);
    assert_eq!(scene.visit(&scene.callback(), &redirect).await.status, 200);
}

#[tokio::test]
async fn a_recovered_grant_leaves_a_valid_access_token_in_place_until_it_is_refreshed() {
    let scene = Scene::new().await;
    let lost = scene.wechat.authorize(&scene.appid, &[1]);
    scene.wechat.on("api_query_auth").once(Fault::ResetAfter);
    let lost = of_launch(&redirect(&lost), &scene.launch().await);
    assert_eq!(scene.visit(&scene.callback(), &lost).await.status, 202);
    let pushed = scene.wechat.mint_code(&scene.appid);
    let push = scene.wechat.push_authorized(&scene.appid, &pushed, None);
    assert_eq!(scene.events().request(push).await.status, 200);
    let record = scene.stored().await;
    scene.wechat.on("api_authorizer_token").always(Fault::errcode(-1));
    run(&scene.refresh()).await;
    assert_eq!(scene.stored().await["authorizer_access_token"], record["authorizer_access_token"]);
}

#[tokio::test]
async fn a_run_that_cannot_reach_a_spent_codes_record_still_refreshes_what_is_due() {
    let scene = Scene::new().await;
    scene.crowd(3).await;
    scene.when_due().await;
    let other = scene.wechat.add_account(Account::official_account("other"));
    let code = scene.wechat.authorize(&other, &[1]);
    scene.wechat.on("api_query_auth").once(Fault::ResetAfter);
    let redirect = of_launch(&redirect(&code), &scene.launch().await);
    assert_eq!(scene.visit(&scene.callback(), &redirect).await.status, 202);
    scene.dynamodb.on("BatchGetItem").always(Fault::internal());
    assert_eq!(run(&scene.refresh()).await[0], 3);
}

#[tokio::test]
async fn many_pending_exchanges_stop_at_what_concerns_the_platform_and_wait() {
    let scene = Scene::new().await;
    let callback = scene.callback();
    scene.wechat.on("api_query_auth").always(Fault::errcode(45009));
    for _ in 0..60 {
        let code = scene.wechat.mint_code(&scene.appid);
        assert_eq!(scene.visit(&callback, &redirect(&code)).await.status, 503);
    }
    let calls = scene.exchanges();
    run(&scene.refresh()).await;
    assert!(scene.exchanges() - calls <= 33, "at most what was under way: {}", scene.exchanges() - calls);
}

#[tokio::test]
async fn a_spent_code_that_cannot_be_matched_is_looked_for_ever_more_rarely() {
    let scene = Scene::new().await;
    let other = scene.wechat.add_account(Account::official_account("other"));
    for appid in [&scene.appid, &other] {
        let code = scene.wechat.authorize(appid, &[1]);
        scene.wechat.on("api_query_auth").containing(&code).once(Fault::ResetAfter);
        let redirect = of_launch(&redirect(&code), &scene.launch().await);
        assert_eq!(scene.visit(&scene.callback(), &redirect).await.status, 202);
    }
    let refresh = scene.refresh();
    for _ in 0..30 {
        run(&refresh).await;
        scene.clock.advance(60);
    }
    let walks = scene.wechat.on("api_get_authorizer_list").count();
    assert!((3..=8).contains(&walks), "{walks} in half an hour");
}

#[tokio::test]
async fn a_grant_that_was_restored_without_its_launch_gets_the_launch_when_a_push_names_the_account() {
    let scene = Scene::new().await;
    let launch = scene.launch().await;
    let code = scene.wechat.authorize(&scene.appid, &[1]);
    scene.wechat.on("api_query_auth").once(Fault::ResetAfter);
    assert_eq!(scene.visit(&scene.callback(), &of_launch(&redirect(&code), &launch)).await.status, 202);
    // By WeChat's clock, the consent is later than the visit.
    let list = json!({"total_count": 1, "list": [{
        "authorizer_appid": scene.appid,
        "refresh_token": scene.wechat.refresh_token(&scene.appid),
        "auth_time": scene.clock.now().as_secs() + 7,
    }]});
    scene.wechat.on("api_get_authorizer_list").once(Fault::json(list));
    run(&scene.refresh()).await;
    let restored = scene.stored().await;
    assert_eq!((&restored["status"], restored.get("state")), (&json!("authorized"), None));

    check_success(&scene.push(&scene.wechat.push_authorized(&scene.appid, &code, None)).await);
    scene.clock.advance(61);
    run(&scene.refresh()).await;
    let record = scene.stored().await;
    assert_eq!((&record["state"], &record["bound"]), (&json!("tenant-7"), &json!("launch")));
    assert_eq!(record["authorized_at"], restored["authorized_at"], "the newer time stays");
    assert_eq!(scene.outcome(&launch).await["state"], "tenant-7");
}
