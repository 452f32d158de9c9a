//! The sandbox keeps its own promises: tests of the product rest on them.

mod call;
mod consent;
mod deliveries;
mod dynamodb_faults;
mod events;
mod faults;
mod gateway;
mod invocations;
mod openapi;
mod program;
mod push_files;
mod pushes;
mod rules;
