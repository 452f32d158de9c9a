//! The account on the confirmation.

use reqwest::Url;

use super::{Complete, Language, Page, text, traditional};
use crate::wechat::{PermissionSet, permission_name};

/// The host of accounts' pictures, and the only one whose pictures are shown: whoever else is asked for one would learn
/// of the visit.
pub(super) const PICTURES: &str = "wx.qlogo.cn";

/// An account with what it granted.
pub(super) struct Account<'a> {
    pub(super) name: Option<String>,
    pub(super) picture: Option<String>,
    pub(super) appid: &'a str,
    pub(super) permissions: Vec<String>,
}

impl Account<'_> {
    /// Whether the permission sets are few enough to be read at once.
    pub(super) fn shows_permissions(&self) -> bool {
        self.permissions.len() <= 8
    }
}

impl Page {
    pub(super) fn account(&self, language: Language) -> Option<Account<'_>> {
        let Self::Complete(complete) = self else { return None };
        let permission = |set: &PermissionSet| {
            let name = match (permission_name(set.id), language) {
                (Some(name), Language::English) => name.english.to_owned(),
                (Some(name), _) => name.chinese.to_owned(),
                (None, _) => {
                    let own = set.name.as_deref().and_then(printable);
                    own.unwrap_or_else(|| format!("{} {}", text::UNKNOWN_PERMISSION.to(language), set.id))
                }
            };
            if language == Language::Traditional { traditional::of(&name) } else { name }
        };
        Some(Account {
            name: complete.nick_name.as_deref().and_then(printable),
            picture: self.picture(),
            appid: &complete.authorizer_appid,
            permissions: complete.permission_sets.iter().map(permission).collect(),
        })
    }

    /// The address of the account's picture, over TLS. WeChat gives it with `http`.
    pub(super) fn picture(&self) -> Option<String> {
        let Self::Complete(Complete { head_img: Some(head_img), .. }) = self else { return None };
        let mut url = Url::parse(head_img).ok()?;
        let is_wechats = matches!(url.scheme(), "http" | "https")
            && url.host_str() == Some(PICTURES)
            && url.port().is_none()
            && url.username().is_empty();
        (is_wechats && url.set_scheme("https").is_ok()).then(|| url.into())
    }
}

/// `name` on one line, without what cannot be printed or turns the text around, and no longer than a
/// name can be.
pub(super) fn printable(name: &str) -> Option<String> {
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
