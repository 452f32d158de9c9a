//! The authorizer records: the contract with the services that read the tokens.

use std::collections::{BTreeSet, HashMap};

use aws_lc_rs::digest;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure, Update};
use secrecy::{ExposeSecret, SecretString};

use super::claim::Claim;
use super::item::{Item, integer, number, string, text};
use super::{Store, StoreError, written};
use crate::wechat::{Appid, Grant, PermissionSet, Profile};

/// Over how many partitions the index of due tokens is spread. One partition of an index takes 1,000
/// writes a second; ten million accounts make about 3,000.
const REFRESH_SHARDS: u8 = 16;

/// Two grants of one account within so many seconds may have been exchanged in another order than they
/// are written, so that the later write holds a superseded token.
const TWINS_APART: i64 = 60;

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
    /// Whether there is a refresh token.
    pub has_refresh_token: bool,
    /// Whether there is an access token.
    pub has_access_token: bool,
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
            has_refresh_token: item.contains_key("authorizer_refresh_token"),
            has_access_token: item.contains_key("authorizer_access_token"),
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

    /// The write of a whole grant.
    ///
    /// Without `known` it holds for an account that has no record, or one with nothing to decide on: all it
    /// says is older, and the grant brings a refresh token of its own. With `known` the decision was made on
    /// that version of the record.
    pub(super) fn grant_update(
        &self,
        claim: &Claim,
        grant: &Grant,
        known: Option<&Record>,
        now: i64,
    ) -> Update {
        let mut write = Write::default();
        write.set("status", string("authorized"));
        write.set("authorized_at", number(claim.event_time));
        write.set("updated_at", number(now));
        write.set("func_info", AttributeValue::L(grant.func_info.iter().map(permission_set).collect()));
        let ids: BTreeSet<i64> = grant.func_info.iter().map(|set| set.id).collect();
        let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
        write.set_or_remove("permission_set_ids", (!ids.is_empty()).then_some(AttributeValue::Ns(ids)));
        if let Some(state) = &claim.state {
            write.set("state", string(state));
        }
        if let Some(token) = &grant.refresh_token {
            write.set("authorizer_refresh_token", string(token.expose_secret()));
        }
        if let Some(access_token) = &grant.access_token {
            write.set("refreshed_at", number(now));
            write.set("access_token_expires_at", number(now + access_token.expires_in));
            write.set("authorizer_access_token", string(access_token.token.expose_secret()));
        } else {
            write.remove("access_token_expires_at");
            write.remove("authorizer_access_token");
        }
        let refreshable = grant.refresh_token.is_some() || known.is_some_and(|known| known.has_refresh_token);
        let twin = known.is_some_and(|known| now - known.updated_at < TWINS_APART);
        let due = match &grant.access_token {
            Some(token) if !twin => due_at(&grant.authorizer_appid, now, token.expires_in),
            _ => now,
        };
        write.set_or_remove("refresh_at", refreshable.then(|| number(due)));
        write.set_or_remove("refresh_shard", refreshable.then(|| number(shard(&grant.authorizer_appid))));
        for attribute in ["unauthorized_at", "refresh_failure", "lease_owner", "lease_until"] {
            write.remove(attribute);
        }

        let condition = match known {
            Some(known) if known.version > 0 => {
                write.values.insert(":known".into(), number(known.version));
                "version = :known"
            }
            Some(_) => "attribute_not_exists(version)",
            None if grant.refresh_token.is_some() => {
                write.values.insert(":event".into(), number(claim.event_time));
                write.values.insert(":apart".into(), number(now - TWINS_APART));
                "attribute_not_exists(authorizer_appid) \
                 OR ((attribute_not_exists(authorized_at) OR authorized_at <= :event) \
                 AND (attribute_not_exists(unauthorized_at) OR unauthorized_at <= :event) \
                 AND updated_at <= :apart)"
            }
            None => "attribute_not_exists(authorizer_appid)",
        };
        Update::builder()
            .table_name(&self.authorizers_table)
            .set_key(Some(self.authorizer_key(&grant.authorizer_appid)))
            .update_expression(write.expression())
            .condition_expression(condition)
            .set_expression_attribute_names(Some(write.names))
            .set_expression_attribute_values(Some(write.values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .expect("table, key and expression are set")
    }

    /// Removes the tokens of an account that revoked at `event_time`, also of one that was never seen, so that
    /// a late authorization does not bring it back. False if something newer is stored.
    pub async fn revoke(
        &self,
        authorizer_appid: &Appid,
        event_time: i64,
        now: i64,
    ) -> Result<bool, StoreError> {
        let mut write = Write::default();
        write.set("status", string("unauthorized"));
        write.set("unauthorized_at", number(event_time));
        write.set("updated_at", number(now));
        for attribute in [
            "authorizer_access_token",
            "access_token_expires_at",
            "authorizer_refresh_token",
            "refresh_at",
            "refresh_shard",
            "refresh_failure",
            "lease_owner",
            "lease_until",
        ] {
            write.remove(attribute);
        }
        let result = self
            .client
            .update_item()
            .table_name(&self.authorizers_table)
            .set_key(Some(self.authorizer_key(authorizer_appid)))
            .update_expression(write.expression())
            .condition_expression(
                "(attribute_not_exists(authorized_at) OR authorized_at <= :unauthorized_at) \
                 AND (attribute_not_exists(#unauthorized_at) OR #unauthorized_at <= :unauthorized_at)",
            )
            .set_expression_attribute_names(Some(write.names))
            .set_expression_attribute_values(Some(write.values))
            .send()
            .await;
        written("revoke an authorization", result)
    }

    /// Adds what `api_get_authorizer_info` says to the grant made at `authorized_at`: the profile, and the
    /// refresh token if the grant brought none. False if the record has another grant by now.
    pub async fn put_profile(
        &self,
        authorizer_appid: &Appid,
        authorized_at: i64,
        profile: &Profile,
        refresh_token: Option<&SecretString>,
        now: i64,
    ) -> Result<bool, StoreError> {
        let mut write = Write::default();
        write.set("profile", AttributeValue::M(profile_map(profile)));
        write.set("updated_at", number(now));
        if let Some(token) = refresh_token {
            write.set_if_absent("authorizer_refresh_token", string(token.expose_secret()));
            write.set_if_absent("refresh_at", number(now));
            write.set("refresh_shard", number(shard(authorizer_appid)));
        }
        write.values.insert(":event".into(), number(authorized_at));
        let result = self
            .client
            .update_item()
            .table_name(&self.authorizers_table)
            .set_key(Some(self.authorizer_key(authorizer_appid)))
            .update_expression(write.expression())
            .condition_expression("authorized_at = :event AND #status = :authorized")
            .set_expression_attribute_names(Some(write.names))
            .set_expression_attribute_values(Some(write.values))
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":authorized", string("authorized"))
            .send()
            .await;
        written("store a profile", result)
    }

    fn authorizer_key(&self, authorizer_appid: &Appid) -> Item {
        HashMap::from([
            ("authorizer_appid".to_owned(), string(authorizer_appid.as_str())),
            ("component_appid".to_owned(), string(self.component_appid.as_str())),
        ])
    }
}

/// An update expression in the making. Every write raises `version`.
#[derive(Default)]
struct Write {
    set: Vec<String>,
    remove: Vec<String>,
    names: HashMap<String, String>,
    values: Item,
}

impl Write {
    fn set(&mut self, attribute: &str, value: AttributeValue) {
        self.set.push(format!("#{attribute} = :{attribute}"));
        self.name(attribute, Some(value));
    }

    fn set_if_absent(&mut self, attribute: &str, value: AttributeValue) {
        self.set.push(format!("#{attribute} = if_not_exists(#{attribute}, :{attribute})"));
        self.name(attribute, Some(value));
    }

    fn remove(&mut self, attribute: &str) {
        self.remove.push(format!("#{attribute}"));
        self.name(attribute, None);
    }

    fn set_or_remove(&mut self, attribute: &str, value: Option<AttributeValue>) {
        match value {
            Some(value) => self.set(attribute, value),
            None => self.remove(attribute),
        }
    }

    fn name(&mut self, attribute: &str, value: Option<AttributeValue>) {
        self.names.insert(format!("#{attribute}"), attribute.to_owned());
        self.values.extend(value.map(|value| (format!(":{attribute}"), value)));
    }

    fn expression(&mut self) -> String {
        self.set.push("#version = if_not_exists(#version, :zero) + :one".to_owned());
        self.names.insert("#version".to_owned(), "version".to_owned());
        self.values.extend([(":zero".to_owned(), number(0)), (":one".to_owned(), number(1))]);
        let set = format!("SET {}", self.set.join(", "));
        if self.remove.is_empty() { set } else { format!("{set} REMOVE {}", self.remove.join(", ")) }
    }
}

/// When a token that was obtained at `now` and lives `expires_in` seconds is due for refresh: between a
/// twelfth and a sixth of its life before its end (10 to 20 minutes of two hours), at a point of that span
/// that differs from account to account, so that many grants of one moment do not come due in one.
fn due_at(authorizer_appid: &Appid, now: i64, expires_in: i64) -> i64 {
    let span = expires_in / 12;
    let spread = span * i64::from(hash(authorizer_appid)[1]) / 256;
    now + expires_in - 2 * span + spread
}

/// The partition of the index of due tokens that an account belongs to.
fn shard(authorizer_appid: &Appid) -> i64 {
    i64::from(hash(authorizer_appid)[0] % REFRESH_SHARDS)
}

fn hash(authorizer_appid: &Appid) -> [u8; 2] {
    let digest = digest::digest(&digest::SHA256, authorizer_appid.as_str().as_bytes());
    [digest.as_ref()[0], digest.as_ref()[1]]
}

fn permission_set(set: &PermissionSet) -> AttributeValue {
    let mut map = Item::from([("id".to_owned(), number(set.id))]);
    put(&mut map, "type", set.kind.map(number));
    put(&mut map, "name", set.name.as_deref().map(string));
    put(&mut map, "desc", set.desc.as_deref().map(string));
    let confirm_info = set.confirm_info.as_ref().map(|info| {
        let mut map = Item::new();
        put(&mut map, "need_confirm", info.need_confirm.map(number));
        put(&mut map, "already_confirm", info.already_confirm.map(number));
        put(&mut map, "can_confirm", info.can_confirm.map(number));
        AttributeValue::M(map)
    });
    put(&mut map, "confirm_info", confirm_info);
    AttributeValue::M(map)
}

fn profile_map(profile: &Profile) -> Item {
    let mut map = Item::from([("account_type".to_owned(), string(profile.account_type.as_str()))]);
    put(&mut map, "nick_name", profile.nick_name.as_deref().map(string));
    put(&mut map, "user_name", profile.user_name.as_deref().map(string));
    put(&mut map, "head_img", profile.head_img.as_deref().map(string));
    put(&mut map, "principal_name", profile.principal_name.as_deref().map(string));
    put(&mut map, "service_type", profile.service_type.map(number));
    put(&mut map, "verify_type", profile.verify_type.map(number));
    map
}

fn put(map: &mut Item, name: &str, value: Option<AttributeValue>) {
    map.extend(value.map(|value| (name.to_owned(), value)));
}
