use super::Language::{Chinese, English};
use super::*;

const LANGUAGES: [Language; 2] = [Chinese, English];
const SUPPORT_ID: &str = "8f5c0d9e-2a4b-4c1d-9b7e-3d2f1a0c6e58";
const LAUNCH_URL: &str = "https://auth.example.com/authorize";
const RETURN_URL: &str = "https://app.example.com/done?authorizer_appid=wxf8b4f85f3a794e77&state=s1";

fn sets(ids: &[i64]) -> Vec<PermissionSet> {
    ids.iter().map(|&id| PermissionSet { id, ..PermissionSet::default() }).collect()
}

fn complete() -> Complete {
    Complete {
        authorizer_appid: "wxf8b4f85f3a794e77".into(),
        nick_name: Some("一号咖啡".into()),
        permission_sets: sets(&[1, 18, 172]),
        has_tokens: true,
        return_url: Some(RETURN_URL.into()),
    }
}

fn launch() -> Launch {
    Launch {
        pc_url: "https://mp.weixin.qq.com/cgi-bin/componentloginpage?a=1&b=2".into(),
        mobile_url: "https://open.weixin.qq.com/wxaopen/safe/bindcomponent?a=1&b=2#wechat_redirect".into(),
        prefer_mobile: false,
    }
}

fn every_page() -> Vec<Page> {
    vec![
        Page::Launch(launch()),
        Page::Launch(Launch { prefer_mobile: true, ..launch() }),
        Page::Complete(complete()),
        Page::Complete(Complete { has_tokens: false, ..complete() }),
        Page::Complete(Complete {
            nick_name: None,
            permission_sets: Vec::new(),
            return_url: None,
            ..complete()
        }),
        Page::CompleteForOthers { return_url: Some(RETURN_URL.into()) },
        Page::Completing { reload_after: Some(3) },
        Page::Completing { reload_after: None },
        Page::InvalidLink,
        Page::StartAgain,
        Page::Expired,
        Page::Unmatched,
        Page::Revoked,
        Page::Unavailable,
        Page::NotReady,
    ]
}

fn render(page: &Page, language: Language) -> String {
    page.render(&Frame { language, support_id: SUPPORT_ID, launch_url: Some(LAUNCH_URL) })
}

#[track_caller]
fn check_every_page(what: &str, holds: impl Fn(&Page, Language, &str) -> bool) {
    for page in every_page() {
        for language in LANGUAGES {
            let html = render(&page, language);
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
        heading.len() == 1 && !heading[0].is_empty() && heading == between(html, "<title>", "</title>")
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
fn every_page_has_the_support_id() {
    check_every_page("support id", |_, language, html| {
        let label = match language {
            Chinese => "支持编号",
            English => "Support ID",
        };
        html.contains(&format!("{label} <code>{SUPPORT_ID}</code>"))
    });
}

#[test]
fn every_page_stays_within_the_policy() {
    check_every_page("no script, form or style attribute", |_, _, html| {
        !["<script", "javascript:", " on", "<form", "<base", " style="]
            .iter()
            .any(|forbidden| between(html, "<", ">").iter().any(|tag| format!("<{tag}").contains(forbidden)))
    });
    check_every_page("nothing loaded", |_, _, html| {
        !["src=", "srcset=", "<link", "<img", "<iframe", "<object", "@import", "url("]
            .iter()
            .any(|loads| html.contains(loads))
    });
    check_every_page("addresses only where a click leads", |_, _, html| {
        html.matches("https://").count() == links(html).iter().filter(|href| !href.is_empty()).count()
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
fn each_language_is_free_of_the_other() {
    let is_chinese = |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c);
    for mut page in every_page() {
        if let Page::Complete(complete) = &mut page {
            complete.nick_name = None;
        }
        assert!(!render(&page, English).contains(is_chinese), "{page:?}");
        for sentence in between(&render(&page, Chinese), "<p class=\"lead\">", "</p>") {
            assert!(sentence.contains(is_chinese), "{page:?}");
        }
    }
}

#[test]
fn only_the_page_of_an_unfinished_grant_reloads_itself() {
    check_every_page("refresh", |page, _, html| {
        html.contains("<meta http-equiv=\"refresh\" content=\"3\">")
            == (*page == Page::Completing { reload_after: Some(3) })
    });
}

#[test]
fn the_confirmation_names_the_account_and_what_it_granted() {
    let html = render(&Page::Complete(complete()), English);
    assert!(html.contains("<bdi>一号咖啡</bdi>"), "{html}");
    assert!(html.contains("<code>wxf8b4f85f3a794e77</code>"), "{html}");
    assert!(html.contains("<li>Message management</li>"), "{html}");
    assert!(html.contains("<li>Mini Program development and data analysis</li>"), "{html}");
    assert_eq!(links(&html), [RETURN_URL]);

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
        return_url: Some(ATTACK.into()),
        ..complete()
    })
    .render(&Frame { language: Chinese, support_id: ATTACK, launch_url: Some(ATTACK) });

    assert!(!html.contains("<script") && !html.contains("<b ") && !html.contains("\"'>"), "{html}");
    assert_eq!(html.matches("&#60;script&#62;").count(), 4, "{html}");
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
fn the_launch_page_leads_to_wechat_with_an_origin_referer() {
    for prefer_mobile in [false, true] {
        let launch = Launch { prefer_mobile, ..launch() };
        let html = render(&Page::Launch(launch.clone()), Chinese);
        let expected = match prefer_mobile {
            false => [&launch.pc_url, &launch.mobile_url],
            true => [&launch.mobile_url, &launch.pc_url],
        };
        assert_eq!(links(&html).iter().collect::<Vec<_>>(), expected);
        assert_eq!(html.matches("referrerpolicy=\"origin\"").count(), 2);
    }
    check_every_page("no other page sends a Referer", |page, _, html| {
        matches!(page, Page::Launch(_)) || !html.contains("referrerpolicy")
    });
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
    check(Page::StartAgain, &[]);
    // The empty address is the page itself, with the code in it.
    check(Page::Unavailable, &[""]);
    check(Page::NotReady, &[""]);
    check(Page::Completing { reload_after: Some(3) }, &[]);
}

#[test]
fn without_a_launch_page_no_button_offers_one() {
    let frame = Frame { language: English, support_id: SUPPORT_ID, launch_url: None };
    for page in [Page::InvalidLink, Page::Expired, Page::Revoked] {
        assert_eq!(links(&page.render(&frame)), [""; 0], "{page:?}");
    }
}
