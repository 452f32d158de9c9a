//! Launches: who began them, what they vouch for, and who may see their outcome.

use sandbox::{Answer, Browser, Fault};
use serde_json::{Value, json};

use crate::scene::{Scene, of_launch, redirect};

fn id(launch: &Value) -> &str {
    launch["launch_id"].as_str().expect("an id")
}

/// The id of the launch that a launch page begins.
fn id_on(page: &Answer) -> String {
    let (_, rest) = page.body.split_once("callback%3Flaunch%3D").expect("a redirect_uri with a launch");
    rest[..32].to_owned()
}

fn shows_account(page: &Answer) -> bool {
    page.body.contains("茶馆")
        || page.body.contains("消息管理")
        || page.body.contains("<section class=\"account\"")
}

impl Scene {
    /// A merchant opens the page of a service's launch, agrees, and comes back.
    async fn walk(&self, browser: &Browser, launch: &Value) -> Answer {
        let page = browser.visit(&self.authorize(), &format!("/authorize?launch={}", id(launch))).await;
        assert_eq!(page.status, 200, "{}", page.body);
        browser.visit(&self.callback(), &of_launch(&self.consent(), launch)).await
    }
}

#[tokio::test]
async fn a_service_begins_a_launch_and_asks_for_its_outcome() {
    let scene = Scene::new().await;
    let launch =
        scene.launch_with(json!({"state": "tenant-7", "auth_type": "1", "category_id_list": [1, 15]})).await;
    let origin = "https://platform.example.com";
    assert_eq!(launch["launch_url"], format!("{origin}/authorize?launch={}", id(&launch)));
    assert!(launch["pre_auth_code"].as_str().is_some_and(|code| code.starts_with("preauthcode@@@")));
    for (name, path) in
        [("pc_url", "/cgi-bin/componentloginpage"), ("mobile_url", "/wxaopen/safe/bindcomponent")]
    {
        let url: reqwest::Url = launch[name].as_str().expect("a URL").parse().expect("a URL");
        assert_eq!(url.path(), path);
        let query: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        for (key, value) in [
            ("redirect_uri", format!("{origin}/callback?launch={}", id(&launch))),
            ("auth_type", "1".to_owned()),
            ("category_id_list", "1|15".to_owned()),
        ] {
            assert!(query.contains(&(key.to_owned(), value)), "{name} {key}: {url}");
        }
    }
    let life = launch["expires_at"].as_i64().expect("a time") - scene.clock.now().as_secs();
    assert!((7190..=7200).contains(&life), "{life}");
    let open = json!({
        "status": "open", "authorizer_appid": null, "component_appid": scene.wechat.component_appid,
        "state": "tenant-7", "bound": null, "permission_set_ids": null,
    });
    assert_eq!(scene.outcome(&launch).await, open);

    assert_eq!(scene.walk(&Browser::new(), &launch).await.status, 200);
    let authorized = json!({
        "status": "authorized", "authorizer_appid": scene.appid, "component_appid": scene.wechat.component_appid,
        "state": "tenant-7", "bound": "browser", "permission_set_ids": [1, 2, 24],
    });
    assert_eq!(scene.outcome(&launch).await, authorized);
    let record = scene.stored().await;
    assert_eq!((&record["state"], &record["bound"]), (&json!("tenant-7"), &json!("browser")));

    scene.clock.advance(120);
    scene.wechat.revoke(&scene.appid);
    let push = scene.wechat.push_unauthorized(&scene.appid).created_at(scene.clock.now().as_secs());
    assert_eq!(scene.events().request(push).await.status, 200);
    assert_eq!(scene.outcome(&launch).await["status"], "unauthorized");
}

#[tokio::test]
async fn a_launch_that_nobody_ends_expires() {
    let scene = Scene::new().await;
    let launch = scene.launch().await;
    scene.clock.advance(7201);
    assert_eq!(scene.outcome(&launch).await["status"], "expired");
    let page = scene.visit(&scene.authorize(), &format!("/authorize?launch={}", id(&launch))).await;
    assert_eq!(page.status, 403);
    assert_eq!(scene.wechat.on("api_create_preauthcode").count(), 1);
}

#[tokio::test]
async fn a_service_s_malformed_request_begins_no_launch() {
    let scene = Scene::new().await;
    let sandbox = scene
        .with("PUBLIC_BASE_URL", "https://platform.example.com")
        .with("RETURN_URL_PREFIX", "https://shop.example.com/wechat/");
    for event in [
        json!({"state": "a b"}),
        json!({"state": "x".repeat(257)}),
        json!({"auth_type": "7"}),
        json!({"biz_appid": "x"}),
        json!({"category_id_list": "1|2"}),
        json!({"category_id_list": vec![1; 201]}),
        json!({"return_url": "https://shop.example.org/wechat/"}),
        json!({"return_url": format!("https://shop.example.com/wechat/{}", "x".repeat(2048))}),
        json!({"return_url": "https://shop.example.com/wechat/../admin"}),
        json!({"stat": "tenant-7"}),
        json!({"launch_id": "x"}),
        json!([]),
    ] {
        let error = sandbox.launch().run(event.clone()).await.expect_err("an error");
        assert_eq!(error.error_type, "InvalidRequest", "{event}");
    }
    let unknown = json!({"launch_id": "0".repeat(32)});
    assert_eq!(sandbox.launch().run(unknown).await.expect_err("an error").error_type, "LaunchNotFound");
    assert!(scene.wechat.requests().is_empty());
    scene.wechat.on("api_create_preauthcode").always(Fault::errcode(45009));
    let error = sandbox.launch().run(json!({})).await.expect_err("an error");
    assert_eq!(error.error_type, "TemporarilyUnavailable");
    assert!(scene.dynamodb.platform_items("launch#").await.is_empty());
}

#[tokio::test]
async fn a_visitors_launch_stores_an_unverified_state() {
    let scene = Scene::new().await;
    let browser = Browser::new();
    let page = browser.visit(&scene.authorize(), "/authorize?state=tenant-7").await;
    let back = format!("{}&launch={}&state=tenant-8", scene.consent(), id_on(&page));
    let answer = browser.visit(&scene.callback(), &back).await;
    assert_eq!(answer.status, 200);
    assert!(shows_account(&answer));
    let record = scene.stored().await;
    assert!(record.get("state").is_none() && record.get("bound").is_none(), "{record}");
    assert_eq!(record["unverified_state"], "tenant-7");
    let outcome = scene.sandbox.launch().run(json!({"launch_id": id_on(&page)})).await;
    assert_eq!(outcome.expect_err("no service's").error_type, "LaunchNotFound");
}

#[tokio::test]
async fn what_a_visitor_launches_later_leaves_the_services_state_alone() {
    let scene = Scene::new().await;
    scene.walk(&Browser::new(), &scene.launch().await).await;
    scene.clock.advance(600);
    let page = scene.visit(&scene.authorize(), "/authorize?state=tenant-of-a-stranger").await;
    let back = format!("{}&launch={}", redirect(&scene.wechat.authorize(&scene.appid, &[1])), id_on(&page));
    assert_eq!(scene.visit(&scene.callback(), &back).await.status, 200);
    let record = scene.stored().await;
    assert_eq!((&record["state"], &record["bound"]), (&json!("tenant-7"), &json!("browser")));
    assert_eq!(record["unverified_state"], "tenant-of-a-stranger");
}

#[tokio::test]
async fn a_state_in_the_redirect_is_ignored() {
    let scene = Scene::new().await;
    let callback = scene.callback_with(&[("RETURN_URL", "https://shop.example.com/done?lang=zh")]);
    let answer = scene.visit(&callback, &format!("{}&state=tenant-7", scene.consent())).await;
    assert_eq!(answer.status, 200);
    let record = scene.stored().await;
    assert!(record.get("state").is_none() && record.get("unverified_state").is_none(), "{record}");
    assert!(!answer.body.contains("tenant-7"));
}

#[tokio::test]
async fn the_way_back_has_the_launch_and_nothing_that_looks_like_proof() {
    let scene = Scene::new().await;
    let own = "https://shop.example.com/wechat/done?lang=zh";
    let sandbox = scene
        .with("PUBLIC_BASE_URL", "https://platform.example.com")
        .with("RETURN_URL", "https://shop.example.com/")
        .with("RETURN_URL_PREFIX", "https://shop.example.com/wechat/");
    for (event, back) in [
        (json!({"state": "tenant-7"}), "https://shop.example.com/?launch="),
        (json!({"return_url": own}), "https://shop.example.com/wechat/done?lang=zh&#38;launch="),
    ] {
        let launch = sandbox.launch().run(event).await.expect("a launch begins");
        let redirect = of_launch(&scene.consent(), &launch);
        let answer = Browser::new().visit(&sandbox.callback(), &redirect).await;
        assert!(answer.body.contains(&format!("href=\"{back}{}\"", id(&launch))), "{}", answer.body);
        assert!(
            !answer.body.contains("authorizer_appid=") && !answer.body.contains("state="),
            "{}",
            answer.body
        );
        scene.clock.advance(120);
    }
}

#[tokio::test]
async fn after_success_the_address_has_no_code_and_only_the_launchs_browser_sees_the_account() {
    let scene = Scene::new().await;
    let launch = scene.launch().await;
    let browser = Browser::new();
    browser.visit(&scene.authorize(), &format!("/authorize?launch={}", id(&launch))).await;
    let back = of_launch(&scene.consent(), &launch);
    let answer = browser.request(&scene.callback(), (&back).into()).await;
    assert_eq!((answer.status, answer.body.as_str()), (303, ""));
    let address = format!("/{}", answer.header("location"));
    assert_eq!(address, format!("/callback?launch={}", id(&launch)));
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    for _ in 0..2 {
        let page = browser.visit(&scene.callback(), &address).await;
        assert_eq!(page.status, 200);
        assert!(shows_account(&page), "{}", page.body);
    }
    for stranger in [&address, &back] {
        let page = scene.visit(&scene.callback(), stranger).await;
        assert_eq!(page.status, 200);
        assert!(page.body.contains("授权成功") && !shows_account(&page), "{}", page.body);
    }
    scene.clock.advance(6 * 86_400);
    let page = scene.visit(&scene.callback(), &back).await;
    assert!(!shows_account(&page));
    assert_eq!(scene.exchanges(), 1);
}

#[tokio::test]
async fn a_browser_without_the_cookie_ends_the_launch_all_the_same() {
    let scene = Scene::new().await;
    let launch = scene.launch().await;
    let phone = Browser::new();
    let page = phone.visit(&scene.callback(), &of_launch(&scene.consent(), &launch)).await;
    assert_eq!(page.status, 200);
    assert!(shows_account(&page), "the visit that exchanged the code sees what it brought");
    let outcome = scene.outcome(&launch).await;
    assert_eq!((&outcome["status"], &outcome["bound"]), (&json!("authorized"), &json!("launch")));
    // The desktop that showed the QR code opens the address later.
    let desktop = scene.visit(&scene.callback(), &format!("/callback?launch={}", id(&launch))).await;
    assert!(desktop.status == 200 && !shows_account(&desktop));
}

#[tokio::test]
async fn a_push_after_the_browser_takes_nothing_back() {
    let scene = Scene::new().await;
    let launch = scene.launch().await;
    let code = scene.wechat.authorize(&scene.appid, &[1]);
    let browser = Browser::new();
    browser.visit(&scene.authorize(), &format!("/authorize?launch={}", id(&launch))).await;
    browser.visit(&scene.callback(), &of_launch(&redirect(&code), &launch)).await;
    let push = scene.wechat.push_authorized(&scene.appid, &code, launch["pre_auth_code"].as_str());
    assert_eq!(scene.events().request(push).await.status, 200);
    assert_eq!(scene.stored().await["bound"], "browser");
    assert_eq!(scene.outcome(&launch).await["bound"], "browser");
}

#[tokio::test]
async fn the_cookie_is_for_this_host_and_this_launch_alone() {
    let scene = Scene::new().await;
    let launch = scene.launch().await;
    let page = scene.authorize().get(&format!("/authorize?launch={}", id(&launch))).await;
    let [cookie] = &page.cookies[..] else { panic!("one cookie: {:?}", page.cookies) };
    assert!(cookie.starts_with("__Host-launch-"), "{cookie}");
    for attribute in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax", "Max-Age=7200"] {
        assert!(cookie.split("; ").any(|part| part == attribute), "{cookie}");
    }
    // With one launch's cookie another launch is not seen.
    let other = scene.launch().await;
    scene.visit(&scene.callback(), &of_launch(&scene.consent(), &other)).await;
    let browser = Browser::new();
    browser.keep(&page);
    let seen = browser.visit(&scene.callback(), &format!("/callback?launch={}", id(&other))).await;
    assert!(seen.status == 200 && !shows_account(&seen));
}

#[tokio::test]
async fn a_repeated_redirect_shows_the_launchs_outcome_even_if_its_code_failed() {
    for errcode in [61009, 61010] {
        let scene = Scene::new().await;
        let launch = scene.launch().await;
        let browser = Browser::new();
        assert_eq!(scene.walk(&browser, &launch).await.status, 200);
        let second = of_launch(&redirect("queryauthcode@@@second"), &launch);
        scene.wechat.on("api_query_auth").always(Fault::errcode(errcode));
        let page = browser.visit(&scene.callback(), &second).await;
        assert!(page.status == 200 && shows_account(&page), "{errcode}: {}", page.body);
    }
}

#[tokio::test]
async fn another_account_does_not_end_a_launch_that_has_ended() {
    let scene = Scene::new().await;
    let launch = scene.launch().await;
    scene.walk(&Browser::new(), &launch).await;
    let strangers = scene.wechat.add_account(sandbox::wechat::Account::official_account("stranger's"));
    let code = scene.wechat.authorize(&strangers, &[1]);
    let page = scene.visit(&scene.callback(), &of_launch(&redirect(&code), &launch)).await;
    assert_eq!(page.status, 200, "his own grant is stored");
    // The account's name comes after the answer.
    assert!(page.body.contains(&strangers) && !page.body.contains(&scene.appid), "{}", page.body);
    assert_eq!(scene.outcome(&launch).await["authorizer_appid"], scene.appid.as_str());
    let record = scene.dynamodb.authorizer(&strangers).await.expect("a record");
    assert!(record.get("state").is_none(), "{record}");
    assert_eq!(scene.stored().await["state"], "tenant-7");
    // Nor does opening its page again.
    let again = scene.authorize().get(&format!("/authorize?launch={}", id(&launch))).await;
    assert_eq!((again.status, again.header("location")), (303, &*format!("callback?launch={}", id(&launch))));
}

#[tokio::test]
async fn where_a_launch_is_required_nothing_is_spent_without_a_services() {
    let scene = Scene::new().await;
    let page = scene.visit(&scene.authorize(), "/authorize?state=tenant-7").await;
    let visitors = format!("{}&launch={}", scene.consent(), id_on(&page));
    let sandbox = scene.with("REQUIRE_LAUNCH", "true");
    let (seen_by_wechat, seen_by_dynamodb) = (scene.wechat.requests().len(), scene.dynamodb.requests().len());
    let consent = scene.consent();
    for path in [
        &consent,
        &format!("{consent}&state=tenant-7"),
        &format!("{consent}&launch={}", "0".repeat(32)),
        &format!("{consent}&launch=x"),
        &visitors,
    ] {
        assert_eq!(scene.visit(&sandbox.callback(), path).await.status, 403, "{path}");
    }
    for path in ["/authorize", "/authorize?state=tenant-7", &format!("/authorize?launch={}", id_on(&page))] {
        assert_eq!(scene.visit(&sandbox.authorize(), path).await.status, 403, "{path}");
    }
    assert_eq!(scene.wechat.requests().len(), seen_by_wechat);
    assert!(scene.dynamodb.platform_items("code#").await.is_empty());
    let writes = scene.dynamodb.requests().split_off(seen_by_dynamodb);
    let made = writes.iter().filter(|write| write.endpoint != "GetItem" && write.status == Some(200)).count();
    assert_eq!(made, 1, "the launch that was there notes its code, and nothing else is written");

    let launch = scene.launch().await;
    let open = sandbox.authorize();
    assert_eq!(scene.visit(&open, &format!("/authorize?launch={}", id(&launch))).await.status, 200);
    let back = of_launch(&scene.consent(), &launch);
    assert_eq!(scene.visit(&sandbox.callback(), &back).await.status, 200);
}

#[tokio::test]
async fn a_launch_vouches_for_three_codes_and_no_more() {
    let scene = Scene::new().await;
    let launch = scene.launch().await;
    let callback = scene.callback_with(&[("UNVOUCHED_PER_DAY", "0")]);
    for (attempt, calls) in [(1, 1), (2, 2), (3, 3), (4, 3), (5, 3)] {
        let made_up = of_launch(&redirect(&format!("queryauthcode@@@{attempt}")), &launch);
        let status = scene.visit(&callback, &made_up).await.status;
        assert_eq!(status, if attempt <= 3 { 400 } else { 503 }, "{attempt}");
        assert_eq!(scene.exchanges(), calls, "{attempt}");
    }
}

#[tokio::test]
async fn one_browser_costs_one_pre_auth_code_in_ten_minutes() {
    let scene = Scene::new().await;
    let authorize = scene.authorize();
    let minted = || scene.wechat.on("api_create_preauthcode").count();
    let browser = Browser::new();
    let first = browser.visit(&authorize, "/authorize?state=tenant-7").await;
    for _ in 0..5 {
        let again = browser.visit(&authorize, "/authorize?state=tenant-7").await;
        assert_eq!(id_on(&again), id_on(&first));
    }
    assert_eq!(minted(), 1);
    browser.visit(&authorize, "/authorize?state=tenant-8").await;
    assert_eq!(minted(), 2, "another launch");
    scene.visit(&authorize, "/authorize?state=tenant-7").await;
    assert_eq!(minted(), 3, "another browser");
    scene.clock.advance(601);
    browser.visit(&authorize, "/authorize?state=tenant-7").await;
    assert_eq!(minted(), 4, "it has grown old");

    let launch = scene.launch().await;
    let before = minted();
    for _ in 0..3 {
        scene.visit(&authorize, &format!("/authorize?launch={}", id(&launch))).await;
    }
    assert_eq!(minted(), before, "a service's launch has one already");
    scene.clock.advance(601);
    scene.visit(&authorize, &format!("/authorize?launch={}", id(&launch))).await;
    assert_eq!(minted(), before + 1);
}

#[tokio::test]
async fn a_launch_that_is_over_or_has_other_codes_writes_nothing() {
    for is_over in [true, false] {
        let scene = Scene::new().await;
        let launch = scene.launch().await;
        if is_over {
            scene.clock.advance(7201);
            scene.put_ticket().await;
        } else {
            for number in 0..3 {
                let made_up = of_launch(&redirect(&format!("queryauthcode@@@{number}")), &launch);
                scene.visit(&scene.callback(), &made_up).await;
            }
        }
        let path = of_launch(&scene.consent(), &launch);
        assert_eq!(scene.visit(&scene.callback(), &path).await.status, 200, "{is_over}");
        let record = scene.stored().await;
        assert!(record.get("state").is_none() && record.get("bound").is_none(), "{record}");
        let outcome = scene.outcome(&launch).await;
        assert!(outcome["authorizer_appid"].is_null(), "{outcome}");
    }
}
