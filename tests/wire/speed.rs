//! How many round trips a visit takes, by what the servers saw.

use sandbox::Browser;

use crate::scene::{Scene, of_launch, redirect};

/// What a warm callback asks for, in this order, until the grant is stored, for a code that comes back to a launch.
async fn until_stored(launched_by_service: bool) -> Vec<String> {
    let scene = Scene::new().await;
    let instance = scene.callback();
    assert_eq!(scene.visit(&instance, &scene.consent()).await.status, 200);
    scene.clock.advance(10);
    let appid = scene.wechat.add_account(sandbox::wechat::Account::official_account("second"));
    let code = redirect(&scene.wechat.authorize(&appid, &[1]));
    let path = if launched_by_service { of_launch(&code, &scene.launch().await) } else { code };
    let (seen_by_wechat, seen_by_dynamodb) = (scene.wechat.requests().len(), scene.dynamodb.requests().len());
    assert_eq!(instance.get(&path).await.status, 303);

    let mut requests = scene.wechat.requests().split_off(seen_by_wechat);
    requests.extend(scene.dynamodb.requests().split_off(seen_by_dynamodb));
    requests.sort_by_key(|request| request.began);
    let mut names: Vec<String> = requests.into_iter().map(|request| request.endpoint).collect();
    // The best-effort profile.
    assert_eq!(names.split_off(names.len() - 2), ["api_get_authorizer_info", "UpdateItem"]);
    names
}

#[tokio::test]
async fn a_warm_callback_has_the_grant_stored_after_few_sequential_round_trips() {
    // The launch, the claim, the exchange, the grant.
    let of_service = ["UpdateItem", "UpdateItem", "api_query_auth", "TransactWriteItems"];
    assert_eq!(until_stored(true).await, of_service);
    // The claim as it is, the allowance, the claim, the exchange, the grant.
    let bare = ["GetItem", "UpdateItem", "UpdateItem", "api_query_auth", "TransactWriteItems"];
    assert_eq!(until_stored(false).await, bare);
}

#[tokio::test]
async fn a_cold_callback_reads_the_component_token_beside_the_claim() {
    let scene = Scene::new().await;
    assert_eq!(scene.visit(&scene.callback(), &scene.consent()).await.status, 200);
    let path = scene.launched().await;
    let claim = scene.dynamodb.on("UpdateItem").containing("authorization_code").hold_before();
    let read = scene.dynamodb.on("GetItem").hold_before();
    let instance = scene.callback();
    let visit = tokio::spawn(async move { instance.get(&path).await });
    claim.arrived().await;
    read.arrived().await;
    drop((claim, read));
    assert_eq!(visit.await.expect("no panic").status, 303);
    assert_eq!(scene.wechat.on("api_component_token").count(), 1);
}

#[tokio::test]
async fn an_answer_does_not_wait_for_the_profile() {
    let scene = Scene::new().await;
    let (instance, path) = (scene.callback(), scene.launched().await);
    let profile = scene.wechat.on("api_get_authorizer_info").hold_before();
    let (answer, left) = instance.answer(&*path).await;
    assert_eq!(answer.status, 303);
    assert!(scene.stored().await.get("authorizer_refresh_token").is_some());
    assert_eq!(scene.wechat.on("api_get_authorizer_info").count(), 0, "nothing of it has begun");
    drop(profile);
    left.run().await;
    assert_eq!(scene.stored().await["profile"]["nick_name"], "茶馆 & Co");
}

#[tokio::test]
async fn a_push_does_not_wait_for_the_profile_either() {
    let scene = Scene::new().await;
    let code = scene.wechat.authorize(&scene.appid, &[1]);
    let push = scene.wechat.push_authorized(&scene.appid, &code, None).request();
    let (answer, left) = scene.events().answer(push).await;
    assert_eq!((answer.status, &*answer.body), (200, "success"));
    assert!(scene.stored().await.get("profile").is_none());
    left.run().await;
    assert_eq!(scene.stored().await["profile"]["nick_name"], "茶馆 & Co");
}

#[tokio::test]
async fn the_page_has_the_name_that_comes_a_moment_after_the_answer() {
    let scene = Scene::new().await;
    let (instance, path, browser) = (scene.callback(), scene.launched().await, Browser::new());
    let (answer, left) = instance.answer(&*path).await;
    browser.keep(&answer);
    let looked = scene.dynamodb.on("GetItem").count();
    let later = async {
        // The page has found no profile yet: its launch, and the record once.
        scene.dynamodb.on("GetItem").arrived(looked + 2).await;
        left.run().await;
    };
    let address = format!("/{}", answer.header("location"));
    let (page, ()) = tokio::join!(browser.visit(&instance, &*address), later);
    assert!(page.status == 200 && page.body.contains("茶馆"), "{}", page.body);
}

#[tokio::test]
async fn the_launch_page_warms_the_redirect() {
    let scene = Scene::new().await;
    let (visits, browser) = (scene.authorize(), Browser::new());
    let page = browser.visit(&visits, "/authorize").await;
    let (_, id) = page.body.split_once("callback%3Flaunch%3D").expect("a launch");
    let reads = scene.dynamodb.on("GetItem").containing("component_token#");
    let before = reads.count();
    let page = browser.visit(&visits, &format!("{}&launch={}", scene.consent(), &id[..32])).await;
    assert!(page.status == 200 && page.body.contains("茶馆"), "{}", page.body);
    assert_eq!(reads.count(), before, "the component token is in memory");
}
