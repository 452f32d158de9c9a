//! What the link to the consent page carries, and WeChat's objections to it.

use std::collections::BTreeMap;

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use reqwest::Url;

use super::super::account::{Account, Kind};
use super::super::credentials;
use super::super::ledger::Ledger;
use super::html;

/// A link that WeChat accepts.
pub(super) struct Consent {
    pub(super) pre_auth_code: String,
    redirect_uri: Url,
    auth_type: String,
    biz_appid: String,
}

/// The page that WeChat shows in place of the consent.
#[derive(Template)]
#[template(path = "refused.html")]
pub(super) struct Refused {
    message: String,
    advice: &'static str,
}

impl Consent {
    /// Reads the link's query, or the form that repeats it.
    pub(super) fn read(query: &str, ledger: &Ledger, now: i64) -> Result<Self, Refused> {
        let mut fields: BTreeMap<_, _> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let mut field = |name| fields.remove(name).unwrap_or_default();
        if field("component_appid") != credentials::COMPONENT_APPID {
            return Err(Refused::new("参数错误：component_appid", "The link names another platform."));
        }
        let pre_auth_code = field("pre_auth_code");
        if !ledger.accepts_pre_auth_code(&pre_auth_code, now) {
            return Err(Refused::new(
                "预授权码无效或已过期，请返回重新发起授权",
                "A pre_auth_code lives for 30 minutes and completes one authorization. Start again.",
            ));
        }
        let redirect_uri = Url::parse(&field("redirect_uri")).map_err(|_| {
            Refused::new("参数错误：redirect_uri", "The redirect_uri is missing or not encoded.")
        })?;
        let consent = Self {
            pre_auth_code,
            redirect_uri,
            auth_type: field("auth_type"),
            biz_appid: field("biz_appid"),
        };
        if !same_host(host(&consent.redirect_uri), &ledger.launch_host) {
            return Err(Refused::new(
                "redirect_uri的域名不是授权登录页域名",
                "The host of redirect_uri must be the configured 授权发起页域名.",
            ));
        }
        Ok(consent)
    }

    /// The page the visitor comes from must have the configured host; the browser names it in the Referer.
    pub(super) fn check_launch_page(&self, referer: Option<&str>, ledger: &Ledger) -> Result<(), Refused> {
        let referer = referer.and_then(|referer| Url::parse(referer).ok());
        let launch_host = referer.as_ref().map_or("", host);
        if same_host(launch_host, &ledger.launch_host) {
            return Ok(());
        }
        let shown = if launch_host.is_empty() { "空" } else { launch_host };
        let message = format!(
            "请确认授权入口页所在域名，与授权后回调页的域名相同，并且，此两者都必须与申请第三方平台时填写的授权发起页域名相同。\
             授权入口页所在域名：{shown}，授权后回调页域名：{}",
            host(&self.redirect_uri),
        );
        Err(Refused { message, advice: "Open this page by a link on the platform's own launch page." })
    }

    /// Whether the link lets this account authorize. `biz_appid` overrides `auth_type`, of which 4 is for accounts (小程序推客)
    /// that are not here.
    pub(super) fn admits(&self, account: &Account) -> bool {
        if !self.biz_appid.is_empty() {
            return account.appid == self.biz_appid;
        }
        match self.auth_type.as_str() {
            "1" => account.kind == Kind::OfficialAccount,
            "2" => account.kind == Kind::MiniProgram,
            "4" => false,
            "5" => account.kind == Kind::Channels,
            "6" => true,
            "8" => account.kind == Kind::Talent,
            _ => matches!(account.kind, Kind::OfficialAccount | Kind::MiniProgram),
        }
    }

    /// Where the browser goes once the merchant agreed.
    pub(super) fn redirect(&self, code: &str) -> String {
        let mut url = self.redirect_uri.clone();
        url.query_pairs_mut().append_pair("auth_code", code).append_pair("expires_in", "3600");
        url.into()
    }
}

impl Refused {
    pub(super) fn new(message: &str, advice: &'static str) -> Self {
        Self { message: message.to_owned(), advice }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        html(StatusCode::OK, &self)
    }
}

fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}

/// On this machine both names are the same place.
fn same_host(host: &str, configured: &str) -> bool {
    let canonical = |host: &str| if host == "localhost" { "127.0.0.1".to_owned() } else { host.to_owned() };
    canonical(host) == canonical(configured)
}
