//! What is the least that a durable record costs? librdkafka with acks=all, and waiters that hear of it.
//!
//! As in postern: the same producer settings, the same record bytes, as many waiters as connections, one completion a
//! request however many records it has. Without: HTTP, verification, metrics, breaker.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use hdrhistogram::Histogram;
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{
    BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::kafka::Record;
use crate::process;

/// What the child is told.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Order {
    /// Bootstrap servers.
    #[arg(long)]
    pub(crate) bootstrap: String,
    /// The topic.
    #[arg(long)]
    pub(crate) topic: String,
    /// Requests in flight.
    #[arg(long)]
    pub(crate) waiters: usize,
    /// Records a request.
    #[arg(long)]
    pub(crate) records: usize,
    /// A JSON file with records that postern wrote.
    #[arg(long)]
    pub(crate) samples: PathBuf,
    /// Seconds that are not measured.
    #[arg(long)]
    pub(crate) warm_up: f64,
    /// Seconds that are.
    #[arg(long)]
    pub(crate) seconds: f64,
}

/// What the child found.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Found {
    /// Acknowledged requests, the warm-up included.
    pub(crate) accepted: u64,
    /// Within the measured time.
    pub(crate) measured: u64,
    /// The measured time in seconds.
    pub(crate) seconds: f64,
    /// CPU seconds of the process in it.
    pub(crate) cpu: f64,
    /// Memory in bytes after the first acknowledgement, and at the end.
    pub(crate) memory: (u64, u64),
    /// Latencies at the median, 99 % and 99.9 %, in microseconds.
    pub(crate) latencies: [f64; 3],
}

/// One request's acknowledgement.
struct Ack {
    remaining: AtomicUsize,
    done: Notify,
}

struct Context {
    failures: AtomicU64,
}

impl ClientContext for Context {}

impl ProducerContext for Context {
    type DeliveryOpaque = Arc<Ack>;

    fn delivery(&self, result: &DeliveryResult<'_>, ack: Arc<Ack>) {
        if result.is_err() {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
        if ack.remaining.fetch_sub(1, Ordering::AcqRel) == 1 {
            ack.done.notify_one();
        }
    }
}

struct Shared {
    producer: ThreadedProducer<Context>,
    topic: String,
    samples: Vec<Record>,
    records: usize,
    measuring: AtomicBool,
    stop: AtomicBool,
}

/// Runs it and prints what was found as one line of JSON.
///
/// # Errors
/// When Kafka does not take a record.
pub(crate) fn run(order: &Order) -> anyhow::Result<Found> {
    let samples = std::fs::read(&order.samples).context("the samples cannot be read")?;
    let shared = Arc::new(Shared {
        producer: config(&order.bootstrap)
            .create_with_context(Context { failures: AtomicU64::new(0) })?,
        topic: order.topic.clone(),
        samples: serde_json::from_slice(&samples)?,
        records: order.records,
        measuring: AtomicBool::new(false),
        stop: AtomicBool::new(false),
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let found = runtime.block_on(measure(order, &shared))?;
    let failures = shared.producer.client().context().failures.load(Ordering::Relaxed);
    ensure!(failures == 0, "Kafka did not acknowledge {failures} records");
    Ok(found)
}

/// What `crates/kafka/src/settings/native.rs` sets, as far as it matters while nothing is wrong.
fn config(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("linger.ms", "0")
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("max.in.flight.requests.per.connection", "5")
        .set("partitioner", "murmur2_random")
        .set("enable.metrics.push", "false")
        .set("queue.buffering.max.messages", "20000")
        .set("queue.buffering.max.kbytes", "32768");
    config
}

async fn measure(order: &Order, shared: &Arc<Shared>) -> anyhow::Result<Found> {
    // The first acknowledgement takes longer: metadata, producer id.
    let (mut accepted, ..) = request(shared, 0, &ack()).await.map(|_| (1, ()))?;
    let id = std::process::id();
    let (idle, _) = process::memory(id)?;
    let waiters: Vec<_> =
        (0..order.waiters).map(|place| tokio::spawn(wait(Arc::clone(shared), place))).collect();
    tokio::time::sleep(Duration::from_secs_f64(order.warm_up)).await;
    let (begun, cpu) = (Instant::now(), process::cpu(id)?);
    shared.measuring.store(true, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs_f64(order.seconds)).await;
    shared.measuring.store(false, Ordering::Relaxed);
    let (seconds, cpu) = (begun.elapsed().as_secs_f64(), process::cpu(id)?.saturating_sub(cpu));
    let (loaded, _) = process::memory(id)?;
    shared.stop.store(true, Ordering::Relaxed);
    let mut latencies = histogram()?;
    for waiter in waiters {
        let (requests, own) = waiter.await??;
        accepted += requests;
        latencies.add(own)?;
    }
    let at = |quantile: f64| latencies.value_at_quantile(quantile) as f64 / 1_000.0;
    Ok(Found {
        accepted,
        measured: latencies.len(),
        seconds,
        cpu: cpu.as_secs_f64(),
        memory: (idle, loaded),
        latencies: [at(0.5), at(0.99), at(0.999)],
    })
}

/// One waiter: a request after the other.
async fn wait(shared: Arc<Shared>, place: usize) -> anyhow::Result<(u64, Histogram<u64>)> {
    let (mut latencies, ack) = (histogram()?, ack());
    let (mut requests, mut next) = (0, place * shared.records);
    while !shared.stop.load(Ordering::Relaxed) {
        let begun = Instant::now();
        request(&shared, next, &ack).await?;
        requests += 1;
        next += shared.records;
        if shared.measuring.load(Ordering::Relaxed) {
            latencies.saturating_record(u64::try_from(begun.elapsed().as_nanos())?);
        }
    }
    Ok((requests, latencies))
}

/// Sends a request's records and waits for all of them.
async fn request(shared: &Shared, first: usize, ack: &Arc<Ack>) -> anyhow::Result<()> {
    ack.remaining.store(shared.records, Ordering::Release);
    for place in 0..shared.records {
        let sample = &shared.samples[(first + place) % shared.samples.len()];
        let mut headers = OwnedHeaders::new_with_capacity(sample.headers.len());
        for (key, value) in &sample.headers {
            headers = headers.insert(Header { key, value: Some(value) });
        }
        let record = BaseRecord::with_opaque_to(&shared.topic, Arc::clone(ack))
            .key(&sample.key)
            .payload(&sample.value)
            .headers(headers);
        shared.producer.send(record).map_err(|(error, _)| error)?;
    }
    while ack.remaining.load(Ordering::Acquire) > 0 {
        ack.done.notified().await;
    }
    Ok(())
}

fn ack() -> Arc<Ack> {
    Arc::new(Ack { remaining: AtomicUsize::new(0), done: Notify::new() })
}

fn histogram() -> anyhow::Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1_000, 60_000_000_000, 3)?)
}
