//! The claim on one authorization code, and every change of its state.
//!
//! ```text
//!            take ┌────────┐ refused for good     ┌────────┐
//!   (none) ─────► │  held  │ ───────────────────► │ failed │
//!                 └────────┘                      └────────┘
//!   take, or the   ▲   │ │ granted and written    ┌────────┐
//!   lease is over  │   │ └──────────────────────► │  done  │
//!                  │   ▼ anything else            └────────┘
//!                 ┌─────────┐
//!                 │ pending │
//!                 └─────────┘
//! ```
//!
//! What is known of the code is kept beside that: [`CodeState`]. `ARCHITECTURE.md` has the table of all transitions;
//! `store::claim` writes them.

use crate::evidence::{Binding, Evidence};
use crate::lease::Lease;
use crate::time::Timestamp;
use crate::wechat::{Appid, AuthorizationCode, Class, Errcode};

/// What an event that brings a code knows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Authorization<'a> {
    /// The code.
    pub code: &'a AuthorizationCode,
    /// When it happened; decides which of two grants is the newer one.
    pub event_time: Timestamp,
    /// The account, where the event names it.
    pub authorizer_appid: Option<&'a Appid>,
    /// Who vouches for the code.
    pub evidence: Evidence,
    /// The launch that the event belongs to, where it is known.
    pub binding: Option<&'a Binding>,
}

/// A claim that is held: whoever has this may send the code to WeChat until the lease ends.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    /// The SHA-256 of the code.
    pub digest: String,
    /// Who works on it, and until when.
    pub lease: Lease,
    /// When the grant was made: the time of the first event that brought the code.
    pub event_time: Timestamp,
    /// The account, where a push has named it.
    pub authorizer_appid: Option<Appid>,
    /// The best evidence that any event brought.
    pub evidence: Evidence,
    /// The launch, where it is known.
    pub binding: Option<Binding>,
    /// What is known of the code.
    pub code: CodeState,
    /// How often the sweep has taken it up; 0 for a visit and a push.
    pub sweeps: u32,
    /// The newest of the pushes whose knowledge this is. A push that comes while the claim is held changes the one in the
    /// table, so that the holder notices.
    pub heard: Option<String>,
}

/// What a push has told of a claim that somebody else holds.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// The launch that it belongs to now.
    pub binding: Option<Binding>,
    /// The new value of [`Claim::heard`].
    pub heard: Option<String>,
}

impl Claim {
    /// Adopts what a push has told meanwhile.
    pub(crate) fn adopt(&mut self, told: Told) {
        self.binding = told.binding;
        self.heard = told.heard;
    }
}

/// What an event that brings a code finds of its claim.
#[derive(Clone, Debug)]
pub(crate) enum ClaimState {
    /// It is ours until the lease ends.
    Held(Claim),
    /// Somebody else holds it.
    Running,
    /// Nobody holds it, and whoever comes may finish it.
    Open,
    /// The code is spent, and the sweep is looking for what it brought.
    Spent,
    /// It was exchanged.
    Done(Done),
    /// It can never be exchanged; WeChat's errcode.
    Failed(Errcode),
    /// It is genuine and died before WeChat would exchange it: the merchant must authorize again.
    Unexchanged,
    /// It may have been exchanged, its answer was lost, and nobody named its account.
    Unmatched,
}

/// A claim whose code was exchanged.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    /// The SHA-256 of the code.
    pub digest: String,
    /// The account.
    pub authorizer_appid: Appid,
    /// When the grant was made.
    pub event_time: Timestamp,
    /// The digest of the launch that it belongs to, where one is known.
    pub launch: Option<String>,
}

/// What is known of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CodeState {
    /// WeChat has not exchanged it for us.
    NotSent,
    /// It was sent and no answer came back, or whoever sent it died: WeChat may have exchanged it.
    PerhapsSpent,
    /// WeChat has exchanged it and the answer is lost: it is sent no more, and the sweep completes the grant from what
    /// WeChat has of the account.
    Spent,
}

/// What happened to a claim that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The code was not sent: there was no component token, no connection or no time.
    NotSent,
    /// It was sent, and no answer came back that tells its outcome, or the grant that came was not written in time.
    AnswerLost,
    /// WeChat refused.
    Refused(Errcode),
    /// The code's life is over.
    Outlived,
}

/// The state in which a held claim is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// To be finished by the next visit, push or run of the sweep.
    Pending(CodeState),
    /// Never to be exchanged.
    Failed(Errcode),
}

impl CodeState {
    /// The state after `event`, for a code that `evidence` vouches for. What nobody vouches for is never spent: a refusal
    /// of a code that a stranger made up means what it says.
    pub(crate) fn after(self, event: Event, evidence: Evidence) -> Next {
        match (self, event) {
            (code, Event::NotSent) | (code @ Self::Spent, _) => Next::Pending(code),
            (_, Event::AnswerLost) => Next::Pending(Self::PerhapsSpent),
            (Self::PerhapsSpent, Event::Outlived) if evidence.is_vouched() => Next::Pending(Self::Spent),
            (_, Event::Outlived) => Next::Failed(Errcode::CODE_SPENT),
            (Self::PerhapsSpent, Event::Refused(errcode)) if means_spent(errcode, evidence) => {
                Next::Pending(Self::Spent)
            }
            (_, Event::Refused(errcode)) if Rejection::of(errcode).is_some() => Next::Failed(errcode),
            (code, Event::Refused(_)) => Next::Pending(code),
        }
    }
}

/// Whether a refusal says that a code that was sent before is spent. WeChat's answer to a code that was used is 61010,
/// and 61009 by some accounts; but 61009 is also its answer to what never was a code, so only WeChat's own push makes it
/// one.
fn means_spent(errcode: Errcode, evidence: Evidence) -> bool {
    match Rejection::of(errcode) {
        Some(Rejection::Spent) => evidence.is_vouched(),
        Some(Rejection::Invalid) => evidence == Evidence::Push,
        _ => false,
    }
}

/// Why a code can never be exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejection {
    /// The code was never valid here.
    Invalid,
    /// It is expired or was used.
    Spent,
    /// The account does not, or no longer, authorize the platform.
    NotAuthorized,
}

impl Rejection {
    /// What an errcode of `api_query_auth` says for good; none if another try may succeed.
    pub(crate) fn of(errcode: Errcode) -> Option<Self> {
        match Class::of(errcode) {
            Class::CodeInvalid => Some(Self::Invalid),
            Class::BadRequest if errcode == Errcode::INVALID_ARGS => Some(Self::Invalid),
            Class::CodeSpent => Some(Self::Spent),
            Class::NotAuthorized | Class::PermissionMissing | Class::RefreshTokenRejected => {
                Some(Self::NotAuthorized)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::CodeState::{NotSent, PerhapsSpent, Spent};
    use super::*;

    const SPENT: Errcode = Errcode::CODE_SPENT;
    const INVALID: Errcode = Errcode::new(61009);
    const REVOKED: Errcode = Errcode::new(61003);
    const ADDRESS: Errcode = Errcode::new(61004);

    #[test]
    fn every_event_of_a_pushed_code_has_its_next_state() {
        let table = [
            (Event::NotSent, [Next::Pending(NotSent), Next::Pending(PerhapsSpent)]),
            (Event::AnswerLost, [Next::Pending(PerhapsSpent); 2]),
            (Event::Refused(SPENT), [Next::Failed(SPENT), Next::Pending(Spent)]),
            (Event::Refused(INVALID), [Next::Failed(INVALID), Next::Pending(Spent)]),
            (Event::Refused(REVOKED), [Next::Failed(REVOKED); 2]),
            (Event::Refused(ADDRESS), [Next::Pending(NotSent), Next::Pending(PerhapsSpent)]),
            (Event::Outlived, [Next::Failed(SPENT), Next::Pending(Spent)]),
        ];
        for (event, [not_sent, perhaps_spent]) in table {
            assert_eq!(NotSent.after(event, Evidence::Push), not_sent, "{event:?}");
            assert_eq!(PerhapsSpent.after(event, Evidence::Push), perhaps_spent, "{event:?}");
            assert_eq!(Spent.after(event, Evidence::Push), Next::Pending(Spent), "{event:?}");
        }
    }

    #[test]
    fn a_refusal_of_a_code_that_nobody_vouches_for_means_what_it_says() {
        for evidence in [Evidence::Bare, Evidence::Visitor] {
            assert_eq!(PerhapsSpent.after(Event::Refused(SPENT), evidence), Next::Failed(SPENT));
            assert_eq!(PerhapsSpent.after(Event::Refused(INVALID), evidence), Next::Failed(INVALID));
            assert_eq!(PerhapsSpent.after(Event::Outlived, evidence), Next::Failed(SPENT));
        }
        let service = Evidence::Service;
        assert_eq!(PerhapsSpent.after(Event::Refused(SPENT), service), Next::Pending(Spent));
        assert_eq!(PerhapsSpent.after(Event::Refused(INVALID), service), Next::Failed(INVALID));
    }
}
