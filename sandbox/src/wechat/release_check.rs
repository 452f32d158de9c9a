//! WeChat's check before a platform is published (全网发布): test accounts that authorize, write, and revoke.

use wechat_authorizer::wechat::{Appid, ComponentSecret, Message, Signature};

use super::account::{Account, Kind};
use super::controls::WeChat;
use super::delivery::Delivery;
use super::push::Push;

/// The test accounts. WeChat chooses one of the groups: an Official Account and a Mini Program, each with its original id.
pub const GROUPS: [[(&str, &str); 2]; 5] = [
    [("wx570bc396a51b8ff8", "gh_3c884a361561"), ("wxd101a85aa106f53e", "gh_8dad206e9538")],
    [("wx9252c5e0bb1836fc", "gh_c0f28a78b318"), ("wxc39235c15087f6f3", "gh_905ae9d01059")],
    [("wx8e1097c5bc82cde9", "gh_3f222ed8d140"), ("wx7720d01d4b2a4500", "gh_393666f1fdf4")],
    [("wx14550af28c71a144", "gh_26128078e9ab"), ("wx05d483572dcd5d8b", "gh_39abb5d4e1b7")],
    [("wxa35b9c23cfe664eb", "gh_2b3713f184a6"), ("wx5910277cae6fd970", "gh_7818dcb60240")],
];

/// The tester.
const OPENID: &str = "ozy4qt1eDxSxzCr0aNT0mXCWfrDE";

/// One line of WeChat's list of results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What was checked, in WeChat's words.
    pub name: String,
    /// Whether the platform did what it should.
    pub passed: bool,
}

impl WeChat {
    /// Plays the check with one of [`GROUPS`] against the URLs of the platform, and returns WeChat's list of results.
    pub async fn release_check(&self, group: usize) -> Vec<Item> {
        let mut items =
            vec![item("接收 component_verify_ticket", succeeded(self.deliver(self.push_ticket()).await))];
        for ((appid, user_name), kind) in GROUPS[group].iter().zip([Kind::OfficialAccount, Kind::MiniProgram])
        {
            items.extend(self.check_account(appid, user_name, kind).await);
        }
        items
    }

    async fn check_account(&self, appid: &str, user_name: &str, kind: Kind) -> Vec<Item> {
        let (account, sets, name) = match kind {
            Kind::OfficialAccount => (Account::official_account("全网发布检测"), [1], "公众号"),
            _ => (Account::mini_program("全网发布检测"), [19], "小程序"),
        };
        self.add_account(Account { appid: appid.to_owned(), user_name: user_name.to_owned(), ..account });
        let code = self.authorize(appid, &sets);
        let authorized = self.deliver(self.push_authorized(appid, &code, None)).await;
        let mut items = vec![item(&format!("{name}：推送授权事件"), succeeded(authorized))];
        if kind == Kind::OfficialAccount {
            let (text, expected) = ("TESTCOMPONENT_MSG_TYPE_TEXT", "TESTCOMPONENT_MSG_TYPE_TEXT_callback");
            let passed = self.is_answered(self.push_text(appid, OPENID, text), user_name, expected).await;
            items.push(item(&format!("{name}：返回普通文本消息"), passed));
            let event = self.push_event(appid, OPENID, "LOCATION");
            let passed = self.is_answered(event, user_name, "LOCATIONfrom_callback").await;
            items.push(item(&format!("{name}：发送事件消息"), passed));
        }
        let passed = self.is_sent_by_api(appid, &code).await;
        items.push(item(&format!("{name}：返回 API 文本消息"), passed));
        // WeChat's own clock goes on by seconds between the two.
        self.revoke(appid);
        let later = self.part.clock.now().as_secs() + 1;
        let revoked = self.deliver(self.push_unauthorized(appid).created_at(later)).await;
        items.push(item(&format!("{name}：取消授权"), succeeded(revoked)));
        items
    }

    /// Whether the push is answered with this text, from the account to the tester.
    async fn is_answered(&self, push: Push, user_name: &str, expected: &str) -> bool {
        let Some(Delivery { status: Some(200), body, .. }) = self.deliver(push).await else { return false };
        let Some(reply) = self.open_reply(&body) else { return false };
        let text = |name: &str| reply.text(name);
        text("Content") == Some(expected)
            && text("MsgType") == Some("text")
            && text("ToUserName") == Some(OPENID)
            && text("FromUserName") == Some(user_name)
    }

    /// Whether the code makes the account send its own text to the tester, and the push is answered with nothing.
    async fn is_sent_by_api(&self, appid: &str, code: &str) -> bool {
        let before = self.sent_texts().len();
        let delivery = self.deliver(self.push_text(appid, OPENID, &format!("QUERY_AUTH_CODE:{code}"))).await;
        let is_empty =
            delivery.is_some_and(|delivery| delivery.status == Some(200) && delivery.body.is_empty());
        let sent = self.sent_texts().split_off(before);
        let is_expected = sent.iter().any(|sent| {
            sent.authorizer_appid == appid
                && sent.openid == OPENID
                && sent.content == format!("{code}_from_api")
        });
        is_empty && is_expected
    }

    /// A passive reply, verified and decrypted.
    fn open_reply(&self, reply: &str) -> Option<Message> {
        let element = |name: &str| {
            let (_, rest) = reply.split_once(&format!("<{name}>"))?;
            let (text, _) = rest.split_once(&format!("</{name}>"))?;
            Some(text.trim_start_matches("<![CDATA[").trim_end_matches("]]>"))
        };
        let signature = Signature {
            timestamp: element("TimeStamp")?,
            nonce: element("Nonce")?,
            msg_signature: element("MsgSignature")?,
        };
        let secret = ComponentSecret::from_json(&self.component_secret().to_string()).ok()?;
        Message::open(&signature, reply.as_bytes(), &secret, &Appid::parse(&self.component_appid)?).ok()
    }
}

fn succeeded(delivery: Option<Delivery>) -> bool {
    delivery.is_some_and(|delivery| delivery.succeeded())
}

fn item(name: &str, passed: bool) -> Item {
    Item { name: name.to_owned(), passed }
}
