//! What does handing records over mean? The seam between the edge and whatever makes records durable.

use std::future::Future;
use std::time::Instant;

use crate::batch::Batch;

/// Makes records durable. Implemented by the Kafka producer, and in memory for tests.
pub trait Publish: Send + Sync + 'static {
    /// Returns once *every* record of the batch is durable (acknowledged with acks=all), or with the reason why that
    /// is not known by `deadline`. After an error the records may still turn up in their topic.
    fn publish(
        &self,
        batch: Batch,
        deadline: Instant,
    ) -> impl Future<Output = Result<(), PublishError>> + Send;

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
