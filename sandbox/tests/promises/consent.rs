//! The consent pages.

use sandbox::Sandbox;
use sandbox::wechat::{Account, Kind};

use crate::call::client;

const REDIRECT_URI: &str = "https://platform.example.com/callback?state=s1";
const LAUNCH_PAGE: &str = "https://platform.example.com/";

/// The link of a launch page, with one parameter replaced.
pub(crate) fn link(sandbox: &Sandbox, path: &str, changed: (&str, &str)) -> String {
    let pre_auth_code = sandbox.wechat.mint_pre_auth_code();
    let parameters = [
        ("component_appid", sandbox.wechat.component_appid.as_str()),
        ("pre_auth_code", &pre_auth_code),
        ("redirect_uri", REDIRECT_URI),
        ("auth_type", "3"),
    ];
    let parameters = parameters.map(|(name, value)| if name == changed.0 { changed } else { (name, value) });
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    format!("{}{path}?{query}", sandbox.wechat.base_url)
}

async fn page(url: &str, referer: &str) -> String {
    let answer = client().get(url).header("Referer", referer).send().await.expect("a page");
    answer.text().await.expect("a whole page")
}

/// Agrees, and returns where the browser is sent.
pub(crate) async fn agree(url: &str, account: &str, sets: &[&str]) -> Result<String, String> {
    let query = url.split_once('?').expect("a query").1;
    let sets: String = sets.iter().map(|set| format!("&set={set}")).collect();
    let answer =
        client().post(url).body(format!("{query}&account={account}{sets}")).send().await.expect("a page");
    match answer.headers().get("location") {
        Some(location) => Ok(location.to_str().expect("text").to_owned()),
        None => Err(answer.text().await.expect("a whole page")),
    }
}

pub(crate) const PC: &str = "/cgi-bin/componentloginpage";
const MOBILE: &str = "/wxaopen/safe/bindcomponent";

#[tokio::test]
async fn whoever_agrees_is_sent_back_with_a_code_for_what_was_granted() {
    let sandbox = Sandbox::start().await;
    let appid = sandbox.wechat.add_account(Account::official_account("Tea & <Milk>"));
    let url = link(&sandbox, PC, ("", ""));
    assert!(page(&url, LAUNCH_PAGE).await.contains("Tea &#38; &#60;Milk&#62;"));
    let location = agree(&url, &appid, &["1", "2", "17"]).await.expect("a redirect");
    let (before, code) = location.split_once("&auth_code=").expect("a code");
    assert_eq!(before, REDIRECT_URI);
    let code = code.strip_suffix("&expires_in=3600").expect("a life").replace("%40", "@");
    let token = sandbox.wechat.mint_component_token();
    let answer = crate::call::exchange(&sandbox, &token, &code).await;
    let granted = answer["authorization_info"]["func_info"].as_array().expect("permission sets");
    // 17 belongs to Mini Programs.
    let ids: Vec<_> = granted.iter().map(|set| set["funcscope_category"]["id"].as_i64()).collect();
    assert_eq!(ids, [Some(1), Some(2)]);
}

#[tokio::test]
async fn a_pre_auth_code_completes_one_authorization() {
    let sandbox = Sandbox::start().await;
    let appid = sandbox.wechat.add_account(Account::official_account("Tea"));
    let url = link(&sandbox, PC, ("", ""));
    agree(&url, &appid, &["1"]).await.expect("a redirect");
    assert!(page(&url, LAUNCH_PAGE).await.contains("预授权码无效或已过期"));
    assert!(agree(&url, &appid, &["1"]).await.expect_err("a page").contains("预授权码无效或已过期"));
}

#[tokio::test]
async fn a_pre_auth_code_lives_for_half_an_hour() {
    let sandbox = Sandbox::start().await;
    let url = link(&sandbox, MOBILE, ("", ""));
    assert!(page(&url, "").await.contains("授权 Agree"));
    sandbox.clock.advance(1800);
    assert!(page(&url, "").await.contains("预授权码无效或已过期"));
}

#[tokio::test]
async fn the_pc_page_insists_on_a_visitor_from_the_launch_page_and_the_mobile_page_does_not() {
    let sandbox = Sandbox::start().await;
    for (path, referer, refused) in [
        (PC, LAUNCH_PAGE, false),
        (PC, "https://elsewhere.example.com/", true),
        (PC, "", true),
        (MOBILE, "", false),
    ] {
        let page = page(&link(&sandbox, path, ("", "")), referer).await;
        assert_eq!(page.contains("请确认授权入口页所在域名"), refused, "{path} from {referer:?}");
    }
    sandbox.wechat.set_launch_host("platform.example.com", false);
    assert!(page(&link(&sandbox, PC, ("", "")), "").await.contains("授权 Agree"));
}

#[tokio::test]
async fn a_link_that_is_not_right_is_refused_with_the_reason() {
    let sandbox = Sandbox::start().await;
    for (changed, reason) in [
        (("component_appid", "wx0000000000000000"), "component_appid"),
        (("pre_auth_code", "preauthcode@@@made-up"), "预授权码无效或已过期"),
        (("redirect_uri", "callback"), "参数错误：redirect_uri"),
        (("redirect_uri", "https://elsewhere.example.com/callback"), "redirect_uri的域名不是授权登录页域名"),
    ] {
        for path in [PC, MOBILE] {
            let page = page(&link(&sandbox, path, changed), LAUNCH_PAGE).await;
            assert!(page.contains(reason), "{changed:?}");
        }
    }
}

#[tokio::test]
async fn the_link_limits_which_accounts_may_authorize() {
    let sandbox = Sandbox::start().await;
    for (i, kind) in Kind::ALL.into_iter().enumerate() {
        sandbox.wechat.add_account(Account::new(kind, &format!("account {i}")));
    }
    for (auth_type, admitted) in [
        ("1", &[0][..]),
        ("2", &[1]),
        ("3", &[0, 1]),
        ("4", &[]),
        ("5", &[2]),
        ("6", &[0, 1, 2, 3, 4, 5]),
        ("8", &[4]),
    ] {
        let page = page(&link(&sandbox, PC, ("auth_type", auth_type)), LAUNCH_PAGE).await;
        for i in 0..Kind::ALL.len() {
            assert_eq!(page.contains(&format!("account {i}")), admitted.contains(&i), "{auth_type} {i}");
        }
    }
}

#[tokio::test]
async fn the_permission_sets_have_the_products_names() {
    let sandbox = Sandbox::start().await;
    for kind in Kind::ALL {
        sandbox.wechat.add_account(Account::new(kind, "Tea"));
    }
    let page = page(&link(&sandbox, PC, ("auth_type", "6")), LAUNCH_PAGE).await;
    for name in
        ["获取小程序码", "小程序认证名称检测", "视频号商品橱窗管理", "带货助手订单管理", "新权限集 192"]
    {
        assert!(page.contains(&format!("{name} <small>")), "{name}");
    }
}

#[tokio::test]
async fn an_account_with_its_own_permission_sets_is_offered_those() {
    let sandbox = Sandbox::start().await;
    let own = Account { permission_set_ids: vec![1, 999], ..Account::official_account("Tea") };
    let appid = sandbox.wechat.add_account(own);
    let url = link(&sandbox, PC, ("", ""));
    let page = page(&url, LAUNCH_PAGE).await;
    assert!(page.contains(&format!("name=\"set-{appid}\" value=\"999\"")) && page.contains("新权限集 999"));
    // A box of the other accounts is none of this account's.
    agree(&url, &appid, &["1"]).await.expect("a redirect");
    assert_eq!(sandbox.wechat.permission_set_ids(&appid), [0; 0]);
    let url = link(&sandbox, PC, ("", ""));
    let form =
        format!("{}&account={appid}&set-{appid}=999&set-{appid}=2", url.split_once('?').expect("a query").1);
    let answer = client().post(&url).body(form).send().await.expect("a page");
    assert_eq!(answer.status(), 302);
    assert_eq!(sandbox.wechat.permission_set_ids(&appid), [999]);
}

#[tokio::test]
async fn what_was_seen_and_agreed_to_is_remembered_in_its_order() {
    let sandbox = Sandbox::start().await;
    let appid = sandbox.wechat.add_account(Account::official_account("Tea"));
    let url = link(&sandbox, PC, ("", ""));
    page(&url, "https://elsewhere.example.com/").await;
    page(&url, LAUNCH_PAGE).await;
    let location = agree(&url, &appid, &["1"]).await.expect("a redirect");
    let [opened, agreed] = &sandbox.wechat.consents()[..] else { panic!("two visits") };
    assert!(
        opened.agreement.is_none() && opened.pre_auth_code == agreed.pre_auth_code && opened.at <= agreed.at
    );
    let agreement = agreed.agreement.as_ref().expect("a consent");
    assert_eq!((&agreement.authorizer_appid, &agreement.location), (&appid, &location));
    assert!(location.contains(&agreement.codes[0].replace('@', "%40")));
}

#[tokio::test]
async fn an_account_without_a_profile_authorizes_and_nothing_is_told_of_it() {
    let sandbox = Sandbox::start().await;
    let account = Account { has_profile: false, ..Account::official_account("Tea") };
    let appid = sandbox.wechat.add_account(account);
    let code = sandbox.wechat.authorize(&appid, &[1]);
    let answer = sandbox.callback().get(&sandbox::gateway::redirect(&code)).await;
    assert_eq!(answer.status, 303);
    let record = sandbox.dynamodb.authorizer(&appid).await.expect("a record");
    assert_eq!((&record["status"], &record["profile"]), (&"authorized".into(), &serde_json::Value::Null));
}
