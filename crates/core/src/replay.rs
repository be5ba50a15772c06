//! What comes out of a quarantined delivery when it is judged again, with today's keys?
//!
//! It is judged as of its first receipt: its records have the ids and times that they would have had then, and a token
//! that had expired stays expired. What was proven at receipt and is not kept, the bearer token of a Pub/Sub push, is
//! not asked for again: only such a push was quarantined at all, and the seal says that postern wrote the record.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

use crate::batch::Batch;
use crate::cloud_event;
use crate::delivery::{Delivery, Rejection, Route};
use crate::form::Form;
use crate::key_ring::OpenError;
use crate::path::RoutePath;
use crate::percent;
use crate::provider::google::PubsubSource;
use crate::quarantine::{self, KEPT_PATH, LISTED_ITEMS, Opened};
use crate::reason::Reason;
use crate::service::Service;
use crate::time::UnixMillis;
use crate::trust::Trust;

/// A quarantine record, as far as it can be read without a key.
#[derive(Debug)]
pub struct Stored<'a> {
    /// The service it was received for.
    pub service: Service,
    /// Why it was not trusted: the first reason, then that of each listed item.
    pub reasons: Vec<Reason>,
    /// Its first receipt.
    pub received: UnixMillis,
    /// The positions of the items that were not trusted; `None`: the whole delivery, or more than are listed.
    items: Option<Vec<usize>>,
    traceparent: Option<&'a str>,
    kid: Option<&'a str>,
    /// Not all of its body is kept.
    cut: bool,
    /// Its body was read.
    read: bool,
    sealed: Option<&'a [u8]>,
}

/// A delivery that was judged again.
#[derive(Debug)]
pub struct Judged {
    /// The records of what passes; none where nothing does.
    pub batch: Batch,
    /// How many items pass.
    pub passed: usize,
    /// Why the others are still not trusted, a reason an item.
    pub untrusted: Vec<Reason>,
    /// How many belong to a connection that is denied now.
    pub denied: usize,
}

/// Why a quarantine record cannot be judged again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Unjudged {
    /// It was sealed with a key that the ring lacks.
    #[error("sealed with a key that is not in the ring: add that key and start from the beginning")]
    UnknownKey,
    /// It came in by a route that does not exist with this configuration.
    #[error("its route is not configured: add its [pubsub.<name>] and start from the beginning")]
    NoRoute,
    /// Nothing was kept: there was no ring to seal with.
    #[error("nothing was kept of it: there was no key ring to seal with")]
    NothingKept,
    /// Its body was too large to be read.
    #[error("its body was too large to be read")]
    NotRead,
    /// Its body is longer than what is kept.
    #[error("its body was cut at quarantine.max_body")]
    Cut,
    /// It holds an item of a connection that was denied: its body was not stored.
    #[error("its body was not stored: it holds an item of a denied connection")]
    Withheld,
    /// The value is not what was sealed.
    #[error("it does not open: changed since it was sealed")]
    DoesNotOpen,
    /// The headers are not those of a quarantine record.
    #[error("it is no quarantine record of this version")]
    NoRecord,
}

impl Unjudged {
    /// The word in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownKey => "unknown-seal-key",
            Self::NoRoute => "no-route",
            Self::NothingKept => "nothing-kept",
            Self::NotRead => "not-read",
            Self::Cut => "cut",
            Self::Withheld => "withheld",
            Self::DoesNotOpen => "does-not-open",
            Self::NoRecord => "no-record",
        }
    }
}

#[derive(Deserialize)]
struct ListedItem {
    index: usize,
    reason: String,
}

impl<'a> Stored<'a> {
    /// Reads a record of the quarantine topic by the values of its headers; `None` where it is no such record.
    #[must_use]
    pub fn read(
        header: impl Fn(&str) -> Option<&'a [u8]>,
        value: Option<&'a [u8]>,
    ) -> Option<Self> {
        let text = |name: &str| header(name).and_then(|value| std::str::from_utf8(value).ok());
        let service = text("postern_service")?;
        let listed: Vec<ListedItem> = serde_json::from_slice(header("postern_items")?).ok()?;
        let words = std::iter::once(text("postern_reason")?);
        let words = words.chain(listed.iter().map(|item| item.reason.as_str()));
        // None are listed where the whole body is at fault. A full list may be cut: then everything is judged, since
        // publishing twice is allowed and losing is not.
        let exact = (1..LISTED_ITEMS).contains(&listed.len());
        Some(Self {
            service: Service::ALL.into_iter().find(|known| known.as_str() == service)?,
            reasons: words.filter_map(Reason::from_word).collect(),
            received: UnixMillis::parse(text("ce_recordedtime")?)?,
            items: exact.then(|| listed.iter().map(|item| item.index).collect()),
            traceparent: header("ce_traceparent").and_then(cloud_event::traceparent),
            kid: text("postern_kid"),
            cut: text("postern_truncated")? != "false",
            read: header("postern_sha256").is_some(),
            sealed: value,
        })
    }
}

/// Judges quarantined deliveries again.
#[derive(Clone, Copy, Debug)]
pub struct Judge<'a> {
    /// Today's keys, static secrets and deny list.
    pub trust: &'a Trust,
    /// Today's Pub/Sub sources.
    pub sources: &'a [PubsubSource],
    /// How events are written.
    pub form: Form,
}

impl Judge<'_> {
    /// What a quarantined delivery comes to now. Of a delivery that was not trusted in part, only that part is judged:
    /// the rest was published at receipt.
    ///
    /// # Errors
    /// When what is stored does not let it be judged.
    pub fn judge(&self, stored: &Stored<'_>) -> Result<Judged, Unjudged> {
        let Opened { kept, body } = self.open(stored)?;
        let path = kept.iter().find(|(name, _)| name == KEPT_PATH);
        let path = path.and_then(|(_, path)| std::str::from_utf8(path).ok());
        let found = RoutePath::parse(path.ok_or(Unjudged::NoRecord)?).ok_or(Unjudged::NoRoute)?;
        let headers = headers(&kept).ok_or(Unjudged::NoRecord)?;
        // A channel's notification is its headers: there the body says nothing.
        if stored.cut && !matches!(found, RoutePath::Channel(_)) {
            return Err(if body.is_empty() { Unjudged::Withheld } else { Unjudged::Cut });
        }
        let tenant;
        let route = match found {
            RoutePath::Graph(segment) => {
                tenant = segment.map(percent::decode_segment);
                Route::Graph { tenant: tenant.as_ref().map(|tenant| tenant.as_deref()) }
            }
            RoutePath::Pubsub(name) => {
                let source = self.sources.iter().find(|source| source.name == name);
                Route::Pubsub { source: source.ok_or(Unjudged::NoRoute)?, headers: &headers }
            }
            RoutePath::Channel(service) => Route::Channel { service, headers: &headers },
        };
        let (traceparent, received) = (stored.traceparent, stored.received);
        // How many items there may be was judged at receipt; the record's size bounds them now.
        let delivery =
            Delivery { route, body: &body, traceparent, received, max_items: usize::MAX };
        Ok(self.verify(&delivery, stored))
    }

    fn open(&self, stored: &Stored<'_>) -> Result<Opened, Unjudged> {
        if !stored.read {
            return Err(Unjudged::NotRead);
        }
        let sealed = stored.sealed.ok_or(Unjudged::NothingKept)?;
        let kid = stored.kid.ok_or(Unjudged::NoRecord)?;
        let ring = self.trust.ring().ok_or(Unjudged::UnknownKey)?;
        let opened = quarantine::open(ring, kid, stored.service.as_str(), sealed);
        opened.map_err(|error| match error {
            OpenError::UnknownKey => Unjudged::UnknownKey,
            OpenError::Changed => Unjudged::DoesNotOpen,
        })
    }

    fn verify(&self, delivery: &Delivery<'_>, stored: &Stored<'_>) -> Judged {
        let nothing =
            |reason| Judged { batch: Batch::new(), passed: 0, untrusted: vec![reason], denied: 0 };
        let mut verified = match delivery.verify(self.trust) {
            Ok(verified) => verified,
            Err(Rejection::Unreadable) => return nothing(Reason::UnreadableBody),
            Err(Rejection::TooManyItems) => return nothing(Reason::TooLarge),
        };
        // Of the headers that made it a CloudEvent only those are kept that an event is read from: without them it
        // would pass for something else than what was received.
        if stored.service == Service::WorkspaceEvents && verified.service() == Service::Gmail {
            return nothing(Reason::UnusableItem);
        }
        if let Some(items) = &stored.items {
            verified.keep_only(items);
        }
        let (batch, too_large) = verified.normalize(&self.form);
        let untrusted = verified.untrusted().iter().chain(&too_large).map(|item| item.reason);
        Judged {
            passed: verified.genuine() - too_large.len(),
            untrusted: untrusted.collect(),
            denied: verified.denied(),
            batch,
        }
    }
}

/// The request's headers, as far as they were kept.
fn headers(kept: &[(String, Vec<u8>)]) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in kept.iter().filter(|(name, _)| name != KEPT_PATH) {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        headers.append(name, HeaderValue::from_bytes(value).ok()?);
    }
    Some(headers)
}
