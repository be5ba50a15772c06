//! Does the real `postern` keep its contract, process by process, against a real Kafka?
//!
//! One binary for all tests: it links once. What they need and do not find makes them fail, never pass.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    unreachable_pub,
    reason = "nothing here is a library, and a test may stop at the first surprise"
)]

mod bad_topics;
mod consumers;
mod environment;
mod fixtures;
mod key_sets;
mod ledger;
mod metrics;
mod records;
mod reload;
mod replay;
mod rig;
mod secrets;
mod secure_kafka;
mod serve;
mod simulate;
mod spool;
mod stops;
mod tail;
mod tokens;
mod tools;
mod topics;
mod tour;

use postern_rig as support;
