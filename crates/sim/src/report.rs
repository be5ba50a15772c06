//! What came of a run?

mod live;
mod recorder;

use std::{collections::BTreeMap, fmt, time::Duration};

use hdrhistogram::Histogram;
use serde::Serialize;

pub use live::{Counts, Live};
pub(crate) use recorder::Recorder;

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// From the first delivery's start to the last one's end.
    pub elapsed_seconds: f64,
    /// Connections that took part.
    pub connections: usize,
    /// The rate that was asked for, in an open loop.
    pub target_per_second: Option<f64>,
    /// Attempts a second, as achieved.
    pub per_second: f64,
    /// Counts of attempts, items and bytes.
    #[serde(flatten)]
    pub counts: Counts,
    /// Attempts by the status of their answer.
    pub statuses: BTreeMap<u16, u64>,
    /// From the moment at which an attempt was due to its end; answers and timeouts.
    pub latency: Latency,
    /// From the moment at which it was really sent. Equal to `latency` in a closed loop; in an open
    /// loop the difference is the time that attempts waited for a free connection.
    pub service: Latency,
}

/// A distribution of durations in microseconds, exact to three digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Latency {
    pub count: u64,
    pub mean_us: f64,
    pub p50_us: u64,
    pub p90_us: u64,
    pub p99_us: u64,
    pub p999_us: u64,
    pub max_us: u64,
}

impl Latency {
    fn of(histogram: &Histogram<u64>) -> Self {
        Self {
            count: histogram.len(),
            mean_us: histogram.mean(),
            p50_us: histogram.value_at_quantile(0.5),
            p90_us: histogram.value_at_quantile(0.9),
            p99_us: histogram.value_at_quantile(0.99),
            p999_us: histogram.value_at_quantile(0.999),
            max_us: histogram.max(),
        }
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.count == 0 {
            return f.write_str("none measured");
        }
        let quantiles = [
            ("p50", self.p50_us),
            ("p90", self.p90_us),
            ("p99", self.p99_us),
            ("p99.9", self.p999_us),
            ("max", self.max_us),
        ];
        for (place, (name, value)) in quantiles.into_iter().enumerate() {
            let gap = if place == 0 { "" } else { "   " };
            write!(f, "{gap}{name} {}", Millis(value))?;
        }
        Ok(())
    }
}

struct Millis(u64);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0 as f64 / 1000.0;
        let digits = match millis {
            0.0..10.0 => 2,
            10.0..100.0 => 1,
            _ => 0,
        };
        write!(f, "{millis:.digits$} ms")
    }
}

impl Report {
    pub(crate) fn new(
        recorder: &Recorder,
        counts: Counts,
        elapsed: Duration,
        connections: usize,
        target_per_second: Option<f64>,
    ) -> Self {
        let total = recorder.total();
        let elapsed_seconds = elapsed.as_secs_f64();
        let attempts = counts.attempts as f64;
        Self {
            elapsed_seconds,
            connections,
            target_per_second,
            per_second: if elapsed_seconds > 0.0 { attempts / elapsed_seconds } else { 0.0 },
            counts,
            statuses: total.statuses,
            latency: Latency::of(&total.latency),
            service: Latency::of(&total.service),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = &self.counts;
        write!(f, "sent       {} requests in {:.1} s", counts.attempts, self.elapsed_seconds)?;
        write!(f, " over {} connections: {:.0}/s", self.connections, self.per_second)?;
        if let Some(target) = self.target_per_second {
            write!(f, " of {target:.0}/s asked for")?;
        }
        writeln!(f, ", {:.1} MB", counts.bytes_sent as f64 / 1e6)?;
        write!(f, "answers   ")?;
        for (status, count) in &self.statuses {
            write!(f, " {status}: {count}  ")?;
        }
        if self.statuses.is_empty() {
            write!(f, " none")?;
        }
        writeln!(f)?;
        writeln!(
            f,
            "faults     refused: {}   reset: {}   timeout: {}   answers other than expected: {}",
            counts.refused, counts.resets, counts.timeouts, counts.unexpected
        )?;
        writeln!(
            f,
            "items      genuine: {} (with a 2xx: {})   not genuine: {}   duplicates sent: {}",
            counts.genuine_sent, counts.genuine_acknowledged, counts.forged_sent, counts.duplicates
        )?;
        if counts.retries + counts.given_up + counts.unsent > 0 {
            writeln!(
                f,
                "retries    sent: {}   given up: {}   never sent: {}",
                counts.retries, counts.given_up, counts.unsent
            )?;
        }
        writeln!(f, "latency    {}", self.latency)?;
        if self.target_per_second.is_some() {
            writeln!(f, "  once sent {}", self.service)?;
        }
        Ok(())
    }
}
