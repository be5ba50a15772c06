//! What is measured, and how is each of it started in a process of its own?

pub(crate) mod bare_hyper;
pub(crate) mod bare_librdkafka;
mod mq_bridge;
pub(crate) mod postern;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::ValueEnum;
use serde::Serialize;

use postern_rig::spawn;

use crate::clock;
use crate::process::Running;
use crate::request::Traffic;
use crate::world::World;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Target {
    /// Bare hyper: reads the body and answers 202.
    Hyper,
    /// Bare librdkafka: one record a request, no HTTP.
    Librdkafka,
    /// Bare librdkafka: ten records a request, no HTTP.
    #[value(name = "librdkafka-10")]
    #[serde(rename = "librdkafka-10")]
    Librdkafka10,
    /// mq-bridge: HTTP to Kafka, acks=all, no verification.
    MqBridge,
    /// postern: Graph, one item, a hook token.
    Graph,
    /// postern: Graph, ten items, a hook token each.
    #[value(name = "graph-10")]
    #[serde(rename = "graph-10")]
    Graph10,
    /// postern: Gmail by Pub/Sub, an OIDC token.
    Gmail,
    /// postern: a Calendar channel, a hook token.
    Calendar,
}

impl Target {
    /// All, in the order of the table.
    pub(crate) const ALL: [Self; 8] = [
        Self::Hyper,
        Self::Librdkafka,
        Self::Librdkafka10,
        Self::MqBridge,
        Self::Graph,
        Self::Graph10,
        Self::Gmail,
        Self::Calendar,
    ];

    /// Whether the broker has work with it.
    #[must_use]
    pub(crate) fn uses_kafka(self) -> bool {
        self != Self::Hyper
    }

    /// The word on the command line.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Hyper => "hyper",
            Self::Librdkafka => "librdkafka",
            Self::Librdkafka10 => "librdkafka-10",
            Self::MqBridge => "mq-bridge",
            Self::Graph => "graph",
            Self::Graph10 => "graph-10",
            Self::Gmail => "gmail",
            Self::Calendar => "calendar",
        }
    }

    /// The row's name in the table.
    #[must_use]
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Hyper => "(a) bare hyper, 202",
            Self::Librdkafka => "(b) bare librdkafka",
            Self::Librdkafka10 => "(b) bare librdkafka, ten records",
            Self::MqBridge => "(c) mq-bridge, no verification",
            Self::Graph => "postern, Graph",
            Self::Graph10 => "postern, Graph, ten items",
            Self::Gmail => "postern, Gmail with OIDC",
            Self::Calendar => "postern, Calendar channel",
        }
    }

    /// What it writes to Kafka a request.
    #[must_use]
    pub(crate) fn records(self) -> u64 {
        match self {
            Self::Hyper => 0,
            Self::Librdkafka10 | Self::Graph10 => 10,
            _ => 1,
        }
    }

    /// It is postern.
    #[must_use]
    pub(crate) fn is_postern(self) -> bool {
        matches!(self, Self::Graph | Self::Graph10 | Self::Gmail | Self::Calendar)
    }
}

/// A server to load.
pub(crate) struct Server {
    /// Its process.
    pub(crate) process: Running,
    /// Where it takes requests.
    pub(crate) address: SocketAddr,
    /// The topic that it writes to.
    pub(crate) topic: Option<String>,
}

/// Starts a server; for anything but bare librdkafka, which has none.
///
/// # Errors
/// When it does not come up.
pub(crate) fn start(target: Target, world: &World) -> anyhow::Result<Server> {
    match target {
        Target::Hyper => {
            let mut command = spawn::command(std::env::current_exe()?);
            command.arg("bare-hyper");
            let process = Running::start(command, &world.log())?;
            let address = process.hello.trim().parse().context("bare hyper names its address")?;
            Ok(Server { process, address, topic: None })
        }
        Target::MqBridge => mq_bridge::start(world),
        _ => postern::start(world),
    }
}

/// The requests of a target.
#[must_use]
pub(crate) fn traffic(target: Target, world: &World) -> Traffic {
    match target {
        Target::Graph10 => world.graph_10.clone(),
        Target::Gmail => world.gmail.clone(),
        Target::Calendar => world.calendar.clone(),
        _ => world.graph.clone(),
    }
}

/// How long a server may take until it answers 2xx: libraries to load, key sets to fetch, Kafka to be found.
const READY: Duration = Duration::from_secs(20);

/// Waits until a request is answered 2xx: servers say that they are ready before they can take everything.
///
/// # Errors
/// When that does not come.
pub(crate) fn await_ready(server: &Server, traffic: &Traffic) -> anyhow::Result<()> {
    let end = Instant::now() + READY;
    let mut next = clock::now().as_micros() as u64;
    loop {
        let answer = ask(server.address, traffic, &mut next);
        if answer.as_ref().is_ok_and(|answer| answer.starts_with("HTTP/1.1 2")) {
            return Ok(());
        }
        ensure!(Instant::now() < end, "no 2xx within {READY:?}; the last answer: {answer:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The start of the answer to one request on a connection of its own.
fn ask(address: SocketAddr, traffic: &Traffic, next: &mut u64) -> anyhow::Result<String> {
    let mut request = traffic.buffer();
    traffic.renew(&mut request, next);
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(&request)?;
    let mut answer = [0; 512];
    let bytes = stream.read(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer[..bytes]).into_owned())
}
