//! How an exchange ended.

use crate::claim::Rejection;
use crate::component::ComponentError;
use crate::store::{Record, StoreError};
use crate::wechat::{Appid, Class, Errcode, PermissionSet, Refusal};

/// How an exchange ended.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// The grant is in the table, written now or before.
    Stored(Account, Shown),
    /// Not finished; it will be without the merchant.
    Pending,
    /// The code was never valid here.
    CodeInvalid,
    /// The code is expired or was used, and nothing is stored for it.
    CodeSpent,
    /// The code may have been exchanged, for an account that nobody can name, because the answer was lost; or the record
    /// of the account is missing.
    Unmatched,
    /// The account does not, or no longer, authorize the platform.
    NotAuthorized,
    /// The platform has no ticket yet. The code stays valid.
    NotReady,
    /// Something that an operator must fix. The code stays valid, and the claim on it pending.
    Unavailable,
    /// The claim could not be written, so nothing of this event is stored.
    Unclaimed(StoreError),
}

/// Who may see the account of a stored grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// The launch of this event has it as its outcome, and says who may.
    Launch,
    /// Whoever brought this event: it exchanged the code itself.
    Here,
    /// Not whoever brought this event.
    Elsewhere,
}

/// What a merchant is told about an account.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// The account.
    pub authorizer_appid: Appid,
    /// Its name, where it is known.
    pub nick_name: Option<String>,
    /// The permission sets granted, in ascending order.
    pub permission_sets: Vec<PermissionSet>,
    /// The address of its picture, where it is known.
    pub head_img: Option<String>,
    /// Whether WeChat gave tokens for it.
    pub has_tokens: bool,
}

impl Outcome {
    /// The outcome of a claim that failed with this errcode.
    pub(super) fn of_failed(errcode: Errcode) -> Self {
        match Rejection::of(errcode) {
            Some(Rejection::Invalid) => Self::CodeInvalid,
            Some(Rejection::Spent) => Self::CodeSpent,
            Some(Rejection::NotAuthorized) => Self::NotAuthorized,
            None => Self::Unavailable,
        }
    }

    /// The outcome of an exchange that WeChat refused, unless the code turns out to be spent.
    pub(super) fn of_refusal(refusal: &Refusal) -> Self {
        match refusal.class() {
            Class::Busy => Self::Pending,
            _ => Self::of_failed(refusal.errcode),
        }
    }

    /// The outcome of an exchange for which no component token was available.
    pub(super) fn without_component_token(error: &ComponentError) -> Self {
        match error {
            error if error.is_about_ticket() => Self::NotReady,
            ComponentError::Contended => Self::Pending,
            ComponentError::Call(call) if call.class() == Class::Busy => Self::Pending,
            _ => Self::Unavailable,
        }
    }

    /// The same outcome for whoever exchanged the code of another event's launch.
    pub(super) fn shown_here(self) -> Self {
        match self {
            Self::Stored(account, Shown::Launch) => Self::Stored(account, Shown::Here),
            outcome => outcome,
        }
    }

    /// What a record says to the merchant of the account.
    pub(super) fn of_record(appid: &Appid, record: &Record, shown: Shown) -> Self {
        if !record.is_authorized() {
            return Self::NotAuthorized;
        }
        Self::Stored(Account::of(appid, record), shown)
    }

    /// The outcome's name in the metrics.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Stored(..) => "stored",
            Self::Pending => "pending",
            Self::CodeInvalid => "code_invalid",
            Self::CodeSpent => "code_spent",
            Self::Unmatched => "unmatched",
            Self::NotAuthorized => "not_authorized",
            Self::NotReady => "not_ready",
            Self::Unavailable => "unavailable",
            Self::Unclaimed(_) => "unclaimed",
        }
    }
}

impl Account {
    /// The account as its record has it.
    pub(crate) fn of(appid: &Appid, record: &Record) -> Self {
        Self {
            authorizer_appid: appid.clone(),
            nick_name: record.profile.as_ref().and_then(|profile| profile.nick_name.clone()),
            permission_sets: record.permission_sets.clone(),
            head_img: record.profile.as_ref().and_then(|profile| profile.head_img.clone()),
            has_tokens: record.access_token.is_some() || record.refresh_token.is_some(),
        }
    }
}

/// Says to the operator that a code was exchanged for an account that has no record.
pub(crate) fn report_missing_record(authorizer_appid: &Appid) {
    tracing::error!(
        authorizer.appid = %authorizer_appid,
        advice = "run reconcile, which restores it from WeChat",
        "the record of an exchanged code is missing"
    );
}
