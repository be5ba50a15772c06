//! Where do the latencies of many connections go without getting into each other's way?

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hdrhistogram::Histogram;

use crate::observer::{Finished, Outcome};

/// Shards, not one a connection: a histogram takes about 100 kB, and connections may be thousands.
const SHARDS: usize = 8;
/// Ten hours in microseconds: an open loop's backlog may be long, its histogram stays bounded.
const HIGHEST: u64 = 36_000_000_000;

pub(crate) struct Recorder {
    shards: Vec<Mutex<Shard>>,
}

pub(crate) struct Shard {
    pub(crate) latency: Histogram<u64>,
    pub(crate) service: Histogram<u64>,
    pub(crate) statuses: BTreeMap<u16, u64>,
}

impl Shard {
    fn new() -> Self {
        // Grows with what it holds: runs without slow answers stay small.
        let histogram = || Histogram::new(3).expect("three digits are within 0 to 5");
        Self { latency: histogram(), service: histogram(), statuses: BTreeMap::new() }
    }
}

impl Recorder {
    pub(crate) fn new(connections: usize) -> Self {
        let shards = (0..connections.min(SHARDS)).map(|_| Mutex::new(Shard::new())).collect();
        Self { shards }
    }

    pub(crate) fn record(&self, connection: usize, finished: &Finished<'_>) {
        let status = match finished.outcome {
            Outcome::Answered { status, .. } => Some(status),
            Outcome::Timeout => None,
            // Says how fast a port is found closed, not how fast anybody answers.
            Outcome::Refused | Outcome::Reset => return,
        };
        let micros = |span: Duration| (span.as_micros() as u64).clamp(1, HIGHEST);
        let mut shard = lock(&self.shards[connection % self.shards.len()]);
        let latency = finished.finished.saturating_duration_since(finished.intended);
        let service = finished.finished.saturating_duration_since(finished.sent);
        shard.latency.record(micros(latency)).expect("it grows by itself");
        shard.service.record(micros(service)).expect("it grows by itself");
        if let Some(status) = status {
            *shard.statuses.entry(status).or_default() += 1;
        }
    }

    pub(crate) fn total(&self) -> Shard {
        let mut total = Shard::new();
        for shard in &self.shards {
            let shard = lock(shard);
            total.latency.add(&shard.latency).expect("the sum grows by itself");
            total.service.add(&shard.service).expect("the sum grows by itself");
            for (status, count) in &shard.statuses {
                *total.statuses.entry(*status).or_default() += count;
            }
        }
        total
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
