//! How are logs written: where to, in which form, from which level on?

use std::io::{self, IsTerminal as _};

use clap::ValueEnum;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

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
    let filter = filter()?;
    let builder =
        tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_writer(io::stderr);
    match LogFormat::or_detect(format) {
        LogFormat::Text => {
            builder.with_ansi(colour()).with_target(false).finish().with(filter).init();
        }
        LogFormat::Json => {
            builder
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .finish()
                .with(filter)
                .init();
        }
    }
    Ok(())
}

/// Levels by target: the filter of `EnvFilter` knows fields and spans as well, and brings a regex engine for them.
fn filter() -> Result<Targets, UsageError> {
    for variable in ["POSTERN_LOG", "RUST_LOG"] {
        match std::env::var(variable) {
            Ok(text) if !text.trim().is_empty() => {
                return text.parse().map_err(|error| {
                    UsageError(format!(
                        "{variable} is no log filter ({error}): write a level (error, warn, info, debug) \
                         or target=level pairs, comma-separated"
                    ))
                });
            }
            _ => {}
        }
    }
    Ok(DEFAULT_FILTER.parse().expect("the default is a filter"))
}

/// Colours only where somebody sees them: <https://no-color.org>.
fn colour() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
