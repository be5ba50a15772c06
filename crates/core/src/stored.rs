//! How does a batch look outside of memory? A versioned form for the spool, and the one way back from it.
//!
//! Numbers are little-endian. A batch is its version, the number of records, then each record: topic, key, value,
//! headers. A length of `u32::MAX` stands for an absent key or value.

use crate::batch::{Batch, Topic};

/// The version of the form; another one is refused.
const VERSION: u8 = 1;
/// Stands for a key or value that is absent.
const ABSENT: u32 = u32::MAX;
/// Every header name that a record of [`Batch`] can have: what is read back gets its name from here.
const NAMES: [&str; 22] = [
    "content-type",
    "postern_id",
    "postern_source",
    "postern_type",
    "ce_specversion",
    "ce_id",
    "ce_source",
    "ce_type",
    "ce_subject",
    "ce_time",
    "ce_recordedtime",
    "ce_partitionkey",
    "ce_dataschema",
    "ce_traceparent",
    "postern_service",
    "postern_reason",
    "postern_items",
    "postern_size",
    "postern_sha256",
    "postern_truncated",
    "postern_kid",
    "traceparent",
];

/// What was stored cannot be read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoredError {
    /// Written by another version of postern.
    #[error("the form has version {0}, this postern reads version 1")]
    Version(u8),
    /// Cut, changed, or nothing that was ever stored.
    #[error("it is not what was stored")]
    Damaged,
}

impl Batch {
    /// Appends the stored form of every record.
    pub fn store(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        push_length(out, self.len());
        for record in self.records() {
            out.push(topic_byte(record.topic()));
            push_optional(out, record.key());
            push_optional(out, record.value());
            let headers = record.headers();
            push_length(out, headers.len());
            for (name, value) in headers {
                let at = NAMES.iter().position(|known| *known == name);
                let at = at.and_then(|at| u8::try_from(at).ok());
                out.push(at.expect("every header name stands in the list; a test holds it there"));
                push_optional(out, Some(value));
            }
        }
    }

    /// Reads back what [`Batch::store`] wrote. Its records were verified before they were stored: whoever calls this
    /// answers for the integrity of the place where they lay (the spool's directory is postern's alone, its entries
    /// carry checksums).
    ///
    /// # Errors
    /// When it is of another version, or not what was stored.
    pub fn from_stored(bytes: &[u8]) -> Result<Self, StoredError> {
        let mut rest = Rest(bytes);
        match rest.byte()? {
            VERSION => {}
            other => return Err(StoredError::Version(other)),
        }
        let records = rest.length()?;
        // The smallest record has 13 bytes: a larger number is no number of records.
        let mut batch = Self::with_capacity(records.min(bytes.len() / 13), bytes.len());
        for _ in 0..records {
            batch.begin(topic(rest.byte()?)?);
            if let Some(key) = rest.optional()? {
                batch.key(key);
            }
            if let Some(value) = rest.optional()? {
                let written: Result<(), std::convert::Infallible> = batch.value(|out| {
                    out.extend_from_slice(value);
                    Ok(())
                });
                let Ok(()) = written;
            }
            for _ in 0..rest.length()? {
                let name = *NAMES.get(usize::from(rest.byte()?)).ok_or(StoredError::Damaged)?;
                batch.header(name, rest.optional()?.ok_or(StoredError::Damaged)?);
            }
        }
        if rest.0.is_empty() { Ok(batch) } else { Err(StoredError::Damaged) }
    }

    /// Each record as a batch of its own, to find the one that Kafka refuses.
    #[must_use]
    pub fn split(&self) -> Vec<Self> {
        let alone = |record: crate::batch::Record<'_>| {
            let mut batch = Self::with_capacity(1, record.value().map_or(0, <[u8]>::len) + 512);
            batch.copy(record);
            batch
        };
        self.records().map(alone).collect()
    }
}

const fn topic_byte(topic: Topic) -> u8 {
    match topic {
        Topic::Events => 0,
        Topic::Lifecycle => 1,
        Topic::Quarantine => 2,
    }
}

fn topic(byte: u8) -> Result<Topic, StoredError> {
    Topic::ALL.into_iter().find(|topic| topic_byte(*topic) == byte).ok_or(StoredError::Damaged)
}

fn push_length(out: &mut Vec<u8>, length: usize) {
    let length = u32::try_from(length).ok().filter(|length| *length != ABSENT);
    out.extend_from_slice(&length.expect("a delivery is megabytes at most").to_le_bytes());
}

fn push_optional(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => out.extend_from_slice(&ABSENT.to_le_bytes()),
        Some(bytes) => {
            push_length(out, bytes.len());
            out.extend_from_slice(bytes);
        }
    }
}

/// What has not been read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn byte(&mut self) -> Result<u8, StoredError> {
        let (first, rest) = self.0.split_first().ok_or(StoredError::Damaged)?;
        self.0 = rest;
        Ok(*first)
    }

    fn number(&mut self) -> Result<u32, StoredError> {
        let (number, rest) = self.0.split_first_chunk::<4>().ok_or(StoredError::Damaged)?;
        self.0 = rest;
        Ok(u32::from_le_bytes(*number))
    }

    fn length(&mut self) -> Result<usize, StoredError> {
        usize::try_from(self.number()?).map_err(|_| StoredError::Damaged)
    }

    fn optional(&mut self) -> Result<Option<&'a [u8]>, StoredError> {
        let length = self.number()?;
        if length == ABSENT {
            return Ok(None);
        }
        let length = usize::try_from(length).map_err(|_| StoredError::Damaged)?;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(StoredError::Damaged)?;
        self.0 = rest;
        Ok(Some(bytes))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> Batch {
        let mut batch = Batch::new();
        for (topic, key) in [(Topic::Events, Some("org/a")), (Topic::Lifecycle, None)] {
            batch.begin(topic);
            if let Some(key) = key {
                batch.key(key.as_bytes());
            }
            batch.static_header("content-type", "application/json");
            batch.header("postern_id", b"1");
            let Ok(()) = batch.value(|out| {
                out.extend_from_slice(b"{}");
                Ok::<(), std::convert::Infallible>(())
            });
        }
        batch.begin(Topic::Quarantine);
        batch
    }

    fn stored(batch: &Batch) -> Vec<u8> {
        let mut out = Vec::new();
        batch.store(&mut out);
        out
    }

    #[test]
    fn what_was_stored_comes_back() {
        let batch = sample();
        let bytes = stored(&batch);
        let back = Batch::from_stored(&bytes).expect("is what was stored");
        assert_eq!(stored(&back), bytes);
        let first = back.records().next().expect("three");
        assert_eq!((first.topic(), first.key()), (Topic::Events, Some(&b"org/a"[..])));
        assert_eq!(first.headers().collect::<Vec<_>>()[1], ("postern_id", &b"1"[..]));
        let parts = batch.split();
        assert_eq!(parts.len(), 3);
        let sizes: usize = parts.iter().map(|part| stored(part).len() - 5).sum();
        assert_eq!(sizes + 5, bytes.len());
    }

    #[test]
    fn what_is_cut_or_of_another_version_is_refused() {
        let bytes = stored(&sample());
        for end in 0..bytes.len() {
            assert_eq!(Batch::from_stored(&bytes[..end]).err(), Some(StoredError::Damaged));
        }
        let mut other = bytes.clone();
        other[0] = 2;
        assert_eq!(Batch::from_stored(&other).err(), Some(StoredError::Version(2)));
        other[0] = VERSION;
        other.push(0);
        assert_eq!(Batch::from_stored(&other).err(), Some(StoredError::Damaged));
    }

    proptest! {
        #[test]
        fn any_bytes_get_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            drop(Batch::from_stored(&bytes));
            let mut bytes = bytes;
            bytes.insert(0, VERSION);
            drop(Batch::from_stored(&bytes));
        }
    }
}
