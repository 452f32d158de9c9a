//! The serverless authorization backend of a WeChat third-party platform (第三方平台).
//!
//! A merchant authorizes the platform on a WeChat page; WeChat redirects the browser here with an
//! authorization code; the code is exchanged for the merchant's tokens, the record is written to DynamoDB,
//! and the merchant reads a confirmation. Every grant that a merchant gave ends up in the table, exchanged
//! exactly once.
//!
//! # Layout
//!
//! - [`visits`]: [`authorize`], the launch page, and [`callback`], the redirect target; [`events`]: WeChat's pushes.
//! - [`refresh`]: keeps every token fresh; [`reconcile`]: restores what is missing;
//!   [`token`]: gives one out.
//! - [`doctor`]: what keeps the platform from working.
//! - `exchange`: authorization code → grant → record; `authorizer`: the tokens that follow;
//!   `component`: the platform's own token.
//! - [`wechat`]: WeChat's API, errors and values; `store`: the two tables.
//! - [`page`], `visit`: what a merchant sees.
//! - `claim`, `launch`, `lease`, [`time`]: values that decide what may happen.
//! - [`functions`], [`config`], [`services`], [`runner`], [`after`], [`gateway`], [`http`], [`aws`], [`log`], [`metric`], `secrets`, `deadline`, `retry`,
//!   `id`: what all of it stands on.

pub mod authorize;
pub mod callback;
pub mod component_token;
pub mod doctor;
pub mod events;
pub mod launch;
pub mod messages;
pub mod reconcile;
pub mod refresh;
pub mod token;
pub mod visits;

pub(crate) mod authorizer;
pub(crate) mod component;
pub(crate) mod delivery;
pub(crate) mod exchange;
pub(crate) mod launches;
pub(crate) mod outbox;
pub(crate) mod release_check;

pub(crate) mod store;
pub mod wechat;

pub mod page;
pub(crate) mod visit;

pub(crate) mod claim;
pub(crate) mod evidence;
pub(crate) mod lease;
pub mod time;

pub(crate) mod address;
pub mod after;
pub mod aws;
pub mod config;
pub(crate) mod deadline;
pub mod functions;
pub mod gateway;
pub mod http;
pub(crate) mod id;
pub mod log;
pub mod metric;
pub(crate) mod retry;
pub mod runner;
pub(crate) mod secrets;
pub mod services;
