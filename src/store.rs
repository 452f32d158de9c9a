//! The three tables in DynamoDB. Every write that could undo another one is conditional and says what it
//! replaces; a lost condition is a normal outcome.

mod allowance;
mod attribute;
mod claim;
mod comparison;
mod component_token;
mod cursor;
mod describe;
mod due;
mod grant;
mod item;
mod launch;
mod lease;
mod odd_time;
mod passing;
mod pending;
mod profile;
mod push;
mod quota;
mod record;
mod records;
mod refresh;
mod ticket;
mod update;

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::ReturnValue;
use aws_types::SdkConfig;
use lambda_http::lambda_runtime::Diagnostic;
use thiserror::Error;

pub(crate) use comparison::Correction;
pub(crate) use component_token::StoredToken;
pub(crate) use cursor::Cursor;
pub(crate) use describe::Table;
pub(crate) use due::REFRESH_SHARDS;
pub(crate) use grant::{GrantWrite, Obtained, Stored};
pub(crate) use launch::{LAUNCH_LIFE, Launch, LaunchRequest, NewLaunch};
pub(crate) use odd_time::OddTime;
pub(crate) use record::{AccessToken, Record};
pub(crate) use refresh::{Leased, Reason, RefreshFailure};
pub(crate) use ticket::Ticket;

use attribute::{AUTHORIZER_APPID, COMPONENT_APPID, PK};
use item::{Item, string};
use passing::Passing;
use update::Update;

use crate::config::Config;
use crate::wechat::Appid;

/// The tables of one platform.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    client: Client,
    authorizers_table: String,
    platform_table: String,
    pushes_table: String,
    component_appid: Appid,
}

/// Every operation is tried again in the time of an invocation, whatever it is for: what passes in seconds must not cost
/// a merchant anything. Pauses between tries are random, and half of these on average.
const MOST_TRIES: u32 = 10;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_TRY: Duration = Duration::from_secs(2);
const LONGEST_OPERATION: Duration = Duration::from_secs(6);

/// Which item of which table.
#[derive(Clone, Debug)]
struct Key {
    table: Table,
    item: Item,
}

/// What became of an update.
enum Written {
    /// It was made. The item as the request asks for it, empty if it asks for none.
    Made(Item),
    /// Its condition is not true. The item as it is, empty if it does not exist.
    Refused(Item),
}

impl Store {
    /// The tables that `config` names.
    pub(crate) fn new(config: &Config, aws: &SdkConfig) -> Self {
        let dynamodb = aws_sdk_dynamodb::config::Builder::from(aws)
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(MOST_TRIES)
                    .with_initial_backoff(FIRST_PAUSE)
                    .with_max_backoff(LONGEST_PAUSE),
            )
            .retry_classifier(Passing)
            .timeout_config(
                TimeoutConfig::builder()
                    .operation_attempt_timeout(LONGEST_TRY)
                    .operation_timeout(LONGEST_OPERATION)
                    .build(),
            )
            .build();
        Self {
            client: Client::from_conf(dynamodb),
            authorizers_table: config.authorizers_table.clone(),
            platform_table: config.platform_table.clone(),
            pushes_table: config.pushes_table.clone(),
            component_appid: config.component_appid.clone(),
        }
    }

    /// The platform.
    pub(crate) fn component_appid(&self) -> &Appid {
        &self.component_appid
    }

    /// An item as it is now.
    async fn item(&self, operation: &'static str, key: Key) -> Result<Option<Item>, StoreError> {
        let output = self
            .client
            .get_item()
            .table_name(self.name(key.table))
            .set_key(Some(key.item))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| StoreError::of(operation, &error))?;
        Ok(output.item)
    }

    /// Makes an update. False if its condition is not true.
    async fn write(&self, operation: &'static str, key: Key, update: Update) -> Result<bool, StoreError> {
        let written = self.write_returning(operation, key, update, ReturnValue::None).await?;
        Ok(matches!(written, Written::Made(_)))
    }

    /// Makes an update and returns the item as `returned` says.
    async fn write_returning(
        &self,
        operation: &'static str,
        key: Key,
        update: Update,
        returned: ReturnValue,
    ) -> Result<Written, StoreError> {
        match update.request(self, key).return_values(returned).send().await {
            Ok(output) => Ok(Written::Made(output.attributes.unwrap_or_default())),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(refusal)) => {
                    Ok(Written::Refused(refusal.item().cloned().unwrap_or_default()))
                }
                _ => Err(StoreError::of(operation, &error)),
            },
        }
    }

    /// The record of an account.
    fn record_key(&self, authorizer_appid: &Appid) -> Key {
        let item = HashMap::from([
            (AUTHORIZER_APPID.to_owned(), string(authorizer_appid.as_str())),
            (COMPONENT_APPID.to_owned(), string(self.component_appid.as_str())),
        ]);
        Key { table: Table::Authorizers, item }
    }

    /// The one item of this kind.
    fn platform_key(&self, kind: &str) -> Key {
        self.platform_item(format!("{kind}#{}", self.component_appid))
    }

    /// The item of this kind that `digest` names.
    fn platform_key_of(&self, kind: &str, digest: &str) -> Key {
        self.platform_item(format!("{kind}#{}#{digest}", self.component_appid))
    }

    fn platform_item(&self, pk: String) -> Key {
        Key { table: Table::Platform, item: HashMap::from([(PK.to_owned(), string(pk))]) }
    }
}

/// DynamoDB did not do what it was asked to do, after the SDK's own retries.
#[derive(Clone, Debug, Error)]
#[error("dynamodb failed to {operation}: {code}")]
pub struct StoreError {
    operation: &'static str,
    code: String,
}

impl StoreError {
    /// Keeps the error's code and drops its message, which may repeat what was stored.
    fn of<E: ProvideErrorMetadata>(operation: &'static str, error: &SdkError<E>) -> Self {
        let code = match error {
            SdkError::TimeoutError(_) => "timeout",
            SdkError::DispatchFailure(_) => "not reachable",
            SdkError::ResponseError(_) => "unreadable answer",
            error => error.code().unwrap_or("unknown error"),
        };
        Self { operation, code: code.to_owned() }
    }

    /// The time of the invocation was up before it answered.
    pub(crate) fn late() -> Self {
        Self { operation: "answer", code: "no time left".to_owned() }
    }

    /// The error of a run that ends because the tables are unavailable. What it did until then is stored.
    pub(crate) fn diagnostic(&self) -> Diagnostic {
        Diagnostic { error_type: "TablesUnavailable".to_owned(), error_message: self.to_string() }
    }

    /// DynamoDB's name of what went wrong, or a word where there was no answer.
    pub fn code(&self) -> &str {
        &self.code
    }
}
