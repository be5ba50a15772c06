//! How fast is the spool beside a bare write-and-fdatasync loop, and beside a kept library, in the same minute?
//!
//! `cargo run --release -p postern-spool --example throughput [directory [seconds]]`
//!
//! `bare` writes and syncs so many records at once and has nobody to tell. `waiters` is the same loop with as many
//! tasks as the spool has, each of which hands in a record and is woken for it; `no disk` are those tasks without the
//! write and the sync: no spool that answers requests can be faster on this machine than they are.

#![allow(clippy::print_stdout, reason = "it prints a table")]

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use postern_core::batch::Batch;
use postern_core::time::UnixMillis;
use postern_spool::{Settings, Spool};
use prometheus::Registry;
use tokio::sync::{mpsc, oneshot};

/// Bytes of a record's value: a Graph event.
const VALUE: usize = 1_024;
const ROUNDS: usize = 3;
const WHAT: [&str; 5] = ["bare", "redb", "no disk", "waiters", "spool"];

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let base = arguments.next().unwrap_or_else(|| ".".to_owned());
    let seconds = arguments.next().map_or(Ok(2), |text| text.parse())?;
    let time = Duration::from_secs(seconds);
    println!(
        "medians of {ROUNDS} rounds of {seconds} s in turn, records of {VALUE} bytes, on {base}"
    );
    println!(
        "{:>6} {:>8} {:>11} {:>9} {:>9} {:>8} {:>11}",
        "batch", "what", "records/s", "p50 ms", "p99 ms", "of bare", "of waiters"
    );
    for batch in [1, 16, 128, 512] {
        let mut rows = [const { Vec::new() }; WHAT.len()];
        for _ in 0..ROUNDS {
            let dir = tempfile::tempdir_in(&base)?;
            rows[0].push(bare(dir.path(), batch, time)?);
            rows[1].push(redb(dir.path(), batch, time)?);
            rows[2].push(waiters(None, batch, time)?);
            rows[3].push(waiters(Some(dir.path()), batch, time)?);
            rows[4].push(spool(dir.path(), batch, time)?);
        }
        let (bare, waiters) = (median(&mut rows[0]).0, median(&mut rows[3]).0);
        for (what, row) in WHAT.into_iter().zip(&mut rows) {
            let (rate, p50, p99) = median(row);
            let (of_bare, of_waiters) = (rate / bare, rate / waiters);
            println!(
                "{batch:>6} {what:>8} {rate:>11.0} {p50:>9.2} {p99:>9.2} {of_bare:>8.2} {of_waiters:>11.2}"
            );
        }
    }
    Ok(())
}

/// Records a second, and the median and 99th percentile of how long one waited, in milliseconds.
type Row = (f64, f64, f64);

fn median(rows: &mut [Row]) -> Row {
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    rows[rows.len() / 2]
}

fn row(records: usize, took: Duration, mut waits: Vec<Duration>) -> Row {
    waits.sort();
    let at =
        |share: usize| waits[(waits.len() * share / 100).min(waits.len() - 1)].as_secs_f64() * 1e3;
    (records as f64 / took.as_secs_f64(), at(50), at(99))
}

/// Runs `commit` again and again.
fn commits(batch: usize, time: Duration, mut commit: impl FnMut() -> Result<()>) -> Result<Row> {
    let (began, mut waits) = (Instant::now(), Vec::new());
    while began.elapsed() < time {
        let one = Instant::now();
        commit()?;
        waits.push(one.elapsed());
    }
    Ok(row(waits.len() * batch, began.elapsed(), waits))
}

fn bare(dir: &Path, batch: usize, time: Duration) -> Result<Row> {
    let mut file = File::create(dir.join("bare"))?;
    let bytes = vec![b'x'; batch * (VALUE + 60)];
    commits(batch, time, || {
        file.write_all(&bytes)?;
        Ok(file.sync_data()?)
    })
}

fn redb(dir: &Path, batch: usize, time: Duration) -> Result<Row> {
    const TABLE: redb::TableDefinition<'_, u64, &[u8]> = redb::TableDefinition::new("spool");
    let database = redb::Database::create(dir.join("redb"))?;
    let (value, mut next) = (vec![b'x'; VALUE], 0);
    commits(batch, time, || {
        let transaction = database.begin_write()?;
        {
            let mut table = transaction.open_table(TABLE)?;
            for _ in 0..batch {
                table.insert(next, value.as_slice())?;
                next += 1;
            }
        }
        Ok(transaction.commit()?)
    })
}

/// As many requests at a time as the others have records in a commit, each waiting for its own answer.
fn spool(dir: &Path, batch: usize, time: Duration) -> Result<Row> {
    let settings = Settings { dir: dir.join("spool"), max_bytes: 64 << 30, queue_bytes: 32 << 20 };
    let (spool, _drain) = Spool::open(&settings, &Registry::new(), || UnixMillis(0))?;
    requests(batch, time, move |record| {
        let spool = spool.clone();
        async move { Ok(spool.append(&record, Instant::now() + Duration::from_secs(10)).await?) }
    })
}

/// The bare loop, or with no directory nothing, and as many tasks that hand in a record each and wait for their answer.
fn waiters(dir: Option<&Path>, batch: usize, time: Duration) -> Result<Row> {
    let mut file = dir.map(|dir| File::create(dir.join("waiters"))).transpose()?;
    let (jobs, mut waiting) = mpsc::channel::<(Vec<u8>, oneshot::Sender<()>)>(4_096);
    let thread = std::thread::spawn(move || {
        let (mut bytes, mut replies) = (Vec::new(), Vec::new());
        while let Some((record, reply)) = waiting.blocking_recv() {
            bytes.extend_from_slice(&record);
            replies.push(reply);
            while let Ok((record, reply)) = waiting.try_recv() {
                bytes.extend_from_slice(&record);
                replies.push(reply);
            }
            if let Some(file) = &mut file {
                file.write_all(&bytes)?;
                file.sync_data()?;
            }
            bytes.clear();
            replies.drain(..).for_each(|reply: oneshot::Sender<()>| _ = reply.send(()));
        }
        anyhow::Ok(())
    });
    let row = requests(batch, time, move |_| {
        let jobs = jobs.clone();
        async move {
            let (reply, told) = oneshot::channel();
            jobs.send((vec![b'x'; VALUE + 60], reply)).await?;
            Ok(told.await?)
        }
    });
    thread.join().map_err(|_| anyhow::anyhow!("the loop panicked"))??;
    row
}

/// `batch` tasks, each of which makes one record durable after the other.
fn requests<F>(
    batch: usize,
    time: Duration,
    append: impl Fn(Arc<Batch>) -> F + Clone + Send + 'static,
) -> Result<Row>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let runtime = tokio::runtime::Runtime::new()?;
    let began = Instant::now();
    let waits = runtime.block_on(async {
        let mut requests = tokio::task::JoinSet::new();
        for _ in 0..batch {
            let append = append.clone();
            requests.spawn(async move {
                let (record, mut waits) = (Arc::new(record()?), Vec::new());
                while began.elapsed() < time {
                    let one = Instant::now();
                    append(Arc::clone(&record)).await?;
                    waits.push(one.elapsed());
                }
                anyhow::Ok(waits)
            });
        }
        drop(append);
        let mut all = Vec::new();
        while let Some(waits) = requests.join_next().await {
            all.extend(waits??);
        }
        anyhow::Ok(all)
    })?;
    Ok(row(waits.len(), began.elapsed(), waits))
}

/// A batch of one record.
fn record() -> Result<Batch> {
    let mut stored = vec![1, 1, 0, 0, 0, 0];
    for part in [&b"org_acme/user_1"[..], &[b'x'; VALUE]] {
        stored.write_all(&u32::try_from(part.len())?.to_le_bytes())?;
        stored.write_all(part)?;
    }
    stored.write_all(&0_u32.to_le_bytes())?;
    Ok(Batch::from_stored(&stored)?)
}
