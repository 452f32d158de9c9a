//! Every sentence that a merchant reads, in both languages side by side; Traditional Chinese is made of Simplified.
//!
//! A sentence says what to do next before it says why, and names nothing that only an operator knows. In place of
//! `{platform}`, and of `{Platform}` where a sentence begins, stands the platform's name; in place of `{n}` a number.

use super::Language;

/// One sentence in both languages, so that none can lack its translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
            Language::Chinese | Language::Traditional => self.chinese,
            Language::English => self.english,
        }
    }
}

/// What a page says, whatever else it shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Notice {
    pub(super) mark: Mark,
    pub(super) heading: Text,
    /// The next step, or that nothing needs to be done.
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

/// What stands in place of the platform's name where it has none.
pub(super) const PLATFORM: Text = Text::new("平台", "the platform");

pub(super) const COMPLETE: Notice = Notice {
    mark: Mark::Done,
    heading: Text::new("授权成功", "Authorization complete"),
    lead: Text::new("{platform}现在可以为该账号提供服务。", "{Platform} can now work for this account."),
    details: &[],
    hints: &[Text::new(
        "如需更改或取消授权，请登录微信公众平台，在设置的授权管理中操作。",
        "To change or cancel this, open the authorization settings of your account on mp.weixin.qq.com.",
    )],
};

pub(super) const CLOSE: Text = Text::new("您可以关闭本页了。", "You can close this page now.");

pub(super) const CLOSE_IN_WECHAT: Text = Text::new(
    "点击左上角的「×」关闭本页，即可回到微信聊天。",
    "Tap × at the top left to close this page and get back to your chat.",
);

pub(super) const COMPLETE_WITHOUT_TOKENS: Notice = Notice {
    mark: Mark::Alert,
    heading: Text::new("还差一步：请授予权限", "One step left: grant permissions"),
    lead: Text::new(
        "请重新授权，并勾选{platform}所需的权限。",
        "Please authorize again and select the permissions {platform} needs.",
    ),
    details: &[Text::new(
        "账号已授权，但没有授予任何接口权限，暂时无法为它提供服务。",
        "The account is authorized, but without any API permission, so nothing can be done for it yet.",
    )],
    hints: &[],
};

pub(super) const COMPLETING: Notice = Notice {
    mark: Mark::Progress,
    heading: Text::new("正在完成授权", "Completing the authorization"),
    lead: Text::new(
        "{platform}正在与微信确认您的授权，您无需操作。",
        "{Platform} is confirming your authorization with WeChat. There is nothing for you to do.",
    ),
    details: &[Text::new(
        "通常需要一分钟左右。即使关闭本页，授权也会继续完成。",
        "This usually takes about a minute. If you close this page, it is completed all the same.",
    )],
    hints: &[],
};

pub(super) const STILL_COMPLETING: Notice = Notice {
    mark: Mark::Later,
    heading: Text::new("仍在完成授权", "Still completing the authorization"),
    lead: Text::new(
        "{platform}会继续完成授权，您无需操作，可以关闭本页。",
        "{Platform} goes on completing it. There is nothing for you to do, and you can close this page.",
    ),
    details: &[Text::new(
        "通常只需几分钟，微信繁忙时最长约一小时。之后您可以在这里查看结果，也可以回到{platform}查看账号。",
        "This usually takes a few minutes, and at most about an hour if WeChat is busy. \
         You can see the result here afterwards, or look for your account on {platform}.",
    )],
    hints: &[],
};

pub(super) const INVALID_LINK: Notice = Notice {
    mark: Mark::Alert,
    heading: Text::new("链接无效", "This link is not valid"),
    lead: Text::new("请重新授权给{platform}。", "Please start the authorization for {platform} again."),
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
        "请打开{platform}的页面，从那里重新发起授权。",
        "Open a page of {platform} and start the authorization from there.",
    ),
    details: &[Text::new(
        "为了保护您的账号，授权必须从平台的页面发起，并在两小时内完成。",
        "To protect your account, it must be started there and completed within two hours.",
    )],
    hints: &[],
};

pub(super) const EXPIRED: Notice = Notice {
    mark: Mark::Alert,
    heading: Text::new("本次授权已失效", "This authorization has expired"),
    lead: Text::new("请重新授权给{platform}。", "Please authorize {platform} once more."),
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
    lead: Text::new(
        "本页无法显示授权结果，请回到{platform}查看您的账号。",
        "This page cannot tell how your authorization ended. Please look for your account on {platform}.",
    ),
    details: &[Text::new(
        "如果没有显示您的账号，请重新授权。",
        "If it is not there, please authorize again.",
    )],
    hints: &[],
};

pub(super) const REVOKED: Notice = Notice {
    mark: Mark::Alert,
    heading: Text::new("授权已取消", "The authorization was cancelled"),
    lead: Text::new(
        "如需继续使用{platform}的服务，请重新授权。",
        "To go on using {platform}, please authorize again.",
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
    lead: Text::new(
        "{platform}暂时无法处理您的授权，请稍后刷新本页。",
        "{Platform} cannot handle your authorization right now. Please reload this page in a while.",
    ),
    details: &[NOTHING_LOST],
    hints: &[],
};

pub(super) const NOT_READY: Notice = Notice {
    mark: Mark::Later,
    heading: Text::new("平台尚未就绪", "The platform is not ready yet"),
    lead: Text::new(
        "{platform}正在等待微信的确认，请在 10 分钟后刷新本页。",
        "{Platform} is waiting for a confirmation from WeChat. Please reload this page in ten minutes.",
    ),
    details: &[NOTHING_LOST],
    hints: &[],
};

const NOTHING_LOST: Text = Text::new(
    "您已完成的步骤仍然有效，无需从头开始。",
    "What you have done so far stays valid. There is no need to start over.",
);

/// What the launch page asks for, by `auth_type`; none where it names the one account.
pub(super) fn launch_heading(auth_type: Option<&str>) -> Text {
    match auth_type {
        Some("1") => Text::new("授权公众号", "Authorize your Official Account"),
        Some("2") => Text::new("授权小程序", "Authorize your Mini Program"),
        Some("3") => Text::new("授权公众号或小程序", "Authorize your Official Account or Mini Program"),
        Some("4") => Text::new("授权小程序推客账号", "Authorize your Mini Program promoter account"),
        Some("5") => Text::new("授权视频号", "Authorize your Channels account"),
        Some("8") => Text::new("授权带货助手账号", "Authorize your sales assistant account"),
        _ => Text::new("授权账号", "Authorize your account"),
    }
}

pub(super) const LAUNCH_ON_DESKTOP: Notice = Notice {
    mark: Mark::Launch,
    heading: Text::new("授权账号", "Authorize your account"),
    lead: Text::new(
        "请由账号管理员用微信扫码，选择账号和权限，授权给{platform}。",
        "Let the account's administrator scan a code with WeChat and authorize {platform}.",
    ),
    details: &[],
    hints: &[
        Text::new(
            "请直接点击按钮。如果把微信授权页的链接复制到别处打开，微信会拒绝授权。",
            "Use the button itself. WeChat refuses the address of its page where it was copied and opened elsewhere.",
        ),
        LAUNCH_EXPIRES,
    ],
};

pub(super) const LAUNCH_IN_WECHAT: Notice = Notice {
    lead: Text::new(
        "请由账号管理员选择账号和权限，授权给{platform}。",
        "As the account's administrator, choose the account and the permissions, and authorize {platform}.",
    ),
    hints: &[LAUNCH_EXPIRES],
    ..LAUNCH_ON_DESKTOP
};

pub(super) const LAUNCH_OUTSIDE_WECHAT: Notice = Notice {
    lead: Text::new(
        "请在微信中打开本页，由账号管理员授权给{platform}。",
        "Open this page inside WeChat, where the account's administrator can authorize {platform}.",
    ),
    hints: &[Text::new(
        "也可以在电脑上打开这个链接，用微信扫码授权。",
        "Or open the link on a computer, and scan the code with WeChat.",
    )],
    ..LAUNCH_ON_DESKTOP
};

pub(super) const LAUNCH_ANYWHERE: Notice = Notice {
    lead: Text::new(
        "请由账号管理员前往微信的授权页面，授权给{platform}。",
        "As the account's administrator, continue to WeChat and authorize {platform}.",
    ),
    ..LAUNCH_ON_DESKTOP
};

const LAUNCH_EXPIRES: Text = Text::new(
    "如果微信提示链接已过期，请回到这里刷新本页。",
    "If WeChat says that the link has expired, come back and reload this page.",
);

/// How a phone's browser gets the page into WeChat.
pub(super) const INTO_WECHAT: [Text; 3] = [
    Text::new("长按下面的链接，选择复制。", "Press and hold the link below, and copy it."),
    Text::new("打开微信，把链接发送给「文件传输助手」。", "Open WeChat, and send the link to File Transfer."),
    Text::new("在聊天中点击这个链接。", "Tap the link in that chat."),
];

pub(super) const QR_CODE: Text = Text::new(
    "也可以用手机微信扫一扫，在手机上授权。",
    "Or scan this with WeChat to authorize on your phone.",
);

// The buttons.
pub(super) const CONTINUE_TO_WECHAT: Text = Text::new("前往微信授权", "Continue to WeChat");
pub(super) const ON_DESKTOP: Text = Text::new("在电脑上扫码授权", "Scan a code on a computer");
pub(super) const ON_PHONE: Text = Text::new("在手机微信中授权", "Authorize inside WeChat on a phone");
pub(super) const AUTHORIZE_AGAIN: Text = Text::new("重新授权", "Authorize again");
pub(super) const SEE_RESULT: Text = Text::new("查看结果", "See the result");
pub(super) const RELOAD: Text = Text::new("刷新本页", "Reload this page");
pub(super) const BACK: Text = Text::new("返回{platform}", "Back to {platform}");

// What the page does by itself, and how that is stopped.
pub(super) const GOES_BACK: Text =
    Text::new("{n} 秒后自动返回{platform}。", "You go back to {platform} in {n} seconds.");
pub(super) const STAY: Text = Text::new("留在本页", "Stay here");
pub(super) const UPDATES: Text = Text::new("本页会自动更新。", "This page updates itself.");
pub(super) const RELOADS: Text =
    Text::new("本页将在 {n} 分钟后自动刷新。", "This page reloads itself in {n} min.");
pub(super) const STOP: Text = Text::new("停止", "Stop");

// The labels.
pub(super) const CONTEXT: Text = Text::new("微信第三方平台授权", "WeChat third-party platform authorization");
pub(super) const ACCOUNT: Text = Text::new("授权账号", "Account");
pub(super) const APPID: Text = Text::new("AppID", "AppID");
pub(super) const PERMISSIONS: Text = Text::new("已授予的权限", "Permissions granted");
pub(super) const UNKNOWN_PERMISSION: Text = Text::new("权限集", "Permission set");
pub(super) const REFERENCE: Text = Text::new("编号", "Reference");
pub(super) const SUPPORT: Text =
    Text::new("联系{platform}时，请提供这个编号。", "Please quote it when you contact {platform}.");
pub(super) const CONTACT: Text = Text::new("联系方式：", "Contact:");
