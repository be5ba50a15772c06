//! How does what was spooled get to Kafka? On a lane of its own; while the breaker is half-open, as its probe.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use postern_core::batch::Batch;
use postern_core::publish::{Circuit, PublishError, Redeliver};

use crate::lane::{Lane, outgoing};
use crate::producer::{StartError, hand_over};

/// librdkafka settles every record within its own timeout and a reconnect; this is for a client that does not.
const SETTLED_BY: Duration = Duration::from_secs(40);
/// How long the result of a probe is waited for: a Kafka that takes longer than a request would wait is slow, and its
/// acknowledgement still takes the record off the spool.
const PROBE_SETTLED_BY: Duration = Duration::from_secs(5);

/// The lane of a spool. Dropping it purges what is outstanding; the spool still has it.
pub struct Redelivery {
    lane: Arc<Lane>,
    live: Arc<Lane>,
    quarantine: Arc<Lane>,
    stop: Arc<AtomicBool>,
}

impl std::fmt::Debug for Redelivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redelivery").field("circuit", &self.circuit()).finish_non_exhaustive()
    }
}

impl Redelivery {
    pub(crate) fn start(
        lane: Arc<Lane>,
        live: Arc<Lane>,
        quarantine: Arc<Lane>,
    ) -> Result<Self, StartError> {
        let stop = Arc::new(AtomicBool::new(false));
        crate::watch::spawn(Arc::clone(&lane), Arc::clone(&stop))?;
        Ok(Self { lane, live, quarantine, stop })
    }
}

impl Drop for Redelivery {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.lane.health.wake_watcher();
    }
}

impl Redeliver for Redelivery {
    fn circuit(&self) -> Circuit {
        self.live.health.state()
    }

    async fn probe(&self, batch: &Batch) -> Result<(), PublishError> {
        probe(&self.live, batch).await
    }

    async fn redeliver(&self, batch: &Batch) -> Result<(), PublishError> {
        if self.lane.health.state() == Circuit::HalfOpen {
            // The lane's own breaker wants to see an acknowledgement first.
            return probe(&self.lane, batch).await;
        }
        let deadline = Instant::now() + SETTLED_BY;
        hand_over(&self.lane, batch.records().map(outgoing), deadline)?.outcome(deadline).await
    }

    async fn quarantine(&self, record: &Batch) -> Result<(), PublishError> {
        let deadline = Instant::now() + PROBE_SETTLED_BY;
        let waiting = hand_over(&self.quarantine, record.records().map(outgoing), deadline)?;
        waiting.outcome(deadline).await
    }
}

async fn probe(lane: &Lane, batch: &Batch) -> Result<(), PublishError> {
    let ack = lane.probe(batch.records().map(outgoing), Instant::now())?;
    let settled = tokio::time::timeout(PROBE_SETTLED_BY, ack.wait()).await;
    settled.unwrap_or(Err(PublishError::Timeout))
}
