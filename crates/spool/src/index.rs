//! Which entries does the spool hold, and which of them has Kafka acknowledged? In memory; no I/O happens here.

use std::collections::{BTreeMap, VecDeque};

use crate::segment::{Head, Name};

/// One segment file, as far as it is durable.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub(crate) name: Name,
    /// The number of its first entry that was not drained when it was found or begun.
    pub(crate) first: u64,
    /// Where its first entry that is not drained begins.
    pub(crate) start: u64,
    /// Where its last durable entry ends.
    pub(crate) end: u64,
    /// Entries that are not drained, read or not, and their records.
    pub(crate) entries: u64,
    pub(crate) records: u64,
    /// When its first entry that is not drained was spooled.
    pub(crate) oldest: i64,
}

/// Where the reader stands: what comes next is at `offset` of the segment with `segment` in its name, or in the one
/// behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) segment: u64,
    pub(crate) offset: u64,
}

/// What the reader may read now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Readable {
    pub(crate) name: Name,
    pub(crate) from: u64,
    pub(crate) end: u64,
}

/// The spool's books.
#[derive(Debug, Default)]
pub(crate) struct Index {
    segments: VecDeque<Segment>,
    /// The number in the name of the segment that the writer still appends to.
    active: Option<u64>,
    /// The writer is between its write and its commit: the active segment must stay.
    writing: bool,
    /// The number that the next entry gets.
    pub(crate) next: u64,
    at: Position,
    /// Every entry below was read, or drained in an earlier life.
    read: u64,
    /// When the last entry that was read had been spooled.
    read_time: i64,
    /// Read and not acknowledged: when spooled, and how many records.
    unsettled: BTreeMap<u64, (i64, u64)>,
    /// Bytes of all segments, until their files are gone.
    bytes: u64,
}

impl Index {
    /// The books of a spool that was found with these segments, in order, drained up to `drained`.
    pub(crate) fn new(segments: Vec<Segment>, drained: u64, next: u64) -> Self {
        let bytes = segments.iter().map(|segment| segment.end).sum();
        Self { segments: segments.into(), next, read: drained, bytes, ..Self::default() }
    }

    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Entries and records that are not drained.
    pub(crate) fn held(&self) -> (u64, u64) {
        self.segments.iter().fold((0, 0), |(entries, records), segment| {
            (entries + segment.entries, records + segment.records)
        })
    }

    /// When the oldest entry was spooled that is not drained; a lower bound while it was not read yet.
    pub(crate) fn oldest(&self) -> Option<i64> {
        if let Some((_, (time, _))) = self.unsettled.first_key_value() {
            return Some(*time);
        }
        let segment = self.segments.iter().find(|segment| segment.entries > 0)?;
        let started = segment.name.first == self.at.segment;
        Some(if started { self.read_time.max(segment.oldest) } else { segment.oldest })
    }

    /// Every entry below is drained.
    pub(crate) fn drained(&self) -> u64 {
        self.unsettled.first_key_value().map_or(self.read, |(seq, _)| *seq)
    }

    /// The writer begins; true when the segment that it appended to last is still there.
    pub(crate) fn begin(&mut self, active: Option<u64>) -> bool {
        self.writing = true;
        active.is_some() && self.active == active
    }

    /// The writer made these entries durable, in the segment `name` that now ends at `end`.
    pub(crate) fn commit(&mut self, name: Name, heads: &[Head], end: u64) {
        self.writing = false;
        self.active = Some(name.first);
        let Some(first) = heads.first() else { return };
        if self.segments.back().is_none_or(|segment| segment.name != name) {
            let oldest = first.time;
            let (first, start, end) = (first.seq, 0, 0);
            let segment = Segment { name, first, start, end, entries: 0, records: 0, oldest };
            self.segments.push_back(segment);
        }
        let segment = self.segments.back_mut().expect("just pushed, or found");
        self.bytes += end - segment.end;
        segment.end = end;
        segment.entries += heads.len() as u64;
        segment.records += heads.iter().map(|head| u64::from(head.records)).sum::<u64>();
    }

    /// The writer gives its segment up; what was committed of it stays.
    pub(crate) fn give_up(&mut self) {
        self.writing = false;
        self.active = None;
    }

    /// What can be read next; moves on to the next segment where one is read to its end.
    pub(crate) fn readable(&mut self) -> Option<Readable> {
        loop {
            let at = self.segments.partition_point(|segment| segment.name.first < self.at.segment);
            let segment = self.segments.get(at)?;
            let first = segment.name.first;
            if first != self.at.segment || self.at.offset < segment.start {
                self.at = Position { segment: first, offset: segment.start };
            }
            if self.at.offset < segment.end {
                let Position { offset, .. } = self.at;
                return Some(Readable { name: segment.name, from: offset, end: segment.end });
            }
            if self.active == Some(first) {
                return None;
            }
            self.close(at);
            self.at = Position { segment: first + 1, offset: 0 };
        }
    }

    /// The reader is through with this segment: what it did not find in it will not come any more.
    fn close(&mut self, at: usize) {
        let first = self.segments[at].first;
        let behind = self.segments.get(at + 1).map_or(u64::MAX, |next| next.first);
        let mut left = (0, 0);
        for (_, records) in self.unsettled.range(first..behind).map(|(_, known)| known) {
            left = (left.0 + 1, left.1 + records);
        }
        let segment = &mut self.segments[at];
        (segment.entries, segment.records) = left;
    }

    /// The reader has read these entries and stands at `offset` now.
    pub(crate) fn read(&mut self, name: Name, heads: &[Head], offset: u64) {
        self.at = Position { segment: name.first, offset };
        for head in heads {
            self.unsettled.insert(head.seq, (head.time, u64::from(head.records)));
            self.read = head.seq + 1;
            self.read_time = head.time;
        }
    }

    /// Kafka has acknowledged these entries.
    pub(crate) fn settle(&mut self, seqs: &[u64]) {
        for seq in seqs {
            let Some((_, records)) = self.unsettled.remove(seq) else { continue };
            let behind = self.segments.partition_point(|segment| segment.first <= *seq);
            if let Some(segment) = behind.checked_sub(1).and_then(|at| self.segments.get_mut(at)) {
                segment.entries = segment.entries.saturating_sub(1);
                segment.records = segment.records.saturating_sub(records);
            }
        }
    }

    /// Takes out the segments that hold nothing any more; their files can go.
    pub(crate) fn emptied(&mut self) -> Vec<Segment> {
        let mut emptied = Vec::new();
        let (active, writing) = (self.active, self.writing);
        let at = self.at.segment;
        self.segments.retain(|segment| {
            let kept = active == Some(segment.name.first);
            let gone = segment.entries == 0 && segment.name.first <= at && !(kept && writing);
            if gone {
                emptied.push(segment.clone());
            }
            !gone
        });
        if emptied.iter().any(|segment| active == Some(segment.name.first)) {
            self.active = None;
        }
        emptied
    }

    /// Whether this segment holds anything.
    pub(crate) fn has(&self, name: Name) -> bool {
        self.segments.iter().any(|segment| segment.name == name)
    }

    /// The file of an emptied segment is gone.
    pub(crate) fn removed(&mut self, segment: &Segment) {
        self.bytes -= segment.end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(seq: u64) -> Head {
        Head { seq, time: 7, records: 2, length: 0, sum: 0 }
    }

    #[test]
    fn a_segment_that_is_being_written_to_stays() {
        let mut index = Index::default();
        let name = Name { first: 1, salt: 0 };
        index.begin(None);
        index.commit(name, &[head(1)], 40);
        assert_eq!(index.readable(), Some(Readable { name, from: 0, end: 40 }));
        index.read(name, &[head(1)], 40);
        assert!(index.begin(Some(1)), "it is there");
        index.settle(&[1]);
        assert!(index.emptied().is_empty(), "the writer is in it");
        index.commit(name, &[head(2)], 80);
        assert_eq!((index.held(), index.oldest()), ((1, 2), Some(7)));
        assert_eq!(index.readable(), Some(Readable { name, from: 40, end: 80 }));
        index.read(name, &[head(2)], 80);
        index.settle(&[2]);
        assert_eq!(index.emptied().len(), 1);
        assert!(!index.begin(Some(1)), "a new one has to begin");
    }
}
