//! How many round trips a visit takes, by what the servers saw.

use crate::scene::{Scene, redirect};

#[tokio::test]
async fn a_warm_callback_has_the_grant_stored_after_three_sequential_round_trips() {
    let scene = Scene::new().await;
    let instance = scene.callback();
    assert_eq!(scene.visit(&instance, &scene.consent()).await.status, 200);
    let appid = scene.wechat.add_account(sandbox::wechat::Account::official_account("second"));
    let (seen_by_wechat, seen_by_dynamodb) = (scene.wechat.requests().len(), scene.dynamodb.requests().len());
    let code = scene.wechat.authorize(&appid, &[1]);
    assert_eq!(scene.visit(&instance, &redirect(&code)).await.status, 200);

    let mut requests = scene.wechat.requests().split_off(seen_by_wechat);
    requests.extend(scene.dynamodb.requests().split_off(seen_by_dynamodb));
    requests.sort_by_key(|request| request.began);
    let names: Vec<&str> = requests.iter().map(|request| request.endpoint.as_str()).collect();
    // What follows the transaction is the best-effort profile.
    let expected =
        ["UpdateItem", "api_query_auth", "TransactWriteItems", "api_get_authorizer_info", "UpdateItem"];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn a_cold_callback_reads_the_component_token_beside_the_claim() {
    let scene = Scene::new().await;
    assert_eq!(scene.visit(&scene.callback(), &scene.consent()).await.status, 200);
    let claim = scene.dynamodb.on("UpdateItem").hold_before();
    let read = scene.dynamodb.on("GetItem").hold_before();
    let instance = scene.callback();
    let code = scene.wechat.mint_code(&scene.appid);
    let visit = tokio::spawn(async move { instance.get(&redirect(&code)).await });
    claim.arrived().await;
    read.arrived().await;
    drop((claim, read));
    assert_eq!(visit.await.expect("no panic").status, 200);
    assert_eq!(scene.wechat.on("api_component_token").count(), 1);
}
