//! What the environment says, read once at start.

use reqwest::Url;
use thiserror::Error;

use crate::wechat::{Appid, ComponentSecret};

/// The configuration of one function. Every variable is described in the README.
#[derive(Clone, Debug)]
pub struct Config {
    /// `COMPONENT_APPID`: the platform's appid.
    pub component_appid: Appid,
    /// `COMPONENT_SECRET_ARN` or `COMPONENT_SECRET`.
    pub component_secret: SecretSource,
    /// `AUTHORIZERS_TABLE`: the table of authorizer records.
    pub authorizers_table: String,
    /// `PLATFORM_TABLE`: the table of the service's private state.
    pub platform_table: String,
    /// `WECHAT_API_BASE_URL`: where WeChat's API answers.
    pub wechat_api_base_url: Url,
    /// `WECHAT_PC_BASE_URL`: host of the consent page for desktops.
    pub wechat_pc_base_url: Url,
    /// `WECHAT_MOBILE_BASE_URL`: host of the consent page inside WeChat.
    pub wechat_mobile_base_url: Url,
    /// `PUBLIC_BASE_URL`: origin of `/authorize` and `/callback`; the API's own domain if absent.
    pub public_base_url: Option<Url>,
    /// `RETURN_URL`: where the confirmation page's button leads.
    pub return_url: Option<Url>,
    /// `REQUIRE_STATE`: whether a callback without the state of a launch is refused.
    pub require_state: bool,
    /// `REFRESH_MODE`.
    pub refresh_mode: RefreshMode,
}

/// Where the platform's secret comes from.
#[derive(Clone, Debug)]
pub enum SecretSource {
    /// The ARN of a Secrets Manager secret.
    Arn(String),
    /// The secret itself, for local runs.
    InPlace(ComponentSecret),
}

/// Which authorizer tokens the `refresh` function keeps fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshMode {
    /// All of them, before they expire.
    Proactive,
    /// Those that `token` is asked for, and those that would otherwise be forgotten by WeChat.
    OnDemand,
}

/// A variable that keeps the function from starting. Never shows the variable's value.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ConfigError {
    /// A required variable is not set.
    #[error("environment variable {0} is not set")]
    Missing(&'static str),
    /// A variable has a value that cannot be right.
    #[error("environment variable {name} is malformed: expected {expected}")]
    Malformed {
        /// The variable.
        name: &'static str,
        /// What a good value looks like.
        expected: &'static str,
    },
}

impl Config {
    /// Reads the configuration through `variable`, which returns the value of an environment
    /// variable. An empty value counts as not set, because a template cannot leave one out.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let optional = |name: &str| variable(name).filter(|value| !value.is_empty());
        let required = |name| optional(name).ok_or(ConfigError::Missing(name));
        let url = |name| -> Result<Option<Url>, ConfigError> {
            optional(name)
                .map(|value| {
                    parse_http_url(&value)
                        .ok_or(ConfigError::Malformed { name, expected: "an http or https URL" })
                })
                .transpose()
        };
        let url_or = |name, default: &str| -> Result<Url, ConfigError> {
            match url(name)? {
                Some(url) => Ok(url),
                None => Ok(parse_http_url(default).expect("the default is a URL")),
            }
        };

        let component_appid =
            Appid::parse_component(&required("COMPONENT_APPID")?).ok_or(ConfigError::Malformed {
                name: "COMPONENT_APPID",
                expected: "wx and 16 letters or digits",
            })?;
        let component_secret = match (optional("COMPONENT_SECRET_ARN"), optional("COMPONENT_SECRET")) {
            (Some(arn), _) if arn.starts_with("arn:") => SecretSource::Arn(arn),
            (Some(_), _) => {
                return Err(ConfigError::Malformed {
                    name: "COMPONENT_SECRET_ARN",
                    expected: "the ARN of a Secrets Manager secret",
                });
            }
            (None, Some(json)) => SecretSource::InPlace(ComponentSecret::from_json(&json).map_err(|_| {
                ConfigError::Malformed {
                    name: "COMPONENT_SECRET",
                    expected: "JSON with component_appsecret, token and an encoding_aes_key of 43 characters",
                }
            })?),
            (None, None) => return Err(ConfigError::Missing("COMPONENT_SECRET_ARN")),
        };

        Ok(Self {
            component_appid,
            component_secret,
            authorizers_table: required("AUTHORIZERS_TABLE")?,
            platform_table: required("PLATFORM_TABLE")?,
            wechat_api_base_url: url_or("WECHAT_API_BASE_URL", "https://api.weixin.qq.com")?,
            wechat_pc_base_url: url_or("WECHAT_PC_BASE_URL", "https://mp.weixin.qq.com")?,
            wechat_mobile_base_url: url_or("WECHAT_MOBILE_BASE_URL", "https://open.weixin.qq.com")?,
            public_base_url: match url("PUBLIC_BASE_URL")? {
                Some(url) if url.as_str().trim_end_matches('/') != url.origin().ascii_serialization() => {
                    return Err(ConfigError::Malformed {
                        name: "PUBLIC_BASE_URL",
                        expected: "an origin such as https://auth.example.com, without a path",
                    });
                }
                url => url,
            },
            return_url: url("RETURN_URL")?,
            require_state: match optional("REQUIRE_STATE").as_deref() {
                Some("true") => true,
                Some("false") | None => false,
                Some(_) => {
                    return Err(ConfigError::Malformed { name: "REQUIRE_STATE", expected: "true or false" });
                }
            },
            refresh_mode: match optional("REFRESH_MODE").as_deref() {
                Some("proactive") | None => RefreshMode::Proactive,
                Some("on-demand") => RefreshMode::OnDemand,
                Some(_) => {
                    return Err(ConfigError::Malformed {
                        name: "REFRESH_MODE",
                        expected: "proactive or on-demand",
                    });
                }
            },
        })
    }
}

fn parse_http_url(value: &str) -> Option<Url> {
    Url::parse(value).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = r#"{"component_appsecret": "s", "token": "t",
        "encoding_aes_key": "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"}"#;

    /// The configuration with `changes` to a good environment; an empty value unsets a variable.
    fn config(changes: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let good = [
            ("COMPONENT_APPID", "wx134c8103faa5a59e"),
            ("COMPONENT_SECRET", SECRET),
            ("AUTHORIZERS_TABLE", "authorizers"),
            ("PLATFORM_TABLE", "platform"),
        ];
        let value = |name: &str| {
            let change = changes.iter().find(|(changed, _)| *changed == name);
            change.or_else(|| good.iter().find(|(set, _)| *set == name)).map(|(_, value)| (*value).to_owned())
        };
        Config::from_variables(value)
    }

    #[track_caller]
    fn check_malformed(name: &str, value: &str) {
        let error = config(&[(name, value)]).expect_err("it is malformed").to_string();
        assert!(
            error.starts_with(&format!("environment variable {name} is malformed: expected ")),
            "{error}"
        );
        assert!(!error.contains(value), "the value is shown: {error}");
    }

    #[test]
    fn what_is_not_set_has_its_default() {
        let config = config(&[("RETURN_URL", ""), ("REQUIRE_STATE", "")]).expect("a configuration");
        assert_eq!(config.wechat_api_base_url.as_str(), "https://api.weixin.qq.com/");
        assert_eq!((config.return_url, config.public_base_url), (None, None));
        assert_eq!((config.require_state, config.refresh_mode), (false, RefreshMode::Proactive));
    }

    #[test]
    fn what_is_missing_is_named() {
        for name in ["COMPONENT_APPID", "AUTHORIZERS_TABLE", "PLATFORM_TABLE"] {
            assert_eq!(config(&[(name, "")]).err(), Some(ConfigError::Missing(name)));
        }
        let error = config(&[("COMPONENT_SECRET", "")]).err();
        assert_eq!(error, Some(ConfigError::Missing("COMPONENT_SECRET_ARN")));
    }

    #[test]
    fn what_is_malformed_is_named_and_not_shown() {
        check_malformed("COMPONENT_APPID", "gh_eb5e3a772040");
        check_malformed("COMPONENT_SECRET_ARN", "s3cret");
        check_malformed("COMPONENT_SECRET", "{\"component_appsecret\": \"s3cret\"}");
        check_malformed("WECHAT_API_BASE_URL", "api.weixin.qq.example");
        check_malformed("RETURN_URL", "javascript:alert(1)");
        check_malformed("PUBLIC_BASE_URL", "https://auth.shop.example/with/a/path");
        check_malformed("REQUIRE_STATE", "yes");
        check_malformed("REFRESH_MODE", "sometimes");
    }
}
