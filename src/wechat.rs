//! WeChat: its API, its errors, its values.

mod answer;
mod cipher;
mod client;
mod code;
mod error;
mod push;
mod secret;
mod value;

pub use answer::{
    AccessToken, AccountType, AuthorizerInfo, AuthorizerList, ConfirmInfo, Grant, ListedAccount,
    PermissionSet, Profile, RefreshedToken,
};
pub use client::{Client, Greeting, LIST_PAGE, Quota};
pub(crate) use code::sha256_hex;
pub use code::{AuthorizationCode, MalformedCode};
pub(crate) use error::masked;
pub use error::{CallError, Class, Refusal};
pub use push::{Authorized, Info, Push, PushError, Signature};
pub use secret::{ComponentSecret, MalformedSecret};
pub use value::Appid;
