//! How is what is not trusted put aside? One quarantine record a delivery, within its budget.

use std::time::Duration;

use http::request::Parts;
use hyper::body::{Body as _, Incoming};
use postern_core::batch::Batch;
use postern_core::delivery::{Delivery, Verified};
use postern_core::provider::google::{
    KEPT_CHANNEL_HEADERS, KEPT_PUBSUB_HEADERS, PubsubSource, unread_push,
};
use postern_core::publish::{Publish, PublishError};
use postern_core::quarantine::{KEPT_PATH, KeptBody, Quarantined};
use postern_core::reason::{Reason, Untrusted};
use postern_core::service::Service;
use postern_core::time::UnixMillis;
use postern_core::trust::Trust;
use tokio::time::Instant;

use crate::metrics::Outcome;
use crate::phase::Phase;
use crate::pipeline::{Edge, traceparent};
use crate::refusal::Refusal;
use crate::route::Endpoint;
use crate::timer::ConnectionTimer;

/// What a quarantined record's header room is taken to be, on top of its body.
const QUARANTINE_HEAD: usize = 1 << 10;
/// How much later than its deadline a publisher may come back; well within what is kept for writing the answer.
const OVERTIME: Duration = Duration::from_millis(25);

impl<P: Publish> Edge<P> {
    /// Quarantines what must not be lost; it is answered like something genuine, once it is durable.
    pub(crate) async fn quarantine(
        &self,
        judged: &Judged<'_>,
        untrusted: &[Untrusted],
        deadline: Instant,
    ) -> Result<(), Refusal> {
        let size = judged.delivery.body.len().min(self.config.quarantine_body);
        let record = || judged.record(untrusted, self.config.quarantine_body);
        self.store(judged.verified.service(), untrusted, size, record, judged.timer, deadline).await
    }

    /// Quarantines a push whose body is too large to be read: that it came, and what its head says. Nothing of a denied
    /// tenant is stored.
    pub(crate) async fn set_aside(
        &self,
        head: &Parts,
        source: &PubsubSource,
        body: &Incoming,
        received: UnixMillis,
        timer: &ConnectionTimer,
        deadline: Instant,
    ) -> Result<(), Refusal> {
        let untrusted = [Untrusted { index: 0, reason: Reason::TooLarge }];
        let trust = self.trust.load_full();
        let (service, denied) = unread_push(source, &head.headers, &trust);
        if self.life.phase() >= Phase::Flushing {
            self.metrics.items(service, Outcome::Failed, untrusted.len());
            return Err(Refusal::Draining);
        }
        if denied {
            self.metrics.items(service, Outcome::Denied, untrusted.len());
            return Ok(());
        }
        let record = || {
            Quarantined {
                service: service.as_str(),
                items: &[],
                reason: Reason::TooLarge,
                body: KeptBody::Unread(declared_length(head).or(body.size_hint().exact())),
                kept: &kept(&Endpoint::Pubsub(source), head),
                received,
                traceparent: traceparent(&head.headers),
            }
            .record(trust.ring(), self.config.quarantine_body)
        };
        self.store(service, &untrusted, 0, record, timer, deadline).await
    }

    /// Makes one quarantine record durable, if the budget allows.
    async fn store(
        &self,
        service: Service,
        untrusted: &[Untrusted],
        size: usize,
        record: impl FnOnce() -> Batch,
        timer: &ConnectionTimer,
        deadline: Instant,
    ) -> Result<(), Refusal> {
        let stored = if self.budget.take(size + QUARANTINE_HEAD) {
            let stored = self.publisher.quarantine(record(), deadline.into_std());
            in_time(timer, deadline, stored).await.map_err(undecided)
        } else {
            Err(Refusal::Undecided)
        };
        match stored {
            Ok(()) => self.count_quarantined(service, untrusted),
            Err(_) => self.metrics.items(service, Outcome::Failed, untrusted.len()),
        }
        stored
    }

    /// Quarantines junk beside something genuine: counted and dropped where there is no room for it.
    pub(crate) fn quarantine_beside(&self, judged: &Judged<'_>, untrusted: &[Untrusted]) {
        let service = judged.verified.service();
        let size = judged.delivery.body.len().min(self.config.quarantine_body) + QUARANTINE_HEAD;
        let sent = self.budget.take(size) && {
            let record = judged.record(untrusted, self.config.quarantine_body);
            self.publisher.quarantine_unwaited(record).is_ok()
        };
        if sent {
            self.count_quarantined(service, untrusted);
        } else {
            self.metrics.items(service, Outcome::Dropped, untrusted.len());
        }
    }

    fn count_quarantined(&self, service: Service, untrusted: &[Untrusted]) {
        self.metrics.items(service, Outcome::Quarantined, untrusted.len());
        for item in untrusted {
            self.metrics.quarantined(service, item.reason);
        }
    }
}

/// A delivery with everything that its quarantine record needs.
pub(crate) struct Judged<'a> {
    pub(crate) trust: &'a Trust,
    pub(crate) delivery: &'a Delivery<'a>,
    pub(crate) verified: &'a Verified<'a>,
    pub(crate) kept: &'a [(&'a str, &'a [u8])],
    pub(crate) timer: &'a ConnectionTimer,
}

impl Judged<'_> {
    /// All items but those of denied connections, for a delivery of which Kafka refused a record.
    pub(crate) fn refused(&self, untrusted: &[Untrusted]) -> Vec<Untrusted> {
        let mut all = untrusted.to_vec();
        let known = |index| untrusted.iter().any(|item| item.index == index);
        let genuine = self.verified.genuine_indexes().into_iter().filter(|index| !known(*index));
        all.extend(genuine.map(|index| Untrusted { index, reason: Reason::TooLarge }));
        all.sort_unstable_by_key(|item| item.index);
        all
    }

    fn record(&self, untrusted: &[Untrusted], max_body: usize) -> Batch {
        let whole = self.verified.whole_body();
        let first = untrusted.first().map_or(Reason::UnreadableBody, |item| item.reason);
        Quarantined {
            service: self.verified.service().as_str(),
            items: if whole.is_some() { &[] } else { untrusted },
            reason: whole.unwrap_or(first),
            body: self.verified.kept_body(self.delivery.body),
            kept: self.kept,
            received: self.delivery.received,
            traceparent: self.delivery.traceparent,
        }
        .record(self.trust.ring(), max_body)
    }
}

/// What a replay needs beside the body: the path, and the headers that are part of the notification.
pub(crate) fn kept<'a>(endpoint: &Endpoint<'_>, head: &'a Parts) -> Vec<(&'a str, &'a [u8])> {
    let names: &'static [&'static str] = match endpoint {
        Endpoint::Graph { .. } => &[],
        Endpoint::Pubsub(_) => &KEPT_PUBSUB_HEADERS,
        Endpoint::Channel(_) => &KEPT_CHANNEL_HEADERS,
    };
    let mut kept = vec![(KEPT_PATH, head.uri.path().as_bytes())];
    for name in names {
        kept.extend(head.headers.get_all(*name).iter().map(|value| (*name, value.as_bytes())));
    }
    kept
}

/// `Content-Length`, as hyper has checked it.
fn declared_length(head: &Parts) -> Option<u64> {
    head.headers.get(http::header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The publisher keeps the deadline itself; this keeps the promise should it not.
pub(crate) async fn in_time<T>(
    timer: &ConnectionTimer,
    deadline: Instant,
    work: impl Future<Output = Result<T, PublishError>>,
) -> Result<T, PublishError> {
    tokio::select! {
        biased;
        done = work => done,
        () = timer.until(deadline + OVERTIME) => Err(PublishError::Timeout),
    }
}

pub(crate) fn undecided(error: PublishError) -> Refusal {
    tracing::debug!(reason = error.reason(), "not durable");
    match error {
        PublishError::QueueFull => Refusal::Overloaded,
        PublishError::Unavailable
        | PublishError::Timeout
        | PublishError::Failed
        | PublishError::RecordRefused => Refusal::Undecided,
    }
}
