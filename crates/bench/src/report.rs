//! How do the figures become a table, and JSON?

use std::fmt;

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::compare::Samples;
use crate::disk::Commit;
use crate::growth::Point;
use crate::sample::Sample;
use crate::target::Target;

/// A loading thread that is at work for a greater share of the time holds the server back.
const BUSY_LOAD: f64 = 0.9;

/// What was found.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    rows: Vec<Row>,
    /// Of the disk.
    pub(crate) commits: Vec<Commit>,
    /// Of the curves.
    pub(crate) points: Vec<Point>,
}

/// One target on one number of connections.
#[derive(Debug, Serialize)]
struct Row {
    target: Target,
    connections: usize,
    /// The median of each figure on its own.
    median: Sample,
    /// CPU a request against bare hyper plus bare librdkafka of as many records.
    cpu_to_bare: Option<f64>,
    /// CPU a request against mq-bridge.
    cpu_to_mq_bridge: Option<f64>,
    /// Throughput against mq-bridge.
    throughput_to_mq_bridge: Option<f64>,
    /// The median latency against mq-bridge's.
    p50_to_mq_bridge: Option<f64>,
    /// And at 99 %.
    p99_to_mq_bridge: Option<f64>,
    rounds: Vec<Sample>,
}

impl Report {
    /// Takes the medians of the targets, and their ratios.
    pub(crate) fn compare(&mut self, samples: &Samples) {
        let median = |connections: usize, target: Target| {
            samples.get(&(connections, target)).map(|rounds| medians(rounds))
        };
        let row = |(&(connections, target), rounds): (&(usize, Target), &Vec<Sample>)| {
            let own = medians(rounds);
            let bare = median(connections, Target::Hyper)
                .zip(median(connections, target.bare_kafka()))
                .filter(|_| target.is_postern() || target == Target::MqBridge)
                .map(|(hyper, kafka)| own.cpu / (hyper.cpu + kafka.cpu));
            let other = median(connections, Target::MqBridge).filter(|_| target.is_postern());
            let to = |figure: fn(&Sample) -> f64| {
                other.as_ref().map(|other| figure(&own) / figure(other))
            };
            Row {
                target,
                connections,
                cpu_to_bare: bare,
                cpu_to_mq_bridge: to(|sample| sample.cpu),
                throughput_to_mq_bridge: to(|sample| sample.per_second),
                p50_to_mq_bridge: to(|sample| sample.p50),
                p99_to_mq_bridge: to(|sample| sample.p99),
                median: own,
                rounds: rounds.clone(),
            }
        };
        self.rows = samples.iter().map(row).collect();
    }

    /// The page for the repository.
    #[must_use]
    pub(crate) fn page(&self) -> String {
        format!(
            "<!-- Written by make bench. -->\n# Speed\n\nMeasured by `make bench` on {}. Ratios within one run mean \
             something; figures of different runs do not.\n\n{self}\n{}",
            machine(),
            if self.points.is_empty() { "" } else { "![cost as work grows](growth.svg)\n" }
        )
    }

    fn write_rows(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = table(&[
            "connections",
            "target",
            "requests/s",
            "p50 ms",
            "p99 ms",
            "p99.9 ms",
            "CPU us/request",
            "MiB idle",
            "MiB loaded",
            "load CPU us",
            "load busy",
            "CPU : (a)+(b)",
            "CPU : (c)",
            "req/s : (c)",
            "p50 : (c)",
            "p99 : (c)",
        ]);
        for row in &self.rows {
            table.add_row(row.cells());
        }
        writeln!(f, "{table}")?;
        let busy = |row: &Row| row.median.load_share.is_some_and(|share| share > BUSY_LOAD);
        if self.rows.iter().any(busy) {
            writeln!(
                f,
                "\n! the loading thread was busy nearly all the time: the target could do more"
            )?;
        }
        Ok(())
    }

    fn write_commits(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = table(&[
            "records a batch",
            "what",
            "bytes",
            "records/s",
            "p50 ms",
            "p99 ms",
            "CPU us/record",
        ]);
        for commit in &self.commits {
            table.add_row([
                commit.batch.to_string(),
                commit.what.to_owned(),
                commit.bytes.to_string(),
                format!("{:.0}", commit.per_second),
                format!("{:.2}", commit.p50),
                format!("{:.2}", commit.p99),
                format!("{:.2}", commit.cpu),
            ]);
        }
        writeln!(f, "\n{table}")
    }

    fn write_points(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = table(&[
            "value",
            "what grows",
            "requests/s",
            "p50 ms",
            "p99 ms",
            "CPU us/request",
            "CPU us/record",
            "MiB loaded",
        ]);
        for Point { axis, value, records, median } in &self.points {
            table.add_row([
                value.to_string(),
                axis.to_string(),
                format!("{:.0}", median.per_second),
                format!("{:.2}", median.p50),
                format!("{:.2}", median.p99),
                format!("{:.1}", median.cpu),
                format!("{:.1}", median.cpu / *records as f64),
                format!("{:.1}", median.loaded),
            ]);
        }
        writeln!(f, "\n{table}")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.rows.is_empty() {
            self.write_rows(f)?;
        }
        if !self.commits.is_empty() {
            self.write_commits(f)?;
        }
        if !self.points.is_empty() {
            self.write_points(f)?;
        }
        Ok(())
    }
}

/// A table whose second column is words and all others are numbers.
fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(header.to_vec());
    for (_, column) in table.column_iter_mut().enumerate().filter(|(at, _)| *at != 1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Processors and their name, as the kernel tells them.
fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models = cpu.lines().filter(|line| line.starts_with("model name"));
    let models: Vec<&str> =
        models.filter_map(|line| Some(line.split_once(':')?.1.trim())).collect();
    format!("{} x {}", models.len(), models.first().unwrap_or(&"an unnamed processor"))
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let Sample { per_second, p50, p99, p999, cpu, idle, loaded, .. } = &self.median;
        let ratio = |ratio: Option<f64>| ratio.map_or_else(String::new, |r| format!("{r:.2}"));
        let share = self.median.load_share.map_or_else(String::new, |share| {
            let mark = if share > BUSY_LOAD { " !" } else { "" };
            format!("{:.0} %{mark}", share * 100.0)
        });
        vec![
            self.connections.to_string(),
            self.target.title().to_owned(),
            format!("{per_second:.0}"),
            format!("{p50:.2}"),
            format!("{p99:.2}"),
            format!("{p999:.2}"),
            format!("{cpu:.1}"),
            format!("{idle:.1}"),
            format!("{loaded:.1}"),
            self.median.load_cpu.map_or_else(String::new, |cpu| format!("{cpu:.1}")),
            share,
            ratio(self.cpu_to_bare),
            ratio(self.cpu_to_mq_bridge),
            ratio(self.throughput_to_mq_bridge),
            ratio(self.p50_to_mq_bridge),
            ratio(self.p99_to_mq_bridge),
        ]
    }
}

/// The median of each figure on its own.
pub(crate) fn medians(rounds: &[Sample]) -> Sample {
    let of = |figure: fn(&Sample) -> f64| median(rounds.iter().map(figure).collect());
    let maybe = |figure: fn(&Sample) -> Option<f64>| {
        rounds.iter().map(figure).collect::<Option<Vec<_>>>().map(median)
    };
    Sample {
        per_second: of(|s| s.per_second),
        p50: of(|s| s.p50),
        p99: of(|s| s.p99),
        p999: of(|s| s.p999),
        cpu: of(|s| s.cpu),
        idle: of(|s| s.idle),
        loaded: of(|s| s.loaded),
        load_cpu: maybe(|s| s.load_cpu),
        load_share: maybe(|s| s.load_share),
    }
}

/// The middle one; of an even number the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        _ if values.is_empty() => f64::NAN,
        0 => f64::midpoint(values[middle - 1], values[middle]),
        _ => values[middle],
    }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn a_median_is_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(Vec::new()).is_nan());
    }
}
