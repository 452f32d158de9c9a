//! The sandbox keeps its own promises: tests of the product rest on them.

mod call;
mod faults;
mod gateway;
mod rules;
