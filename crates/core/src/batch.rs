//! How do the records of one delivery lie in memory between normalization and Kafka?

use std::ops::Range;

/// The topic a record belongs to; its name is configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// What a fetcher acts on.
    Events,
    /// Signals about subscriptions and connections.
    Lifecycle,
    /// Deliveries that were received and not trusted.
    Quarantine,
}

impl Topic {
    /// Every topic.
    pub const ALL: [Self; 3] = [Self::Events, Self::Lifecycle, Self::Quarantine];

    /// The word in configuration and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Lifecycle => "lifecycle",
            Self::Quarantine => "quarantine",
        }
    }
}

/// The Kafka records of one delivery, in one buffer.
///
/// Only this crate can put records into it, and it does so from [`crate::delivery::Verified`] and from the quarantine
/// alone: publishing bytes that nobody verified does not compile.
///
/// ```compile_fail
/// let mut batch = postern_core::batch::Batch::new();
/// batch.begin(postern_core::batch::Topic::Events);
/// ```
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    headers: Vec<(&'static str, Text)>,
    records: Vec<Spans>,
}

/// A header value: known at compile time, or a part of the batch's buffer.
#[derive(Debug, Clone)]
enum Text {
    Static(&'static str),
    Span(Range<usize>),
}

#[derive(Debug)]
struct Spans {
    topic: Topic,
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
    headers: Range<usize>,
}

impl Batch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty batch with room for `records` records of `size` bytes in all.
    #[must_use]
    pub fn with_capacity(records: usize, size: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(size),
            headers: Vec::with_capacity(records * 5),
            records: Vec::with_capacity(records),
        }
    }

    /// How many records it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The records in order.
    pub fn records(&self) -> impl ExactSizeIterator<Item = Record<'_>> {
        self.records.iter().map(|spans| Record { batch: self, spans })
    }

    /// Starts a record; what follows belongs to it.
    pub(crate) fn begin(&mut self, topic: Topic) {
        let at = self.headers.len();
        self.records.push(Spans { topic, key: None, value: None, headers: at..at });
    }

    /// Takes the last record back, with everything that was written for it.
    pub(crate) fn abandon(&mut self) {
        if let Some(spans) = self.records.pop() {
            self.headers.truncate(spans.headers.start);
        }
    }

    /// How many bytes Kafka counts for the last record: key, value and headers.
    pub(crate) fn last_size(&self) -> usize {
        let Some(record) = self.records().last() else { return 0 };
        record.key().map_or(0, <[u8]>::len)
            + record.value().map_or(0, <[u8]>::len)
            + record.headers().map(|(name, value)| name.len() + value.len() + 10).sum::<usize>()
    }

    pub(crate) fn key(&mut self, key: &[u8]) {
        let span = self.append(key);
        if let Some(last) = self.records.last_mut() {
            last.key = Some(span);
        }
    }

    pub(crate) fn header(&mut self, name: &'static str, value: &[u8]) {
        let span = self.append(value);
        self.push_header(name, Text::Span(span));
    }

    pub(crate) fn static_header(&mut self, name: &'static str, value: &'static str) {
        self.push_header(name, Text::Static(value));
    }

    /// Writes the value of the last record.
    pub(crate) fn value<E>(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let start = self.bytes.len();
        let result = write(&mut self.bytes);
        let end = self.bytes.len();
        if let Some(last) = self.records.last_mut() {
            last.value = Some(start..end);
        }
        result
    }

    /// Appends a record of another batch.
    pub(crate) fn copy(&mut self, record: Record<'_>) {
        self.begin(record.topic());
        if let Some(key) = record.key() {
            self.key(key);
        }
        for (name, value) in record.headers() {
            self.header(name, value);
        }
        if let Some(value) = record.value() {
            let span = self.append(value);
            if let Some(last) = self.records.last_mut() {
                last.value = Some(span);
            }
        }
    }

    fn append(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    fn push_header(&mut self, name: &'static str, value: Text) {
        self.headers.push((name, value));
        if let Some(last) = self.records.last_mut() {
            last.headers.end = self.headers.len();
        }
    }
}

/// One record of a [`Batch`].
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    batch: &'a Batch,
    spans: &'a Spans,
}

impl<'a> Record<'a> {
    /// The topic it belongs to.
    #[must_use]
    pub fn topic(&self) -> Topic {
        self.spans.topic
    }

    /// The record key; quarantine records have none.
    #[must_use]
    pub fn key(&self) -> Option<&'a [u8]> {
        self.spans.key.clone().map(|span| &self.batch.bytes[span])
    }

    /// The value; a quarantine record that nothing can be sealed for has none.
    #[must_use]
    pub fn value(&self) -> Option<&'a [u8]> {
        self.spans.value.clone().map(|span| &self.batch.bytes[span])
    }

    /// Name and value of each header, in order.
    pub fn headers(&self) -> impl ExactSizeIterator<Item = (&'static str, &'a [u8])> + use<'a> {
        let batch = self.batch;
        batch.headers[self.spans.headers.clone()].iter().map(move |(name, value)| {
            let value = match value {
                Text::Static(text) => text.as_bytes(),
                Text::Span(span) => &batch.bytes[span.clone()],
            };
            (*name, value)
        })
    }
}
