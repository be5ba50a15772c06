//! How are logs written: where to, in which form, from which level on?

use std::io::{self, IsTerminal as _};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use crate::exit::UsageError;

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// One readable line an event.
    Text,
    /// One JSON object an event.
    Json,
}

/// Everything from `info` on, but librdkafka's own chatter only when it warns.
const DEFAULT_FILTER: &str = "info,rdkafka=warn,librdkafka=warn";

impl LogFormat {
    /// The given one; without, text on a terminal and JSON in a pipe.
    pub(crate) fn or_detect(given: Option<Self>) -> Self {
        given.unwrap_or_else(|| if io::stderr().is_terminal() { Self::Text } else { Self::Json })
    }
}

/// Sends logs to standard error. The level is that of `POSTERN_LOG`, else of `RUST_LOG`, else `info`.
///
/// # Errors
/// When the variable does not hold a filter.
pub(crate) fn start(format: Option<LogFormat>) -> Result<(), UsageError> {
    let builder = tracing_subscriber::fmt().with_env_filter(filter()?).with_writer(io::stderr);
    match LogFormat::or_detect(format) {
        LogFormat::Text => builder.with_ansi(colour()).with_target(false).init(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).init(),
    }
    Ok(())
}

fn filter() -> Result<EnvFilter, UsageError> {
    for variable in ["POSTERN_LOG", "RUST_LOG"] {
        match std::env::var(variable) {
            Ok(text) if !text.trim().is_empty() => {
                return EnvFilter::try_new(&text).map_err(|error| {
                    UsageError(format!(
                        "{variable} is no log filter ({error}): write a level (error, warn, info, debug) \
                         or target=level pairs, comma-separated"
                    ))
                });
            }
            _ => {}
        }
    }
    Ok(EnvFilter::new(DEFAULT_FILTER))
}

/// Colours only where somebody sees them: <https://no-color.org>.
fn colour() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
