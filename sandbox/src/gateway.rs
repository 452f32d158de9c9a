//! API Gateway's HTTP API: payload 2.0 events out of requests, and answers back.

pub(crate) mod request;
mod server;

pub use request::{DOMAIN_NAME, HttpRequest, event, redirect};
pub use server::router;
