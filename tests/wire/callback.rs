//! The outcomes of the redirect, one by one.

use sandbox::wechat::Account;
use sandbox::{Answer, Browser, Fault, HttpRequest};
use serde_json::json;

use crate::scene::{Scene, assert_logged, redirect};

#[track_caller]
fn check(answer: &Answer, status: u16, phrase: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert!(answer.body.contains(phrase), "no {phrase:?} on {}", answer.body);
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert!(answer.header("strict-transport-security").starts_with("max-age="));
    assert_eq!(answer.header("x-frame-options"), "DENY");
    assert!(answer.header("content-security-policy").starts_with("default-src 'none'; style-src 'sha256-"));
    assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"));
}

#[tokio::test]
async fn a_grant_is_exchanged_stored_and_confirmed() {
    let scene = Scene::new().await;
    let before = scene.clock.now().as_secs();
    let answer = scene.visit(&scene.callback(), &scene.consent()).await;
    check(&answer, 200, "授权成功");
    assert!(answer.body.contains("茶馆 &#38; Co"), "{}", answer.body);
    assert!(answer.body.contains("消息管理"), "{}", answer.body);

    let record = scene.stored().await;
    assert_eq!(record["status"], "authorized");
    assert_eq!(record["component_appid"], scene.wechat.component_appid.as_str());
    assert_eq!(
        record["authorizer_refresh_token"].as_str(),
        scene.wechat.refresh_token(&scene.appid).as_deref()
    );
    let token = record["authorizer_access_token"].as_str().expect("an access token");
    assert!(scene.wechat.accepts(token));
    assert_eq!(record["permission_set_ids"], json!([1, 2, 24]));
    assert_eq!(record["func_info"][0]["id"], 1);
    let expires_at = record["access_token_expires_at"].as_i64().expect("an expiry");
    assert!((before + 7200..before + 7230).contains(&expires_at), "{expires_at}");
    let refresh_at = record["refresh_at"].as_i64().expect("a time of refresh");
    assert!((expires_at - 1200..=expires_at - 600).contains(&refresh_at), "{refresh_at} {expires_at}");
    assert!((0..16).contains(&record["refresh_shard"].as_i64().expect("a shard")));
    assert_eq!(record["profile"]["nick_name"], "茶馆 & Co");
    assert_eq!(record["profile"]["account_type"], "official_account");
    assert!(record.get("lease_owner").is_none());

    let claim = scene.claim().await;
    assert_eq!(claim["status"], "done");
    assert_eq!(claim["authorizer_appid"], scene.appid.as_str());
    for gone in ["authorization_code", "lease_owner", "lease_until", "pending", "pending_at"] {
        assert!(claim.get(gone).is_none(), "{gone} is left on the claim");
    }
}

#[tokio::test]
async fn a_visitor_who_prefers_english_reads_english() {
    let scene = Scene::new().await;
    let request = HttpRequest::get(&scene.consent()).header("accept-language", "en-GB, zh;q=0.5");
    let answer = scene.request(&scene.callback(), request).await;
    check(&answer, 200, "Authorization complete");
    assert!(answer.body.contains("<html lang=\"en\""));
}

#[tokio::test]
async fn a_mini_program_is_stored_as_one() {
    let scene = Scene::new().await;
    let appid = scene.wechat.add_account(Account::mini_program("小程序"));
    let code = scene.wechat.authorize(&appid, &[17, 18, 30]);
    check(&scene.visit(&scene.callback(), &redirect(&code)).await, 200, "小程序");
    let record = scene.dynamodb.authorizer(&appid).await.expect("a record");
    assert_eq!(record["profile"]["account_type"], "mini_program");
    assert_eq!(record["func_info"][2]["confirm_info"]["need_confirm"], 0);
}

#[tokio::test]
async fn a_literal_at_sign_is_as_good_as_an_encoded_one() {
    let scene = Scene::new().await;
    let code = scene.wechat.authorize(&scene.appid, &[1]);
    check(&scene.visit(&scene.callback(), &format!("/callback?auth_code={code}")).await, 200, "授权成功");
}

#[tokio::test]
async fn a_reload_shows_the_stored_outcome_without_a_second_exchange() {
    let scene = Scene::new().await;
    let redirect = scene.consent();
    let instance = scene.callback();
    let browser = Browser::new();
    check(&browser.visit(&instance, &redirect).await, 200, "消息管理");
    for instance in [&instance, &scene.callback()] {
        let reload = scene.visit(instance, &redirect).await;
        check(&reload, 200, "授权成功");
        assert!(!reload.body.contains("茶馆"), "whose it is, is for the visit alone that exchanged the code");
    }
    assert_eq!(scene.exchanges(), 1);
}

#[tokio::test]
async fn a_malformed_code_costs_nothing() {
    let scene = Scene::new().await;
    let instance = scene.callback();
    let too_long = "x".repeat(4097);
    let malformed =
        ["", "?auth_code=", "?auth_code=%E4%BB%A3", "?auth_code=a%09b", "?auth_code=preauthcode%40%40%40x"];
    let malformed = malformed.map(str::to_owned).into_iter().chain([format!("?auth_code={too_long}")]);
    for query in malformed {
        let answer = scene.visit(&instance, &format!("/callback{query}")).await;
        check(&answer, 400, "链接无效");
        assert!(answer.body.contains("href=\"authorize\""), "{}", answer.body);
    }
    assert!(scene.wechat.requests().is_empty());
    assert!(scene.dynamodb.requests().is_empty());
}

#[tokio::test]
async fn prefetches_and_head_spend_nothing() {
    let scene = Scene::new().await;
    let instance = scene.callback();
    let redirect = scene.consent();
    for (name, value) in
        [("sec-purpose", "prefetch;prerender"), ("purpose", "prefetch"), ("x-moz", "prefetch")]
    {
        let answer = scene.request(&instance, HttpRequest::get(&redirect).header(name, value)).await;
        assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    }
    let answer = scene.request(&instance, HttpRequest::head(&redirect)).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    let answer = scene.request(&instance, HttpRequest::post(&redirect, "")).await;
    assert_eq!((answer.status, answer.header("allow")), (405, "GET, HEAD"));
    assert!(scene.wechat.requests().is_empty());
    assert!(scene.dynamodb.requests().is_empty());
    check(&scene.visit(&instance, &redirect).await, 200, "授权成功");
}

#[tokio::test]
async fn an_unknown_code_is_an_invalid_link_and_stays_so() {
    let scene = Scene::new().await;
    let redirect = redirect("queryauthcode@@@made-up");
    check(&scene.visit(&scene.callback(), &redirect).await, 400, "链接无效");
    check(&scene.visit(&scene.callback(), &redirect).await, 400, "链接无效");
    assert_eq!(scene.exchanges(), 1);
    assert_eq!(scene.claim().await["status"], "failed");
}

#[tokio::test]
async fn an_expired_code_asks_for_a_new_authorization() {
    let scene = Scene::new().await;
    let redirect = scene.consent();
    scene.clock.advance(3601);
    check(&scene.visit(&scene.callback(), &redirect).await, 410, "授权");
    check(&scene.visit(&scene.callback(), &redirect).await, 410, "授权");
    assert_eq!(scene.exchanges(), 1);
    assert!(scene.record().await.is_none());
}

#[tokio::test]
async fn a_malformed_state_does_not_cost_the_grant() {
    let scene = Scene::new().await;
    let answer = scene.visit(&scene.callback(), &format!("{}&state=%3Cb%3E", scene.consent())).await;
    check(&answer, 200, "授权成功");
    assert!(scene.stored().await.get("state").is_none());
}

#[tokio::test]
async fn before_the_first_ticket_the_page_says_so_and_the_code_stays_valid() {
    let scene = Scene::without_ticket().await;
    let redirect = scene.consent();
    let answer = scene.visit(&scene.callback(), &redirect).await;
    check(&answer, 503, "href=\"\"");
    assert_eq!(answer.header("retry-after"), "600");
    assert_logged(&["platform not ready", "授权事件接收URL"]);
    let claim = scene.claim().await;
    assert_eq!(claim["status"], "claimed");
    assert!(claim.get("lease_owner").is_none());
    assert_eq!(claim["pending"], format!("{}#unvouched", scene.wechat.component_appid));

    scene.put_ticket().await;
    check(&scene.visit(&scene.callback(), &redirect).await, 200, "授权成功");
}

#[tokio::test]
async fn an_account_without_api_permission_is_stored_without_tokens_and_told_so() {
    let scene = Scene::new().await;
    let redirect = scene.consent();
    scene.wechat.on("api_query_auth").once(Fault::json(json!({"authorization_info": {
        "authorizer_appid": scene.appid, "authorizer_access_token": "", "authorizer_refresh_token": null,
    }})));
    scene
        .wechat
        .on("api_get_authorizer_info")
        .once(Fault::json(json!({"authorizer_info": {"nick_name": "空"}})));
    check(&scene.visit(&scene.callback(), &redirect).await, 200, "空");
    let record = scene.stored().await;
    assert_eq!(record["status"], "authorized");
    let absent = [
        "authorizer_access_token",
        "access_token_expires_at",
        "authorizer_refresh_token",
        "permission_set_ids",
        "refresh_at",
        "refresh_shard",
    ];
    for attribute in absent {
        assert!(record.get(attribute).is_none(), "{attribute}");
    }
}

#[tokio::test]
async fn a_missing_refresh_token_is_looked_up_and_never_replaces_a_stored_one() {
    let scene = Scene::new().await;
    let answer = |appid: &str| {
        Fault::json(json!({"authorization_info": {
            "authorizer_appid": appid, "authorizer_access_token": "access", "expires_in": "7200",
            "func_info": [{"funcscope_category": {"id": "3"}}, {"funcscope_category": {}}],
        }}))
    };
    let stored = scene.wechat.authorize(&scene.appid, &[1]);
    let looked_up = scene.wechat.add_account(Account::official_account("second"));
    let code = scene.wechat.authorize(&looked_up, &[1]);
    scene.wechat.on("api_get_authorizer_info").containing(&looked_up).once(Fault::json(json!({
        "authorizer_info": {"nick_name": "second"},
        "authorization_info": {"authorizer_refresh_token": "looked-up"},
    })));

    let instance = scene.callback();
    check(&scene.visit(&instance, &redirect(&stored)).await, 200, "授权成功");
    let first = scene.stored().await;
    scene.clock.advance(120);
    scene.wechat.on("api_query_auth").once(answer(&scene.appid));
    check(&scene.visit(&instance, &redirect("queryauthcode@@@again")).await, 200, "授权成功");
    let second = scene.stored().await;
    assert_eq!(second["authorizer_refresh_token"], first["authorizer_refresh_token"]);
    assert_eq!(second["authorizer_access_token"], "access");
    assert_eq!(second["permission_set_ids"], json!([3]));
    assert!(second["version"].as_i64() > first["version"].as_i64());
    assert!(second.get("refresh_at").is_some());

    scene.wechat.on("api_query_auth").once(answer(&looked_up));
    check(&scene.visit(&instance, &redirect(&code)).await, 200, "second");
    let record = scene.dynamodb.authorizer(&looked_up).await.expect("a record");
    assert_eq!(record["authorizer_refresh_token"], "looked-up");
    assert_eq!(record["refresh_at"].as_i64(), record["updated_at"].as_i64(), "due at once");
}

#[tokio::test]
async fn an_authorization_that_changed_replaces_the_whole_grant() {
    let scene = Scene::new().await;
    let instance = scene.callback();
    check(&scene.visit(&instance, &scene.consent()).await, 200, "授权成功");
    let first = scene.stored().await;
    scene.clock.advance(86_400);
    scene.put_ticket().await;
    let code = scene.wechat.authorize(&scene.appid, &[1, 89]);
    check(&scene.visit(&instance, &redirect(&code)).await, 200, "授权成功");
    let second = scene.stored().await;
    assert_ne!(second["authorizer_access_token"], first["authorizer_access_token"]);
    assert_eq!(
        second["authorizer_refresh_token"].as_str(),
        scene.wechat.refresh_token(&scene.appid).as_deref()
    );
    assert_eq!(second["permission_set_ids"], json!([1, 89]));
    assert!(second["authorized_at"].as_i64() > first["authorized_at"].as_i64());
}
