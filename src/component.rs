//! The component token: the platform's own, which every call of WeChat's component API carries.
//!
//! Minting one makes the one before it invalid within five minutes, so there is one writer at a time: who
//! holds the lease. Everybody else uses what is stored.

mod call;

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use tokio::sync::Mutex;

pub(crate) use call::report;
pub use call::{Cause, Failure};

use crate::clock::Clock;
use crate::deadline::{Deadline, backoff, unique_id};
use crate::secrets::{SecretError, Secrets};
use crate::store::{Store, StoreError, StoredToken};
use crate::wechat::{CallError, Class, Client};

/// A token is renewed when it has less than so many seconds left. WeChat's advice is to do so after about
/// 110 of its 120 minutes.
const RENEWED_BEFORE: i64 = 600;

/// The scheduled run renews it when it has less than so many seconds left: at least one run before a visitor
/// would have to.
const RENEWED_EARLY: i64 = 720;

/// A token with so many seconds left is still used by those who cannot renew it.
const USABLE_BEFORE: i64 = 30;

/// For how many seconds the lease is taken, longer than [`MINTING`].
const LEASE: i64 = 30;

/// How long minting may take, with its retries.
const MINTING: Duration = Duration::from_secs(20);

/// How often WeChat is asked the same thing by one invocation.
const TRIES: u32 = 3;

/// Keeper of the component token.
#[derive(Debug)]
pub struct Component {
    store: Store,
    wechat: Arc<Client>,
    secrets: Arc<Secrets>,
    clock: Clock,
    memory: Mutex<Option<StoredToken>>,
}

/// There is no component token to be had.
#[derive(Clone, Debug, Error)]
pub enum ComponentError {
    /// WeChat has not pushed a ticket yet.
    #[error("no component_verify_ticket has arrived yet")]
    NoTicket,
    /// WeChat gave no token.
    #[error("no component token: {0}")]
    Call(#[from] CallError),
    /// The tables are not to be reached.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The secret is not to be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Somebody else has been minting for longer than there was time to wait.
    #[error("the component token is being minted elsewhere")]
    Contended,
}

impl ComponentError {
    /// Whether WeChat's next ticket mends it.
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
    pub fn new(store: Store, wechat: Arc<Client>, secrets: Arc<Secrets>, clock: Clock) -> Self {
        Self { store, wechat, secrets, clock, memory: Mutex::new(None) }
    }

    /// The token if it is at hand: in memory or in the table, with life enough left.
    pub async fn peek(&self) -> Option<SecretString> {
        if let Some(token) = self.remembered(None, RENEWED_BEFORE).await {
            return Some(token);
        }
        let stored = self.store.component_token().await.ok()??;
        self.has_life(&stored, RENEWED_BEFORE).then_some(())?;
        Some(self.remember(stored).await)
    }

    /// The token: from memory, from the table, or minted.
    pub async fn token(&self, deadline: Deadline) -> Result<SecretString, ComponentError> {
        self.obtain(None, RENEWED_BEFORE, deadline).await
    }

    /// Renews the token a little before anybody else would have to wait for that.
    pub async fn renew(&self, deadline: Deadline) -> Result<(), ComponentError> {
        self.obtain(None, RENEWED_EARLY, deadline).await.map(|_| ())
    }

    /// How old the newest token is that is known of, in seconds; none if there never was one.
    pub(crate) async fn age(&self) -> Option<i64> {
        let remembered = self.memory.lock().await.as_ref().map(|token| token.minted_at);
        let minted_at = match remembered {
            Some(minted_at) => minted_at,
            // A cold instance that could not mint: the age of what is stored is what the operator must see.
            None => self.store.component_token().await.ok()??.minted_at,
        };
        Some(self.clock.now() - minted_at)
    }

    /// A new token in place of the stored one, however long that would live: only minting shows whether WeChat
    /// still takes the secret and the ticket. The one before lives on for five minutes.
    pub async fn remint(&self, deadline: Deadline) -> Result<SecretString, ComponentError> {
        *self.memory.lock().await = None;
        let stored = self.store.component_token().await?;
        let replaced = stored.as_ref().map(|token| &token.component_access_token);
        self.obtain(replaced, RENEWED_BEFORE, deadline).await
    }

    /// The token in place of one that WeChat has just refused.
    pub async fn token_after(
        &self,
        refused: &SecretString,
        deadline: Deadline,
    ) -> Result<SecretString, ComponentError> {
        self.obtain(Some(refused), RENEWED_BEFORE, deadline).await
    }

    /// The token, with `life` seconds left and other than `refused`.
    async fn obtain(
        &self,
        refused: Option<&SecretString>,
        life: i64,
        deadline: Deadline,
    ) -> Result<SecretString, ComponentError> {
        if let Some(token) = self.remembered(refused, life).await {
            return Ok(token);
        }
        let owner = unique_id();
        let mut tries = 0;
        loop {
            let stored = self.store.component_token().await?;
            let usable = stored.clone().filter(|token| differs(token, refused));
            if let Some(token) = usable.clone().filter(|token| self.has_life(token, life)) {
                return Ok(self.remember(token).await);
            }
            let usable = usable.filter(|token| self.has_life(token, USABLE_BEFORE));
            let now = self.clock.now();
            if self.store.lease_component_token(stored.as_ref(), &owner, now, now + LEASE).await? {
                // Boxed, because it is rare and large, and part of every call.
                let minted = Box::pin(self.mint(&owner, deadline.within(MINTING))).await;
                return match (minted, usable) {
                    (Ok(token), _) => Ok(self.remember(token).await),
                    (Err(error), Some(token)) => {
                        report(&error);
                        Ok(token.component_access_token)
                    }
                    (Err(error), None) => Err(error),
                };
            }
            if let Some(token) = usable {
                return Ok(token.component_access_token);
            }
            tries += 1;
            if !deadline.pause(backoff(tries.min(2))).await {
                return Err(ComponentError::Contended);
            }
        }
    }

    /// Mints under the lease and gives the lease back, whatever happens.
    async fn mint(&self, owner: &str, deadline: Deadline) -> Result<StoredToken, ComponentError> {
        let minted = self.ask_for_token(deadline).await;
        let token = match minted {
            Ok(token) => token,
            Err(error) => {
                if let Err(error) = self.store.release_component_token(owner).await {
                    tracing::warn!(%error, "the minting lease stays until it ends");
                }
                return Err(error);
            }
        };
        let mut tries = 0;
        loop {
            match self.store.put_component_token(&token, owner).await {
                Ok(true) => return Ok(token),
                // The answer of an earlier try was lost, or the lease was: what is stored is valid.
                Ok(false) => return Ok(self.store.component_token().await?.unwrap_or(token)),
                Err(error) => {
                    tries += 1;
                    if !deadline.pause(backoff(tries)).await {
                        // WeChat has made this token the valid one, stored or not.
                        tracing::error!(%error, "the component token is used without being stored");
                        return Ok(token);
                    }
                }
            }
        }
    }

    async fn ask_for_token(&self, deadline: Deadline) -> Result<StoredToken, ComponentError> {
        let (ticket, secret) = tokio::join!(self.store.ticket(), self.secrets.get());
        let ticket = ticket?.ok_or(ComponentError::NoTicket)?;
        let secret = secret?;
        let mut tries = 0;
        loop {
            let limit = deadline.remaining();
            let answer = self
                .wechat
                .component_token(&secret.component_appsecret, &ticket.component_verify_ticket, limit)
                .await;
            let error = match answer {
                Ok(token) => {
                    let minted_at = self.clock.now();
                    let expires_at = minted_at + token.expires_in;
                    return Ok(StoredToken { component_access_token: token.token, expires_at, minted_at });
                }
                Err(error) => error,
            };
            match error.class() {
                Class::TokenRejected | Class::Misconfigured | Class::AccountBarred => {
                    self.secrets.refused().await
                }
                Class::TicketRejected => self.request_ticket(&secret.component_appsecret, deadline).await,
                _ => {}
            }
            tries += 1;
            if error.class() != Class::Busy || tries == TRIES || !deadline.pause(backoff(tries)).await {
                return Err(error.into());
            }
        }
    }

    /// Asks WeChat to push a ticket, unless it was asked lately.
    async fn request_ticket(&self, appsecret: &SecretString, deadline: Deadline) {
        match self.store.may_request_ticket(self.clock.now()).await {
            Ok(false) => {}
            Ok(true) => match self.wechat.start_push_ticket(appsecret, deadline.remaining()).await {
                Ok(()) => tracing::warn!("the ticket is stale: asked WeChat to push a new one"),
                Err(error) => tracing::error!(
                    errcode = error.errcode(),
                    rid = error.rid(),
                    advice = error.advice(),
                    "the ticket is stale, and WeChat cannot be asked for a new one: {error}"
                ),
            },
            Err(error) => tracing::warn!("{error}"),
        }
    }

    async fn remembered(&self, refused: Option<&SecretString>, life: i64) -> Option<SecretString> {
        let memory = self.memory.lock().await;
        let token = memory.as_ref().filter(|token| differs(token, refused))?;
        self.has_life(token, life).then(|| token.component_access_token.clone())
    }

    async fn remember(&self, token: StoredToken) -> SecretString {
        let value = token.component_access_token.clone();
        *self.memory.lock().await = Some(token);
        value
    }

    fn has_life(&self, token: &StoredToken, seconds: i64) -> bool {
        token.expires_at - self.clock.now() >= seconds
    }
}

fn differs(token: &StoredToken, refused: Option<&SecretString>) -> bool {
    refused.is_none_or(|refused| refused.expose_secret() != token.component_access_token.expose_secret())
}
