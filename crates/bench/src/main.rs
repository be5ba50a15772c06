//! What does a notification cost, and what do others cost beside it? `bench --help` shows how to ask.

mod cli;
mod clock;
mod compare;
mod disk;
mod growth;
mod kafka;
mod load;
mod plot;
mod process;
mod report;
mod request;
mod run;
mod sample;
mod target;
mod world;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let done = match Cli::parse() {
        Cli { command: Some(Command::BareHyper), .. } => target::bare_hyper::serve(),
        Cli { command: Some(Command::BareLibrdkafka(order)), .. } => librdkafka(&order),
        Cli { options, command: None } => run::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            note(format_args!("bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn librdkafka(order: &target::bare_librdkafka::Order) -> anyhow::Result<()> {
    let found = target::bare_librdkafka::run(order)?;
    Ok(writeln!(anstream::stdout(), "{}", serde_json::to_string(&found)?)?)
}

/// Tells how the work goes; best effort, as there is nowhere to report a failure.
fn note(text: impl std::fmt::Display) {
    drop(writeln!(anstream::stderr().lock(), "{text}"));
}
