//! How is the judge asked?

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Judges whether an acknowledged notification is ever lost: kills, pauses and starves real processes under load, and
/// compares what was answered with what arrived.
#[derive(Debug, Parser)]
#[command(
    name = "judge",
    version,
    max_term_width = 100,
    after_help = "Examples:\n  judge list\n  judge run                              all of it, an hour and twenty minutes\n  \
                  judge run kill-postern pause-broker    these two\n  \
                  judge run pause-broker --seed 7        the same traffic and the same instants again\n  \
                  judge run --short                      the form that is part of `make test`\n\n\
                  `make faults` builds what is needed and runs all. Exit codes: 0 all passed, 1 not all passed, \
                  2 wrong usage."
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists the experiments.
    List,
    /// Runs experiments, one after another, and prints one table.
    Run(Run),
}

/// What to run.
#[derive(Debug, clap::Args)]
pub(crate) struct Run {
    /// The experiments; none named means all (with --short: all of the short form).
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,

    /// The number that traffic and instants are made of; drawn and printed when it is not given.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,

    /// Fewer and shorter faults.
    #[arg(long)]
    pub(crate) short: bool,

    /// Writes the table as Markdown; rows of experiments that were not run now are kept.
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,

    /// Writes the rows as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }
}
