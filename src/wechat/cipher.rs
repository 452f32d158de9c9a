//! The signature and the encryption of pushes.
//!
//! WeChat pads to 32 bytes and not to the cipher's 16, and its 43-character key carries two surplus bits;
//! ready-made unpadders and decoders refuse both.

use aws_lc_rs::cipher::{
    AES_256, DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::{constant_time, digest};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::{EncodingAesKey, MessageToken};
use crate::id::{hex, random};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// WeChat's block: what it pads to.
const BLOCK: usize = 32;

/// Random bytes before the message, and the length of the message after them.
const HEADER: usize = 16 + 4;

/// Whether `signature` is the signature of `parts`.
pub(super) fn is_signed(token: &MessageToken, parts: [&str; 3], signature: &str) -> bool {
    let expected = sign(token, parts);
    constant_time::verify_slices_are_equal(expected.as_bytes(), signature.as_bytes()).is_ok()
}

/// The SHA-1 of the token and `parts`, sorted and joined, in lower-case hex.
pub(super) fn sign(token: &MessageToken, parts: [&str; 3]) -> String {
    let mut parts = [token.expose(), parts[0], parts[1], parts[2]];
    parts.sort_unstable();
    hex(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, parts.concat().as_bytes()).as_ref())
}

/// An EncodingAESKey (消息加解密Key).
pub(super) struct Key([u8; 32]);

/// What was encrypted.
pub(super) struct Opened {
    /// The message.
    pub(super) message: Vec<u8>,
    /// The appid of whom it is for.
    pub(super) appid: Vec<u8>,
}

impl Key {
    /// The key in its 43 characters.
    pub(super) fn parse(key: &EncodingAesKey) -> Option<Self> {
        BASE64.decode(key.expose()).ok()?.try_into().ok().map(Self)
    }

    /// Decrypts what this key encrypted; what another one did is recognized by its padding and lengths.
    pub(super) fn decrypt(&self, encrypted: &str) -> Option<Opened> {
        let mut data = BASE64.decode(encrypted).ok()?;
        if data.is_empty() || data.len() % BLOCK != 0 {
            return None;
        }
        let iv: [u8; 16] = self.0.first_chunk().copied()?;
        let key = UnboundCipherKey::new(&AES_256, &self.0).ok()?;
        let context = DecryptionContext::Iv128(FixedLength::from(iv));
        let plain = DecryptingKey::cbc(key).ok()?.decrypt(&mut data, context).ok()?;

        let padding = usize::from(*plain.last()?);
        let (content, padded) = plain.split_at_checked(plain.len().checked_sub(padding)?)?;
        if padding == 0 || padding > BLOCK || padded.iter().any(|byte| usize::from(*byte) != padding) {
            return None;
        }
        let length = u32::from_be_bytes(*content.get(16..HEADER)?.first_chunk()?);
        let (message, appid) = content.get(HEADER..)?.split_at_checked(usize::try_from(length).ok()?)?;
        Some(Opened { message: message.to_vec(), appid: appid.to_vec() })
    }

    /// Encrypts a message for, or of, the platform `appid`, in base64.
    pub(super) fn encrypt(&self, message: &str, appid: &str) -> String {
        let length = u32::try_from(message.len()).expect("a reply is short").to_be_bytes();
        let mut data = [&random::<16>()[..], &length, message.as_bytes(), appid.as_bytes()].concat();
        let padding = BLOCK - data.len() % BLOCK;
        data.resize(data.len() + padding, padding as u8);
        let iv: [u8; 16] = *self.0.first_chunk().expect("a key has 32 bytes");
        let key = UnboundCipherKey::new(&AES_256, &self.0).expect("a key has 32 bytes");
        let context = EncryptionContext::Iv128(FixedLength::from(iv));
        EncryptingKey::cbc(key)
            .and_then(|key| key.less_safe_encrypt(&mut data, context))
            .expect("the data is a multiple of the cipher's block");
        BASE64.encode(data)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Vector {
        id: String,
        token: Option<String>,
        encoding_aes_key: String,
        appid: String,
        timestamp: Option<String>,
        nonce: Option<String>,
        encrypt: String,
        msg_signature: Option<String>,
        plaintext: String,
    }

    fn vectors() -> Vec<Vector> {
        serde_json::from_str(include_str!("../../tests/push-vectors.json")).expect("the vectors are JSON")
    }

    #[test]
    fn every_vector_decrypts_to_its_text() {
        for vector in vectors() {
            let key = Key::parse(&EncodingAesKey::new(vector.encoding_aes_key)).expect(&vector.id);
            let opened = key.decrypt(&vector.encrypt).expect(&vector.id);
            assert_eq!(String::from_utf8_lossy(&opened.message), vector.plaintext, "{}", vector.id);
            assert_eq!(String::from_utf8_lossy(&opened.appid), vector.appid, "{}", vector.id);
        }
    }

    #[test]
    fn every_signature_of_a_vector_is_right_and_no_other() {
        for vector in vectors() {
            let (Some(token), Some(timestamp), Some(nonce), Some(signature)) =
                (vector.token, vector.timestamp, vector.nonce, vector.msg_signature)
            else {
                continue;
            };
            let token = MessageToken::new(token);
            let parts = [timestamp.as_str(), &nonce, &vector.encrypt];
            assert!(is_signed(&token, parts, &signature), "{}", vector.id);
            assert!(!is_signed(&token, parts, &signature.to_uppercase()), "{}", vector.id);
            assert!(!is_signed(&token, parts, ""), "{}", vector.id);
            assert!(!is_signed(&MessageToken::new("other"), parts, &signature), "{}", vector.id);
        }
    }
}
