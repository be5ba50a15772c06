//! What is wrong with a configuration, where, and what is to be done?

use std::fmt;
use std::path::PathBuf;

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// A line of the configuration file, counted from 1.
    Line(usize),
    /// An environment variable.
    Variable(String),
    /// An option of the command line.
    Flag(&'static str),
}

/// One thing that is wrong. Its message never holds a value: that may be a secret in the wrong place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The key path, such as `hook_tokens.keys.k1`; empty when the file as a whole is at fault.
    pub(crate) key: String,
    /// Where it was written, where it was written at all.
    pub(crate) place: Option<Place>,
    /// What is wrong and what to do.
    pub(crate) message: String,
}

/// Every problem of a configuration at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConfigError {
    /// The file, when there was one.
    pub(crate) file: Option<PathBuf>,
    /// At least one.
    pub(crate) problems: Vec<Problem>,
}

impl Problem {
    /// A problem with a key that stands somewhere.
    pub(crate) fn at(key: impl Into<String>, place: Place, message: impl Into<String>) -> Self {
        Self { key: key.into(), place: Some(place), message: message.into() }
    }

    /// A problem with a key that stands nowhere, or with several.
    pub(crate) fn of(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: key.into(), place: None, message: message.into() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.key.as_str(), &self.place) {
            ("", Some(place)) => write!(f, "{place}: ")?,
            ("", None) => {}
            (key, Some(place)) => write!(f, "{key} ({place}): ")?,
            (key, None) => write!(f, "{key}: ")?,
        }
        f.write_str(&self.message)
    }
}

impl ConfigError {
    /// Puts the problems in the order of the file; those of no line come last.
    pub(crate) fn new(file: Option<PathBuf>, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| match problem.place {
            Some(Place::Line(line)) => line,
            _ => usize::MAX,
        });
        Self { file, problems }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = match self.problems.len() {
            1 => "1 problem".to_owned(),
            many => format!("{many} problems"),
        };
        match &self.file {
            Some(file) => write!(f, "{count} in the configuration {}", file.display())?,
            None => write!(f, "{count} in the configuration (no file was given)")?,
        }
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for ConfigError {}
