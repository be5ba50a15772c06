//! Does the spool's log keep what it acknowledged on a disk that loses what was not synced? Its own model test says so.

use std::process::Command;
use std::time::Instant;

use postern_rig::place;

use crate::context::Context;
use crate::tool;
use crate::verdict::Row;

/// The tests of the crate that is the spool, on a simulated disk, seed by seed.
pub(crate) fn spool(context: Context) -> Row {
    let start = Instant::now();
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["test", "--locked", "-p", "postern-spool"]);
    cargo.current_dir(place::repository());
    cargo.env("POSTERN_SPOOL_SEEDS", context.size("10000", "1000"));
    let said = tool::run(&mut cargo);
    let results: Vec<_> = said.lines().filter(|line| line.starts_with("test result")).collect();
    Row {
        passed: results.iter().any(|line| line.contains("ok.")),
        notes: vec![format!(
            "cargo test -p postern-spool in {} s: {}",
            start.elapsed().as_secs(),
            results.join(", ")
        )],
        ..Row::default()
    }
}
