//! What WeChat posts to the platform's URLs: verified, decrypted, and opened.
//!
//! Source: 第三方平台 / 消息加解密说明, 消息推送.

use std::fmt;

use serde_json::{Map, Value};
use thiserror::Error;

use super::cipher::{self, Key};
use super::xml::elements;
use super::{Appid, ComponentSecret, MessageToken, ToldTime};
use crate::id::unique_id;
use crate::time::Timestamp;

/// What the query of a push proves it with.
#[derive(Clone, Copy, Debug)]
pub struct Signature<'a> {
    /// When WeChat signed, as it wrote it.
    pub timestamp: &'a str,
    /// A random value.
    pub nonce: &'a str,
    /// SHA-1 over the token, these two and the encrypted message, in lower-case hex.
    pub msg_signature: &'a str,
}

/// Why a push is refused. Says nothing of what was pushed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PushError {
    /// It is not XML with an `Encrypt`.
    #[error("the push is not XML with an encrypted message")]
    NoEnvelope,
    /// The signature is not WeChat's.
    #[error("the push is not signed with the platform's token")]
    BadSignature,
    /// No key of ours decrypts it.
    #[error("the push is not encrypted with the platform's key: check encoding_aes_key")]
    Undecryptable,
    /// It is another platform's.
    #[error("the push is for another platform: check COMPONENT_APPID")]
    OtherPlatform,
    /// It is of a kind that must be stored, and lacks what there is to store, or has what cannot be. The account, if it
    /// names one.
    #[error("the push lacks a required field, or has one that cannot be stored")]
    Unstorable(Option<Appid>),
    /// What was encrypted is not a message.
    #[error("the decrypted push is not a message")]
    NoMessage,
}

/// A message from WeChat: what was encrypted, as JSON. `Debug` shows nothing of it.
pub struct Message {
    fields: Map<String, Value>,
    signed_at: ToldTime,
    token: MessageToken,
    key: Key,
}

impl Message {
    /// Verifies, decrypts and parses `body`. The appid behind the encrypted message must be the platform's.
    pub fn open(
        signature: &Signature<'_>,
        body: &[u8],
        secret: &ComponentSecret,
        component_appid: &Appid,
    ) -> Result<Self, PushError> {
        let envelope = std::str::from_utf8(body).ok().and_then(elements).ok_or(PushError::NoEnvelope)?;
        // Base64 may be broken into lines.
        let encrypted = text(&envelope, "Encrypt").ok_or(PushError::NoEnvelope)?;
        let encrypted = &encrypted.split_ascii_whitespace().collect::<String>();
        let Signature { timestamp, nonce, msg_signature } = *signature;
        let mut tokens = [Some(&secret.token), secret.previous_token.as_ref()].into_iter().flatten();
        let token = tokens
            .find(|token| cipher::is_signed(token, [timestamp, nonce, encrypted], msg_signature))
            .ok_or(PushError::BadSignature)?;
        let keys = [Some(&secret.encoding_aes_key), secret.previous_encoding_aes_key.as_ref()];
        let mut keys = keys.into_iter().flatten().filter_map(Key::parse);
        let opened = keys.find_map(|key| key.decrypt(encrypted).map(|opened| (key, opened)));
        let (key, opened) = opened.ok_or(PushError::Undecryptable)?;
        if opened.appid != component_appid.as_str().as_bytes() {
            return Err(PushError::OtherPlatform);
        }
        // One broken character in a text is no reason to lose the rest.
        let fields = elements(&String::from_utf8_lossy(&opened.message)).ok_or(PushError::NoMessage)?;
        let signed_at = ToldTime::new(timestamp.trim().parse().unwrap_or_default());
        Ok(Self { fields, signed_at, token: token.clone(), key })
    }

    /// The text of an element right below the root, without surrounding white space; the first of several. None where it is
    /// empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        text(&self.fields, name)
    }

    /// When it happened, as WeChat tells it. A malformed time counts as the moment of arrival.
    pub fn create_time(&self) -> ToldTime {
        ToldTime::new(self.text("CreateTime").and_then(|time| time.parse().ok()).unwrap_or_default())
    }

    /// When WeChat signed it. Nobody else can change that.
    pub fn signed_at(&self) -> ToldTime {
        self.signed_at
    }

    /// Everything that the message says, as it says it, but its codes and tickets.
    pub fn published(&self) -> Map<String, Value> {
        const SECRET: &[&str] = &["AuthorizationCode", "auth_code", "PreAuthCode", "ComponentVerifyTicket"];
        let mut fields = self.fields.clone();
        fields.retain(|name, _| !SECRET.contains(&name.as_str()));
        fields.values_mut().for_each(hide_secrets);
        fields
    }

    /// A text that answers this message at once (被动回复), from its receiver to its sender, signed with the token and
    /// encrypted with the key that it came with.
    pub fn reply(&self, content: &str, component_appid: &Appid, now: Timestamp) -> String {
        let [to, from] =
            ["FromUserName", "ToUserName"].map(|name| cdata(self.text(name).unwrap_or_default()));
        let (content, now) = (cdata(content), now.as_secs().to_string());
        let message = format!(
            "<xml><ToUserName>{to}</ToUserName><FromUserName>{from}</FromUserName><CreateTime>{now}</CreateTime>\
             <MsgType><![CDATA[text]]></MsgType><Content>{content}</Content></xml>"
        );
        let encrypted = self.key.encrypt(&message, component_appid.as_str());
        let nonce = unique_id();
        let signature = cipher::sign(&self.token, [&now, &nonce, &encrypted]);
        format!(
            "<xml><Encrypt><![CDATA[{encrypted}]]></Encrypt><MsgSignature><![CDATA[{signature}]]></MsgSignature>\
             <TimeStamp>{now}</TimeStamp><Nonce><![CDATA[{nonce}]]></Nonce></xml>"
        )
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Message").finish_non_exhaustive()
    }
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    let value = match fields.get(name)? {
        Value::Array(values) => values.first()?,
        value => value,
    };
    Some(value.as_str()?.trim()).filter(|text| !text.is_empty())
}

fn cdata(text: &str) -> String {
    format!("<![CDATA[{}]]>", text.replace("]]>", "]]]]><![CDATA[>"))
}

/// Replaces codes and tickets by asterisks, wherever they stand in a text.
fn hide_secrets(value: &mut Value) {
    const PREFIXES: &[&str] = &["ticket@@@", "preauthcode@@@", "queryauthcode@@@", "refreshtoken@@@"];
    let is_of_secret =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '@' | '_' | '-' | '.' | '+' | '/' | '=');
    match value {
        Value::String(text) => {
            for prefix in PREFIXES {
                while let Some(at) = text.find(prefix) {
                    let length = text[at..].find(|c| !is_of_secret(c)).unwrap_or(text.len() - at);
                    text.replace_range(at..at + length, "***");
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(hide_secrets),
        Value::Object(fields) => fields.values_mut().for_each(hide_secrets),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{ComponentAppSecret, EncodingAesKey};
    use super::*;

    const COMPONENT_APPID: &str = "wx134c8103faa5a59e";

    fn secret() -> ComponentSecret {
        ComponentSecret {
            component_appsecret: ComponentAppSecret::new("unused"),
            token: MessageToken::new("token"),
            previous_token: None,
            encoding_aes_key: EncodingAesKey::new("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"),
            previous_encoding_aes_key: None,
        }
    }

    fn appid() -> Appid {
        Appid::parse(COMPONENT_APPID).expect("an appid")
    }

    fn message(fields: Value) -> Message {
        let fields = fields.as_object().expect("an object").clone();
        let key = Key::parse(&secret().encoding_aes_key).expect("a key");
        Message { fields, signed_at: ToldTime::new(0), token: secret().token, key }
    }

    #[test]
    fn what_is_published_has_no_code_and_no_ticket() {
        let message = message(json!({
            "auth_code": "queryauthcode@@@a",
            "Content": "QUERY_AUTH_CODE:queryauthcode@@@Ab-_9 and ticket@@@x, 你好 a@@@b",
            "info": {"code": "91310000", "list": ["preauthcode@@@zzz"]},
        }));
        let expected = json!({
            "Content": "QUERY_AUTH_CODE:*** and ***, 你好 a@@@b",
            "info": {"code": "91310000", "list": ["***"]},
        });
        assert_eq!(Value::Object(message.published()), expected);
        assert_eq!(format!("{message:?}"), "Message { .. }");
    }

    #[test]
    fn a_reply_is_a_message_that_the_other_side_can_open() {
        let asked = message(json!({"FromUserName": "openid", "ToUserName": "gh_1", "CreateTime": "7"}));
        let reply = asked.reply("a ]]> b", &appid(), Timestamp::from_secs(1_800_000_000));
        let envelope = elements(&reply).expect("XML");
        let signature = Signature {
            timestamp: text(&envelope, "TimeStamp").expect("a time"),
            nonce: text(&envelope, "Nonce").expect("a nonce"),
            msg_signature: text(&envelope, "MsgSignature").expect("a signature"),
        };
        let opened = Message::open(&signature, reply.as_bytes(), &secret(), &appid()).expect("it is signed");
        let expected = json!({
            "ToUserName": "openid", "FromUserName": "gh_1", "CreateTime": "1800000000", "MsgType": "text",
            "Content": "a ]]> b",
        });
        assert_eq!(Value::Object(opened.fields), expected);
    }
}
