//! The platform's credentials come from Secrets Manager, late and seldom.

use sandbox::{Fault, Sandbox};
use serde_json::{Value, json};

use crate::scene::{Scene, assert_logged, redirect};

const ARN: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:ComponentSecret-abc";

impl Scene {
    /// The sandbox with its credentials in a Secrets Manager, for which DynamoDB's recorder stands in.
    pub(crate) fn with_secrets_manager(&self, secret: Value) -> Sandbox {
        let answer = json!({"ARN": ARN, "Name": "ComponentSecret", "SecretString": secret.to_string()});
        self.dynamodb.on("GetSecretValue").always(Fault::json(answer));
        self.with("COMPONENT_SECRET_ARN", ARN).with("COMPONENT_SECRET", "")
    }

    fn fetches(&self) -> usize {
        self.dynamodb.on("GetSecretValue").count()
    }
}

#[tokio::test]
async fn the_secret_is_fetched_once_to_mint_and_never_by_a_warm_callback() {
    let scene = Scene::new().await;
    let sandbox = scene.with_secrets_manager(scene.wechat.component_secret());
    let callback = sandbox.callback();
    assert_eq!(scene.visit(&callback, &scene.consent()).await.status, 200);
    assert_eq!(scene.fetches(), 1);
    assert_eq!(scene.visit(&callback, &redirect(&scene.wechat.mint_code(&scene.appid))).await.status, 200);
    let cold = sandbox.callback();
    assert_eq!(scene.visit(&cold, &redirect(&scene.wechat.mint_code(&scene.appid))).await.status, 200);
    assert_eq!(scene.fetches(), 1, "the token is in the table");
    let events = sandbox.events();
    for _ in 0..3 {
        assert_eq!(events.request(scene.wechat.push_ticket()).await.status, 200);
    }
    assert_eq!(scene.fetches(), 2, "once per instance");
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_is_logged_and_spends_nothing() {
    let scene = Scene::new().await;
    let redirect = scene.consent();
    let malformed =
        json!({"component_appsecret": "replace-me", "token": "replace-me", "encoding_aes_key": "short"});
    let sandbox = scene.with_secrets_manager(malformed);
    assert_eq!(scene.visit(&sandbox.callback(), &redirect).await.status, 503);
    assert_logged(&["the component secret is not JSON", "43 characters"]);
    assert_eq!(sandbox.events().request(scene.wechat.push_ticket()).await.status, 500);

    scene.dynamodb.clear_faults();
    scene.dynamodb.on("GetSecretValue").always(Fault::exception(400, "AccessDeniedException"));
    assert_eq!(scene.visit(&sandbox.callback(), &redirect).await.status, 503);
    assert_logged(&["secrets manager did not give the component secret: AccessDeniedException"]);
    assert!(scene.wechat.requests().is_empty());

    scene.dynamodb.clear_faults();
    let sandbox = scene.with_secrets_manager(scene.wechat.component_secret());
    assert_eq!(scene.visit(&sandbox.callback(), &redirect).await.status, 200);
}

#[tokio::test]
async fn a_new_appsecret_is_fetched_after_wechat_refused_the_old_one() {
    let scene = Scene::new().await;
    let redirect = scene.consent();
    let sandbox = scene.with_secrets_manager(scene.wechat.component_secret());
    let callback = sandbox.callback();
    scene.wechat.reset_appsecret();
    assert_eq!(scene.visit(&callback, &redirect).await.status, 503);
    scene.dynamodb.clear_faults();
    let _ = scene.with_secrets_manager(scene.wechat.component_secret());
    assert_eq!(scene.visit(&callback, &redirect).await.status, 200);
    assert_eq!(scene.fetches(), 2);
}

#[tokio::test]
async fn a_secrets_manager_that_fails_later_leaves_what_was_fetched_in_use() {
    let scene = Scene::new().await;
    let redirect = scene.consent();
    let sandbox = scene.with_secrets_manager(scene.wechat.component_secret());
    let callback = sandbox.callback();
    scene.wechat.on("api_component_token").once(Fault::errcode(40001));
    assert_eq!(scene.visit(&callback, &redirect).await.status, 503);
    scene.dynamodb.clear_faults();
    scene.dynamodb.on("GetSecretValue").always(Fault::internal());
    assert_eq!(scene.visit(&callback, &redirect).await.status, 200);
    assert_logged(&["using the component secret that was fetched before"]);
}
