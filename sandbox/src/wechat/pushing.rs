//! What WeChat pushes, and when.

use super::controls::WeChat;
use super::delivery::{Delivery, PushedCode, When};
use super::push::{Push, authorization};

impl WeChat {
    /// A push of a new ticket.
    pub fn push_ticket(&self) -> Push {
        let ticket = self.issue_ticket();
        self.push("component_verify_ticket", vec![("ComponentVerifyTicket", ticket)])
    }

    /// A push that an account authorized the platform. The code is one of [`WeChat::authorize`] or
    /// [`WeChat::mint_code`].
    pub fn push_authorized(&self, authorizer_appid: &str, code: &str, pre_auth_code: Option<&str>) -> Push {
        self.push("authorized", authorization(authorizer_appid, code, pre_auth_code))
    }

    /// A push that an account changed what the platform may do.
    pub fn push_updateauthorized(
        &self,
        authorizer_appid: &str,
        code: &str,
        pre_auth_code: Option<&str>,
    ) -> Push {
        self.push("updateauthorized", authorization(authorizer_appid, code, pre_auth_code))
    }

    /// A push that an account took its authorization back.
    pub fn push_unauthorized(&self, authorizer_appid: &str) -> Push {
        self.push("unauthorized", vec![("AuthorizerAppid", authorizer_appid.to_owned())])
    }

    /// A push of a text that the user `openid` writes to an account.
    pub fn push_text(&self, authorizer_appid: &str, openid: &str, content: &str) -> Push {
        let fields = vec![
            ("FromUserName", openid.to_owned()),
            ("MsgType", "text".to_owned()),
            ("Content", content.to_owned()),
            ("MsgId", fastrand::u64(1 << 60..).to_string()),
        ];
        self.push_of_account(authorizer_appid, fields)
    }

    /// A push of what the user `openid` does at an account, as `subscribe`.
    pub fn push_event(&self, authorizer_appid: &str, openid: &str, event: &str) -> Push {
        let fields = vec![
            ("FromUserName", openid.to_owned()),
            ("MsgType", "event".to_owned()),
            ("Event", event.to_owned()),
        ];
        self.push_of_account(authorizer_appid, fields)
    }

    /// A push to the message URL with these elements besides `ToUserName` and `CreateTime`.
    pub fn push_of_account(&self, authorizer_appid: &str, fields: Vec<(&'static str, String)>) -> Push {
        let accounts = self.accounts();
        let account = accounts.iter().find(|account| account.appid == authorizer_appid);
        let user_name = &account.expect("a test names an account it has added").user_name;
        Push::of_account(authorizer_appid, user_name, fields, self.part.clock.now().as_secs())
    }

    /// A push of any message, which is sent as it is, its `CreateTime` too.
    pub fn push_message(&self, xml: &str) -> Push {
        Push::of_xml(xml, self.part.clock.now().as_secs())
    }

    fn push(&self, info_type: &'static str, fields: Vec<(&'static str, String)>) -> Push {
        Push::of(info_type, fields, self.part.clock.now().as_secs())
    }

    /// Sets 授权事件接收URL. Without one nothing is pushed.
    pub fn set_events_url(&self, url: Option<&str>) {
        self.part.pushes.settings().events_url = url.map(str::to_owned);
    }

    /// Sets 消息与事件接收URL, with `$APPID$` in it. Without one nothing is pushed there.
    pub fn set_messages_url(&self, url: Option<&str>) {
        self.part.pushes.settings().messages_url = url.map(str::to_owned);
    }

    /// How pushes accompany redirects from now on. At first they are sent at once, with the same code.
    pub fn accompany_redirects(&self, when: When, code: PushedCode) {
        self.part.pushes.settings().beside_redirect = (when, code);
    }

    /// How pushes accompany redirects.
    pub fn beside_redirect(&self) -> (When, PushedCode) {
        self.part.pushes.beside_redirect()
    }

    /// Posts a push to its URL, once: WeChat promises no second attempt. None without a URL, and while pushes wait.
    pub async fn deliver(&self, push: Push) -> Option<Delivery> {
        self.part.pushes.deliver(push).await
    }

    /// From now on nothing is sent: what would be waits.
    pub fn hold_pushes(&self) {
        self.part.pushes.hold();
    }

    /// How many pushes wait; none while they are sent at once.
    pub fn held_pushes(&self) -> Option<usize> {
        self.part.pushes.held()
    }

    /// Sends what waits, the last first, one after the other; from now on pushes are sent at once again.
    pub async fn release_pushes_reversed(&self) {
        self.part.pushes.release_reversed().await;
    }

    /// Every push that was answered, or not answered in time, in that order.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.part.pushes.deliveries().borrow().clone()
    }

    /// Returns once `count` pushes have been answered since the start.
    pub async fn delivered(&self, count: usize) {
        let mut deliveries = self.part.pushes.deliveries().subscribe();
        deliveries.wait_for(|deliveries| deliveries.len() >= count).await.expect("it outlives the wait");
    }

    /// Delivers a new ticket if the last one was issued ten minutes ago, or the platform has asked for one.
    pub async fn push_due_ticket(&self) -> Option<Delivery> {
        if !self.part.ledger().is_ticket_due(self.part.clock.now().as_secs()) {
            return None;
        }
        let push = self.push_ticket();
        self.deliver(push).await
    }

    /// The account changes the permission sets in its own console. Nothing is pushed where they are the same.
    pub async fn update_and_push(
        &self,
        authorizer_appid: &str,
        permission_set_ids: &[i64],
    ) -> Option<Delivery> {
        if self.permission_set_ids(authorizer_appid) == permission_set_ids {
            return None;
        }
        let code = self.update(authorizer_appid, permission_set_ids);
        self.deliver(self.push_updateauthorized(authorizer_appid, &code, None)).await
    }

    /// The account takes the authorization back in its own console.
    pub async fn revoke_and_push(&self, authorizer_appid: &str) -> Option<Delivery> {
        self.revoke(authorizer_appid);
        self.deliver(self.push_unauthorized(authorizer_appid)).await
    }
}
