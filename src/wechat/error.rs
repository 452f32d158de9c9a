//! What WeChat says when it says no, and what becomes of it.

use serde_json::Value;
use thiserror::Error;

use super::answer;

/// A call that brought no result.
#[derive(Clone, Debug, Error)]
pub enum CallError {
    /// WeChat answered with an errcode.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// WeChat's answer is not what the endpoint answers: HTML, empty, cut off, or without the one field
    /// that makes it useful.
    #[error("wechat answered HTTP {status} with {length} bytes that are not the expected JSON")]
    Unreadable {
        /// The HTTP status, which says nothing about success.
        status: u16,
        /// How long the body was.
        length: usize,
    },
    /// The request was never sent.
    #[error("wechat cannot be reached: {0}")]
    Unreachable(&'static str),
    /// The request may have been sent, and no whole answer came back.
    #[error("wechat's answer was lost: {0}")]
    Lost(&'static str),
}

impl CallError {
    /// The class of the refusal, or [`Class::Busy`] where WeChat refused nothing.
    pub fn class(&self) -> Class {
        match self {
            Self::Refused(refusal) => refusal.class(),
            Self::Unreadable { .. } | Self::Unreachable(_) | Self::Lost(_) => Class::Busy,
        }
    }

    /// Whether WeChat may have done what it was asked to do.
    pub fn may_have_taken_effect(&self) -> bool {
        !matches!(self, Self::Unreachable(_)) && self.class() == Class::Busy
    }

    /// The errcode for a log line, 0 where there is none.
    pub fn errcode(&self) -> i64 {
        match self {
            Self::Refused(refusal) => refusal.errcode,
            _ => 0,
        }
    }

    /// The `rid` for a log line, empty where there is none.
    pub fn rid(&self) -> &str {
        match self {
            Self::Refused(refusal) => &refusal.rid,
            _ => "",
        }
    }

    /// What the operator should do.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.class().advice(),
            _ => "retried; if it lasts, check the network path to WECHAT_API_BASE_URL",
        }
    }
}

/// An answer with an errcode other than 0.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("wechat refused with errcode {errcode}: {errmsg}")]
pub struct Refusal {
    /// WeChat's code; the only part decisions are made on.
    pub errcode: i64,
    /// WeChat's words: bounded, free of control characters, with everything that looks like a token masked.
    pub errmsg: String,
    /// The id under which WeChat's support finds the request; empty if there was none.
    pub rid: String,
    /// The address from which WeChat saw the request come, in a 61004 or a 40164.
    pub request_ip: Option<String>,
}

impl Refusal {
    /// The refusal in an answer, if it is one: `errcode` present and not 0.
    pub fn read(answer: &Value) -> Option<Self> {
        let errcode = answer::integer(&answer["errcode"]).filter(|errcode| *errcode != 0)?;
        let errmsg = answer["errmsg"].as_str().unwrap_or_default();
        let (message, rid) = errmsg.split_once("rid:").unwrap_or((errmsg, ""));
        let rid =
            rid.trim_start().chars().take_while(|c| c.is_ascii_hexdigit() || *c == '-').take(64).collect();
        let named = message.split_once("requestIP:").or_else(|| message.split_once("invalid ip "));
        let request_ip = named.map(|(_, rest)| {
            rest.trim_start()
                .chars()
                .take_while(|c| c.is_ascii_hexdigit() || matches!(c, '.' | ':'))
                .take(45)
                .collect()
        });
        Some(Self { errcode, errmsg: masked(message.trim_end()), rid, request_ip })
    }

    /// What becomes of it.
    pub fn class(&self) -> Class {
        Class::of(self.errcode)
    }
}

/// What becomes of a refusal. Source: the error tables of WeChat's API pages and what its SDKs do.
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
    pub fn of(errcode: i64) -> Self {
        match errcode {
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

/// `text` fit for a log line: bounded, in one line, and without anything that could be a token.
pub(crate) fn masked(text: &str) -> String {
    /// Longer than any word of WeChat's messages or an appid, shorter than any secret.
    const LONGEST_WORD: usize = 19;
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '@' | '+' | '/' | '=');
    let mut line = String::new();
    let mut word = String::new();
    for c in text.chars().take(300).chain(['\n']) {
        if is_word(c) {
            word.push(c);
            continue;
        }
        let secret = word.len() > LONGEST_WORD || word.contains("@@@");
        line.push_str(if secret { "***" } else { &word });
        word.clear();
        line.push(if c.is_control() { ' ' } else { c });
    }
    line.truncate(line.trim_end().len());
    line
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_errmsg_that_repeats_a_token_is_masked() {
        let errmsg =
            "invalid credential ticket@@@abc, access_token=61W3mEpU66027wgNZ_MhGHNQ\n hint: [x] rid: 65f-1a";
        let refusal = Refusal::read(&json!({"errcode": "40001", "errmsg": errmsg})).expect("a refusal");
        assert_eq!(refusal.errmsg, "invalid credential ***, ***  hint: [x]");
        assert_eq!(refusal.rid, "65f-1a");
    }

    #[test]
    fn the_address_of_a_61004_is_read() {
        let errmsg = "access clientip is not registered requestIP: 1.2.3.4 rid: 65f";
        let refusal = Refusal::read(&json!({"errcode": 61004, "errmsg": errmsg})).expect("a refusal");
        assert_eq!(refusal.request_ip.as_deref(), Some("1.2.3.4"));
        assert_eq!(refusal.class(), Class::AddressRefused);
    }

    #[test]
    fn the_address_of_a_40164_is_read() {
        let errmsg = "invalid ip 1.2.3.4 ipv6 ::ffff:1.2.3.4, not in whitelist rid: 65f";
        let refusal = Refusal::read(&json!({"errcode": 40164, "errmsg": errmsg})).expect("a refusal");
        assert_eq!(refusal.request_ip.as_deref(), Some("1.2.3.4"));
    }

    #[test]
    fn an_errcode_of_zero_or_none_is_no_refusal() {
        for answer in
            [json!({"errcode": 0}), json!({"errcode": "0"}), json!({"errcode": null}), json!({}), json!([])]
        {
            assert_eq!(Refusal::read(&answer), None);
        }
    }
}
