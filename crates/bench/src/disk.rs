//! What is the least that a durable record costs without Kafka? A bare loop of one write and one fdatasync a batch.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use hdrhistogram::Histogram;
use serde::Serialize;

use crate::note;
use crate::process;

/// Records that are made durable together.
const BATCHES: [usize; 4] = [1, 16, 64, 256];
/// What one file may grow to before it is begun anew: the disk is to be measured, not filled.
const FILE: u64 = 256 << 20;

/// What one size of batch gives.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Commit {
    /// What was measured.
    pub(crate) what: &'static str,
    /// Records a batch.
    pub(crate) batch: usize,
    /// Bytes of a record.
    pub(crate) bytes: usize,
    /// Durable records a second.
    pub(crate) per_second: f64,
    /// The time of a commit at the median, in milliseconds.
    pub(crate) p50: f64,
    /// And at 99 %.
    pub(crate) p99: f64,
    /// CPU microseconds a record.
    pub(crate) cpu: f64,
}

/// Measures every size of batch with a record of postern's, in a folder of the disk that is meant.
///
/// # Errors
/// When the disk takes nothing.
pub(crate) fn run(record: &[u8], seconds: f64, folder: &Path) -> anyhow::Result<Vec<Commit>> {
    let mut commits = Vec::new();
    for batch in BATCHES {
        let commit = bare(record, batch, Duration::from_secs_f64(seconds), folder)?;
        note(format_args!(
            "bench: {} of {batch:>3} records {:>9.0} records/s {:>6.1} us CPU, commit p50 {:.2} ms",
            commit.what, commit.per_second, commit.cpu, commit.p50
        ));
        commits.push(commit);
    }
    Ok(commits)
}

/// Appends and syncs until the time is over.
fn bare(record: &[u8], batch: usize, time: Duration, folder: &Path) -> anyhow::Result<Commit> {
    let bytes = record.repeat(batch);
    let path = folder.join("fdatasync.bin");
    let mut file = File::create(&path).with_context(|| format!("no file {}", path.display()))?;
    let mut latencies: Histogram<u64> = Histogram::new_with_bounds(1_000, 60_000_000_000, 3)?;
    let (begun, cpu, mut written) = (Instant::now(), process::thread_cpu()?, 0);
    while begun.elapsed() < time {
        let commit = Instant::now();
        file.write_all(&bytes)?;
        file.sync_data()?;
        latencies.saturating_record(u64::try_from(commit.elapsed().as_nanos())?);
        written += bytes.len() as u64;
        if written >= FILE {
            file = File::create(&path)?;
            written = 0;
        }
    }
    let (elapsed, cpu) = (begun.elapsed(), process::thread_cpu()?.saturating_sub(cpu));
    std::fs::remove_file(&path)?;
    let records = latencies.len() as f64 * batch as f64;
    Ok(Commit {
        what: "write and fdatasync",
        batch,
        bytes: record.len(),
        per_second: records / elapsed.as_secs_f64(),
        p50: latencies.value_at_quantile(0.5) as f64 / 1e6,
        p99: latencies.value_at_quantile(0.99) as f64 / 1e6,
        cpu: cpu.as_secs_f64() * 1e6 / records,
    })
}
