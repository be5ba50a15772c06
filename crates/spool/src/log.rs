//! How do entries become durable, and how do they leave? The log: one writer, one reader, segments of one directory.
//!
//! The rules, and why:
//! - An entry is acknowledged after a write *and* an fdatasync of its segment, whose name is durable in the directory:
//!   since it was made ready, or by a second sync behind the first.
//! - After a failed write or fsync the segment ends where it was durable last. It is never synced again: the kernel
//!   may have dropped the pages and would report success. The next try, half a second later, begins a new file.
//! - Numbers are never given twice, also not after a failure: what was written in vain may turn up after a restart.
//!   So a life begins its numbers far above all that it sees of the lives before.
//! - A segment of an earlier life is never appended to.
//! - An entry leaves when Kafka has acknowledged it; a segment is removed as a whole. The checkpoint is synced before,
//!   but the order does not matter: whatever of the two a crash undoes, entries are at most sent once more.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::checkpoint::{self, Checkpoint};
use crate::disk::Disk;
use crate::index::{Index, Segment};
use crate::metrics::{Metrics, Op};
use crate::segment::{self, Name, Named};

mod reader;
mod ready;
mod writer;

use ready::Ready;

pub(crate) use reader::{Entry, Reader};
pub(crate) use ready::Maker;
pub(crate) use writer::{Prepared, Writer};

/// A life begins its numbers so far above what it sees: more than a segment has entries. What it does not see, at the
/// cut end of a segment or because the checkpoint is older than the truth, is less than that.
const LIFE_GAP: u64 = 1 << 20;

/// How large a log may become, and how it is cut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of all its segments.
    pub(crate) bytes: u64,
    /// A segment that is so large is not appended to any more.
    pub(crate) segment: u64,
    /// How long nothing is written after a failure.
    pub(crate) rest: Duration,
}

/// Why an entry is not durable. Nothing of it will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The spool holds as much as it may.
    #[error("the spool is full (spool.max_bytes)")]
    Full,
    /// The disk refused, just now or a moment ago.
    #[error("the spool's disk refuses")]
    Failing,
    /// More is waiting for the disk than memory is there for.
    #[error("the spool's queue is full")]
    Busy,
    /// The disk did not answer by the deadline.
    #[error("the spool's disk is too slow")]
    Timeout,
    /// The delivery is larger than an entry may be.
    #[error("too large for the spool")]
    TooLarge,
    /// It has been closed.
    #[error("the spool is closed")]
    Closed,
}

/// Why a log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    /// The disk refused.
    #[error("{what}: {error}")]
    Io { what: String, error: io::Error },
    /// A segment of another version.
    #[error("{0} was written by another version of postern: drain it with that one")]
    OtherVersion(String),
}

/// What an opening found that is not as it was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Segments whose end was never written whole.
    pub(crate) torn: usize,
    /// Places inside segments that are not as they were written.
    pub(crate) damaged: usize,
}

/// What writer and reader share.
pub(crate) struct Shared<D: Disk> {
    pub(crate) disk: D,
    limits: Limits,
    pub(crate) metrics: Metrics,
    index: Mutex<Index>,
    ready: Mutex<Ready<D::File>>,
    /// A file is to be made ready, or none any more.
    wanted: Condvar,
    /// Something new can be read.
    pub(crate) more: Notify,
}

impl<D: Disk> Shared<D> {
    /// Locked for moments, never across I/O.
    pub(crate) fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A log that was opened.
pub(crate) struct Opened<D: Disk> {
    pub(crate) writer: Writer<D>,
    pub(crate) reader: Reader<D>,
    pub(crate) maker: Maker<D>,
    pub(crate) found: Found,
}

/// Opens the log in `disk`, which nobody else uses.
pub(crate) fn open<D: Disk>(
    disk: D,
    limits: Limits,
    metrics: Metrics,
) -> Result<Opened<D>, LogError> {
    let io = |what: &str| {
        let what = what.to_owned();
        move |error| LogError::Io { what, error }
    };
    let checkpoint = Checkpoint::open(&disk).map_err(io(checkpoint::NAME))?;
    let names = names(&disk)?;
    let drained = checkpoint.number();
    // No number is given twice, whatever became of the entries that had it.
    let mut next = drained.max(1);
    let mut found = Found::default();
    let mut segments = Vec::new();
    for name in names {
        let file = name.to_string();
        let look = Look::at(&disk, name).map_err(io(&file))?;
        next = next.max(look.next).max(name.first);
        found.damaged += look.set_aside(&disk, drained, &metrics);
        found.torn += usize::from(look.cut(&disk));
        match look.segment(drained) {
            Some(segment) => segments.push(segment),
            // Empty (made ready, perhaps), or drained: the life before did not come to removing it.
            None => drop(disk.remove(&file)),
        }
    }
    // What was removed, here or by the life before, must not come back beside what gets numbers from now on.
    disk.sync_dir().map_err(io("its directory"))?;
    if next > 1 {
        next += LIFE_GAP;
    }
    let shared = Arc::new(Shared {
        disk,
        limits,
        metrics,
        index: Mutex::new(Index::new(segments, drained, next)),
        ready: Mutex::default(),
        wanted: Condvar::new(),
        more: Notify::new(),
    });
    let reader = Reader::new(Arc::clone(&shared), checkpoint);
    let mut maker = Maker::new(Arc::clone(&shared));
    // The first entry of an outage shall not wait for it; a disk that refuses is asked again later.
    drop(maker.make());
    Ok(Opened { writer: Writer::new(shared), reader, maker, found })
}

/// The segments of a directory, in order.
pub(crate) fn names<D: Disk>(disk: &D) -> Result<Vec<Name>, LogError> {
    let files =
        disk.list().map_err(|error| LogError::Io { what: "its files".to_owned(), error })?;
    let mut names = Vec::new();
    for file in files {
        match Name::of(&file) {
            Named::Segment(name) => names.push(name),
            Named::OtherVersion(_) => return Err(LogError::OtherVersion(file)),
            Named::Other => {}
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// A segment that an earlier life left.
pub(crate) struct Look {
    name: Name,
    bytes: Vec<u8>,
    pub(crate) scan: segment::Scan,
    next: u64,
}

impl Look {
    pub(crate) fn at<D: Disk>(disk: &D, name: Name) -> io::Result<Self> {
        let file = disk.open(&name.to_string())?;
        let length = usize::try_from(disk.length(&file)?).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        disk.read_at(&file, &mut bytes, 0)?;
        let scan = segment::scan(&bytes, 0, name.salt, name.first);
        let next = scan.entries.last().map_or(name.first, |last| last.head.seq + 1);
        Ok(Self { name, bytes, scan, next })
    }

    /// Where the first entry stands that is not drained.
    fn first_held(&self, drained: u64) -> usize {
        self.scan.entries.partition_point(|placed| placed.head.seq < drained)
    }

    /// What there is of it to drain.
    pub(crate) fn segment(&self, drained: u64) -> Option<Segment> {
        let held = &self.scan.entries[self.first_held(drained)..];
        let first = held.first()?;
        Some(Segment {
            name: self.name,
            first: first.head.seq,
            start: first.at as u64,
            end: self.scan.end as u64,
            entries: held.len() as u64,
            records: held.iter().map(|placed| u64::from(placed.head.records)).sum(),
            oldest: first.head.time,
        })
    }

    /// Whether nothing was ever written into it.
    pub(crate) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// How many bytes at its end were never written whole.
    pub(crate) fn torn(&self) -> usize {
        self.bytes.len() - self.scan.end
    }

    /// Keeps what cannot be read in files of its own, for people; what was drained does not matter any more.
    fn set_aside<D: Disk>(&self, disk: &D, drained: u64, metrics: &Metrics) -> usize {
        let held = self.scan.entries.get(self.first_held(drained));
        let from = held.map_or(self.scan.end, |placed| placed.at);
        let matters = |range: &&std::ops::Range<usize>| held.is_some() && range.end >= from;
        let mut count = 0;
        for range in self.scan.damaged.iter().filter(matters) {
            set_aside(disk, metrics, self.name, range.start as u64, &self.bytes[range.clone()]);
            count += 1;
        }
        count
    }

    /// Cuts the torn end off; true where there was one. Reading would stop there anyway.
    fn cut<D: Disk>(&self, disk: &D) -> bool {
        if self.torn() == 0 {
            return false;
        }
        if let Ok(file) = disk.open(&self.name.to_string()) {
            drop(disk.truncate(&file, self.scan.end as u64));
        }
        true
    }
}

/// Writes bytes that are no entries into a file of their own and counts them.
fn set_aside<D: Disk>(disk: &D, metrics: &Metrics, name: Name, at: u64, bytes: &[u8]) {
    metrics.damaged.inc();
    let file = format!("damaged-{:020}-{at}", name.first);
    if keep(disk, metrics, &file, bytes) {
        tracing::error!(file, "the spool holds bytes that are not as they were written: set aside");
    }
}

/// Keeps bytes durably in a file of their own, for people; false where the disk refuses that. A file of that name is
/// what an earlier try left, perhaps in part: its numbers are never given to anything else.
pub(crate) fn keep<D: Disk>(disk: &D, metrics: &Metrics, file: &str, bytes: &[u8]) -> bool {
    drop(disk.remove(file));
    let kept = disk.create(file).and_then(|handle| {
        disk.write_at(&handle, bytes, 0)?;
        disk.sync(&handle)?;
        disk.sync_dir()
    });
    if let Err(error) = &kept {
        metrics.failed(Op::SetAside);
        tracing::error!(file, %error, "could not be set aside");
    }
    kept.is_ok()
}

#[cfg(test)]
mod tests;
