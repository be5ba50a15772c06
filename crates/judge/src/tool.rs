//! Which programs of the machine does an experiment need, and what does it say where one is not there?

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

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

/// Runs a program to its end; what it says is part of the failure.
pub(crate) fn run(command: &mut Command) -> String {
    let named = format!("{command:?}");
    let output = command.output().unwrap_or_else(|error| panic!("{named} does not start: {error}"));
    let Output { status, stdout, stderr } = output;
    assert!(status.success(), "{named} failed: {}", String::from_utf8_lossy(&stderr).trim());
    String::from_utf8_lossy(&stdout).into_owned()
}

/// Who is no root may neither mount nor limit: such an experiment fails with this sentence rather than pass unseen.
pub(crate) fn require_root(what: &str) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let user = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    let root = user.is_some_and(|line| line.split_whitespace().nth(1) == Some("0"));
    assert!(root, "{what} takes root; run the judge as root");
}
