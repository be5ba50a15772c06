//! How is what passes made durable, and for how long is it tried?

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use postern_core::batch::Batch;
use postern_core::publish::{Publish as _, PublishError};
use postern_kafka::{Producer, Settings};
use prometheus::Registry;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

/// How long one try waits for the acknowledgement: a little longer than the producer itself tries.
const TRY: Duration = Duration::from_millis(2_500);
/// The pause between tries; the producer refuses at once while it knows Kafka to be away.
const PAUSE: Duration = Duration::from_millis(250);
/// How long a delivery's records are tried before the run is given up.
const PATIENCE: Duration = Duration::from_secs(15);

/// Publishes the records of deliveries, many at a time.
pub(super) struct Publisher {
    producer: Arc<Producer>,
    runtime: Handle,
    stop: Arc<AtomicBool>,
}

impl Publisher {
    /// Starts the producer; does not wait for Kafka.
    ///
    /// # Errors
    /// When its settings are refused.
    pub(super) fn start(
        kafka: &Settings,
        runtime: &Handle,
        stop: Arc<AtomicBool>,
    ) -> anyhow::Result<Self> {
        let producer = Producer::start(kafka, &Registry::new());
        let producer = Arc::new(producer.context("cannot start the kafka producer")?);
        Ok(Self { producer, runtime: runtime.clone(), stop })
    }

    /// Publishes every batch and says of each what came of it, in order; ends 15 s and a little after it began, what
    /// Kafka refuses for good aside.
    pub(super) fn publish(&self, batches: Vec<Batch>) -> Vec<Result<(), PublishError>> {
        let batches: Vec<Arc<Batch>> = batches.into_iter().map(Arc::new).collect();
        let mut outcomes = self.runtime.block_on(self.publish_all(&batches));
        if batches.len() > 1 {
            self.publish_alone(&batches, &mut outcomes);
        }
        outcomes
    }

    /// A broker refuses what librdkafka sends it in one go as a whole: alone, each answers for itself.
    fn publish_alone(&self, batches: &[Arc<Batch>], outcomes: &mut [Result<(), PublishError>]) {
        let mut away = None;
        for (outcome, batch) in outcomes.iter_mut().zip(batches) {
            if *outcome != Err(PublishError::RecordRefused) {
                continue;
            }
            *outcome = match away {
                Some(error) => Err(error),
                None => self.runtime.block_on(publish_one(
                    &self.producer,
                    batch,
                    Instant::now() + PATIENCE,
                    &self.stop,
                )),
            };
            away = outcome.err().filter(|error| *error != PublishError::RecordRefused);
        }
    }

    async fn publish_all(&self, batches: &[Arc<Batch>]) -> Vec<Result<(), PublishError>> {
        let mut outcomes = vec![Err(PublishError::Failed); batches.len()];
        let mut tasks = JoinSet::new();
        let give_up = Instant::now() + PATIENCE;
        for (place, batch) in batches.iter().enumerate() {
            let (producer, batch) = (Arc::clone(&self.producer), Arc::clone(batch));
            let stop = Arc::clone(&self.stop);
            tasks.spawn(
                async move { (place, publish_one(&producer, &batch, give_up, &stop).await) },
            );
        }
        // A task that panicked has published nothing that anybody knows of: it stays failed.
        while let Some(ended) = tasks.join_next().await {
            if let Ok((place, outcome)) = ended {
                outcomes[place] = outcome;
            }
        }
        outcomes
    }
}

/// Tries until Kafka has acknowledged every record, the time is up, or the process is told to stop.
async fn publish_one(
    producer: &Producer,
    batch: &Batch,
    give_up: Instant,
    stop: &AtomicBool,
) -> Result<(), PublishError> {
    loop {
        match producer.publish(batch, Instant::now() + TRY).await {
            Ok(_) => return Ok(()),
            Err(PublishError::RecordRefused) => return Err(PublishError::RecordRefused),
            Err(error) if Instant::now() >= give_up || stop.load(Ordering::Acquire) => {
                return Err(error);
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
