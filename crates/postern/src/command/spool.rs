//! What does a spool directory hold, and how does it get to Kafka without an edge: `postern spool`?

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use postern_core::time::UnixMillis;
use postern_kafka::Producer;
use postern_spool::{Inspected, Settings, Spool};
use prometheus::Registry;
use serde_json::json;
use tokio::sync::watch;

use crate::config::reload::Reloader;
use crate::config::{self, ConfigError, Need, Source, units};
use crate::exit::{Exit, UsageError};
use crate::{output, signals, spooling};

/// How often the progress is drawn on a terminal, and how often a line says it where there is none.
const TICK: Duration = Duration::from_millis(200);
const PLAIN_TICK: Duration = Duration::from_secs(5);
/// What is on its way when a drain is told to stop gets so long.
const LAST: Duration = Duration::from_secs(5);

/// Looks into a spool directory, or empties one into Kafka.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  postern spool drain --config /etc/postern.toml --dir /mnt/old-replica/spool"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: SpoolCommand,
}

#[derive(Debug, Subcommand)]
enum SpoolCommand {
    /// Says what a spool directory holds, also while a postern uses it; changes nothing.
    #[command(
        after_help = "Examples:\n  postern spool inspect --dir /var/lib/postern/spool\n  postern spool inspect --config /etc/postern.toml --json"
    )]
    Inspect {
        /// The directory [default: spool.dir of the configuration].
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,

        /// Prints one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Hands everything to Kafka and ends when the spool is empty: for the volume of a replica that is gone.
    ///
    /// No postern may use the directory meanwhile. What Kafka has acknowledged leaves the spool at once, so that it
    /// can be stopped and started again. Exit 0: empty; 1: stopped before that, the rest is still there.
    #[command(
        after_help = "Examples:\n  postern spool drain --config /etc/postern.toml\n  postern spool drain --config /etc/postern.toml --dir /mnt/old-replica/spool --timeout 10m"
    )]
    Drain {
        /// The directory [default: spool.dir of the configuration].
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,

        /// Stops after so long [default: waits for Kafka as long as it takes].
        #[arg(long, value_name = "TIME", value_parser = units::duration)]
        timeout: Option<Duration>,
    },
}

/// Inspects or drains.
pub(crate) fn run(args: Args, source: &Source) -> anyhow::Result<Exit> {
    match args.command {
        SpoolCommand::Inspect { dir, json } => {
            let dir = match dir {
                Some(dir) => dir,
                None => directory(None, config::load(source, Need::Nothing)?.spool)?.dir,
            };
            inspect(&dir, json)
        }
        SpoolCommand::Drain { dir, timeout } => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            let drained = runtime.block_on(drain(dir, timeout, source));
            runtime.shutdown_background();
            drained
        }
    }
}

/// The directory that was named, else that of the configuration.
fn directory(named: Option<PathBuf>, configured: Option<Settings>) -> Result<Settings, UsageError> {
    // Nothing is appended here.
    let unbounded = |dir| Settings { dir, max_bytes: u64::MAX, queue_bytes: 0 };
    named.map(unbounded).or(configured).ok_or_else(|| {
        UsageError("no spool: give --dir, or a configuration with spool.dir".to_owned())
    })
}

fn inspect(dir: &Path, json: bool) -> anyhow::Result<Exit> {
    let found = postern_spool::inspect(dir).map_err(|error| {
        anyhow::anyhow!("{}: {error}; is it a spool directory, and may you read it?", dir.display())
    })?;
    if json {
        output::line(json_of(dir, &found))?;
        return Ok(Exit::Done);
    }
    let time = |millis: Option<i64>| millis.map_or("-".to_owned(), |at| UnixMillis(at).to_string());
    let used = if found.locked { "in use by a running postern" } else { "not in use" };
    output::text(&format!(
        "{dir}: {used}\n\
         records    {records} in {entries} batches, not acknowledged by kafka\n\
         spooled    from {oldest} to {newest}\n\
         on disk    {bytes} in {segments} segments\n\
         torn       {torn} bytes at the end of segments, never acknowledged to anybody\n\
         damaged    {damaged} places that are not as they were written\n",
        dir = dir.display(),
        records = found.records,
        entries = found.entries,
        oldest = time(found.oldest),
        newest = time(found.newest),
        bytes = units::show_size(found.bytes),
        segments = found.segments,
        torn = found.torn_bytes,
        damaged = found.damaged,
    ))?;
    for file in &found.set_aside {
        output::line(format_args!("set aside  {file}"))?;
    }
    Ok(Exit::Done)
}

fn json_of(dir: &Path, found: &Inspected) -> serde_json::Value {
    let time = |millis: Option<i64>| millis.map(|at| UnixMillis(at).to_string());
    json!({
        "dir": dir, "inUse": found.locked, "records": found.records, "batches": found.entries,
        "oldest": time(found.oldest), "newest": time(found.newest), "bytes": found.bytes,
        "segments": found.segments, "tornBytes": found.torn_bytes, "damaged": found.damaged,
        "setAside": found.set_aside,
    })
}

async fn drain(
    dir: Option<PathBuf>,
    timeout: Option<Duration>,
    source: &Source,
) -> anyhow::Result<Exit> {
    let (settings, kafka) = config::for_kafka(source)?;
    let (_, trust) = Reloader::start(source.file.clone(), &settings)
        .map_err(|problems| ConfigError::new(source.file.clone(), problems))?;
    let spool = directory(dir, settings.spool.clone())?;
    // A mistyped path must not become a new, empty spool.
    if !spool.dir.is_dir() {
        let message = format!("{}: there is no such directory", spool.dir.display());
        return Err(UsageError(message).into());
    }
    let told = signals::told_to_stop()?;
    let registry = Registry::new();
    let producer = Producer::start(&kafka, &registry)?;
    let opened = spooling::open(&spool, &producer, &registry)?;
    let (watched, trust) = (opened.spool.clone(), Arc::new(trust));
    let refused = spooling::refused(move || Arc::clone(&trust), settings.quarantine.max_body);
    let before = watched.held().records;
    output::note(format_args!(
        "{}: {before} records, to kafka at {}",
        spool.dir.display(),
        kafka.bootstrap_servers
    ));
    let (stop, stopped) = watch::channel(false);
    let mut emptying = std::pin::pin!(opened.empty(refused, stopped));
    let ended = tokio::select! {
        () = &mut emptying => true,
        () = told => false,
        () = time_is_up(timeout) => false,
        () = show(&watched, &producer, before) => false,
    };
    if !ended {
        stop.send_replace(true);
        // What is not acknowledged by then stays in the spool.
        drop(tokio::time::timeout(LAST, emptying).await);
    }
    watched.close();
    let left = watched.held().records;
    output::line(format_args!("drained {} records, {left} left", before.saturating_sub(left)))?;
    if left == 0 {
        return Ok(Exit::Done);
    }
    let breaker = producer.contact().breaker.as_str();
    output::note(format_args!(
        "stopped before it was empty (breaker {breaker}): the rest is still in the spool, run it again"
    ));
    Ok(Exit::Failed)
}

async fn time_is_up(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => std::future::pending().await,
    }
}

/// Shows how far it is: a bar on a terminal, a line now and then in a pipe.
async fn show(spool: &Spool, producer: &Producer, total: u64) {
    let terminal = std::io::stderr().is_terminal();
    let bar = if terminal { ProgressBar::new(total) } else { ProgressBar::hidden() };
    if let Ok(style) =
        ProgressStyle::with_template("{bar:30} {pos} of {len} records, {eta} left{msg}")
    {
        bar.set_style(style);
    }
    loop {
        tokio::time::sleep(if terminal { TICK } else { PLAIN_TICK }).await;
        let done = total.saturating_sub(spool.held().records);
        let contact = producer.contact();
        let waiting = if contact.connected { "" } else { ", waiting for kafka" };
        bar.set_message(waiting);
        bar.set_position(done);
        if !terminal {
            output::note(format_args!("{done} of {total} records{waiting}"));
        }
    }
}
