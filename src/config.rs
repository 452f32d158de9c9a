//! What the environment says, read once at start.

use std::net::IpAddr;

use reqwest::Url;
use thiserror::Error;

use crate::wechat::{Appid, ComponentSecret};

/// The configuration of one function. `docs/deploy.md` describes every variable.
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
    /// `PUSHES_TABLE`: the table of pushes that are to be published.
    pub pushes_table: String,
    /// `WECHAT_API_BASE_URL`: where WeChat's API answers.
    pub wechat_api_base_url: Url,
    /// `WECHAT_PC_BASE_URL`: host of the consent page for desktops.
    pub wechat_pc_base_url: Url,
    /// `WECHAT_MOBILE_BASE_URL`: host of the consent page inside WeChat.
    pub wechat_mobile_base_url: Url,
    /// `PUBLIC_BASE_URL`: origin of `/authorize` and `/callback`; the API's own domain if absent.
    pub public_base_url: Option<Url>,
    /// `EVENTS_PATH`: the path of the route for WeChat's pushes, without a slash before it.
    pub events_path: String,
    /// `MESSAGES_PATH`: the same of the route for messages, without the account's appid at its end.
    pub messages_path: String,
    /// `RETURN_URL`: where the confirmation page's button leads.
    pub return_url: Option<Url>,
    /// `RETURN_URL_PREFIX`: below which a service's launch may name another return address.
    pub return_url_prefix: Option<Url>,
    /// `REQUIRE_LAUNCH`: whether a visit without a service's launch is refused.
    pub require_launch: bool,
    /// `UNVOUCHED_PER_SECOND`: how many exchanges a second one instance makes for visits without a service's launch.
    pub unvouched_per_second: u32,
    /// `UNVOUCHED_PER_DAY`: how many exchanges a day all of them share.
    pub unvouched_per_day: u32,
    /// `REFRESH_MODE`.
    pub refresh_mode: RefreshMode,
    /// `PLATFORM_NAME`, `PLATFORM_LOGO`, `SUPPORT_CONTACT`.
    pub face: Face,
}

/// What merchants know the platform by. All of it may be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Face {
    /// The name that merchants know.
    pub name: Option<String>,
    /// The address of a picture.
    pub logo: Option<Url>,
    /// Where merchants ask: an address, a telephone number, a page.
    pub support_contact: Option<String>,
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
        let variables = Variables(variable);
        let component_appid = variables.required("COMPONENT_APPID")?;
        let component_appid = Appid::parse_component(&component_appid)
            .ok_or(malformed("COMPONENT_APPID", "wx and 16 letters or digits"))?;
        Ok(Self {
            component_appid,
            component_secret: variables.secret()?,
            authorizers_table: variables.required("AUTHORIZERS_TABLE")?,
            platform_table: variables.required("PLATFORM_TABLE")?,
            pushes_table: variables.required("PUSHES_TABLE")?,
            wechat_api_base_url: variables.url_or("WECHAT_API_BASE_URL", "https://api.weixin.qq.com")?,
            wechat_pc_base_url: variables.url_or("WECHAT_PC_BASE_URL", "https://mp.weixin.qq.com")?,
            wechat_mobile_base_url: variables
                .url_or("WECHAT_MOBILE_BASE_URL", "https://open.weixin.qq.com")?,
            public_base_url: variables.origin("PUBLIC_BASE_URL")?,
            events_path: variables.optional("EVENTS_PATH").unwrap_or("events".to_owned()),
            messages_path: variables.optional("MESSAGES_PATH").unwrap_or("messages".to_owned()),
            return_url: variables.url("RETURN_URL")?,
            return_url_prefix: variables.url("RETURN_URL_PREFIX")?,
            require_launch: match variables.optional("REQUIRE_LAUNCH").as_deref() {
                Some("true") => true,
                Some("false") | None => false,
                Some(_) => return Err(malformed("REQUIRE_LAUNCH", "true or false")),
            },
            unvouched_per_second: variables.number_or("UNVOUCHED_PER_SECOND", 2)?,
            unvouched_per_day: variables.number_or("UNVOUCHED_PER_DAY", 1000)?,
            refresh_mode: match variables.optional("REFRESH_MODE").as_deref() {
                Some("proactive") | None => RefreshMode::Proactive,
                Some("on-demand") => RefreshMode::OnDemand,
                Some(_) => return Err(malformed("REFRESH_MODE", "proactive or on-demand")),
            },
            face: Face {
                name: variables.line("PLATFORM_NAME", 30, "one line of at most 30 characters")?,
                logo: variables.url("PLATFORM_LOGO")?,
                support_contact: variables.line(
                    "SUPPORT_CONTACT",
                    100,
                    "one line of at most 100 characters",
                )?,
            },
        })
    }
}

/// The environment, read through a function.
struct Variables<F>(F);

impl<F: Fn(&str) -> Option<String>> Variables<F> {
    fn optional(&self, name: &str) -> Option<String> {
        self.0(name).filter(|value| !value.is_empty())
    }

    fn required(&self, name: &'static str) -> Result<String, ConfigError> {
        self.optional(name).ok_or(ConfigError::Missing(name))
    }

    fn number_or(&self, name: &'static str, default: u32) -> Result<u32, ConfigError> {
        let parse = |value: String| value.parse().map_err(|_| malformed(name, "a whole number, 0 or more"));
        self.optional(name).map_or(Ok(default), parse)
    }

    fn line(
        &self,
        name: &'static str,
        most: usize,
        expected: &'static str,
    ) -> Result<Option<String>, ConfigError> {
        let fits = |value: &String| value.chars().count() <= most && !value.chars().any(char::is_control);
        match self.optional(name) {
            Some(value) if !fits(&value) => Err(malformed(name, expected)),
            value => Ok(value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())),
        }
    }

    fn url(&self, name: &'static str) -> Result<Option<Url>, ConfigError> {
        // In a container of `sam local` this machine has another address.
        let anywhere = self.optional("AWS_SAM_LOCAL").is_some();
        let parse = |value: String| {
            parse_http_url(&value, anywhere).ok_or(malformed(name, "an https URL; http only on this machine"))
        };
        self.optional(name).map(parse).transpose()
    }

    fn url_or(&self, name: &'static str, default: &str) -> Result<Url, ConfigError> {
        Ok(match self.url(name)? {
            Some(url) => url,
            None => parse_http_url(default, false).expect("the default is a URL"),
        })
    }

    fn origin(&self, name: &'static str) -> Result<Option<Url>, ConfigError> {
        match self.url(name)? {
            Some(url) if url.as_str().trim_end_matches('/') != url.origin().ascii_serialization() => {
                Err(malformed(name, "an origin such as https://auth.example.com, without a path"))
            }
            url => Ok(url),
        }
    }

    fn secret(&self) -> Result<SecretSource, ConfigError> {
        match (self.optional("COMPONENT_SECRET_ARN"), self.optional("COMPONENT_SECRET")) {
            (Some(arn), _) if arn.starts_with("arn:") => Ok(SecretSource::Arn(arn)),
            (Some(_), _) => Err(malformed("COMPONENT_SECRET_ARN", "the ARN of a Secrets Manager secret")),
            (None, Some(json)) => {
                let expected =
                    "JSON with component_appsecret, token and an encoding_aes_key of 43 characters";
                let secret = ComponentSecret::from_json(&json);
                Ok(SecretSource::InPlace(secret.map_err(|_| malformed("COMPONENT_SECRET", expected))?))
            }
            (None, None) => Err(ConfigError::Missing("COMPONENT_SECRET_ARN")),
        }
    }
}

fn malformed(name: &'static str, expected: &'static str) -> ConfigError {
    ConfigError::Malformed { name, expected }
}

/// An address over TLS, or of this machine: tokens and codes travel over no other network in the clear.
fn parse_http_url(value: &str, anywhere: bool) -> Option<Url> {
    let is_here = |url: &Url| {
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let is_localhost = host == "localhost" || host.ends_with(".localhost");
        is_localhost || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    };
    let is_safe = |url: &Url| url.scheme() == "https" || url.scheme() == "http" && (anywhere || is_here(url));
    Url::parse(value).ok().filter(|url| url.has_host() && is_safe(url))
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
            ("PUSHES_TABLE", "pushes"),
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
        let config = config(&[("RETURN_URL", ""), ("REQUIRE_LAUNCH", "")]).expect("a configuration");
        assert_eq!(config.wechat_api_base_url.as_str(), "https://api.weixin.qq.com/");
        assert_eq!((config.return_url, config.public_base_url), (None, None));
        assert_eq!((config.require_launch, config.refresh_mode), (false, RefreshMode::Proactive));
    }

    #[test]
    fn http_is_for_this_machine() {
        for url in [
            "http://127.0.0.1:9000",
            "http://localhost:9000/x",
            "http://[::1]/",
            "http://a.execute-api.localhost",
        ] {
            assert!(config(&[("WECHAT_API_BASE_URL", url)]).is_ok(), "{url}");
        }
        let container = [("AWS_SAM_LOCAL", "true"), ("WECHAT_API_BASE_URL", "http://172.17.0.1:9001")];
        assert!(config(&container).is_ok());
    }

    #[test]
    fn what_is_missing_is_named() {
        for name in ["COMPONENT_APPID", "AUTHORIZERS_TABLE", "PLATFORM_TABLE", "PUSHES_TABLE"] {
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
        check_malformed("WECHAT_API_BASE_URL", "http://relay.example/weixin-api");
        check_malformed("RETURN_URL", "http://shop.example/done");
        check_malformed("WECHAT_PC_BASE_URL", "http://10.0.0.7");
        check_malformed("REQUIRE_LAUNCH", "yes");
        check_malformed("UNVOUCHED_PER_DAY", "many");
        check_malformed("RETURN_URL_PREFIX", "shop.example");
        check_malformed("REFRESH_MODE", "sometimes");
        check_malformed("PLATFORM_NAME", &"店".repeat(31));
        check_malformed("PLATFORM_NAME", "two\nlines");
        check_malformed("PLATFORM_LOGO", "http://shop.example/logo.png");
        check_malformed("SUPPORT_CONTACT", &"7".repeat(101));
    }
}
