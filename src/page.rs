//! The pages that a merchant sees: values in, HTML out, in Chinese or English.
//!
//! All pages are one template with one stylesheet inside, so that they look alike, load nothing but two pictures and fit
//! one Content-Security-Policy. Foreign text, such as an account's name, is escaped by the template library and isolated
//! from the direction of the text around it.

mod account;
mod document;
mod frame;
mod gallery;
mod language;
mod launch;
mod qr;
mod text;
mod traditional;
mod visitor;

use std::sync::LazyLock;

use askama::Template;
use aws_lc_rs::digest;
use aws_smithy_types::base64;

use self::account::PICTURES;
use self::document::{Announcement, Link, PageTemplate};
pub(crate) use self::frame::Frame;
pub use self::gallery::{Picture, gallery};
pub(crate) use self::language::Language;
pub(crate) use self::launch::{Launch, Way};
use self::text::{Notice, Text};
pub(crate) use self::visitor::Visitor;
use crate::config::Face;
use crate::wechat::PermissionSet;

/// What a page tells the visitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// The way to WeChat's consent page.
    Launch(Launch),
    /// The grant is stored.
    Complete(Complete),
    /// The grant is stored, and this visitor may not see the account.
    CompleteForOthers {
        /// Where the button back to the platform leads.
        return_url: Option<String>,
    },
    /// The grant is being completed without the visitor.
    Completing {
        /// Where the result can be seen.
        address: String,
        /// How long the visitor has been waiting.
        waited: Waited,
    },
    /// The address cannot be one that WeChat redirected to, or its parameters are malformed.
    InvalidLink,
    /// The launch that the visitor comes from is unknown or too old. No launch page of ours helps: only the platform's own
    /// page can start a launch that will be known.
    StartAgain {
        /// Where the button back to the platform leads.
        return_url: Option<String>,
    },
    /// The authorization code is expired or used, and nothing was stored for it.
    Expired,
    /// Nothing tells how the authorization ended: the answer was lost and nobody named the account, or its record is
    /// missing. What there is to store is stored, or will be.
    Unmatched {
        /// Where the button back to the platform leads.
        return_url: Option<String>,
    },
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
    /// The address of the account's picture, where it is known.
    pub head_img: Option<String>,
    /// The permission sets granted, in the order shown. Those that neither we nor WeChat name appear as numbers.
    pub permission_sets: Vec<PermissionSet>,
    /// Whether WeChat gave tokens. It gives none to an account without any API permission, and then the
    /// page asks for another authorization.
    pub has_tokens: bool,
    /// Where the button back to the platform leads.
    pub return_url: Option<String>,
}

/// How long a visitor has been waiting for a grant that is being completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    /// This is the first that is heard of it; a screen reader says it once.
    NotYet,
    /// The page has reloaded itself.
    ForAWhile,
    /// The page reloads itself no more.
    TooLong,
}

/// Where a page goes on by itself, which it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GoingOn {
    /// After how many seconds.
    pub after: u32,
    /// The next address; the page's if there is none, because that has a code, which no page may show.
    pub to: Option<String>,
    /// The same page where it stays.
    pub stop: Option<String>,
}

impl Page {
    /// The whole HTML document.
    pub(crate) fn render(&self, frame: &Frame<'_>) -> String {
        let template = PageTemplate {
            frame,
            notice: self.notice(),
            name: frame.platform_name(),
            account: self.account(frame.language),
            links: self.links(frame),
            steps: self.steps(),
            copied: self.copied(),
            qr_code: self.qr_code(),
            going_on: frame.going_on.map(|going_on| self.announcement(going_on, frame)),
            close: self.close(frame.visitor),
            is_status: matches!(self, Self::Completing { waited: Waited::NotYet, .. }),
            stylesheet: STYLESHEET,
        };
        template.render().expect("writing to a string does not fail")
    }

    /// The `Content-Security-Policy` of this page: [`content_security_policy`], and the hosts of its pictures.
    pub(crate) fn policy(&self, face: &Face) -> String {
        let logo = face.logo.as_ref().map(|logo| logo.origin().ascii_serialization());
        let picture = self.picture().map(|_| format!("https://{PICTURES}"));
        let hosts: Vec<String> = logo.into_iter().chain(picture).collect();
        match &hosts[..] {
            [] => content_security_policy().to_owned(),
            hosts => format!("{}; img-src {}", content_security_policy(), hosts.join(" ")),
        }
    }

    fn notice(&self) -> Notice {
        match self {
            Self::Launch(launch) => launch.notice(),
            Self::Complete(Complete { has_tokens: false, .. }) => text::COMPLETE_WITHOUT_TOKENS,
            Self::Complete(_) | Self::CompleteForOthers { .. } => text::COMPLETE,
            Self::Completing { waited: Waited::TooLong, .. } => text::STILL_COMPLETING,
            Self::Completing { .. } => text::COMPLETING,
            Self::InvalidLink => text::INVALID_LINK,
            Self::StartAgain { .. } => text::START_AGAIN,
            Self::Expired => text::EXPIRED,
            Self::Unmatched { .. } => text::UNMATCHED,
            Self::Revoked => text::REVOKED,
            Self::Unavailable => text::UNAVAILABLE,
            Self::NotReady => text::NOT_READY,
        }
    }

    /// The buttons, the most helpful first.
    fn links<'a>(&'a self, frame: &Frame<'a>) -> Vec<Link<'a>> {
        let again = frame.launch_url.map(|href| Link::new(text::AUTHORIZE_AGAIN, href));
        let back =
            |url: &'a Option<String>| url.as_deref().map(|href| Link::new(text::BACK, href)).into_iter();
        match self {
            Self::Launch(launch) => launch.links(),
            Self::Complete(Complete { has_tokens: false, return_url, .. }) => {
                again.into_iter().chain(back(return_url)).collect()
            }
            Self::Complete(Complete { return_url, .. })
            | Self::CompleteForOthers { return_url }
            | Self::StartAgain { return_url } => back(return_url).collect(),
            Self::Unmatched { return_url } => back(return_url).chain(again).collect(),
            Self::InvalidLink | Self::Expired | Self::Revoked => again.into_iter().collect(),
            Self::Completing { address, .. } => vec![Link::new(text::SEE_RESULT, address)],
            // The empty reference is the page itself, query included and fragment not.
            Self::Unavailable | Self::NotReady => vec![Link::new(text::RELOAD, "")],
        }
    }

    fn announcement<'a>(&self, going_on: &'a GoingOn, frame: &Frame<'_>) -> Announcement<'a> {
        let (said, stop) = match self {
            Self::Complete(_) | Self::CompleteForOthers { .. } => (text::GOES_BACK, text::STAY),
            Self::Unavailable | Self::NotReady => (text::RELOADS, text::STOP),
            _ => (text::UPDATES, text::STOP),
        };
        let number = if said == text::RELOADS { going_on.after.div_ceil(60) } else { going_on.after };
        Announcement {
            said: frame.say(said).replace("{n}", &number.to_string()),
            stop: going_on.stop.as_deref().map(|href| (frame.say(stop), href)),
        }
    }

    /// How the visitor leaves a page that leads nowhere.
    fn close(&self, visitor: Visitor) -> Option<Text> {
        match (self, visitor) {
            (
                Self::Complete(Complete { has_tokens: true, return_url: None, .. })
                | Self::CompleteForOthers { return_url: None },
                visitor,
            ) => Some(if visitor == Visitor::WeChat { text::CLOSE_IN_WECHAT } else { text::CLOSE }),
            _ => None,
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

#[cfg(test)]
mod tests;
