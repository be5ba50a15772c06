//! How does a request's cost grow with the items of a batch, with tenants, with connections, with the body?

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;

use crate::note;
use crate::report;
use crate::request::{Traffic, graph};
use crate::sample::{self, Sample, Shape, Times};
use crate::target::{self, Target};
use crate::world::World;

/// What grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Axis {
    /// Items of a Graph delivery.
    Items,
    /// Tenants that the traffic is of, each with one subscription.
    Tenants,
    /// Open connections; at most 64 of them send.
    Connections,
    /// Bytes of a body with one item.
    Body,
}

/// Connections that send while many more are open.
const BUSY: usize = 64;
/// Senders of large requests: what they have in flight must fit into the queue of records and the room for bodies.
const FEW: usize = 4;

impl Axis {
    pub(crate) const ALL: [Self; 4] = [Self::Items, Self::Tenants, Self::Connections, Self::Body];

    /// From the least to the most that the contract has.
    fn points(self) -> &'static [u32] {
        match self {
            Self::Items => &[1, 10, 100, 500, 1_000, 2_000],
            Self::Tenants => &[1, 100, 10_000, 1_000_000],
            Self::Connections => &[1, 16, 64, 1_000, 10_000],
            Self::Body => &[300, 1 << 10, 16 << 10, 256 << 10, 1 << 20, 4 << 20],
        }
    }

    fn shape(self, point: u32) -> Shape {
        match self {
            Self::Items | Self::Body => Shape { busy: FEW, idle: 0 },
            Self::Tenants => Shape { busy: BUSY, idle: 0 },
            Self::Connections => {
                let open = point as usize;
                Shape { busy: open.min(BUSY), idle: open.saturating_sub(BUSY) }
            }
        }
    }

    fn traffic(self, point: u32, world: &World) -> anyhow::Result<Traffic> {
        Ok(match self {
            Self::Items => graph::delivery(&world.hooks, point as usize),
            Self::Tenants => {
                let tokens = graph::tokens(&world.ring, point, point)?;
                graph::delivery(&Arc::new(tokens), 1)
            }
            Self::Connections => world.graph.clone(),
            Self::Body => graph::sized(&world.hooks, point as usize)?,
        })
    }
}

impl fmt::Display for Axis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Items => "items a batch",
            Self::Tenants => "distinct tenants",
            Self::Connections => "open connections",
            Self::Body => "bytes of the body",
        })
    }
}

/// One point of a curve.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Point {
    /// What grows.
    pub(crate) axis: Axis,
    /// How much there is of it.
    pub(crate) value: u32,
    /// Records of a request.
    pub(crate) records: u64,
    /// The medians of all rounds.
    pub(crate) median: Sample,
}

/// Measures every point, round by round.
///
/// # Errors
/// As [`sample::serve`].
pub(crate) fn run(rounds: usize, seconds: f64, world: &World) -> anyhow::Result<Vec<Point>> {
    let mut points = Vec::new();
    for axis in Axis::ALL {
        for value in axis.points() {
            let traffic = axis.traffic(*value, world)?;
            let mut samples = Vec::new();
            for _ in 0..rounds {
                let sample = measure(axis, *value, &traffic, seconds, world);
                samples.push(sample.with_context(|| format!("{value} {axis}"))?);
            }
            let median = report::medians(&samples);
            note(format_args!(
                "bench: {value:>9} {axis:<17} {:>8.0}/s {:>8.1} us CPU a request, {:>6.1} MiB",
                median.per_second, median.cpu, median.loaded
            ));
            points.push(Point { axis, value: *value, records: traffic.items, median });
        }
    }
    Ok(points)
}

fn measure(
    axis: Axis,
    value: u32,
    traffic: &Traffic,
    seconds: f64,
    world: &World,
) -> anyhow::Result<Sample> {
    let server = target::start(Target::Graph, world)?;
    let times =
        Times { warm_up: Duration::from_millis(500), measured: Duration::from_secs_f64(seconds) };
    sample::serve(&server, traffic, axis.shape(value), times, world)
}
