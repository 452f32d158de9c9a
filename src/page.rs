//! The pages that a merchant sees: values in, HTML out, in Chinese or English.
//!
//! All pages are one template with one stylesheet inside, so that they look alike, load nothing and fit
//! one Content-Security-Policy. Foreign text, such as an account's name, is escaped by the template
//! library and isolated from the direction of the text around it.

mod language;
mod text;

use std::sync::LazyLock;

use askama::Template;
use aws_lc_rs::digest;
use aws_smithy_types::base64;

pub(crate) use self::language::Language;
use self::text::{Mark, Notice, Text};
use crate::wechat::{PermissionSet, permission_name};

/// What a page tells the visitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// The way to WeChat's consent page.
    Launch(Launch),
    /// The grant is stored.
    Complete(Complete),
    /// The grant is stored, and the visitor is not the one to see whose it is.
    CompleteForOthers {
        /// Where the button back to the platform leads.
        return_url: Option<String>,
    },
    /// The grant is being completed without the visitor.
    Completing {
        /// After how many seconds the page reloads itself, if it does.
        reload_after: Option<u32>,
    },
    /// The address cannot be one that WeChat redirected to, or its parameters are malformed.
    InvalidLink,
    /// The launch that the visitor comes from is unknown or too old. No link of ours mends that: only the
    /// platform's own page can start a launch that will be known.
    StartAgain,
    /// The authorization code is expired or used, and nothing was stored for it.
    Expired,
    /// Nothing tells how the authorization ended: the answer was lost and nobody named the account, or its record is
    /// missing. What there is to store is stored, or will be.
    Unmatched,
    /// The account does not authorize the platform, or no longer does.
    Revoked,
    /// A fault that passes. What the visitor did stays valid.
    Unavailable,
    /// WeChat has not sent the platform's first ticket yet. What the visitor did stays valid.
    NotReady,
}

/// A grant, as the confirmation shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Complete {
    /// The account that authorized the platform.
    pub authorizer_appid: String,
    /// The account's name, where it is known.
    pub nick_name: Option<String>,
    /// The permission sets granted, in the order shown. Those that neither we nor WeChat name appear as numbers.
    pub permission_sets: Vec<PermissionSet>,
    /// Whether WeChat gave tokens. It gives none to an account without any API permission, and then the
    /// page asks for another authorization.
    pub has_tokens: bool,
    /// Where the button back to the platform leads.
    pub return_url: Option<String>,
}

/// The two forms of WeChat's consent page for one `pre_auth_code`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Launch {
    /// `componentloginpage`, which shows a QR code to scan.
    pub pc_url: String,
    /// `bindcomponent`, which works inside WeChat only.
    pub mobile_url: String,
    /// Whether the visitor is on a phone, so that `mobile_url` is the one to offer first.
    pub prefer_mobile: bool,
}

/// What every page needs besides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    /// The language of the page.
    pub language: Language,
    /// What the visitor quotes to the platform's support, and the operator finds in the logs.
    pub support_id: &'a str,
    /// The launch page, offered where authorizing again helps.
    pub launch_url: Option<&'a str>,
}

impl Page {
    /// The whole HTML document.
    pub(crate) fn render(&self, frame: &Frame<'_>) -> String {
        let template = PageTemplate {
            frame,
            notice: self.notice(),
            account: self.account(frame.language),
            links: self.links(frame),
            reload_after: match self {
                Self::Completing { reload_after } => *reload_after,
                _ => None,
            },
            stylesheet: STYLESHEET,
        };
        template.render().expect("writing to a string does not fail")
    }

    fn notice(&self) -> &'static Notice {
        match self {
            Self::Launch(Launch { prefer_mobile: true, .. }) => &text::LAUNCH_ON_PHONE,
            Self::Launch(_) => &text::LAUNCH_ON_DESKTOP,
            Self::Complete(Complete { has_tokens: true, .. }) => &text::COMPLETE,
            Self::Complete(_) => &text::COMPLETE_WITHOUT_TOKENS,
            Self::CompleteForOthers { .. } => &text::COMPLETE,
            Self::Completing { reload_after: Some(_) } => &text::COMPLETING,
            Self::Completing { reload_after: None } => &text::STILL_COMPLETING,
            Self::InvalidLink => &text::INVALID_LINK,
            Self::StartAgain => &text::START_AGAIN,
            Self::Expired => &text::EXPIRED,
            Self::Unmatched => &text::UNMATCHED,
            Self::Revoked => &text::REVOKED,
            Self::Unavailable => &text::UNAVAILABLE,
            Self::NotReady => &text::NOT_READY,
        }
    }

    fn account(&self, language: Language) -> Option<Account<'_>> {
        let Self::Complete(complete) = self else { return None };
        let permission = |set: &PermissionSet| match (permission_name(set.id), language) {
            (Some(name), Language::Chinese) => name.chinese.to_owned(),
            (Some(name), Language::English) => name.english.to_owned(),
            (None, _) => {
                let own = set.name.as_deref().and_then(printable);
                own.unwrap_or_else(|| format!("{} {}", text::UNKNOWN_PERMISSION.to(language), set.id))
            }
        };
        Some(Account {
            name: complete.nick_name.as_deref().and_then(printable),
            appid: &complete.authorizer_appid,
            permissions: complete.permission_sets.iter().map(permission).collect(),
        })
    }

    /// The buttons, the most helpful first.
    fn links<'a>(&'a self, frame: &Frame<'a>) -> Vec<Link<'a>> {
        let again = frame.launch_url.map(|href| Link::new(text::AUTHORIZE_AGAIN, href));
        match self {
            Self::Launch(Launch { pc_url, mobile_url, prefer_mobile: true }) => vec![
                Link::to_wechat(text::CONTINUE_TO_WECHAT, mobile_url),
                Link::to_wechat(text::USE_DESKTOP, pc_url),
            ],
            Self::Launch(Launch { pc_url, mobile_url, prefer_mobile: false }) => vec![
                Link::to_wechat(text::CONTINUE_TO_WECHAT, pc_url),
                Link::to_wechat(text::USE_PHONE, mobile_url),
            ],
            Self::Complete(complete) => {
                let back = complete.return_url.as_deref().map(|href| Link::new(text::BACK, href));
                again.filter(|_| !complete.has_tokens).into_iter().chain(back).collect()
            }
            Self::CompleteForOthers { return_url } => {
                return_url.as_deref().map(|href| Link::new(text::BACK, href)).into_iter().collect()
            }
            Self::InvalidLink | Self::Expired | Self::Unmatched | Self::Revoked => {
                again.into_iter().collect()
            }
            // The empty reference is the page itself, query included.
            Self::Unavailable | Self::NotReady | Self::Completing { reload_after: None } => {
                vec![Link::new(text::RELOAD, "")]
            }
            Self::Completing { .. } | Self::StartAgain => Vec::new(),
        }
    }
}

/// The `Content-Security-Policy` that every page is rendered for: its own stylesheet, by hash, and
/// nothing else.
pub(crate) fn content_security_policy() -> &'static str {
    static POLICY: LazyLock<String> = LazyLock::new(|| {
        let hash = base64::encode(digest::digest(&digest::SHA256, STYLESHEET.as_bytes()));
        format!(
            "default-src 'none'; style-src 'sha256-{hash}'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
    });
    &POLICY
}

const STYLESHEET: &str = include_str!("../templates/style.css");

#[derive(Template)]
#[template(path = "page.html")]
struct PageTemplate<'a> {
    frame: &'a Frame<'a>,
    notice: &'a Notice,
    account: Option<Account<'a>>,
    links: Vec<Link<'a>>,
    reload_after: Option<u32>,
    stylesheet: &'static str,
}

impl PageTemplate<'_> {
    fn say(&self, text: &Text) -> &'static str {
        text.to(self.frame.language)
    }
}

struct Account<'a> {
    name: Option<String>,
    appid: &'a str,
    permissions: Vec<String>,
}

struct Link<'a> {
    label: Text,
    href: &'a str,
    /// WeChat compares the origin of the page that its consent page is opened from with the platform's
    /// registered domain, and needs the Referer for that. No other site needs to know where we are.
    sends_origin: bool,
}

impl<'a> Link<'a> {
    fn new(label: Text, href: &'a str) -> Self {
        Self { label, href, sends_origin: false }
    }

    fn to_wechat(label: Text, href: &'a str) -> Self {
        Self { label, href, sends_origin: true }
    }
}

/// `name` on one line, without what cannot be printed or turns the text around, and no longer than a
/// name can be.
fn printable(name: &str) -> Option<String> {
    const MAX_CHARS: usize = 80;
    let turns = |c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let spaced: String =
        name.chars().filter(|&c| !turns(c)).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
    let name = match line.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    };
    Some(name).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests;
