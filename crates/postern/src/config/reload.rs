//! Which keys, secrets and deny rules hold now? They change without a restart; everything else needs one.
//!
//! Files are compared by content, so that the symlinks of mounted secrets work. A faulty change is reported once and
//! leaves the old state; a later look sees it when it changes again.

use std::path::PathBuf;

use aws_lc_rs::digest;
use postern_core::trust::Trust;

use super::problem::Problem;
use super::read::Reader;
use super::resolve;
use super::secrets::Contents;
use super::settings::{DenyRule, Settings};
use super::source::Source;

/// Looks at the files again and again.
#[derive(Debug)]
pub(crate) struct Reloader {
    /// The file alone: neither variables nor options can hold a list of tables.
    source: Source,
    settings: Settings,
    last: Seen,
}

/// What a look saw, without any secret.
#[derive(Debug, PartialEq)]
struct Seen {
    deny: Result<Vec<DenyRule>, Vec<Problem>>,
    /// A digest of each file, or what is wrong with it.
    files: Vec<Result<Vec<u8>, Problem>>,
}

impl Reloader {
    /// Loads the state from which changes count.
    ///
    /// # Errors
    /// Every problem with a key or secret file.
    pub(crate) fn start(
        file: Option<PathBuf>,
        settings: &Settings,
    ) -> Result<(Self, Trust), Vec<Problem>> {
        let contents = Contents::read(settings);
        let trust = contents.trust(settings, &settings.deny)?;
        let last = Seen::new(Ok(settings.deny.clone()), &contents);
        let source = Source::default().with_file(file);
        Ok((Self { source, settings: settings.clone(), last }, trust))
    }

    /// Reads all files; call it every 5 s and on SIGHUP. `None` when nothing changed since the last look,
    /// also where that was faulty.
    pub(crate) fn look(&mut self) -> Option<Result<Trust, Vec<Problem>>> {
        let contents = Contents::read(&self.settings);
        let seen = Seen::new(self.deny(), &contents);
        if seen == self.last {
            return None;
        }
        let trust = match &seen.deny {
            Ok(deny) => contents.trust(&self.settings, deny),
            Err(problems) => {
                let others = contents.trust(&self.settings, &[]).err();
                Err(problems.iter().cloned().chain(others.into_iter().flatten()).collect())
            }
        };
        self.last = seen;
        Some(trust)
    }

    fn deny(&self) -> Result<Vec<DenyRule>, Vec<Problem>> {
        if self.source.file.is_none() {
            return Ok(self.settings.deny.clone());
        }
        let raw = self.source.raw()?;
        let mut reader = Reader::new(&self.source, &raw);
        let deny = resolve::deny(&mut reader);
        let problems = reader.finish_list("deny");
        if problems.is_empty() { Ok(deny) } else { Err(problems) }
    }
}

impl Seen {
    fn new(deny: Result<Vec<DenyRule>, Vec<Problem>>, contents: &Contents) -> Self {
        let files = contents.iter().map(|content| match content {
            Ok(secret) => Ok(digest::digest(&digest::SHA256, secret.expose()).as_ref().to_vec()),
            Err(problem) => Err(problem.clone()),
        });
        Self { deny, files: files.collect() }
    }
}

#[cfg(test)]
mod tests;
