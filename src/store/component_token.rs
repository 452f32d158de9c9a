//! The component token, and the lease under which it is minted.

use secrecy::{ExposeSecret, SecretString};

use super::item::{Item, integer, number, string, text};
use super::{Store, StoreError, written};

/// How long WeChat's tokens live, in seconds.
pub const TOKEN_LIFE: i64 = 7200;

/// The component token as it is stored.
#[derive(Clone, Debug)]
pub struct StoredToken {
    /// The token.
    pub component_access_token: SecretString,
    /// When WeChat stops accepting it, in epoch seconds.
    pub expires_at: i64,
    /// When it was minted, in epoch seconds.
    pub minted_at: i64,
}

impl StoredToken {
    fn read(item: &Item) -> Option<Self> {
        let expires_at = integer(item, "access_token_expires_at")?;
        Some(Self {
            component_access_token: text(item, "component_access_token")?.into(),
            expires_at,
            // An older version did not note it.
            minted_at: integer(item, "minted_at").unwrap_or(expires_at - TOKEN_LIFE),
        })
    }
}

impl Store {
    /// The stored token, whatever its age.
    pub async fn component_token(&self) -> Result<Option<StoredToken>, StoreError> {
        let item =
            self.platform_item("read the component token", self.platform_key("component_token")).await?;
        Ok(item.as_ref().and_then(StoredToken::read))
    }

    /// Takes the lease to mint a token in place of `replaced`. False if somebody else holds it, or has
    /// already stored another token.
    pub async fn lease_component_token(
        &self,
        replaced: Option<&StoredToken>,
        owner: &str,
        now: i64,
        until: i64,
    ) -> Result<bool, StoreError> {
        let unchanged = match replaced {
            Some(_) => "component_access_token = :replaced",
            None => "attribute_not_exists(component_access_token)",
        };
        let mut update = self
            .update_platform(self.platform_key("component_token"))
            .update_expression("SET lease_owner = :owner, lease_until = :until")
            .condition_expression(format!(
                "{unchanged} AND (attribute_not_exists(lease_until) OR lease_until <= :now OR lease_owner = :owner)"
            ))
            .expression_attribute_values(":owner", string(owner))
            .expression_attribute_values(":until", number(until))
            .expression_attribute_values(":now", number(now));
        if let Some(replaced) = replaced {
            let replaced = string(replaced.component_access_token.expose_secret());
            update = update.expression_attribute_values(":replaced", replaced);
        }
        let result = update.send().await;
        written("lease the component token", result)
    }

    /// Stores the minted token and gives the lease back. False if the lease was lost meanwhile.
    pub async fn put_component_token(&self, token: &StoredToken, owner: &str) -> Result<bool, StoreError> {
        let result = self
            .update_platform(self.platform_key("component_token"))
            .update_expression(
                "SET component_access_token = :token, access_token_expires_at = :expires_at, \
                 minted_at = :minted_at REMOVE lease_owner, lease_until",
            )
            .condition_expression("lease_owner = :owner")
            .expression_attribute_values(":token", string(token.component_access_token.expose_secret()))
            .expression_attribute_values(":expires_at", number(token.expires_at))
            .expression_attribute_values(":minted_at", number(token.minted_at))
            .expression_attribute_values(":owner", string(owner))
            .send()
            .await;
        written("store the component token", result)
    }

    /// Gives the lease back without a token.
    pub async fn release_component_token(&self, owner: &str) -> Result<bool, StoreError> {
        let result = self
            .update_platform(self.platform_key("component_token"))
            .update_expression("REMOVE lease_owner, lease_until")
            .condition_expression("lease_owner = :owner")
            .expression_attribute_values(":owner", string(owner))
            .send()
            .await;
        written("release the component token", result)
    }
}
