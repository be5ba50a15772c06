//! Who makes records durable? The producer: genuine records on one lane, quarantine records on another.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use postern_core::batch::{Batch, Topic};
use postern_core::publish::{Circuit, Durable, Publish, PublishError};
use prometheus::Registry;
use tokio::sync::watch;

use crate::ack::Ack;
use crate::breaker::Limits;
use crate::health::Health;
use crate::lane::{Lane, Outgoing, Plan, Sent, outgoing};
use crate::log_limit::LogLimit;
use crate::metrics::Metrics;
use crate::redelivery::Redelivery;
use crate::settings::{Settings, SettingsError};

/// How long librdkafka tries a record that a request waits for, or stopped waiting for: what is still queued when the
/// request's own deadline of 2.5 s has passed would only be published behind its answer.
const MESSAGE_TIMEOUT: Duration = Duration::from_millis(2_000);
/// Genuine records: a second of work for two cores, their bytes as the settings say; more is only failing late.
const GENUINE: Plan = Plan {
    name: "events",
    topics: &[Topic::Events, Topic::Lifecycle],
    messages: 20_000,
    kbytes: 32 * 1_024,
    message_timeout: MESSAGE_TIMEOUT,
    limits: Limits::DEFAULT,
};
/// Quarantine records: 1 MiB/s by default, and bodies of up to 512 KiB.
const QUARANTINE: Plan = Plan {
    name: "quarantine",
    topics: &[Topic::Quarantine],
    messages: 500,
    kbytes: 8 * 1_024,
    message_timeout: MESSAGE_TIMEOUT,
    limits: Limits::DEFAULT,
};
/// What comes out of a spool: nobody waits for it, and it must not crowd out the live path on the broker either.
const REDELIVERY: Plan = Plan {
    name: "spool",
    topics: &[Topic::Events, Topic::Lifecycle],
    messages: 5_000,
    kbytes: 16 * 1_024,
    message_timeout: Duration::from_secs(30),
    limits: Limits::PATIENT,
};
/// How often a flush looks whether it is done.
const FLUSH_TICK: Duration = Duration::from_millis(5);

/// Why the producer cannot start. The network is not among the reasons.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings are wrong.
    #[error("{0}")]
    Settings(#[from] SettingsError),
    /// The metrics are registered already.
    #[error("the kafka metrics cannot be registered: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The system gives no thread.
    #[error("no thread for the kafka client: {0}")]
    Thread(#[from] std::io::Error),
}

/// How Kafka stands, for `/status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Whether a broker has answered and the breaker is not open.
    pub connected: bool,
    /// How long ago a broker last answered; `None`: never.
    pub last_success: Option<Duration>,
    /// 1, and one more with every producer that died and was replaced.
    pub generation: u64,
    /// The circuit breaker.
    pub breaker: Circuit,
}

/// Publishes batches to Kafka with acks=all.
///
/// Dropping it purges what is outstanding: [`Producer::flush`] first.
pub struct Producer {
    pub(crate) genuine: Arc<Lane>,
    quarantine: Arc<Lane>,
    settings: Settings,
    metrics: Metrics,
    log: Arc<LogLimit>,
    stop: Arc<AtomicBool>,
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Producer").field("contact", &self.contact()).finish_non_exhaustive()
    }
}

impl Producer {
    /// Starts it; returns without touching the network. Kafka being away is no error: the breaker opens.
    ///
    /// # Errors
    /// When the settings are wrong or the metrics are registered already.
    pub fn start(settings: &Settings, registry: &Registry) -> Result<Self, StartError> {
        settings.check()?;
        let metrics = Metrics::register(registry)?;
        let (log, now) = (Arc::new(LogLimit::default()), Instant::now());
        let stop = Arc::new(AtomicBool::new(false));
        let lane = |plan: Plan, gauge| -> Result<Arc<Lane>, StartError> {
            let health = Arc::new(Health::new(&plan, gauge, metrics.queue_messages.clone(), now));
            let lane = Lane::new(plan, settings, health, metrics.clone(), Arc::clone(&log))?;
            Ok(Arc::new(lane))
        };
        let genuine = Plan { kbytes: settings.queue_bytes / 1_024, ..GENUINE };
        let genuine = lane(genuine, Some(metrics.breaker_state.clone()))?;
        let quarantine = lane(QUARANTINE, None)?;
        crate::watch::spawn(Arc::clone(&genuine), Arc::clone(&stop))?;
        let settings = settings.clone();
        let producer = Self { genuine, quarantine, settings, metrics, log, stop };
        crate::watch::spawn(Arc::clone(&producer.quarantine), Arc::clone(&producer.stop))?;
        Ok(producer)
    }

    /// Starts a lane for what a spool hands over again.
    ///
    /// # Errors
    /// When the system gives no thread for its watcher.
    pub fn redelivery(&self) -> Result<Redelivery, StartError> {
        let health =
            Health::new(&REDELIVERY, None, self.metrics.queue_messages.clone(), Instant::now());
        let (metrics, log) = (self.metrics.clone(), Arc::clone(&self.log));
        let lane = Lane::new(REDELIVERY, &self.settings, Arc::new(health), metrics, log)?;
        let (live, quarantine) = (Arc::clone(&self.genuine), Arc::clone(&self.quarantine));
        Redelivery::start(Arc::new(lane), live, quarantine)
    }

    /// Resolves once a broker has answered for the first time.
    pub fn first_contact(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut contact = self.genuine.health.first_contact();
        async move {
            // The sender lives as long as the producer; without one there is nothing left to wait for.
            drop(contact.wait_for(|contacted| *contacted).await);
        }
    }

    /// How Kafka stands.
    #[must_use]
    pub fn contact(&self) -> Contact {
        let health = &self.genuine.health;
        let last = health.progress.last_contact();
        let breaker = health.state();
        Contact {
            connected: last.is_some() && breaker != Circuit::Open,
            last_success: last.map(|last| last.elapsed()),
            generation: self.genuine.client().generation,
            breaker,
        }
    }

    /// How many records were handed over and are not settled yet.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        let lanes = [&self.genuine, &self.quarantine];
        lanes.iter().map(|lane| lane.health.progress.outstanding()).sum()
    }

    /// Waits until everything handed over is settled, at most `timeout`; returns how many records are left. Refuses
    /// nothing new: stop that first.
    pub async fn flush(&self, timeout: Duration) -> usize {
        let deadline = Instant::now() + timeout;
        loop {
            let left = self.outstanding();
            if left == 0 || Instant::now() >= deadline {
                return left;
            }
            tokio::time::sleep(FLUSH_TICK).await;
        }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.genuine.health.wake_watcher();
        self.quarantine.health.wake_watcher();
    }
}

impl Publish for Producer {
    fn circuit(&self) -> Circuit {
        self.genuine.health.state()
    }

    async fn publish(&self, batch: &Batch, deadline: Instant) -> Result<Durable, PublishError> {
        match self.publish_once(batch, deadline).await {
            // A broker refuses all that came in one request with a record that is too large: once more, in other company.
            Err(PublishError::RecordRefused) => self.publish_once(batch, deadline).await,
            outcome => outcome,
        }
    }

    async fn quarantine(&self, record: Batch, deadline: Instant) -> Result<(), PublishError> {
        let waiting = hand_over(&self.quarantine, record.records().map(outgoing), deadline)?;
        drop(record);
        waiting.outcome(deadline).await
    }

    fn quarantine_unwaited(&self, record: Batch) -> Result<(), PublishError> {
        if record.is_empty() {
            return Ok(());
        }
        self.quarantine.submit(record.records().map(outgoing), Instant::now()).map(drop)
    }
}

impl Producer {
    async fn publish_once(
        &self,
        batch: &Batch,
        deadline: Instant,
    ) -> Result<Durable, PublishError> {
        let waiting = hand_over(&self.genuine, batch.records().map(outgoing), deadline)?;
        let sent = waiting.ack.sent;
        let outcome = waiting.outcome(deadline).await;
        if outcome == Err(PublishError::Timeout) {
            self.genuine.health.gave_up(Instant::now(), sent);
        }
        outcome.map(|()| Durable::Kafka)
    }
}

/// A request whose records are on their way.
pub(crate) struct Waiting {
    ack: Arc<Ack>,
    openings: watch::Receiver<u64>,
}

/// Hands the records of a request over.
pub(crate) fn hand_over<'a, H>(
    lane: &Lane,
    records: impl ExactSizeIterator<Item = Outgoing<'a, H>>,
    deadline: Instant,
) -> Result<Waiting, PublishError>
where
    H: ExactSizeIterator<Item = (&'static str, &'a [u8])>,
{
    let now = Instant::now();
    // Before the admission: an opening between the two must not be missed.
    let openings = lane.health.openings();
    if records.len() == 0 {
        return Ok(Waiting { ack: Arc::new(Ack::settled(now)), openings });
    }
    if now >= deadline {
        return Err(PublishError::Timeout);
    }
    match lane.submit(records, now)? {
        Sent::Waiting(ack) => Ok(Waiting { ack, openings }),
        Sent::Probe => Err(PublishError::Unavailable),
    }
}

impl Waiting {
    /// The acknowledgement of all records, or why it is not waited for any longer. The deadline is the request's;
    /// librdkafka's own timeout only cleans up behind it.
    pub(crate) async fn outcome(mut self, deadline: Instant) -> Result<(), PublishError> {
        let Self { ack, openings } = &mut self;
        let given_up = tokio::select! {
            biased;
            outcome = ack.wait() => return outcome,
            _ = openings.changed() => PublishError::Unavailable,
            () = tokio::time::sleep_until(deadline.into()) => PublishError::Timeout,
        };
        ack.outcome().unwrap_or(Err(given_up))
    }
}

#[cfg(test)]
mod tests;
