//! How is the outcome shown: as text, as Markdown beside the README, as JSON?

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use comfy_table::{CellAlignment, Table, presets};
use serde::{Deserialize, Serialize};

use crate::experiment::ALL;
use crate::verdict::Row;

const COLUMNS: [&str; 11] = [
    "experiment",
    "acknowledged",
    "missing",
    "spurious",
    "duplicates",
    "slowest ms",
    "p99 ms",
    "non-2xx",
    "cut",
    "echo lag ms",
    "verdict",
];

/// The rows of one or more runs, as a file keeps them.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Rows {
    rows: Vec<Row>,
}

fn cells(row: &Row) -> [String; 11] {
    let verdict = if row.passed { "pass" } else { "FAIL" };
    let peer = if row.peer { " (peer)" } else { "" };
    [
        format!("{}{peer}", row.experiment),
        row.acknowledged.to_string(),
        row.missing.to_string(),
        (row.spurious + row.mismatched).to_string(),
        row.duplicates.to_string(),
        row.slowest_ms.to_string(),
        row.p99_ms.to_string(),
        row.non_2xx.to_string(),
        row.cut.to_string(),
        row.lag_ms.to_string(),
        verdict.to_owned(),
    ]
}

/// The table for a terminal, with what did not pass below.
pub(crate) fn text(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(COLUMNS);
    for row in rows {
        table.add_row(cells(row));
    }
    for column in 1..10 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut text = table.to_string();
    for row in rows {
        for fault in &row.faults {
            write!(text, "\n{}: {fault}", row.experiment).expect("a String takes any text");
        }
    }
    text
}

/// Writes the rows of this run as JSON.
pub(crate) fn write_json(file: &Path, seed: u64, rows: &[Row]) -> Result<()> {
    let text = serde_json::to_string_pretty(&serde_json::json!({ "seed": seed, "rows": rows }))?;
    fs::write(file, text + "\n").with_context(|| format!("cannot write {}", file.display()))
}

/// Writes the table as Markdown. Rows of experiments that were not run now stay as they were: they lie beside the table
/// as JSON.
pub(crate) fn write_markdown(file: &Path, rows: &[Row]) -> Result<()> {
    let beside = file.with_extension("json");
    let mut all: Rows = match fs::read(&beside) {
        Ok(text) => serde_json::from_slice(&text)
            .with_context(|| format!("{} is not what a run wrote; remove it", beside.display()))?,
        Err(_) => Rows::default(),
    };
    for row in rows {
        all.rows.retain(|old| old.experiment != row.experiment);
        all.rows.push(row.clone());
    }
    let order = |row: &Row| ALL.iter().position(|experiment| experiment.name == row.experiment);
    all.rows.retain(|row| order(row).is_some());
    all.rows.sort_by_key(order);
    let json = serde_json::to_string_pretty(&all)? + "\n";
    fs::write(&beside, json).with_context(|| format!("cannot write {}", beside.display()))?;
    fs::write(file, markdown(&all.rows)).with_context(|| format!("cannot write {}", file.display()))
}

const HEAD: &str = "\
# Faults

What became of acknowledged notifications while things were killed, paused, filled and taken away. Written by `make faults`;
`judge run NAME --seed N` runs one row again with the same traffic and the same instants.

*acknowledged*: records promised by a 2xx, in a synced ledger. *missing*: promised and not in Kafka. *spurious*: in Kafka and never
sent, or with other contents. *cut*: requests whose connection broke under them. *echo lag*: the worst lag of a bare echo on the
same machine in the same time: an answer counts as late when it took more than 2.5 s and that.
";

/// Whether all rows are of one run, and of which.
fn origin(rows: &[Row]) -> String {
    let several = "The rows here come from several runs; the second table says the form, length and seed of each.";
    let Some(first) = rows.first() else { return several.to_owned() };
    if first.run.is_empty() || rows.iter().any(|row| row.run != first.run) {
        return several.to_owned();
    }
    let seconds: u64 = rows.iter().map(|row| row.seconds).sum();
    let form = if first.short { "short" } else { "full" };
    format!(
        "The rows here are of one run in its {form} form, begun {}, {} min long, seed {}.",
        first.run,
        seconds.div_ceil(60),
        first.seed
    )
}

fn markdown(rows: &[Row]) -> String {
    let mut text = format!("{HEAD}{}\n\n", origin(rows));
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    text += &line(&COLUMNS.map(str::to_owned));
    text += "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|\n";
    for row in rows {
        text += &line(&cells(row));
    }
    text += "\n| experiment | what | form, length, seed | figures |\n|---|---|---|---|\n";
    for row in rows {
        let what = ALL.iter().find(|experiment| experiment.name == row.experiment);
        let form = if row.short { "short" } else { "full" };
        let figures: Vec<_> =
            row.notes.iter().chain(&row.faults).map(|note| escape(note)).collect();
        text += &line(&[
            row.experiment.clone(),
            what.map(|what| what.what).unwrap_or_default().to_owned(),
            format!("{form}, {} s, {}", row.seconds, row.seed),
            figures.join("; "),
        ]);
    }
    text
}

fn escape(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use postern_rig::scratch;

    use super::*;

    fn row(experiment: &str, passed: bool, fault: &str) -> Row {
        let faults = if passed { Vec::new() } else { vec![fault.to_owned()] };
        Row { experiment: experiment.to_owned(), passed, faults, ..Row::default() }
    }

    #[test]
    fn a_run_replaces_its_own_rows_and_keeps_the_others() {
        let file = scratch::folder("table").join("FAULTS.md");
        let first = [row("pause-broker", true, ""), row("kill-broker", false, "3 | lost")];
        write_markdown(&file, &first).unwrap();
        write_markdown(&file, &[row("kill-broker", true, ""), row("gone", true, "")]).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        let lines: Vec<_> = text.lines().filter(|line| line.ends_with("pass |")).collect();
        assert!(lines[0].starts_with("| kill-broker |"), "{text}");
        assert!(lines[1].starts_with("| pause-broker |") && lines.len() == 2, "{text}");
        assert!(!text.contains("gone"), "an experiment that is no more has no row");
    }

    #[test]
    fn rows_of_one_run_say_so_and_others_that_they_are_several() {
        let of = |experiment, run: &str| Row { run: run.to_owned(), ..row(experiment, true, "") };
        let file = scratch::folder("table").join("FAULTS.md");
        let said = |rows: &[Row]| {
            write_markdown(&file, rows).unwrap();
            fs::read_to_string(&file).unwrap().contains("of one run")
        };
        assert!(said(&[of("kill-broker", "monday"), of("pause-broker", "monday")]));
        assert!(!said(&[of("kill-broker", "tuesday")]), "the other one is still monday's");
        assert!(said(&[of("kill-broker", "tuesday"), of("pause-broker", "tuesday")]));
        assert!(!said(&[of("kill-broker", "")]), "written before runs had a name");
    }

    #[test]
    fn a_failure_is_seen_and_breaks_no_table() {
        let rows = [row("kill-broker", false, "3 | lost\nand more")];
        assert!(text(&rows).contains("FAIL") && text(&rows).contains("kill-broker: 3 | lost"));
        assert!(markdown(&rows).contains("3 \\| lost and more"));
    }
}
