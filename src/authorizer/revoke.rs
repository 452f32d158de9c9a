//! What WeChat pushes of a revocation.

use std::time::Duration;

use super::Authorizers;
use crate::component::Cause;
use crate::deadline::Deadline;
use crate::services::CLOCKS_APART;
use crate::store::StoreError;
use crate::time::Timestamp;
use crate::wechat::{Appid, Class};

/// Time reserved after the question for storing the revocation.
const FOR_STORING: Duration = Duration::from_millis(1500);

impl Authorizers {
    /// Removes the tokens of an account that revoked at `event_time`, as a push says. False if a newer grant is stored.
    ///
    /// If the grant and the revocation are so close together that the clocks do not tell which came last, or the record
    /// that would tell is missing, WeChat is asked which of the two holds.
    pub(crate) async fn revoke_pushed(
        &self,
        authorizer_appid: &Appid,
        event_time: Timestamp,
        deadline: Deadline,
    ) -> Result<bool, StoreError> {
        let store = &self.services.store;
        let authorized_at = match store.record(authorizer_appid).await? {
            None => Some(event_time),
            Some(record) if record.is_authorized() => record.authorized_at,
            Some(_) => None,
        };
        let mut is_certain = true;
        let revoked_at = match authorized_at.filter(|at| at.distance(event_time) <= CLOCKS_APART) {
            None => event_time,
            Some(authorized_at) => {
                match self.services.authorizer_info(authorizer_appid, deadline.reserving(FOR_STORING)).await {
                    Ok(_) => {
                        tracing::info!(authorizer.appid = %authorizer_appid, "the revocation is older than the grant");
                        // Perhaps not older than this one: the merchant may have authorized again since, with a code that
                        // has not come yet. Then the stored token ended with the revocation.
                        store.make_due(authorizer_appid, self.services.clock.now()).await?;
                        return Ok(false);
                    }
                    Err(Cause::Call(error)) if error.class() == Class::NotAuthorized => {
                        event_time.max(authorized_at)
                    }
                    Err(_) => {
                        is_certain = false;
                        event_time
                    }
                }
            }
        };
        let revoked = store.revoke(authorizer_appid, revoked_at, self.services.clock.now()).await?;
        if !revoked && !is_certain {
            // WeChat did not say which of the two is the newer one. The next refresh will tell.
            store.make_due(authorizer_appid, self.services.clock.now()).await?;
        }
        Ok(revoked)
    }
}
