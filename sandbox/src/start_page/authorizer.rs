//! A record of the table, and what its merchant and we can do to it.

use sandbox::Sandbox;
use sandbox::wechat::set_name;
use serde_json::Value;

use super::words::{left, number, span, text};
use crate::mask::Mask;

/// One record.
pub(super) struct Authorizer {
    pub(super) name: String,
    /// The account's name at WeChat, which the record may not know yet.
    pub(super) nick_name: String,
    pub(super) appid: String,
    /// What the table says.
    pub(super) authorized: bool,
    pub(super) rows: Vec<(&'static str, String)>,
    /// What the merchant can grant, if WeChat knows of an authorization to edit.
    pub(super) sets: Vec<PermissionSet>,
}

/// A permission set on the form in which a merchant edits them.
pub(super) struct PermissionSet {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) granted: bool,
}

impl Authorizer {
    pub(super) fn of(record: &Value, sandbox: &Sandbox, mask: &Mask, now: i64) -> Self {
        let mut rows = Vec::new();
        if let Some(token) = record["authorizer_access_token"].as_str() {
            let works = if sandbox.wechat.accepts(token) { "WeChat accepts it" } else { "WeChat refuses it" };
            let expires = left(number(&record["access_token_expires_at"]), now);
            rows.push(("access token", format!("{} · {expires} · {works}", mask.apply(token))));
        }
        if let Some(token) = record["authorizer_refresh_token"].as_str() {
            rows.push(("refresh token", mask.apply(token)));
        }
        if let Some(due) = record["refresh_at"].as_i64() {
            let due = if due > now { format!("due in {}", span(due - now)) } else { "due".to_owned() };
            rows.push(("refresh", due));
        }
        if record["refresh_failure"].is_object() {
            let failure = &record["refresh_failure"];
            rows.push(("failed", format!("errcode {}, {} times", failure["errcode"], failure["attempts"])));
        }
        let ids = record["permission_set_ids"].as_array().into_iter().flatten();
        let ids = ids.map(Value::to_string).collect::<Vec<_>>().join(", ");
        if !ids.is_empty() {
            rows.push(("permission sets", ids));
        }
        for (name, attribute) in [("kind", "account_type"), ("account status", "account_status")] {
            match &record["profile"][attribute] {
                Value::String(kind) => rows.push((name, kind.clone())),
                Value::Number(status) => rows.push((name, status.to_string())),
                _ => {}
            }
        }
        for (name, attribute) in
            [("state", "state"), ("bound", "bound"), ("unverified state", "unverified_state")]
        {
            if let Some(value) = record[attribute].as_str() {
                rows.push((name, mask.apply(value)));
            }
        }
        for (name, attribute) in [
            ("authorized", "authorized_at"),
            ("revoked", "unauthorized_at"),
            ("refreshed", "refreshed_at"),
            ("compared", "profile_at"),
        ] {
            if let Some(at) = record[attribute].as_i64() {
                rows.push((name, format!("{} ago", span(now - at))));
            }
        }
        rows.push(("version", record["version"].to_string()));
        let appid = text(&record["authorizer_appid"]).to_owned();
        Self {
            nick_name: nick_name(sandbox, &appid),
            name: record["profile"]["nick_name"].as_str().unwrap_or(&appid).to_owned(),
            authorized: record["status"] == "authorized",
            sets: permission_sets(sandbox, &appid),
            appid,
            rows,
        }
    }
}

impl Authorizer {
    /// The accounts that authorize the platform, as WeChat knows them: the records are in another table.
    pub(super) fn all_at_wechat(sandbox: &Sandbox) -> Vec<Self> {
        let accounts = sandbox.wechat.accounts().into_iter();
        let authorized = accounts.filter(|account| sandbox.wechat.refresh_token(&account.appid).is_some());
        authorized
            .map(|account| Self {
                name: account.nick_name.clone(),
                nick_name: account.nick_name,
                authorized: true,
                sets: permission_sets(sandbox, &account.appid),
                appid: account.appid,
                rows: Vec::new(),
            })
            .collect()
    }
}

fn nick_name(sandbox: &Sandbox, appid: &str) -> String {
    let accounts = sandbox.wechat.accounts().into_iter();
    accounts.filter(|account| account.appid == appid).map(|account| account.nick_name).collect()
}

fn permission_sets(sandbox: &Sandbox, appid: &str) -> Vec<PermissionSet> {
    let accounts = sandbox.wechat.accounts();
    let account = accounts
        .iter()
        .find(|account| account.appid == appid && sandbox.wechat.refresh_token(appid).is_some());
    let granted = sandbox.wechat.permission_set_ids(appid);
    let ids = account.map_or(&[][..], |account| &account.permission_set_ids);
    ids.iter().map(|&id| PermissionSet { id, name: set_name(id), granted: granted.contains(&id) }).collect()
}
