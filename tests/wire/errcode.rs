//! What becomes of each class of errcode.

use sandbox::Fault;

use crate::scene::{Scene, assert_logged};

struct Expected {
    status: u16,
    /// Calls of `api_query_auth` for one visit.
    calls: usize,
    /// Whether the claim can still be exchanged.
    pending: bool,
}

async fn check(errcode: i64, expected: Expected) {
    let scene = Scene::new().await;
    let rid = format!("{}-{errcode:x}", &scene.appid[2..10]).replace("--", "-");
    let errmsg = format!("refused ticket@@@leak requestIP: 10.9.8.7 rid: {rid}");
    scene.wechat.on("api_query_auth").always(Fault::errmsg(errcode, &errmsg));
    let answer = scene.visit(&scene.callback(), &scene.consent()).await;
    assert_eq!(answer.status, expected.status, "{errcode}");
    assert_eq!(scene.exchanges(), expected.calls, "{errcode}");
    for internal in ["10.9.8.7", &rid, &format!(" {errcode}"), "errcode"] {
        assert!(!answer.body.contains(internal), "{internal} is on the page");
    }
    let claim = scene.claim().await;
    assert_eq!(claim["status"] == "claimed", expected.pending, "{errcode}");
    assert_eq!(claim.get("pending").is_some(), expected.pending, "{errcode}");
    assert!(claim.get("lease_owner").is_none(), "{errcode}");
    assert_logged(&[&format!("\"errcode\":{errcode}"), &rid]);
    assert!(!crate::scene::log().contains("ticket@@@leak"));
    if errcode == 61004 {
        assert_logged(&["\"request_ip\":\"10.9.8.7\"", &rid, "白名单IP地址列表"]);
    }
    if expected.pending && expected.status == 503 {
        assert_ne!(answer.header("retry-after"), "");
        scene.wechat.clear_faults();
        let query = scene.wechat.on("api_query_auth").requests()[0].body["authorization_code"].clone();
        let again = crate::scene::redirect(query.as_str().expect("a code"));
        assert_eq!(scene.visit(&scene.callback(), &again).await.status, 200, "after {errcode} was fixed");
    }
}

#[tokio::test]
async fn a_busy_wechat_is_asked_again_and_then_the_grant_is_left_pending() {
    for errcode in [-1, -1000] {
        check(errcode, Expected { status: 202, calls: 3, pending: true }).await;
    }
}

#[tokio::test]
async fn a_refused_component_token_is_replaced_once() {
    for errcode in [40001, 40014, 42001, 42006, 40094] {
        check(errcode, Expected { status: 503, calls: 2, pending: true }).await;
    }
}

#[tokio::test]
async fn a_code_that_wechat_never_gave_is_final() {
    for errcode in [61009, 40097] {
        check(errcode, Expected { status: 400, calls: 1, pending: false }).await;
    }
}

#[tokio::test]
async fn a_code_that_is_used_up_is_final() {
    check(61010, Expected { status: 410, calls: 1, pending: false }).await;
}

#[tokio::test]
async fn an_account_that_does_not_authorize_is_final() {
    for errcode in [61003, 61007, 61017, 42002, 42007, 61023] {
        check(errcode, Expected { status: 410, calls: 1, pending: false }).await;
    }
}

#[tokio::test]
async fn a_fault_that_an_operator_can_fix_is_tried_once_and_left_pending() {
    let fixable = [
        61004, 40164, 45035, 48017, 45009, 45011, 61005, 61006, 40091, 40013, 40125, 48001, 48004, 50002,
        61000, 61001, 61011, 61028, 61029, 41002, 43002, 44002, 47001, 47002, 61008, 61014, 61024, 99999,
    ];
    for errcode in fixable {
        check(errcode, Expected { status: 503, calls: 1, pending: true }).await;
    }
}

#[tokio::test]
async fn a_token_that_wechat_does_not_see_is_sent_under_its_newer_name() {
    let scene = Scene::new().await;
    let exchange = scene.wechat.on("api_query_auth");
    exchange.once(Fault::errcode(41001));
    assert_eq!(scene.visit(&scene.callback(), &scene.consent()).await.status, 200);
    let names: Vec<Vec<String>> =
        exchange.requests().iter().map(|request| request.query.keys().cloned().collect()).collect();
    assert_eq!(names, [["component_access_token"], ["access_token"]]);
}
