//! How is counted? By valgrind, as the difference between a long and a short run.

use std::process::Command;

use crate::case::Case;

/// Rounds of the short run: enough for everything that happens once to have happened.
const SHORT: u64 = 50;
/// Further rounds of the long run.
const MORE: u64 = 200;
/// AWS-LC reads this; all words zero but those that x86-64 always has: no AVX, ADX, AES-NI, SHA.
const BASELINE: (&str, &str) = ("OPENSSL_ia32cap", "0x0700000007800000:0x0");

/// What is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tool {
    Instructions,
    Allocations,
}

/// Whether this machine can count.
pub(crate) fn check() -> Result<(), String> {
    if !cfg!(target_arch = "x86_64") {
        return Err("counts.toml holds counts of x86-64; another processor has others".to_owned());
    }
    if !std::arch::is_x86_feature_detected!("avx2") {
        return Err("valgrind plays a processor with AVX2 only on one that has it".to_owned());
    }
    match Command::new("valgrind").arg("--version").output() {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("valgrind does not start ({error}): apt-get install valgrind")),
    }
}

/// What one round of a part of the work costs.
pub(crate) fn each(tool: Tool, part: &str, case: Case) -> Result<f64, String> {
    let short = run(tool, part, case, SHORT)?;
    let long = run(tool, part, case, SHORT + MORE)?;
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    Ok(long.saturating_sub(short) as f64 / MORE as f64)
}

fn run(tool: Tool, part: &str, case: Case, rounds: u64) -> Result<u64, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new("valgrind");
    match tool {
        Tool::Instructions => command.args([
            "--tool=cachegrind",
            "--cache-sim=no",
            "--branch-sim=no",
            "--cachegrind-out-file=/dev/null",
        ]),
        Tool::Allocations => {
            command.args(["--tool=memcheck", "--leak-check=no", "--undef-value-errors=no"])
        }
    };
    command.arg(own).args(["run", part, case.name(), &rounds.to_string()]);
    // The environment lies on the stack: one of another size would shift everything.
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path).envs([BASELINE]);
    let output = command.output().map_err(|error| format!("valgrind does not start: {error}"))?;
    let words = String::from_utf8_lossy(&output.stderr);
    let name = case.name();
    if !output.status.success() {
        return Err(format!("{part} {name} failed under valgrind:\n{words}"));
    }
    let found = match tool {
        Tool::Instructions => number(&words, "refs:"),
        Tool::Allocations => number(&words, "total heap usage:"),
    };
    found.ok_or_else(|| format!("valgrind has not counted {part} {name}:\n{words}"))
}

/// The number behind a word.
fn number(words: &str, behind: &str) -> Option<u64> {
    let line = words.lines().find_map(|line| line.split_once(behind))?.1;
    line.split_whitespace().next()?.replace(',', "").parse().ok()
}
