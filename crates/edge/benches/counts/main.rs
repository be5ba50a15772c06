//! What does a notification cost, counted instead of timed? Instructions and allocations, which no neighbour disturbs.
//!
//! `cargo bench -p postern-edge --bench counts` runs every case under valgrind and compares with `counts.toml` beside
//! this file: more than 3 % away, in either direction, is an error until the file is written anew with a reason.
//!
//! A count is the difference between two runs, one with more rounds than the other, so that start and set-up do not
//! show. The same toolchain and C library give the same counts on any x86-64 machine with AVX2: valgrind plays one
//! processor, without SHA instructions, and AWS-LC is told to use none of its extensions. So hashing weighs more here
//! than on today's processors, where it takes a few instructions a block.
//!
//! A request's instructions are not kept: how often its task is woken is the scheduler's, not the code's.

mod case;
mod file;
mod valgrind;
mod work;

use std::io::{self, Write as _};
use std::process::ExitCode;

use case::Case;
use file::Counts;
use valgrind::Tool;

const USAGE: &str = "\
usage: cargo bench -p postern-edge --bench counts                      compares with counts.toml
       cargo bench -p postern-edge --bench counts -- --write 'REASON'  writes counts.toml anew";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["run", part, case, rounds] => work::run(part, case, rounds),
        [] => check(),
        ["--write", reason] => write(reason),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("counts: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Counts every case and compares.
fn check() -> Result<(), String> {
    let kept = file::read()?;
    let now = count()?;
    let changes = file::changes(&kept, &now);
    if changes.is_empty() {
        say(&format!("counts: {} cases cost what counts.toml says", now.len()));
        return Ok(());
    }
    Err(format!(
        "these changed by more than {} %:\n{}\n\
         If it is meant: cargo bench -p postern-edge --bench counts -- --write 'REASON'\n\
         Read the difference of crates/edge/benches/counts/counts.toml and commit it.",
        file::TOLERANCE * 100.0,
        changes.join("\n")
    ))
}

/// Counts every case and keeps that.
fn write(reason: &str) -> Result<(), String> {
    let now = count()?;
    file::write(&now, reason)?;
    say("counts: counts.toml is written; read the difference");
    Ok(())
}

/// Counts all cases, on two threads: each count is a process of its own.
fn count() -> Result<Vec<(Case, Counts)>, String> {
    valgrind::check()?;
    say("counts: counting under valgrind (about half a minute)");
    let half = Case::ALL.len().div_ceil(2);
    std::thread::scope(|scope| {
        let count = |cases: &'static [Case]| {
            move || cases.iter().map(|case| Ok((*case, of(*case)?))).collect()
        };
        let threads: Vec<_> =
            Case::ALL.chunks(half).map(|cases| scope.spawn(count(cases))).collect();
        let mut all: Vec<(Case, Counts)> = Vec::new();
        for thread in threads {
            let counted: Result<Vec<_>, String> =
                thread.join().map_err(|_| "a counting thread panicked".to_owned())?;
            all.extend(counted?);
        }
        Ok(all)
    })
}

fn of(case: Case) -> Result<Counts, String> {
    let mut counts = vec![("instructions", valgrind::each(Tool::Instructions, "judge", case)?)];
    // A token is new once: over many requests it is the case without that.
    if case != Case::GmailNewToken {
        let allocations = valgrind::each(Tool::Allocations, "answer", case)?;
        counts.push(("request_allocations", allocations));
    }
    Ok(counts)
}

/// Tells the developer; there is nowhere to report a failure of that.
fn say(text: &str) {
    drop(writeln!(io::stderr(), "{text}"));
}
