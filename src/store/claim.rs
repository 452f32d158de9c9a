//! The claim on one authorization code: who exchanges it, and what came of it.

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};

use super::authorizer::Record;
use super::item::{Item, appid, integer, number, string, text};
use super::{State, Store, StoreError, written};
use crate::wechat::{Appid, AuthorizationCode, Grant};

/// How long a claim is kept, in seconds: a code lives an hour at most, a page may be reloaded for days.
const KEPT: i64 = 7 * 86_400;

/// A claim that this owner holds.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The SHA-256 of the code.
    pub digest: String,
    /// Who holds the lease.
    pub owner: String,
    /// When the grant was made, in epoch seconds: the time of the first event that brought the code.
    pub event_time: i64,
    /// The account, where a push has named it.
    pub authorizer_appid: Option<Appid>,
    /// The state of the launch, where it is known.
    pub state: Option<String>,
    /// Whether an earlier attempt may have spent the code without telling us what it brought.
    pub maybe_spent: bool,
    /// Whether WeChat has said that the code is spent: asking again is of no use.
    pub spent: bool,
    /// How often the sweep has taken it up; 0 for a visit and a push.
    pub sweeps: u32,
}

/// What became of an attempt to claim a code.
#[derive(Clone, Debug)]
pub enum ClaimOutcome {
    /// The code is ours to exchange until the lease ends.
    Claimed(Claim),
    /// Somebody else is exchanging it.
    Running,
    /// It is spent, and the sweep is looking for what it brought.
    Spent,
    /// It was exchanged for this account's grant.
    Done(Appid),
    /// It can never be exchanged; WeChat's errcode.
    Failed(i64),
}

/// What became of the attempt to write a grant.
#[derive(Clone, Debug)]
pub enum Landed {
    /// Record and claim are written.
    Written,
    /// The record is not as the write expected it; nothing is written. The record as it is.
    Conflict(Box<Record>),
}

impl Store {
    /// Claims `code` for `owner` until `lease_until`. What the event knows of the account and the state is
    /// stored with the claim; what is stored already stays.
    #[expect(clippy::too_many_arguments, reason = "each is one attribute of the item")]
    pub async fn claim(
        &self,
        code: &AuthorizationCode,
        owner: &str,
        event_time: i64,
        authorizer_appid: Option<&Appid>,
        state: Option<&State>,
        now: i64,
        lease_until: i64,
    ) -> Result<ClaimOutcome, StoreError> {
        let digest = code.digest();
        let mut set = "SET #status = :claimed, lease_owner = :owner, lease_until = :until, \
                       pending = :pending, pending_at = :until, authorization_code = :code, \
                       event_time = if_not_exists(event_time, :event_time), expires_at = :expires_at"
            .to_owned();
        let mut update = self
            .update_platform(self.platform_key_of("code", &digest))
            .condition_expression(
                "attribute_not_exists(pk) \
                 OR (#status = :claimed AND attribute_not_exists(spent) \
                 AND (attribute_not_exists(lease_until) OR lease_until <= :now))",
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":claimed", string("claimed"))
            .expression_attribute_values(":owner", string(owner))
            .expression_attribute_values(":until", number(lease_until))
            .expression_attribute_values(":pending", string(self.component_appid.as_str()))
            .expression_attribute_values(":code", string(code.expose()))
            .expression_attribute_values(":event_time", number(event_time))
            .expression_attribute_values(":expires_at", number(now + KEPT))
            .expression_attribute_values(":now", number(now))
            .return_values(ReturnValue::AllOld)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        if let Some(appid) = authorizer_appid {
            set.push_str(", authorizer_appid = if_not_exists(authorizer_appid, :appid)");
            update = update.expression_attribute_values(":appid", string(appid.as_str()));
        }
        if let Some(state) = state {
            set.push_str(", #state = if_not_exists(#state, :state)");
            update = update
                .expression_attribute_names("#state", "state")
                .expression_attribute_values(":state", string(state.as_str()));
        }

        let given = Claim {
            digest,
            owner: owner.to_owned(),
            event_time,
            authorizer_appid: authorizer_appid.cloned(),
            state: state.map(|state| state.as_str().to_owned()),
            maybe_spent: false,
            spent: false,
            sweeps: 0,
        };
        match update.update_expression(set).send().await {
            Ok(output) => Ok(ClaimOutcome::Claimed(match output.attributes {
                Some(before) => taken_over(given, &before),
                None => given,
            })),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failure)) => {
                    Ok(found(given, failure.item()))
                }
                _ => Err(StoreError::of("claim a code", &error)),
            },
        }
    }

    /// Adds what a push knows of the account and the state to a claim that somebody else holds, so that the
    /// exchange can be finished from it if they die.
    pub async fn annotate_claim(
        &self,
        code: &AuthorizationCode,
        authorizer_appid: &Appid,
        state: Option<&State>,
        now: i64,
    ) -> Result<(), StoreError> {
        // What the push knows may be all that the sweep was waiting for.
        let mut set =
            "SET authorizer_appid = if_not_exists(authorizer_appid, :appid), pending_at = :now".to_owned();
        let mut update = self
            .update_platform(self.platform_key_of("code", &code.digest()))
            .condition_expression("#status = :claimed")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":claimed", string("claimed"))
            .expression_attribute_values(":now", number(now))
            .expression_attribute_values(":appid", string(authorizer_appid.as_str()));
        if let Some(state) = state {
            set.push_str(", #state = if_not_exists(#state, :state)");
            update = update
                .expression_attribute_names("#state", "state")
                .expression_attribute_values(":state", string(state.as_str()));
        }
        written("annotate a claim", update.update_expression(set).send().await).map(|_| ())
    }

    /// Gives the claim back, unfinished; the sweep takes it up again at `retry_at`. A lease that is no longer
    /// ours is left alone.
    pub async fn release_claim(&self, claim: &Claim, retry_at: i64) -> Result<(), StoreError> {
        let maybe_spent = if claim.maybe_spent { ", maybe_spent = :true" } else { "" };
        let spent = if claim.spent { ", spent = :true" } else { "" };
        let update = self
            .update_claim(claim)
            .update_expression(format!(
                "SET pending_at = :retry_at{maybe_spent}{spent} REMOVE lease_owner, lease_until"
            ))
            .condition_expression("lease_owner = :owner")
            .expression_attribute_values(":owner", string(&claim.owner))
            .expression_attribute_values(":retry_at", number(retry_at));
        let update = match claim.maybe_spent || claim.spent {
            true => update.expression_attribute_values(":true", AttributeValue::Bool(true)),
            false => update,
        };
        written("release a claim", update.send().await).map(|_| ())
    }

    /// Records that the code can never be exchanged. A lease that is no longer ours is left alone.
    pub async fn fail_claim(&self, claim: &Claim, errcode: i64) -> Result<(), StoreError> {
        let update = self
            .update_claim(claim)
            .update_expression(format!("SET #status = :failed, errcode = :errcode {FINISHED}"))
            .condition_expression("lease_owner = :owner")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":owner", string(&claim.owner))
            .expression_attribute_values(":failed", string("failed"))
            .expression_attribute_values(":errcode", number(errcode));
        written("close a claim", update.send().await).map(|_| ())
    }

    /// Records that the code brought a grant that is not written, because the record has a newer one.
    pub async fn close_claim(&self, claim: &Claim, authorizer_appid: &Appid) -> Result<(), StoreError> {
        let update = self
            .update_claim(claim)
            .update_expression(format!("SET #status = :done, authorizer_appid = :appid {FINISHED}"))
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":done", string("done"))
            .expression_attribute_values(":appid", string(authorizer_appid.as_str()));
        written("close a claim", update.send().await).map(|_| ())
    }

    /// Writes the grant and closes the claim, in one transaction.
    ///
    /// The claim is closed whoever holds the lease by now: a code can be exchanged once, so nobody else
    /// can have, or get, what it brought. `known` is the record as it was read after a conflict.
    ///
    /// The request is idempotent for `token`, which is the same for each repetition and for nothing else.
    pub async fn put_grant(
        &self,
        claim: &Claim,
        grant: &Grant,
        known: Option<&Record>,
        now: i64,
        token: &str,
    ) -> Result<Landed, StoreError> {
        // Only the sweep recovers; an exchange that brings no access token says that there is none.
        let recovered = grant.access_token.is_none() && claim.spent;
        let record =
            self.grant_update(claim.event_time, claim.state.as_deref(), grant, recovered, known, now);
        let done = Update::builder()
            .table_name(&self.platform_table)
            .key("pk", self.platform_key_of("code", &claim.digest))
            .update_expression(format!("SET #status = :done, authorizer_appid = :appid {FINISHED}"))
            .condition_expression("attribute_not_exists(#status) OR #status <> :done")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":done", string("done"))
            .expression_attribute_values(":appid", string(grant.authorizer_appid.as_str()))
            .build()
            .expect("table, key and expression are set");
        self.transact_grant(record, Some(done), token).await
    }

    /// Writes a grant that no code brought: one that WeChat says is in force since `event_time`.
    pub async fn restore_grant(
        &self,
        event_time: i64,
        grant: &Grant,
        known: Option<&Record>,
        now: i64,
        token: &str,
    ) -> Result<Landed, StoreError> {
        self.transact_grant(self.grant_update(event_time, None, grant, true, known, now), None, token).await
    }

    async fn transact_grant(
        &self,
        record: Update,
        done: Option<Update>,
        token: &str,
    ) -> Result<Landed, StoreError> {
        let item = |update| TransactWriteItem::builder().update(update).build();
        let result = self
            .client
            .transact_write_items()
            .client_request_token(token)
            .set_transact_items(Some([Some(record), done].into_iter().flatten().map(item).collect()))
            .send()
            .await;
        let Err(error) = result else { return Ok(Landed::Written) };
        let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
        else {
            return Err(StoreError::of("write a grant", &error));
        };
        let failed = |index: usize| {
            let reason = cancelled.cancellation_reasons().get(index)?;
            (reason.code() == Some("ConditionalCheckFailed"))
                .then(|| reason.item().cloned().unwrap_or_default())
        };
        if failed(1).is_some() {
            // Only this code's grant closes the claim as done: an earlier try whose answer was lost.
            return Ok(Landed::Written);
        }
        match failed(0) {
            Some(item) => Ok(Landed::Conflict(Box::new(Record::read(&item)))),
            None => Err(StoreError::of("write a grant", &error)),
        }
    }

    fn update_claim(&self, claim: &Claim) -> UpdateItemFluentBuilder {
        self.update_platform(self.platform_key_of("code", &claim.digest))
    }
}

/// What a finished claim no longer has.
const FINISHED: &str =
    "REMOVE lease_owner, lease_until, pending, pending_at, authorization_code, maybe_spent, spent, sweeps";

/// The claim after taking it over from an owner that released it or died.
pub(super) fn taken_over(given: Claim, before: &Item) -> Claim {
    let died = before.contains_key("lease_owner");
    Claim {
        event_time: integer(before, "event_time").unwrap_or(given.event_time),
        authorizer_appid: appid(before, "authorizer_appid").or(given.authorizer_appid),
        state: text(before, "state").map(str::to_owned).or(given.state),
        maybe_spent: died || before.contains_key("maybe_spent"),
        spent: before.contains_key("spent"),
        ..given
    }
}

/// What a claim that could not be taken is.
fn found(given: Claim, item: Option<&Item>) -> ClaimOutcome {
    let Some(item) = item else { return ClaimOutcome::Running };
    match text(item, "status") {
        Some("done") => appid(item, "authorizer_appid").map_or(ClaimOutcome::Running, ClaimOutcome::Done),
        Some("failed") => ClaimOutcome::Failed(integer(item, "errcode").unwrap_or_default()),
        // Our own claim, whose answer was lost on the way to us and which the SDK sent again.
        _ if text(item, "lease_owner") == Some(&given.owner) => {
            ClaimOutcome::Claimed(taken_over(given, item))
        }
        _ if item.contains_key("spent") => ClaimOutcome::Spent,
        _ => ClaimOutcome::Running,
    }
}
