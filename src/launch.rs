//! What a launch is given.

use crate::id::unique_id;

/// The longest state, in characters.
const LONGEST: usize = 256;

/// The opaque value that a consumer hands to `/authorize` and finds again in the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State(String);

impl State {
    /// A state of 1 to 256 characters of `A-Z a-z 0-9 - _ . ~`, which survive any URL.
    pub fn parse(value: &str) -> Option<Self> {
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
        let fits = (1..=LONGEST).contains(&value.len()) && value.bytes().all(unreserved);
        fits.then(|| Self(value.to_owned()))
    }

    /// A state like no other, for a launch that was given none.
    pub fn random() -> Self {
        Self(unique_id())
    }

    /// The state as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
