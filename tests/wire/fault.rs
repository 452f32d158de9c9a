//! One fault at a time: what the merchant reads, and that nothing is lost.

use std::time::Duration;

use sandbox::Fault;

use crate::scene::{Scene, log, redirect};

/// A single fault of the exchange, which a retry with the same code fixes within the visit.
async fn check_fixed(fault: Fault) {
    let scene = Scene::new().await;
    scene.wechat.on("api_query_auth").once(fault.clone());
    let answer = scene.visit(&scene.callback(), &scene.consent()).await;
    assert_eq!(answer.status, 200, "{fault:?}");
    assert_eq!(scene.exchanges(), 2, "{fault:?}");
    assert!(scene.record().await.is_some(), "{fault:?}");
}

/// A fault of the exchange that lasts.
async fn check_pending(fault: Fault) {
    let scene = Scene::new().await;
    scene.wechat.on("api_query_auth").always(fault.clone());
    let instance = scene.callback().with_remaining(Duration::from_secs(6));
    let answer = scene.visit(&instance, &scene.consent()).await;
    assert_eq!(answer.status, 202, "{fault:?}");
    assert!(scene.exchanges() <= 4, "{fault:?}");
    assert!(scene.wechat.requests().len() <= 12, "{fault:?}");
    let claim = scene.claim().await;
    assert_eq!(claim["status"], "claimed", "{fault:?}");
    assert!(claim.get("lease_owner").is_none(), "{fault:?}");
    assert!(claim["authorization_code"].as_str().is_some_and(|code| code.starts_with("queryauthcode@@@")));
}

#[tokio::test]
async fn a_passing_fault_of_wechat_is_retried_within_the_visit() {
    let faults = [
        Fault::errcode(-1),
        Fault::raw(502, "text/html", "<html>bad gateway</html>"),
        Fault::raw(200, "text/html", ""),
        Fault::raw(200, "text/plain", "{\"authorization_info\":{\"authorizer_appid\":\"wx"),
        Fault::raw(200, "text/plain", "{}"),
        Fault::raw(200, "text/plain", "[1]"),
        Fault::raw(302, "text/html", ""),
        Fault::ResetBefore,
    ];
    for fault in faults {
        check_fixed(fault).await;
    }
}

#[tokio::test]
async fn a_lasting_fault_of_wechat_leaves_the_grant_pending() {
    let faults = [
        Fault::raw(500, "text/html", "<html>oops</html>"),
        Fault::raw(200, "text/html", ""),
        Fault::ResetBefore,
        Fault::DelayBefore(Duration::from_secs(30)),
    ];
    let checks = faults.map(|fault| tokio::spawn(check_pending(fault)));
    for check in checks {
        check.await.expect("the check holds");
    }
}

#[tokio::test]
async fn a_lost_answer_leaves_the_grant_pending_and_not_expired() {
    for fault in [Fault::ResetAfter, Fault::Truncated] {
        let scene = Scene::new().await;
        let redirect = scene.launched().await;
        scene.wechat.on("api_query_auth").once(fault);
        assert_eq!(scene.visit(&scene.callback(), &redirect).await.status, 202);
        assert_eq!(scene.claim().await["code_state"], "spent");
        assert_eq!(scene.visit(&scene.callback(), &redirect).await.status, 202, "the code is spent by now");
        assert_eq!(scene.claim().await["status"], "claimed");
    }
}

#[tokio::test]
async fn a_pushed_code_that_was_used_is_no_less_pending_where_wechat_calls_it_invalid() {
    let scene = Scene::new().await;
    let code = scene.wechat.authorize(&scene.appid, &[1]);
    scene.wechat.on("api_query_auth").once(Fault::ResetAfter);
    scene.wechat.on("api_query_auth").always(Fault::errcode(61009));
    let push = scene.wechat.push_authorized(&scene.appid, &code, None);
    assert_eq!(scene.events().request(push).await.status, 200);
    assert_eq!(scene.claim().await["code_state"], "spent", "WeChat's own push carried it");
}

#[tokio::test]
async fn a_wechat_that_cannot_be_reached_leaves_the_grant_pending() {
    let scene = Scene::new().await;
    let redirect = scene.consent();
    assert_eq!(scene.visit(&scene.callback(), &crate::scene::redirect("warm-up")).await.status, 400);
    let unreachable = scene.callback_with(&[("WECHAT_API_BASE_URL", "http://127.0.0.1:9")]);
    assert_eq!(scene.visit(&unreachable, &redirect).await.status, 202);
    assert_eq!(scene.visit(&scene.callback(), &redirect).await.status, 200, "the code is not spent");
}

#[tokio::test]
async fn a_process_that_dies_between_the_answer_and_the_write_leaves_a_pending_claim() {
    let scene = Scene::new().await;
    let redirect = scene.launched().await;
    scene.die_before_writing(&redirect).await;

    let claim = scene.claim().await;
    assert_eq!(claim["status"], "claimed");
    let lease_until = claim["lease_until"].as_i64().expect("the dead owner's lease");
    assert!(
        lease_until <= scene.clock.now().as_secs() + 60,
        "a dead owner holds nothing up for longer than a minute"
    );
    assert_eq!(claim["pending_at"], claim["lease_until"]);
    scene.clock.advance(61);
    assert_eq!(scene.visit(&scene.callback(), &redirect).await.status, 202, "spent, and still not expired");
    assert_eq!(scene.claim().await["code_state"], "spent");
}

#[tokio::test]
async fn a_transaction_that_is_throttled_or_lost_is_repeated_without_a_second_exchange() {
    let faults =
        [Fault::throttled(), Fault::internal(), Fault::ResetBefore, Fault::ResetAfter, Fault::Truncated];
    for fault in faults {
        let scene = Scene::new().await;
        scene.dynamodb.on("TransactWriteItems").times(4, fault.clone());
        let answer = scene.visit(&scene.callback(), &scene.consent()).await;
        assert_eq!(answer.status, 200, "{fault:?}");
        assert_eq!(scene.exchanges(), 1, "{fault:?}");
        let record = scene.stored().await;
        assert_eq!(record["status"], "authorized", "{fault:?}");
        assert_eq!(scene.claim().await["status"], "done", "{fault:?}");
    }
}

#[tokio::test]
async fn a_claim_whose_answer_is_lost_is_still_ours() {
    let scene = Scene::new().await;
    scene.dynamodb.on("UpdateItem").containing("code#").once(Fault::ResetAfter);
    assert_eq!(scene.visit(&scene.callback(), &scene.consent()).await.status, 200);
    assert_eq!(scene.exchanges(), 1);
}

#[tokio::test]
async fn storage_that_is_down_before_the_exchange_spends_nothing() {
    for fault in [Fault::internal(), Fault::throttled(), Fault::ResetBefore] {
        let scene = Scene::new().await;
        let redirect = scene.consent();
        for operation in ["GetItem", "UpdateItem", "TransactWriteItems"] {
            scene.dynamodb.on(operation).always(fault.clone());
        }
        let answer = scene.visit(&scene.callback(), &redirect).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, "60"));
        assert!(scene.wechat.requests().is_empty());
        scene.dynamodb.clear_faults();
        assert_eq!(scene.visit(&scene.callback(), &redirect).await.status, 200);
    }
}

#[tokio::test]
async fn storage_that_fails_after_the_exchange_leaves_the_grant_pending_before_the_time_is_up() {
    let scene = Scene::new().await;
    let redirect = scene.consent();
    scene.dynamodb.on("TransactWriteItems").always(Fault::internal());
    let instance = scene.callback().with_remaining(Duration::from_secs(4));
    let answer = scene.visit(&instance, &redirect).await;
    assert_eq!((answer.status, &answer.error), (202, &None));
    let claim = scene.claim().await;
    assert_eq!((&claim["status"], &claim["code_state"]), (&"claimed".into(), &"perhaps_spent".into()));
    assert!(claim.get("lease_owner").is_none(), "what could be released is released");
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_not_waited_for_beyond_the_deadline() {
    let scene = Scene::new().await;
    scene.wechat.on("api_query_auth").always(Fault::DelayBefore(Duration::from_secs(60)));
    let instance = scene.callback().with_remaining(Duration::from_secs(3));
    let answer = scene.visit(&instance, &scene.consent()).await;
    assert_eq!((answer.status, answer.error), (202, None));
}

#[tokio::test]
async fn a_missing_profile_does_not_cost_the_grant() {
    let faults = [
        Fault::errcode(-1),
        Fault::ResetBefore,
        Fault::DelayBefore(Duration::from_secs(30)),
        Fault::raw(200, "", "[]"),
    ];
    for fault in faults {
        let scene = Scene::new().await;
        scene.wechat.on("api_get_authorizer_info").always(fault);
        let answer = scene.visit(&scene.callback(), &scene.consent()).await;
        assert_eq!(answer.status, 200);
        assert!(answer.body.contains(&scene.appid), "the appid stands in for the name");
        assert!(scene.stored().await.get("profile").is_none());
    }
}

#[tokio::test]
async fn a_wrong_secret_or_address_is_logged_and_spends_nothing() {
    let scene = Scene::new().await;
    let redirect = scene.consent();
    scene.wechat.reset_appsecret();
    assert_eq!(scene.visit(&scene.callback(), &redirect).await.status, 503);
    assert_eq!(scene.exchanges(), 0);
    let secret = scene.wechat.component_secret().to_string();
    let fixed = scene.callback_with(&[("COMPONENT_SECRET", &secret)]);
    scene.wechat.allow_address(false);
    assert_eq!(scene.visit(&fixed, &redirect).await.status, 503);
    scene.wechat.allow_address(true);
    assert_eq!(scene.visit(&fixed, &redirect).await.status, 200);
}

#[tokio::test]
async fn a_component_token_that_another_system_replaced_is_replaced_here() {
    let scene = Scene::new().await;
    let instance = scene.callback();
    assert_eq!(scene.visit(&instance, &scene.consent()).await.status, 200);
    scene.wechat.mint_component_token();
    scene.clock.advance(301);
    let code = scene.wechat.mint_code(&scene.appid);
    assert_eq!(scene.visit(&instance, &redirect(&code)).await.status, 200);
    assert_eq!(scene.wechat.on("api_component_token").count(), 2);
    assert_eq!(scene.exchanges(), 3);
}

#[tokio::test]
async fn a_minted_token_whose_write_is_lost_is_still_used() {
    for fault in [Fault::ResetAfter, Fault::internal()] {
        let scene = Scene::new().await;
        scene.dynamodb.on("UpdateItem").containing("access_token_expires_at").once(fault);
        assert_eq!(scene.visit(&scene.callback(), &scene.consent()).await.status, 200);
        assert_eq!(scene.wechat.on("api_component_token").count(), 1);
    }
}

#[tokio::test]
async fn a_stale_ticket_asks_wechat_for_another_one_once() {
    let scene = Scene::new().await;
    let redirect = scene.consent();
    scene.wechat.on("api_component_token").always(Fault::errcode(61005));
    for _ in 0..3 {
        let answer = scene.visit(&scene.callback(), &redirect).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, "600"));
    }
    assert_eq!(scene.wechat.on("api_start_push_ticket").count(), 1);
    scene.clock.advance(3601);
    assert_eq!(scene.visit(&scene.callback(), &redirect).await.status, 503);
    assert_eq!(scene.wechat.on("api_start_push_ticket").count(), 2);
    assert!(log().contains("asked WeChat to push a new one"));
}
