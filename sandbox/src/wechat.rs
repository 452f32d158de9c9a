//! A WeChat that keeps WeChat's rules: lifetimes, overlaps, single-use codes, errcodes, consent pages.
//!
//! # Layout
//!
//! - [`WeChat`]: the controls of a test or a person; what is pushed, when, and how it was answered
//! - `api`, `consent`: what the platform and the merchant meet
//! - `ledger`: what WeChat knows, and the rules by which it changes
//! - [`Push`], [`Delivery`], [`Refusal`], [`Account`]: the parts

mod account;
mod api;
mod consent;
mod controls;
mod credentials;
mod delivery;
mod ledger;
mod part;
mod push;
mod pushing;
mod refusal;
mod release_check;
mod token;

pub use account::{Account, Kind, set_name};
pub use consent::{Agreement, ConsentVisit};
pub use controls::WeChat;
pub use delivery::{Delivery, PushedCode, When};
pub use ledger::SentText;
pub use push::Push;
pub use refusal::Refusal;
pub use release_check::{GROUPS, Item};
