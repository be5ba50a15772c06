//! Which steps does the process take, from its arguments to its exit code?

mod allocator;
mod cli;
mod command;
mod config;
mod embedded;
mod embedded_state;
mod exit;
mod jwks;
mod keys;
mod output;
mod render;
mod running;
mod signals;
mod spooling;
mod telemetry;
mod traffic;

use clap::Parser as _;

use crate::cli::Cli;
use crate::config::Source;
use crate::exit::Exit;

fn main() {
    // Ends the process for --help and --version (0) and for wrong usage (2).
    let cli = Cli::parse();
    let exit = run(cli).unwrap_or_else(|error| match Exit::of(&error) {
        Some(exit) => {
            output::note(format_args!("postern: {error:#}"));
            exit
        }
        None => Exit::Done,
    });
    exit.end()
}

/// Every command decides on its own runtime; most need none.
fn run(cli: Cli) -> anyhow::Result<Exit> {
    telemetry::start(cli.command.log_format())?;
    cli.command.run(Source::from_process(cli.config))
}
