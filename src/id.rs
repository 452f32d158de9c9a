//! Random names and digests.

use aws_lc_rs::{digest, rand};

/// A name like no other: 128 random bits in lower-case hex.
pub(crate) fn unique_id() -> String {
    hex(&random::<16>())
}

/// SHA-256 in lower-case hex.
pub(crate) fn sha256_hex(text: &str) -> String {
    hex(&sha256(text))
}

/// SHA-256.
pub(crate) fn sha256(text: &str) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// Random bytes.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).expect("the system has random numbers");
    bytes
}

/// Bytes in lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
