use super::Language::{Chinese, English, Traditional};

use super::account::printable;
use super::gallery::{
    LAUNCH_URL, MOBILE_URL, OUTCOME, PC_URL, REFERENCE, RETURN_URL, complete, every_page, launch_url,
    launches, sets,
};
use super::*;

use super::gallery::LANGUAGES;
fn face() -> Face {
    Face {
        name: Some("一号店管家".into()),
        logo: Some("https://cdn.example.com/logo.png".parse().expect("a URL")),
        support_contact: Some("400-123-4567".into()),
    }
}

fn render_with(page: &Page, language: Language, face: &Face, going_on: Option<&GoingOn>) -> String {
    let (visitor, reference) = (Visitor::WeChat, REFERENCE);
    page.render(&Frame { language, visitor, face, reference, launch_url: Some(LAUNCH_URL), going_on })
}

fn render(page: &Page, language: Language) -> String {
    render_with(page, language, &face(), None)
}

#[track_caller]
fn check_every_page(what: &str, holds: impl Fn(&Page, Language, &str) -> bool) {
    for (_, page, going_on) in every_page() {
        for language in LANGUAGES {
            let html = render_with(&page, language, &face(), going_on.as_ref());
            assert!(holds(&page, language, &html), "{what}: {page:?} in {language:?}:\n{html}");
        }
    }
}

/// What stands between `start` and `end`, each time that it does.
fn between<'a>(html: &'a str, start: &str, end: &str) -> Vec<&'a str> {
    html.split(start).skip(1).map(|rest| rest.split(end).next().unwrap_or_default()).collect()
}

/// The addresses of the buttons in order, as the browser reads them.
fn links(html: &str) -> Vec<String> {
    between(html, "href=\"", "\"").into_iter().map(|href| href.replace("&#38;", "&")).collect()
}

#[test]
fn every_page_is_a_document_that_a_phone_and_a_screen_reader_can_read() {
    check_every_page("lang", |_, language, html| {
        html.starts_with(&format!("<!DOCTYPE html>\n<html lang=\"{}\">", language.tag()))
    });
    check_every_page("viewport", |_, _, html| {
        html.contains("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1")
    });
    check_every_page("one heading, also the title", |_, _, html| {
        let heading = between(html, "<h1 tabindex=\"-1\">", "</h1>");
        heading.len() == 1
            && !heading[0].is_empty()
            && between(html, "<title>", "</title>") == [format!("{} - 一号店管家", heading[0])]
    });
    check_every_page("dark scheme", |_, _, html| {
        html.contains("<meta name=\"color-scheme\" content=\"light dark\">")
            && html.contains("@media (prefers-color-scheme: dark)")
    });
    check_every_page("not for search engines", |_, _, html| {
        html.contains("<meta name=\"robots\" content=\"noindex\">")
    });
}

#[test]
fn every_page_has_its_reference() {
    check_every_page("reference", |_, language, html| {
        let label = match language {
            Chinese => "编号",
            Traditional => "編號",
            English => "Reference",
        };
        html.contains(&format!("{label} <code>{REFERENCE}</code>"))
    });
}

#[test]
fn every_page_shows_the_platforms_face() {
    check_every_page("name in title, head, lead, foot and preview", |_, _, html| {
        let [before, after] = html.split("<main>").collect::<Vec<_>>()[..] else { return false };
        let (main, foot) = after.split_once("<footer>").expect("a footer");
        let lead = main.split_once("class=\"lead\"").and_then(|(_, rest)| rest.split_once("</p>"));
        let lead = lead.map(|(lead, _)| lead.replace("<span>", "").replace("</span>", ""));
        let description = between(before, "property=\"og:description\" content=\"", "\"");
        before.contains("<p class=\"platform\">一号店管家</p>")
            && before.contains("property=\"og:site_name\" content=\"一号店管家\"")
            && before.contains("property=\"og:image\" content=\"https://cdn.example.com/logo.png\"")
            && lead.is_some_and(|lead| lead.contains("一号店管家") && lead.contains(description[0]))
            && foot.contains("<p class=\"platform\">一号店管家</p>")
            && foot.contains("<bdi>400-123-4567</bdi>")
    });
    for (_, page, _) in every_page() {
        for language in LANGUAGES {
            let html = render_with(&page, language, &Face::default(), None);
            assert!(!html.contains(['{', '}']) || !html.contains("latform}"), "{html}");
            assert!(!html.contains("class=\"logo\"") && !html.contains("og:image"), "{html}");
        }
    }
    let html = render_with(&Page::Complete(complete()), English, &Face::default(), None);
    assert!(html.contains("The platform can now work") && html.contains("Back to the platform"), "{html}");
    let face = Face { support_contact: Some("https://help.example.com/wechat".into()), ..face() };
    let html = render_with(&Page::Expired, English, &face, None);
    assert!(html.contains("<a href=\"https://help.example.com/wechat\">"), "{html}");
}

#[test]
fn every_page_stays_within_the_policy() {
    let handles = |tag: &str| {
        let names =
            tag.split(" on").skip(1).map(|rest| rest.split(['=', ' ', '"']).next().unwrap_or_default());
        names.into_iter().any(|name| !name.is_empty() && tag.contains(&format!(" on{name}=")))
    };
    check_every_page("no script, form or style attribute", |_, _, html| {
        !["<script", "javascript:", "<form", "<base", " style="]
            .iter()
            .any(|forbidden| html.contains(forbidden))
            && !between(html, "<", ">").into_iter().any(handles)
    });
    check_every_page("two pictures and nothing else loaded", |_, _, html| {
        let pictures = ["https://cdn.example.com/logo.png", "https://wx.qlogo.cn/mmopen/abc/0"];
        between(html, "src=\"", "\"").iter().all(|source| pictures.contains(source))
            && !["srcset=", "<link", "<iframe", "<object", "@import", "url("]
                .iter()
                .any(|loads| html.contains(loads))
    });
}

#[test]
fn the_policy_names_the_hash_of_the_stylesheet_that_pages_carry() {
    check_every_page("hash", |_, _, html| {
        let [stylesheet] = between(html, "<style>", "</style>")[..] else { return false };
        let hash = base64::encode(digest::digest(&digest::SHA256, stylesheet.as_bytes()));
        content_security_policy()
            == format!(
                "default-src 'none'; style-src 'sha256-{hash}'; \
                 base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            )
    });
}

#[test]
fn the_policy_names_the_hosts_of_the_pictures_that_the_page_has() {
    #[track_caller]
    fn check(page: &Page, face: &Face, expected: &str) {
        let policy = page.policy(face);
        assert_eq!(policy.strip_prefix(content_security_policy()), Some(expected), "{policy}");
    }

    let account = Page::Complete(complete());
    check(&Page::Expired, &Face::default(), "");
    check(&Page::Expired, &face(), "; img-src https://cdn.example.com");
    check(&account, &Face::default(), "; img-src https://wx.qlogo.cn");
    check(&account, &face(), "; img-src https://cdn.example.com https://wx.qlogo.cn");
}

#[test]
fn an_accounts_picture_comes_from_wechats_host_over_tls_or_not_at_all() {
    #[track_caller]
    fn check(head_img: &str, expected: Option<&str>) {
        let page = Page::Complete(Complete { head_img: Some(head_img.into()), ..complete() });
        assert_eq!(page.picture().as_deref(), expected, "{head_img}");
        assert_eq!(render(&page, Chinese).contains("class=\"picture\""), expected.is_some());
    }

    check("http://wx.qlogo.cn/mmopen/abc/0", Some("https://wx.qlogo.cn/mmopen/abc/0"));
    check("https://wx.qlogo.cn/mmopen/abc/0", Some("https://wx.qlogo.cn/mmopen/abc/0"));
    for other in [
        "https://wx.qlogo.cn.example.com/a",
        "https://user@wx.qlogo.cn/a",
        "https://wx.qlogo.cn:8443/a",
        "ftp://wx.qlogo.cn/a",
        "//wx.qlogo.cn/a",
        "javascript:alert(1)",
        "",
    ] {
        check(other, None);
    }
}

#[test]
fn each_language_is_free_of_the_others() {
    let is_chinese = |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c);
    // Taiwan's character set has no character that is Simplified only.
    let is_simplified = |c: char| is_chinese(c) && encoding_rs::BIG5.encode(&c.to_string()).2;
    for (name, mut page, going_on) in every_page() {
        if let Page::Complete(complete) = &mut page {
            complete.nick_name = None;
        }
        let render = |language| render_with(&page, language, &Face::default(), going_on.as_ref());
        assert!(!render(English).contains(is_chinese), "{name}");
        let traditional = render(Traditional);
        let missing: String = traditional.chars().filter(|&c| is_simplified(c)).collect();
        assert_eq!(missing, "", "{name}: their traditional forms are missing in src/page/traditional.rs");
        assert!(traditional.contains('權'), "{name}");
        let chinese = render(Chinese);
        assert!(chinese.contains('权'), "{name}");
        // How the permission sets are called is not said here.
        let (own, _) = chinese.split_once("<details").unwrap_or((&chinese, ""));
        assert!(!own.contains("帐号"), "{name}");
    }
    for id in 1..200 {
        let Some(name) = crate::wechat::permission_name(id).map(|name| name.chinese) else { continue };
        let missing: String = traditional::of(name).chars().filter(|&c| is_simplified(c)).collect();
        assert_eq!(missing, "", "{name}: their traditional forms are missing in src/page/traditional.rs");
    }
}

#[test]
fn what_a_page_does_by_itself_is_announced_and_can_be_stopped() {
    let pages = every_page();
    let of = |wanted: &str, language| {
        let (_, page, going_on) = pages.iter().find(|(name, ..)| *name == wanted).expect("a page");
        render_with(page, language, &face(), going_on.as_ref())
    };
    let stop = format!("<a href=\"{}&#38;stay=1\">", OUTCOME.replace('&', "&#38;"));
    for (name, chinese, english) in [
        ("complete", "5 秒后自动返回一号店管家。", "You go back to 一号店管家 in 5 seconds."),
        ("completing", "本页会自动更新。", "This page updates itself."),
        ("unavailable", "本页将在 1 分钟后自动刷新。", "This page reloads itself in 1 min."),
    ] {
        for (language, said) in [(Chinese, chinese), (English, english)] {
            let html = of(name, language);
            assert!(html.contains(said) && html.contains(&stop), "{name}: {html}");
        }
    }
    assert!(of("not-ready", English).contains("in 10 min.") && !of("not-ready", English).contains("&stay=1"));
    assert!(!of("complete-stays", Chinese).contains("自动"));
    check_every_page("an element that reloads", |_, _, html| !html.contains("http-equiv"));
}

#[test]
fn a_grant_that_is_being_completed_is_announced_to_a_screen_reader_once() {
    check_every_page("status", |page, _, html| {
        html.contains("role=\"status\"") == matches!(page, Page::Completing { waited: Waited::NotYet, .. })
    });
}

#[test]
fn a_confirmation_that_leads_nowhere_says_how_to_leave_it() {
    let page = Page::CompleteForOthers { return_url: None };
    let face = Face::default();
    let said = |visitor| {
        let (reference, launch_url) = (REFERENCE, None);
        page.render(&Frame { language: Chinese, visitor, face: &face, reference, launch_url, going_on: None })
    };
    assert!(
        said(Visitor::WeChat)
            .contains("<span>点击左上角的「×」关闭本页，</span><span>即可回到微信聊天。</span>")
    );
    assert!(said(Visitor::Desktop).contains("您可以关闭本页了。"));
}

#[test]
fn the_next_step_comes_before_all_else_and_many_permission_sets_are_folded() {
    for (count, folded) in [(1, false), (8, false), (9, true), (30, true)] {
        let html = render(
            &Page::Complete(Complete {
                permission_sets: sets(&(1..=count).collect::<Vec<_>>()),
                ..complete()
            }),
            Chinese,
        );
        assert_eq!(html.contains("<details>"), folded, "{count}");
        assert!(html.contains(&format!("<span class=\"count\">{count}</span>")), "{html}");
        let place = |what: &str| html.find(what).expect("it is there");
        assert!(place("class=\"lead\"") < place("class=\"links\""));
        assert!(place("class=\"links\"") < place("class=\"account\""));
    }
}

#[test]
fn the_confirmation_names_the_account_and_what_it_granted() {
    let html = render(&Page::Complete(complete()), English);
    assert!(html.contains("<bdi>一号咖啡</bdi>"), "{html}");
    assert!(html.contains("<code>wxf8b4f85f3a794e77</code>"), "{html}");
    assert!(html.contains("<li>Message management</li>"), "{html}");
    assert!(html.contains("<li>Mini Program development and data analysis</li>"), "{html}");
    assert_eq!(links(&html), [RETURN_URL]);
    assert!(html.contains("src=\"https://wx.qlogo.cn/mmopen/abc/0\" alt=\"\""), "{html}");

    let html = render(&Page::Complete(complete()), Chinese);
    assert!(html.contains("<li>消息管理</li>"), "{html}");
}

#[test]
fn an_unknown_permission_set_is_shown_as_a_number() {
    assert!(render(&Page::Complete(complete()), Chinese).contains("<li>权限集 172</li>"));
    assert!(render(&Page::Complete(complete()), English).contains("<li>Permission set 172</li>"));
}

#[test]
fn wechats_own_name_is_shown_of_a_set_that_has_none_here() {
    let named =
        |id, name: &str| PermissionSet { id, name: Some(name.to_owned()), ..PermissionSet::default() };
    let permission_sets = vec![named(1, "old name"), named(192, "供货 <管理>"), named(193, "\u{202e}\n")];
    let html = render(&Page::Complete(Complete { permission_sets, ..complete() }), Chinese);
    assert!(html.contains("<li>消息管理</li>") && !html.contains("old name"), "{html}");
    assert!(html.contains("<li>供货 &#60;管理&#62;</li>"), "{html}");
    assert!(html.contains("<li>权限集 193</li>"), "{html}");
}

#[test]
fn a_grant_without_tokens_asks_for_another_authorization() {
    let page = Page::Complete(Complete { has_tokens: false, ..complete() });
    let html = render(&page, English);
    assert!(html.contains("authorize again"), "{html}");
    assert_eq!(links(&html), [LAUNCH_URL, RETURN_URL]);
}

#[test]
fn foreign_text_is_escaped() {
    const ATTACK: &str = "\"'><script>alert(1)</script><b onclick=x>&";
    let html = Page::Complete(Complete {
        authorizer_appid: ATTACK.into(),
        nick_name: Some(ATTACK.into()),
        head_img: Some(format!("https://wx.qlogo.cn/{ATTACK}")),
        return_url: Some(ATTACK.into()),
        ..complete()
    })
    .render(&Frame {
        language: Chinese,
        visitor: Visitor::Desktop,
        face: &Face { name: Some(ATTACK.into()), support_contact: Some(ATTACK.into()), logo: None },
        reference: ATTACK,
        launch_url: Some(ATTACK),
        going_on: Some(&GoingOn { after: 5, to: None, stop: Some(ATTACK.into()) }),
    });

    assert!(!html.contains("<script") && !html.contains("<b ") && !html.contains("\"'>"), "{html}");
    assert!(html.matches("&#60;script&#62;").count() >= 9, "{html}");
}

#[test]
fn a_name_is_one_printable_line() {
    #[track_caller]
    fn check(name: &str, expected: Option<&str>) {
        assert_eq!(printable(name).as_deref(), expected, "{name:?}");
    }

    check("一号咖啡 ☕️", Some("一号咖啡 ☕️"));
    check("👩‍👩‍👧 مقهى", Some("👩‍👩‍👧 مقهى"));
    check(" a\u{0}b\r\n\tc\u{85}d\u{7f} ", Some("a b c d"));
    check("\u{202e}moc\u{202c}.\u{2067}", Some("moc."));
    check(&"店".repeat(80), Some(&"店".repeat(80)));
    check(&"店".repeat(81), Some(&format!("{}…", "店".repeat(80))));
    check("", None);
    check(" \u{1}\n\u{3000}", None);
}

#[test]
fn each_visitor_has_a_launch_page_that_leads_to_wechat() {
    let own = launch_url().to_string();
    let expected = [vec![PC_URL], vec![MOBILE_URL], vec![&*own], vec![PC_URL, MOBILE_URL]];
    for ((name, launch), expected) in launches().into_iter().zip(expected) {
        let html = render(&Page::Launch(launch.clone()), Chinese);
        assert_eq!(links(&html), expected, "{name}");
        let to_wechat = expected.iter().filter(|link| link.contains("weixin")).count();
        assert_eq!(html.matches("referrerpolicy=\"origin\"").count(), to_wechat, "{name}");
        assert_eq!(html.contains("<figure>"), name == "launch-desktop", "a code to scan: {name}");
        assert_eq!(html.contains("class=\"button"), name != "launch-on-phone", "a button: {name}");
        assert_eq!(html.contains("请在微信中打开"), name == "launch-on-phone", "{name}");
    }
    check_every_page("no other page sends a Referer", |page, _, html| {
        matches!(page, Page::Launch(_)) || !html.contains("referrerpolicy=\"origin\"")
    });
}

#[test]
fn the_launch_page_names_what_is_authorized() {
    for (auth_type, heading) in [
        (Some("1"), "授权公众号"),
        (Some("2"), "授权小程序"),
        (Some("3"), "授权公众号或小程序"),
        (Some("4"), "授权小程序推客账号"),
        (Some("5"), "授权视频号"),
        (Some("6"), "授权账号"),
        (Some("8"), "授权带货助手账号"),
        (None, "授权账号"),
    ] {
        let launch = Launch { auth_type: auth_type.map(str::to_owned), ..launches()[1].1.clone() };
        let html = render(&Page::Launch(launch), Chinese);
        assert!(html.contains(&format!(">{heading}</h1>")), "{auth_type:?}: {html}");
    }
}

#[test]
fn a_failure_offers_the_next_step() {
    #[track_caller]
    fn check(page: Page, expected: &[&str]) {
        assert_eq!(links(&render(&page, Chinese)), expected, "{page:?}");
    }

    check(Page::InvalidLink, &[LAUNCH_URL]);
    check(Page::Expired, &[LAUNCH_URL]);
    check(Page::Revoked, &[LAUNCH_URL]);
    // A launch that starts here would be refused again.
    check(Page::StartAgain { return_url: None }, &[]);
    check(Page::StartAgain { return_url: Some(RETURN_URL.into()) }, &[RETURN_URL]);
    check(Page::Unmatched { return_url: Some(RETURN_URL.into()) }, &[RETURN_URL, LAUNCH_URL]);
    // The empty address is the page itself, with the code in it.
    check(Page::Unavailable, &[""]);
    check(Page::NotReady, &[""]);
    check(Page::Completing { address: OUTCOME.into(), waited: Waited::NotYet }, &[OUTCOME]);
}

#[test]
fn without_a_launch_page_no_button_offers_one() {
    let (face, language, visitor) = (Face::default(), English, Visitor::Desktop);
    let frame =
        Frame { language, visitor, face: &face, reference: REFERENCE, launch_url: None, going_on: None };
    for page in [Page::InvalidLink, Page::Expired, Page::Revoked] {
        assert_eq!(links(&page.render(&frame)), [""; 0], "{page:?}");
    }
}

/// For `e2e/browser`, which opens each of them in a browser.
#[test]
fn every_page_is_small_and_is_written_to_be_looked_at() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/target/pages");
    // Without what another version has written.
    std::fs::remove_dir_all(folder).ok();
    std::fs::create_dir_all(folder).expect("a folder");
    for Picture { name, language, html } in gallery(&face()) {
        assert!(html.len() < 20_000, "{name}: {} bytes", html.len());
        std::fs::write(format!("{folder}/{name}.{language}.html"), html).expect("it is written");
    }
}
