//! What the forms of the start page do.

use sandbox::wechat::{Account, Kind};
use sandbox::{Fault, Sandbox};

use super::State;
use super::button::{CODE, WHEN};
use crate::platform::SETTINGS;
use crate::schedule::Schedule;

/// What a form sent.
struct Form<'a> {
    fields: Vec<(String, String)>,
    state: &'a State,
    sandbox: &'a Sandbox,
    schedule: &'a Schedule,
}

/// Does what the form's `action` names. Returns where the browser goes next, if not back to the page.
pub(super) async fn carry_out(state: &State, form: &[u8]) -> Option<String> {
    let fields = form_urlencoded::parse(form).into_owned().collect();
    let form = Form { fields, state, sandbox: &state.sandbox, schedule: &state.schedule };
    match (form.field("action"), form.field("account")) {
        ("launch", _) => return state.schedule.launch().await,
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
            "end-faults" => {
                wechat.allow_address(true);
                wechat.clear_faults();
                self.sandbox.dynamodb.clear_faults();
            }
            "ticket" => {
                wechat.deliver(wechat.push_ticket()).await;
            }
            "repeat" | "forge" => self.send_again().await,
            "hold" => wechat.hold_pushes(),
            "release" => wechat.release_pushes_reversed().await,
            "configure" => self.configure(),
            "add" => self.add_account(),
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

    /// Sends a push once more, or as somebody else would send it who does not know the platform's token.
    async fn send_again(&self) {
        let deliveries = self.sandbox.wechat.deliveries();
        let number: Option<usize> = self.field("push").parse().ok();
        let Some(delivery) = number.and_then(|number| deliveries.get(number)) else { return };
        let push = delivery.push.clone();
        let push = if self.field("action") == "forge" { push.with_token("forged") } else { push };
        self.sandbox.wechat.deliver(push).await;
    }

    fn configure(&self) {
        let Some(platform) = &self.state.platform else { return };
        let variables = SETTINGS.map(|name| (name, self.field(name)));
        self.state.refuse(platform.configure(&variables).err().map(|error| error.to_string()));
    }

    fn add_account(&self) {
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == self.field("kind"));
        let (Some(kind), false) = (kind, self.field("nick_name").is_empty()) else { return };
        let mut account = Account::new(kind, self.field("nick_name"));
        let ids = self.field("sets").split(|character: char| !character.is_ascii_digit());
        let ids: Vec<i64> = ids.filter_map(|id| id.parse().ok()).collect();
        if !ids.is_empty() {
            account.permission_set_ids = ids;
        }
        account.has_profile = self.field("no_profile").is_empty();
        self.sandbox.wechat.add_account(account);
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
