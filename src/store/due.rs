//! Tokens that are due for refresh: found through the index, refreshed under a lease.

use std::collections::HashMap;

use aws_lc_rs::digest;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, Select};
use secrecy::{ExposeSecret, SecretString};

use super::authorizer::{Change, Record, Write};
use super::item::{Item, appid, number, string, text};
use super::{Store, StoreError, written};
use crate::wechat::{AccessToken, Appid, RefreshedToken};

/// Over how many partitions the index of due tokens is spread. One partition of an index takes 1,000
/// writes a second; ten million accounts make about 3,000.
pub const REFRESH_SHARDS: u8 = 16;

/// Where to go on in an index or a table.
#[derive(Clone, Debug)]
pub struct Cursor(Item);

impl Cursor {
    pub(super) fn from_key(key: Item) -> Self {
        Self(key)
    }

    pub(super) fn into_key(self) -> Item {
        self.0
    }
}

/// Due accounts of one shard, the longest due first.
#[derive(Clone, Debug)]
pub struct DuePage {
    /// The accounts, with the time they became due.
    pub accounts: Vec<(i64, Appid)>,
    /// Where the next page begins, if there may be one.
    pub next: Option<Cursor>,
}

/// Why a token is to be refreshed.
#[derive(Clone, Debug)]
pub enum Reason {
    /// It was due at this time, in epoch seconds. What the index says may be out of date.
    DueBy(i64),
    /// The access token, or that there is none, is of no use. Not if there is another one by now.
    Useless(Option<SecretString>),
}

/// A record whose token may be refreshed by who holds this.
#[derive(Clone, Debug)]
pub struct Leased {
    /// The account.
    pub authorizer_appid: Appid,
    /// Who holds the lease.
    pub owner: String,
    /// The record.
    pub record: Record,
    /// Its refresh token.
    pub refresh_token: SecretString,
}

/// Why a refresh failed, as the record says it.
#[derive(Clone, Debug)]
pub struct RefreshFailure {
    /// WeChat's errcode; 0 where there was no answer.
    pub errcode: i64,
    /// WeChat's words, masked.
    pub errmsg: String,
    /// The id of the request at WeChat.
    pub rid: String,
}

impl Store {
    /// A page of the accounts of this platform in `shard` that are due at `now`.
    pub async fn due(
        &self,
        shard: u8,
        now: i64,
        limit: i32,
        after: Option<Cursor>,
    ) -> Result<DuePage, StoreError> {
        let output = self
            .due_query(shard, now)
            .limit(limit)
            .set_exclusive_start_key(after.map(Cursor::into_key))
            .send()
            .await
            .map_err(|error| StoreError::of("find due tokens", &error))?;
        let of_this_platform = |item: &Item| {
            let own = text(item, "component_appid") == Some(self.component_appid.as_str());
            let due_at = super::item::integer(item, "refresh_at").unwrap_or_default();
            own.then(|| appid(item, "authorizer_appid")).flatten().map(|appid| (due_at, appid))
        };
        Ok(DuePage {
            accounts: output.items().iter().filter_map(of_this_platform).collect(),
            next: output.last_evaluated_key.map(Cursor::from_key),
        })
    }

    /// How many accounts of all platforms in `shard` are due at `now`, counted up to one page of the index.
    pub async fn count_due(&self, shard: u8, now: i64) -> Result<i32, StoreError> {
        let output = self
            .due_query(shard, now)
            .select(Select::Count)
            .send()
            .await
            .map_err(|error| StoreError::of("count due tokens", &error))?;
        Ok(output.count)
    }

    fn due_query(
        &self,
        shard: u8,
        now: i64,
    ) -> aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.authorizers_table)
            .index_name("refresh-due")
            .key_condition_expression("refresh_shard = :shard AND refresh_at <= :now")
            .expression_attribute_values(":shard", number(i64::from(shard)))
            .expression_attribute_values(":now", number(now))
    }

    /// Takes the lease of an authorized account that has a refresh token, if nobody has it and `reason`
    /// still holds.
    pub async fn lease_record(
        &self,
        authorizer_appid: &Appid,
        owner: &str,
        reason: &Reason,
        now: i64,
        until: i64,
    ) -> Result<Option<Leased>, StoreError> {
        let mut write = Write::default();
        write.set("lease_owner", string(owner));
        write.set("lease_until", number(until));
        // A grant that lands while the token is refreshed may hold the token that the refresh supersedes.
        write.set("updated_at", number(now));
        let mut condition = "attribute_exists(authorizer_refresh_token) AND #status = :authorized \
                             AND (attribute_not_exists(lease_until) OR lease_until <= :now OR lease_owner = :lease_owner)"
            .to_owned();
        write
            .values
            .extend([(":now".to_owned(), number(now)), (":authorized".to_owned(), string("authorized"))]);
        write.names.insert("#status".to_owned(), "status".to_owned());
        match reason {
            Reason::DueBy(time) => {
                condition.push_str(" AND refresh_at <= :due_by");
                write.values.insert(":due_by".to_owned(), number(*time));
            }
            Reason::Useless(Some(token)) => {
                condition.push_str(" AND authorizer_access_token = :useless");
                write.values.insert(":useless".to_owned(), string(token.expose_secret()));
            }
            Reason::Useless(None) => condition.push_str(" AND attribute_not_exists(authorizer_access_token)"),
        }
        let result = self
            .update_record(authorizer_appid, write, &condition)
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        match result {
            Ok(output) => {
                let record = Record::read(&output.attributes.unwrap_or_default());
                Ok(record.refresh_token.clone().map(|refresh_token| Leased {
                    authorizer_appid: authorizer_appid.clone(),
                    owner: owner.to_owned(),
                    record,
                    refresh_token,
                }))
            }
            Err(error) => written("lease a record", Err(error)).map(|_| None),
        }
    }

    /// Stores what a refresh brought and gives the lease back. False if the lease is no longer ours: then a
    /// newer grant or a revocation is stored.
    pub async fn put_refreshed(
        &self,
        leased: &Leased,
        token: &RefreshedToken,
        now: i64,
    ) -> Result<bool, StoreError> {
        let RefreshedToken { access_token: AccessToken { token: access_token, expires_in }, refresh_token } =
            token;
        let mut write = Write::default();
        write.set("authorizer_access_token", string(access_token.expose_secret()));
        write.set("access_token_expires_at", number(now + expires_in));
        write.set("refreshed_at", number(now));
        write.set("refresh_at", number(due_at(&leased.authorizer_appid, now, *expires_in)));
        if let Some(refresh_token) = refresh_token {
            write.set("authorizer_refresh_token", string(refresh_token.expose_secret()));
        }
        write.remove("refresh_failure");
        if leased.record.failed_attempts > 0 {
            write.change(Change::Recovered);
        }
        self.close_lease("store a refreshed token", leased, write, now).await
    }

    /// Stores a refresh token that WeChat had for the account, keeping the lease. False if it is lost.
    pub async fn put_refresh_token(
        &self,
        leased: &Leased,
        token: &SecretString,
        now: i64,
    ) -> Result<bool, StoreError> {
        let mut write = Write::default();
        write.set("authorizer_refresh_token", string(token.expose_secret()));
        write.set("updated_at", number(now));
        self.write_leased("store a refresh token", leased, write).await
    }

    /// Records that a refresh failed, that it is due again at `retry_at`, and gives the lease back.
    pub async fn put_refresh_failure(
        &self,
        leased: &Leased,
        failure: &RefreshFailure,
        retry_at: i64,
        now: i64,
    ) -> Result<bool, StoreError> {
        let mut write = Write::default();
        let failure = HashMap::from([
            ("errcode".to_owned(), number(failure.errcode)),
            ("errmsg".to_owned(), string(&failure.errmsg)),
            ("rid".to_owned(), string(&failure.rid)),
            ("at".to_owned(), number(now)),
            ("attempts".to_owned(), number(i64::from(leased.record.failed_attempts) + 1)),
        ]);
        write.set("refresh_failure", AttributeValue::M(failure));
        if leased.record.failed_attempts == 0 {
            write.change(Change::RefreshFailed);
        }
        write.set("refresh_at", number(retry_at));
        self.close_lease("record a failed refresh", leased, write, now).await
    }

    /// Gives the lease back without a change.
    pub async fn release_record(&self, leased: &Leased, now: i64) -> Result<bool, StoreError> {
        self.close_lease("release a record", leased, Write::default(), now).await
    }

    /// Removes the tokens of a leased account of which WeChat says that it revoked. False if the lease is no
    /// longer ours.
    pub async fn revoke_leased(
        &self,
        leased: &Leased,
        unauthorized_at: i64,
        now: i64,
    ) -> Result<bool, StoreError> {
        self.close_lease("revoke an authorization", leased, Write::revocation(unauthorized_at), now).await
    }

    async fn close_lease(
        &self,
        operation: &'static str,
        leased: &Leased,
        mut write: Write,
        now: i64,
    ) -> Result<bool, StoreError> {
        write.set("updated_at", number(now));
        write.remove("lease_owner");
        write.remove("lease_until");
        self.write_leased(operation, leased, write).await
    }

    async fn write_leased(
        &self,
        operation: &'static str,
        leased: &Leased,
        mut write: Write,
    ) -> Result<bool, StoreError> {
        write.values.insert(":holder".to_owned(), string(&leased.owner));
        self.write_record(operation, &leased.authorizer_appid, write, "lease_owner = :holder").await
    }
}

/// When a token that was obtained at `now` and lives `expires_in` seconds is due for refresh: between a
/// twelfth and a sixth of its life before its end (10 to 20 minutes of two hours), at a point of that span
/// that differs from account to account, so that many grants of one moment do not come due in one.
pub(super) fn due_at(authorizer_appid: &Appid, now: i64, expires_in: i64) -> i64 {
    let span = expires_in / 12;
    let spread = span * i64::from(hash(authorizer_appid)[1]) / 256;
    now + expires_in - 2 * span + spread
}

/// The partition of the index of due tokens that an account belongs to.
pub(super) fn shard(authorizer_appid: &Appid) -> i64 {
    i64::from(hash(authorizer_appid)[0] % REFRESH_SHARDS)
}

fn hash(authorizer_appid: &Appid) -> [u8; 2] {
    let digest = digest::digest(&digest::SHA256, authorizer_appid.as_str().as_bytes());
    [digest.as_ref()[0], digest.as_ref()[1]]
}
