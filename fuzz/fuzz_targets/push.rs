//! Pushes that are anything at all: as they arrive, and behind a signature and an encryption that are right.

#![no_main]

use aws_lc_rs::cipher::{AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::digest;
use aws_lc_rs::iv::FixedLength;
use libfuzzer_sys::fuzz_target;
use wechat_authorizer::wechat::{Appid, ComponentSecret, Message, Push, Signature};

const TOKEN: &str = "token";
const APPID: &str = "wx134c8103faa5a59e";

fuzz_target!(|data: &[u8]| {
    let secret = format!(
        r#"{{"component_appsecret":"unused","token":"{TOKEN}","encoding_aes_key":"{}"}}"#,
        "A".repeat(43)
    );
    let secret = ComponentSecret::from_json(&secret).expect("a secret");
    let appid = Appid::parse(APPID).expect("an appid");
    let Some((kind, data)) = data.split_first() else { return };
    let body = match kind % 3 {
        0 => data.to_vec(),
        1 => envelope(&String::from_utf8_lossy(data)),
        _ => envelope(&encrypted(data, kind % 2 == 0)),
    };
    let text = String::from_utf8_lossy(&body);
    let encrypt = text.split("<Encrypt>").nth(1).and_then(|rest| rest.split("</Encrypt>").next());
    let signature = signed(encrypt.unwrap_or_default());
    let signature = Signature { timestamp: "1", nonce: "2", msg_signature: &signature };
    let message = Message::open(&signature, &body, &secret, &appid);
    let _ = message.and_then(|message| Push::read(&message, &appid));
});

fn envelope(encrypt: &str) -> Vec<u8> {
    format!("<xml><Encrypt>{encrypt}</Encrypt></xml>").into_bytes()
}

/// What decrypts to `data` itself, or to `data` as the message of a well-formed block.
fn encrypted(data: &[u8], well_formed: bool) -> String {
    let mut block = Vec::new();
    if well_formed {
        block.extend([b'r'; 16]);
        block.extend((data.len() as u32).to_be_bytes());
        block.extend(data);
        block.extend(APPID.as_bytes());
        let padding = 32 - block.len() % 32;
        block.extend(std::iter::repeat_n(padding as u8, padding));
    } else {
        block.extend(data);
        block.resize(block.len().next_multiple_of(32), 1);
    }
    let key = UnboundCipherKey::new(&AES_256, &[0; 32]).expect("a key");
    let context = EncryptionContext::Iv128(FixedLength::from([0; 16]));
    let key = EncryptingKey::cbc(key).expect("a key");
    key.less_safe_encrypt(&mut block, context).expect("whole blocks");
    base64(&block)
}

fn signed(encrypt: &str) -> String {
    let mut parts = [TOKEN, "1", "2", encrypt];
    parts.sort_unstable();
    let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, parts.concat().as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
