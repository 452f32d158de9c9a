//! What a merchant grants: tokens and permission sets.

use serde_json::Value;

use super::answer::{integer, issued, secret, text};
use super::{Appid, AuthorizerAccessToken, AuthorizerRefreshToken, Issued};

/// The parts of `func_info` that are kept before names and descriptions are left out, in bytes: a record
/// must fit into an item of DynamoDB (400 KB) whatever WeChat sends.
const FUNC_INFO_BUDGET: usize = 200_000;

/// What a merchant granted: the answer of `api_query_auth`.
///
/// Source: 第三方平台 / 授权账号 / 获取刷新令牌 (getAuthorizerRefreshToken).
#[derive(Clone, Debug)]
pub struct Grant {
    /// The merchant's account.
    pub authorizer_appid: Appid,
    /// Absent when the account has no API permission.
    pub access_token: Option<Issued<AuthorizerAccessToken>>,
    /// Absent when WeChat gave none.
    pub refresh_token: Option<AuthorizerRefreshToken>,
    /// The permission sets.
    pub func_info: Vec<PermissionSet>,
}

impl Grant {
    /// The grant in an answer. `known` is the account where a push has already named it.
    pub(super) fn read(answer: &Value, known: Option<&Appid>) -> Option<Self> {
        let info =
            if answer["authorization_info"].is_object() { &answer["authorization_info"] } else { answer };
        let authorizer_appid = text(&info["authorizer_appid"]).and_then(|appid| Appid::parse(&appid));
        Some(Self {
            authorizer_appid: authorizer_appid.or_else(|| known.cloned())?,
            access_token: issued(info, "authorizer_access_token", AuthorizerAccessToken::new),
            refresh_token: secret(&info["authorizer_refresh_token"], AuthorizerRefreshToken::new),
            func_info: permission_sets(&info["func_info"]),
        })
    }
}

/// One element of `func_info`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PermissionSet {
    /// WeChat's number of the set. The list grows, so it is no enum.
    pub id: i64,
    /// `type`, where WeChat sent it.
    pub kind: Option<i64>,
    /// WeChat's name of the set.
    pub name: Option<String>,
    /// WeChat's description of the set.
    pub desc: Option<String>,
    /// `confirm_info`, where WeChat sent it.
    pub confirm_info: Option<ConfirmInfo>,
}

/// Whether a permission set waits for a confirmation; each 0 or 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfirmInfo {
    /// The set must be confirmed.
    pub need_confirm: Option<i64>,
    /// The set was confirmed.
    pub already_confirm: Option<i64>,
    /// The set can be confirmed.
    pub can_confirm: Option<i64>,
}

/// The permission sets of a list that WeChat sent; none where it is no list, or nothing in it can be read.
pub(super) fn told_permission_sets(func_info: &Value) -> Option<Vec<PermissionSet>> {
    let elements = func_info.as_array()?;
    let sets = permission_sets(func_info);
    (elements.is_empty() || !sets.is_empty()).then_some(sets)
}

fn permission_sets(func_info: &Value) -> Vec<PermissionSet> {
    let mut size = 0;
    let elements = func_info.as_array().map(Vec::as_slice).unwrap_or_default();
    let sets = elements.iter().filter_map(|element| {
        let category = &element["funcscope_category"];
        let confirm_info = &element["confirm_info"];
        let mut set = PermissionSet {
            id: integer(&category["id"])?,
            kind: integer(&category["type"]),
            name: text(&category["name"]),
            desc: text(&category["desc"]),
            confirm_info: confirm_info.is_object().then(|| ConfirmInfo {
                need_confirm: integer(&confirm_info["need_confirm"]),
                already_confirm: integer(&confirm_info["already_confirm"]),
                can_confirm: integer(&confirm_info["can_confirm"]),
            }),
        };
        size += 100 + set.name.as_ref().map_or(0, String::len) + set.desc.as_ref().map_or(0, String::len);
        if size > FUNC_INFO_BUDGET {
            set = PermissionSet { id: set.id, ..PermissionSet::default() };
        }
        Some(set)
    });
    sets.take(FUNC_INFO_BUDGET / 100).collect()
}

/// The answer of `api_authorizer_token`.
#[derive(Clone, Debug)]
pub struct RefreshedToken {
    /// The new access token.
    pub access_token: Issued<AuthorizerAccessToken>,
    /// The refresh token to use from now on, where WeChat sent one.
    pub refresh_token: Option<AuthorizerRefreshToken>,
}

impl RefreshedToken {
    pub(super) fn read(answer: &Value) -> Option<Self> {
        Some(Self {
            access_token: issued(answer, "authorizer_access_token", AuthorizerAccessToken::new)?,
            refresh_token: secret(&answer["authorizer_refresh_token"], AuthorizerRefreshToken::new),
        })
    }
}
