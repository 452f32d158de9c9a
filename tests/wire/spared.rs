//! What a fault of one thing does not do to the others.

use std::time::Duration;

use sandbox::Fault;
use serde_json::json;

use crate::refresh::run;
use crate::scene::{Scene, redirect};

#[tokio::test]
async fn the_limits_of_asking_for_an_account_are_not_those_of_refreshing() {
    for limit in [45009, 45011] {
        let scene = Scene::new().await;
        let appids = scene.crowd(5).await;
        scene.when_due().await;
        scene.wechat.on("api_authorizer_token").containing(&appids[2]).always(Fault::errcode(61023));
        scene.wechat.on("api_get_authorizer_info").always(Fault::errcode(limit));
        run(&scene.refresh()).await;
        scene.clock.advance(7200);
        scene.put_ticket().await;
        assert_eq!(run(&scene.refresh()).await[0], 4, "{limit}");
    }
}

#[tokio::test]
async fn exchanges_that_hang_leave_the_due_tokens_half_of_the_run() {
    let scene = Scene::new().await;
    scene.crowd(5).await;
    scene.when_due().await;
    scene.wechat.allow_address(false);
    for number in 0..3 {
        let appid = scene.wechat.add_account(sandbox::wechat::Account::official_account("Tea"));
        let code = format!("queryauthcode@@@made-up-{number}");
        assert_eq!(
            scene.events().request(scene.wechat.push_authorized(&appid, &code, None)).await.status,
            200
        );
    }
    scene.wechat.allow_address(true);
    scene.wechat.on("api_query_auth").always(Fault::DelayBefore(Duration::from_secs(100)));
    scene.clock.advance(61);
    assert_eq!(run(&scene.refresh()).await[0], 5);
}

#[tokio::test]
async fn tokens_are_refreshed_while_pending_exchanges_cannot_be_found() {
    let scene = Scene::new().await;
    scene.crowd(3).await;
    scene.when_due().await;
    scene.dynamodb.on("Query").containing("pending = :pending").always(Fault::throttled());
    assert_eq!(scene.refresh().run(json!({})).await.expect("it ends well")["refreshed"], 3);
}

#[tokio::test]
async fn a_secrets_manager_that_hangs_holds_no_push_up_while_a_secret_is_in_memory() {
    let scene = Scene::new().await;
    let sandbox = scene.with_secrets_manager(scene.wechat.component_secret());
    let events = sandbox.events();
    assert_eq!(events.request(scene.wechat.push_ticket()).await.status, 200);
    // WeChat refuses it, so that it is fetched again.
    scene.wechat.on("api_component_token").once(Fault::errcode(40001));
    let code = scene.wechat.authorize(&scene.appid, &[1]);
    events.request(scene.wechat.push_authorized(&scene.appid, &code, None)).await;
    scene.dynamodb.clear_faults();
    scene.dynamodb.on("GetSecretValue").always(Fault::DelayBefore(Duration::from_secs(60)));
    let asked = scene.dynamodb.on("GetSecretValue").count();
    for _ in 0..3 {
        assert_eq!(events.request(scene.wechat.push_ticket()).await.status, 200);
    }
    assert!(scene.dynamodb.on("GetSecretValue").count() <= asked + 1);
}

#[tokio::test]
async fn an_account_of_which_wechat_leaves_the_grant_out_once_is_asked_about_again() {
    let scene = Scene::new().await;
    let code = scene.wechat.authorize(&scene.appid, &[1, 2]);
    scene.wechat.on("api_query_auth").once(Fault::ResetAfter);
    let push = scene.wechat.push_authorized(&scene.appid, &code, None);
    assert_eq!(scene.events().request(push).await.status, 200);
    let odd = json!({"authorizer_info": {"nick_name": "x", "user_name": "gh_1"}});
    scene.wechat.on("api_get_authorizer_info").once(Fault::json(odd));
    for _ in 0..5 {
        run(&scene.refresh()).await;
        scene.clock.advance(61);
    }
    assert!(scene.stored().await["authorizer_refresh_token"].is_string());
    let visit = scene.visit(&scene.callback(), &redirect(&code)).await;
    assert_eq!(visit.status, 200);
}
