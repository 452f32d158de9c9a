//! The component token, and the lease under which it is minted.

use super::attribute::{ACCESS_TOKEN_EXPIRES_AT, COMPONENT_ACCESS_TOKEN, MINTED_AT};
use super::item::{Item, string, text, time, timestamp};
use super::update::{Condition, Update};
use super::{Store, StoreError};
use crate::lease::Lease;
use crate::time::Timestamp;
use crate::wechat::ComponentAccessToken;

/// The component token as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct StoredToken {
    /// The token.
    pub component_access_token: ComponentAccessToken,
    /// When WeChat stops accepting it.
    pub expires_at: Timestamp,
    /// When it was minted.
    pub minted_at: Timestamp,
}

impl StoredToken {
    fn read(item: &Item) -> Option<Self> {
        Some(Self {
            component_access_token: ComponentAccessToken::new(text(item, COMPONENT_ACCESS_TOKEN)?),
            expires_at: timestamp(item, ACCESS_TOKEN_EXPIRES_AT)?,
            minted_at: timestamp(item, MINTED_AT)?,
        })
    }
}

impl Store {
    /// The stored token, whatever its age.
    pub(crate) async fn component_token(&self) -> Result<Option<StoredToken>, StoreError> {
        let item = self.item("read the component token", self.platform_key("component_token")).await?;
        Ok(item.as_ref().and_then(StoredToken::read))
    }

    /// Takes the lease to mint a token in place of `replaced`. False if somebody else holds it, or has
    /// already stored another token.
    pub(crate) async fn lease_component_token(
        &self,
        replaced: Option<&StoredToken>,
        lease: &Lease,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let is_unchanged = match replaced {
            Some(replaced) => {
                let replaced = string(replaced.component_access_token.expose());
                Condition::Equals(COMPONENT_ACCESS_TOKEN, replaced)
            }
            None => Condition::Absent(COMPONENT_ACCESS_TOKEN),
        };
        let update =
            Update::default().take_lease(lease).when(is_unchanged).when(Condition::can_take(lease, now));
        self.write("lease the component token", self.platform_key("component_token"), update).await
    }

    /// Stores the minted token and gives the lease back. False if the lease was lost meanwhile.
    pub(crate) async fn put_component_token(
        &self,
        token: &StoredToken,
        lease: &Lease,
    ) -> Result<bool, StoreError> {
        let update = Update::default()
            .set(COMPONENT_ACCESS_TOKEN, string(token.component_access_token.expose()))
            .set(ACCESS_TOKEN_EXPIRES_AT, time(token.expires_at))
            .set(MINTED_AT, time(token.minted_at))
            .end_lease()
            .when(Condition::holds(lease));
        self.write("store the component token", self.platform_key("component_token"), update).await
    }

    /// Gives the lease back without a token.
    pub(crate) async fn release_component_token(&self, lease: &Lease) -> Result<bool, StoreError> {
        let update = Update::default().end_lease().when(Condition::holds(lease));
        self.write("release the component token", self.platform_key("component_token"), update).await
    }
}
