//! Values that look like WeChat's: long, opaque and unique, so that a test can search logs for them.

/// A value of `length` characters as WeChat's tokens have them.
pub(crate) fn token(length: usize) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    (0..length).map(|_| char::from(ALPHABET[fastrand::usize(..ALPHABET.len())])).collect()
}

/// A value with one of WeChat's prefixes: `ticket@@@…`.
pub(crate) fn prefixed(prefix: &str, length: usize) -> String {
    format!("{prefix}@@@{}", token(length))
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(length: usize) -> String {
    (0..length).map(|_| char::from(b"0123456789abcdef"[fastrand::usize(..16)])).collect()
}
