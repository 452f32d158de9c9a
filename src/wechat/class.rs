//! The one table from errcode to how it is handled.

use super::Errcode;

/// How a refusal is handled. Source: the error tables of WeChat's API pages and what its SDKs do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// WeChat is busy or unwell: the same request again, a little later.
    Busy,
    /// The component token is not, or no longer, the valid one: get the current one, and ask again.
    TokenRejected,
    /// The authorization code was never valid here.
    CodeInvalid,
    /// The authorization code is expired or was used.
    CodeSpent,
    /// The merchant's account does not, or no longer, authorize the platform.
    NotAuthorized,
    /// The merchant did not grant the permission set that the call needs.
    PermissionMissing,
    /// The refresh token is lost or was replaced.
    RefreshTokenRejected,
    /// The `component_verify_ticket` is missing, stale or wrong.
    TicketRejected,
    /// The day's quota of the API is used up.
    QuotaExceeded,
    /// Too many calls within a minute.
    TooFrequent,
    /// Our address is not on the platform's allow-list.
    AddressRefused,
    /// The platform is set up in a way that cannot work.
    Misconfigured,
    /// WeChat refuses this one account: banned, frozen, or not an account at all.
    AccountBarred,
    /// Our request is not what the API expects.
    BadRequest,
    /// WeChat has never been seen to say this.
    Unknown,
}

impl Class {
    /// The class of an errcode.
    pub fn of(errcode: Errcode) -> Self {
        match errcode.get() {
            -1 | -1000 => Self::Busy,
            40001 | 40014 | 40094 | 42001 | 42006 => Self::TokenRejected,
            61009 => Self::CodeInvalid,
            61010 => Self::CodeSpent,
            61003 => Self::NotAuthorized,
            61007 | 61017 => Self::PermissionMissing,
            42002 | 42007 | 61023 => Self::RefreshTokenRejected,
            40091 | 61005 | 61006 => Self::TicketRejected,
            45009 => Self::QuotaExceeded,
            45011 => Self::TooFrequent,
            40164 | 45035 | 48017 | 61004 => Self::AddressRefused,
            40013 | 48001 | 48004 | 50002 => Self::AccountBarred,
            40125 | 48006 | 61000..=61002 | 61011 | 61016 | 61018 | 61019 | 61026..=61030 => {
                Self::Misconfigured
            }
            40097
            | 40170
            | 41001..=41004
            | 41018
            | 43001..=43003
            | 44002
            | 47001
            | 47002
            | 61008
            | 61012..=61015
            | 61020..=61022
            | 61024
            | 61025
            | 76003
            | 76021
            | 76022 => Self::BadRequest,
            _ => Self::Unknown,
        }
    }

    /// Whether every other call would be refused as well, whichever account it is about.
    pub fn is_of_platform(self) -> bool {
        matches!(
            self,
            Self::TokenRejected
                | Self::TicketRejected
                | Self::QuotaExceeded
                | Self::TooFrequent
                | Self::AddressRefused
                | Self::Misconfigured
        )
    }

    /// What the operator should do.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Busy => "retried; if it lasts, look at WeChat's status",
            Self::TokenRejected => {
                "a new component token is fetched; if it lasts, look for another system that uses the same platform"
            }
            Self::CodeInvalid => "nothing to do: the code is cut off, made up, or another platform's",
            Self::CodeSpent => "nothing to do: the merchant authorizes again",
            Self::NotAuthorized | Self::PermissionMissing => {
                "nothing to do: the merchant authorizes again, with the permission set that is needed"
            }
            Self::RefreshTokenRejected => {
                "the refresh token is looked up at WeChat; if it lasts, the merchant authorizes again"
            }
            Self::TicketRejected => {
                "WeChat pushes a new ticket within ten minutes; check the authorization event URL (授权事件接收URL)"
            }
            Self::QuotaExceeded => {
                "the day's quota is used up: wait for midnight in Beijing, or reset it with clear_quota"
            }
            Self::TooFrequent => "too many calls within a minute: retried later",
            Self::AddressRefused => {
                "add the address to the platform's allow-list (白名单IP地址列表), in the live version too (全网发布)"
            }
            Self::Misconfigured => {
                "check the appid and AppSecret of the platform, its publication (全网发布) and its permission sets"
            }
            Self::AccountBarred => {
                "check the account and its permissions in WeChat's console; if it concerns all accounts, check COMPONENT_APPID"
            }
            Self::BadRequest => "a defect of this software: report it with errcode and rid",
            Self::Unknown => "look up the errcode in WeChat's documentation; the rid finds the request",
        }
    }
}
