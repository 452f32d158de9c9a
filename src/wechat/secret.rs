//! The platform's own credentials.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::cipher::Key;

/// What WeChat's console shows of the platform and nobody else may see: the JSON of
/// `COMPONENT_SECRET_ARN`.
#[derive(Clone, Debug)]
pub struct ComponentSecret {
    /// The AppSecret of the platform.
    pub component_appsecret: SecretString,
    /// 消息校验Token: signs pushes.
    pub token: SecretString,
    /// 消息加解密Key: 43 characters, encrypts pushes.
    pub encoding_aes_key: SecretString,
    /// The key before the last change, while pushes encrypted with it may still arrive.
    pub previous_encoding_aes_key: Option<SecretString>,
}

impl ComponentSecret {
    /// Reads the JSON. The error does not repeat it.
    pub fn from_json(json: &str) -> Result<Self, MalformedSecret> {
        #[derive(Deserialize)]
        struct Json {
            component_appsecret: String,
            token: String,
            encoding_aes_key: String,
            previous_encoding_aes_key: Option<String>,
        }
        let json: Json = serde_json::from_str(json).map_err(|_| MalformedSecret)?;
        let secret = Self {
            component_appsecret: json.component_appsecret.into(),
            token: json.token.into(),
            encoding_aes_key: json.encoding_aes_key.into(),
            previous_encoding_aes_key: json
                .previous_encoding_aes_key
                .filter(|key| !key.is_empty())
                .map(SecretString::from),
        };
        let keys = [Some(&secret.encoding_aes_key), secret.previous_encoding_aes_key.as_ref()];
        let well_formed = !secret.component_appsecret.expose_secret().is_empty()
            && !secret.token.expose_secret().is_empty()
            && keys.into_iter().flatten().all(|key| Key::parse(key).is_some());
        if well_formed { Ok(secret) } else { Err(MalformedSecret) }
    }
}

/// The secret is not the JSON it should be.
#[derive(Debug, thiserror::Error)]
#[error(
    "the component secret is not JSON with component_appsecret, token and an encoding_aes_key of 43 characters"
)]
pub struct MalformedSecret;
