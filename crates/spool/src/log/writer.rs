//! How are many entries made durable by one fdatasync?

use std::io;
use std::mem;
use std::sync::Arc;
use std::time::Instant;

use super::{AppendError, Shared};
use crate::disk::Disk;
use crate::metrics::Op;
use crate::segment::{HEAD, Head, MAX_PAYLOAD, Name};

/// How much of the buffer of a group is kept for the next one.
const KEPT_BUFFER: usize = 1 << 20;

/// An entry before it has a number.
#[derive(Debug)]
pub(crate) struct Prepared {
    payload: Vec<u8>,
    sum: u32,
    records: u32,
    time: i64,
}

impl Prepared {
    /// An entry of `records` records, spooled at `time` (milliseconds since 1970).
    pub(crate) fn new(payload: Vec<u8>, records: usize, time: i64) -> Result<Self, AppendError> {
        let records = u32::try_from(records).map_err(|_| AppendError::TooLarge)?;
        if payload.len() > MAX_PAYLOAD {
            return Err(AppendError::TooLarge);
        }
        let sum = crc32c::crc32c(&payload);
        Ok(Self { payload, sum, records, time })
    }

    /// Bytes that it takes on the disk.
    pub(crate) fn size(&self) -> u64 {
        (HEAD + self.payload.len()) as u64
    }
}

/// The file that is appended to.
struct Active<F> {
    name: Name,
    file: F,
    end: u64,
    /// The directory does not durably have it yet.
    fresh: bool,
}

/// Appends; there is one.
pub(crate) struct Writer<D: Disk> {
    shared: Arc<Shared<D>>,
    active: Option<Active<D::File>>,
    /// Nothing is tried before.
    rest_until: Option<Instant>,
    /// A file that nothing was acknowledged from and that could not be removed: there is at most one.
    useless: Option<Name>,
    bytes: Vec<u8>,
    heads: Vec<Head>,
}

impl<D: Disk> Writer<D> {
    pub(super) fn new(shared: Arc<Shared<D>>) -> Self {
        let (bytes, heads) = (Vec::new(), Vec::new());
        Self { shared, active: None, rest_until: None, useless: None, bytes, heads }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared<D>> {
        &self.shared
    }

    /// An orderly end: nothing is appended any more, and no empty file stays.
    pub(crate) fn close(&self) {
        if let Some((name, _)) = self.shared.end_ready() {
            // Where this fails the next start does it.
            drop(self.shared.disk.remove(&name.to_string()));
        }
    }

    /// Makes the entries durable, as many from the first on as there is room for; how many, or why none is. It takes
    /// their payloads.
    pub(crate) fn append(
        &mut self,
        group: &mut [Prepared],
        now: Instant,
    ) -> Result<usize, AppendError> {
        if self.rest_until.is_some_and(|until| now < until) {
            return Err(AppendError::Failing);
        }
        let fitting = self.number(group);
        if fitting == 0 {
            return if group.is_empty() { Ok(0) } else { Err(AppendError::Full) };
        }
        if let Err(error) = self.write(&mut group[..fitting]) {
            tracing::error!(%error, "the spool's disk refuses: answered 503 where Kafka does not take it");
            self.rest_until = Some(now + self.shared.limits.rest);
            return Err(AppendError::Failing);
        }
        self.rest_until = None;
        self.shared.more.notify_one();
        Ok(fitting)
    }

    /// Numbers the entries that fit.
    fn number(&mut self, group: &[Prepared]) -> usize {
        let mut index = self.shared.index();
        let mut room = self.shared.limits.bytes.saturating_sub(index.bytes());
        self.heads.clear();
        for entry in group {
            let Some(left) = room.checked_sub(entry.size()) else { break };
            room = left;
            let Prepared { sum, records, time, .. } = *entry;
            let length = u32::try_from(entry.payload.len()).expect("a payload is bounded");
            self.heads.push(Head { seq: index.next, time, records, length, sum });
            index.next += 1;
        }
        self.heads.len()
    }

    /// Writes, syncs, commits.
    fn write(&mut self, group: &mut [Prepared]) -> io::Result<()> {
        let mut active = match self.continued(group) {
            Some(active) => active,
            None => self.begin()?,
        };
        self.bytes.clear();
        for (head, entry) in self.heads.iter().zip(group) {
            self.bytes.extend_from_slice(&head.encode(active.name.salt));
            // Copied, it is needed no more: a group is in memory once.
            self.bytes.extend_from_slice(&mem::take(&mut entry.payload));
        }
        if let Err(error) = self.durable(&active) {
            self.give_up(&active);
            return Err(error);
        }
        active.fresh = false;
        active.end += self.bytes.len() as u64;
        self.shared.index().commit(active.name, &self.heads, active.end);
        self.active = Some(active);
        // One large delivery must not hold its memory for good.
        self.bytes.shrink_to(KEPT_BUFFER);
        Ok(())
    }

    /// The segment of the last write, if the reader has not removed it and it has room.
    fn continued(&mut self, group: &[Prepared]) -> Option<Active<D::File>> {
        let known = self.active.as_ref().map(|active| active.name.first);
        let there = self.shared.index().begin(known);
        let size: u64 = group.iter().map(Prepared::size).sum();
        let limit = self.shared.limits.segment;
        let active = self.active.take().filter(|active| there && active.end + size <= limit);
        if active.is_none() && there {
            let mut index = self.shared.index();
            index.give_up();
            index.begin(None);
        }
        active
    }

    /// A new segment, in the file that was made ready or, if there is none, in one that costs a second sync.
    fn begin(&mut self) -> io::Result<Active<D::File>> {
        self.remove_useless().inspect_err(|_| {
            self.shared.metrics.failed(Op::Remove);
            self.shared.index().give_up();
        })?;
        let first = self.heads.first().map_or(0, |head| head.seq);
        let name = Name::new(first);
        if let Some((name, file)) = self.shared.begun(name) {
            return Ok(Active { name, file, end: 0, fresh: false });
        }
        let file = self.shared.disk.create(&name.to_string()).inspect_err(|_| {
            self.shared.metrics.failed(Op::Create);
            self.shared.index().give_up();
        })?;
        Ok(Active { name, file, end: 0, fresh: true })
    }

    fn durable(&self, active: &Active<D::File>) -> io::Result<()> {
        let Shared { disk, metrics, .. } = &*self.shared;
        let write = disk.write_at(&active.file, &self.bytes, active.end);
        write.inspect_err(|_| metrics.failed(Op::Write))?;
        let began = Instant::now();
        let synced = disk.sync(&active.file);
        let synced = if active.fresh { synced.and_then(|()| disk.sync_dir()) } else { synced };
        metrics.synced(began.elapsed());
        synced.inspect_err(|_| metrics.failed(Op::Sync))
    }

    /// Ends a segment where it was durable last, and never syncs it again.
    fn give_up(&mut self, active: &Active<D::File>) {
        self.shared.index().give_up();
        // On a full disk the room is wanted back; where this fails too, the next start cuts it.
        if active.end == 0 {
            self.useless = Some(active.name);
            drop(self.remove_useless());
        } else {
            drop(self.shared.disk.truncate(&active.file, active.end));
        }
    }

    fn remove_useless(&mut self) -> io::Result<()> {
        let Some(name) = self.useless else { return Ok(()) };
        match self.shared.disk.remove(&name.to_string()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => {
                self.useless = None;
                Ok(())
            }
        }
    }
}

impl<D: Disk> Drop for Writer<D> {
    fn drop(&mut self) {
        // Whatever ended the writer: nobody makes files for it any more.
        drop(self.shared.end_ready());
    }
}
