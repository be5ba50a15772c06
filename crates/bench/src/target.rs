//! What is measured, and how is each of it started in a process of its own?

pub(crate) mod bare_hyper;
pub(crate) mod bare_librdkafka;
mod mq_bridge;
mod postern;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use clap::ValueEnum;
use serde::Serialize;

use postern_rig::spawn;

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

    /// The bare librdkafka that a request of it is compared with.
    #[must_use]
    pub(crate) fn bare_kafka(self) -> Self {
        if self.records() == 10 { Self::Librdkafka10 } else { Self::Librdkafka }
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

/// Waits until `ready` says so.
fn wait(limit: Duration, mut ready: impl FnMut() -> bool) -> bool {
    let end = std::time::Instant::now() + limit;
    loop {
        if ready() {
            return true;
        }
        if std::time::Instant::now() >= end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
