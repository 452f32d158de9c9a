//! The authorization code.

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

use crate::id::sha256_hex;

/// The longest code that is accepted, in bytes, and that an item holds with ease. Real ones have about 100.
const LONGEST: usize = 4096;

/// A code that can be exchanged once for a merchant's tokens: `auth_code` in the redirect,
/// `AuthorizationCode` in a push. Kept whole, with its prefix.
#[derive(Clone, Debug)]
pub struct AuthorizationCode(SecretString);

/// Why a value cannot be an authorization code.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum MalformedCode {
    /// The code is missing.
    #[error("no authorization code")]
    Missing,
    /// It is longer than any code.
    #[error("authorization code is too long")]
    TooLong,
    /// It has characters that no code has.
    #[error("authorization code is not printable ASCII")]
    NotPrintable,
    /// It has what an address has and no code.
    #[error("authorization code has characters of an address or a page")]
    NotACode,
    /// It is the code that began the authorization, not the one that ended it.
    #[error("pre_auth_code in place of the authorization code")]
    PreAuthCode,
}

impl AuthorizationCode {
    /// A code as the redirect or a push brings it, already URL-decoded. `queryauthcode@@@` is not
    /// required: some of WeChat's flows give bare codes.
    pub fn parse(value: &str) -> Result<Self, MalformedCode> {
        if value.is_empty() {
            return Err(MalformedCode::Missing);
        }
        if value.len() > LONGEST {
            return Err(MalformedCode::TooLong);
        }
        if !value.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(MalformedCode::NotPrintable);
        }
        if value.starts_with("preauthcode@@@") {
            return Err(MalformedCode::PreAuthCode);
        }
        Ok(Self(value.into()))
    }

    /// A code as the redirect brings it, decoded once. Whoever passed the address on may have encoded it twice, or not at
    /// all, so that a `+` became a blank; a code has neither blanks nor percent signs. What then has characters of an
    /// address or a page is not worth a call.
    pub fn of_redirect(value: &str) -> Result<Self, MalformedCode> {
        const OF_AN_ADDRESS: &[char] =
            &['%', '&', '?', '#', '<', '>', '"', '\'', '\\', '^', '`', '{', '|', '}'];
        let decoded = percent_decode_str(value).decode_utf8_lossy();
        let code = Self::parse(&decoded.trim().replace(' ', "+"))?;
        if code.expose().contains(OF_AN_ADDRESS) { Err(MalformedCode::NotACode) } else { Ok(code) }
    }

    /// SHA-256 of the code in lower-case hex: the name under which it is claimed.
    pub fn digest(&self) -> String {
        sha256_hex(self.0.expose_secret())
    }

    /// The code itself, to be sent to WeChat or kept while it is pending.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, expected: Option<MalformedCode>) {
        assert_eq!(AuthorizationCode::parse(value).err(), expected);
    }

    #[test]
    fn a_code_is_printable_and_not_too_long_and_not_a_pre_auth_code() {
        check("queryauthcode@@@AbC-_1", None);
        check("barecode", None);
        check(&"x".repeat(4096), None);
        check("", Some(MalformedCode::Missing));
        check(&"x".repeat(4097), Some(MalformedCode::TooLong));
        check("code with spaces", Some(MalformedCode::NotPrintable));
        check("代码", Some(MalformedCode::NotPrintable));
        check("preauthcode@@@abc", Some(MalformedCode::PreAuthCode));
    }

    #[test]
    fn a_code_of_a_redirect_is_what_a_code_can_be() {
        for (value, expected) in [
            ("queryauthcode@@@AbC-_1", Some("queryauthcode@@@AbC-_1")),
            ("queryauthcode%40%40%40AbC", Some("queryauthcode@@@AbC")),
            (" queryauthcode@@@A bC= ", Some("queryauthcode@@@A+bC=")),
            ("queryauthcode@@@A%zz", None),
            ("queryauthcode@@@A&x=1", None),
            ("<script>", None),
            ("a\tb", None),
            (" ", None),
        ] {
            let code = AuthorizationCode::of_redirect(value).ok();
            assert_eq!(code.as_ref().map(AuthorizationCode::expose), expected, "{value}");
        }
    }

    #[test]
    fn debug_shows_no_code() {
        let code = AuthorizationCode::parse("queryauthcode@@@secret").expect("a code");
        assert!(!format!("{code:?}").contains("queryauthcode"));
    }
}
