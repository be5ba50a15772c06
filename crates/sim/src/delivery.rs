//! What is one delivery, and what does the contract promise to come of it?

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method, Uri};
use serde::Serialize;

/// One request of a provider, with everything that is expected of it.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its place in the scenario; with the scenario it determines all the rest.
    pub sequence: u64,
    /// The sequence number of the delivery that this one repeats, byte for byte.
    pub repeats: Option<u64>,
    /// Always POST in what scenarios make.
    pub method: Method,
    /// Path and query.
    pub uri: Uri,
    /// All headers but `Host` and `Content-Length`.
    pub headers: Arc<HeaderMap>,
    /// The body.
    pub body: Bytes,
    /// The time over which the body is trickled out; `None`: at once.
    pub slow: Option<Duration>,
    /// What must come of it.
    pub expected: Expected,
}

impl Delivery {
    /// A first delivery, sent at once.
    pub(crate) fn post(
        sequence: u64,
        uri: Uri,
        headers: &Arc<HeaderMap>,
        body: Bytes,
        expected: Expected,
    ) -> Self {
        Self {
            sequence,
            repeats: None,
            method: Method::POST,
            uri,
            headers: Arc::clone(headers),
            body,
            slow: None,
            expected,
        }
    }

    /// How many of its items are genuine.
    pub fn genuine(&self) -> u64 {
        self.expected.items.iter().filter(|item| item.verdict.is_genuine()).count() as u64
    }
}

/// What the contract promises for a delivery while nothing is out of order. A receiver that is
/// overloaded, or whose Kafka is away, may answer 503 instead of any 2xx to traffic with items.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The status of the answer.
    pub status: u16,
    /// The exact body of the answer, where it has one (the handshake's echo).
    pub echo: Option<Bytes>,
    /// Its items in order; none where the delivery as a whole is refused.
    pub items: Vec<Item>,
}

/// What is expected of one notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The CloudEvents `source` of its records.
    pub source: Arc<str>,
    /// How its records are found.
    pub key: RecordKey,
    /// The record key (`partitionkey`), where the contract settles it.
    pub partition_key: Option<Arc<str>>,
    /// Published or quarantined, and as what.
    pub verdict: Verdict,
}

/// The attribute by which an observer finds the records of an item; unique together with `source`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RecordKey {
    /// CloudEvents `id`.
    Id(String),
    /// CloudEvents `subject`: the item carries no id, so the receiver's `id` is a hash of its own.
    Subject(String),
}

/// What must come of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Genuine: each of these records is on its topic once the delivery got a 2xx.
    Published(&'static [Record]),
    /// Not trusted: only ever in the delivery's quarantine record, for this reason.
    Quarantined(Reason),
}

impl Verdict {
    /// Whether the item is to be published.
    pub fn is_genuine(self) -> bool {
        matches!(self, Self::Published(_))
    }
}

/// A record that an item turns into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Record {
    /// Where it goes.
    pub topic: Topic,
    /// The CloudEvents `type`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What stands behind the item's id in the CloudEvents `id`.
    pub id_suffix: &'static str,
}

impl Record {
    /// What asks for everything to be read again, beside the signal that made it necessary.
    pub(crate) const RESYNC: Self = Self {
        topic: Topic::Events,
        kind: "io.postern.mailbox.resync-required.v1",
        id_suffix: ".resync",
    };

    /// A record on the events topic under the item's own id.
    pub(crate) const fn event(kind: &'static str) -> Self {
        Self { topic: Topic::Events, kind, id_suffix: "" }
    }

    /// A record on the lifecycle topic under the item's own id.
    pub(crate) const fn lifecycle(kind: &'static str) -> Self {
        Self { topic: Topic::Lifecycle, kind, id_suffix: "" }
    }
}

/// A topic of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Topic {
    /// What a fetcher acts on.
    Events,
    /// Signals about subscriptions.
    Lifecycle,
    /// Deliveries that were not trusted.
    Quarantine,
}

impl Topic {
    /// The topic's default name.
    pub fn default_name(self) -> &'static str {
        match self {
            Self::Events => "postern.events.v1",
            Self::Lifecycle => "postern.lifecycle.v1",
            Self::Quarantine => "postern.quarantine.v1",
        }
    }
}

/// Why an item is quarantined: the contract's closed set (section 4.3), as far as it is played here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the contract's words")]
pub enum Reason {
    NoToken,
    MalformedToken,
    UnknownKey,
    ForgedToken,
    ExpiredToken,
    TenantMismatch,
    ValidationTokens,
    UnusableItem,
    UnreadableBody,
}

impl Reason {
    /// The contract's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoToken => "no-token",
            Self::MalformedToken => "malformed-token",
            Self::UnknownKey => "unknown-key",
            Self::ForgedToken => "forged-token",
            Self::ExpiredToken => "expired-token",
            Self::TenantMismatch => "tenant-mismatch",
            Self::ValidationTokens => "validation-tokens",
            Self::UnusableItem => "unusable-item",
            Self::UnreadableBody => "unreadable-body",
        }
    }
}
