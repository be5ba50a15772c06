//! How do results reach standard output?
//!
//! Results go there and nothing else does. A reader that goes away (`postern tail | head`) ends a command
//! without an error: [`OutputError::Closed`] tells that apart from a network peer that hung up.

use std::fmt::Display;
use std::io::{self, Write as _};

/// Standard output takes nothing any more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutputError {
    /// Its reader is gone.
    #[error("standard output is closed")]
    Closed,
    /// Writing failed otherwise, for example on a full disk.
    #[error("cannot write to standard output: {0}")]
    Failed(io::Error),
}

impl From<io::Error> for OutputError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Failed(error),
        }
    }
}

/// Writes one result and a newline, at once. Styles are dropped where the terminal or `NO_COLOR` does not want them.
///
/// # Errors
/// When standard output is closed or cannot be written.
pub(crate) fn line(result: impl Display) -> Result<(), OutputError> {
    let mut out = anstream::stdout().lock();
    writeln!(out, "{result}")?;
    Ok(out.flush()?)
}

/// Writes text as it is, at once.
///
/// # Errors
/// When standard output is closed or cannot be written.
pub(crate) fn text(result: &str) -> Result<(), OutputError> {
    let mut out = anstream::stdout().lock();
    out.write_all(result.as_bytes())?;
    Ok(out.flush()?)
}

/// Tells the user something that is no result; best effort, as there is nowhere to report a failure.
pub(crate) fn note(text: impl Display) {
    drop(writeln!(anstream::stderr().lock(), "{text}"));
}
