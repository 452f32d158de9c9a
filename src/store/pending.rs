//! Claims whose exchange is not finished, and what keeps calls from being made.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::claim::{Claim, taken_over};
use super::item::{Item, integer, number, string, text};
use super::{Store, StoreError, written};
use crate::wechat::AuthorizationCode;

/// How many claims are read to find the oldest, and how many at a time.
const READ: usize = 512;
const READING: usize = 64;

impl Store {
    /// The digests of at most `limit` codes whose exchange is to be taken up at `now`, the longest pending
    /// first.
    pub async fn pending(&self, now: i64, limit: i32) -> Result<Vec<String>, StoreError> {
        let output = self
            .pending_query("pending = :component AND pending_at <= :now")
            .expression_attribute_values(":now", number(now))
            .limit(limit)
            .send()
            .await
            .map_err(|error| StoreError::of("find pending claims", &error))?;
        let digest = |key: &str| key.rsplit_once('#').map(|(_, digest)| digest.to_owned());
        Ok(output.items().iter().filter_map(|item| text(item, "pk").and_then(digest)).collect())
    }

    /// The keys of the claims that are not finished, up to a page of the index: first those whose next try is
    /// furthest away, which have been tried the most often.
    pub(crate) async fn pending_claims(&self) -> Result<Vec<AttributeValue>, StoreError> {
        let output = self
            .pending_query("pending = :component")
            .scan_index_forward(false)
            .send()
            .await
            .map_err(|error| StoreError::of("find pending claims", &error))?;
        Ok(output.items().iter().filter_map(|item| item.get("pk").cloned()).collect())
    }

    fn pending_query(&self, condition: &str) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.platform_table)
            .index_name("pending")
            .key_condition_expression(condition)
            .expression_attribute_values(":component", string(self.component_appid.as_str()))
    }

    /// When the oldest of the first few hundred of `claims` began, in epoch seconds: the index has only keys.
    pub(crate) async fn oldest_of(&self, claims: &[AttributeValue]) -> Result<Option<i64>, StoreError> {
        let reading = claims.iter().take(READ).map(|key| self.platform_item("read a claim", key.clone()));
        let claims: Vec<Option<Item>> = stream::iter(reading).buffer_unordered(READING).try_collect().await?;
        Ok(claims.iter().flatten().filter_map(|claim| integer(claim, "event_time")).min())
    }

    /// Takes over an unfinished claim that nobody holds, with its code. None if it is finished or held.
    pub async fn reclaim(
        &self,
        digest: &str,
        owner: &str,
        now: i64,
        lease_until: i64,
    ) -> Result<Option<(Claim, AuthorizationCode)>, StoreError> {
        let result = self
            .update_platform(self.platform_key_of("code", digest))
            .update_expression(
                "SET lease_owner = :owner, lease_until = :until, pending_at = :until, \
                 sweeps = if_not_exists(sweeps, :zero) + :one",
            )
            .condition_expression(
                "#status = :claimed \
                 AND (attribute_not_exists(lease_until) OR lease_until <= :now OR lease_owner = :owner)",
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":claimed", string("claimed"))
            .expression_attribute_values(":owner", string(owner))
            .expression_attribute_values(":until", number(lease_until))
            .expression_attribute_values(":now", number(now))
            .expression_attribute_values(":zero", number(0))
            .expression_attribute_values(":one", number(1))
            .return_values(ReturnValue::AllOld)
            .send()
            .await;
        let before = match result {
            Ok(output) => output.attributes.unwrap_or_default(),
            Err(error) => return written("take over a claim", Err(error)).map(|_| None),
        };
        let code = text(&before, "authorization_code").and_then(|code| AuthorizationCode::parse(code).ok());
        let given = Claim {
            digest: digest.to_owned(),
            owner: owner.to_owned(),
            event_time: now,
            authorizer_appid: None,
            state: None,
            maybe_spent: false,
            spent: false,
            sweeps: 0,
        };
        let sweeps = 1 + integer(&before, "sweeps").and_then(|sweeps| sweeps.try_into().ok()).unwrap_or(0);
        Ok(code.map(|code| (Claim { sweeps, ..taken_over(given, &before) }, code)))
    }

    /// Whether the day's quota of `api_authorizer_token` is known to be used up at `now`.
    pub async fn is_quota_exceeded(&self, now: i64) -> Result<bool, StoreError> {
        let item = self.platform_item("read the quota", self.platform_key("quota")).await?;
        Ok(item.and_then(|item| integer(&item, "expires_at")).is_some_and(|until| now < until))
    }

    /// Notes that the day's quota of `api_authorizer_token` is used up until `until`.
    pub async fn put_quota_exceeded(&self, until: i64) -> Result<(), StoreError> {
        let result = self
            .update_platform(self.platform_key("quota"))
            .update_expression("SET expires_at = :until")
            .expression_attribute_values(":until", number(until))
            .send()
            .await;
        written("note the quota", result).map(|_| ())
    }
}
