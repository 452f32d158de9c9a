//! Every change of a record is named once, for the events that its table's stream feeds.

use sandbox::Fault;
use serde_json::{Value, json};

use crate::scene::{Scene, redirect};

/// The changes that were written so far, in order, by what crossed the wire.
fn changes(scene: &Scene) -> Vec<String> {
    let written = |request: &sandbox::wire::Request| -> Option<String> {
        let update = match &request.body["TransactItems"][0]["Update"] {
            Value::Null => request.body.clone(),
            update => update.clone(),
        };
        if update["TableName"] != scene.dynamodb.authorizers_table.as_str() || request.status != Some(200) {
            return None;
        }
        let expression = update["UpdateExpression"].as_str()?;
        let (set, remove) = expression.split_once(" REMOVE ").unwrap_or((expression, ""));
        let is_set = set.contains("#change = ");
        assert_ne!(
            is_set,
            remove.contains("#change"),
            "each write names a change or removes the name: {expression}"
        );
        let name = update["ExpressionAttributeValues"][":change"]["S"].as_str()?;
        let name = if set.contains("if_not_exists(#next_grant, :change)") { "granted" } else { name };
        is_set.then(|| name.to_owned())
    };
    scene.dynamodb.requests().iter().filter_map(written).collect()
}

#[tokio::test]
async fn each_change_is_named_by_the_write_that_makes_it_and_by_no_other() {
    let scene = Scene::new().await;
    assert_eq!(scene.visit(&scene.callback(), &scene.consent()).await.status, 200);
    assert_eq!(changes(&scene), ["granted", "updated"]);
    assert_eq!(scene.stored().await["next_grant"], "updated");

    scene.clock.advance(7200 - 600);
    scene.put_ticket().await;
    scene.wechat.on("api_authorizer_token").times(6, Fault::errcode(-1));
    let refresh = scene.refresh();
    for _ in 0..3 {
        refresh.run(json!({})).await.expect("the run succeeds");
        scene.clock.advance(121);
    }
    assert_eq!(changes(&scene), ["granted", "updated", "refresh_failed", "recovered"]);

    let push = scene.wechat.push_unauthorized(&scene.appid).created_at(scene.clock.now().as_secs());
    assert_eq!(scene.events().request(push).await.status, 200);
    assert_eq!(changes(&scene), ["granted", "updated", "refresh_failed", "recovered", "unauthorized"]);
    assert!(scene.stored().await.get("next_grant").is_none());
}

#[tokio::test]
async fn a_first_grant_is_called_authorized_and_a_later_one_updated() {
    let scene = Scene::new().await;
    // The profile's write removes the name at once, so it must not come.
    scene.wechat.on("api_get_authorizer_info").always(Fault::errcode(-1));
    let callback = scene.callback();
    assert_eq!(scene.visit(&callback, &scene.consent()).await.status, 200);
    assert_eq!(scene.stored().await["change"], "authorized");
    scene.clock.advance(120);
    let code = scene.wechat.update(&scene.appid, &[1, 89]);
    assert_eq!(scene.visit(&callback, &redirect(&code)).await.status, 200);
    assert_eq!(scene.stored().await["change"], "updated");
    scene.clock.advance(120);
    let push = scene.wechat.push_unauthorized(&scene.appid).created_at(scene.clock.now().as_secs());
    assert_eq!(scene.events().request(push).await.status, 200);
    assert_eq!(scene.stored().await["change"], "unauthorized");
    scene.clock.advance(120);
    assert_eq!(scene.visit(&callback, &scene.consent()).await.status, 200);
    assert_eq!(scene.stored().await["change"], "authorized");
}

#[tokio::test]
async fn the_same_grant_through_the_other_door_is_no_second_change() {
    let scene = Scene::new().await;
    let code = scene.wechat.authorize(&scene.appid, &[1]);
    let push = scene.wechat.push_authorized(&scene.appid, &scene.wechat.mint_code(&scene.appid), None);
    assert_eq!(scene.events().request(push).await.status, 200);
    assert_eq!(scene.visit(&scene.callback(), &redirect(&code)).await.status, 200);
    assert_eq!(changes(&scene), ["granted", "updated"]);
}
