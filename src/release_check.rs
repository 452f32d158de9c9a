//! WeChat's check before a platform is published (全网发布): test accounts that WeChat plays, and what they expect.
//!
//! Source: 第三方平台 / 全网发布接入检测说明. The accounts are the ten of its page since 2021-01-18.

use crate::wechat::{Appid, AuthorizationCode, Message};

/// The test accounts: appid and original id.
const ACCOUNTS: [(&str, &str); 10] = [
    ("wx570bc396a51b8ff8", "gh_3c884a361561"),
    ("wxd101a85aa106f53e", "gh_8dad206e9538"),
    ("wx9252c5e0bb1836fc", "gh_c0f28a78b318"),
    ("wxc39235c15087f6f3", "gh_905ae9d01059"),
    ("wx8e1097c5bc82cde9", "gh_3f222ed8d140"),
    ("wx7720d01d4b2a4500", "gh_393666f1fdf4"),
    ("wx14550af28c71a144", "gh_26128078e9ab"),
    ("wx05d483572dcd5d8b", "gh_39abb5d4e1b7"),
    ("wxa35b9c23cfe664eb", "gh_2b3713f184a6"),
    ("wx5910277cae6fd970", "gh_7818dcb60240"),
];

/// What a test account expects of the platform.
#[derive(Clone, Debug)]
pub(crate) enum Expected {
    /// This text, as the answer to the push.
    Reply(String),
    /// An empty answer, after this text was sent with the token that the code brings.
    CustomMessage {
        /// The code.
        code: AuthorizationCode,
        /// The text.
        content: String,
    },
}

/// The original id of a test account; none for any other account.
pub(crate) fn user_name(appid: &Appid) -> Option<&'static str> {
    ACCOUNTS.iter().find(|(account, _)| *account == appid.as_str()).map(|(_, user_name)| *user_name)
}

/// What a message of a test account expects; none where it expects nothing.
pub(crate) fn expected(appid: &Appid, message: &Message) -> Option<Expected> {
    user_name(appid)?;
    if message.text("MsgType") == Some("event") {
        return Some(Expected::Reply(format!("{}from_callback", message.text("Event")?)));
    }
    let content = message.text("Content")?;
    if let Some(code) = content.strip_prefix("QUERY_AUTH_CODE:") {
        let content = format!("{code}_from_api");
        return Some(Expected::CustomMessage { code: AuthorizationCode::parse(code).ok()?, content });
    }
    (content == "TESTCOMPONENT_MSG_TYPE_TEXT").then(|| Expected::Reply(format!("{content}_callback")))
}
