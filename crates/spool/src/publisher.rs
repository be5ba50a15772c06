//! Where does a request's batch become durable? In Kafka while it answers, else in the spool.

use std::time::{Duration, Instant};

use postern_core::batch::Batch;
use postern_core::publish::{Circuit, Durable, Publish, PublishError};

use crate::log::AppendError;
use crate::spool::Spool;

/// What is left for the spool of a request's time: the group that is being written and the next one, on a disk that takes half
/// a second for each.
const SPOOL_SHARE: Duration = Duration::from_millis(1_400);

/// Kafka, with a spool behind it where one is configured.
#[derive(Debug)]
pub struct Publisher<K> {
    kafka: K,
    spool: Option<Spool>,
}

impl<K> Publisher<K> {
    /// Without a spool, what Kafka does not take is not durable.
    pub const fn new(kafka: K, spool: Option<Spool>) -> Self {
        Self { kafka, spool }
    }

    /// Kafka.
    pub const fn kafka(&self) -> &K {
        &self.kafka
    }

    /// The spool, where there is one.
    pub const fn spool(&self) -> Option<&Spool> {
        self.spool.as_ref()
    }
}

impl<K: Publish> Publish for Publisher<K> {
    fn circuit(&self) -> Circuit {
        self.kafka.circuit()
    }

    async fn publish(&self, batch: &Batch, deadline: Instant) -> Result<Durable, PublishError> {
        let Some(spool) = &self.spool else { return self.kafka.publish(batch, deadline).await };
        // A half-open breaker wants probes, not requests: the drain gives it one out of the spool.
        if self.kafka.circuit() == Circuit::Closed {
            let left = deadline.saturating_duration_since(Instant::now());
            let kafka_by = deadline - SPOOL_SHARE.min(left / 2);
            match self.kafka.publish(batch, kafka_by).await {
                Ok(durable) => return Ok(durable),
                // The disk would take it, and Kafka never.
                Err(PublishError::RecordRefused) => return Err(PublishError::RecordRefused),
                // It may turn up in its topic nevertheless: then it comes twice, with the same id.
                Err(_) => {}
            }
        }
        match spool.append(batch, deadline).await {
            Ok(()) => Ok(Durable::Spool),
            Err(error) => Err(not_spooled(error)),
        }
    }

    async fn quarantine(&self, record: Batch, deadline: Instant) -> Result<(), PublishError> {
        self.kafka.quarantine(record, deadline).await
    }

    fn quarantine_unwaited(&self, record: Batch) -> Result<(), PublishError> {
        self.kafka.quarantine_unwaited(record)
    }
}

fn not_spooled(error: AppendError) -> PublishError {
    tracing::debug!(%error, "not spooled");
    match error {
        AppendError::Busy => PublishError::QueueFull,
        AppendError::Timeout => PublishError::Timeout,
        AppendError::Full | AppendError::Failing | AppendError::Closed => PublishError::Unavailable,
        AppendError::TooLarge => PublishError::Failed,
    }
}
