//! Faults at every request, and random schedules, in virtual time and judged by an oracle.
//!
//! A [`Schedule`] is a list of what happens to the platform: launches, consents, redirects, pushes, revocations,
//! strangers, and faults of WeChat's API, of DynamoDB and of the processes themselves. [`play`](play::play) runs it
//! in a separate world: the product's functions, the sandbox's WeChat and an embedded DynamoDB, with seconds that
//! cost nothing. When all faults have ended and the schedule has run, an oracle that knows what WeChat granted says
//! which invariants do not hold.
//!
//! # Layout
//!
//! - [`schedule`], [`fault`]: what can happen, in words
//! - [`scenario`]: the schedules in which each request meets each fault, alone or in pairs
//! - [`random`]: schedules from seeds; [`shrink`]: the smallest part of one that still fails
//! - [`campaign`]: many schedules on all processors; [`report`]: what they found
//! - [`play`], [`settle`], [`notes`]: what happens, what happens after it, what is remembered of it
//! - [`judge`], [`facts`]: the oracle, and what it knows of WeChat
//! - [`world`], [`life`], [`time`]: processes that can stand still and die, in virtual time
//! - [`wire`], [`wechat`], [`tables`], [`refusal`]: both wires
//! - [`product`]: every detail of the product that the rest depends on
//! - [`log`]: what the functions logged

pub mod campaign;
pub mod facts;
pub mod fault;
pub mod judge;
pub mod life;
pub mod log;
pub mod notes;
pub mod play;
pub mod product;
pub mod random;
pub mod refusal;
pub mod report;
pub mod scenario;
pub mod schedule;
pub mod settle;
pub mod shrink;
pub mod tables;
pub mod time;
pub mod wechat;
pub mod wire;
pub mod world;

pub use schedule::{Schedule, Step, What};
