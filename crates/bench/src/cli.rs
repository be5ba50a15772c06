//! Which words does the command line know?

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::sample::Times;
use crate::target::{Target, bare_librdkafka};

const EXAMPLES: &str = "\
Examples:
  make bench                                        everything, about twenty minutes; rewrites docs/speed.md
  make bench ARGS=--quick                           one short round, about a minute
  bench --targets hyper,librdkafka,graph --connections 64,256
  bench --quick --json bench.json                   the figures for a machine, too
  bench --bootstrap 127.0.0.1:9092                  a Kafka that runs already (make kafka)";

/// Measures postern beside bare hyper, bare librdkafka and mq-bridge, on a real Kafka, in one run.
///
/// Figures of different runs or machines say nothing about each other; the ratios within one run do. A quiet machine is
/// assumed: whatever else it does is in the figures.
#[derive(Debug, Parser)]
#[command(name = "bench", after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// What is measured.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Target::ALL)]
    pub(crate) targets: Vec<Target>,
    /// Connections, each with one request in flight.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64, 256])]
    pub(crate) connections: Vec<usize>,
    /// Measured seconds of each measurement.
    #[arg(long, default_value_t = 4.0)]
    pub(crate) seconds: f64,
    /// How often each is measured; the table has the medians.
    #[arg(long, default_value_t = 3)]
    pub(crate) rounds: usize,
    /// One round of two seconds, at 64 and 256 connections.
    #[arg(long, conflicts_with_all = ["seconds", "rounds", "connections"])]
    pub(crate) quick: bool,
    /// What is done [default: all of it; with --quick all but growth].
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) parts: Vec<Part>,
    /// Writes every measurement to this file as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Writes the tables and the plot into this folder: speed.md, growth.svg.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) docs: Option<PathBuf>,
    /// A Kafka that runs already; without it one is started and taken away.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) bootstrap: Option<String>,
    /// Seconds of load before the comparison that do not count: a broker that has just started is slow.
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0)]
    pub(crate) warm_up: f64,
    /// linger.ms of every producer; postern's own default is 0.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0.0)]
    pub(crate) linger: f64,
    /// The postern to measure [default: the one beside this program].
    #[arg(long, value_name = "FILE")]
    pub(crate) postern: Option<PathBuf>,
}

/// A part of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// postern beside the others.
    Compare,
    /// A bare write-and-fdatasync loop, and postern with a spool while Kafka is away.
    Disk,
    /// postern's cost as items, tenants, connections and bodies grow.
    Growth,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// A target on its own: bare hyper.
    #[command(hide = true)]
    BareHyper,
    /// A target on its own: bare librdkafka.
    #[command(hide = true)]
    BareLibrdkafka(bare_librdkafka::Order),
}

impl Options {
    /// How often.
    pub(crate) fn rounds(&self) -> usize {
        if self.quick { 1 } else { self.rounds }
    }

    /// On how many connections.
    pub(crate) fn connections(&self) -> &[usize] {
        if self.quick { &[64, 256] } else { &self.connections }
    }

    /// For how many seconds each.
    pub(crate) fn seconds(&self) -> f64 {
        if self.quick { 2.0 } else { self.seconds }
    }

    /// For how long each.
    pub(crate) fn times(&self) -> Times {
        Times { warm_up: Duration::from_secs(1), measured: Duration::from_secs_f64(self.seconds()) }
    }

    /// Which parts.
    pub(crate) fn parts(&self) -> &[Part] {
        match &self.parts[..] {
            [] if self.quick => &[Part::Compare, Part::Disk],
            [] => Part::value_variants(),
            parts => parts,
        }
    }
}
