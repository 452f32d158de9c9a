//! Every page as somebody may see it, to be looked at: by the tests, and in the sandbox.

use reqwest::Url;

use super::{Complete, Frame, GoingOn, Language, Launch, Page, Visitor, Waited, Way};
use crate::config::Face;
use crate::wechat::PermissionSet;

/// The languages that pages are in.
pub(super) const LANGUAGES: [Language; 3] = [Language::Chinese, Language::Traditional, Language::English];

/// One page in one language.
#[derive(Clone, Debug)]
pub struct Picture {
    /// What the page says, as `complete`.
    pub name: &'static str,
    /// The BCP 47 tag of its language.
    pub language: &'static str,
    /// The whole document.
    pub html: String,
}

/// All pages of a platform in all languages. The account, the addresses and the reference on them are made up.
pub fn gallery(face: &Face) -> Vec<Picture> {
    let mut pictures = Vec::new();
    for (name, page, going_on) in every_page() {
        for language in LANGUAGES {
            let html = page.render(&Frame {
                language,
                visitor: Visitor::WeChat,
                face,
                reference: REFERENCE,
                launch_url: Some(LAUNCH_URL),
                going_on: going_on.as_ref(),
            });
            pictures.push(Picture { name, language: language.tag(), html });
        }
    }
    pictures
}

pub(super) const REFERENCE: &str = "8f5c0d9e";
pub(super) const LAUNCH_URL: &str = "https://auth.example.com/authorize";
pub(super) const RETURN_URL: &str =
    "https://app.example.com/done?launch=6b1f0c3e8d2a4f5796e0b1c2d3a4f586&tenant=4711";
pub(super) const OUTCOME: &str = "callback?launch=6b1f0c3e8d2a4f5796e0b1c2d3a4f586";

pub(super) fn sets(ids: &[i64]) -> Vec<PermissionSet> {
    ids.iter().map(|&id| PermissionSet { id, ..PermissionSet::default() }).collect()
}

pub(super) fn complete() -> Complete {
    Complete {
        authorizer_appid: "wxf8b4f85f3a794e77".into(),
        nick_name: Some("一号咖啡".into()),
        head_img: Some("http://wx.qlogo.cn/mmopen/abc/0".into()),
        permission_sets: sets(&[1, 18, 172]),
        has_tokens: true,
        return_url: Some(RETURN_URL.into()),
    }
}

pub(super) fn launch_url() -> Url {
    format!("{LAUNCH_URL}?launch=6b1f0c3e8d2a4f5796e0b1c2d3a4f586").parse().expect("a URL")
}

pub(super) const PC_URL: &str = "https://mp.weixin.qq.com/cgi-bin/componentloginpage?a=1&b=2";
pub(super) const MOBILE_URL: &str =
    "https://open.weixin.qq.com/wxaopen/safe/bindcomponent?a=1&b=2#wechat_redirect";

/// The launch pages of the four visitors, by name.
pub(super) fn launches() -> [(&'static str, Launch); 4] {
    let of = |way| Launch { auth_type: Some("3".into()), way };
    [
        ("launch-desktop", of(Way::Desktop { pc_url: PC_URL.into(), launch_url: launch_url() })),
        ("launch-in-wechat", of(Way::InWeChat { mobile_url: MOBILE_URL.into() })),
        ("launch-on-phone", of(Way::ThroughWeChat { launch_url: launch_url() })),
        ("launch-anywhere", of(Way::Either { pc_url: PC_URL.into(), mobile_url: MOBILE_URL.into() })),
    ]
}

/// Every page by name, and how it goes on by itself.
pub(super) fn every_page() -> Vec<(&'static str, Page, Option<GoingOn>)> {
    let going_on = |after, to: &str| {
        Some(GoingOn { after, to: Some(to.into()), stop: Some(format!("{OUTCOME}&stay=1")) })
    };
    let completing = |waited| Page::Completing { address: OUTCOME.into(), waited };
    let return_url = || Some(RETURN_URL.to_owned());
    let others = vec![
        ("complete", Page::Complete(complete()), going_on(5, RETURN_URL)),
        ("complete-stays", Page::Complete(Complete { return_url: None, ..complete() }), None),
        (
            "complete-many",
            Page::Complete(Complete { permission_sets: sets(&(1..=30).collect::<Vec<_>>()), ..complete() }),
            going_on(5, RETURN_URL),
        ),
        (
            "complete-without-tokens",
            Page::Complete(Complete { has_tokens: false, permission_sets: Vec::new(), ..complete() }),
            None,
        ),
        (
            "complete-unnamed",
            Page::Complete(Complete {
                nick_name: None,
                head_img: None,
                permission_sets: Vec::new(),
                return_url: None,
                ..complete()
            }),
            None,
        ),
        (
            "complete-for-others",
            Page::CompleteForOthers { return_url: return_url() },
            going_on(5, RETURN_URL),
        ),
        ("completing", completing(Waited::NotYet), going_on(3, OUTCOME)),
        ("completing-for-a-while", completing(Waited::ForAWhile), going_on(20, OUTCOME)),
        ("completing-too-long", completing(Waited::TooLong), None),
        ("invalid-link", Page::InvalidLink, None),
        ("start-again", Page::StartAgain { return_url: return_url() }, None),
        ("start-again-anywhere", Page::StartAgain { return_url: None }, None),
        ("expired", Page::Expired, None),
        ("unmatched", Page::Unmatched { return_url: return_url() }, None),
        ("revoked", Page::Revoked, None),
        ("unavailable", Page::Unavailable, going_on(60, OUTCOME)),
        ("not-ready", Page::NotReady, Some(GoingOn { after: 600, to: None, stop: None })),
    ];
    let launches = launches().map(|(name, launch)| (name, Page::Launch(launch), None));
    launches.into_iter().chain(others).collect()
}
