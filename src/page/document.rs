//! The HTML document of every page.

use askama::Template;
use reqwest::Url;

use super::account::Account;
use super::qr::QrCode;
use super::text::{self, Mark, Notice, Text};
use super::{Frame, Language};

#[derive(Template)]
#[template(path = "page.html")]
pub(super) struct PageTemplate<'a> {
    pub(super) frame: &'a Frame<'a>,
    pub(super) notice: Notice,
    pub(super) name: Option<String>,
    pub(super) account: Option<Account<'a>>,
    pub(super) links: Vec<Link<'a>>,
    pub(super) steps: &'static [Text],
    /// A link to be copied.
    pub(super) copied: Option<&'a Url>,
    pub(super) qr_code: Option<QrCode>,
    pub(super) going_on: Option<Announcement<'a>>,
    pub(super) close: Option<Text>,
    /// Whether a screen reader is to say the lead.
    pub(super) is_status: bool,
    pub(super) stylesheet: &'static str,
}

impl PageTemplate<'_> {
    fn say(&self, text: &Text) -> String {
        self.frame.say(*text)
    }

    /// The clauses of a sentence. Chinese has no spaces at which a line ends well, so it ends after a clause where one fits
    /// on it.
    fn clauses(&self, text: &Text) -> Vec<String> {
        let sentence = self.say(text);
        match self.frame.language {
            Language::English => vec![sentence],
            _ => sentence.split_inclusive(['，', '。']).map(str::to_owned).collect(),
        }
    }

    /// The support contact, where it is a page.
    fn contact_page(&self) -> Option<&str> {
        self.frame.face.support_contact.as_deref().filter(|contact| contact.starts_with("https://"))
    }
}

/// What the page does by itself, and how it is stopped: what the link says, and where it leads.
pub(super) struct Announcement<'a> {
    pub(super) said: String,
    pub(super) stop: Option<(String, &'a str)>,
}

pub(super) struct Link<'a> {
    pub(super) label: Text,
    pub(super) href: &'a str,
    /// WeChat compares the origin of the page that its consent page is opened from with the platform's
    /// registered domain, and needs the Referer for that. No other site needs to know where we are.
    pub(super) sends_origin: bool,
}

impl<'a> Link<'a> {
    pub(super) fn new(label: Text, href: &'a str) -> Self {
        Self { label, href, sends_origin: false }
    }

    pub(super) fn to_wechat(label: Text, href: &'a str) -> Self {
        Self { label, href, sends_origin: true }
    }
}
