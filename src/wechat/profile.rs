//! Who an account is.

use serde_json::Value;

use super::answer::{integer, secret, text};
use super::grant::permission_sets;
use super::{AuthorizerRefreshToken, PermissionSet};

/// Who an account is: the answer of `api_get_authorizer_info`.
#[derive(Clone, Debug)]
pub struct AuthorizerInfo {
    /// What is shown of the account.
    pub profile: Profile,
    /// The account's refresh token, once its authorization code was exchanged.
    pub refresh_token: Option<AuthorizerRefreshToken>,
    /// The permission sets, where WeChat sent them.
    pub func_info: Vec<PermissionSet>,
}

impl AuthorizerInfo {
    pub(super) fn read(answer: &Value) -> Self {
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
            refresh_token: secret(&authorization["authorizer_refresh_token"], AuthorizerRefreshToken::new),
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
