//! WeChat's pushes: verified, decrypted and read.
//!
//! Source: 第三方平台 / 授权流程技术说明, 消息加解密说明.

use std::collections::HashMap;

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;
use secrecy::SecretString;
use thiserror::Error;

use super::cipher::{self, Key};
use super::{Appid, AuthorizationCode, ComponentSecret};

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
    /// What was encrypted is not a message.
    #[error("the decrypted push is not a message")]
    NoMessage,
}

/// A push to the authorization event URL (授权事件接收URL).
#[derive(Clone, Debug)]
pub struct Push {
    /// When it happened, in epoch seconds.
    pub create_time: i64,
    /// What happened.
    pub info: Info,
}

/// What a push tells.
#[derive(Clone, Debug)]
pub enum Info {
    /// `component_verify_ticket`
    Ticket(SecretString),
    /// `authorized`, `updateauthorized`, and a `notify_third_fasteregister` that brought an account.
    Authorized(Authorized),
    /// `unauthorized`
    Unauthorized(Appid),
    /// An InfoType that this service has no use for, or one whose fields are not all there.
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
    pub pre_auth_code: Option<SecretString>,
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
        let encrypted = envelope.get("Encrypt").ok_or(PushError::NoEnvelope)?;
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
        if message.get("AppId").map(String::as_str) != Some(component_appid.as_str()) {
            return Err(PushError::OtherPlatform);
        }
        Self::read(&message).ok_or(PushError::NoMessage)
    }

    fn read(message: &HashMap<String, String>) -> Option<Self> {
        let field = |name: &str| message.get(name).map(String::as_str).filter(|text| !text.is_empty());
        let info_type = field("InfoType")?;
        let authorized = |appid: &str, code: &str| {
            Some(Info::Authorized(Authorized {
                authorizer_appid: Appid::parse(field(appid)?)?,
                code: AuthorizationCode::parse(field(code)?).ok()?,
                pre_auth_code: field("PreAuthCode").map(SecretString::from),
            }))
        };
        let info = match info_type {
            "component_verify_ticket" => {
                field("ComponentVerifyTicket").map(|ticket| Info::Ticket(ticket.into()))
            }
            "authorized" | "updateauthorized" => authorized("AuthorizerAppid", "AuthorizationCode"),
            "unauthorized" => field("AuthorizerAppid").and_then(Appid::parse).map(Info::Unauthorized),
            "notify_third_fasteregister" if field("status") == Some("0") => authorized("appid", "auth_code"),
            _ => None,
        };
        Some(Self {
            create_time: field("CreateTime").and_then(|time| time.trim().parse().ok())?,
            info: info.unwrap_or_else(|| {
                Info::Other(info_type.chars().filter(char::is_ascii_graphic).take(64).collect())
            }),
        })
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
