//! How do entries come back from the disk, in order, and leave it once Kafka has them?

use std::io;
use std::sync::Arc;

use super::{Shared, set_aside};
use crate::checkpoint::Checkpoint;
use crate::disk::Disk;
use crate::index::{Readable, Segment};
use crate::metrics::Op;
use crate::segment::{self, Head, Name};

/// How much is read at once; an entry that is larger is read alone.
const CHUNK: u64 = 1 << 20;

/// An entry that was read back.
pub(crate) struct Entry {
    /// Its number.
    pub(crate) seq: u64,
    /// What was spooled.
    pub(crate) payload: Vec<u8>,
}

/// Reads in order and settles in any order; there is one.
pub(crate) struct Reader<D: Disk> {
    shared: Arc<Shared<D>>,
    checkpoint: Checkpoint<D::File>,
    file: Option<(Name, D::File)>,
    /// Drained segments whose files could not be removed yet.
    removable: Vec<Segment>,
}

impl<D: Disk> Reader<D> {
    pub(super) const fn new(shared: Arc<Shared<D>>, checkpoint: Checkpoint<D::File>) -> Self {
        Self { shared, checkpoint, file: None, removable: Vec::new() }
    }

    /// Up to `most` entries that were not read yet; none where there is nothing now.
    ///
    /// # Errors
    /// As the disk says; asking again tries again.
    pub(crate) fn next(&mut self, most: usize) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        while entries.is_empty() && most > 0 {
            let readable = self.shared.index().readable();
            let Some(readable) = readable else {
                // A segment whose rest could not be read may hold nothing any more.
                self.settle(&[]);
                break;
            };
            self.read(readable, most, &mut entries)?;
        }
        Ok(entries)
    }

    fn read(&mut self, at: Readable, most: usize, out: &mut Vec<Entry>) -> io::Result<()> {
        let Readable { name, from, end } = at;
        let mut bytes = self.bytes(name, from, end.min(from + CHUNK))?;
        let first = Head::decode(&bytes, name.salt);
        if first.is_some_and(|head| head.size() > bytes.len()) && from + CHUNK < end {
            let size = first.map_or(0, |head| head.size() as u64);
            bytes = self.bytes(name, from, end.min(from + size))?;
        }
        let mut heads = Vec::new();
        let mut taken = 0;
        while out.len() < most && taken < bytes.len() {
            let rest = &bytes[taken..];
            let Some(head) = Head::decode(rest, name.salt) else { break };
            let Some(payload) = head.intact(rest) else { break };
            out.push(Entry { seq: head.seq, payload: payload.to_vec() });
            taken += head.size();
            heads.push(head);
        }
        let offset = if heads.is_empty() {
            // Not as it was written, although it was durable: find what comes behind it.
            self.skip_damage(at)?
        } else {
            from + taken as u64
        };
        self.shared.index().read(name, &heads, offset);
        Ok(())
    }

    /// Sets aside what cannot be read; returns where reading can go on.
    fn skip_damage(&mut self, at: Readable) -> io::Result<u64> {
        let bytes = self.bytes(at.name, at.from, at.end)?;
        let scan = segment::scan(&bytes, 0, at.name.salt, at.name.first);
        let behind = scan.entries.first().map_or(bytes.len(), |placed| placed.at);
        if behind > 0 {
            let Shared { disk, metrics, .. } = &*self.shared;
            set_aside(disk, metrics, at.name, at.from, &bytes[..behind]);
        }
        Ok(at.from + behind as u64)
    }

    fn bytes(&mut self, name: Name, from: u64, end: u64) -> io::Result<Vec<u8>> {
        let disk = &self.shared.disk;
        if self.file.as_ref().is_none_or(|(known, _)| *known != name) {
            self.file = Some((name, disk.open(&name.to_string())?));
        }
        let (_, file) = self.file.as_ref().expect("opened above");
        let length = usize::try_from(end - from).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        let read = disk.read_at(file, &mut bytes, from);
        if let Err(error) = read {
            self.shared.metrics.failed(Op::Read);
            self.file = None;
            return Err(error);
        }
        Ok(bytes)
    }

    /// Kafka has acknowledged these entries: they leave. What the disk refuses here costs nothing but room, and
    /// entries that are sent once more after a restart.
    pub(crate) fn settle(&mut self, seqs: &[u64]) {
        let (drained, emptied) = {
            let mut index = self.shared.index();
            index.settle(seqs);
            (index.drained(), index.emptied())
        };
        self.removable.extend(emptied);
        let Shared { disk, metrics, .. } = &*self.shared;
        if drained > self.checkpoint.number() {
            let mut written = self.checkpoint.write(disk, drained);
            if written.is_ok() && !self.removable.is_empty() {
                written = self.checkpoint.sync(disk);
            }
            if let Err(error) = written {
                metrics.failed(Op::Checkpoint);
                tracing::warn!(%error, "the spool's checkpoint was not written: a restart may send entries again");
            }
        }
        self.remove_files();
    }

    fn remove_files(&mut self) {
        let shared = &self.shared;
        self.removable.retain(|segment| {
            let file = segment.name.to_string();
            match shared.disk.remove(&file) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    shared.metrics.failed(Op::Remove);
                    tracing::warn!(file, %error, "a drained segment of the spool could not be removed");
                    return true;
                }
            }
            shared.index().removed(segment);
            false
        });
        if self.file.as_ref().is_some_and(|(name, _)| !shared.index().has(*name)) {
            self.file = None;
        }
    }

    /// Makes the checkpoint durable, before an orderly end.
    pub(crate) fn close(&mut self) {
        if let Err(error) = self.checkpoint.sync(&self.shared.disk) {
            self.shared.metrics.failed(Op::Checkpoint);
            tracing::warn!(%error, "the spool's checkpoint was not synced");
        }
    }
}
