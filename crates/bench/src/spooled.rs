//! What does a durable answer cost while Kafka is away? postern with a spool, beside the bare loop of `disk.rs`.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use postern_rig::metrics::Metrics;
use postern_rig::ports::free_port;

use crate::disk::{BATCHES, Commit};
use crate::load::{self, Load};
use crate::note;
use crate::process::CpuWatch;
use crate::target::{self, postern};
use crate::world::World;

/// Measures with as many connections as the bare loop has records a batch: so many requests wait for one sync at most.
///
/// # Errors
/// When postern answers anything but 2xx, or its spool lacks a record of a 2xx.
pub(crate) fn run(bytes: usize, seconds: f64, world: &World) -> anyhow::Result<Vec<Commit>> {
    let mut commits = Vec::new();
    for connections in BATCHES {
        let commit = measure(connections, bytes, Duration::from_secs_f64(seconds), world)?;
        note(format_args!("bench: {commit}"));
        commits.push(commit);
    }
    Ok(commits)
}

fn measure(
    connections: usize,
    bytes: usize,
    duration: Duration,
    world: &World,
) -> anyhow::Result<Commit> {
    let spool = world.disk.join(format!("bench-spool-{connections}"));
    remove(&spool)?;
    let (server, admin) = postern::spooling(world, free_port(), &spool)?;
    target::await_ready(&server, &world.graph)?;
    // What stands in the spool is counted before the breaker's own probes could take anything out: Kafka is not there.
    let records = || Metrics::read(admin).value("postern_spool_records", &[]);
    let before = records();
    let load = Load {
        address: server.address,
        connections,
        idle: 0,
        warm_up: Duration::from_millis(500),
        duration,
        traffic: world.graph.clone(),
    };
    let mut watch = CpuWatch::of(server.process.id());
    let answers = load::run(&load, &mut watch)?;
    ensure!(answers.others.is_empty(), "answers other than 2xx: {:?}", answers.others);
    let spooled = records() - before;
    #[expect(clippy::float_cmp, reason = "both are whole numbers far below 2^53")]
    let all_there = spooled == answers.accepted as f64;
    ensure!(all_there, "{} answers of 2xx and {spooled} records in the spool", answers.accepted);
    drop(server);
    remove(&spool)?;
    let requests = answers.measured as f64;
    Ok(Commit {
        what: "postern, spooled",
        batch: connections,
        bytes,
        per_second: requests / answers.elapsed.as_secs_f64(),
        p50: answers.latencies.value_at_quantile(0.5) as f64 / 1e6,
        p99: answers.latencies.value_at_quantile(0.99) as f64 / 1e6,
        cpu: watch.used.as_secs_f64() * 1e6 / requests,
    })
}

fn remove(spool: &Path) -> anyhow::Result<()> {
    if spool.exists() {
        fs::remove_dir_all(spool)?;
    }
    Ok(())
}
