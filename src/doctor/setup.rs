//! What the operator has set: the environment and the secret.

use reqwest::Url;

use super::{Check, bounded};
use crate::config::{Config, RefreshMode, SecretSource};
use crate::deadline::Deadline;
use crate::secrets::SecretError;
use crate::services::Services;

/// What is set. The process only starts with what is well-formed; what can be wrong beyond that is an appid
/// that was typed.
pub(super) fn configuration(config: &Config) -> Check {
    let appid = config.component_appid.as_str();
    let set = [
        format!("COMPONENT_APPID {appid}"),
        format!("WECHAT_API_BASE_URL {}", origin(&config.wechat_api_base_url)),
        format!("WECHAT_PC_BASE_URL {}", origin(&config.wechat_pc_base_url)),
        format!("WECHAT_MOBILE_BASE_URL {}", origin(&config.wechat_mobile_base_url)),
        format!("PUBLIC_BASE_URL {}", config.public_base_url.as_ref().map_or("not set".to_owned(), origin)),
        format!("RETURN_URL {}", config.return_url.as_ref().map_or("not set".to_owned(), origin)),
        format!("REQUIRE_LAUNCH {}", config.require_launch),
        format!("PLATFORM_NAME {}", config.face.name.as_deref().unwrap_or("not set")),
        format!("PLATFORM_LOGO {}", config.face.logo.as_ref().map_or("not set".to_owned(), origin)),
        format!(
            "REFRESH_MODE {}",
            match config.refresh_mode {
                RefreshMode::Proactive => "proactive",
                RefreshMode::OnDemand => "on-demand",
            }
        ),
    ];
    let detail = set.join("; ");
    // WeChat compares it letter by letter and answers 40013.
    if appid.bytes().skip(2).all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        Check::good("configuration", detail)
    } else {
        let detail = format!("COMPONENT_APPID {appid} is not wx and 16 of 0-9 and a-f; {detail}");
        Check::bad(
            "configuration",
            detail,
            "copy the platform's AppID from WeChat's console; its letters are lower case",
        )
    }
}

/// Whether the credentials can be read, and are complete.
pub(super) async fn secret(services: &Services, config: &Config, deadline: Deadline) -> Check {
    let name = "secret";
    bounded(name, deadline, async {
        let secret = match services.secrets.get().await {
            Ok(secret) => secret,
            Err(error) => return Check::bad(name, error.to_string(), fix(&error)),
        };
        let place = match config.component_secret {
            SecretSource::Arn(_) => "in Secrets Manager",
            SecretSource::InPlace(_) => "in COMPONENT_SECRET",
        };
        let previous = [
            ("previous_token", secret.previous_token.is_some()),
            ("previous_encoding_aes_key", secret.previous_encoding_aes_key.is_some()),
        ];
        let previous: Vec<&str> =
            previous.into_iter().filter(|(_, is_set)| *is_set).map(|(name, _)| name).collect();
        let change = match previous[..] {
            [] => String::new(),
            _ => format!(
                "; {} is still set: remove it a day after the change in WeChat's console (just rotate-secret --finish)",
                previous.join(", ")
            ),
        };
        let parts = "component_appsecret, token and an encoding_aes_key of 43 characters";
        Check::good(name, format!("{place}, with {parts}{change}"))
    })
    .await
}

fn fix(error: &SecretError) -> &'static str {
    match error {
        SecretError::Malformed(_) => {
            "put AppSecret, 消息校验Token and 消息加解密Key from WeChat's console into the secret: just \
             rotate-secret asks for them"
        }
        SecretError::Unavailable(code) => match code.as_str() {
            "AccessDeniedException" => {
                "give the function's role secretsmanager:GetSecretValue on COMPONENT_SECRET_ARN, and kms:Decrypt on \
                 its key"
            }
            "ResourceNotFoundException" => {
                "check COMPONENT_SECRET_ARN: this secret does not exist, or has no value"
            }
            _ => {
                "check the path to Secrets Manager: a VPC needs a NAT gateway or an interface endpoint for it"
            }
        },
    }
}

/// Without path and query, where an operator may have put what nobody should read.
fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}
