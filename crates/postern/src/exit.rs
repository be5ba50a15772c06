//! With which code does the process end?

use std::io::Write as _;

use crate::config::ConfigError;
use crate::output::OutputError;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done: 0.
    Done,
    /// It failed at run time, or what was asked is not so: 1.
    Failed,
    /// Wrong usage or configuration: 2.
    Usage,
}

/// The command was called wrongly, in a way that the argument parser cannot see.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) String);

impl Exit {
    /// The exit that an error means; `None` when a reader of standard output has had enough, which is no error.
    pub(crate) fn of(error: &anyhow::Error) -> Option<Self> {
        for cause in error.chain() {
            if matches!(cause.downcast_ref(), Some(OutputError::Closed)) {
                return None;
            }
            if cause.is::<ConfigError>() || cause.is::<UsageError>() {
                return Some(Self::Usage);
            }
        }
        Some(Self::Failed)
    }
}

impl Exit {
    /// Ends the process here and now, without the handlers that C libraries leave for an ordinary exit: OpenSSL's takes
    /// its tables down while librdkafka's threads still use them, and the process could hang. Everything that has to be
    /// written or removed has been.
    pub(crate) fn end(self) -> ! {
        drop(std::io::stdout().flush());
        signal_hook::low_level::exit(match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use anyhow::{Context as _, anyhow};

    use super::*;

    #[test]
    fn errors_have_their_codes_however_deep() {
        let usage = anyhow::Error::from(UsageError("no keys".into())).context("cannot mint");
        assert_eq!(Exit::of(&usage), Some(Exit::Usage));
        assert_eq!(Exit::of(&anyhow!("the broker said no")), Some(Exit::Failed));
        let closed = OutputError::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(Exit::of(&anyhow::Error::from(closed)), None);
    }

    #[test]
    fn a_peer_that_hangs_up_is_not_a_closed_output() {
        let peer: io::Result<()> = Err(io::Error::from(io::ErrorKind::BrokenPipe));
        let error = peer.context("cannot post").expect_err("is one");
        assert_eq!(Exit::of(&error), Some(Exit::Failed));
    }
}
