//! What does the benchmark ask Kafka: make topics, how many records are there, what do they look like?

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use postern_rig::kafka::{Kafka, Options};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::metadata::MetadataTopic;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};

/// Partitions of the topic that is measured; as many as `postern topics create` makes by default.
pub(crate) const PARTITIONS: i32 = 12;
/// What a partition keeps: a long run must not fill the disk, and the counts come from offsets.
const KEPT: &str = "67108864";
const LIMIT: Duration = Duration::from_secs(20);

/// A record as postern wrote it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The record key.
    pub(crate) key: String,
    /// The value, a CloudEvent.
    pub(crate) value: String,
    /// The headers.
    pub(crate) headers: Vec<(String, String)>,
}

/// A broker that the benchmark may use.
pub(crate) struct Broker {
    /// Where it is.
    pub(crate) bootstrap: String,
    client: BaseConsumer,
    /// The broker itself, where it is the benchmark's own; it ends with the value.
    _own: Option<Kafka>,
}

impl Broker {
    /// Waits for a broker.
    ///
    /// # Errors
    /// When none answers.
    pub(crate) fn connect(bootstrap: &str) -> anyhow::Result<Self> {
        let client: BaseConsumer = config(bootstrap).create()?;
        client
            .fetch_metadata(None, LIMIT)
            .with_context(|| format!("no Kafka answers at {bootstrap}"))?;
        Ok(Self { bootstrap: bootstrap.to_owned(), client, _own: None })
    }

    /// Starts one broker as an operator would, but one that throws old segments away soon.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let properties =
            [("log.retention.check.interval.ms", "5000"), ("log.initial.task.delay.ms", "1000")];
        let properties = properties.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let properties = properties.into();
        let kafka = Kafka::start(&Options { properties, steady: true, ..Options::default() });
        let broker = Self::connect(&kafka.bootstrap())?;
        Ok(Self { _own: Some(kafka), ..broker })
    }

    /// Makes a topic that keeps little.
    ///
    /// # Errors
    /// When the broker refuses it.
    pub(crate) fn create_topic(&self, name: &str) -> anyhow::Result<()> {
        let admin: AdminClient<DefaultClientContext> = config(&self.bootstrap).create()?;
        let topic = NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(1))
            .set("retention.bytes", KEPT)
            .set("segment.bytes", "16777216")
            .set("file.delete.delay.ms", "1000");
        let options = AdminOptions::new().operation_timeout(Some(LIMIT));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        for result in runtime.block_on(admin.create_topics([&topic], &options))? {
            result.map_err(|(name, code)| anyhow::anyhow!("no topic {name}: {code}"))?;
        }
        let end = Instant::now() + LIMIT;
        while !self.has_leaders(name) || self.records(name).is_err() {
            ensure!(Instant::now() < end, "topic {name} gets no leaders");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Asks the broker itself: the client remembers for half a minute that it did not know a topic.
    fn has_leaders(&self, topic: &str) -> bool {
        let Ok(metadata) = self.client.fetch_metadata(Some(topic), LIMIT) else { return false };
        let partitions = metadata.topics().iter().flat_map(MetadataTopic::partitions);
        partitions.filter(|partition| partition.leader() >= 0).count() == PARTITIONS as usize
    }

    /// How many records a topic has ever taken: the sum of its high watermarks.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub(crate) fn records(&self, topic: &str) -> anyhow::Result<u64> {
        let mut sum = 0;
        for partition in 0..PARTITIONS {
            let (_, high) = self.client.fetch_watermarks(topic, partition, LIMIT)?;
            sum += u64::try_from(high)?;
        }
        Ok(sum)
    }

    /// The first records of a topic, up to `most`.
    ///
    /// # Errors
    /// When there is none, or one that is not text.
    pub(crate) fn first_records(&self, topic: &str, most: usize) -> anyhow::Result<Vec<Record>> {
        let consumer: BaseConsumer = config(&self.bootstrap).set("group.id", "bench").create()?;
        let mut partitions = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            partitions.add_partition_offset(topic, partition, Offset::Beginning)?;
        }
        consumer.assign(&partitions)?;
        let (mut records, end) = (Vec::new(), Instant::now() + LIMIT);
        let there = usize::try_from(self.records(topic)?)?;
        while records.len() < most.min(there) && Instant::now() < end {
            let Some(message) = consumer.poll(Duration::from_millis(200)) else { continue };
            let message = message?;
            let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap_or_default().to_vec());
            let mut headers = Vec::new();
            for header in message.headers().into_iter().flat_map(|headers| headers.iter()) {
                headers.push((header.key.to_owned(), text(header.value)?));
            }
            records.push(Record {
                key: text(message.key())?,
                value: text(message.payload())?,
                headers,
            });
        }
        ensure!(!records.is_empty(), "topic {topic} holds no record");
        Ok(records)
    }
}

fn config(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    config
}
