//! WeChat: its API, its errors, its values.

mod answer;
mod cipher;
mod class;
mod client;
mod code;
mod errcode;
mod error;
mod grant;
mod life;
mod list;
mod mask;
mod message;
mod permission;
mod profile;
mod push;
mod secret;
mod token;
mod told_time;
mod value;
mod xml;

pub use class::Class;
pub use client::Client;
pub(crate) use client::{ApiAnswer, LIST_PAGE, Quota, Quotas};
pub use code::{AuthorizationCode, MalformedCode};
pub use errcode::Errcode;
pub use error::{CallError, Refusal};
pub use grant::{ConfirmInfo, Grant, PermissionSet, RefreshedToken};
pub(crate) use life::{TOKEN_LIFE, USABLE, due_before_end, fresh, renewed_before, renewed_early};
pub use list::{AuthorizerList, ListedAccount};
pub(crate) use mask::masked;
pub use message::{Message, PushError, Signature};
pub use permission::{PermissionName, permission_name};
pub use profile::{AccountType, AuthorizerInfo, Category, Profile};
pub use push::{Authorized, Info, InfoType, Push};
pub use secret::{ComponentSecret, MalformedSecret};
pub use token::{
    AuthorizerAccessToken, AuthorizerRefreshToken, ComponentAccessToken, ComponentAppSecret,
    ComponentVerifyTicket, EncodingAesKey, Issued, MessageToken, PreAuthCode,
};
pub use told_time::ToldTime;
pub(crate) use told_time::{AHEAD, is_too_far_ahead};
pub use value::Appid;
