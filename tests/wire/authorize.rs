//! The launch page.

use sandbox::{Answer, Fault, HttpRequest};

use crate::scene::Scene;

const IPHONE_IN_WECHAT: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 MicroMessenger/8.0.50";
const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Mobile/15E148 Safari/604.1";
const CHROME_ON_WINDOWS: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/124 Safari/537.36";
const WECHAT_ON_WINDOWS: &str =
    "Mozilla/5.0 (Windows NT 10.0; WOW64) AppleWebKit/537.36 Chrome/116 MicroMessenger/7.0.20 WindowsWechat";

/// The links to WeChat, in the order of the page.
fn links(answer: &Answer) -> Vec<reqwest::Url> {
    let hrefs = answer.body.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let urls = hrefs.map(|href| href.replace("&#38;", "&").replace("&amp;", "&"));
    urls.filter(|href| href.contains("pre_auth_code=")).map(|href| href.parse().expect("a URL")).collect()
}

fn parameter(url: &reqwest::Url, name: &str) -> String {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

#[tokio::test]
async fn the_launch_page_links_to_both_forms_of_the_consent_page() {
    let scene = Scene::new().await;
    let answer = scene.visit(&scene.authorize(), "/authorize?state=tenant-7").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("referrer-policy"), "origin");
    assert_eq!(answer.header("cache-control"), "no-store");
    let [pc, mobile] = &links(&answer)[..] else { panic!("two links on {}", answer.body) };
    assert_eq!(pc.path(), "/cgi-bin/componentloginpage");
    assert_eq!(mobile.path(), "/wxaopen/safe/bindcomponent");
    assert_eq!(mobile.fragment(), Some("wechat_redirect"));
    assert_eq!(parameter(mobile, "action"), "bindcomponent");
    assert_eq!(parameter(mobile, "no_scan"), "1");
    for link in [pc, mobile] {
        assert_eq!(parameter(link, "component_appid"), scene.wechat.component_appid);
        assert!(parameter(link, "pre_auth_code").starts_with("preauthcode@@@"));
        assert!(!link.as_str().contains('@'), "the code is encoded");
        assert_eq!(parameter(link, "auth_type"), "3");
        let redirect_uri = parameter(link, "redirect_uri");
        let launch =
            redirect_uri.strip_prefix("https://platform.example.com/callback?launch=").expect("a launch");
        assert!(launch.len() == 32 && launch.bytes().all(|byte| byte.is_ascii_hexdigit()), "{launch}");
    }
    assert_eq!(answer.body.matches("referrerpolicy=\"origin\"").count(), 2);
    assert!(!answer.body.contains("<script"));
}

#[tokio::test]
async fn each_visitor_has_the_links_that_work_there() {
    const PC: &str = "/cgi-bin/componentloginpage";
    const MOBILE: &str = "/wxaopen/safe/bindcomponent";
    let scene = Scene::new().await;
    for (agent, expected) in [
        (CHROME_ON_WINDOWS, &[PC][..]),
        (WECHAT_ON_WINDOWS, &[PC]),
        (IPHONE_IN_WECHAT, &[MOBILE]),
        (IPHONE, &[]),
        ("curl/8.5.0", &[PC, MOBILE]),
    ] {
        let request = HttpRequest::get("/authorize?auth_type=1").header("user-agent", agent);
        let answer = scene.request(&scene.authorize(), request).await;
        assert!(answer.status == 200 && answer.body.contains("授权公众号<"), "{}", answer.body);
        let links = links(&answer);
        assert_eq!(links.iter().map(reqwest::Url::path).collect::<Vec<_>>(), expected, "{agent}");
        let (has_code, has_copy) =
            (answer.body.contains("<figure>"), answer.body.contains("class=\"copied\""));
        assert_eq!((has_code, has_copy), (expected == [PC], expected.is_empty()), "{agent}");
        assert_eq!(answer.header("referrer-policy"), "origin");
    }
}

#[tokio::test]
async fn outside_wechat_a_phone_gets_the_link_to_the_same_page_and_costs_nothing() {
    let scene = Scene::new().await;
    let launch = scene.launch().await;
    let id = launch["launch_id"].as_str().expect("an id");
    let minted = scene.wechat.requests().len();
    let query = format!("state=tenant-7&auth_type=2&biz_appid={}&category_id_list=1%7C15", scene.appid);
    for query in [&format!("launch={id}"), &query] {
        let request =
            HttpRequest::get(&format!("/authorize?{query}&utm=x&reloads=2")).header("user-agent", IPHONE);
        let answer = scene.request(&scene.authorize(), request).await;
        let link = format!("https://platform.example.com/authorize?{}", query.replace('&', "&#38;"));
        assert!(answer.body.contains(&format!("<a href=\"{link}\">{link}</a>")), "{}", answer.body);
        assert!(answer.cookies.is_empty());
    }
    assert_eq!(scene.wechat.requests().len(), minted);
    let request =
        HttpRequest::get(&format!("/authorize?launch={}", "0".repeat(32))).header("user-agent", IPHONE);
    assert_eq!(scene.request(&scene.authorize(), request).await.status, 403);
    let required = scene.with("REQUIRE_LAUNCH", "true");
    let request = HttpRequest::get("/authorize?state=tenant-7").header("user-agent", IPHONE);
    assert_eq!(scene.request(&required.authorize(), request).await.status, 403);
}

#[tokio::test]
async fn every_view_has_a_code_of_its_own() {
    let scene = Scene::new().await;
    let instance = scene.authorize();
    let first = scene.visit(&instance, "/authorize").await;
    let second = scene.visit(&instance, "/authorize").await;
    assert_ne!(parameter(&links(&first)[0], "pre_auth_code"), parameter(&links(&second)[0], "pre_auth_code"));
    assert_eq!(scene.wechat.on("api_component_token").count(), 1);
}

#[tokio::test]
async fn what_the_link_asks_for_is_handed_on() {
    let scene = Scene::new().await;
    let query = format!("auth_type=2&biz_appid={}", scene.appid);
    let answer = scene.visit(&scene.authorize(), &format!("/authorize?{query}")).await;
    for link in links(&answer) {
        assert_eq!(parameter(&link, "auth_type"), "2");
        assert_eq!(parameter(&link, "biz_appid"), scene.appid);
    }
}

#[tokio::test]
async fn a_public_base_url_is_the_origin_of_the_redirect() {
    let scene = Scene::new().await;
    let sandbox = scene.with("PUBLIC_BASE_URL", "https://auth.shop.example");
    let answer = scene.visit(&sandbox.authorize(), "/authorize").await;
    let redirect_uri = parameter(&links(&answer)[0], "redirect_uri");
    assert!(redirect_uri.starts_with("https://auth.shop.example/callback?launch="), "{redirect_uri}");
}

#[tokio::test]
async fn malformed_input_prefetch_and_head_mint_nothing() {
    let scene = Scene::new().await;
    let instance = scene.authorize();
    let too_long = format!("state={}", "x".repeat(257));
    let too_many = format!("category_id_list=1{}", "%7C1".repeat(200));
    for query in [
        "state=a%20b",
        "state=%3Cscript%3E",
        &too_long,
        &too_many,
        "auth_type=7",
        "auth_type=x",
        "biz_appid=wx1",
    ] {
        let answer = scene.visit(&instance, &format!("/authorize?{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
        assert!(!answer.body.contains("script>"), "{query}");
    }
    let prefetch = HttpRequest::get("/authorize").header("sec-purpose", "prefetch");
    assert_eq!(scene.request(&instance, prefetch).await.status, 204);
    assert_eq!(scene.request(&instance, HttpRequest::head("/authorize")).await.status, 200);
    assert!(scene.wechat.requests().is_empty());
    assert!(scene.dynamodb.requests().is_empty());
}

#[tokio::test]
async fn each_failure_has_its_page_and_its_line_in_the_log() {
    let failures = [
        (Fault::errcode(-1), 503, "60"),
        (Fault::errcode(45009), 503, "60"),
        (Fault::errcode(61004), 503, "60"),
        (Fault::errcode(61011), 503, "60"),
        (Fault::errcode(61006), 503, "600"),
        (Fault::ResetBefore, 503, "60"),
        (Fault::raw(200, "text/plain", "{}"), 503, "60"),
    ];
    for (fault, status, retry_after) in failures {
        let scene = Scene::new().await;
        scene.wechat.on("api_create_preauthcode").always(fault.clone());
        let answer = scene.visit(&scene.authorize(), "/authorize").await;
        assert_eq!((answer.status, answer.header("retry-after")), (status, retry_after), "{fault:?}");
        assert_eq!(answer.header("refresh"), format!("{retry_after}; url=authorize?reloads=1"));
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
    }
}

#[tokio::test]
async fn before_the_first_ticket_the_launch_page_says_that_the_platform_is_not_ready() {
    let scene = Scene::without_ticket().await;
    let answer = scene.visit(&scene.authorize(), "/authorize").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "600"));
}

#[tokio::test]
async fn a_passing_fault_and_a_refused_token_are_fixed_within_the_visit() {
    for fault in [Fault::errcode(-1), Fault::ResetBefore, Fault::errcode(40001), Fault::errcode(42001)] {
        let scene = Scene::new().await;
        scene.wechat.on("api_create_preauthcode").once(fault.clone());
        assert_eq!(scene.visit(&scene.authorize(), "/authorize").await.status, 200, "{fault:?}");
    }
}

#[tokio::test]
async fn a_launch_that_cannot_be_noted_is_not_shown() {
    let scene = Scene::new().await;
    scene.dynamodb.on("UpdateItem").containing("launch#").always(Fault::internal());
    assert_eq!(scene.visit(&scene.authorize(), "/authorize?state=tenant-7").await.status, 503);
}
