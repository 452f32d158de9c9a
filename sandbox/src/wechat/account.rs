//! Merchants' accounts and what they can grant.

use serde_json::{Value, json};

use crate::opaque;

/// An Official Account or a Mini Program.
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
}

/// The two kinds of accounts that authorize a platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 公众号.
    OfficialAccount,
    /// 小程序.
    MiniProgram,
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

    fn new(kind: Kind, nick_name: &str) -> Self {
        Self {
            appid: format!("wx{}", opaque::hex(16)),
            kind,
            nick_name: nick_name.to_owned(),
            user_name: format!("gh_{}", opaque::hex(12)),
            principal_name: "沙箱商贸有限公司".to_owned(),
            head_img: format!("http://wx.qlogo.cn/mmopen/{}/0", opaque::hex(24)),
        }
    }

    /// `authorizer_info` as `api_get_authorizer_info` shows it.
    pub(super) fn info(&self) -> Value {
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
            "account_status": 1,
            "register_type": 0,
            "basic_config": {"is_phone_configured": true, "is_email_configured": true},
        });
        // Only this object tells the two kinds apart.
        if self.kind == Kind::MiniProgram {
            info["service_type_info"]["id"] = json!(0);
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
    /// The kind's name in Chinese and English.
    pub fn name(self) -> &'static str {
        match self {
            Self::OfficialAccount => "公众号 Official Account",
            Self::MiniProgram => "小程序 Mini Program",
        }
    }

    /// The permission sets that the platform asks of this kind.
    pub fn permission_set_ids(self) -> &'static [i64] {
        match self {
            Self::OfficialAccount => &[1, 2, 3, 4, 7, 11, 15, 24],
            Self::MiniProgram => &[17, 18, 19, 25, 30, 31],
        }
    }
}

/// A permission set's name as the consent page shows it.
pub fn permission_name(id: i64) -> &'static str {
    match id {
        1 => "消息管理权限",
        2 => "用户管理权限",
        3 => "帐号服务权限",
        4 => "网页服务权限",
        7 => "群发与通知权限",
        11 => "素材管理权限",
        15 => "自定义菜单权限",
        17 => "获取小程序码权限",
        18 => "小程序开发与数据分析权限",
        19 => "小程序客服管理权限",
        24 | 25 => "开放平台帐号管理权限",
        30 => "小程序基本信息设置权限",
        31 => "小程序认证名称检测权限",
        _ => "其他权限",
    }
}

/// `func_info`: some elements carry a name, some a `confirm_info`, most only the id.
pub(super) fn func_info(permission_set_ids: &[i64]) -> Value {
    let element = |&id: &i64| match id {
        2 => json!({"funcscope_category":
            {"id": id, "type": 0, "name": permission_name(id), "desc": "帮助公众号获取用户信息，进行用户管理"}}),
        18 | 24 | 25 | 30 | 31 => json!({
            "funcscope_category": {"id": id},
            "confirm_info": {"need_confirm": 0, "already_confirm": 0, "can_confirm": 0},
        }),
        _ => json!({"funcscope_category": {"id": id}}),
    };
    permission_set_ids.iter().map(element).collect()
}
