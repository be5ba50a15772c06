//! What does handing records over mean? The seam between the edge and whatever makes records durable.

use std::future::Future;
use std::time::Instant;

use crate::batch::Batch;

/// Makes records durable. Implemented by the Kafka producer, by the spool in front of it, and in memory for tests.
pub trait Publish: Send + Sync + 'static {
    /// The circuit breaker in front of Kafka.
    fn circuit(&self) -> Circuit;

    /// Returns once *every* record of the batch is durable, and where; or with the reason why that is not known by
    /// `deadline`. After an error the records may still turn up in their topic.
    fn publish(
        &self,
        batch: &Batch,
        deadline: Instant,
    ) -> impl Future<Output = Result<Durable, PublishError>> + Send;

    /// Like [`Publish::publish`], for the one record of a quarantined delivery, in a queue of its own that cannot
    /// crowd out genuine records.
    fn quarantine(
        &self,
        record: Batch,
        deadline: Instant,
    ) -> impl Future<Output = Result<(), PublishError>> + Send;

    /// Hands a quarantine record over without waiting for it: junk beside something genuine.
    ///
    /// # Errors
    /// When it cannot even be queued.
    fn quarantine_unwaited(&self, record: Batch) -> Result<(), PublishError>;
}

/// Hands over again what was made durable elsewhere before: what the drain of a spool needs of Kafka.
pub trait Redeliver: Send + Sync + 'static {
    /// The circuit breaker of the live path.
    fn circuit(&self) -> Circuit;

    /// Sends one record on the live path as a probe, where the half-open breaker wants one now, and waits for its
    /// acknowledgement as long as the breaker does. `Unavailable`: no probe is wanted, nothing was sent.
    fn probe(&self, batch: &Batch) -> impl Future<Output = Result<(), PublishError>> + Send;

    /// Sends every record on a way of its own, in a queue that cannot crowd out live records, and waits until each is
    /// settled. After an error some may have been acknowledged.
    fn redeliver(&self, batch: &Batch) -> impl Future<Output = Result<(), PublishError>> + Send;

    /// Hands over the quarantine record of one that was refused for good, and waits for its acknowledgement.
    fn quarantine(&self, record: &Batch) -> impl Future<Output = Result<(), PublishError>> + Send;
}

/// Where records are durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durable {
    /// Acknowledged by Kafka with acks=all.
    Kafka,
    /// Written and fsynced on this machine's disk; they go to Kafka from there.
    Spool,
}

/// The states of the circuit breaker in front of Kafka. The discriminants are the values of `postern_breaker_state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circuit {
    /// Every request is tried.
    Closed = 0,
    /// Only probes are tried.
    HalfOpen = 1,
    /// Nothing is tried.
    Open = 2,
}

impl Circuit {
    /// The word in logs and in `/status`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half-open",
            Self::Open => "open",
        }
    }

    /// The state with this discriminant; what is none counts as open.
    #[must_use]
    pub const fn from_u8(value: u8) -> Self {
        match value {
            0 => Self::Closed,
            1 => Self::HalfOpen,
            _ => Self::Open,
        }
    }
}

/// Why records are not known to be durable. Each is answered 503: the provider sends again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The breaker is open: Kafka has been out of reach, nothing was tried.
    #[error("kafka is out of reach")]
    Unavailable,
    /// The producer's queue is full.
    #[error("the producer's queue is full")]
    QueueFull,
    /// No acknowledgement by the deadline.
    #[error("no acknowledgement by the deadline")]
    Timeout,
    /// Kafka, or the client, refused at least one record for a reason that is not the record's.
    #[error("delivery failed")]
    Failed,
    /// At least one record can never be taken (too large, invalid): trying again would not help.
    #[error("a record was refused for good")]
    RecordRefused,
}

impl PublishError {
    /// The word in logs.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::QueueFull => "queue-full",
            Self::Timeout => "timeout",
            Self::Failed => "failed",
            Self::RecordRefused => "record-refused",
        }
    }
}
