//! Which commands are there, and what do they take?

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::command::{
    config, demo, endpoints, replay, serve, simulate, spool, tail, token, topics,
};
use crate::config::Source;
use crate::exit::Exit;
use crate::telemetry::LogFormat;

/// Webhook ingestion gateway: proves provider notifications genuine and makes them durable in Kafka before it answers.
///
/// A 2xx means durable, nothing forged gets through, and no answer takes longer than 2.5 s.
#[derive(Debug, Parser)]
#[command(
    name = "postern",
    version,
    max_term_width = 100,
    after_help = "Start here:\n  postern demo                  the five-minute tour, nothing to set up\n  \
                  postern config example        a complete annotated configuration\n\n\
                  Environment: POSTERN_<SECTION>__<KEY> sets a configuration key, POSTERN_LOG the log level \
                  (error, warn, info, debug), NO_COLOR switches colours off.\n\
                  Exit codes: 0 done, 1 failed at run time, 2 wrong usage or configuration."
)]
pub(crate) struct Cli {
    /// The configuration, one TOML file.
    #[arg(long, value_name = "FILE", env = "POSTERN_CONFIG", global = true)]
    pub(crate) config: Option<PathBuf>,

    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands; each is one file of [`crate::command`].
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Serve(serve::Args),
    Demo(demo::Args),
    Simulate(simulate::Args),
    Tail(tail::Args),
    Token(token::Args),
    Endpoints(endpoints::Args),
    Topics(topics::Args),
    Replay(replay::Args),
    Spool(spool::Args),
    Config(config::Args),
}

impl Command {
    /// The form of log lines that was asked for.
    pub(crate) fn log_format(&self) -> Option<LogFormat> {
        match self {
            Self::Serve(args) => args.log,
            Self::Demo(args) => args.log,
            _ => None,
        }
    }

    /// Runs it to its end.
    pub(crate) fn run(self, source: Source) -> anyhow::Result<Exit> {
        match self {
            Self::Serve(args) => serve::run(&args, source),
            Self::Demo(args) => demo::run(&args, source),
            Self::Simulate(args) => simulate::run(&args, &source),
            Self::Tail(args) => tail::run(&args, source),
            Self::Token(args) => token::run(&args, &source),
            Self::Endpoints(args) => endpoints::run(&args, &source),
            Self::Topics(args) => topics::run(&args, source),
            Self::Replay(args) => replay::run(&args, &source),
            Self::Spool(args) => spool::run(args, &source),
            Self::Config(args) => config::run(&args, &source),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_that_does_something_has_an_example() {
        fn check(command: &clap::Command) {
            let commands: Vec<_> = command.get_subcommands().collect();
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let name = command.get_name();
            assert!(!commands.is_empty() || help.contains("Example"), "{name} has no example");
            assert!(command.get_about().is_some(), "{name} does not say what it does");
            for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
                let id = argument.get_id();
                assert!(argument.get_help().is_some(), "{name} does not explain {id}");
            }
            commands.into_iter().for_each(check);
        }
        check(&Cli::command());
    }

    #[test]
    fn the_configuration_stands_before_or_after_the_command() {
        for line in [
            ["postern", "--config", "a.toml", "endpoints"],
            ["postern", "endpoints", "--config", "a.toml"],
        ] {
            let cli = Cli::try_parse_from(line).expect("is right");
            assert_eq!(cli.config, Some(PathBuf::from("a.toml")));
        }
    }
}
