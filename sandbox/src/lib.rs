//! The product on one machine: the functions, a DynamoDB and a WeChat that keeps WeChat's rules.
//!
//! Tests use it as a library, people through `cargo run -p sandbox`. Everything between the parts crosses
//! real sockets and real payloads: the functions know no difference to AWS.
//!
//! # Layout
//!
//! - [`Sandbox`] starts everything and makes cold instances of the functions: an [`Instance`] answers HTTP, a
//!   [`JsonInstance`] is invoked with JSON
//! - [`Browser`]: what a merchant visits an [`Instance`] with
//! - [`wechat`]: the simulated WeChat, its pushes and its controls
//! - [`dynamodb`]: the tables, what was asked of them, and what is in them
//! - [`fault`], [`wire`]: what both servers share: faults on demand and a record of every request
//! - [`gateway`]: requests as API Gateway's payload 2.0 events, answers back
//! - [`event_file`]: the files in `events/`, each with a sandbox in which it has something to do
//! - [`pipe`]: the events that the pipes make of what is written
//! - [`process`]: the artifact as a process behind Lambda's Runtime API; [`tunnel`]: a network whose connections end
//! - [`template`]: what the deployed stack looks like, read from `template.yaml`

mod browser;
mod date;
pub mod dynamodb;
pub mod event_file;
pub mod fault;
pub mod gateway;
pub mod instance;
pub mod json_instance;
mod log;
mod message;
mod net;
mod opaque;
pub mod pipe;
pub mod process;
mod sandbox;
pub mod template;
pub mod tunnel;
pub mod wechat;
pub mod wire;

pub use browser::Browser;
pub use dynamodb::DynamoDb;
pub use fault::{Fault, Hold};
pub use gateway::HttpRequest;
pub use instance::{Answer, Instance};
pub use json_instance::{InvocationError, JsonInstance};
pub use log::Log;
pub use net::{bind, listen, origin};
pub use sandbox::{Function, HTTP_FUNCTIONS, JSON_FUNCTIONS, Listen, Sandbox};
pub use wechat::{Push, WeChat};
