//! How WeChat signs and encrypts.

use aws_lc_rs::cipher::{AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::digest;
use aws_lc_rs::iv::FixedLength;
use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Decodes a key of 43 characters with its surplus bits.
const KEY: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// WeChat pads to this many bytes, and adds a whole block where nothing is missing.
const BLOCK: usize = 32;

/// `random ‖ length ‖ message ‖ appid`, padded, in AES-256-CBC with the key's own first half as its IV.
pub(super) fn encrypt(encoding_aes_key: &str, random: &[u8; 16], message: &str, appid: &str) -> String {
    let key = KEY.decode(encoding_aes_key).expect("an EncodingAESKey is base64");
    let length = u32::try_from(message.len()).expect("a push is short").to_be_bytes();
    let mut data = [random, length.as_slice(), message.as_bytes(), appid.as_bytes()].concat();
    let padding = BLOCK - data.len() % BLOCK;
    data.resize(data.len() + padding, padding as u8);
    let iv: [u8; 16] = *key.first_chunk().expect("an EncodingAESKey has 32 bytes");
    let key = UnboundCipherKey::new(&AES_256, &key).expect("an EncodingAESKey has 32 bytes");
    let key = EncryptingKey::cbc(key).expect("AES has CBC");
    key.less_safe_encrypt(&mut data, EncryptionContext::Iv128(FixedLength::from(iv)))
        .expect("the data is a multiple of the cipher's block");
    STANDARD.encode(data)
}

/// SHA-1 of the parts, sorted and joined, in lower-case hex.
pub(super) fn sign(parts: &[&str]) -> String {
    let mut parts = parts.to_vec();
    parts.sort_unstable();
    let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, parts.concat().as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn vectors() -> Vec<Value> {
        serde_json::from_str(include_str!("../../../../tests/push-vectors.json")).expect("JSON")
    }

    fn text<'a>(vector: &'a Value, name: &str) -> &'a str {
        vector[name].as_str().unwrap_or_default()
    }

    #[test]
    fn every_vector_is_encrypted_to_the_byte() {
        for vector in vectors() {
            let random = text(&vector, "random").as_bytes().try_into().expect("16 bytes");
            let (key, appid) = (text(&vector, "encoding_aes_key"), text(&vector, "appid"));
            let encrypted = encrypt(key, random, text(&vector, "plaintext"), appid);
            assert_eq!(encrypted, text(&vector, "encrypt"), "{}", vector["id"]);
        }
    }

    #[test]
    fn every_signature_of_a_vector_is_reproduced() {
        for vector in vectors().iter().filter(|vector| vector["msg_signature"].is_string()) {
            let [token, timestamp, nonce, encrypted] =
                ["token", "timestamp", "nonce", "encrypt"].map(|name| text(vector, name));
            assert_eq!(sign(&[token, timestamp, nonce, encrypted]), text(vector, "msg_signature"));
            assert_eq!(sign(&[token, timestamp, nonce]), text(vector, "signature"));
        }
    }
}
