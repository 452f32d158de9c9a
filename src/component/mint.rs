//! Minting the component token, under its lease.

use super::call::MOST_TRIES;
use super::{Component, ComponentError};
use crate::deadline::Deadline;
use crate::lease::Lease;
use crate::retry::{backoff, until_written};
use crate::store::StoredToken;
use crate::wechat::{Class, ComponentAppSecret};

impl Component {
    /// Mints under the lease and gives the lease back, whatever happens.
    pub(super) async fn mint(
        &self,
        lease: &Lease,
        deadline: Deadline,
    ) -> Result<StoredToken, ComponentError> {
        let minted = self.ask_for_token(deadline).await;
        let token = match minted {
            Ok(token) => token,
            Err(error) => {
                if let Err(error) = self.store.release_component_token(lease).await {
                    tracing::warn!(%error, "the minting lease stays until it ends");
                }
                return Err(error);
            }
        };
        match until_written(deadline, || self.store.put_component_token(&token, lease)).await {
            Ok(true) => Ok(token),
            // The answer of an earlier try was lost, or the lease was: what is stored is valid.
            Ok(false) => Ok(self.store.component_token().await?.unwrap_or(token)),
            Err(error) => {
                // WeChat has made this token the valid one, stored or not.
                tracing::error!(%error, "the component token is used without being stored");
                Ok(token)
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
            if error.class() != Class::Busy || tries == MOST_TRIES || !deadline.pause(backoff(tries)).await {
                return Err(error.into());
            }
        }
    }

    /// Asks WeChat to push a ticket, unless it was asked lately.
    async fn request_ticket(&self, appsecret: &ComponentAppSecret, deadline: Deadline) {
        match self.store.may_request_ticket(self.clock.now()).await {
            Ok(false) => {}
            Ok(true) => match self.wechat.start_push_ticket(appsecret, deadline.remaining()).await {
                Ok(()) => tracing::warn!("the ticket is stale: asked WeChat to push a new one"),
                Err(error) => tracing::error!(
                    errcode = error.errcode().get(),
                    rid = error.rid(),
                    advice = error.advice(),
                    "the ticket is stale, and WeChat cannot be asked for a new one: {error}"
                ),
            },
            Err(error) => tracing::warn!("{error}"),
        }
    }
}
