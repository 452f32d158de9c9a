//! What WeChat pushes, and what the platform makes of it.

use sandbox::wechat::Account;
use sandbox::{Push, Sandbox};
use serde_json::json;

use crate::call::SETS;

async fn status(sandbox: &Sandbox, push: Push) -> u16 {
    sandbox.events().request(push).await.status
}

#[tokio::test]
async fn every_push_is_understood_and_answered() {
    let sandbox = Sandbox::start().await;
    let appid = sandbox.wechat.add_account(Account::official_account("Tea"));
    let code = sandbox.wechat.authorize(&appid, SETS);
    let pre_auth_code = sandbox.wechat.mint_pre_auth_code();
    for push in [
        sandbox.wechat.push_ticket(),
        sandbox.wechat.push_authorized(&appid, &code, Some(&pre_auth_code)),
        sandbox.wechat.push_updateauthorized(&appid, &sandbox.wechat.update(&appid, &[1]), None),
    ] {
        let info_type = push.info_type();
        let answer = sandbox.events().request(push).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "success"), "{info_type}");
    }
    let record = sandbox.dynamodb.authorizer(&appid).await.expect("a record");
    assert_eq!(record["permission_set_ids"], json!([1]));
    sandbox.wechat.revoke(&appid);
    assert_eq!(status(&sandbox, sandbox.wechat.push_unauthorized(&appid)).await, 200);
    let record = sandbox.dynamodb.authorizer(&appid).await.expect("a record");
    assert_eq!(record["status"], "unauthorized");
}

#[tokio::test]
async fn a_push_that_is_not_quite_right_is_refused() {
    let sandbox = Sandbox::start().await;
    let push = sandbox.wechat.push_ticket();
    assert_eq!(status(&sandbox, push.clone().with_previous_key()).await, 200);
    assert_eq!(status(&sandbox, push.clone().with_token("another")).await, 403);
    assert_eq!(status(&sandbox, push.clone().with_key(&"A".repeat(43))).await, 400);
    assert_eq!(status(&sandbox, push.clone().with_appid("wx0000000000000000")).await, 400);
    assert_eq!(status(&sandbox, sandbox.wechat.push_message("no XML")).await, 400);
}

#[tokio::test]
async fn a_push_says_when_it_happened_and_when_it_was_signed() {
    let sandbox = Sandbox::start().await;
    let push = sandbox.wechat.push_authorized("wx0000000000000000", "code", None).created_at(7).signed_at(8);
    assert!(push.request().query.contains("&timestamp=8&"));
    let xml = push.xml();
    assert!(xml.contains("<CreateTime>7</CreateTime>"), "{xml}");
    assert!(xml.contains("<AuthorizationCodeExpiredTime>3607</AuthorizationCodeExpiredTime>"), "{xml}");
    assert!(!xml.contains("PreAuthCode"), "{xml}");
}

#[tokio::test]
async fn the_same_push_is_never_the_same_bytes_unless_that_is_wanted() {
    let sandbox = Sandbox::start().await;
    let push = || sandbox.wechat.push_unauthorized("wx0000000000000000").created_at(7).signed_at(7);
    assert_ne!(push().request().body, push().request().body);
    assert_eq!(push().reproducible().request().body, push().reproducible().request().body);
}
