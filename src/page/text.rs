//! Every sentence that a merchant reads, in both languages side by side.
//!
//! A sentence says what to do next before it says why, and names nothing that only an operator knows.

use super::Language;

/// One sentence in both languages, so that none can lack its translation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text {
    chinese: &'static str,
    english: &'static str,
}

impl Text {
    pub(super) const fn new(chinese: &'static str, english: &'static str) -> Self {
        Self { chinese, english }
    }

    pub(super) fn to(self, language: Language) -> &'static str {
        match language {
            Language::Chinese => self.chinese,
            Language::English => self.english,
        }
    }
}

/// What a page says, whatever else it shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Notice {
    pub(super) mark: Mark,
    pub(super) heading: Text,
    /// The next step, or that there is none to take.
    pub(super) lead: Text,
    /// The reason, or what else is good to know. One paragraph each.
    pub(super) details: &'static [Text],
    /// What to try when the next step leads nowhere. One list item each.
    pub(super) hints: &'static [Text],
}

/// The sign above the heading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// A shield: WeChat comes next, and it is safe to go there.
    Launch,
    /// A tick.
    Done,
    /// A ring that turns: something is going on right now.
    Progress,
    /// A clock: later.
    Later,
    /// An exclamation mark: the visitor has something to do.
    Alert,
}

pub(super) const COMPLETE: Notice = Notice {
    mark: Mark::Done,
    heading: Text::new("授权成功", "Authorization complete"),
    lead: Text::new("平台现在可以为该账号提供服务。", "The platform can now work for this account."),
    details: &[Text::new("您可以关闭本页了。", "You can close this page now.")],
    hints: &[Text::new(
        "如需更改或取消授权，请登录微信公众平台，在设置的授权管理中操作。",
        "To change or cancel this, open the authorization settings of your account on mp.weixin.qq.com.",
    )],
};

pub(super) const COMPLETE_WITHOUT_TOKENS: Notice = Notice {
    mark: Mark::Alert,
    heading: Text::new("还差一步：请授予权限", "One step left: grant permissions"),
    lead: Text::new(
        "请重新授权，并勾选平台所需的权限。",
        "Please authorize again and select the permissions the platform needs.",
    ),
    details: &[Text::new(
        "账号已授权，但没有授予任何接口权限，平台暂时无法为它提供服务。",
        "The account is authorized, but without any API permission, so the platform cannot work for it yet.",
    )],
    hints: &[],
};

pub(super) const COMPLETING: Notice = Notice {
    mark: Mark::Progress,
    heading: Text::new("正在完成授权", "Completing the authorization"),
    lead: Text::new("您无需操作，本页会自动更新。", "There is nothing to do. This page updates by itself."),
    details: &[Text::new(
        "即使关闭本页，授权也会继续完成。",
        "You can also close it: the authorization will be completed all the same.",
    )],
    hints: &[],
};

pub(super) const STILL_COMPLETING: Notice = Notice {
    mark: Mark::Later,
    heading: Text::new("仍在完成授权", "Still completing the authorization"),
    lead: Text::new(
        "您无需操作，可以关闭本页。稍后刷新本页可查看结果。",
        "There is nothing to do, and you can close this page. Reload it later to see the result.",
    ),
    details: COMPLETING.details,
    hints: &[],
};

pub(super) const INVALID_LINK: Notice = Notice {
    mark: Mark::Alert,
    heading: Text::new("链接无效", "This link is not valid"),
    lead: Text::new("请重新发起授权。", "Please start the authorization again."),
    details: &[Text::new(
        "您打开的链接不完整，或者不是微信返回的授权链接。",
        "The link you opened is incomplete, or is not the one WeChat sent you back with.",
    )],
    hints: &[],
};

pub(super) const START_AGAIN: Notice = Notice {
    mark: Mark::Alert,
    heading: Text::new("请回到平台重新开始", "Please start again from the platform"),
    lead: Text::new(
        "请打开平台的页面，从那里重新发起授权。",
        "Open the platform's own page and start the authorization from there.",
    ),
    details: &[Text::new(
        "为了保护您的账号，这里只接受从平台页面发起、且没有超时的授权。",
        "To protect your account, only an authorization that was started there, and not too long ago, is accepted.",
    )],
    hints: &[],
};

pub(super) const EXPIRED: Notice = Notice {
    mark: Mark::Alert,
    heading: Text::new("本次授权已失效", "This authorization has expired"),
    lead: Text::new("请重新授权一次。", "Please authorize once more."),
    details: &[Text::new(
        "微信给出的授权码只能在短时间内使用一次，这一个已过期或已被使用。",
        "WeChat's authorization code works once and for a short time. This one has expired or was already used.",
    )],
    hints: &[
        Text::new(
            "如果微信没有让您再次确认，请在授权页上增加或减少一项权限。",
            "If WeChat does not ask you to confirm again, add or remove one permission on its page.",
        ),
        Text::new(
            "仍然不行时，请登录微信公众平台，在设置的授权管理中取消对本平台的授权，再重新授权。",
            "If that does not help, cancel the authorization in the settings of your account \
             on mp.weixin.qq.com, then authorize again.",
        ),
    ],
};

pub(super) const UNMATCHED: Notice = Notice {
    mark: Mark::Later,
    heading: Text::new("请在平台查看授权结果", "See the result on the platform"),
    lead: Text::new("本页无法显示您的授权结果。", "This page cannot tell how your authorization ended."),
    details: &[Text::new(
        "请回到平台查看您的账号。如果没有显示，请重新授权。",
        "Go back to the platform and look for your account. If it is not there, please authorize again.",
    )],
    hints: &[],
};

pub(super) const REVOKED: Notice = Notice {
    mark: Mark::Alert,
    heading: Text::new("授权已取消", "The authorization was cancelled"),
    lead: Text::new(
        "如需继续使用平台的服务，请重新授权。",
        "To use the platform's services, please authorize again.",
    ),
    details: &[Text::new(
        "该账号目前没有授权本平台，可能是管理员刚刚在微信公众平台取消了授权。",
        "The account does not authorize this platform at present. \
         An administrator may have just cancelled it on mp.weixin.qq.com.",
    )],
    hints: &[],
};

pub(super) const UNAVAILABLE: Notice = Notice {
    mark: Mark::Later,
    heading: Text::new("暂时无法完成", "Temporarily unavailable"),
    lead: Text::new("请过几分钟再刷新本页。", "Please reload this page in a few minutes."),
    details: &[NOTHING_LOST],
    hints: &[],
};

pub(super) const NOT_READY: Notice = Notice {
    mark: Mark::Later,
    heading: Text::new("平台尚未就绪", "The platform is not ready yet"),
    lead: Text::new("请在 10 分钟后刷新本页。", "Please reload this page in ten minutes."),
    details: &[
        Text::new("平台正在等待微信的确认。", "The platform is waiting for a confirmation from WeChat."),
        NOTHING_LOST,
    ],
    hints: &[],
};

const NOTHING_LOST: Text = Text::new(
    "您已完成的步骤仍然有效，无需从头开始。",
    "What you have done so far stays valid. There is no need to start over.",
);

pub(super) const LAUNCH_ON_PHONE: Notice = Notice {
    mark: Mark::Launch,
    heading: Text::new("授权公众号或小程序", "Authorize your Official Account or Mini Program"),
    lead: Text::new(
        "请由账号管理员前往微信的授权页面，选择账号和要授予的权限，然后确认。",
        "As the account's administrator, continue to WeChat, choose the account and the permissions, and confirm.",
    ),
    details: &[],
    hints: &[
        Text::new(
            "请在微信内打开本页，其他浏览器无法显示微信的授权页面。",
            "Open this page inside WeChat. Other browsers cannot show WeChat's page on a phone.",
        ),
        LAUNCH_EXPIRES,
    ],
};

pub(super) const LAUNCH_ON_DESKTOP: Notice = Notice {
    mark: Mark::Launch,
    heading: LAUNCH_ON_PHONE.heading,
    lead: Text::new(
        "请由账号管理员前往微信的授权页面，用微信扫码，选择要授予的权限，然后确认。",
        "Continue to WeChat, let the account's administrator scan the code, choose the permissions, and confirm.",
    ),
    details: &[],
    hints: &[
        Text::new(
            "请直接点击按钮。如果把链接复制到别处打开，微信会拒绝授权。",
            "Use the button itself. WeChat refuses a link that was copied and opened elsewhere.",
        ),
        LAUNCH_EXPIRES,
    ],
};

const LAUNCH_EXPIRES: Text = Text::new(
    "如果微信提示链接已过期，请回到这里刷新本页。",
    "If WeChat says that the link has expired, come back and reload this page.",
);

// The buttons.
pub(super) const CONTINUE_TO_WECHAT: Text = Text::new("前往微信授权", "Continue to WeChat");
pub(super) const USE_PHONE: Text = Text::new("改在手机微信中授权", "Use WeChat on a phone");
pub(super) const USE_DESKTOP: Text = Text::new("改在电脑上扫码授权", "Use a computer");
pub(super) const AUTHORIZE_AGAIN: Text = Text::new("重新授权", "Authorize again");
pub(super) const RELOAD: Text = Text::new("刷新本页", "Reload this page");
pub(super) const BACK: Text = Text::new("返回平台", "Back to the platform");

// The labels.
pub(super) const CONTEXT: Text = Text::new("微信第三方平台授权", "WeChat third-party platform authorization");
pub(super) const ACCOUNT: Text = Text::new("授权账号", "Account");
pub(super) const APPID: Text = Text::new("AppID", "AppID");
pub(super) const PERMISSIONS: Text = Text::new("已授予的权限", "Permissions granted");
pub(super) const UNKNOWN_PERMISSION: Text = Text::new("权限集", "Permission set");
pub(super) const SUPPORT_ID: Text = Text::new("支持编号", "Support ID");
pub(super) const SUPPORT: Text =
    Text::new("联系平台时，请提供此编号。", "Please quote it when you contact the platform.");
