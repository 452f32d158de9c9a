//! WeChat's secrets, each with its own type: where one belongs, another does not compile.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

/// Defines the types. `Debug` shows the name alone; reading the text is the visible verb `expose`.
macro_rules! secrets {
    ($($(#[$attribute:meta])* $name:ident)*) => {$(
        $(#[$attribute])*
        #[derive(Clone, Debug)]
        pub struct $name(SecretString);

        impl $name {
            /// The secret with this text.
            pub fn new(text: impl Into<String>) -> Self {
                Self(SecretString::from(text.into()))
            }

            /// The text, to be sent to WeChat or stored.
            pub fn expose(&self) -> &str {
                self.0.expose_secret()
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.expose() == other.expose()
            }
        }

        impl Eq for $name {}
    )*};
}

secrets! {
    /// `component_access_token`: the platform's own token.
    ComponentAccessToken
    /// `authorizer_access_token`: acts for one account, for two hours.
    AuthorizerAccessToken
    /// `authorizer_refresh_token`: the merchant's authorization itself.
    AuthorizerRefreshToken
    /// `component_verify_ticket`: pushed every ten minutes, exchanged for the platform's token.
    ComponentVerifyTicket
    /// `pre_auth_code`: begins one authorization.
    PreAuthCode
    /// AppSecret of the platform.
    ComponentAppSecret
    /// 消息校验Token: signs pushes.
    MessageToken
    /// 消息加解密Key: 43 characters, encrypts pushes.
    EncodingAesKey
}

/// A token as WeChat has just given it.
#[derive(Clone, Debug)]
pub struct Issued<Token> {
    /// The token.
    pub token: Token,
    /// How long it lives from now.
    pub expires_in: Duration,
}
