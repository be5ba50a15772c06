//! Which programs of the machine does an experiment need, and what does it say where one is not there?

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Enough to hold the line that says why, little enough for a table.
const LAST_LINES: usize = 8;

/// Finds a program; a missing one fails the experiment with the command that installs it.
pub(crate) fn find(program: &str, package: &str) -> PathBuf {
    // Debian keeps servers where only root looks.
    let path = std::env::var("PATH").unwrap_or_default();
    let mut places = path.split(':').chain(["/usr/sbin", "/sbin"]);
    let found = places.find_map(|place| {
        let file = Path::new(place).join(program);
        file.is_file().then_some(file)
    });
    found.unwrap_or_else(|| panic!("{program} is not there; scripts/setup.sh faults installs it, or: apt-get install {package}"))
}

/// Runs a program to its end; the last lines of what it says are part of the failure.
pub(crate) fn run(command: &mut Command) -> String {
    let named = format!("{command:?}");
    let output = command.output().unwrap_or_else(|error| panic!("{named} does not start: {error}"));
    let Output { status, stdout, stderr } = output;
    let (said, errors) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{named} failed: {} {}", last_lines(&said), last_lines(&errors));
    said.into_owned()
}

fn last_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("; ")
}

/// Who is no root may neither mount nor limit: such an experiment fails with this sentence rather than pass unseen.
pub(crate) fn require_root(what: &str) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let user = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    let root = user.is_some_and(|line| line.split_whitespace().nth(1) == Some("0"));
    assert!(root, "{what} takes root; run the judge as root");
}
