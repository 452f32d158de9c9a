//! WeChat's refusals and failed calls, and how they are handled.

use serde_json::Value;
use thiserror::Error;

use super::mask::masked;
use super::{Class, Errcode, answer};

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
    /// The server that answered has no certificate of WeChat, so the request was never sent.
    #[error("wechat cannot be reached: {0}")]
    Untrusted(&'static str),
    /// The request may have been sent, and no whole answer came back.
    #[error("wechat's answer was lost: {0}")]
    Lost(&'static str),
}

impl CallError {
    /// The class of the refusal, or [`Class::Busy`] where WeChat refused nothing.
    pub fn class(&self) -> Class {
        match self {
            Self::Refused(refusal) => refusal.class(),
            Self::Unreadable { .. } | Self::Unreachable(_) | Self::Untrusted(_) | Self::Lost(_) => {
                Class::Busy
            }
        }
    }

    /// Whether WeChat may have done what it was asked to do.
    pub fn may_have_taken_effect(&self) -> bool {
        !matches!(self, Self::Unreachable(_) | Self::Untrusted(_)) && self.class() == Class::Busy
    }

    /// The errcode, or [`Errcode::NONE`].
    pub fn errcode(&self) -> Errcode {
        match self {
            Self::Refused(refusal) => refusal.errcode,
            _ => Errcode::NONE,
        }
    }

    /// The `rid` for a log line, or an empty text.
    pub fn rid(&self) -> &str {
        match self {
            Self::Refused(refusal) => &refusal.rid,
            _ => "",
        }
    }

    /// The error with the `rid` by which WeChat's support finds the request.
    pub fn with_rid(&self) -> String {
        if self.rid().is_empty() { self.to_string() } else { format!("{self} (rid {})", self.rid()) }
    }

    /// What the operator should do.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.class().advice(),
            Self::Untrusted(_) => {
                "check WECHAT_API_BASE_URL, and the path to it for a proxy that opens TLS connections"
            }
            _ => "retried; if it lasts, check the network path to WECHAT_API_BASE_URL",
        }
    }
}

/// An answer with an errcode other than 0.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("wechat refused with errcode {errcode}: {errmsg}")]
pub struct Refusal {
    /// WeChat's number; the only part decisions are made on.
    pub errcode: Errcode,
    /// WeChat's words: bounded, free of control characters, with everything that looks like a token masked.
    pub errmsg: String,
    /// The id under which WeChat's support finds the request; empty if there was none.
    pub rid: String,
    /// The address from which WeChat saw the request come, in a 61004 or a 40164.
    pub request_ip: Option<String>,
}

impl Refusal {
    /// The refusal in an answer, if it is one: `errcode` present and not 0.
    pub(super) fn read(answer: &Value, secrets: &[String]) -> Option<Self> {
        let errcode = Errcode::new(answer::integer(&answer["errcode"])?);
        if errcode == Errcode::NONE {
            return None;
        }
        let errmsg = answer["errmsg"].as_str().unwrap_or_default();
        let errmsg = secrets.iter().fold(errmsg.to_owned(), |errmsg, secret| errmsg.replace(secret, "***"));
        let (message, rid) = errmsg.split_once("rid:").unwrap_or((&errmsg, ""));
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_sent_is_not_seen_again_however_it_is_cut() {
        let secrets = ["a.secret.in.short.words".to_owned(), "0123456789abcdef".to_owned()];
        let errmsg = "invalid a.secret.in.short.words rid: 0123456789abcdef-1";
        let refusal =
            Refusal::read(&json!({"errcode": 40125, "errmsg": errmsg}), &secrets).expect("a refusal");
        assert_eq!((refusal.errmsg.as_str(), refusal.rid.as_str()), ("invalid ***", ""));
    }

    #[test]
    fn an_errmsg_that_repeats_a_token_is_masked() {
        let errmsg =
            "invalid credential ticket@@@abc, access_token=61W3mEpU66027wgNZ_MhGHNQ\n hint: [x] rid: 65f-1a";
        let refusal = Refusal::read(&json!({"errcode": "40001", "errmsg": errmsg}), &[]).expect("a refusal");
        assert_eq!(refusal.errmsg, "invalid credential ***, ***  hint: [x]");
        assert_eq!(refusal.rid, "65f-1a");
    }

    #[test]
    fn a_word_that_the_end_cuts_is_not_shown() {
        for (words, cut) in [("", "secret".repeat(60)), ("word ", "x".repeat(400))] {
            let errmsg = format!("{}{cut}", words.repeat(57));
            let refusal = Refusal::read(&json!({"errcode": -1, "errmsg": errmsg}), &[]).expect("a refusal");
            assert_eq!(refusal.errmsg, words.repeat(57).trim_end());
        }
    }

    #[test]
    fn the_address_of_a_61004_is_read() {
        let errmsg = "access clientip is not registered requestIP: 1.2.3.4 rid: 65f";
        let refusal = Refusal::read(&json!({"errcode": 61004, "errmsg": errmsg}), &[]).expect("a refusal");
        assert_eq!(refusal.request_ip.as_deref(), Some("1.2.3.4"));
        assert_eq!(refusal.class(), Class::AddressRefused);
    }

    #[test]
    fn the_address_of_a_40164_is_read() {
        let errmsg = "invalid ip 1.2.3.4 ipv6 ::ffff:1.2.3.4, not in whitelist rid: 65f";
        let refusal = Refusal::read(&json!({"errcode": 40164, "errmsg": errmsg}), &[]).expect("a refusal");
        assert_eq!(refusal.request_ip.as_deref(), Some("1.2.3.4"));
    }

    #[test]
    fn an_errcode_of_zero_or_none_is_no_refusal() {
        for answer in
            [json!({"errcode": 0}), json!({"errcode": "0"}), json!({"errcode": null}), json!({}), json!([])]
        {
            assert_eq!(Refusal::read(&answer, &[]), None);
        }
    }
}
