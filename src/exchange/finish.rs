//! Exchanges that were left pending, taken up by the sweep.

use std::time::Duration;

use super::{Answered, Exchange, FOR_ANSWERING, LONGEST, Outcome};
use crate::claim::{Claim, CodeState, Event, Next};
use crate::deadline::Deadline;
use crate::lease::Lease;
use crate::store::StoreError;
use crate::wechat::{Appid, AuthorizationCode, Errcode};

/// How long a code lives. The redirect says an hour; older pages of WeChat say ten minutes.
pub(super) const CODE_LIFE: Duration = Duration::from_hours(1);

/// For how long a push is waited for that names the account of a spent code.
const WAITED_FOR: Duration = Duration::from_mins(10);

/// How the sweep left a pending exchange.
#[derive(Clone, Debug)]
pub(crate) enum Finished {
    /// The grant is stored. Whether it has an access token is for the refresh to see.
    Stored(Appid),
    /// Nothing can be obtained for the code any more.
    Failed,
    /// It stays pending, or somebody else has it.
    Pending,
    /// It stays pending, and so would every other: the reason, in the log, is not about this code.
    Stopped,
    /// The code is spent and nobody knows for which account: [`Exchange::candidates`] are to be restored.
    Unknown(Claim),
}

impl Exchange {
    /// Takes up the pending exchange of the code with this digest.
    pub(crate) async fn finish(&self, digest: &str, deadline: Deadline) -> Result<Finished, StoreError> {
        let writing = deadline.within(LONGEST).reserving(FOR_ANSWERING);
        let now = self.services.clock.now();
        let lease = Lease::take(now, writing.remaining());
        let Some((mut claim, code)) = self.services.store.reclaim(digest, lease, now).await? else {
            return Ok(Finished::Pending);
        };
        if claim.code != CodeState::Spent {
            if now < claim.event_time + CODE_LIFE {
                if let Some(finished) = self.exchange_again(&mut claim, &code, writing).await {
                    return Ok(finished);
                }
                claim.code = CodeState::Spent;
            } else if let Next::Pending(code) = claim.code.after(Event::Outlived, claim.evidence) {
                claim.code = code;
            }
        }
        match claim.authorizer_appid.clone() {
            Some(appid) => Ok(self.recover(&mut claim, &appid, writing).await),
            // It expired without having been sent, or nobody vouches for it.
            None if claim.code != CodeState::Spent => {
                self.fail(&claim, Errcode::CODE_SPENT).await;
                Ok(Finished::Failed)
            }
            None => Ok(Finished::Unknown(claim)),
        }
    }

    /// Leaves the claims of codes whose accounts nobody has named. If those they may be of are `restored`, and no push has
    /// come in ten minutes, there is nothing left to be done.
    pub(crate) async fn leave(&self, claims: Vec<Claim>, restored: bool) {
        for claim in claims {
            if !restored || self.services.clock.now() < claim.event_time + WAITED_FOR {
                self.release(&claim, claim.code).await;
                continue;
            }
            tracing::warn!(
                "a spent code was not named by any push; the accounts that it may be of are restored"
            );
            if let Err(error) = self.services.store.put_unmatched(&claim).await {
                tracing::warn!("{error}");
            }
        }
    }

    /// Sends the code once more. None if it is spent.
    async fn exchange_again(
        &self,
        claim: &mut Claim,
        code: &AuthorizationCode,
        writing: Deadline,
    ) -> Option<Finished> {
        let outcome = match self.exchange(code, claim, None, writing).await {
            Answered::Granted(granted) => {
                let (outcome, unprofiled) = self.store_grant(claim, *granted, writing).await;
                if let Some(unprofiled) = unprofiled {
                    self.fetch_profile(&unprofiled, writing).await;
                }
                outcome
            }
            Answered::Over(outcome) => outcome,
            Answered::Spent => return None,
        };
        Some(match outcome {
            Outcome::Stored(account, _) => Finished::Stored(account.authorizer_appid),
            Outcome::CodeInvalid | Outcome::CodeSpent | Outcome::Unmatched | Outcome::NotAuthorized => {
                Finished::Failed
            }
            Outcome::Unavailable | Outcome::NotReady => Finished::Stopped,
            Outcome::Pending | Outcome::Unclaimed(_) => Finished::Pending,
        })
    }

    /// Writes what a transition says. False if a push has told more of the code meanwhile, so that it stays pending.
    pub(super) async fn follow(&self, claim: &Claim, next: Next) -> bool {
        match next {
            Next::Failed(errcode) => self.fail(claim, errcode).await,
            Next::Pending(code) => {
                self.release(claim, code).await;
                true
            }
        }
    }

    /// Records that the code can never be exchanged. False if a push has told more of it meanwhile, so that it stays
    /// pending.
    pub(super) async fn fail(&self, claim: &Claim, errcode: Errcode) -> bool {
        let failed = match self.services.store.fail_claim(claim, errcode).await {
            Ok(failed) => failed,
            Err(error) => {
                tracing::warn!("{error}");
                true
            }
        };
        // A push said that the account granted something, and nobody will learn what by this code.
        if let Some(appid) = &claim.authorizer_appid
            && let Err(error) = self.services.store.doubt(appid, self.services.clock.now()).await
        {
            tracing::warn!(authorizer.appid = %appid, "{error}");
        }
        failed
    }

    /// Gives the claim back: to the merchant's reload or the sweep, whichever comes first; or, if the sweep had it, to
    /// the sweep, later each time, because its calls are not cheap.
    pub(super) async fn release(&self, claim: &Claim, code: CodeState) {
        let wait = match claim.sweeps {
            0 => 0,
            sweeps => (30 << (sweeps - 1).min(7)).min(3600),
        };
        let retry_at = self.services.clock.now() + Duration::from_secs(wait);
        if let Err(error) = self.services.store.release_claim(claim, code, retry_at).await {
            tracing::warn!("the claim's lease stays until it ends: {error}");
        }
    }
}
