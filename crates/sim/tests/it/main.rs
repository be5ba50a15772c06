//! Does the simulator sign, write, send and count as it says?

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as loudly as the tests")]

mod channels;
mod client;
mod graph;
mod hook;
mod keys;
mod oidc;
mod pubsub;
mod scenario;
mod support;
