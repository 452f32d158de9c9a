//! What pages do by themselves, and whom they lead back to.

use std::time::Duration;

use sandbox::{Answer, Browser, Fault, HttpRequest};
use serde_json::{Value, json};
use wechat_authorizer::runner::logged;

use crate::refresh::run;
use crate::scene::{Scene, assert_logged, of_launch};

/// The pause and the address of a page that goes on by itself.
fn next(answer: &Answer) -> Option<(u32, String)> {
    let (pause, address) = answer.header("refresh").split_once("; url=")?;
    Some((pause.parse().expect("seconds"), address.to_owned()))
}

fn id(launch: &Value) -> &str {
    launch["launch_id"].as_str().expect("an id")
}

#[tokio::test]
async fn a_page_that_waits_names_its_next_address_and_stops_after_two_minutes() {
    let scene = Scene::new().await;
    let launch = scene.launch().await;
    scene.wechat.on("api_query_auth").always(Fault::errcode(-1));
    let (browser, callback) = (Browser::new(), scene.callback());
    let mut page = browser.visit(&callback, &of_launch(&scene.consent(), &launch)).await;
    let asked = scene.exchanges();
    let mut pauses = Vec::new();
    let mut addresses = Vec::new();
    while let Some((pause, address)) = next(&page) {
        assert_eq!(page.status, 202);
        assert!(address.starts_with(&format!("callback?launch={}&claim=", id(&launch))), "{address}");
        assert!(page.body.contains("正在完成授权") && page.body.contains("查看结果"), "{}", page.body);
        assert_eq!(page.body.contains("role=\"status\""), pauses.is_empty(), "announced once");
        pauses.push(pause);
        page = browser.visit(&callback, &format!("/{address}")).await;
        addresses.push(address);
        assert!(pauses.len() < 20, "{pauses:?}");
    }
    assert_eq!(page.status, 202);
    assert!(page.body.contains("仍在完成授权") && page.body.contains("查看结果"), "{}", page.body);
    assert_eq!(pauses[..3], [3, 5, 10]);
    assert!(pauses.is_sorted() && (100..=130).contains(&pauses.iter().sum::<u32>()), "{pauses:?}");
    addresses.dedup();
    assert_eq!(addresses.len(), pauses.len(), "an address that is the same would only move to its fragment");
    assert_eq!(scene.exchanges(), asked, "who waits asks WeChat nothing");
    // A malformed count ends it, too; a button of the page begins it again.
    for (reloads, goes_on) in [("", true), ("&reloads=x", false), ("&reloads=99999999999999999999", false)] {
        let page = browser.visit(&callback, &format!("/callback?launch={}{reloads}", id(&launch))).await;
        assert_eq!((page.status, next(&page).is_some()), (202, goes_on), "{reloads}");
    }
}

#[tokio::test]
async fn the_page_that_waits_turns_into_the_page_of_the_outcome() {
    for services in [true, false] {
        let scene = Scene::new().await;
        let back = if services { scene.launched().await } else { scene.consent() };
        scene.wechat.on("api_query_auth").always(Fault::errcode(-1));
        let (browser, callback) = (Browser::new(), scene.callback());
        let page = browser.visit(&callback, &back).await;
        let (_, address) = next(&page).expect("it goes on");
        assert_eq!(browser.visit(&callback, &format!("/{address}")).await.status, 202);
        scene.wechat.clear_faults();
        scene.clock.advance(61);
        assert_eq!(run(&scene.refresh()).await[3], 1, "one exchange is finished");
        let page = browser.visit(&callback, &format!("/{address}")).await;
        assert_eq!(page.status, 200, "{}", page.body);
        assert!(page.body.contains("授权成功") && !page.body.contains("reloads="), "{}", page.body);
    }
}

#[tokio::test]
async fn the_page_that_waits_for_a_code_that_is_refused_says_so() {
    let scene = Scene::new().await;
    let launch = scene.launch().await;
    let back = of_launch(&scene.consent(), &launch);
    scene.wechat.allow_address(false);
    let (browser, callback) = (Browser::new(), scene.callback());
    let page = browser.visit(&callback, &back).await;
    assert_eq!(page.status, 503);
    let (pause, address) = next(&page).expect("it reloads itself");
    assert_eq!(pause, 60);
    scene.wechat.allow_address(true);
    scene.wechat.on("api_query_auth").always(Fault::errcode(61010));
    scene.clock.advance(61);
    run(&scene.refresh()).await;
    let page = browser.visit(&callback, &format!("/{address}")).await;
    assert_eq!(page.status, 410, "{}", page.body);
}

#[tokio::test]
async fn a_launch_whose_push_named_no_launch_is_ended_from_the_page_that_waits() {
    let scene = Scene::new().await;
    let launch = scene.launch().await;
    let code = scene.wechat.authorize(&scene.appid, &[1]);
    let hold = scene.wechat.on("api_query_auth").hold_after();
    let (events, push) = (scene.events(), scene.wechat.push_authorized(&scene.appid, &code, None));
    let pushing = tokio::spawn(async move { events.request(push).await });
    hold.arrived().await;
    // A visit with less time waits less for the push, whose time is short, too.
    let (browser, callback) = (Browser::new(), scene.callback().with_remaining(Duration::from_secs(2)));
    let back = of_launch(&crate::scene::redirect(&code), &launch);
    let page = browser.visit(&callback, &back).await;
    assert_eq!(page.status, 202);
    let (_, address) = next(&page).expect("it goes on");
    hold.release();
    assert_eq!(pushing.await.expect("no panic").status, 200);
    assert_eq!(browser.visit(&callback, &format!("/{address}")).await.status, 200);
    assert_eq!(scene.outcome(&launch).await["status"], "authorized");
    assert_eq!(scene.stored().await["state"], "tenant-7");
    assert_eq!(scene.exchanges(), 1);
}

#[tokio::test]
async fn a_digest_that_no_launch_has_seen_ends_no_launch() {
    let scene = Scene::new().await;
    let (launch, other) = (scene.launch().await, scene.launch().await);
    scene.wechat.on("api_query_auth").always(Fault::errcode(-1));
    let page = scene.visit(&scene.callback(), &of_launch(&scene.consent(), &launch)).await;
    let (_, address) = next(&page).expect("it goes on");
    let (_, claim) = address.split_once("claim=").expect("a claim");
    let claim = claim.split('&').next().expect("a digest");
    scene.wechat.clear_faults();
    scene.clock.advance(61);
    run(&scene.refresh()).await;
    let borrowed = format!("/callback?launch={}&claim={claim}", id(&other));
    let page = scene.visit(&scene.callback(), &borrowed).await;
    assert!(page.status == 200 && !page.body.contains("茶馆"), "{}", page.body);
    assert_eq!(scene.outcome(&other).await["status"], "open");
    assert_eq!(scene.stored().await["state"], "tenant-7");
    for malformed in ["/callback?claim=x", "/callback?claim=", "/callback?claim=%00"] {
        assert_eq!(scene.visit(&scene.callback(), malformed).await.status, 400, "{malformed}");
    }
}

#[tokio::test]
async fn a_fault_of_storage_reloads_the_same_address_which_no_page_shows() {
    let scene = Scene::new().await;
    let redirect = scene.consent();
    scene.dynamodb.on("UpdateItem").containing("code#").always(Fault::internal());
    let page = scene.visit(&scene.callback(), &redirect).await;
    assert_eq!((page.status, page.header("retry-after"), page.header("refresh")), (503, "60", "60"));
    assert!(page.body.contains("本页将在 1 分钟后自动刷新。"), "{}", page.body);
    // Inside WeChat the address has a fragment, and only the button reloads the page.
    let request = HttpRequest::get(&redirect).header("user-agent", "iPhone Mobile MicroMessenger/8.0.50");
    let page = scene.request(&scene.callback(), request).await;
    assert_eq!((page.status, page.header("retry-after"), page.header("refresh")), (503, "60", ""));
    assert!(page.body.contains("href=\"\"") && !page.body.contains("自动刷新"), "{}", page.body);
}

#[tokio::test]
async fn a_page_of_a_passing_fault_stops_reloading_itself() {
    let scene = Scene::new().await;
    scene.wechat.on("api_create_preauthcode").always(Fault::errcode(-1));
    let authorize = scene.authorize();
    let page = scene.visit(&authorize, "/authorize?state=tenant-7&reloads=9").await;
    assert_eq!(next(&page), Some((60, "authorize?state=tenant-7&reloads=10".to_owned())));
    let page = scene.visit(&authorize, "/authorize?state=tenant-7&reloads=10").await;
    assert_eq!((page.status, next(&page)), (503, None));
    assert!(!page.body.contains("自动刷新"), "{}", page.body);
}

#[tokio::test]
async fn the_confirmation_goes_back_by_itself_unless_the_merchant_stays() {
    let scene = Scene::new().await;
    let sandbox = scene.with("RETURN_URL", "https://shop.example.com/done?lang=zh");
    let launch = scene.launch().await;
    let (browser, callback) = (Browser::new(), sandbox.callback());
    let page = browser.visit(&callback, &of_launch(&scene.consent(), &launch)).await;
    let back = format!("https://shop.example.com/done?lang=zh&launch={}", id(&launch));
    assert_eq!((page.status, next(&page)), (200, Some((5, back.clone()))));
    assert!(page.body.contains("5 秒后自动返回平台。"), "{}", page.body);
    let stay = format!("callback?launch={}&stay=1", id(&launch));
    assert!(page.body.contains(&stay.replace('&', "&#38;")), "{}", page.body);
    let page = browser.visit(&callback, &format!("/{stay}")).await;
    assert_eq!((page.status, next(&page)), (200, None));
    assert!(page.body.contains("茶馆") && page.body.contains(&back.replace('&', "&#38;")), "{}", page.body);
    assert!(!page.body.contains("秒后自动"), "{}", page.body);
}

#[tokio::test]
async fn a_visit_that_is_refused_leads_back_to_the_platform_where_that_is_known() {
    let scene = Scene::new().await;
    let own = "https://shop.example.com/wechat/done";
    let sandbox = scene
        .with("PUBLIC_BASE_URL", "https://platform.example.com")
        .with("REQUIRE_LAUNCH", "true")
        .with("RETURN_URL", "https://shop.example.com/")
        .with("RETURN_URL_PREFIX", "https://shop.example.com/wechat/");
    let launch = sandbox.launch().run(json!({"return_url": own})).await.expect("a launch begins");
    scene.clock.advance(7201);
    let launched = format!("/authorize?launch={}", id(&launch));
    let named = format!("href=\"{own}?launch={}\"", id(&launch));
    let usual = "href=\"https://shop.example.com/\"";
    let consent = scene.consent();
    for (instance, path, expected) in [
        (sandbox.authorize(), &*launched, &*named),
        (sandbox.authorize(), "/authorize?state=tenant-7", usual),
        (sandbox.authorize(), &*format!("/authorize?launch={}", "0".repeat(32)), usual),
        (sandbox.callback(), &*consent, usual),
        (sandbox.callback(), &*of_launch(&consent, &launch), &*named),
    ] {
        let page = scene.visit(&instance, path).await;
        assert_eq!(page.status, 403, "{path}");
        assert!(page.body.contains(expected), "{path}: {}", page.body);
    }
}

#[tokio::test]
async fn one_reference_leads_to_the_lines_of_all_visits_of_a_launch() {
    let scene = Scene::new().await;
    let launch = scene.launch().await;
    let reference = |page: &Answer| {
        let (_, rest) = page.body.split_once("编号 <code>").expect("a reference");
        rest.split_once('<').expect("an end").0.to_owned()
    };
    let browser = Browser::new();
    let page = format!("/authorize?launch={}", id(&launch));
    let opened = logged("first", browser.visit(&scene.authorize(), &page)).await;
    let own = reference(&opened);
    assert!(own.len() == 8 && own.bytes().all(|byte| byte.is_ascii_hexdigit()), "{own}");
    let back = of_launch(&scene.consent(), &launch);
    let confirmed = logged("second", browser.visit(&scene.callback(), &back)).await;
    assert_eq!(reference(&confirmed), own);
    for (request_id, line) in [
        ("first", "launch page answered"),
        ("second", "grant stored"),
        ("second", "\"status\":303"),
        ("second", "\"status\":200"),
    ] {
        assert_logged(&[
            &format!("\"reference\":\"{own}\""),
            &format!("\"request_id\":\"{request_id}\""),
            line,
        ]);
    }
    let bare = logged("third", scene.visit(&scene.callback(), "/callback")).await;
    let bare = format!("\"reference\":\"{}\"", reference(&bare));
    assert_logged(&[&bare, "\"request_id\":\"third\"", "refused: no authorization code"]);
}

#[tokio::test]
async fn the_platforms_face_and_the_accounts_picture_are_on_the_confirmation() {
    let scene = Scene::new().await;
    let sandbox = scene
        .with("PLATFORM_NAME", "一号店管家")
        .with("PLATFORM_LOGO", "https://cdn.example.com/logo.png")
        .with("SUPPORT_CONTACT", "400-123-4567");
    let request = HttpRequest::get(&scene.launched().await).header("accept-language", "zh-TW");
    let page = Browser::new().visit(&sandbox.callback(), request).await;
    assert_eq!(page.status, 200);
    for part in [
        "lang=\"zh-Hant\"",
        "授權成功 - 一号店管家",
        "一号店管家現在可以",
        "src=\"https://wx.qlogo.cn/mmopen/",
    ] {
        assert!(page.body.contains(part), "{part}: {}", page.body);
    }
    let policy = page.header("content-security-policy");
    assert!(policy.ends_with("; img-src https://cdn.example.com https://wx.qlogo.cn"), "{policy}");
    let policy = |answer: Answer| answer.header("content-security-policy").to_owned();
    let page = policy(scene.visit(&sandbox.authorize(), "/authorize").await);
    assert!(page.ends_with("; img-src https://cdn.example.com"), "{page}");
}
