//! The artifact as Lambda treats it: frozen as soon as it asks for its next event, killed as soon as it has answered, and
//! thawed into a network that has forgotten its connections.

mod dead_connections;
mod freeze;
mod stage;
