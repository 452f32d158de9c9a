//! How many round trips a visit takes, by what the servers saw.

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
