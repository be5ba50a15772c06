//! What does one measurement of one target give, and is every 2xx of it in Kafka?

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::Serialize;

use crate::load::{self, Answers, Load, Watch};
use crate::process::{self, CpuWatch};
use crate::request::Traffic;
use crate::target::bare_librdkafka::Found;
use crate::target::{self, Server, Target};
use crate::world::World;

/// How long a measurement takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// Under load, not measured.
    pub(crate) warm_up: Duration,
    /// Measured.
    pub(crate) measured: Duration,
}

/// Which connections there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Connections with a request in flight.
    pub(crate) busy: usize,
    /// Connections that are open and send nothing.
    pub(crate) idle: usize,
}

/// One measurement.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Sample {
    /// Requests a second that were answered 2xx.
    pub(crate) per_second: f64,
    /// Latency at the median, in milliseconds.
    pub(crate) p50: f64,
    /// At 99 %.
    pub(crate) p99: f64,
    /// At 99.9 %.
    pub(crate) p999: f64,
    /// CPU microseconds of the server a request.
    pub(crate) cpu: f64,
    /// Resident MiB before the load.
    pub(crate) idle: f64,
    /// Resident MiB at its end.
    pub(crate) loaded: f64,
    /// CPU microseconds of the load a request; none where the target loads itself.
    pub(crate) load_cpu: Option<f64>,
    /// Share of the measured time for which the loading thread was at work: near 1 it is the bottleneck.
    pub(crate) load_share: Option<f64>,
}

/// Measures a target.
///
/// # Errors
/// When it does not start, answers anything but 2xx, or Kafka lacks a record of a 2xx.
pub(crate) fn measure(
    target: Target,
    connections: usize,
    times: Times,
    world: &World,
) -> anyhow::Result<Sample> {
    let what = || format!("{} at {connections} connections", target.word());
    match target {
        Target::Librdkafka | Target::Librdkafka10 => bare_kafka(target, connections, times, world),
        _ => {
            let server = target::start(target, world).with_context(what)?;
            let traffic = target::traffic(target, world);
            serve(&server, &traffic, Shape { busy: connections, idle: 0 }, times, world)
        }
    }
    .with_context(what)
}

/// Loads a server that runs and checks what it wrote.
///
/// # Errors
/// As [`measure`].
pub(crate) fn serve(
    server: &Server,
    traffic: &Traffic,
    shape: Shape,
    times: Times,
    world: &World,
) -> anyhow::Result<Sample> {
    target::await_ready(server, traffic)?;
    let (idle, _) = process::memory(server.process.id())?;
    let before = count(server, world)?;
    let load = Load {
        address: server.address,
        connections: shape.busy,
        idle: shape.idle,
        warm_up: times.warm_up,
        duration: times.measured,
        traffic: traffic.clone(),
    };
    let mut watch = ServerWatch { cpu: CpuWatch::of(server.process.id()), loaded: 0 };
    let answers = load::run(&load, &mut watch)?;
    ensure!(answers.others.is_empty(), "answers other than 2xx: {:?}", answers.others);
    let written = count(server, world)? - before;
    let records = if server.topic.is_some() { traffic.items } else { 0 };
    check(written, answers.accepted * records)?;
    Ok(sample(&answers, &watch, idle))
}

/// Records of the server's topic.
fn count(server: &Server, world: &World) -> anyhow::Result<u64> {
    server.topic.as_deref().map_or(Ok(0), |topic| world.broker.records(topic))
}

/// A 2xx says that the record is in Kafka.
fn check(written: u64, promised: u64) -> anyhow::Result<()> {
    ensure!(
        written == promised,
        "2xx answers promise {promised} records and Kafka took {written}: the figures are void"
    );
    Ok(())
}

struct ServerWatch {
    cpu: CpuWatch,
    loaded: u64,
}

impl Watch for ServerWatch {
    fn begin(&mut self) -> anyhow::Result<()> {
        self.cpu.begin()
    }

    fn end(&mut self) -> anyhow::Result<()> {
        (self.loaded, _) = process::memory(self.cpu.id())?;
        self.cpu.end()
    }
}

fn sample(answers: &Answers, watch: &ServerWatch, idle: u64) -> Sample {
    let requests = answers.measured as f64;
    let seconds = answers.elapsed.as_secs_f64();
    let at = |quantile: f64| answers.latencies.value_at_quantile(quantile) as f64 / 1e6;
    Sample {
        per_second: requests / seconds,
        p50: at(0.5),
        p99: at(0.99),
        p999: at(0.999),
        cpu: watch.cpu.used.as_secs_f64() * 1e6 / requests,
        idle: mebibytes(idle),
        loaded: mebibytes(watch.loaded),
        load_cpu: Some(answers.cpu.as_secs_f64() * 1e6 / requests),
        load_share: Some(answers.cpu.as_secs_f64() / seconds),
    }
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Bare librdkafka loads itself, in a child.
fn bare_kafka(
    target: Target,
    connections: usize,
    times: Times,
    world: &World,
) -> anyhow::Result<Sample> {
    let before = world.broker.records(&world.events)?;
    let output = Command::new(std::env::current_exe()?)
        .args(["bare-librdkafka", "--bootstrap", &world.broker.bootstrap])
        .args(["--topic", &world.events, "--waiters", &connections.to_string()])
        .args(["--records", &target.records().to_string()])
        .args(["--warm-up", &times.warm_up.as_secs_f64().to_string()])
        .args(["--seconds", &times.measured.as_secs_f64().to_string()])
        .arg("--samples")
        .arg(world.samples_file())
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Found = serde_json::from_slice(&output.stdout)?;
    let written = world.broker.records(&world.events)? - before;
    check(written, found.accepted * target.records())?;
    let [p50, p99, p999] = found.latencies.map(|micros| micros / 1e3);
    let requests = found.measured as f64;
    Ok(Sample {
        per_second: requests / found.seconds,
        p50,
        p99,
        p999,
        cpu: found.cpu * 1e6 / requests,
        idle: mebibytes(found.memory.0),
        loaded: mebibytes(found.memory.1),
        load_cpu: None,
        load_share: None,
    })
}
