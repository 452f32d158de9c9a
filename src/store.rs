//! The two tables in DynamoDB. Every write that could undo another one is conditional and says what it
//! replaces; a lost condition is a normal outcome.

mod authorizer;
mod claim;
mod component_token;
mod describe;
mod due;
mod grant;
mod item;
mod launch;
mod pending;
mod survey;
mod ticket;

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::{UpdateItemError, UpdateItemOutput};
use aws_sdk_dynamodb::types::AttributeValue;
use thiserror::Error;

pub use authorizer::{Record, Status};
pub use claim::{Claim, ClaimOutcome, Landed};
pub use component_token::{StoredToken, TOKEN_LIFE};
pub use describe::Table;
pub use due::{Cursor, DuePage, Leased, REFRESH_SHARDS, Reason, RefreshFailure};
pub use grant::TWINS_APART;
pub use launch::State;
pub use ticket::Ticket;

use item::Item;

use crate::config::Config;
use crate::wechat::Appid;

/// The tables of one platform.
#[derive(Clone, Debug)]
pub struct Store {
    client: Client,
    authorizers_table: String,
    platform_table: String,
    component_appid: Appid,
}

impl Store {
    /// The tables that `config` names.
    pub fn new(config: &Config, aws: &SdkConfig) -> Self {
        let dynamodb = aws_sdk_dynamodb::config::Builder::from(aws)
            .retry_config(RetryConfig::standard().with_max_attempts(3))
            .timeout_config(
                TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(2)).build(),
            )
            .build();
        Self {
            client: Client::from_conf(dynamodb),
            authorizers_table: config.authorizers_table.clone(),
            platform_table: config.platform_table.clone(),
            component_appid: config.component_appid.clone(),
        }
    }

    /// An item of the Platform table, as it is now.
    async fn platform_item(
        &self,
        operation: &'static str,
        key: AttributeValue,
    ) -> Result<Option<Item>, StoreError> {
        let output = self
            .client
            .get_item()
            .table_name(&self.platform_table)
            .key("pk", key)
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| StoreError::of(operation, &error))?;
        Ok(output.item)
    }

    /// An update of an item of the Platform table.
    fn update_platform(&self, key: AttributeValue) -> UpdateItemFluentBuilder {
        self.client.update_item().table_name(&self.platform_table).key("pk", key)
    }

    fn platform_key(&self, kind: &str) -> AttributeValue {
        AttributeValue::S(format!("{kind}#{}", self.component_appid))
    }

    fn platform_key_of(&self, kind: &str, digest: &str) -> AttributeValue {
        AttributeValue::S(format!("{kind}#{}#{digest}", self.component_appid))
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

    /// DynamoDB's name of what went wrong, or a word where there was no answer.
    pub fn code(&self) -> &str {
        &self.code
    }
}

/// Whether a conditional update was made.
fn written(
    operation: &'static str,
    result: Result<UpdateItemOutput, SdkError<UpdateItemError>>,
) -> Result<bool, StoreError> {
    match result {
        Ok(_) => Ok(true),
        Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => {
            Ok(false)
        }
        Err(error) => Err(StoreError::of(operation, &error)),
    }
}
