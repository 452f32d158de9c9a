//! The rules of WeChat that the simulated one keeps.

use crate::call::{SETS, call, client, component_token, credentials, exchange, post};
use sandbox::Sandbox;
use sandbox::wechat::{Account, Kind};
use serde_json::{Value, json};

/// A platform with a component token and one account that can authorize it.
async fn platform() -> (Sandbox, String, String) {
    let sandbox = Sandbox::start().await;
    let token = component_token(&sandbox).await;
    let appid = sandbox.wechat.add_account(Account::official_account("Tea"));
    (sandbox, token, appid)
}

async fn refresh(sandbox: &Sandbox, token: &str, appid: &str, refresh_token: &Value) -> Value {
    let body = json!({"authorizer_appid": appid, "authorizer_refresh_token": refresh_token});
    call(sandbox, "api_authorizer_token", token, body).await
}

async fn list(sandbox: &Sandbox, token: &str, offset: i64, count: i64) -> Value {
    call(sandbox, "api_get_authorizer_list", token, json!({"offset": offset, "count": count})).await
}

async fn info(sandbox: &Sandbox, token: &str, appid: &str) -> Value {
    call(sandbox, "api_get_authorizer_info", token, json!({"authorizer_appid": appid})).await
}

#[tokio::test]
async fn a_code_is_exchanged_once() {
    let (sandbox, token, appid) = platform().await;
    let code = sandbox.wechat.authorize(&appid, SETS);
    let answer = exchange(&sandbox, &token, &code).await;
    let info = &answer["authorization_info"];
    assert_eq!(info["authorizer_appid"], appid);
    assert_eq!(info["expires_in"], 7200);
    assert_eq!(info["func_info"][1]["funcscope_category"]["type"], 0);
    assert_eq!(info["func_info"][2]["confirm_info"]["need_confirm"], 0);
    assert_eq!(exchange(&sandbox, &token, &code).await["errcode"], 61010);
}

#[tokio::test]
async fn a_code_lives_for_an_hour() {
    let (sandbox, token, appid) = platform().await;
    let (early, late) = (sandbox.wechat.authorize(&appid, SETS), sandbox.wechat.mint_code(&appid));
    sandbox.clock.advance(3590);
    assert!(exchange(&sandbox, &token, &early).await["authorization_info"].is_object());
    sandbox.clock.advance(10);
    assert_eq!(exchange(&sandbox, &token, &late).await["errcode"], 61010);
}

#[tokio::test]
async fn what_is_no_code_is_refused_as_invalid() {
    let (sandbox, token, _) = platform().await;
    let pre_auth_code = sandbox.wechat.mint_pre_auth_code();
    for code in ["queryauthcode@@@never-made", pre_auth_code.as_str()] {
        assert_eq!(exchange(&sandbox, &token, code).await["errcode"], 61009);
    }
    assert_eq!(exchange(&sandbox, &token, "").await["errcode"], 40097);
}

#[tokio::test]
async fn an_account_without_permission_sets_gets_no_tokens() {
    let (sandbox, token, appid) = platform().await;
    let answer = exchange(&sandbox, &token, &sandbox.wechat.authorize(&appid, &[])).await;
    assert_eq!(answer, json!({"authorization_info": {"authorizer_appid": appid, "func_info": []}}));
}

#[tokio::test]
async fn the_codes_of_the_event_files_are_known() {
    let (sandbox, token, _) = platform().await;
    assert_eq!(list(&sandbox, &token, 0, 1).await["total_count"], 0);
    for (code, errcode) in [("expired", 61010), ("unknown", 61009), ("busy", -1)] {
        let code = format!("queryauthcode@@@sandbox-{code}");
        assert_eq!(exchange(&sandbox, &token, &code).await["errcode"], errcode);
    }
    for code in ["queryauthcode@@@sandbox-official-account", "queryauthcode@@@sandbox-mini-program"] {
        assert!(exchange(&sandbox, &token, code).await["authorization_info"].is_object());
        assert_eq!(exchange(&sandbox, &token, code).await["errcode"], 61010);
    }
    assert_eq!(list(&sandbox, &token, 0, 1).await["total_count"], 2);
}

#[tokio::test]
async fn a_ticket_is_accepted_for_twelve_hours() {
    let sandbox = Sandbox::start_without_ticket().await;
    let ticket = sandbox.wechat.issue_ticket();
    let mint = async || post(&sandbox, "api_component_token", credentials(&sandbox, &ticket)).await;
    sandbox.clock.advance(12 * 3600 - 10);
    assert_eq!(mint().await["expires_in"], 7200);
    sandbox.clock.advance(10);
    assert_eq!(mint().await["errcode"], 61005);
    let wrong = credentials(&sandbox, "ticket@@@wrong");
    assert_eq!(post(&sandbox, "api_component_token", wrong).await["errcode"], 61006);
}

#[tokio::test]
async fn wrong_credentials_are_told_apart() {
    let sandbox = Sandbox::start_without_ticket().await;
    let good = credentials(&sandbox, &sandbox.wechat.issue_ticket());
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    for (body, errcode) in [
        (with("component_appid", json!("wx0000000000000000")), 40013),
        (with("component_appid", Value::Null), 41018),
        (with("component_appsecret", json!("wrong")), 40125),
        (with("component_appsecret", Value::Null), 41004),
    ] {
        assert_eq!(post(&sandbox, "api_component_token", body).await["errcode"], errcode);
    }
    sandbox.wechat.reset_appsecret();
    assert_eq!(post(&sandbox, "api_component_token", good).await["errcode"], 40125);
}

#[tokio::test]
async fn a_superseded_component_token_works_for_five_more_minutes() {
    let (sandbox, old, appid) = platform().await;
    let new = component_token(&sandbox).await;
    sandbox.wechat.authorize(&appid, SETS);
    sandbox.clock.advance(290);
    assert_eq!(list(&sandbox, &old, 0, 1).await["total_count"], 1);
    sandbox.clock.advance(10);
    assert_eq!(list(&sandbox, &old, 0, 1).await["errcode"], 40001);
    assert_eq!(list(&sandbox, &new, 0, 1).await["total_count"], 1);
}

#[tokio::test]
async fn a_component_token_expires_after_two_hours() {
    let (sandbox, token, _) = platform().await;
    sandbox.clock.advance(7200);
    assert_eq!(list(&sandbox, &token, 0, 1).await["errcode"], 42001);
    assert_eq!(list(&sandbox, "never-made", 0, 1).await["errcode"], 40001);
}

#[tokio::test]
async fn the_token_is_accepted_under_both_names_and_missed_without_one() {
    let (sandbox, token, _) = platform().await;
    let body = json!({"component_appid": sandbox.wechat.component_appid});
    for name in ["access_token", "component_access_token"] {
        let path = format!("api_create_preauthcode?{name}={token}");
        let answer = post(&sandbox, &path, body.clone()).await;
        assert_eq!(answer["expires_in"], 1800);
        assert!(answer["pre_auth_code"].as_str().is_some_and(|code| code.starts_with("preauthcode@@@")));
    }
    assert_eq!(post(&sandbox, "api_create_preauthcode", body).await["errcode"], 41001);
}

#[tokio::test]
async fn off_the_allow_list_every_call_is_refused_and_nothing_is_spent() {
    let (sandbox, token, appid) = platform().await;
    let code = sandbox.wechat.authorize(&appid, SETS);
    sandbox.wechat.allow_address(false);
    let answer = exchange(&sandbox, &token, &code).await;
    assert_eq!(answer["errcode"], 61004);
    assert!(answer["errmsg"].as_str().is_some_and(|errmsg| errmsg.contains("requestIP: 203.0.113.7 rid: ")));
    sandbox.wechat.allow_address(true);
    assert!(exchange(&sandbox, &token, &code).await["authorization_info"].is_object());
}

#[tokio::test]
async fn what_is_not_json_is_refused() {
    let (sandbox, token, _) = platform().await;
    for (body, errcode) in [("code=1", 47001), ("", 44002)] {
        let url =
            format!("{}/cgi-bin/component/api_query_auth?access_token={token}", sandbox.wechat.base_url);
        let answer =
            client().post(url).body(body).send().await.expect("an answer").bytes().await.expect("a body");
        let answer: Value = serde_json::from_slice(&answer).expect("JSON");
        assert_eq!(answer["errcode"], errcode);
    }
}

#[tokio::test]
async fn a_refresh_makes_a_new_access_token_and_keeps_the_refresh_token() {
    let (sandbox, token, appid) = platform().await;
    let answer = exchange(&sandbox, &token, &sandbox.wechat.authorize(&appid, SETS)).await;
    let granted = &answer["authorization_info"];
    let answer = refresh(&sandbox, &token, &appid, &granted["authorizer_refresh_token"]).await;
    assert_eq!(answer["authorizer_refresh_token"], granted["authorizer_refresh_token"]);
    let (old, new) = (&granted["authorizer_access_token"], &answer["authorizer_access_token"]);
    assert_ne!(old, new);
    let accepts = |token: &Value| sandbox.wechat.accepts(token.as_str().expect("a token"));
    sandbox.clock.advance(290);
    assert!(accepts(old) && accepts(new));
    sandbox.clock.advance(10);
    assert!(!accepts(old) && accepts(new));
}

#[tokio::test]
async fn a_second_authorization_replaces_the_refresh_token_and_an_update_does_not() {
    let (sandbox, token, appid) = platform().await;
    let exchange = async |code: String| exchange(&sandbox, &token, &code).await["authorization_info"].take();
    let first = exchange(sandbox.wechat.authorize(&appid, SETS)).await;
    let updated = exchange(sandbox.wechat.update(&appid, &[1])).await;
    let second = exchange(sandbox.wechat.authorize(&appid, SETS)).await;
    assert_eq!(updated["authorizer_refresh_token"], first["authorizer_refresh_token"]);
    assert_eq!(updated["func_info"], json!([{"funcscope_category": {"id": 1}}]));
    assert_eq!(refresh(&sandbox, &token, &appid, &first["authorizer_refresh_token"]).await["errcode"], 61023);
    let answer = refresh(&sandbox, &token, &appid, &second["authorizer_refresh_token"]).await;
    assert_eq!(answer["expires_in"], 7200);
}

#[tokio::test]
async fn a_revoked_authorization_ends_everywhere_at_once() {
    let (sandbox, token, appid) = platform().await;
    let answer = exchange(&sandbox, &token, &sandbox.wechat.authorize(&appid, SETS)).await;
    let granted = &answer["authorization_info"];
    sandbox.wechat.revoke(&appid);
    assert_eq!(
        refresh(&sandbox, &token, &appid, &granted["authorizer_refresh_token"]).await["errcode"],
        61003
    );
    assert_eq!(info(&sandbox, &token, &appid).await["errcode"], 61003);
    assert_eq!(list(&sandbox, &token, 0, 1).await["total_count"], 0);
    assert!(!sandbox.wechat.accepts(granted["authorizer_access_token"].as_str().expect("a token")));
}

#[tokio::test]
async fn info_and_list_hold_the_refresh_token_only_after_an_exchange() {
    let (sandbox, token, appid) = platform().await;
    let code = sandbox.wechat.authorize(&appid, SETS);
    let from_info = async || {
        info(&sandbox, &token, &appid).await["authorization_info"]["authorizer_refresh_token"].take()
    };
    let from_list = async || list(&sandbox, &token, 0, 500).await["list"][0]["refresh_token"].take();
    assert_eq!((from_info().await, from_list().await), (json!(""), json!("")));
    let answer = exchange(&sandbox, &token, &code).await;
    let refresh_token = &answer["authorization_info"]["authorizer_refresh_token"];
    assert_eq!((&from_info().await, &from_list().await), (refresh_token, refresh_token));
}

#[tokio::test]
async fn each_kind_but_one_has_an_object_that_tells_it_apart() {
    let (sandbox, token, _) = platform().await;
    for kind in Kind::ALL {
        let appid = sandbox.wechat.add_account(Account::new(kind, "Tea"));
        sandbox.wechat.authorize(&appid, SETS);
        let answer = info(&sandbox, &token, &appid).await;
        assert_eq!(answer["authorizer_info"]["nick_name"], "Tea");
        for object in Kind::ALL.into_iter().filter_map(Kind::object) {
            assert_eq!(
                answer["authorizer_info"][object].is_object(),
                kind.object() == Some(object),
                "{kind:?}"
            );
        }
    }
}

#[tokio::test]
async fn what_an_account_changes_at_wechat_is_told_and_not_pushed() {
    let (sandbox, token, appid) = platform().await;
    sandbox.wechat.authorize(&appid, SETS);
    sandbox.wechat.rename(&appid, "Coffee");
    sandbox.wechat.set_account_status(&appid, 16);
    let answer = info(&sandbox, &token, &appid).await;
    assert_eq!(answer["authorizer_info"]["nick_name"], "Coffee");
    assert_eq!(answer["authorizer_info"]["account_status"], 16);
    assert!(sandbox.wechat.deliveries().is_empty());
}

#[tokio::test]
async fn the_list_is_paged_and_its_page_is_limited() {
    let (sandbox, token, first) = platform().await;
    let second = sandbox.wechat.add_account(Account::mini_program("Shop"));
    sandbox.wechat.authorize(&first, SETS);
    sandbox.clock.advance(10);
    sandbox.wechat.authorize(&second, SETS);
    let page = list(&sandbox, &token, 1, 500).await;
    assert_eq!(page["total_count"], 2);
    assert_eq!(page["list"].as_array().map(Vec::len), Some(1));
    assert_eq!(page["list"][0]["authorizer_appid"], second);
    for (offset, count) in [(0, 501), (0, 0), (-1, 1)] {
        assert_eq!(list(&sandbox, &token, offset, count).await["errcode"], 40170);
    }
}

#[tokio::test]
async fn tokens_of_the_wrong_kind_are_told_apart() {
    let (sandbox, token, appid) = platform().await;
    let answer = exchange(&sandbox, &token, &sandbox.wechat.authorize(&appid, SETS)).await;
    let authorizer_token = answer["authorization_info"]["authorizer_access_token"].as_str().expect("a token");
    assert_eq!(list(&sandbox, authorizer_token, 0, 1).await["errcode"], 61014);
    let business = async |token: &str| {
        let url = format!("{}/cgi-bin/user/get?access_token={token}", sandbox.wechat.base_url);
        let answer = client().get(url).send().await.expect("an answer").bytes().await.expect("a body");
        serde_json::from_slice::<Value>(&answer).expect("JSON")
    };
    assert_eq!(business(authorizer_token).await["total"], 0);
    assert_eq!(business(&token).await["errcode"], 61015);
    assert_eq!(business("never-made").await["errcode"], 40001);
}

#[tokio::test]
async fn everything_handed_out_is_a_known_secret() {
    let (sandbox, token, appid) = platform().await;
    let code = sandbox.wechat.authorize(&appid, SETS);
    let answer = exchange(&sandbox, &token, &code).await;
    let granted = &answer["authorization_info"];
    let secrets = sandbox.wechat.secrets();
    let handed_out = [&granted["authorizer_access_token"], &granted["authorizer_refresh_token"]];
    let handed_out = handed_out.map(|value| value.as_str().expect("a token"));
    let credentials = sandbox.wechat.component_secret();
    let own = credentials.as_object().expect("an object").values().map(|value| value.as_str().expect("text"));
    for secret in handed_out.into_iter().chain(own).chain([token.as_str(), &code]) {
        assert!(secrets.iter().any(|known| known == secret));
    }
}

#[tokio::test]
async fn a_token_that_is_made_stale_is_refused_and_the_next_one_works() {
    let (sandbox, token, appid) = platform().await;
    let code = sandbox.wechat.authorize(&appid, SETS);
    let info = exchange(&sandbox, &token, &code).await["authorization_info"].take();
    sandbox.wechat.invalidate_access_tokens(&appid);
    assert!(!sandbox.wechat.accepts(info["authorizer_access_token"].as_str().expect("a token")));
    let answer = refresh(&sandbox, &token, &appid, &info["authorizer_refresh_token"]).await;
    assert!(sandbox.wechat.accepts(answer["authorizer_access_token"].as_str().expect("a token")));
}
