//! Merchants' accounts and what they can grant.

use serde_json::{Value, json};
use wechat_authorizer::wechat::permission_name;

use crate::opaque;

/// An account that can authorize a platform.
#[derive(Clone, Debug)]
pub struct Account {
    /// The account's appid.
    pub appid: String,
    /// What it is.
    pub kind: Kind,
    /// The name its followers see.
    pub nick_name: String,
    /// The original id, `gh_…`.
    pub user_name: String,
    /// The company behind it.
    pub principal_name: String,
    /// Where its picture is; may be empty.
    pub head_img: String,
    /// 1 normal, 14 cancelled, 16 banned, 19 frozen.
    pub account_status: i64,
    /// What the consent page lets it grant.
    pub permission_set_ids: Vec<i64>,
    /// Whether WeChat tells anything of the account; if not, its `authorizer_info` is empty.
    pub has_profile: bool,
}

/// The kinds of accounts that authorize a platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 公众号.
    OfficialAccount,
    /// 小程序.
    MiniProgram,
    /// 视频号.
    Channels,
    /// 微信小店.
    Store,
    /// 带货助手.
    Talent,
    /// 供货商.
    Supplier,
}

impl Account {
    /// An Official Account with new ids.
    pub fn official_account(nick_name: &str) -> Self {
        Self::new(Kind::OfficialAccount, nick_name)
    }

    /// A Mini Program with new ids.
    pub fn mini_program(nick_name: &str) -> Self {
        Self::new(Kind::MiniProgram, nick_name)
    }

    /// An account of this kind with new ids.
    pub fn new(kind: Kind, nick_name: &str) -> Self {
        Self {
            appid: format!("wx{}", opaque::hex(16)),
            kind,
            nick_name: nick_name.to_owned(),
            user_name: format!("gh_{}", opaque::hex(12)),
            principal_name: "沙箱商贸有限公司".to_owned(),
            head_img: format!("http://wx.qlogo.cn/mmopen/{}/0", opaque::hex(24)),
            account_status: 1,
            permission_set_ids: kind.permission_set_ids().to_vec(),
            has_profile: true,
        }
    }

    /// `authorizer_info` as `api_get_authorizer_info` shows it.
    pub(super) fn info(&self) -> Value {
        if !self.has_profile {
            return json!({});
        }
        let mut info = json!({
            "nick_name": self.nick_name,
            "head_img": self.head_img,
            "service_type_info": {"id": 2},
            "verify_type_info": {"id": 0},
            "user_name": self.user_name,
            "alias": "",
            "qrcode_url": format!("http://mmbiz.qpic.cn/mmbiz_jpg/{}/0", self.user_name),
            "business_info": {"open_store": 0, "open_scan": 0, "open_pay": 0, "open_card": 0, "open_shake": 0},
            "idc": 1,
            "principal_name": self.principal_name,
            "signature": "",
            "account_status": self.account_status,
            "register_type": 0,
            "basic_config": {"is_phone_configured": true, "is_email_configured": true},
        });
        // Only this object tells the kinds apart.
        if let Some(object) = self.kind.object() {
            info["service_type_info"]["id"] = json!(0);
            info[object] = json!({"type": 1});
        }
        if self.kind == Kind::MiniProgram {
            info["MiniProgramInfo"] = json!({
                "network": {
                    "RequestDomain": ["https://shop.example.com"],
                    "WsRequestDomain": [],
                    "UploadDomain": [],
                    "DownloadDomain": [],
                    "BizDomain": [],
                    "UDPDomain": [],
                    "TCPDomain": [],
                },
                "categories": [{"first": "商家自营", "second": "食品"}],
                "visit_status": 0,
            });
        }
        info
    }
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::OfficialAccount, Self::MiniProgram, Self::Channels, Self::Store, Self::Talent, Self::Supplier];

    /// The kind's name in Chinese and English.
    pub fn name(self) -> &'static str {
        match self {
            Self::OfficialAccount => "公众号 Official Account",
            Self::MiniProgram => "小程序 Mini Program",
            Self::Channels => "视频号 Channels",
            Self::Store => "微信小店 WeChat Store",
            Self::Talent => "带货助手 Talent",
            Self::Supplier => "供货商 Supplier",
        }
    }

    /// The object of `authorizer_info` that this kind alone has.
    pub fn object(self) -> Option<&'static str> {
        match self {
            Self::OfficialAccount => None,
            Self::MiniProgram => Some("MiniProgramInfo"),
            Self::Channels => Some("channels_info"),
            Self::Store => Some("store_info"),
            Self::Talent => Some("talent_info"),
            Self::Supplier => Some("supplier_info"),
        }
    }

    /// The permission sets that an account of this kind usually offers.
    pub fn permission_set_ids(self) -> &'static [i64] {
        match self {
            Self::OfficialAccount => &[1, 2, 3, 4, 7, 11, 15, 24],
            Self::MiniProgram => &[17, 18, 19, 25, 30, 31],
            Self::Channels => &[143, 160, 176, 177],
            Self::Store => &[129, 130, 131, 132, 138],
            Self::Talent => &[189, 190],
            // One that the product has no name of.
            Self::Supplier => &[192],
        }
    }
}

/// A permission set's name as the consent page shows it: the product's, and for one that the product does not know,
/// one that WeChat sends.
pub fn set_name(id: i64) -> String {
    permission_name(id).map_or_else(|| format!("新权限集 {id}"), |name| name.chinese.to_owned())
}

/// `func_info`: some elements carry a name, some a `confirm_info`, most only the id.
pub(super) fn func_info(permission_set_ids: &[i64]) -> Value {
    let element = |&id: &i64| match id {
        2 | 192 => json!({"funcscope_category":
            {"id": id, "type": 0, "name": set_name(id), "desc": "帮助公众号获取用户信息，进行用户管理"}}),
        18 | 24 | 25 | 30 | 31 => json!({
            "funcscope_category": {"id": id},
            "confirm_info": {"need_confirm": 0, "already_confirm": 0, "can_confirm": 0},
        }),
        _ => json!({"funcscope_category": {"id": id}}),
    };
    permission_set_ids.iter().map(element).collect()
}
