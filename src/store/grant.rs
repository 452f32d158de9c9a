//! The writes of what a merchant grants and takes back.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure, Update};
use secrecy::{ExposeSecret, SecretString};

use super::authorizer::{Record, Status, Write};
use super::due::{due_at, shard};
use super::item::{Item, number, string};
use super::{Store, StoreError};
use crate::wechat::{Appid, Grant, PermissionSet, Profile};

/// Two grants of one account within so many seconds may have been exchanged in another order than they
/// are written, so that the later write holds a superseded token.
pub const TWINS_APART: i64 = 60;

impl Store {
    /// The write of a whole grant.
    ///
    /// Without `known` it holds for an account that has no record, or one with nothing to decide on: all it
    /// says is older, and the grant brings a refresh token of its own. With `known` the decision was made on
    /// that version of the record.
    ///
    /// A `recovered` grant comes without its access token because WeChat does not tell it twice, and not
    /// because there is none: the one in the record stays until it is refreshed, which is due at once.
    pub(super) fn grant_update(
        &self,
        event_time: i64,
        state: Option<&str>,
        grant: &Grant,
        recovered: bool,
        known: Option<&Record>,
        now: i64,
    ) -> Update {
        let mut write = Write::default();
        write.set("status", string("authorized"));
        write.set("authorized_at", number(event_time));
        write.set("updated_at", number(now));
        write.set("func_info", AttributeValue::L(grant.func_info.iter().map(permission_set).collect()));
        let ids: BTreeSet<i64> = grant.func_info.iter().map(|set| set.id).collect();
        if !known.is_some_and(|known| is_same_grant(known, event_time, &ids)) {
            write.change_to_granted();
        }
        let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
        write.set_or_remove("permission_set_ids", (!ids.is_empty()).then_some(AttributeValue::Ns(ids)));
        if let Some(state) = state {
            write.set("state", string(state));
        }
        if let Some(token) = &grant.refresh_token {
            write.set("authorizer_refresh_token", string(token.expose_secret()));
        }
        if let Some(access_token) = &grant.access_token {
            write.set("refreshed_at", number(now));
            write.set("access_token_expires_at", number(now + access_token.expires_in));
            write.set("authorizer_access_token", string(access_token.token.expose_secret()));
        } else if !recovered {
            write.remove("access_token_expires_at");
            write.remove("authorizer_access_token");
        }
        let refreshable =
            grant.refresh_token.is_some() || known.is_some_and(|known| known.refresh_token.is_some());
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
                write.values.insert(":event".into(), number(event_time));
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

    /// Makes the token of an authorized account due, as one that may be superseded.
    pub async fn make_due(&self, authorizer_appid: &Appid, now: i64) -> Result<bool, StoreError> {
        let mut write = Write::default();
        write.set("updated_at", number(now));
        write.set_to_attribute("refresh_at", "refreshed_at", number(now));
        write.set("refresh_shard", number(shard(authorizer_appid)));
        write.values.insert(":authorized".to_owned(), string("authorized"));
        write.names.insert("#status".to_owned(), "status".to_owned());
        self.write_record(
            "make a record due",
            authorizer_appid,
            write,
            "#status = :authorized AND attribute_exists(authorizer_refresh_token)",
        )
        .await
    }

    /// Removes the tokens of an account that revoked at `event_time`, also of one that was never seen, so that
    /// a late authorization does not bring it back. False if something newer is stored.
    pub async fn revoke(
        &self,
        authorizer_appid: &Appid,
        event_time: i64,
        now: i64,
    ) -> Result<bool, StoreError> {
        let mut write = Write::revocation(event_time);
        write.set("updated_at", number(now));
        write.remove("lease_owner");
        write.remove("lease_until");
        self.write_record(
            "revoke an authorization",
            authorizer_appid,
            write,
            "(attribute_not_exists(authorized_at) OR authorized_at <= :unauthorized_at) \
                 AND (attribute_not_exists(#unauthorized_at) OR #unauthorized_at <= :unauthorized_at)",
        )
        .await
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
        write.names.insert("#status".to_owned(), "status".to_owned());
        write.values.insert(":authorized".to_owned(), string("authorized"));
        self.write_record(
            "store a profile",
            authorizer_appid,
            write,
            "authorized_at = :event AND #status = :authorized",
        )
        .await
    }
}

/// Whether a grant is the one that `known` has from the other door, redirect or push: services hear of it once.
fn is_same_grant(known: &Record, event_time: i64, permission_set_ids: &BTreeSet<i64>) -> bool {
    let authorized_at = known.authorized_at.unwrap_or_default();
    known.status == Some(Status::Authorized)
        && (event_time - authorized_at).abs() < TWINS_APART
        && known.failed_attempts == 0
        && known.permission_set_ids.iter().eq(permission_set_ids)
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
