//! What is kept of a delivery that is not trusted, and how is it sealed?
//!
//! A hook token inside may be genuine, so nobody who reads the topic may be able to use it again: body and kept
//! headers are sealed with AES-256-GCM under a key derived from the ring.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::batch::{Batch, Topic};
use crate::key_ring::{KeyRing, OpenError};
use crate::reason::{Reason, Untrusted};
use crate::time::UnixMillis;

/// `dataschema` of the quarantine topic.
const SCHEMA: &str = "urn:postern:quarantine:v1";
const TYPE: &str = "io.postern.delivery.quarantined.v1";
/// The name under which a request's path is kept beside its body.
pub const KEPT_PATH: &str = "path";
/// How many items `postern_items` lists.
pub(crate) const LISTED_ITEMS: usize = 100;
/// First bytes of what is sealed: the version of its form.
const FORM: &[u8; 4] = b"pq1\n";

/// A delivery, or the part of it, that goes into quarantine.
#[derive(Debug)]
pub struct Quarantined<'a> {
    /// The service, as named in records.
    pub service: &'static str,
    /// What is not trusted; empty when the whole body is at fault.
    pub items: &'a [Untrusted],
    /// The first reason, or that of the whole body.
    pub reason: Reason,
    /// The body, as far as it may be kept.
    pub body: KeptBody<'a>,
    /// What a replay needs beside the body, by name: sealed with it.
    pub kept: &'a [(&'a str, &'a [u8])],
    /// Receipt.
    pub received: UnixMillis,
    /// The `traceparent` that the request carried.
    pub traceparent: Option<&'a str>,
}

/// What there is of a body, and what of it may be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptBody<'a> {
    /// The body as received.
    Whole(&'a [u8]),
    /// The body as received; it holds an item of a denied connection, so nothing of it is stored.
    Withheld(&'a [u8]),
    /// It was not read; its length where it was declared.
    Unread(Option<u64>),
}

impl<'a> KeptBody<'a> {
    fn received(self) -> Option<&'a [u8]> {
        match self {
            Self::Whole(body) | Self::Withheld(body) => Some(body),
            Self::Unread(_) => None,
        }
    }

    fn stored(self) -> &'a [u8] {
        match self {
            Self::Whole(body) => body,
            Self::Withheld(_) | Self::Unread(_) => &[],
        }
    }

    /// Its length as received, else as declared.
    fn size(self) -> Option<u64> {
        match self {
            Self::Whole(body) | Self::Withheld(body) => Some(body.len() as u64),
            Self::Unread(declared) => declared,
        }
    }
}

/// A quarantined delivery, opened.
#[derive(Debug, PartialEq, Eq)]
pub struct Opened {
    /// What was kept beside the body, by name.
    pub kept: Vec<(String, Vec<u8>)>,
    /// The body, perhaps cut.
    pub body: Vec<u8>,
}

#[derive(Serialize)]
struct ListedItem {
    index: usize,
    reason: &'static str,
}

impl Quarantined<'_> {
    /// The one record of this delivery; the body is cut at `max_body` bytes.
    #[must_use]
    pub fn record(&self, ring: Option<&KeyRing>, max_body: usize) -> Batch {
        let stored = self.body.stored();
        let cut = &stored[..stored.len().min(max_body)];
        let plain = self.plain(cut);
        let id = match self.body {
            KeptBody::Whole(_) => hex(&Sha256::digest(&plain)),
            KeptBody::Withheld(_) | KeptBody::Unread(_) => new_id(self.received),
        };
        let source = ["//postern/quarantine/", self.service].concat();
        let time = self.received.to_string();

        let mut batch = Batch::with_capacity(1, plain.len() + 1_024);
        batch.begin(Topic::Quarantine);
        batch.static_header("ce_specversion", "1.0");
        batch.header("ce_id", id.as_bytes());
        batch.header("ce_source", source.as_bytes());
        batch.static_header("ce_type", TYPE);
        batch.header("ce_time", time.as_bytes());
        batch.header("ce_recordedtime", time.as_bytes());
        batch.static_header("ce_dataschema", SCHEMA);
        if let Some(traceparent) = self.traceparent {
            batch.header("ce_traceparent", traceparent.as_bytes());
        }
        batch.static_header("content-type", "application/octet-stream");
        batch.static_header("postern_service", self.service);
        batch.static_header("postern_reason", self.reason.as_str());
        batch.header("postern_items", &self.listed_items());
        if let Some(size) = self.body.size() {
            batch.header("postern_size", size.to_string().as_bytes());
        }
        if let Some(received) = self.body.received() {
            batch.header("postern_sha256", hex(&Sha256::digest(received)).as_bytes());
        }
        let whole = self.body.received().is_some_and(|received| received.len() == cut.len());
        batch.static_header("postern_truncated", if whole { "false" } else { "true" });
        if let Some(ring) = ring {
            batch.header("postern_kid", ring.signing_kid().as_bytes());
            let sealed = ring.seal(self.service, plain);
            let written: Result<(), std::convert::Infallible> = batch.value(|out| {
                out.extend_from_slice(&sealed);
                Ok(())
            });
            let Ok(()) = written;
        }
        batch
    }

    /// What is sealed: the kept headers, each with lengths, then the body.
    fn plain(&self, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(body.len() + 256);
        out.extend_from_slice(FORM);
        push_length(&mut out, self.kept.len());
        for (name, value) in self.kept {
            push_length(&mut out, name.len());
            out.extend_from_slice(name.as_bytes());
            push_length(&mut out, value.len());
            out.extend_from_slice(value);
        }
        out.extend_from_slice(body);
        out
    }

    fn listed_items(&self) -> Vec<u8> {
        let listed: Vec<ListedItem> = self
            .items
            .iter()
            .take(LISTED_ITEMS)
            .map(|item| ListedItem { index: item.index, reason: item.reason.as_str() })
            .collect();
        serde_json::to_vec(&listed).expect("numbers and words are JSON")
    }
}

/// Opens the value of a quarantine record; `service` and `kid` stand in its headers.
///
/// # Errors
/// When the ring lacks the key, or the value is not what was sealed.
pub fn open(ring: &KeyRing, kid: &str, service: &str, value: &[u8]) -> Result<Opened, OpenError> {
    let plain = ring.open(kid, service, value)?;
    parse(&plain).ok_or(OpenError::Changed)
}

fn parse(plain: &[u8]) -> Option<Opened> {
    let mut rest = plain.strip_prefix(FORM)?;
    let count = take_length(&mut rest)?;
    let mut kept = Vec::new();
    for _ in 0..count {
        let name = take_counted(&mut rest)?;
        let value = take_counted(&mut rest)?;
        kept.push((String::from_utf8(name.to_vec()).ok()?, value.to_vec()));
    }
    Some(Opened { kept, body: rest.to_vec() })
}

fn push_length(out: &mut Vec<u8>, length: usize) {
    let length = u32::try_from(length).expect("heads are capped at kilobytes");
    out.extend_from_slice(&length.to_be_bytes());
}

fn take_length(rest: &mut &[u8]) -> Option<usize> {
    let (length, tail) = rest.split_first_chunk::<4>()?;
    *rest = tail;
    usize::try_from(u32::from_be_bytes(*length)).ok()
}

fn take_counted<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take_length(rest)?;
    let (taken, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(taken)
}

/// A `UUIDv7` of the receipt: for a record whose id cannot be a hash of what it holds.
fn new_id(received: UnixMillis) -> String {
    let millis = u64::try_from(received.0).unwrap_or(0);
    let seconds = millis / 1_000;
    let nanos = u32::try_from(millis % 1_000).unwrap_or(0) * 1_000_000;
    uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos)).to_string()
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    // Every event without an id of the provider's comes here: the formatting machinery would take most of its time.
    let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half & 15)]);
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(*byte));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn ring() -> KeyRing {
        let key = Secret::from_file_content((0..32).collect());
        KeyRing::new("k1", vec![("k1".to_owned(), key)]).expect("a good key")
    }

    fn headers(batch: &Batch) -> std::collections::HashMap<&'static str, String> {
        let record = batch.records().next().expect("one record");
        record.headers().map(|(k, v)| (k, String::from_utf8(v.to_vec()).expect("text"))).collect()
    }

    #[test]
    fn what_is_sealed_opens_and_says_what_it_was() {
        let ring = ring();
        let items = [Untrusted { index: 2, reason: Reason::NoToken }];
        let delivery = Quarantined {
            service: "graph",
            items: &items,
            reason: Reason::NoToken,
            body: KeptBody::Whole(b"0123456789"),
            kept: &[("path", b"/v1/microsoft/graph")],
            received: UnixMillis(1_700_000_000_000),
            traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        };
        let batch = delivery.record(Some(&ring), 4);
        let record = batch.records().next().expect("one record");
        let value = record.value().expect("sealed");
        let opened = open(&ring, "k1", "graph", value).expect("opens");
        assert_eq!(opened.body, b"0123");
        assert_eq!(opened.kept, [("path".to_owned(), b"/v1/microsoft/graph".to_vec())]);
        assert!(open(&ring, "k1", "drive", value).is_err(), "bound to its service");
        assert!(open(&ring, "k2", "graph", value).is_err(), "bound to its key");
        let mut changed = value.to_vec();
        changed[20] ^= 1;
        assert_eq!(open(&ring, "k1", "graph", &changed), Err(OpenError::Changed));

        let headers = headers(&batch);
        assert_eq!(headers["postern_items"], r#"[{"index":2,"reason":"no-token"}]"#);
        assert_eq!(headers["postern_size"], "10");
        assert_eq!(headers["postern_truncated"], "true");
        assert_eq!(headers["postern_kid"], "k1");
        assert!(headers["ce_traceparent"].starts_with("00-4bf9"));
        assert_eq!(headers["postern_sha256"], hex(&Sha256::digest(b"0123456789")));
        assert_eq!(headers["ce_id"], hex(&Sha256::digest(delivery.plain(b"0123"))));
        assert!(record.key().is_none());
    }

    #[test]
    fn without_a_ring_nothing_is_stored_and_denied_bodies_are_not_either() {
        let delivery = Quarantined {
            service: "graph",
            items: &[],
            reason: Reason::ValidationTokens,
            body: KeptBody::Withheld(b"secret"),
            kept: &[],
            received: UnixMillis(1_700_000_000_000),
            traceparent: None,
        };
        let bare = delivery.record(None, 100);
        assert!(bare.records().next().expect("one").value().is_none());
        assert!(!headers(&bare).contains_key("postern_kid"));
        let ring = ring();
        let sealed = delivery.record(Some(&ring), 100);
        let value = sealed.records().next().expect("one").value().expect("sealed").to_vec();
        assert_eq!(open(&ring, "k1", "graph", &value).expect("opens").body, b"");
        assert_ne!(headers(&bare)["ce_id"], headers(&sealed)["ce_id"], "not one id for all");
    }
}
