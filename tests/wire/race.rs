//! Many at once.

use sandbox::{Browser, Fault};
use serde_json::json;
use std::time::Duration;

use crate::scene::{Scene, redirect};

#[tokio::test]
async fn many_identical_visits_on_many_instances_make_one_exchange() {
    let scene = Scene::new().await;
    let redirect = scene.consent();
    scene.wechat.on("api_query_auth").always(Fault::DelayAfter(Duration::from_millis(100)));
    let visits = (0..20).map(|_| {
        let (instance, redirect) = (scene.callback(), redirect.clone());
        tokio::spawn(async move { Browser::new().visit(&instance, &redirect).await })
    });
    for visit in visits.collect::<Vec<_>>() {
        let answer = visit.await.expect("no panic");
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    assert_eq!(scene.exchanges(), 1);
    assert_eq!(scene.wechat.on("api_component_token").count(), 1);
}

#[tokio::test]
async fn a_visit_that_waits_too_long_for_a_twin_shows_being_completed() {
    let scene = Scene::new().await;
    let redirect = scene.consent();
    let hold = scene.wechat.on("api_query_auth").hold_after();
    let (instance, path) = (scene.callback(), redirect.clone());
    let first = tokio::spawn(async move { Browser::new().visit(&instance, &path).await });
    hold.arrived().await;
    let second = scene.visit(&scene.callback(), &redirect).await;
    assert_eq!(second.status, 202);
    assert!(second.header("refresh").starts_with("3; url=callback?"), "{second:?}");
    hold.release();
    assert_eq!(first.await.expect("no panic").status, 200);
    assert_eq!(scene.visit(&scene.callback(), &redirect).await.status, 200);
    assert_eq!(scene.exchanges(), 1);
}

#[tokio::test]
async fn ten_cold_instances_mint_one_component_token() {
    let scene = Scene::new().await;
    scene.wechat.on("api_component_token").always(Fault::DelayAfter(Duration::from_millis(200)));
    let visits = (0..10).map(|_| {
        let code = scene.wechat.authorize(&scene.appid, &[1]);
        let instance = scene.callback();
        tokio::spawn(async move { Browser::new().visit(&instance, &redirect(&code)).await })
    });
    for visit in visits.collect::<Vec<_>>() {
        assert_eq!(visit.await.expect("no panic").status, 200);
    }
    assert_eq!(scene.wechat.on("api_component_token").count(), 1);
}

#[tokio::test]
async fn two_codes_of_one_account_end_in_one_record_that_heals_at_once() {
    let scene = Scene::new().await;
    let first = scene.wechat.authorize(&scene.appid, &[1]);
    let second = scene.wechat.mint_code(&scene.appid);
    let visits = [first, second].map(|code| {
        let instance = scene.callback();
        tokio::spawn(async move { Browser::new().visit(&instance, &redirect(&code)).await })
    });
    for visit in visits {
        assert_eq!(visit.await.expect("no panic").status, 200);
    }
    let record = scene.stored().await;
    assert_eq!(scene.dynamodb.authorizers().await.len(), 1);
    assert!(record["refresh_at"].as_i64() <= record["updated_at"].as_i64(), "due at once: {record}");
}

#[tokio::test]
async fn an_older_grant_never_overwrites_a_newer_one() {
    let scene = Scene::new().await;
    let older = scene.wechat.authorize(&scene.appid, &[1]);
    let hold = scene.wechat.on("api_query_auth").hold_after();
    let instance = scene.callback();
    let path = redirect(&older);
    let first = tokio::spawn(async move { Browser::new().visit(&instance, &path).await });
    hold.arrived().await;
    scene.clock.advance(5);
    let newer = scene.wechat.authorize(&scene.appid, &[1, 2]);
    assert_eq!(scene.visit(&scene.callback(), &redirect(&newer)).await.status, 200);
    let record = scene.stored().await;
    hold.release();
    assert_eq!(first.await.expect("no panic").status, 200, "losing to a newer grant is no error");
    let after = scene.stored().await;
    for attribute in ["authorizer_access_token", "authorizer_refresh_token", "authorized_at", "func_info"] {
        assert_eq!(after[attribute], record[attribute], "{attribute}");
    }
    assert_eq!(after["permission_set_ids"], json!([1, 2]));
    assert!(after["refresh_at"].as_i64() <= after["refreshed_at"].as_i64(), "and heals at once");
    for claim in scene.dynamodb.platform_items("code#").await {
        assert_eq!(claim["status"], "done");
    }
}

#[tokio::test]
async fn a_twin_that_comes_late_with_an_earlier_time_makes_the_record_due() {
    let scene = Scene::new().await;
    let redirected = scene.wechat.authorize(&scene.appid, &[1]);
    let before = scene.clock.now().as_secs();
    scene.clock.advance(5);
    assert_eq!(scene.visit(&scene.callback(), &redirect(&redirected)).await.status, 200);
    let pushed = scene.wechat.mint_code(&scene.appid);
    let push = scene.wechat.push_authorized(&scene.appid, &pushed, None).created_at(before);
    assert_eq!(scene.events().request(push).await.status, 200);
    let record = scene.stored().await;
    assert!(record["refresh_at"].as_i64() <= record["refreshed_at"].as_i64(), "due at once: {record}");
    assert_eq!(scene.refresh().run(json!({})).await.expect("a run")["refreshed"], 1);
    let token = scene.stored().await["authorizer_access_token"].as_str().expect("a token").to_owned();
    scene.clock.advance(400);
    assert!(scene.wechat.accepts(&token), "the token in the record is the one in force");
}

#[tokio::test]
async fn an_older_consent_that_is_exchanged_last_makes_the_record_due_however_far_apart_they_are() {
    let scene = Scene::new().await;
    let first = scene.wechat.authorize(&scene.appid, &[1]);
    let first_push =
        scene.wechat.push_authorized(&scene.appid, &first, None).created_at(scene.clock.now().as_secs());
    scene.clock.advance(120);
    let second = scene.wechat.authorize(&scene.appid, &[1, 2]);
    assert_eq!(scene.visit(&scene.callback(), &redirect(&second)).await.status, 200);
    scene.clock.advance(1);
    assert_eq!(scene.events().request(first_push).await.status, 200);
    let record = scene.stored().await;
    assert_eq!(record["permission_set_ids"], json!([1, 2]), "the newer grant stays");
    assert!(record["refresh_at"].as_i64() <= record["refreshed_at"].as_i64(), "due at once: {record}");
    assert_eq!(scene.refresh().run(json!({})).await.expect("a run")["refreshed"], 1);
    let token = scene.stored().await["authorizer_access_token"].as_str().expect("a token").to_owned();
    scene.clock.advance(400);
    assert!(scene.wechat.accepts(&token), "the token in the record is the one in force");
}
