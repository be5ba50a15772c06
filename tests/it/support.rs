//! What do the process-level tests stand on? A real broker, the real binary, a raw client, a reader of topics.

pub mod client;
pub mod config;
pub mod consumer;
pub mod graph;
pub mod hook;
pub mod kafka;
pub mod ledger;
pub mod load;
pub mod metrics;
pub mod ports;
pub mod process;
pub mod schema;
pub mod scratch;
pub mod spawn;

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
