//! WeChat's answers, read without failing on anything that is merely unusual.
//!
//! Fields that are absent, `null` or empty are the same; numbers may be strings; unknown keys are ignored.

use secrecy::SecretString;
use serde_json::Value;

use super::{Appid, CallError, Refusal};

/// The life of a token where WeChat does not say it, in seconds.
const USUAL_LIFE: i64 = 7200;

/// No token lives longer; a larger number is a mistake that must not keep a token from being refreshed.
const LONGEST_LIFE: i64 = 86_400;

/// The parts of `func_info` that are kept before names and descriptions are left out, in bytes: a record
/// must fit into an item of DynamoDB (400 KB) whatever WeChat sends.
const FUNC_INFO_BUDGET: usize = 200_000;

/// The longest text that is kept of a name or a description, in characters.
const LONGEST_TEXT: usize = 1_000;

/// The body of an answer as JSON, if it is one that refuses nothing.
pub(crate) fn read(status: u16, body: &[u8]) -> Result<Value, CallError> {
    let text = String::from_utf8_lossy(body);
    let json = serde_json::from_str(&text).or_else(|_| {
        // WeChat sends names and signatures with raw control characters in them.
        serde_json::from_str(&text.replace(|c: char| c.is_ascii_control(), " "))
    });
    let unreadable = CallError::Unreadable { status, length: body.len() };
    let answer: Value = json.map_err(|_| unreadable.clone())?;
    match Refusal::read(&answer) {
        Some(refusal) => Err(refusal.into()),
        None if answer.is_object() => Ok(answer),
        None => Err(unreadable),
    }
}

/// A token and how long it lives from now, in seconds.
#[derive(Clone, Debug)]
pub struct AccessToken {
    /// The token.
    pub token: SecretString,
    /// Its life in seconds.
    pub expires_in: i64,
}

impl AccessToken {
    pub(crate) fn read(answer: &Value, name: &str) -> Option<Self> {
        let token = secret(&answer[name])?;
        let expires_in = integer(&answer["expires_in"]).unwrap_or(USUAL_LIFE).clamp(0, LONGEST_LIFE);
        Some(Self { token, expires_in })
    }
}

/// The answer of `api_authorizer_token`.
#[derive(Clone, Debug)]
pub struct RefreshedToken {
    /// The new access token.
    pub access_token: AccessToken,
    /// The refresh token to use from now on, where WeChat sent one.
    pub refresh_token: Option<SecretString>,
}

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
    pub refresh_token: Option<SecretString>,
    /// When the account authorized, in epoch seconds.
    pub auth_time: i64,
}

impl AuthorizerList {
    pub(crate) fn read(answer: &Value) -> Option<Self> {
        let list = answer["list"].as_array()?;
        let accounts = list.iter().filter_map(|account| {
            Some(ListedAccount {
                authorizer_appid: Appid::parse(&text(&account["authorizer_appid"])?)?,
                refresh_token: secret(&account["refresh_token"]),
                auth_time: integer(&account["auth_time"]).unwrap_or_default(),
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

/// What a merchant granted: the answer of `api_query_auth`.
///
/// Source: 第三方平台 / 授权账号 / 获取刷新令牌 (getAuthorizerRefreshToken).
#[derive(Clone, Debug)]
pub struct Grant {
    /// The merchant's account.
    pub authorizer_appid: Appid,
    /// Absent when the account has no API permission.
    pub access_token: Option<AccessToken>,
    /// Absent when WeChat gave none.
    pub refresh_token: Option<SecretString>,
    /// The permission sets.
    pub func_info: Vec<PermissionSet>,
}

impl Grant {
    /// The grant in an answer. `known` is the account where a push has already named it.
    pub(crate) fn read(answer: &Value, known: Option<&Appid>) -> Option<Self> {
        let info =
            if answer["authorization_info"].is_object() { &answer["authorization_info"] } else { answer };
        let authorizer_appid = text(&info["authorizer_appid"]).and_then(|appid| Appid::parse(&appid));
        Some(Self {
            authorizer_appid: authorizer_appid.or_else(|| known.cloned())?,
            access_token: AccessToken::read(info, "authorizer_access_token"),
            refresh_token: secret(&info["authorizer_refresh_token"]),
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

/// Who an account is: the answer of `api_get_authorizer_info`.
#[derive(Clone, Debug)]
pub struct AuthorizerInfo {
    /// What is shown of the account.
    pub profile: Profile,
    /// The account's refresh token, once its authorization code was exchanged.
    pub refresh_token: Option<SecretString>,
    /// The permission sets, where WeChat sent them.
    pub func_info: Vec<PermissionSet>,
}

impl AuthorizerInfo {
    pub(crate) fn read(answer: &Value) -> Self {
        let info = &answer["authorizer_info"];
        let authorization = &answer["authorization_info"];
        Self {
            profile: Profile {
                nick_name: text(&info["nick_name"]),
                user_name: text(&info["user_name"]),
                head_img: text(&info["head_img"]),
                principal_name: text(&info["principal_name"]),
                account_type: match info["MiniProgramInfo"].is_object() {
                    true => AccountType::MiniProgram,
                    false => AccountType::OfficialAccount,
                },
                service_type: integer(&info["service_type_info"]["id"]),
                verify_type: integer(&info["verify_type_info"]["id"]),
            },
            refresh_token: secret(&authorization["authorizer_refresh_token"]),
            func_info: permission_sets(&authorization["func_info"]),
        }
    }
}

/// What is shown of an account. Everything but the type is foreign text that may be missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The account's name.
    pub nick_name: Option<String>,
    /// The original id, `gh_…`.
    pub user_name: Option<String>,
    /// The address of the account's picture.
    pub head_img: Option<String>,
    /// The company behind the account.
    pub principal_name: Option<String>,
    /// Which kind of account it is.
    pub account_type: AccountType,
    /// `service_type_info.id`.
    pub service_type: Option<i64>,
    /// `verify_type_info.id`; -1 is unverified.
    pub verify_type: Option<i64>,
}

/// The kinds of accounts that authorize a platform. WeChat's rule: `MiniProgramInfo` makes a Mini Program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountType {
    /// 公众号
    OfficialAccount,
    /// 小程序
    MiniProgram,
}

impl AccountType {
    /// The value of `profile.account_type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OfficialAccount => "official_account",
            Self::MiniProgram => "mini_program",
        }
    }
}

/// A whole number, which WeChat may send as a number or as text.
pub(crate) fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|float| float as i64)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A text that is there and not empty, cut to what a record can hold.
pub(crate) fn text(value: &Value) -> Option<String> {
    let text = value.as_str().filter(|text| !text.is_empty())?;
    Some(text.chars().take(LONGEST_TEXT).collect())
}

/// A secret that is there and not empty, whole whatever its length.
pub(crate) fn secret(value: &Value) -> Option<SecretString> {
    value.as_str().filter(|text| !text.is_empty()).map(SecretString::from)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use secrecy::ExposeSecret;
    use serde_json::json;

    use super::*;

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            let name = prop_oneof![Just("id".to_owned()), Just("funcscope_category".to_owned()), ".{0,6}"];
            prop_oneof![
                vec(inner.clone(), 0..6).prop_map(Value::from),
                vec((name, inner), 0..6).prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in vec(any::<u8>(), 0..200)) {
            let _ = read(200, &bytes);
        }

        #[test]
        fn any_json_is_read_without_a_panic(answer in any_json()) {
            let _ = Grant::read(&answer, None);
            let _ = AuthorizerInfo::read(&answer);
            let _ = read(200, answer.to_string().as_bytes());
        }

        #[test]
        fn a_token_that_is_there_is_read_whatever_surrounds_it(
            access in "[!-~]{1,700}",
            refresh in "[!-~]{1,200}",
            expires_in in any_json(),
            func_info in any_json(),
            other in any_json(),
        ) {
            let answer = json!({"other": other, "authorization_info": {
                "authorizer_appid": "wxf8b4f85f3a794e77",
                "authorizer_access_token": access,
                "authorizer_refresh_token": refresh,
                "expires_in": expires_in,
                "func_info": func_info,
                "more": other,
            }});
            let answer = read(200, answer.to_string().as_bytes()).expect("it refuses nothing");
            let grant = Grant::read(&answer, None).expect("a grant");
            let token = grant.access_token.expect("the access token");
            prop_assert_eq!(token.token.expose_secret(), access.as_str());
            prop_assert!((0..=LONGEST_LIFE).contains(&token.expires_in));
            let token = grant.refresh_token.expect("the refresh token");
            prop_assert_eq!(token.expose_secret(), refresh.as_str());
        }
    }

    #[test]
    fn numbers_may_be_text_and_absent_null_and_empty_are_the_same() {
        for refresh_token in [Value::Null, json!("")] {
            let answer = json!({"authorization_info": {
                "authorizer_appid": "wxf8b4f85f3a794e77",
                "authorizer_access_token": "access",
                "authorizer_refresh_token": refresh_token,
                "expires_in": "7200",
                "func_info": [
                    {"funcscope_category": {"id": "24", "type": "0", "name": "", "desc": null}},
                    {"funcscope_category": {"name": "no id"}},
                    {"funcscope_category": {"id": 1}, "confirm_info": {"need_confirm": "1", "can_confirm": 0}},
                    7,
                ],
            }});
            let grant = Grant::read(&answer, None).expect("a grant");
            assert!(grant.refresh_token.is_none());
            assert_eq!(grant.access_token.expect("a token").expires_in, 7200);
            let confirm_info =
                ConfirmInfo { need_confirm: Some(1), already_confirm: None, can_confirm: Some(0) };
            let expected = [
                PermissionSet { id: 24, kind: Some(0), ..PermissionSet::default() },
                PermissionSet { id: 1, confirm_info: Some(confirm_info), ..PermissionSet::default() },
            ];
            assert_eq!(grant.func_info, expected);
        }
    }

    #[test]
    fn control_characters_inside_names_are_no_obstacle() {
        let answer =
            read(200, b"{\"authorizer_info\":{\"nick_name\":\"Tea\x01 house\n\"}}").expect("readable");
        assert_eq!(AuthorizerInfo::read(&answer).profile.nick_name.as_deref(), Some("Tea  house "));
    }

    #[test]
    fn a_func_info_beyond_what_a_record_holds_keeps_every_id() {
        let set = |id| json!({"funcscope_category": {"id": id, "desc": "x".repeat(900)}});
        let answer = json!({"authorizer_appid": "wx1", "func_info": (0..1000).map(set).collect::<Vec<_>>()});
        let grant = Grant::read(&answer, None).expect("a grant");
        assert_eq!(grant.func_info.len(), 1000);
        assert!(grant.func_info[0].desc.is_some() && grant.func_info[999].desc.is_none());
    }
}
