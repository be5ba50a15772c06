//! What can be configured, and is a configuration right: `postern config`?

use std::path::PathBuf;

use clap::Subcommand;

use crate::config::{self, EXAMPLE, Source};
use crate::exit::{Exit, UsageError};
use crate::output;

/// Prints an annotated configuration, or checks one.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  postern config example > postern.toml")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Prints a complete annotated configuration.
    #[command(after_help = "Example:\n  postern config example > postern.toml")]
    Example,
    /// Checks a configuration and every file it names; reports all problems at once.
    ///
    /// Refuses all that `serve` would refuse. Variables of the environment count, as they do for `serve`.
    #[command(after_help = "Example:\n  postern config check /etc/postern.toml")]
    Check {
        /// The file [default: that of --config].
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

/// Prints or checks.
pub(crate) fn run(args: &Args, source: &Source) -> anyhow::Result<Exit> {
    match &args.command {
        ConfigCommand::Example => output::text(EXAMPLE)?,
        ConfigCommand::Check { file } => {
            let file = file.clone().or_else(|| source.file.clone()).ok_or_else(|| {
                UsageError("which file? Give it as postern config check FILE".to_owned())
            })?;
            let source = source.clone().with_file(Some(file.clone()));
            config::for_serve(&source)?;
            output::line(format_args!("{}: no problems", file.display()))?;
        }
    }
    Ok(Exit::Done)
}
