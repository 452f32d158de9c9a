//! WeChat's list of the accounts that authorize the platform.

use serde_json::Value;

use super::answer::{integer, secret, text};
use super::{Appid, AuthorizerRefreshToken, ToldTime};

/// One page of `api_get_authorizer_list`.
#[derive(Clone, Debug)]
pub struct AuthorizerList {
    /// How many accounts there are on all pages.
    pub total_count: usize,
    /// How many elements the page has, readable or not.
    pub length: usize,
    /// The accounts on this page.
    pub accounts: Vec<ListedAccount>,
}

/// An account that authorizes the platform.
#[derive(Clone, Debug)]
pub struct ListedAccount {
    /// The account.
    pub authorizer_appid: Appid,
    /// Absent until a code of the authorization was exchanged.
    pub refresh_token: Option<AuthorizerRefreshToken>,
    /// When the account authorized, as WeChat tells it.
    pub auth_time: ToldTime,
}

impl AuthorizerList {
    pub(super) fn read(answer: &Value) -> Option<Self> {
        let list = answer["list"].as_array()?;
        let accounts = list.iter().filter_map(|account| {
            Some(ListedAccount {
                authorizer_appid: Appid::parse(&text(&account["authorizer_appid"])?)?,
                refresh_token: secret(&account["refresh_token"], AuthorizerRefreshToken::new),
                auth_time: ToldTime::new(integer(&account["auth_time"]).unwrap_or_default()),
            })
        });
        let total_count = integer(&answer["total_count"]).and_then(|count| count.try_into().ok());
        Some(Self {
            total_count: total_count.unwrap_or(list.len()),
            length: list.len(),
            accounts: accounts.collect(),
        })
    }
}
