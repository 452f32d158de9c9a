//! WeChat's pushes of a revocation.

use sandbox::{Browser, Fault};
use serde_json::json;

use crate::events::check_success;
use crate::refresh::run;
use crate::scene::{Scene, redirect};

#[tokio::test]
async fn a_revocation_removes_the_tokens_and_only_a_newer_authorization_undoes_it() {
    let scene = Scene::new().await;
    let late = scene.wechat.authorize(&scene.appid, &[1]);
    assert_eq!(scene.visit(&scene.callback(), &redirect(&late)).await.status, 200);
    let late = scene.wechat.mint_code(&scene.appid);
    let late =
        scene.wechat.push_authorized(&scene.appid, &late, None).created_at(scene.clock.now().as_secs());
    scene.clock.advance(61);
    let revoked_at = scene.clock.now().as_secs();
    check_success(&scene.push(&scene.wechat.push_unauthorized(&scene.appid).created_at(revoked_at)).await);
    let record = scene.stored().await;
    assert_eq!(record["status"], "unauthorized");
    assert_eq!(record["unauthorized_at"].as_i64(), Some(revoked_at));
    for gone in
        ["authorizer_access_token", "authorizer_refresh_token", "access_token_expires_at", "refresh_at"]
    {
        assert!(record.get(gone).is_none(), "{gone}");
    }

    check_success(&scene.push(&late).await);
    assert_eq!(scene.stored().await["status"], "unauthorized", "a late authorization does not resurrect");

    scene.clock.advance(60);
    let code = scene.wechat.authorize(&scene.appid, &[1]);
    let newer =
        scene.wechat.push_authorized(&scene.appid, &code, None).created_at(scene.clock.now().as_secs());
    check_success(&scene.push(&newer).await);
    assert_eq!(scene.stored().await["status"], "authorized");
    assert!(scene.stored().await.get("unauthorized_at").is_none());
}

#[tokio::test]
async fn a_revocation_that_comes_late_does_not_undo_a_newer_authorization() {
    let scene = Scene::new().await;
    let revocation =
        scene.wechat.push_unauthorized(&scene.appid).created_at(scene.clock.now().as_secs() - 60);
    assert_eq!(scene.visit(&scene.callback(), &scene.consent()).await.status, 200);
    check_success(&scene.push(&revocation).await);
    assert_eq!(scene.stored().await["status"], "authorized");
}

#[tokio::test]
async fn a_revocation_between_two_consents_makes_the_token_of_the_first_due() {
    let scene = Scene::new().await;
    assert_eq!(scene.visit(&scene.callback(), &scene.consent()).await.status, 200);
    scene.clock.advance(10);
    scene.wechat.revoke(&scene.appid);
    let revocation = scene.wechat.push_unauthorized(&scene.appid).created_at(scene.clock.now().as_secs());
    scene.clock.advance(10);
    // Its code has not come yet.
    scene.wechat.authorize(&scene.appid, &[1]);
    check_success(&scene.push(&revocation).await);
    let record = scene.stored().await;
    assert_eq!(record["status"], "authorized");
    assert!(record["refresh_at"].as_i64() <= Some(scene.clock.now().as_secs()), "{}", record["refresh_at"]);
}

#[tokio::test]
async fn a_revocation_of_an_unknown_account_leaves_a_tombstone() {
    let scene = Scene::new().await;
    let code = scene.wechat.authorize(&scene.appid, &[1]);
    let now = scene.clock.now().as_secs();
    scene.wechat.revoke(&scene.appid);
    check_success(&scene.push(&scene.wechat.push_unauthorized(&scene.appid).created_at(now)).await);
    assert_eq!(scene.stored().await["status"], "unauthorized");
    let late = scene.wechat.push_authorized(&scene.appid, &code, None).created_at(now - 1);
    check_success(&scene.push(&late).await);
    assert_eq!(scene.stored().await["status"], "unauthorized");
}

#[tokio::test]
async fn a_late_callback_does_not_undo_a_revocation() {
    let scene = Scene::new().await;
    let redirect = scene.consent();
    let hold = scene.wechat.on("api_query_auth").hold_after();
    let (instance, path) = (scene.callback(), redirect.clone());
    let visit = tokio::spawn(async move { Browser::new().visit(&instance, &path).await });
    hold.arrived().await;
    scene.clock.advance(5);
    scene.wechat.revoke(&scene.appid);
    check_success(
        &scene
            .push(&scene.wechat.push_unauthorized(&scene.appid).created_at(scene.clock.now().as_secs()))
            .await,
    );
    hold.release();
    assert_eq!(visit.await.expect("no panic").status, 410);
    assert_eq!(scene.stored().await["status"], "unauthorized");
}

#[tokio::test]
async fn a_revocation_that_wechat_does_not_confirm_makes_the_token_due() {
    let scene = Scene::new().await;
    assert_eq!(scene.visit(&scene.callback(), &scene.consent()).await.status, 200);
    scene.wechat.revoke(&scene.appid);
    scene.wechat.on("api_get_authorizer_info").always(Fault::errcode(-1));
    let earlier = scene.clock.now().as_secs() - 20;
    let push = scene.wechat.push_unauthorized(&scene.appid).created_at(earlier);
    check_success(&scene.push(&push).await);
    scene.wechat.clear_faults();
    for _ in 0..3 {
        run(&scene.refresh()).await;
        scene.clock.advance(61);
    }
    assert_eq!(scene.stored().await["status"], "unauthorized");
}

#[tokio::test]
async fn a_revocation_that_may_be_older_than_the_grant_costs_no_token_while_wechat_cannot_be_asked() {
    let scene = Scene::new().await;
    assert_eq!(scene.visit(&scene.callback(), &scene.launched().await).await.status, 200);
    scene.wechat.on("api_get_authorizer_info").always(Fault::errcode(45011));
    // By WeChat's clock, which is ahead of ours, it came before the consent.
    let ahead = scene.clock.now().as_secs() + 20;
    let push = scene.wechat.push_unauthorized(&scene.appid).created_at(ahead);
    check_success(&scene.push(&push).await);
    scene.wechat.clear_faults();
    assert_eq!(run(&scene.refresh()).await[0], 1, "it is due, and the refresh tells that it stands");
    let record = scene.stored().await;
    assert_eq!((&record["status"], &record["state"]), (&json!("authorized"), &json!("tenant-7")));

    scene.wechat.on("api_get_authorizer_info").always(Fault::errcode(45011));
    scene.wechat.revoke(&scene.appid);
    check_success(&scene.push(&push).await);
    scene.wechat.clear_faults();
    for _ in 0..3 {
        run(&scene.refresh()).await;
        scene.clock.advance(61);
    }
    assert_eq!(scene.stored().await["status"], "unauthorized", "the refresh tells that it is over");
}

#[tokio::test]
async fn a_revocation_that_cannot_be_asked_about_stands_where_no_refresh_can_tell() {
    let scene = Scene::new().await;
    let code = scene.wechat.authorize(&scene.appid, &[]);
    scene.wechat.on("api_get_authorizer_info").always(Fault::errcode(45011));
    assert_eq!(scene.visit(&scene.callback(), &redirect(&code)).await.status, 200);
    assert!(scene.stored().await.get("authorizer_refresh_token").is_none());
    scene.wechat.revoke(&scene.appid);
    let push = scene.wechat.push_unauthorized(&scene.appid).created_at(scene.clock.now().as_secs());
    check_success(&scene.push(&push).await);
    assert_eq!(scene.stored().await["status"], "unauthorized");
}

#[tokio::test]
async fn a_revocation_older_than_the_token_that_wechat_has_given_since_removes_nothing() {
    let scene = Scene::new().await;
    let first = scene.wechat.authorize(&scene.appid, &[1]);
    let first =
        scene.wechat.push_authorized(&scene.appid, &first, None).created_at(scene.clock.now().as_secs());
    scene.clock.advance(120);
    scene.wechat.revoke(&scene.appid);
    let revocation = scene.wechat.push_unauthorized(&scene.appid).created_at(scene.clock.now().as_secs());
    scene.clock.advance(120);
    scene.wechat.authorize(&scene.appid, &[1]);
    // Both come late, and the code of the first consent brings the tokens of the second.
    check_success(&scene.push(&first).await);
    check_success(&scene.push(&revocation).await);
    assert_eq!(scene.stored().await["status"], "authorized");
}

#[tokio::test]
async fn whose_account_it_was_does_not_outlive_a_revocation() {
    let scene = Scene::new().await;
    assert_eq!(scene.visit(&scene.callback(), &scene.launched().await).await.status, 200);
    scene.clock.advance(600);
    scene.wechat.revoke(&scene.appid);
    check_success(&scene.push(&scene.wechat.push_unauthorized(&scene.appid)).await);
    assert_eq!(scene.stored().await["state"], "tenant-7", "services are told whose it was");
    scene.clock.advance(600);
    let code = scene.wechat.authorize(&scene.appid, &[1]);
    check_success(&scene.push(&scene.wechat.push_authorized(&scene.appid, &code, None)).await);
    let record = scene.stored().await;
    assert_eq!(record["status"], "authorized");
    assert!(record.get("state").is_none() && record.get("bound").is_none(), "{record}");
}

#[tokio::test]
async fn whose_account_it_was_does_not_outlive_a_revocation_by_a_code_that_died() {
    let scene = Scene::new().await;
    assert_eq!(scene.visit(&scene.callback(), &scene.launched().await).await.status, 200);
    scene.clock.advance(600);
    scene.wechat.revoke(&scene.appid);
    check_success(&scene.push(&scene.wechat.push_unauthorized(&scene.appid)).await);
    scene.clock.advance(600);
    let code = scene.wechat.authorize(&scene.appid, &[1]);
    scene.wechat.allow_address(false);
    check_success(&scene.push(&scene.wechat.push_authorized(&scene.appid, &code, None)).await);
    scene.clock.advance(3700);
    scene.put_ticket().await;
    scene.wechat.allow_address(true);
    let info = json!({"authorizer_info": {}, "authorization_info": {"authorizer_appid": scene.appid, "func_info": []}});
    scene.wechat.on("api_get_authorizer_info").always(Fault::json(info));
    run(&scene.refresh()).await;
    let record = scene.stored().await;
    assert_eq!((&record["status"], &record["change"]), (&json!("authorized"), &json!("unexchanged")));
    assert!(record.get("state").is_none() && record.get("bound").is_none(), "{record}");
}
