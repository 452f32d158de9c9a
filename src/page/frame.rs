//! What surrounds every page.

use super::account::printable;
use super::text::{self, Text};
use super::{GoingOn, Language, Visitor, traditional};
use crate::config::Face;

/// What every page needs besides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    /// The language of the page.
    pub language: Language,
    /// What the page is opened in.
    pub visitor: Visitor,
    /// What the platform is known by.
    pub face: &'a Face,
    /// What the visitor quotes to the platform's support, and the operator finds in the logs.
    pub reference: &'a str,
    /// The launch page, offered where authorizing again helps.
    pub launch_url: Option<&'a str>,
    /// Whether the page goes on by itself.
    pub going_on: Option<&'a GoingOn>,
}

impl Frame<'_> {
    /// A sentence in the visitor's language, with the platform's name.
    pub(super) fn say(&self, text: Text) -> String {
        let name = self.platform_name();
        let own = |text: Text| match self.language {
            Language::Traditional => traditional::of(text.to(self.language)),
            _ => text.to(self.language).to_owned(),
        };
        let sentence = own(text);
        if !sentence.contains(['{', '}']) {
            return sentence;
        }
        let platform = name.clone().unwrap_or_else(|| own(text::PLATFORM));
        let first = name.unwrap_or_else(|| capitalized(&platform));
        sentence.replace("{platform}", &platform).replace("{Platform}", &first)
    }

    pub(super) fn platform_name(&self) -> Option<String> {
        self.face.name.as_deref().and_then(printable)
    }
}

fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + characters.as_str()
}
