//! The platform's credentials, fetched when first needed.

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::ProvideErrorMetadata;
use thiserror::Error;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::config::{Config, SecretSource};
use crate::wechat::{ComponentSecret, MalformedSecret};

/// For how long a fetched secret is used. A rotated one is noticed at the latest then.
const KEPT: Duration = Duration::from_secs(300);

/// For how long a fetched secret is beyond doubt.
const DOUBTED_AFTER: Duration = Duration::from_secs(60);

/// Where the credentials come from, and what was fetched.
#[derive(Debug)]
pub struct Secrets {
    source: Source,
    fetched: Mutex<Option<(Instant, Arc<ComponentSecret>)>>,
}

#[derive(Debug)]
enum Source {
    SecretsManager { client: Client, arn: String },
    InPlace(Arc<ComponentSecret>),
}

/// The credentials are not to be had.
#[derive(Clone, Debug, Error)]
pub enum SecretError {
    /// Secrets Manager did not give them; its error code.
    #[error("secrets manager did not give the component secret: {0}")]
    Unavailable(String),
    /// What it gave cannot be used.
    #[error(transparent)]
    Malformed(Arc<MalformedSecret>),
}

impl Secrets {
    /// The credentials that `config` names. Nothing is fetched yet.
    pub fn new(config: &Config, aws: &SdkConfig) -> Self {
        let source = match &config.component_secret {
            SecretSource::Arn(arn) => Source::SecretsManager { client: Client::new(aws), arn: arn.clone() },
            SecretSource::InPlace(secret) => Source::InPlace(Arc::new(secret.clone())),
        };
        Self { source, fetched: Mutex::new(None) }
    }

    /// The credentials, fetched at most once in [`KEPT`]. If they cannot be fetched again, those that were
    /// fetched before are still the best there is.
    pub async fn get(&self) -> Result<Arc<ComponentSecret>, SecretError> {
        let (client, arn) = match &self.source {
            Source::InPlace(secret) => return Ok(secret.clone()),
            Source::SecretsManager { client, arn } => (client, arn),
        };
        let mut fetched = self.fetched.lock().await;
        if let Some((at, secret)) = &*fetched
            && at.elapsed() < KEPT
        {
            return Ok(secret.clone());
        }
        match fetch(client, arn).await {
            Ok(secret) => {
                let secret = Arc::new(secret);
                *fetched = Some((Instant::now(), secret.clone()));
                Ok(secret)
            }
            Err(error) => match &*fetched {
                Some((_, secret)) => {
                    tracing::warn!(%error, "using the component secret that was fetched before");
                    Ok(secret.clone())
                }
                None => Err(error),
            },
        }
    }

    /// Forgets what was fetched more than a minute ago, after a push that it does not fit: the operator may
    /// have changed it. Sooner, and anybody who sends forgeries would have it fetched all the time.
    pub async fn doubt(&self) {
        let mut fetched = self.fetched.lock().await;
        if fetched.as_ref().is_some_and(|(at, _)| at.elapsed() > DOUBTED_AFTER) {
            *fetched = None;
        }
    }

    /// Forgets what was fetched, after WeChat refused it: the operator may have stored a new one.
    pub async fn forget(&self) {
        *self.fetched.lock().await = None;
    }
}

async fn fetch(client: &Client, arn: &str) -> Result<ComponentSecret, SecretError> {
    let output = client
        .get_secret_value()
        .secret_id(arn)
        .send()
        .await
        .map_err(|error| SecretError::Unavailable(error.code().unwrap_or("not reachable").to_owned()))?;
    ComponentSecret::from_json(output.secret_string().unwrap_or_default())
        .map_err(|error| SecretError::Malformed(Arc::new(error)))
}
