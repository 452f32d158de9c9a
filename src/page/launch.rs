//! The launch page: the way to WeChat's consent page that fits the visitor.

use reqwest::Url;

use super::Page;
use super::document::Link;
use super::qr::QrCode;
use super::text::{self, Notice, Text};

/// What the launch page shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Launch {
    /// `auth_type`: which kinds of accounts WeChat offers; none where the launch names the one account.
    pub auth_type: Option<String>,
    /// How the visitor gets to WeChat.
    pub way: Way,
}

/// How a visitor gets to the consent page. It has two forms for one `pre_auth_code`: `componentloginpage`, which shows a
/// QR code to scan, and `bindcomponent`, which works inside WeChat only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// From a computer.
    Desktop {
        /// The form for desktops.
        pc_url: String,
        /// The launch page, for the phone.
        launch_url: Url,
    },
    /// Inside WeChat on a phone.
    InWeChat {
        /// The form inside WeChat.
        mobile_url: String,
    },
    /// From a phone's other browser, where neither form works: by way of WeChat.
    ThroughWeChat {
        /// The launch page.
        launch_url: Url,
    },
    /// From wherever the visitor is.
    Either {
        /// The form for desktops.
        pc_url: String,
        /// The form inside WeChat.
        mobile_url: String,
    },
}

impl Launch {
    pub(super) fn notice(&self) -> Notice {
        let notice = match &self.way {
            Way::Desktop { .. } => text::LAUNCH_ON_DESKTOP,
            Way::InWeChat { .. } => text::LAUNCH_IN_WECHAT,
            Way::ThroughWeChat { .. } => text::LAUNCH_OUTSIDE_WECHAT,
            Way::Either { .. } => text::LAUNCH_ANYWHERE,
        };
        Notice { heading: text::launch_heading(self.auth_type.as_deref()), ..notice }
    }

    pub(super) fn links(&self) -> Vec<Link<'_>> {
        match &self.way {
            Way::Desktop { pc_url, .. } => vec![Link::to_wechat(text::CONTINUE_TO_WECHAT, pc_url)],
            Way::InWeChat { mobile_url } => vec![Link::to_wechat(text::CONTINUE_TO_WECHAT, mobile_url)],
            Way::ThroughWeChat { .. } => Vec::new(),
            Way::Either { pc_url, mobile_url } => {
                vec![Link::to_wechat(text::ON_DESKTOP, pc_url), Link::to_wechat(text::ON_PHONE, mobile_url)]
            }
        }
    }
}

impl Page {
    pub(super) fn steps(&self) -> &'static [Text] {
        if self.copied().is_some() { &text::INTO_WECHAT } else { &[] }
    }

    pub(super) fn copied(&self) -> Option<&Url> {
        match self {
            Self::Launch(Launch { way: Way::ThroughWeChat { launch_url }, .. }) => Some(launch_url),
            _ => None,
        }
    }

    pub(super) fn qr_code(&self) -> Option<QrCode> {
        match self {
            Self::Launch(Launch { way: Way::Desktop { launch_url, .. }, .. }) => {
                QrCode::of(launch_url.as_str())
            }
            _ => None,
        }
    }
}
