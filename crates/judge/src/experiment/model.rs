//! Does the spool's log keep what it acknowledged on a disk that loses what was not synced? Its own model test says so.

use std::process::Command;
use std::time::Instant;

use postern_rig::place;

use crate::context::Context;
use crate::tool;
use crate::verdict::Row;

/// The model test: so many seeds, a crash at any write, sync and rename of each.
const MODEL: &str = "log::tests::nothing_acknowledged_is_lost_whatever_the_disk_does";

/// The tests of the crate that is the spool, on a simulated disk, seed by seed.
pub(crate) fn spool(context: Context) -> Row {
    let start = Instant::now();
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["test", "--locked", "-p", "postern-spool"]);
    cargo.current_dir(place::repository());
    cargo.env("POSTERN_SPOOL_SEEDS", context.size("10000", "1000"));
    crate::progress::say(context.name, "builds and runs the tests; the first time takes a minute");
    let said = tool::run(&mut cargo);
    let results: Vec<_> = said.lines().filter(|line| line.starts_with("test result")).collect();
    let passed = said.lines().any(|line| line.starts_with(&format!("test {MODEL} ... ok")));
    Row {
        passed,
        faults: if passed { Vec::new() } else { vec![format!("no test {MODEL} has passed")] },
        notes: vec![format!(
            "cargo test -p postern-spool in {} s: {}",
            start.elapsed().as_secs(),
            results.join(", ")
        )],
        ..Row::default()
    }
}
