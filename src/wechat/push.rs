//! WeChat's pushes: verified, decrypted and read.
//!
//! Source: 第三方平台 / 授权流程技术说明, 消息加解密说明.

use std::collections::HashMap;

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;
use thiserror::Error;

use super::cipher::{self, Key};
use super::{Appid, AuthorizationCode, ComponentSecret, ComponentVerifyTicket, PreAuthCode, ToldTime};

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
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
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
    /// It is of a kind that must be stored, and lacks what there is to store, or has what cannot be.
    #[error("the push lacks what its kind has, or has what cannot be stored")]
    Unstorable,
    /// What was encrypted is not a message.
    #[error("the decrypted push is not a message")]
    NoMessage,
}

/// A push to the authorization event URL (授权事件接收URL).
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
    /// `authorized`, `updateauthorized`, and a `notify_third_fasteregister` that brought an account.
    Authorized(Authorized),
    /// `unauthorized`
    Unauthorized(Appid),
    /// An InfoType that this service has no use for.
    Other(String),
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
    /// Verifies, decrypts and reads `body`.
    pub fn open(
        signature: &Signature<'_>,
        body: &[u8],
        secret: &ComponentSecret,
        component_appid: &Appid,
    ) -> Result<Self, PushError> {
        let envelope = elements(body).ok_or(PushError::NoEnvelope)?;
        // Base64 may be broken into lines.
        let encrypted = envelope.get("Encrypt").ok_or(PushError::NoEnvelope)?;
        let encrypted = &encrypted.split_ascii_whitespace().collect::<String>();
        let Signature { timestamp, nonce, msg_signature } = *signature;
        if !cipher::is_signed(&secret.token, [timestamp, nonce, encrypted], msg_signature) {
            return Err(PushError::BadSignature);
        }
        let keys = [Some(&secret.encoding_aes_key), secret.previous_encoding_aes_key.as_ref()];
        let mut keys = keys.into_iter().flatten().filter_map(Key::parse);
        let opened = keys.find_map(|key| key.decrypt(encrypted)).ok_or(PushError::Undecryptable)?;
        if opened.appid != component_appid.as_str().as_bytes() {
            return Err(PushError::OtherPlatform);
        }
        let message = elements(&opened.message).ok_or(PushError::NoMessage)?;
        if message.get("AppId").map(|appid| appid.trim()) != Some(component_appid.as_str()) {
            return Err(PushError::OtherPlatform);
        }
        Self::read(&message)
    }

    fn read(message: &HashMap<String, String>) -> Result<Self, PushError> {
        let field = |name: &str| message.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
        let info_type = field("InfoType").ok_or(PushError::NoMessage)?;
        let authorized = |appid: &str, code: &str| {
            Some(Info::Authorized(Authorized {
                authorizer_appid: Appid::parse(field(appid)?)?,
                code: AuthorizationCode::parse(field(code)?).ok()?,
                pre_auth_code: field("PreAuthCode").map(PreAuthCode::new),
            }))
        };
        // A time that is none counts as the moment of arrival.
        let create_time = field("CreateTime").and_then(|time| time.parse().ok()).unwrap_or_default();
        let info = match info_type {
            "component_verify_ticket" => {
                field("ComponentVerifyTicket").map(|ticket| Info::Ticket(ComponentVerifyTicket::new(ticket)))
            }
            "authorized" | "updateauthorized" => authorized("AuthorizerAppid", "AuthorizationCode"),
            "unauthorized" => field("AuthorizerAppid").and_then(Appid::parse).map(Info::Unauthorized),
            "notify_third_fasteregister" if field("status") == Some("0") => authorized("appid", "auth_code"),
            other => Some(Info::Other(other.chars().filter(char::is_ascii_graphic).take(64).collect())),
        };
        let info = info.ok_or(PushError::Unstorable)?;
        Ok(Self { create_time: ToldTime::new(create_time), info })
    }
}

/// The texts of the elements right below the root, by name with its case kept: `AppId` and `appid` are
/// different things in the same message. None for what is not well-formed, and for a DOCTYPE.
fn elements(xml: &[u8]) -> Option<HashMap<String, String>> {
    let mut reader = Reader::from_reader(xml);
    let mut elements = HashMap::new();
    let mut depth = 0;
    let mut name = String::new();
    let mut text = String::new();
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                depth += 1;
                if depth == 2 {
                    name = start.name().as_ref().to_owned();
                    text.clear();
                }
            }
            Event::End(_) => {
                if depth == 2 {
                    elements.entry(std::mem::take(&mut name)).or_insert_with(|| std::mem::take(&mut text));
                }
                depth -= 1;
            }
            // White space round a CDATA section is the document's, not the value's.
            Event::Text(part) if depth == 2 => text.push_str(part.trim()),
            Event::CData(part) if depth == 2 => text.push_str(&part),
            Event::GeneralRef(reference) if depth == 2 => match reference.resolve_char_ref().ok()? {
                Some(c) => text.push(c),
                None => text.push_str(resolve_predefined_entity(&reference)?),
            },
            Event::DocType(_) => return None,
            Event::Eof => return (depth == 0 && !elements.is_empty()).then_some(elements),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::super::{ComponentAppSecret, EncodingAesKey, MessageToken};
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
        Push::open(&signature, body.as_bytes(), secret, &appid)
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
        fn any_envelope_is_read_without_a_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = elements(&body);
        }

        #[test]
        fn anything_is_decrypted_without_a_panic(blocks in proptest::collection::vec(any::<[u8; 32]>(), 0..8)) {
            let encrypted = base64::engine::general_purpose::STANDARD.encode(blocks.concat());
            for vector in pushes() {
                let _ = Key::parse(&EncodingAesKey::new(vector.encoding_aes_key)).map(|key| key.decrypt(&encrypted).is_some());
            }
        }
    }

    #[track_caller]
    fn check_elements(xml: &str, expected: Option<&[(&str, &str)]>) {
        let expected = expected.map(|expected| {
            expected.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
        });
        assert_eq!(elements(xml.as_bytes()), expected, "{xml}");
    }

    #[test]
    fn xml_is_read_as_wechat_writes_it() {
        check_elements("<xml><A>1</A><B><![CDATA[2]]></B></xml>", Some(&[("A", "1"), ("B", "2")]));
        check_elements("<xml>\n <B>\n<![CDATA[ x ]]>\n</B>\n</xml>\n", Some(&[("B", " x ")]));
        check_elements(
            "<xml><AppId>a</AppId><appid>b</appid></xml>",
            Some(&[("AppId", "a"), ("appid", "b")]),
        );
        check_elements("<xml><A>1&amp;2&#65;</A></xml>", Some(&[("A", "1&2A")]));
        check_elements(
            "<xml><info><A>inner</A></info><A>outer</A></xml>",
            Some(&[("info", ""), ("A", "outer")]),
        );
        check_elements("<?xml version=\"1.0\"?><xml><A/><B>1</B></xml>", Some(&[("B", "1")]));
    }

    #[test]
    fn what_is_not_plain_xml_is_refused() {
        for xml in [
            "",
            "not xml",
            "{\"AppId\": 1}",
            "<xml><A>1</A>",
            "<xml><A>1</B></xml>",
            "<!DOCTYPE xml [<!ENTITY a \"b\">]><xml><A>&a;</A></xml>",
            "<xml><A>&undefined;</A></xml>",
        ] {
            check_elements(xml, None);
        }
    }
}
