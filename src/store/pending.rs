//! Claims whose exchange is not finished.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::attribute::*;
use super::claim::{PERHAPS_SPENT, taken_over};
use super::item::{Item, integer, string, text, time, timestamp};
use super::update::{Condition, Update};
use super::{Store, StoreError, Written};
use crate::claim::{Claim, CodeState};
use crate::evidence::Evidence;
use crate::lease::Lease;
use crate::time::Timestamp;
use crate::wechat::AuthorizationCode;

/// How many claims are read to find the oldest, and how many at a time.
const READ: usize = 512;
const READING: usize = 64;

impl Store {
    /// The digests of at most `limit` codes, with this kind of evidence, whose exchange is to be taken up at `now`, the
    /// longest pending first.
    pub(crate) async fn pending(
        &self,
        evidence: Evidence,
        now: Timestamp,
        limit: i32,
    ) -> Result<Vec<String>, StoreError> {
        let output = self
            .pending_query(self.pending_key(evidence), "pending = :pending AND pending_at <= :now")
            .expression_attribute_values(":now", time(now))
            .limit(limit)
            .send()
            .await
            .map_err(|error| StoreError::of("find pending claims", &error))?;
        Ok(output.items().iter().filter_map(digest).collect())
    }

    /// The digests of the codes whose exchange is not finished, up to a page of the index: first those whose next
    /// try is furthest away, which have been tried the most often.
    pub(crate) async fn pending_claims(&self) -> Result<Vec<String>, StoreError> {
        let output = self
            .pending_query(self.pending_key(Evidence::Push), "pending = :pending")
            .scan_index_forward(false)
            .send()
            .await
            .map_err(|error| StoreError::of("find pending claims", &error))?;
        Ok(output.items().iter().filter_map(digest).collect())
    }

    /// The accounts of the last days whose codes died before WeChat exchanged them, up to a few hundred.
    pub(crate) async fn unexchanged(&self) -> Result<Vec<String>, StoreError> {
        let unexchanged = string(format!("{}#unexchanged", self.component_appid));
        let output = self
            .pending_query(unexchanged, "pending = :pending")
            .limit(READ as i32)
            .send()
            .await
            .map_err(|error| StoreError::of("find unexchanged claims", &error))?;
        let digests: Vec<String> = output.items().iter().filter_map(digest).collect();
        let claims = self.claims(&digests).await?;
        let appids = claims.iter().filter_map(|claim| text(claim, AUTHORIZER_APPID)).map(str::to_owned);
        let appids: BTreeSet<String> = appids.collect();
        Ok(appids.into_iter().collect())
    }

    fn pending_query(&self, pending: AttributeValue, condition: &str) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.platform_table)
            .index_name("pending")
            .key_condition_expression(condition)
            .expression_attribute_values(":pending", pending)
    }

    /// When the oldest of the first few hundred of the claims began: the index has only keys.
    pub(crate) async fn oldest_of(&self, digests: &[String]) -> Result<Option<Timestamp>, StoreError> {
        let claims = self.claims(digests).await?;
        Ok(claims.iter().filter_map(|claim| timestamp(claim, EVENT_TIME)).min())
    }

    /// The first few hundred of the claims with these digests.
    async fn claims(&self, digests: &[String]) -> Result<Vec<Item>, StoreError> {
        let reading =
            digests.iter().take(READ).map(|digest| self.item("read a claim", self.claim_key(digest)));
        let claims: Vec<Option<Item>> = stream::iter(reading).buffer_unordered(READING).try_collect().await?;
        Ok(claims.into_iter().flatten().collect())
    }

    /// Takes over an unfinished claim that nobody holds, with its code. None if it is finished or held.
    pub(crate) async fn reclaim(
        &self,
        digest: &str,
        lease: Lease,
        now: Timestamp,
    ) -> Result<Option<(Claim, AuthorizationCode)>, StoreError> {
        let update = Update::default()
            .take_lease(&lease)
            .set_if_absent(CODE_STATE, string(PERHAPS_SPENT))
            .set(PENDING_AT, time(lease.until()))
            .increase(SWEEPS, 1)
            .when(Condition::Equals(STATUS, string("claimed")))
            .when(Condition::can_take(&lease, now));
        let key = self.claim_key(digest);
        let written = self.write_returning("take over a claim", key, update, ReturnValue::AllOld).await?;
        let Written::Made(before) = written else { return Ok(None) };
        let code = text(&before, AUTHORIZATION_CODE).and_then(|code| AuthorizationCode::parse(code).ok());
        let given = Claim {
            digest: digest.to_owned(),
            lease,
            event_time: now,
            authorizer_appid: None,
            evidence: Evidence::Bare,
            binding: None,
            code: CodeState::NotSent,
            sweeps: 1 + integer(&before, SWEEPS).and_then(|sweeps| sweeps.try_into().ok()).unwrap_or(0),
            heard: None,
        };
        Ok(code.map(|code| (taken_over(given, &before), code)))
    }
}

fn digest(item: &Item) -> Option<String> {
    let pk: &AttributeValue = item.get(PK)?;
    pk.as_s().ok()?.rsplit_once('#').map(|(_, digest)| digest.to_owned())
}
