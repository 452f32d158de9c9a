//! The names WeChat gives to things.

use std::fmt;

/// The appid of a platform or of a merchant's account.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Appid(String);

impl Appid {
    /// An appid as WeChat sends it. Everything that can be a key, a log field and part of an event's JSON is accepted,
    /// because refusing WeChat's own answer would lose a grant.
    pub fn parse(value: &str) -> Option<Self> {
        let is_part = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
        let fits = (1..=64).contains(&value.len()) && value.bytes().all(is_part);
        fits.then(|| Self(value.to_owned()))
    }

    /// A platform's appid as an operator configures it: `wx` and 16 letters or digits.
    pub fn parse_component(value: &str) -> Option<Self> {
        let digits = value.strip_prefix("wx")?;
        let fits = digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
        fits.then(|| Self(value.to_owned()))
    }

    /// The appid as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Appid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
