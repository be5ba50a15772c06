//! How do records get from a request into one librdkafka producer, and how is that producer replaced?

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use postern_core::batch::{Record, Topic};
use postern_core::publish::{Circuit, PublishError};
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _};
use rdkafka::types::RDKafkaErrorCode;

use crate::ack::Ack;
use crate::breaker::{Admission, Limits};
use crate::context::Context;
use crate::failure;
use crate::health::Health;
use crate::log_limit::LogLimit;
use crate::metrics::Metrics;
use crate::polled::{NotPolled, Polled};
use crate::producer::StartError;
use crate::settings::{Settings, TopicNames, describe};

/// How long a replaced producer may take to report its last deliveries.
const FAREWELL: Duration = Duration::from_millis(2_500);

/// What distinguishes one lane from the other.
pub(crate) struct Plan {
    /// The word in logs.
    pub(crate) name: &'static str,
    /// Whose leaders decide whether Kafka can be reached: the first; the others are looked up early.
    pub(crate) topics: &'static [Topic],
    /// How many records may be outstanding.
    pub(crate) messages: usize,
    /// Their size in KiB.
    pub(crate) kbytes: usize,
    /// How long librdkafka tries before it gives a record up.
    pub(crate) message_timeout: Duration,
    /// When its breaker opens and closes.
    pub(crate) limits: Limits,
}

/// One way to Kafka: a librdkafka producer with a bounded queue, and its health. Genuine records and quarantine
/// records have one each, so that neither crowds out nor speaks for the other.
pub(crate) struct Lane {
    pub(crate) plan: Plan,
    pub(crate) health: Arc<Health>,
    pub(crate) names: TopicNames,
    settings: Settings,
    config: ClientConfig,
    metrics: Metrics,
    log: Arc<LogLimit>,
    client: ArcSwap<Client>,
}

/// One generation of the librdkafka producer.
pub(crate) struct Client {
    pub(crate) generation: u64,
    pub(crate) producer: Polled,
}

/// A record on its way, borrowed from whoever has it.
#[derive(Clone, Copy)]
pub(crate) struct Outgoing<'a, H> {
    pub(crate) topic: Topic,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: H,
}

/// What became of a request's records.
pub(crate) enum Sent {
    /// They are on their way.
    Waiting(Arc<Ack>),
    /// One of them goes out as a probe; the request is refused.
    Probe,
}

/// The form of a batch's record.
pub(crate) fn outgoing<'a>(
    record: Record<'a>,
) -> Outgoing<'a, impl ExactSizeIterator<Item = (&'static str, &'a [u8])> + use<'a>> {
    Outgoing {
        topic: record.topic(),
        key: record.key(),
        value: record.value(),
        headers: record.headers(),
    }
}

impl Lane {
    pub(crate) fn new(
        plan: Plan,
        settings: &Settings,
        health: Arc<Health>,
        metrics: Metrics,
        log: Arc<LogLimit>,
    ) -> Result<Self, StartError> {
        let config = settings.producer(plan.messages, plan.kbytes, plan.message_timeout);
        let context = Context::new(&health, &metrics, &log);
        let client = ArcSwap::from_pointee(Client::start(&config, context, settings)?);
        Ok(Self {
            plan,
            health,
            names: settings.topics.clone(),
            settings: settings.clone(),
            config,
            metrics,
            log,
            client,
        })
    }

    /// The present producer.
    pub(crate) fn client(&self) -> Arc<Client> {
        self.client.load_full()
    }

    /// Hands the records of one request over, never blocking: all of them while the breaker is closed, the first
    /// as a probe while it is half-open.
    ///
    /// # Errors
    /// `Unavailable` when the breaker refuses, `QueueFull` at once when there is no room, `Failed` when librdkafka
    /// does not take a record; records before it may still be published.
    pub(crate) fn submit<'a, H>(
        &self,
        records: impl ExactSizeIterator<Item = Outgoing<'a, H>>,
        now: Instant,
    ) -> Result<Sent, PublishError>
    where
        H: ExactSizeIterator<Item = (&'static str, &'a [u8])>,
    {
        match self.health.admit(now) {
            Admission::Pass => self.send(records, now).map(Sent::Waiting),
            Admission::Refuse => Err(PublishError::Unavailable),
            Admission::Probe => {
                let mut records = records;
                let probe: Option<Outgoing<'a, H>> = records.next();
                self.send(probe.into_iter(), now).map(|_| Sent::Probe)
            }
        }
    }

    /// Sends all records as a probe, where the half-open breaker wants one now.
    ///
    /// # Errors
    /// As [`Lane::submit`]; `Unavailable` also when no probe is wanted.
    pub(crate) fn probe<'a, H>(
        &self,
        records: impl ExactSizeIterator<Item = Outgoing<'a, H>>,
        now: Instant,
    ) -> Result<Arc<Ack>, PublishError>
    where
        H: ExactSizeIterator<Item = (&'static str, &'a [u8])>,
    {
        let half_open = self.health.state() == Circuit::HalfOpen;
        if half_open && self.health.admit(now) == Admission::Probe {
            self.send(records, now)
        } else {
            Err(PublishError::Unavailable)
        }
    }

    fn send<'a, H>(
        &self,
        records: impl ExactSizeIterator<Item = Outgoing<'a, H>>,
        now: Instant,
    ) -> Result<Arc<Ack>, PublishError>
    where
        H: ExactSizeIterator<Item = (&'static str, &'a [u8])>,
    {
        let count = records.len();
        let progress = &self.health.progress;
        if !progress.reserve(count, self.plan.messages, now) {
            return Err(self.queue_full(now));
        }
        let client = self.client.load();
        let context = client.producer.client().context();
        let ack = Arc::new(Ack::new(count, now));
        let mut left = count;
        for record in records {
            let Err(code) = client.send(&self.names, record, &ack) else {
                left -= 1;
                continue;
            };
            if failure::classify(code) == PublishError::QueueFull {
                progress.release(left);
                return Err(self.queue_full(now));
            }
            context.settle_failed(code, &ack, now);
            progress.release(1);
            left -= 1;
            if failure::classify(code) == PublishError::Failed {
                progress.release(left);
                return Err(PublishError::Failed);
            }
        }
        Ok(ack)
    }

    fn queue_full(&self, now: Instant) -> PublishError {
        let client = self.client.load();
        client.producer.client().context().count_failure(RDKafkaErrorCode::QueueFull, now);
        PublishError::QueueFull
    }

    /// Notices that the producer died; true when it must be rebuilt.
    pub(crate) fn is_dead(&self, now: Instant) -> bool {
        let client = self.client.load();
        let dead = client.producer.client().fatal_error().is_some();
        if dead {
            self.health.fatal(client.generation, now);
        }
        dead
    }

    /// Puts a new producer in the place of a dead one. The old one lives on until its last deliveries are reported:
    /// what was in flight when it died still gets its true result.
    pub(crate) fn rebuild(&self) -> Result<u64, StartError> {
        let context = Context::new(&self.health, &self.metrics, &self.log);
        let generation = context.generation;
        let client = Client::start(&self.config, context, &self.settings)?;
        retire(self.client.swap(Arc::new(client)));
        Ok(generation)
    }
}

/// Ends a producer on a thread of its own: dropping one blocks.
fn retire(old: Arc<Client>) {
    let farewell = move || {
        // The deliveries that it still reports complete their requests; an error says that some did not come.
        if let Err(error) = old.producer.flush(FAREWELL) {
            tracing::warn!(%error, "a replaced producer left records without a result");
        }
        drop(old);
    };
    if let Err(error) =
        std::thread::Builder::new().name("kafka-farewell".to_owned()).spawn(farewell)
    {
        tracing::warn!(%error, "no thread to end a replaced producer on; ended at once");
    }
}

impl Client {
    fn start(
        config: &ClientConfig,
        context: Context,
        settings: &Settings,
    ) -> Result<Self, StartError> {
        let generation = context.generation;
        let producer = Polled::start(config, context).map_err(|error| match error {
            NotPolled::Kafka(error) => StartError::Settings(describe(error, &settings.properties)),
            NotPolled::Thread(error) => StartError::Thread(error),
        })?;
        Ok(Self { generation, producer })
    }

    /// Hands one record to librdkafka, which copies it.
    fn send<'a, H>(
        &self,
        names: &TopicNames,
        record: Outgoing<'a, H>,
        ack: &Arc<Ack>,
    ) -> Result<(), RDKafkaErrorCode>
    where
        H: ExactSizeIterator<Item = (&'static str, &'a [u8])>,
    {
        let mut outgoing =
            BaseRecord::<[u8], [u8], _>::with_opaque_to(names.name(record.topic), Arc::clone(ack));
        outgoing.key = record.key;
        outgoing.payload = record.value;
        if record.headers.len() > 0 {
            let headers = OwnedHeaders::new_with_capacity(record.headers.len());
            let insert = |headers: OwnedHeaders, (key, value)| {
                headers.insert(Header { key, value: Some(value) })
            };
            outgoing.headers = Some(record.headers.fold(headers, insert));
        }
        self.producer
            .send(outgoing)
            .map_err(|(error, _)| error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown))
    }
}
