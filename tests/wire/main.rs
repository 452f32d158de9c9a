//! What crosses the wire: requests that WeChat and DynamoDB receive, items in the tables, answers.

mod authorize;
mod callback;
mod change;
mod component_token;
mod doctor;
mod errcode;
mod events;
mod fault;
mod gateway;
mod heard;
mod launch;
mod messages;
mod odd;
mod page;
mod pending;
mod race;
mod reconcile;
mod refresh;
mod revocation;
mod scene;
mod schema;
mod secret;
mod spared;
mod speed;
mod stranger;
mod token;
