//! What WeChat pushes to the authorization event URL (授权事件接收URL) and to the message URL (消息与事件接收URL): encrypted,
//! signed, and a request.

mod cipher;

use super::credentials;
use crate::gateway::request::HttpRequest;
use crate::opaque;

/// How long the code in a push lives, in seconds.
const CODE_LIFE: i64 = 3600;

/// One push. Sent as it is or changed; a clone is the same push once more, as WeChat may repeat it.
///
/// An instance of `events` or `messages` takes it as a request: `sandbox.events().request(wechat.push_ticket())`.
#[derive(Clone, Debug)]
pub struct Push {
    message: Message,
    create_time: i64,
    timestamp: i64,
    nonce: String,
    random: [u8; 16],
    token: String,
    encoding_aes_key: String,
    appid: String,
}

#[derive(Clone, Debug)]
enum Message {
    Info {
        info_type: &'static str,
        fields: Vec<(&'static str, String)>,
    },
    /// Of a user of an account, whose appid and original id these are.
    Account {
        authorizer_appid: String,
        user_name: String,
        fields: Vec<(&'static str, String)>,
    },
    Xml(String),
}

/// The fields of `authorized` and `updateauthorized`.
pub(super) fn authorization(
    authorizer_appid: &str,
    code: &str,
    pre_auth_code: Option<&str>,
) -> Vec<(&'static str, String)> {
    let mut fields =
        vec![("AuthorizerAppid", authorizer_appid.to_owned()), ("AuthorizationCode", code.to_owned())];
    fields.extend(pre_auth_code.map(|code| ("PreAuthCode", code.to_owned())));
    fields
}

impl Push {
    pub(super) fn of(info_type: &'static str, fields: Vec<(&'static str, String)>, now: i64) -> Self {
        Self::new(Message::Info { info_type, fields }, now)
    }

    pub(super) fn of_account(
        authorizer_appid: &str,
        user_name: &str,
        fields: Vec<(&'static str, String)>,
        now: i64,
    ) -> Self {
        let (authorizer_appid, user_name) = (authorizer_appid.to_owned(), user_name.to_owned());
        Self::new(Message::Account { authorizer_appid, user_name, fields }, now)
    }

    /// A message that is sent as it is.
    pub(super) fn of_xml(xml: &str, now: i64) -> Self {
        Self::new(Message::Xml(xml.to_owned()), now)
    }

    fn new(message: Message, now: i64) -> Self {
        let mut random = [0; 16];
        random.copy_from_slice(opaque::hex(16).as_bytes());
        Self {
            message,
            create_time: now,
            timestamp: now,
            nonce: fastrand::u32(100_000_000..).to_string(),
            random,
            token: credentials::TOKEN.to_owned(),
            encoding_aes_key: credentials::ENCODING_AES_KEY.to_owned(),
            appid: credentials::COMPONENT_APPID.to_owned(),
        }
    }

    /// What happened did so at another time.
    pub fn created_at(self, create_time: i64) -> Self {
        Self { create_time, ..self }
    }

    /// Signed at another time.
    pub fn signed_at(self, timestamp: i64) -> Self {
        Self { timestamp, ..self }
    }

    /// Signed with another token.
    pub fn with_token(self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self }
    }

    /// Signed with the token that was changed, as a push under way at that moment is.
    pub fn with_previous_token(self) -> Self {
        self.with_token(credentials::PREVIOUS_TOKEN)
    }

    /// Encrypted with the key that was changed, as a push under way at that moment is.
    pub fn with_previous_key(self) -> Self {
        self.with_key(credentials::PREVIOUS_ENCODING_AES_KEY)
    }

    /// Encrypted with any key of 43 characters.
    pub fn with_key(self, encoding_aes_key: &str) -> Self {
        Self { encoding_aes_key: encoding_aes_key.to_owned(), ..self }
    }

    /// With the appid of another platform behind the message; the message itself names ours.
    pub fn with_appid(self, appid: &str) -> Self {
        Self { appid: appid.to_owned(), ..self }
    }

    /// Without chance: the same push is the same bytes every time.
    pub fn reproducible(self) -> Self {
        Self { nonce: "1221527777".to_owned(), random: *b"sandboxsandbox00", ..self }
    }

    /// The message inside.
    pub fn xml(&self) -> String {
        let (info_type, fields) = match &self.message {
            Message::Xml(xml) => return xml.clone(),
            Message::Account { user_name, fields, .. } => {
                let mut xml = format!(
                    "<xml><ToUserName><![CDATA[{user_name}]]></ToUserName>\n<CreateTime>{}</CreateTime>\n",
                    self.create_time
                );
                for (name, value) in fields {
                    xml.push_str(&format!("<{name}><![CDATA[{value}]]></{name}>\n"));
                }
                return xml + "</xml>";
            }
            Message::Info { info_type, fields } => (info_type, fields),
        };
        let mut xml = format!(
            "<xml><AppId><![CDATA[{}]]></AppId>\n<CreateTime>{}</CreateTime>\n<InfoType><![CDATA[{info_type}]]></InfoType>\n",
            credentials::COMPONENT_APPID,
            self.create_time,
        );
        for (name, value) in fields {
            xml.push_str(&format!("<{name}><![CDATA[{value}]]></{name}>\n"));
            if *name == "AuthorizationCode" {
                // A point in time and not a span, whatever the documentation's table calls it.
                let expired = self.create_time + CODE_LIFE;
                xml.push_str(&format!(
                    "<AuthorizationCodeExpiredTime>{expired}</AuthorizationCodeExpiredTime>\n"
                ));
            }
        }
        xml.push_str("</xml>");
        xml
    }

    /// The `InfoType` of the message, or its `MsgType`; empty where it has neither.
    pub fn info_type(&self) -> String {
        let xml = self.xml();
        let text = |name: &str| {
            let (_, rest) = xml.split_once(&format!("<{name}>"))?;
            let (text, _) = rest.split_once(&format!("</{name}>"))?;
            Some(text.trim().trim_start_matches("<![CDATA[").trim_end_matches("]]>").to_owned())
        };
        text("InfoType").or_else(|| text("MsgType")).unwrap_or_default()
    }

    /// The account whose user it is of; none for a push to the authorization event URL.
    pub(super) fn authorizer_appid(&self) -> Option<&str> {
        match &self.message {
            Message::Account { authorizer_appid, .. } => Some(authorizer_appid),
            _ => None,
        }
    }

    /// The push as a request for `/events` or `/messages/{appid}`.
    pub fn request(&self) -> HttpRequest {
        let encrypted = cipher::encrypt(&self.encoding_aes_key, &self.random, &self.xml(), &self.appid);
        let timestamp = self.timestamp.to_string();
        let signature = cipher::sign(&[&self.token, &timestamp, &self.nonce]);
        let msg_signature = cipher::sign(&[&self.token, &timestamp, &self.nonce, &encrypted]);
        let nonce = &self.nonce;
        let query = format!(
            "signature={signature}&timestamp={timestamp}&nonce={nonce}&encrypt_type=aes&msg_signature={msg_signature}"
        );
        let (path, (name, value)) = match &self.message {
            Message::Account { authorizer_appid, user_name, .. } => {
                (format!("/messages/{authorizer_appid}"), ("ToUserName", user_name.as_str()))
            }
            _ => ("/events".to_owned(), ("AppId", credentials::COMPONENT_APPID)),
        };
        let body = format!(
            "<xml>\n    <{name}><![CDATA[{value}]]></{name}>\n    <Encrypt><![CDATA[{encrypted}]]></Encrypt>\n</xml>\n",
        );
        HttpRequest::post(&format!("{path}?{query}"), body)
            .header("Content-Type", "text/xml")
            .header("User-Agent", "Mozilla/4.0")
    }
}

impl From<Push> for HttpRequest {
    fn from(push: Push) -> Self {
        push.request()
    }
}
