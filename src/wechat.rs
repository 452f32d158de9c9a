//! WeChat: its API, its errors, its values.

mod answer;
mod cipher;
mod client;
mod code;
mod error;
mod push;
mod secret;
mod value;

pub use answer::{AccessToken, AccountType, AuthorizerInfo, ConfirmInfo, Grant, PermissionSet, Profile};
pub use client::Client;
pub(crate) use code::sha256_hex;
pub use code::{AuthorizationCode, MalformedCode};
pub use error::{CallError, Class, Refusal};
pub use push::{Authorized, Info, Push, PushError, Signature};
pub use secret::{ComponentSecret, MalformedSecret};
pub use value::Appid;
