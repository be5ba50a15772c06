//! How do tests write a configuration?

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::problem::Problem;
use super::raw::Raw;
use super::resolve::{self, Need};
use super::settings::Settings;
use super::source::{Environment, Source};

/// A source with these variables and no file.
pub(crate) fn with_variables(variables: &[(&str, &str)]) -> Source {
    let variables =
        variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    Source { environment: Environment::new(variables), ..Source::default() }
}

/// Resolves a text with a source's variables and options.
pub(crate) fn resolve(text: &str, source: &Source, need: Need) -> (Settings, Vec<Problem>) {
    resolve::settings(source, &Raw::parse(text).expect("is TOML"), need)
}

/// The settings of a text without problems.
pub(crate) fn settings(text: &str) -> Settings {
    let (settings, problems) = resolve(text, &Source::default(), Need::Nothing);
    assert_eq!(problems, [], "{text}");
    settings
}

/// A directory with files in it.
pub(crate) struct Files {
    directory: tempfile::TempDir,
}

impl Files {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a directory") }
    }

    /// Writes a file and returns its path.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::write(&path, content).expect("can be written");
        path.display().to_string()
    }

    /// The path of a name.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// The directory.
    pub(crate) fn root(&self) -> &Path {
        self.directory.path()
    }
}
