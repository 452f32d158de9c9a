//! The platform's own credentials.

use serde::Deserialize;

use super::cipher::Key;
use super::{ComponentAppSecret, EncodingAesKey, MessageToken};

/// What WeChat's console shows of the platform and nobody else may see: the JSON of
/// `COMPONENT_SECRET_ARN`.
#[derive(Clone, Debug)]
pub struct ComponentSecret {
    /// The AppSecret of the platform.
    pub component_appsecret: ComponentAppSecret,
    /// 消息校验Token: signs pushes.
    pub token: MessageToken,
    /// The token before the last change, while pushes signed with it may still arrive.
    pub previous_token: Option<MessageToken>,
    /// 消息加解密Key: 43 characters, encrypts pushes.
    pub encoding_aes_key: EncodingAesKey,
    /// The key before the last change, while pushes encrypted with it may still arrive.
    pub previous_encoding_aes_key: Option<EncodingAesKey>,
}

impl ComponentSecret {
    /// Reads the JSON. The error does not repeat it.
    pub fn from_json(json: &str) -> Result<Self, MalformedSecret> {
        #[derive(Deserialize)]
        struct Json {
            #[serde(default)]
            component_appsecret: String,
            #[serde(default)]
            token: String,
            previous_token: Option<String>,
            #[serde(default)]
            encoding_aes_key: String,
            previous_encoding_aes_key: Option<String>,
        }
        let json: Json = serde_json::from_str(json).map_err(|_| MalformedSecret("it cannot be read"))?;
        // A line break at the end comes with a value that was read from a file; none of these has blanks.
        let trimmed = |value: String| value.trim().to_owned();
        let if_any = |value: Option<String>| value.map(trimmed).filter(|value| !value.is_empty());
        let json = Json {
            component_appsecret: trimmed(json.component_appsecret),
            token: trimmed(json.token),
            previous_token: if_any(json.previous_token),
            encoding_aes_key: trimmed(json.encoding_aes_key),
            previous_encoding_aes_key: if_any(json.previous_encoding_aes_key),
        };
        let required = [&json.component_appsecret, &json.token, &json.encoding_aes_key];
        if required.iter().any(|value| *value == PLACEHOLDER) {
            return Err(MalformedSecret("the placeholder replace-me is still in it"));
        }
        if required.iter().any(|value| value.is_empty()) {
            return Err(MalformedSecret("one of the three is missing or empty"));
        }
        let secret = Self {
            component_appsecret: ComponentAppSecret::new(json.component_appsecret),
            token: MessageToken::new(json.token),
            previous_token: json.previous_token.map(MessageToken::new),
            encoding_aes_key: EncodingAesKey::new(json.encoding_aes_key),
            previous_encoding_aes_key: json.previous_encoding_aes_key.map(EncodingAesKey::new),
        };
        if Key::parse(&secret.encoding_aes_key).is_none() {
            return Err(MalformedSecret("encoding_aes_key is not a key"));
        }
        if secret.previous_encoding_aes_key.as_ref().is_some_and(|key| Key::parse(key).is_none()) {
            return Err(MalformedSecret("previous_encoding_aes_key is not a key"));
        }
        Ok(secret)
    }
}

/// What the template puts in the place of each value before the operator does.
const PLACEHOLDER: &str = "replace-me";

/// The secret is not the JSON it should be; the reason repeats nothing of it.
#[derive(Debug, thiserror::Error)]
#[error(
    "the component secret is not JSON with component_appsecret, token and an encoding_aes_key of 43 characters: {0}"
)]
pub struct MalformedSecret(&'static str);
