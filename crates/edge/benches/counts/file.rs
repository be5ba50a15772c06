//! Where are the counts kept, and when is a change too large?

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::case::Case;

/// How far a count may be off, as a share.
pub(crate) const TOLERANCE: f64 = 0.03;

/// What is counted of a case, each under its key: instructions to verify and normalize it; allocations of its whole
/// request, from the socket to the answer, where publishing costs nothing.
pub(crate) type Counts = Vec<(&'static str, f64)>;

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/counts/counts.toml")
}

/// The kept counts.
pub(crate) fn read() -> Result<toml::Table, String> {
    let text = std::fs::read_to_string(path())
        .map_err(|error| format!("{} cannot be read: {error}", path().display()))?;
    let kept: toml::Table = text.parse().map_err(|error| format!("counts.toml: {error}"))?;
    match kept.get("reason").and_then(toml::Value::as_str) {
        Some(reason) if !reason.trim().is_empty() => Ok(kept),
        _ => Err("counts.toml has no reason; write it with --write 'REASON'".to_owned()),
    }
}

/// Keeps counts, with the reason of their change.
pub(crate) fn write(now: &[(Case, Counts)], reason: &str) -> Result<(), String> {
    let old = read().ok();
    let told = old.as_ref().and_then(|old| old.get("reason")).and_then(toml::Value::as_str);
    if reason.trim().is_empty() || told == Some(reason) {
        return Err("give a reason of this change's own: --write 'what made it cheaper'".to_owned());
    }
    let mut text = String::from(
        "# What a notification costs, counted under valgrind: main.rs beside this file says how.\n\
         # Written by: cargo bench -p postern-edge --bench counts -- --write 'REASON'\n",
    );
    let mut line = |line: String| writeln!(text, "{line}").map_err(|error| error.to_string());
    // A reason is plain text: what a TOML string would have to escape is left out.
    let reason: String =
        reason.chars().filter(|c| !c.is_control() && !"\"\\".contains(*c)).collect();
    line(format!("reason = \"{reason}\""))?;
    for (case, counts) in now {
        line(format!("\n[{}]", case.name()))?;
        for (key, value) in counts {
            line(format!("{key} = {value:.0}"))?;
        }
    }
    std::fs::write(path(), text).map_err(|error| format!("counts.toml cannot be written: {error}"))
}

/// What differs by more than the tolerance, a line each.
pub(crate) fn changes(kept: &toml::Table, now: &[(Case, Counts)]) -> Vec<String> {
    let mut changes = Vec::new();
    for (case, counts) in now {
        for (key, value) in counts {
            let before = kept.get(case.name()).and_then(|kept| kept.get(*key)?.as_integer());
            let Some(before) = before else {
                changes.push(format!("  {} {key}: {value:.0}, not in the file", case.name()));
                continue;
            };
            #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
            let before = before as f64;
            // Half an allocation is rounding, not a change.
            if (value - before).abs() > (before * TOLERANCE).max(0.5) {
                let share = (value / before - 1.0) * 100.0;
                changes.push(format!(
                    "  {} {key}: {before:.0} -> {value:.0} ({share:+.1} %)",
                    case.name()
                ));
            }
        }
    }
    changes
}
