//! What do the process-level tests and the judge stand on? Real brokers, the real binary, a raw client, a reader.
//!
//! An independent auditor: it speaks Kafka through rdkafka itself and HTTP through sockets, and uses none of the
//! product's code. What it needs and does not find stops the caller with a sentence that says what to do.

#![allow(
    clippy::print_stderr,
    reason = "a tool of tests: a failed one shows what its processes said"
)]

pub mod client;
pub mod config;
pub mod consumer;
pub mod graph;
pub mod hook;
pub mod journal;
pub mod kafka;
pub mod ledger;
pub mod load;
pub mod metrics;
pub mod mq_bridge;
pub mod place;
pub mod ports;
pub mod process;
pub mod schema;
pub mod scratch;
pub mod spawn;
pub mod world;

use std::time::{Duration, Instant};

/// Asks again until `ready` says yes; false when `limit` passes first.
pub fn eventually(limit: Duration, mut ready: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    while !ready() {
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}
