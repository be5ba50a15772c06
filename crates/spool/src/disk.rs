//! What does the log ask of a disk? One directory of files; the tests put a simulated one in its place.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::num::NonZeroU64;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// One directory. Nothing is durable before [`Disk::sync`] of the file, and for a new file [`Disk::sync_dir`], returned.
pub(crate) trait Disk: Send + Sync + 'static {
    /// An open file; dropping it closes it.
    type File: Send;

    /// The names of its files.
    ///
    /// # Errors
    /// As the system says; so for every method here.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Creates a file that must not exist, for reading and writing.
    fn create(&self, name: &str) -> io::Result<Self::File>;
    /// Opens a file for reading and writing.
    fn open(&self, name: &str) -> io::Result<Self::File>;
    /// Its length in bytes.
    fn length(&self, file: &Self::File) -> io::Result<u64>;
    /// Writes all of `bytes` at `offset`; after an error a part of them may have been written.
    fn write_at(&self, file: &Self::File, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Fills `bytes` from `offset` on; the end of the file within is an error.
    fn read_at(&self, file: &Self::File, bytes: &mut [u8], offset: u64) -> io::Result<()>;
    /// Makes content and length durable. After an error nobody knows what of the unsynced is: never ask again.
    fn sync(&self, file: &Self::File) -> io::Result<()>;
    /// Cuts the file.
    fn truncate(&self, file: &Self::File, length: u64) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes the creation of files durable.
    fn sync_dir(&self) -> io::Result<()>;
}

/// How much of a file that is written stays in the system's cache.
const CACHED: u64 = 1 << 20;

/// Lets go of what the system has cached of a file and what is on the disk already. What was spooled is read once, much
/// later: in a container its cache would take the memory that postern lives in, down to the pages of its program.
fn forget(file: &File, offset: u64, length: u64) {
    if let Some(length) = NonZeroU64::new(length) {
        let advice = rustix::fs::Advice::DontNeed;
        // Where it is not taken nothing is lost.
        rustix::fs::fadvise(file, offset, Some(length), advice).unwrap_or_default();
    }
}

/// A directory of the system's.
#[derive(Debug)]
pub(crate) struct Directory(PathBuf);

impl Directory {
    /// The directory at `path`, which exists.
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }
}

impl Disk for Directory {
    type File = File;

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            // A name that is no UTF-8 is none of ours.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn create(&self, name: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600).open(self.0.join(name))
    }

    fn open(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).open(self.0.join(name))
    }

    fn length(&self, file: &File) -> io::Result<u64> {
        Ok(file.metadata()?.len())
    }

    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        file.write_all_at(bytes, offset)?;
        if offset / CACHED < (offset + bytes.len() as u64) / CACHED {
            forget(file, 0, offset);
        }
        Ok(())
    }

    fn read_at(&self, file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        file.read_exact_at(bytes, offset)?;
        forget(file, offset, bytes.len() as u64);
        Ok(())
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        file.set_len(length)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.0.join(name))
    }

    fn sync_dir(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }
}
