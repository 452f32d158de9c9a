//! The authorizer records: the contract with the services that read the tokens.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use secrecy::SecretString;

use super::item::{Item, integer, number, string, text};
use super::{Store, StoreError, written};
use crate::wechat::Appid;

/// The tokens and the standing of one account, as far as decisions need them.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Absent before the first write.
    pub status: Option<Status>,
    /// When the newest grant was made, in epoch seconds.
    pub authorized_at: Option<i64>,
    /// When the merchant revoked, in epoch seconds.
    pub unauthorized_at: Option<i64>,
    /// When anything was last written, in epoch seconds.
    pub updated_at: i64,
    /// Grows with every write.
    pub version: i64,
    /// The refresh token.
    pub refresh_token: Option<SecretString>,
    /// The access token.
    pub access_token: Option<SecretString>,
    /// When the access token ends, in epoch seconds.
    pub access_token_expires_at: i64,
    /// When the access token was obtained, in epoch seconds.
    pub refreshed_at: i64,
    /// When the access token is due for refresh, in epoch seconds.
    pub refresh_at: Option<i64>,
    /// How often in a row refreshing it has failed.
    pub failed_attempts: u32,
    /// Until when somebody is refreshing it, in epoch seconds.
    pub lease_until: Option<i64>,
    /// The ids of the permission sets.
    pub permission_set_ids: Vec<i64>,
    /// The account's name, where it is known.
    pub nick_name: Option<String>,
}

/// Whether the account authorizes the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It does.
    Authorized,
    /// It did, and the merchant revoked.
    Unauthorized,
}

impl Record {
    pub(super) fn read(item: &Item) -> Self {
        let ids = item.get("permission_set_ids").and_then(|value| value.as_ns().ok());
        let mut permission_set_ids: Vec<i64> =
            ids.into_iter().flatten().filter_map(|id| id.parse().ok()).collect();
        permission_set_ids.sort_unstable();
        let profile = item.get("profile").and_then(|value| value.as_m().ok());
        let failure = item.get("refresh_failure").and_then(|value| value.as_m().ok());
        Self {
            status: match text(item, "status") {
                Some("authorized") => Some(Status::Authorized),
                Some("unauthorized") => Some(Status::Unauthorized),
                _ => None,
            },
            authorized_at: integer(item, "authorized_at"),
            unauthorized_at: integer(item, "unauthorized_at"),
            updated_at: integer(item, "updated_at").unwrap_or_default(),
            version: integer(item, "version").unwrap_or_default(),
            refresh_token: text(item, "authorizer_refresh_token").map(SecretString::from),
            access_token: text(item, "authorizer_access_token").map(SecretString::from),
            access_token_expires_at: integer(item, "access_token_expires_at").unwrap_or_default(),
            refreshed_at: integer(item, "refreshed_at").unwrap_or_default(),
            refresh_at: integer(item, "refresh_at"),
            failed_attempts: failure
                .and_then(|failure| integer(failure, "attempts"))
                .and_then(|attempts| attempts.try_into().ok())
                .unwrap_or_default(),
            lease_until: integer(item, "lease_until"),
            permission_set_ids,
            nick_name: profile.and_then(|profile| text(profile, "nick_name")).map(str::to_owned),
        }
    }

    /// Whether the record knows of something that happened after `event_time`. In the same second, the
    /// later write wins.
    pub fn is_newer_than(&self, event_time: i64) -> bool {
        self.authorized_at.max(self.unauthorized_at).is_some_and(|newest| newest > event_time)
    }
}

impl Store {
    /// The record of an account.
    pub async fn record(&self, authorizer_appid: &Appid) -> Result<Option<Record>, StoreError> {
        let output = self
            .client
            .get_item()
            .table_name(&self.authorizers_table)
            .set_key(Some(self.authorizer_key(authorizer_appid)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| StoreError::of("read a record", &error))?;
        Ok(output.item.as_ref().map(Record::read))
    }

    /// Makes `write` to a record if `condition` holds. False if it does not.
    pub(super) async fn write_record(
        &self,
        operation: &'static str,
        authorizer_appid: &Appid,
        write: Write,
        condition: &str,
    ) -> Result<bool, StoreError> {
        let result = self.update_record(authorizer_appid, write, condition).send().await;
        written(operation, result)
    }

    /// The request that makes `write` to a record if `condition` holds.
    pub(super) fn update_record(
        &self,
        authorizer_appid: &Appid,
        mut write: Write,
        condition: &str,
    ) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.authorizers_table)
            .set_key(Some(self.authorizer_key(authorizer_appid)))
            .update_expression(write.expression())
            .condition_expression(condition)
            .set_expression_attribute_names(Some(write.names))
            .set_expression_attribute_values(Some(write.values))
    }

    pub(super) fn authorizer_key(&self, authorizer_appid: &Appid) -> Item {
        HashMap::from([
            ("authorizer_appid".to_owned(), string(authorizer_appid.as_str())),
            ("component_appid".to_owned(), string(self.component_appid.as_str())),
        ])
    }
}

/// The changes of a record that services hear about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// An account authorized that did not before.
    Authorized,
    /// An account that was authorized has another grant.
    Updated,
    /// The merchant revoked.
    Unauthorized,
    /// Refreshing the token failed, after it had worked.
    RefreshFailed,
    /// Refreshing the token works again.
    Recovered,
}

impl Change {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Authorized => "authorized",
            Self::Updated => "updated",
            Self::Unauthorized => "unauthorized",
            Self::RefreshFailed => "refresh_failed",
            Self::Recovered => "recovered",
        }
    }
}

/// An update expression in the making. Every write raises `version`.
#[derive(Default)]
pub(super) struct Write {
    set: Vec<String>,
    remove: Vec<String>,
    pub(super) names: HashMap<String, String>,
    pub(super) values: Item,
}

impl Write {
    /// What is left of a record when its account has revoked: no token, and the time of it.
    pub(super) fn revocation(unauthorized_at: i64) -> Self {
        let mut write = Self::default();
        write.set("status", string("unauthorized"));
        write.set("unauthorized_at", number(unauthorized_at));
        write.change(Change::Unauthorized);
        for attribute in [
            "next_grant",
            "authorizer_access_token",
            "access_token_expires_at",
            "authorizer_refresh_token",
            "refresh_at",
            "refresh_shard",
            "refresh_failure",
        ] {
            write.remove(attribute);
        }
        write
    }

    pub(super) fn set(&mut self, attribute: &str, value: AttributeValue) {
        self.set.push(format!("#{attribute} = :{attribute}"));
        self.name(attribute, Some(value));
    }

    pub(super) fn set_if_absent(&mut self, attribute: &str, value: AttributeValue) {
        self.set.push(format!("#{attribute} = if_not_exists(#{attribute}, :{attribute})"));
        self.name(attribute, Some(value));
    }

    /// Names the change that a grant is: whether the account was authorized before is known to the item
    /// alone, which says in `next_grant` what the next one is called.
    pub(super) fn change_to_granted(&mut self) {
        self.set.push("#change = if_not_exists(#next_grant, :change)".to_owned());
        self.name("change", Some(string(Change::Authorized.as_str())));
        self.set("next_grant", string(Change::Updated.as_str()));
    }

    /// Sets `attribute` to what `other` is, or to `value` if there is no other.
    pub(super) fn set_to_attribute(&mut self, attribute: &str, other: &str, value: AttributeValue) {
        self.set.push(format!("#{attribute} = if_not_exists(#{other}, :{attribute})"));
        self.name(attribute, Some(value));
        self.name(other, None);
    }

    pub(super) fn remove(&mut self, attribute: &str) {
        self.remove.push(format!("#{attribute}"));
        self.name(attribute, None);
    }

    pub(super) fn set_or_remove(&mut self, attribute: &str, value: Option<AttributeValue>) {
        match value {
            Some(value) => self.set(attribute, value),
            None => self.remove(attribute),
        }
    }

    fn name(&mut self, attribute: &str, value: Option<AttributeValue>) {
        self.names.insert(format!("#{attribute}"), attribute.to_owned());
        self.values.extend(value.map(|value| (format!(":{attribute}"), value)));
    }

    /// Names the change that this write is, for the events that the table's stream feeds.
    pub(super) fn change(&mut self, change: Change) {
        self.set("change", string(change.as_str()));
    }

    /// The expression. A write that is no change removes the name of the last one, or it would be published
    /// again.
    pub(super) fn expression(&mut self) -> String {
        if !self.names.contains_key("#change") {
            self.remove("change");
        }
        self.set.push("#version = if_not_exists(#version, :zero) + :one".to_owned());
        self.names.insert("#version".to_owned(), "version".to_owned());
        self.values.extend([(":zero".to_owned(), number(0)), (":one".to_owned(), number(1))]);
        let set = format!("SET {}", self.set.join(", "));
        if self.remove.is_empty() { set } else { format!("{set} REMOVE {}", self.remove.join(", ")) }
    }
}
