//! WeChat's numbers for what went wrong.

use std::fmt;

/// The `errcode` of an answer. Its [`Class`](super::Class) says how it is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Errcode(i64);

impl Errcode {
    /// What stands in a log line or a record where there was no answer with an errcode.
    pub const NONE: Self = Self(0);
    /// "invalid args": what WeChat returns for a malformed authorization code.
    pub const INVALID_ARGS: Self = Self(40097);
    /// A request without a token, or with one under a name that WeChat does not look at.
    pub const TOKEN_MISSING: Self = Self(41001);
    /// The authorization code is expired or was used.
    pub const CODE_SPENT: Self = Self(61010);

    /// The errcode that WeChat wrote as `number`.
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// WeChat's number.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Errcode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
