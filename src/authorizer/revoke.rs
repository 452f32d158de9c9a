//! What WeChat pushes of a revocation.

use std::time::Duration;

use super::Authorizers;
use crate::component::Cause;
use crate::deadline::Deadline;
use crate::store::{Record, StoreError};
use crate::time::{CLOCKS_APART, Timestamp};
use crate::wechat::{Appid, Class};

/// Time reserved after the question for storing the revocation.
const FOR_STORING: Duration = Duration::from_millis(1500);

impl Authorizers {
    /// Removes the tokens of an account that revoked at `event_time`, as a push says. False if a newer grant is stored, or
    /// may be: then its token is due, and the refresh of it tells.
    ///
    /// If the record does not tell which came last, the grant or the revocation, WeChat is asked which of the two holds.
    pub(crate) async fn revoke_pushed(
        &self,
        authorizer_appid: &Appid,
        event_time: Timestamp,
        deadline: Deadline,
    ) -> Result<bool, StoreError> {
        let (store, clock) = (&self.services.store, &self.services.clock);
        let record = store.record(authorizer_appid).await?;
        if record.as_ref().is_some_and(|record| !is_doubtful(record, event_time)) {
            return store.revoke(authorizer_appid, event_time, clock.now()).await;
        }
        let answer = self.services.authorizer_info(authorizer_appid, deadline.reserving(FOR_STORING)).await;
        let kept = match answer {
            Ok(_) => {
                tracing::info!(authorizer.appid = %authorizer_appid, "the revocation is older than the grant");
                // Perhaps not older than this one: the merchant may have authorized again since, with a code that has not
                // come yet. Then the stored token ended with the revocation.
                store.make_due(authorizer_appid, clock.now()).await?;
                true
            }
            Err(Cause::Call(error)) if error.class() == Class::NotAuthorized => false,
            Err(cause) => {
                tracing::warn!(authorizer.appid = %authorizer_appid, "not known whether the merchant revoked");
                cause.report();
                // Without a refresh token nothing can be due, and nothing is lost.
                store.make_due(authorizer_appid, clock.now()).await?
            }
        };
        if kept {
            return Ok(false);
        }
        let authorized_at = record.and_then(|record| record.authorized_at);
        let revoked_at = authorized_at.map_or(event_time, |authorized_at| event_time.max(authorized_at));
        store.revoke(authorizer_appid, revoked_at, clock.now()).await
    }
}

/// Whether the record may have a grant that is newer than a revocation at `event_time`, although the grant's time does not
/// say so: the clocks are too close to tell, or WeChat has given a token since, which it does for nobody who revoked.
fn is_doubtful(record: &Record, event_time: Timestamp) -> bool {
    let given_at = record.access_token.as_ref().map(|access_token| access_token.refreshed_at);
    let is_newer = record.authorized_at.is_some_and(|at| at > event_time + CLOCKS_APART);
    let is_older = record.authorized_at.max(given_at).is_none_or(|at| at < event_time - CLOCKS_APART);
    record.is_authorized() && !is_newer && !is_older
}
