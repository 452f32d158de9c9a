//! What WeChat pushes to the authorization event URL (授权事件接收URL).
//!
//! Source: 第三方平台 / 授权流程技术说明.

use super::message::{Message, PushError};
use super::{Appid, AuthorizationCode, ComponentVerifyTicket, PreAuthCode, ToldTime};

/// A push to the authorization event URL.
#[derive(Clone, Debug)]
pub struct Push {
    /// When it happened, as WeChat tells it.
    pub create_time: ToldTime,
    /// What happened.
    pub info: Info,
}

/// What a push tells.
#[derive(Clone, Debug)]
pub enum Info {
    /// `component_verify_ticket`
    Ticket(ComponentVerifyTicket),
    /// `authorized`, `updateauthorized`
    Authorized(Authorized),
    /// `notify_third_fasteregister`: the platform registered an account, which authorizes it at once. None if it brought no
    /// code that can be exchanged; then another push may.
    Registered(Option<Authorized>),
    /// `unauthorized`
    Unauthorized(Appid),
    /// Another InfoType: news for the platform's services.
    Other(InfoType),
    /// No InfoType: a message or an event of an account's users, which belongs to the message URL. Its `MsgType`.
    Message(InfoType),
}

/// WeChat's name of a message: `InfoType` or `MsgType`, cut to what can be part of an event's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InfoType(String);

impl InfoType {
    /// The letters, digits, hyphens, dots and underscores of `name`, at most 64.
    pub fn new(name: &str) -> Self {
        let is_kept = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        Self(name.chars().filter(is_kept).take(64).collect())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A merchant authorized the platform, or changed what it may do.
#[derive(Clone, Debug)]
pub struct Authorized {
    /// The merchant's account.
    pub authorizer_appid: Appid,
    /// The code to exchange.
    pub code: AuthorizationCode,
    /// The code that began the authorization; absent if no launch did.
    pub pre_auth_code: Option<PreAuthCode>,
}

impl Push {
    /// Reads what the message says to the platform `component_appid`.
    pub fn read(message: &Message, component_appid: &Appid) -> Result<Self, PushError> {
        let field = |name: &str| message.text(name);
        let Some(info_type) = field("InfoType") else {
            let kind = InfoType::new(field("MsgType").ok_or(PushError::NoMessage)?);
            return Ok(Self { create_time: message.create_time(), info: Info::Message(kind) });
        };
        if field("AppId") != Some(component_appid.as_str()) {
            return Err(PushError::OtherPlatform);
        }
        let authorized = |appid: &str, code: &str| {
            Some(Authorized {
                authorizer_appid: Appid::parse(field(appid)?)?,
                code: AuthorizationCode::parse(field(code)?).ok()?,
                pre_auth_code: field("PreAuthCode").map(PreAuthCode::new),
            })
        };
        let info = match info_type {
            "component_verify_ticket" => {
                field("ComponentVerifyTicket").map(|ticket| Info::Ticket(ComponentVerifyTicket::new(ticket)))
            }
            "authorized" | "updateauthorized" => {
                authorized("AuthorizerAppid", "AuthorizationCode").map(Info::Authorized)
            }
            "unauthorized" => field("AuthorizerAppid").and_then(Appid::parse).map(Info::Unauthorized),
            "notify_third_fasteregister" if field("status") == Some("0") => {
                Some(Info::Registered(authorized("appid", "auth_code")))
            }
            other => Some(Info::Other(InfoType::new(other))),
        };
        let account = || field("AuthorizerAppid").or(field("appid")).and_then(Appid::parse);
        let info = info.ok_or_else(|| PushError::Unstorable(account()))?;
        Ok(Self { create_time: message.create_time(), info })
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::super::cipher::Key;
    use super::super::{ComponentAppSecret, ComponentSecret, EncodingAesKey, MessageToken, Signature};
    use super::*;

    #[derive(Clone, Deserialize)]
    struct Vector {
        id: String,
        token: Option<String>,
        encoding_aes_key: String,
        appid: String,
        timestamp: Option<String>,
        nonce: Option<String>,
        encrypt: String,
        msg_signature: Option<String>,
    }

    /// The vectors that are pushes of a platform, signed and all.
    fn pushes() -> Vec<Vector> {
        let vectors: Vec<Vector> = serde_json::from_str(include_str!("../../tests/push-vectors.json"))
            .expect("the vectors are JSON");
        vectors.into_iter().filter(|vector| ["G", "X1", "X2", "X5"].contains(&vector.id.as_str())).collect()
    }

    fn secret(vector: &Vector, current: &str, previous: Option<&str>) -> ComponentSecret {
        ComponentSecret {
            component_appsecret: ComponentAppSecret::new("unused"),
            token: MessageToken::new(vector.token.clone().unwrap_or_default()),
            previous_token: None,
            encoding_aes_key: EncodingAesKey::new(current),
            previous_encoding_aes_key: previous.map(EncodingAesKey::new),
        }
    }

    fn open_with(vector: &Vector, secret: &ComponentSecret, appid: &str) -> Result<Push, PushError> {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let (timestamp, nonce, signature) =
            (text(&vector.timestamp), text(&vector.nonce), text(&vector.msg_signature));
        let signature = Signature { timestamp: &timestamp, nonce: &nonce, msg_signature: &signature };
        let body =
            format!("<xml>\n<AppId>ignored</AppId><Encrypt><![CDATA[{}]]></Encrypt></xml>", vector.encrypt);
        let appid = Appid::parse(appid).expect("an appid");
        Push::read(&Message::open(&signature, body.as_bytes(), secret, &appid)?, &appid)
    }

    fn open(vector: &Vector) -> Result<Push, PushError> {
        open_with(vector, &secret(vector, &vector.encoding_aes_key, None), &vector.appid)
    }

    #[test]
    fn every_push_among_the_vectors_is_read() {
        for vector in pushes() {
            let push = open(&vector).expect(&vector.id);
            match (vector.id.as_str(), push.info) {
                ("G", Info::Unauthorized(appid)) => assert_eq!(appid.as_str(), "wx570bc396a51b8ff8"),
                ("X1", Info::Ticket(ticket)) => {
                    assert_eq!(ticket.expose(), "ticket@@@some_verify_ticket");
                    assert_eq!(push.create_time.as_told(), 1_413_192_605);
                }
                ("X2" | "X5", Info::Authorized(authorized)) => {
                    assert_eq!(authorized.authorizer_appid.as_str(), "wxf8b4f85f3a794e77");
                    assert!(authorized.code.expose().starts_with("queryauthcode@@@CODE"));
                    let pre_auth_code = authorized.pre_auth_code.expect("a pre_auth_code");
                    assert!(pre_auth_code.expose().starts_with("preauthcode@@@PRE"));
                }
                (id, other) => panic!("{id} is read as {other:?}"),
            }
        }
    }

    #[test]
    fn a_push_encrypted_with_the_previous_key_is_read() {
        let other = "0123456789012345678901234567890123456789012";
        for vector in pushes().into_iter().filter(|vector| vector.encoding_aes_key != other) {
            let rotated = secret(&vector, other, Some(&vector.encoding_aes_key));
            assert!(open_with(&vector, &rotated, &vector.appid).is_ok(), "{}", vector.id);
            let lost = secret(&vector, other, None);
            assert_eq!(open_with(&vector, &lost, &vector.appid).err(), Some(PushError::Undecryptable));
        }
    }

    #[test]
    fn a_push_signed_with_the_previous_token_is_read() {
        for vector in pushes() {
            let known = secret(&vector, &vector.encoding_aes_key, None);
            let lost = ComponentSecret { token: MessageToken::new("another"), ..known.clone() };
            assert_eq!(open_with(&vector, &lost, &vector.appid).err(), Some(PushError::BadSignature));
            let rotated = ComponentSecret { previous_token: Some(known.token), ..lost };
            assert!(open_with(&vector, &rotated, &vector.appid).is_ok(), "{}", vector.id);
        }
    }

    #[test]
    fn a_push_for_another_platform_is_refused() {
        for vector in pushes() {
            let own = secret(&vector, &vector.encoding_aes_key, None);
            let error = open_with(&vector, &own, "wx0000000000000000").err();
            assert_eq!(error, Some(PushError::OtherPlatform), "{}", vector.id);
        }
    }

    proptest! {
        #[test]
        fn every_one_byte_corruption_is_refused(which in 0_usize..4, at in any::<usize>(), to in "[!-;=-~]", of in 0..4) {
            let mut vector = pushes().swap_remove(which);
            let corrupt = |text: &mut String| {
                let at = at % text.len();
                text.replace_range(at..=at, &to);
            };
            let before = vector.clone();
            match of {
                0 => corrupt(&mut vector.encrypt),
                1 => vector.timestamp.as_mut().map(corrupt).unwrap_or_default(),
                2 => vector.nonce.as_mut().map(corrupt).unwrap_or_default(),
                _ => vector.msg_signature.as_mut().map(corrupt).unwrap_or_default(),
            }
            let unchanged = before.encrypt == vector.encrypt
                && before.timestamp == vector.timestamp
                && before.nonce == vector.nonce
                && before.msg_signature == vector.msg_signature;
            prop_assert_eq!(open(&vector).is_ok(), unchanged);
        }

        #[test]
        fn anything_is_decrypted_without_a_panic(blocks in proptest::collection::vec(any::<[u8; 32]>(), 0..8)) {
            let encrypted = base64::engine::general_purpose::STANDARD.encode(blocks.concat());
            for vector in pushes() {
                let _ = Key::parse(&EncodingAesKey::new(vector.encoding_aes_key)).map(|key| key.decrypt(&encrypted).is_some());
            }
        }
    }
}
