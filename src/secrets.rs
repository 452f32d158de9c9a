//! The platform's credentials, fetched when first needed.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::ProvideErrorMetadata;
use aws_types::SdkConfig;
use thiserror::Error;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::config::{Config, SecretSource};
use crate::wechat::{ComponentSecret, MalformedSecret};

/// For how long a fetched secret is used. A rotated one is noticed at the latest then.
const KEPT: Duration = Duration::from_secs(300);

/// For how long a fetched secret is beyond doubt.
const DOUBTED_AFTER: Duration = Duration::from_secs(60);

/// How long another one is waited for while there is one that was fetched before, and for how long that is used if it does
/// not come.
const FOR_FETCHING: Duration = Duration::from_secs(1);
const FETCHED_AGAIN: Duration = Duration::from_secs(30);

/// Where the credentials come from, and what was fetched.
#[derive(Debug)]
pub(crate) struct Secrets {
    source: Source,
    fetched: Mutex<Option<Fetched>>,
}

#[derive(Clone, Debug)]
struct Fetched {
    secret: Arc<ComponentSecret>,
    /// When Secrets Manager was asked last.
    asked_at: Instant,
    /// Until when it is not asked again. After that, this one is used only if there is no other.
    kept_until: Instant,
}

#[derive(Clone, Debug)]
enum Source {
    SecretsManager { aws: Box<SdkConfig>, arn: String },
    InPlace(Arc<ComponentSecret>),
}

/// The credentials could not be read.
#[derive(Clone, Debug, Error)]
pub(crate) enum SecretError {
    /// Secrets Manager did not give them; its error code.
    #[error("secrets manager did not give the component secret: {0}")]
    Unavailable(String),
    /// What it gave cannot be used.
    #[error(transparent)]
    Malformed(Arc<MalformedSecret>),
}

impl Secrets {
    /// The credentials that `config` names. Nothing is fetched yet.
    pub(crate) fn new(config: &Config, aws: &SdkConfig) -> Self {
        let source = match &config.component_secret {
            SecretSource::Arn(arn) => Source::SecretsManager { aws: Box::new(aws.clone()), arn: arn.clone() },
            SecretSource::InPlace(secret) => Source::InPlace(Arc::new(secret.clone())),
        };
        Self { source, fetched: Mutex::new(None) }
    }

    /// The same credentials, not fetched yet.
    pub(crate) fn with_empty_memory(&self) -> Self {
        Self { source: self.source.clone(), fetched: Mutex::new(None) }
    }

    /// The credentials, fetched at most once in five minutes. If they cannot be fetched again, those that were
    /// fetched before are still the best there is.
    pub(crate) async fn get(&self) -> Result<Arc<ComponentSecret>, SecretError> {
        let (aws, arn) = match &self.source {
            Source::InPlace(secret) => return Ok(secret.clone()),
            Source::SecretsManager { aws, arn } => (aws, arn),
        };
        let mut fetched = self.fetched.lock().await;
        if let Some(Fetched { secret, kept_until, .. }) = &*fetched
            && Instant::now() < *kept_until
        {
            return Ok(secret.clone());
        }
        renew(&mut fetched, aws, arn).await
    }

    /// The credentials after a push that does not fit them: fetched again if they are older than a minute,
    /// for the operator may have changed them. None if they are not; or anybody who sends forgeries would
    /// have them fetched all the time.
    pub(crate) async fn get_newer(&self) -> Option<Arc<ComponentSecret>> {
        let Source::SecretsManager { aws, arn } = &self.source else { return None };
        let mut fetched = self.fetched.lock().await;
        let doubtful = fetched.as_ref().is_some_and(|fetched| fetched.asked_at.elapsed() > DOUBTED_AFTER);
        if doubtful { renew(&mut fetched, aws, arn).await.ok() } else { None }
    }

    /// Marks what was fetched as refused by WeChat: the operator may have stored a new one.
    pub(crate) async fn refused(&self) {
        if let Some(fetched) = &mut *self.fetched.lock().await {
            fetched.kept_until = Instant::now();
        }
    }
}

async fn renew(
    fetched: &mut Option<Fetched>,
    aws: &SdkConfig,
    arn: &str,
) -> Result<Arc<ComponentSecret>, SecretError> {
    let answer = match fetched {
        None => fetch(aws, arn).await,
        Some(_) => timeout(FOR_FETCHING, fetch(aws, arn))
            .await
            .unwrap_or_else(|_| Err(SecretError::Unavailable("no answer".to_owned()))),
    };
    let now = Instant::now();
    match (answer, fetched) {
        (Ok(secret), fetched) => {
            let secret = Arc::new(secret);
            *fetched = Some(Fetched { secret: secret.clone(), asked_at: now, kept_until: now + KEPT });
            Ok(secret)
        }
        (Err(error), Some(Fetched { secret, asked_at, kept_until })) => {
            tracing::warn!(%error, "using the component secret that was fetched before");
            (*asked_at, *kept_until) = (now, now + FETCHED_AGAIN);
            Ok(secret.clone())
        }
        (Err(error), None) => Err(error),
    }
}

async fn fetch(aws: &SdkConfig, arn: &str) -> Result<ComponentSecret, SecretError> {
    // Made when it is needed: that is part of few starts, and takes longer than it looks.
    let output = Client::new(aws)
        .get_secret_value()
        .secret_id(arn)
        .send()
        .await
        .map_err(|error| SecretError::Unavailable(error.code().unwrap_or("not reachable").to_owned()))?;
    ComponentSecret::from_json(output.secret_string().unwrap_or_default())
        .map_err(|error| SecretError::Malformed(Arc::new(error)))
}
