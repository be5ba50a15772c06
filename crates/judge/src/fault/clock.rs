//! How does postern see another wall clock, while everybody else's stays right? By libfaketime.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use postern_rig::scratch;

/// A wall clock that is ahead or behind by what its file says. The monotonic clock stays the true one.
pub(crate) struct Clock {
    file: PathBuf,
    library: PathBuf,
}

impl Clock {
    /// A clock that is right.
    pub(crate) fn new() -> Self {
        let folders =
            ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];
        let library = folders
            .iter()
            .map(|folder| Path::new(folder).join("faketime/libfaketimeMT.so.1"))
            .find(|file| file.is_file())
            .unwrap_or_else(|| panic!("libfaketime is not there; scripts/setup.sh faults installs it, or: apt-get install faketime"));
        let clock = Self { file: scratch::folder("clock").join("offset"), library };
        clock.step(0);
        clock
    }

    /// Steps the clock to so many seconds ahead of the true one, or behind it.
    pub(crate) fn step(&self, seconds: i64) {
        // Written beside and moved: nobody reads half an offset.
        let fresh = self.file.with_extension("new");
        fs::write(&fresh, format!("{seconds:+}\n")).expect("the target directory is writable");
        fs::rename(&fresh, &self.file).expect("the target directory is writable");
    }

    /// Puts a process that is about to start under this clock.
    pub(crate) fn apply(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.file)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("DONT_FAKE_MONOTONIC", "1")
            // Waits are given by the monotonic clock, or librdkafka's by a wall clock that all its threads share.
            .env("FAKETIME_FLSHM", "0");
    }
}
