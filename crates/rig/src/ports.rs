//! Which port is free, and stays free while its server is down?

use std::net::TcpListener;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// Below Linux's ephemeral range: no outgoing connection takes a port whose server is being restarted.
const FIRST: u32 = 20_000;
const COUNT: u32 = 12_000;

/// A TCP port of the loopback that nobody listens on. Each call gives another one.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Test processes that run side by side start far from each other.
    let start = process::id().wrapping_mul(389);
    for _ in 0..COUNT {
        let place = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let port = u16::try_from(FIRST + place).expect("the range ends below 65,536");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port from {FIRST} on; what listens on all of them?");
}
