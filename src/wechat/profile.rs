//! Who an account is.

use serde_json::Value;

use super::answer::{integer, secret, text};
use super::grant::told_permission_sets;
use super::{AuthorizerRefreshToken, PermissionSet};

/// How many categories of a Mini Program are kept, and how many characters of each name: a record must fit into an item
/// of DynamoDB whatever WeChat sends. Mini Programs have five at most.
const MOST_CATEGORIES: usize = 50;
const LONGEST_CATEGORY: usize = 100;

/// Who an account is: the answer of `api_get_authorizer_info`.
///
/// Source: 第三方平台 / 授权账号 / 获取授权账号详情 (getAuthorizerInfo).
#[derive(Clone, Debug)]
pub struct AuthorizerInfo {
    /// What is shown of the account; none if the answer does not mention it.
    pub profile: Option<Profile>,
    /// The account's refresh token, once its authorization code was exchanged.
    pub refresh_token: Option<AuthorizerRefreshToken>,
    /// The permission sets; none if WeChat sent no list of them.
    pub func_info: Option<Vec<PermissionSet>>,
}

impl AuthorizerInfo {
    pub(super) fn read(answer: &Value) -> Self {
        let authorization = &answer["authorization_info"];
        Self {
            profile: Profile::read(answer),
            refresh_token: secret(&authorization["authorizer_refresh_token"], AuthorizerRefreshToken::new),
            func_info: told_permission_sets(&authorization["func_info"]),
        }
    }
}

/// What is shown of an account. Everything but the type is foreign and may be missing; numbers that are not known yet
/// are kept as they are.
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
    /// The name that followers can search for, 微信号.
    pub alias: Option<String>,
    /// The address of the account's QR code. WeChat does not promise that it stays the same.
    pub qrcode_url: Option<String>,
    /// Which kind of account it is.
    pub account_type: AccountType,
    /// 1 normal, 14 cancelled, 16 banned, 18 warned, 19 frozen.
    pub account_status: Option<i64>,
    /// How a Mini Program was registered.
    pub register_type: Option<i64>,
    /// `service_type_info.id`.
    pub service_type: Option<i64>,
    /// `verify_type_info.id`; -1 is unverified.
    pub verify_type: Option<i64>,
    /// The categories (类目) of a Mini Program.
    pub categories: Vec<Category>,
}

/// A category of a Mini Program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Category {
    /// 一级类目
    pub first: Option<String>,
    /// 二级类目
    pub second: Option<String>,
}

impl Profile {
    fn read(answer: &Value) -> Option<Self> {
        let info = &answer["authorizer_info"];
        if info.as_object().is_none_or(|info| info.is_empty()) {
            return None;
        }
        Some(Self {
            nick_name: text(&info["nick_name"]),
            user_name: text(&info["user_name"]),
            head_img: text(&info["head_img"]),
            principal_name: text(&info["principal_name"]),
            alias: text(&info["alias"]),
            // WeChat's older pages have it beside `authorizer_info`.
            qrcode_url: text(&info["qrcode_url"]).or_else(|| text(&answer["qrcode_url"])),
            account_type: AccountType::read(info),
            account_status: integer(&info["account_status"]),
            register_type: integer(&info["register_type"]),
            service_type: integer(&info["service_type_info"]["id"]),
            verify_type: integer(&info["verify_type_info"]["id"]),
            categories: categories(&info["MiniProgramInfo"]["categories"]),
        })
    }

    /// This profile, with what an account always has from `stored` where WeChat did not tell it this time.
    pub(crate) fn completed(self, stored: &Self) -> Self {
        Self {
            nick_name: self.nick_name.or_else(|| stored.nick_name.clone()),
            user_name: self.user_name.or_else(|| stored.user_name.clone()),
            principal_name: self.principal_name.or_else(|| stored.principal_name.clone()),
            ..self
        }
    }

    /// Whether this is another profile than `other`. Another address of the same QR code makes none.
    pub(crate) fn differs(&self, other: &Self) -> bool {
        *self != Self { qrcode_url: self.qrcode_url.clone(), ..other.clone() }
    }
}

fn categories(categories: &Value) -> Vec<Category> {
    let name = |value: &Value| text(value).map(|name| name.chars().take(LONGEST_CATEGORY).collect());
    let categories = categories.as_array().into_iter().flatten();
    let categories = categories
        .map(|category| Category { first: name(&category["first"]), second: name(&category["second"]) })
        .filter(|category| *category != Category::default());
    categories.take(MOST_CATEGORIES).collect()
}

/// The kinds of accounts that authorize a platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountType {
    /// 公众号 or 服务号
    OfficialAccount,
    /// 小程序
    MiniProgram,
    /// 视频号
    Channels,
    /// 微信小店
    Store,
    /// 带货助手
    Talent,
    /// 供货商
    Supplier,
    /// A kind that WeChat has added since.
    Other,
}

impl AccountType {
    /// The objects by which WeChat says what the account is. The first four are sent for their kind alone;
    /// `MiniProgramInfo` is older than they are.
    const OBJECTS: [(&str, Self); 5] = [
        ("channels_info", Self::Channels),
        ("store_info", Self::Store),
        ("talent_info", Self::Talent),
        ("supplier_info", Self::Supplier),
        ("MiniProgramInfo", Self::MiniProgram),
    ];

    /// What `authorizer_info` says the account is. `null`, `""` and a list are no object; an empty object counts if it is
    /// the only one. An Official Account is what has a service type and no object.
    fn read(info: &Value) -> Self {
        let sent = Self::OBJECTS.into_iter().filter_map(|(name, kind)| Some((info[name].as_object()?, kind)));
        let sent: Vec<_> = sent.collect();
        match (sent.iter().find(|(object, _)| !object.is_empty()), sent.as_slice()) {
            (Some((_, kind)), _) | (None, [(_, kind)]) => *kind,
            _ if integer(&info["service_type_info"]["id"]).is_some() => Self::OfficialAccount,
            _ => Self::Other,
        }
    }

    /// The value of `profile.account_type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OfficialAccount => "official_account",
            Self::MiniProgram => "mini_program",
            Self::Channels => "channels",
            Self::Store => "store",
            Self::Talent => "talent",
            Self::Supplier => "supplier",
            Self::Other => "other",
        }
    }

    /// The kind that a record names.
    pub(crate) fn parse(text: &str) -> Self {
        let kinds = [
            Self::OfficialAccount,
            Self::MiniProgram,
            Self::Channels,
            Self::Store,
            Self::Talent,
            Self::Supplier,
        ];
        kinds.into_iter().find(|kind| kind.as_str() == text).unwrap_or(Self::Other)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(info: Value, expected: AccountType) {
        assert_eq!(AccountType::read(&info), expected, "{info}");
        assert_eq!(AccountType::parse(expected.as_str()), expected);
    }

    #[test]
    fn the_object_says_what_the_account_is() {
        let network = json!({"network": {}});
        check(json!({"service_type_info": {"id": 2}}), AccountType::OfficialAccount);
        check(json!({"service_type_info": {"id": "0", "name": "订阅号"}}), AccountType::OfficialAccount);
        check(json!({"service_type_info": {"id": 0}, "MiniProgramInfo": network}), AccountType::MiniProgram);
        for (name, kind) in AccountType::OBJECTS {
            check(json!({ name: {"type": 1} }), kind);
            check(json!({ name: {"type": 1}, "service_type_info": {"id": 0} }), kind);
            check(json!({ name: {}, "service_type_info": {"id": 0} }), kind);
        }
        // Sent for a Channels account alone, whatever else comes along.
        check(json!({"channels_info": {"type": 1}, "MiniProgramInfo": network}), AccountType::Channels);
        check(json!({"channels_info": {}, "MiniProgramInfo": network}), AccountType::MiniProgram);
    }

    #[test]
    fn what_is_no_object_says_nothing() {
        for nothing in [Value::Null, json!(""), json!([]), json!(0), json!(false)] {
            let mut info = json!({"service_type_info": {"id": 1}});
            for (name, _) in AccountType::OBJECTS {
                info[name] = nothing.clone();
            }
            check(info.clone(), AccountType::OfficialAccount);
            info["service_type_info"] = nothing;
            check(info, AccountType::Other);
        }
        let all_empty = json!({"channels_info": {}, "store_info": {}, "service_type_info": {"id": 1}});
        check(all_empty, AccountType::OfficialAccount);
        check(json!({"nick_name": "a kind of next year", "next_info": {"type": 1}}), AccountType::Other);
    }

    #[test]
    fn what_an_answer_does_not_say_is_told_from_what_it_says_is_empty() {
        for nothing in [json!({}), json!({"authorizer_info": {}, "authorization_info": ""}), json!([])] {
            let info = AuthorizerInfo::read(&nothing);
            assert!(info.profile.is_none() && info.func_info.is_none(), "{nothing}");
        }
        let unreadable = json!({"authorization_info": {"func_info": [{}, 7, null]}});
        assert!(AuthorizerInfo::read(&unreadable).func_info.is_none());
        let none_granted = json!({"authorization_info": {"func_info": []}});
        assert_eq!(AuthorizerInfo::read(&none_granted).func_info, Some(Vec::new()));
    }

    #[test]
    fn what_is_kept_is_bounded_and_read_where_older_pages_have_it() {
        let long = "类".repeat(5_000);
        let category = json!({"first": long, "second": long});
        let answer = json!({
            "qrcode_url": "http://mmbiz.qpic.cn/x",
            "authorizer_info": {
                "alias": "", "account_status": "16", "register_type": 6,
                "MiniProgramInfo": {"categories": vec![category; 300]},
            },
        });
        let profile = AuthorizerInfo::read(&answer).profile.expect("a profile");
        assert_eq!(profile.qrcode_url.as_deref(), Some("http://mmbiz.qpic.cn/x"));
        assert_eq!((profile.alias, profile.account_status, profile.register_type), (None, Some(16), Some(6)));
        assert_eq!(profile.categories.len(), MOST_CATEGORIES);
        let first = profile.categories[0].first.as_ref().expect("a name");
        assert_eq!(first.chars().count(), LONGEST_CATEGORY);
    }
}
