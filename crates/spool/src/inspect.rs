//! What does a spool directory hold? Read without touching it, also while a postern uses it.

use std::fs;
use std::io;
use std::path::Path;

use crate::checkpoint::Checkpoint;
use crate::dir;
use crate::disk::{Directory, Disk as _};
use crate::log::{Look, names};

/// Why a directory cannot be inspected.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The system refused.
    #[error("{what}: {error}")]
    Io {
        /// Which file.
        what: String,
        /// What it said.
        error: io::Error,
    },
    /// Its files are another version's.
    #[error("{0}")]
    Files(String),
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspected {
    /// Whether a process uses it now: the numbers are moving then.
    pub locked: bool,
    /// Segment files.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Batches that Kafka has not acknowledged, as far as the checkpoint knows.
    pub entries: u64,
    /// Records in them.
    pub records: u64,
    /// When the oldest of them was spooled, in milliseconds since 1970.
    pub oldest: Option<i64>,
    /// When the newest.
    pub newest: Option<i64>,
    /// Bytes at the end of segments that were never written whole: nobody was told that they are safe.
    pub torn_bytes: u64,
    /// Places in segments that are not as they were written.
    pub damaged: u64,
    /// Files that were set aside: what was damaged, what Kafka refused.
    pub set_aside: Vec<String>,
}

/// Reads a spool directory.
///
/// # Errors
/// When it cannot be read, or is another version's.
pub fn inspect(path: &Path) -> Result<Inspected, InspectError> {
    let io = |what: &str| {
        let what = what.to_owned();
        move |error| InspectError::Io { what, error }
    };
    fs::metadata(path).map_err(io("the directory"))?;
    let disk = Directory::new(path);
    let drained = match Checkpoint::peek(&disk) {
        Ok(number) => number,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(io("its checkpoint")(error)),
    };
    let mut found = Inspected { locked: dir::is_locked(path), ..Inspected::default() };
    for name in names(&disk).map_err(|error| InspectError::Files(error.to_string()))? {
        let look = match Look::at(&disk, name) {
            Ok(look) => look,
            // Drained and removed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound && found.locked => continue,
            Err(error) => return Err(io(&name.to_string())(error)),
        };
        // Made ready for what comes next.
        if look.is_empty() {
            continue;
        }
        found.segments += 1;
        found.bytes += look.scan.end as u64;
        found.torn_bytes += look.torn() as u64;
        found.damaged += look.scan.damaged.len() as u64;
        let Some(segment) = look.segment(drained) else { continue };
        found.entries += segment.entries;
        found.records += segment.records;
        found.oldest = found.oldest.or(Some(segment.oldest));
        found.newest = look.scan.entries.last().map(|placed| placed.head.time).or(found.newest);
    }
    let mut aside = disk.list().map_err(io("its files"))?;
    aside.retain(|name| name.starts_with("damaged-") || name.starts_with("refused-"));
    aside.sort_unstable();
    found.set_aside = aside;
    Ok(found)
}
