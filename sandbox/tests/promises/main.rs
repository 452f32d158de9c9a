//! The sandbox keeps its own promises: tests of the product rest on them.

mod call;
mod consent;
mod events;
mod faults;
mod gateway;
mod rules;
