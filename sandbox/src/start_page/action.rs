//! The buttons of the start page.

use std::time::Duration;

use sandbox::wechat::{PushedCode, When};
use sandbox::{Fault, Sandbox};

use crate::schedule::Schedule;

/// A button: what it sends and what it says.
pub(super) struct Button {
    pub(super) action: &'static str,
    pub(super) label: &'static str,
}

const fn button(action: &'static str, label: &'static str) -> Button {
    Button { action, label }
}

/// Buttons that concern one thing.
pub(super) struct Group {
    pub(super) name: &'static str,
    pub(super) buttons: &'static [Button],
}

/// What can go wrong on demand.
pub(super) const FAULTS: &[Group] = &[
    Group {
        name: "WeChat's answer to the next exchange",
        buttons: &[
            button("busy-once", "busy, once"),
            button("busy", "busy, always"),
            button("lost", "lost on the way"),
            button("html", "an HTML page"),
            button("quota", "quota used up"),
        ],
    },
    Group {
        name: "WeChat's answer to the next refresh",
        buttons: &[button("refresh-busy", "busy, once"), button("refresh-invalid", "refresh token invalid")],
    },
    Group { name: "Our address", buttons: &[button("address", "not on the allow-list (61004)")] },
    Group {
        name: "DynamoDB, when the record is written",
        buttons: &[button("throttle", "throttled, once"), button("write-lost", "answer lost")],
    },
];

/// Those of WeChat: the last group is of the tables here.
pub(super) const WECHAT_FAULTS: &[Group] = FAULTS.split_at(FAULTS.len() - 1).0;

/// How the time moves.
pub(super) const CLOCK: &[Button] = &[
    button("clock-600", "+10 min"),
    button("clock-3600", "+1 h"),
    button("clock-7200", "+2 h"),
    button("clock-43200", "+12 h"),
    button("clock-604800", "+7 d"),
];

/// When the push beside a redirect is sent.
pub(super) const WHEN: &[(Button, When)] = &[
    (button("push-before", "before the browser"), When::Before),
    (button("push-at-once", "at once"), When::AtOnce),
    (button("push-after", "3 s after"), When::After(Duration::from_secs(3))),
    (button("push-never", "never"), When::Never),
];

/// Which code it carries.
pub(super) const CODE: &[(Button, PushedCode)] = &[
    (button("code-same", "the redirect's code"), PushedCode::Same),
    (button("code-own", "a code of its own"), PushedCode::Own),
];

/// What a form sent.
struct Form<'a> {
    fields: Vec<(String, String)>,
    sandbox: &'a Sandbox,
    schedule: &'a Schedule,
}

/// Does what the form's `action` names. Returns where the browser goes next, if not back to the page.
pub(super) async fn carry_out(sandbox: &Sandbox, schedule: &Schedule, form: &[u8]) -> Option<String> {
    let fields = form_urlencoded::parse(form).into_owned().collect();
    let form = Form { fields, sandbox, schedule };
    match (form.field("action"), form.field("account")) {
        ("launch", _) => return schedule.launch().await,
        (_, "") => form.carry_out().await,
        _ => form.carry_out_on_account().await,
    }
    None
}

impl Form<'_> {
    fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }

    async fn carry_out(&self) {
        let wechat = &self.sandbox.wechat;
        let exchange = wechat.on("api_query_auth");
        let refresh = wechat.on("api_authorizer_token");
        let record = self.sandbox.dynamodb.on("TransactWriteItems");
        match self.field("action") {
            "busy-once" => exchange.once(Fault::errcode(-1)),
            "busy" => exchange.always(Fault::errcode(-1)),
            "lost" => exchange.once(Fault::ResetAfter),
            "html" => exchange.once(Fault::raw(502, "text/html", "<h1>502 Bad Gateway</h1>")),
            "quota" => exchange.once(Fault::errcode(45009)),
            "refresh-busy" => refresh.once(Fault::errcode(-1)),
            "refresh-invalid" => refresh.once(Fault::errcode(61023)),
            "address" => wechat.allow_address(false),
            "throttle" => record.once(Fault::throttled()),
            "write-lost" => record.once(Fault::ResetAfter),
            "mend" => {
                wechat.allow_address(true);
                wechat.clear_faults();
                self.sandbox.dynamodb.clear_faults();
            }
            "ticket" => {
                wechat.deliver(wechat.push_ticket()).await;
            }
            "release-check" => self.schedule.release_check().await,
            "refresh" => self.schedule.refresh().await,
            "reconcile" => self.schedule.reconcile().await,
            "doctor" => self.schedule.doctor().await,
            other => self.set(other).await,
        }
    }

    /// Moves the clock or turns a switch.
    async fn set(&self, action: &str) {
        let wechat = &self.sandbox.wechat;
        let (when, code) = wechat.beside_redirect();
        if let Some((_, when)) = WHEN.iter().find(|(button, _)| button.action == action) {
            wechat.accompany_redirects(*when, code);
        } else if let Some((_, code)) = CODE.iter().find(|(button, _)| button.action == action) {
            wechat.accompany_redirects(when, *code);
        } else if let Some(Ok(seconds)) = action.strip_prefix("clock-").map(str::parse) {
            self.sandbox.clock.advance(seconds);
            self.schedule.tick().await;
        }
    }

    fn sets(&self) -> Vec<i64> {
        let sets = self.fields.iter().filter(|(name, _)| name == "set");
        sets.filter_map(|(_, id)| id.parse().ok()).collect()
    }

    async fn carry_out_on_account(&self) {
        let (wechat, account) = (&self.sandbox.wechat, self.field("account"));
        if !wechat.accounts().iter().any(|known| known.appid == account) {
            return;
        }
        let authorized = wechat.refresh_token(account).is_some();
        match self.field("action") {
            "edit" if authorized => {
                wechat.update_and_push(account, &self.sets()).await;
            }
            "edit-unheard" if authorized => drop(wechat.update(account, &self.sets())),
            "rename" if !self.field("nick_name").is_empty() => {
                wechat.rename(account, self.field("nick_name"))
            }
            "ban" => wechat.set_account_status(account, 16),
            "unban" => wechat.set_account_status(account, 1),
            "revoke" => {
                wechat.revoke_and_push(account).await;
            }
            "stale" => wechat.invalidate_access_tokens(account),
            "token" => self.schedule.token(account).await,
            "delete" => self.sandbox.lose_record(account).await,
            _ => {}
        }
    }
}
