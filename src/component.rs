//! The component token: the platform's token, which every call of WeChat's component API carries.
//!
//! Minting one makes the one before it invalid within five minutes, so there is one writer at a time: who
//! holds the lease. Everybody else uses what is stored.

mod call;
mod mint;

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::Mutex;

pub(crate) use call::report;
pub(crate) use call::{CallFailure, Called, Cause};

use crate::deadline::Deadline;
use crate::lease::Lease;
use crate::retry::backoff;
use crate::secrets::{SecretError, Secrets};
use crate::store::{Store, StoreError, StoredToken};
use crate::time::{Clock, Timestamp};
use crate::wechat::{CallError, Class, Client, ComponentAccessToken, USABLE, renewed_before, renewed_early};

/// How long minting may take, with its retries.
const MINTING: Duration = Duration::from_secs(20);

/// A token that a service rejects is replaced only if it is at least this old: a service that rejects every token must not
/// use up the day's quota.
pub(crate) const REPLACEABLE_AFTER: Duration = Duration::from_mins(1);

/// How much a token that lives as long must have left.
type Margin = fn(Duration) -> Duration;

/// Keeper of the component token.
#[derive(Debug)]
pub(crate) struct Component {
    store: Store,
    wechat: Arc<Client>,
    secrets: Arc<Secrets>,
    clock: Clock,
    memory: Mutex<Option<StoredToken>>,
    /// How many requests in a row WeChat has left without an answer.
    unanswered: AtomicU32,
}

/// No component token is available.
#[derive(Clone, Debug, Error)]
pub(crate) enum ComponentError {
    /// WeChat has not pushed a ticket yet.
    #[error("no component_verify_ticket has arrived yet")]
    NoTicket,
    /// WeChat gave no token.
    #[error("no component token: {0}")]
    Call(#[from] CallError),
    /// The tables cannot be reached.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The secret could not be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Somebody else has been minting for longer than there was time to wait.
    #[error("the component token is being minted elsewhere")]
    Contended,
    /// A service says that WeChat refuses a token that was minted just now.
    #[error("a service rejects a component token that is less than a minute old")]
    JustMinted,
}

impl ComponentError {
    /// Whether WeChat's next ticket fixes it.
    pub(crate) fn is_about_ticket(&self) -> bool {
        match self {
            Self::NoTicket => true,
            Self::Call(call) => call.class() == Class::TicketRejected,
            _ => false,
        }
    }
}

impl Component {
    /// A keeper that knows nothing yet.
    pub(crate) fn new(store: Store, wechat: Arc<Client>, secrets: Arc<Secrets>, clock: Clock) -> Self {
        Self { store, wechat, secrets, clock, memory: Mutex::new(None), unanswered: AtomicU32::new(0) }
    }

    /// The token if it is at hand: in memory or in the table, with life enough left.
    pub(crate) async fn peek(&self) -> Option<ComponentAccessToken> {
        if let Some(token) = self.remembered(None, renewed_before).await {
            return Some(value(token));
        }
        let stored = self.store.component_token().await.ok()??;
        self.has_life(&stored, renewed_before).then_some(())?;
        Some(value(self.remember(stored).await))
    }

    /// The token: from memory, from the table, or minted.
    pub(crate) async fn token(&self, deadline: Deadline) -> Result<ComponentAccessToken, ComponentError> {
        self.obtain(None, renewed_before, deadline).await.map(value)
    }

    /// The token as it is stored, for a service, in place of one that WeChat refused to the service. One that is less
    /// than [`REPLACEABLE_AFTER`] old is not replaced.
    pub(crate) async fn stored(
        &self,
        rejected: Option<&ComponentAccessToken>,
        deadline: Deadline,
    ) -> Result<StoredToken, ComponentError> {
        let stored = self.store.component_token().await?;
        if let Some(stored) = stored {
            let is_rejected = !differs(&stored, rejected);
            if is_rejected && self.clock.now().since(stored.minted_at) < REPLACEABLE_AFTER {
                return Err(ComponentError::JustMinted);
            }
            if !is_rejected && self.has_life(&stored, renewed_before) {
                return Ok(stored);
            }
        }
        // What this instance remembers may be older than what is stored.
        *self.memory.lock().await = None;
        self.obtain(rejected, renewed_before, deadline).await
    }

    /// Renews the token a little before anybody else would have to wait for that.
    pub(crate) async fn renew(&self, deadline: Deadline) -> Result<(), ComponentError> {
        self.obtain(None, renewed_early, deadline).await.map(|_| ())
    }

    /// When the newest token was minted that is known of; none if there never was one.
    pub(crate) async fn minted_at(&self) -> Option<Timestamp> {
        let remembered = self.memory.lock().await.as_ref().map(|token| token.minted_at);
        match remembered {
            Some(minted_at) => Some(minted_at),
            // A cold instance that could not mint: the age of what is stored is what the operator must see.
            None => Some(self.store.component_token().await.ok()??.minted_at),
        }
    }

    /// A new token in place of the stored one, however long that would live: only minting shows whether WeChat
    /// still takes the secret and the ticket. The one before lives on for five minutes.
    pub(crate) async fn remint(&self, deadline: Deadline) -> Result<ComponentAccessToken, ComponentError> {
        *self.memory.lock().await = None;
        let stored = self.store.component_token().await?;
        let replaced = stored.as_ref().map(|token| &token.component_access_token);
        self.obtain(replaced, renewed_before, deadline).await.map(value)
    }

    /// The token in place of one that WeChat has just refused.
    pub(crate) async fn token_after(
        &self,
        refused: &ComponentAccessToken,
        deadline: Deadline,
    ) -> Result<ComponentAccessToken, ComponentError> {
        self.obtain(Some(refused), renewed_before, deadline).await.map(value)
    }

    /// The token, with at least `margin` left and other than `refused`.
    async fn obtain(
        &self,
        refused: Option<&ComponentAccessToken>,
        margin: Margin,
        deadline: Deadline,
    ) -> Result<StoredToken, ComponentError> {
        if let Some(token) = self.remembered(refused, margin).await {
            return Ok(token);
        }
        let mut lease = Lease::take(self.clock.now(), MINTING);
        let mut tries = 0;
        loop {
            let stored = self.store.component_token().await?;
            let usable = stored.clone().filter(|token| differs(token, refused));
            if let Some(token) = usable.clone().filter(|token| self.has_life(token, margin)) {
                return Ok(self.remember(token).await);
            }
            let usable = usable.filter(|token| self.has_life(token, |_| USABLE));
            let now = self.clock.now();
            lease = lease.again(now, MINTING);
            if self.store.lease_component_token(stored.as_ref(), &lease, now).await? {
                // Boxed, because it is rare and large, and part of every call.
                let minted = Box::pin(self.mint(&lease, deadline.within(MINTING))).await;
                return match (minted, usable) {
                    (Ok(token), _) => Ok(self.remember(token).await),
                    (Err(error), Some(token)) => {
                        report(&error);
                        Ok(token)
                    }
                    (Err(error), None) => Err(error),
                };
            }
            if let Some(token) = usable {
                return Ok(token);
            }
            tries += 1;
            if !deadline.pause(backoff(tries.min(2))).await {
                return Err(ComponentError::Contended);
            }
        }
    }

    async fn remembered(
        &self,
        refused: Option<&ComponentAccessToken>,
        margin: Margin,
    ) -> Option<StoredToken> {
        let memory = self.memory.lock().await;
        memory.clone().filter(|token| differs(token, refused) && self.has_life(token, margin))
    }

    async fn remember(&self, token: StoredToken) -> StoredToken {
        *self.memory.lock().await = Some(token.clone());
        token
    }

    fn has_life(&self, token: &StoredToken, margin: Margin) -> bool {
        let life = token.expires_at.since(token.minted_at);
        token.expires_at.since(self.clock.now()) >= margin(life)
    }
}

fn value(token: StoredToken) -> ComponentAccessToken {
    token.component_access_token
}

fn differs(token: &StoredToken, refused: Option<&ComponentAccessToken>) -> bool {
    refused.is_none_or(|refused| *refused != token.component_access_token)
}
