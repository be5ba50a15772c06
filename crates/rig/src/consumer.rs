//! What is in a topic? Every record that is read is held against contract section 4 and its JSON Schema.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::{Value, json};

use super::kafka::Kafka;
use super::schema::Kind;

/// How long one answer of the broker may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// What [`Reader::take`] holds at most: some megabytes.
const MOST_TAKEN: usize = 1_000;

/// How the records of the events and lifecycle topics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A JSON object in the value.
    Structured,
    /// Attributes in `ce_` headers.
    Binary,
}

/// One record.
#[derive(Clone, Debug)]
pub struct Record {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset in the partition.
    pub offset: i64,
    /// The key as text.
    pub key: Option<String>,
    /// In the order in which they were sent.
    pub headers: Vec<(String, String)>,
    /// The value; a tombstone has none.
    pub value: Option<Vec<u8>>,
}

impl Record {
    /// A header's value; fails the test when it comes twice.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(have, _)| have == name);
        let first = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "header {name} comes twice: {:?}", self.headers);
        first
    }

    /// The value as JSON.
    pub fn json(&self) -> Value {
        let value = self.value.as_deref().unwrap_or_else(|| panic!("no value: {self:?}"));
        serde_json::from_slice(value).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// The whole CloudEvent as one JSON object, whichever way it was written; sealed data is left out.
    pub fn event(&self) -> Value {
        if self.header("ce_id").is_none() {
            return self.json();
        }
        let mut event = serde_json::Map::new();
        for (name, value) in &self.headers {
            if let Some(attribute) = name.strip_prefix("ce_") {
                event.insert(attribute.to_owned(), json!(value));
            }
        }
        let content_type = self.header("content-type").unwrap_or_default();
        event.insert("datacontenttype".to_owned(), json!(content_type));
        if content_type.starts_with("application/json") {
            event.insert("data".to_owned(), self.json());
        }
        event.into()
    }

    /// The event's id.
    pub fn id(&self) -> String {
        self.event()["id"].as_str().expect("each event has an id").to_owned()
    }

    fn read(message: &BorrowedMessage<'_>) -> Self {
        let text = |bytes: &[u8]| match String::from_utf8(bytes.to_vec()) {
            Ok(text) => text,
            Err(_) if Kind::of_topic(message.topic()).is_some() => {
                panic!("a key or header in {} is no UTF-8", message.topic())
            }
            // What others write is theirs to choose.
            Err(_) => String::from_utf8_lossy(bytes).into_owned(),
        };
        let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
        Self {
            topic: message.topic().to_owned(),
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(text),
            headers: headers
                .map(|h| (h.key.to_owned(), text(h.value.unwrap_or_default())))
                .collect(),
            value: message.payload().map(<[u8]>::to_vec),
        }
    }

    /// Holds the record against the contract.
    fn check(&self, mode: Mode) {
        let Some(kind) = Kind::of_topic(&self.topic) else { return };
        match (kind, mode) {
            (Kind::Quarantine, _) => self.check_quarantine(),
            (_, Mode::Structured) => self.check_structured(kind),
            (_, Mode::Binary) => self.check_binary(kind),
        }
    }

    fn check_structured(&self, kind: Kind) {
        let event = self.json();
        let content_type = self.header("content-type");
        assert_eq!(content_type, Some("application/cloudevents+json; charset=UTF-8"), "{self:?}");
        let binary = self.headers.iter().find(|(name, _)| name.starts_with("ce_"));
        assert_eq!(binary, None, "a reader would take this for binary mode");
        for attribute in ["id", "source", "type"] {
            let header = self.header(&format!("postern_{attribute}"));
            assert_eq!(header, event[attribute].as_str(), "postern_{attribute}: {self:?}");
        }
        self.check_event(kind, &event);
    }

    fn check_binary(&self, kind: Kind) {
        for attribute in ["id", "source", "type", "specversion"] {
            assert!(self.header(&format!("ce_{attribute}")).is_some(), "no {attribute}: {self:?}");
        }
        self.check_event(kind, &self.event());
    }

    fn check_event(&self, kind: Kind, event: &Value) {
        assert_eq!(self.key.as_deref(), event["partitionkey"].as_str(), "the key: {self:?}");
        assert_eq!(event["dataschema"], format!("urn:postern:{}:v1", kind.schema_word()));
        kind.check(event);
    }

    fn check_quarantine(&self) {
        assert_eq!(self.key, None, "quarantine records have no key");
        // The schema describes the headers; the value is sealed.
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        let headers = names.iter().map(|name| ((*name).to_owned(), json!(self.header(name))));
        Kind::Quarantine.check(&Value::Object(headers.collect()));
        assert_eq!(self.value.is_some(), self.header("postern_kid").is_some(), "sealed: {self:?}");
    }
}

/// Reads a topic from its beginning, without a consumer group.
pub struct Reader {
    config: ClientConfig,
    consumer: BaseConsumer,
    topic: String,
    mode: Mode,
    records: Vec<Record>,
    /// The offset that each partition is read up to.
    positions: Vec<i64>,
}

impl Reader {
    /// A reader of structured records.
    pub fn open(kafka: &Kafka, topic: &str) -> Self {
        Self::open_as(kafka, topic, Mode::Structured)
    }

    /// A reader of records in the mode that postern was configured with.
    pub fn open_as(kafka: &Kafka, topic: &str, mode: Mode) -> Self {
        let mut config = kafka.client();
        config.set("group.id", "it").set("enable.auto.commit", "false");
        config.set("fetch.wait.max.ms", "50").set("check.crcs", "true");
        // A broker that comes back tells of topics without leaders at first; the default asks again after minutes.
        config.set("topic.metadata.refresh.interval.ms", "1000");
        let consumer: BaseConsumer = config.create().expect("the properties are known");
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).expect("the broker answers");
        let partitions = metadata.topics()[0].partitions().len();
        assert!(partitions > 0, "there is no topic {topic}");
        let positions = vec![0; partitions];
        let topic = topic.to_owned();
        let reader = Self { config, consumer, topic, mode, records: Vec::new(), positions };
        reader.assign();
        reader
    }

    /// Reads on where each partition was read up to.
    fn assign(&self) {
        let mut list = TopicPartitionList::new();
        for (partition, position) in (0..).zip(&self.positions) {
            let from = if *position == 0 { Offset::Beginning } else { Offset::Offset(*position) };
            list.add_partition_offset(&self.topic, partition, from).expect("a valid offset");
        }
        self.consumer.assign(&list).expect("the list is sound");
    }

    /// Everything that was read so far.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Reads until there are `count` records in all; fails the test when `limit` passes first.
    pub fn wait_for(&mut self, count: usize, limit: Duration) -> &[Record] {
        let end = Instant::now() + limit;
        while self.records.len() < count {
            let have = self.records.len();
            assert!(
                Instant::now() < end,
                "{}: {have} of {count} records came in {limit:?}",
                self.topic
            );
            self.poll();
        }
        &self.records
    }

    /// Takes out what was read so far and what comes within `limit`; empty where nothing does, a broker that is away
    /// included.
    pub fn take(&mut self, limit: Duration) -> Vec<Record> {
        let end = Instant::now() + limit;
        while Instant::now() < end && self.records.len() < MOST_TAKEN {
            self.poll();
        }
        std::mem::take(&mut self.records)
    }

    /// Reads all that the topic holds at this moment.
    pub fn read_to_end(&mut self) -> &[Record] {
        let mut ends = Vec::new();
        for partition in 0..i32::try_from(self.positions.len()).expect("few") {
            ends.push(self.end(partition));
        }
        let (mut last, mut renewed) = (Instant::now(), Instant::now());
        while self.positions.iter().zip(&ends).any(|(position, end)| position < end) {
            if self.poll() {
                last = Instant::now();
            }
            assert!(last.elapsed() < PATIENCE, "{} is not read to its end", self.topic);
            // A client that saw its broker stand still may wait for it for ever: a new one reads on.
            if last.max(renewed).elapsed() > PATIENCE / 4 {
                renewed = Instant::now();
                self.consumer = self.config.create().expect("the properties are known");
                self.assign();
            }
        }
        &self.records
    }

    /// Where a partition ends now. A broker that has just come back may not know yet that it leads, and a client that
    /// saw it go may not know that it is back: a new one is asked.
    fn end(&self, partition: i32) -> i64 {
        let until = Instant::now() + PATIENCE;
        let asked = |consumer: &BaseConsumer| {
            consumer.fetch_watermarks(&self.topic, partition, PATIENCE / 4).map(|(_, end)| end)
        };
        let mut end = asked(&self.consumer);
        loop {
            match end {
                Ok(end) => return end,
                Err(error) if Instant::now() >= until => panic!("{}: {error}", self.topic),
                Err(_) => std::thread::sleep(Duration::from_millis(100)),
            }
            end = asked(&self.config.create().expect("the properties are known"));
        }
    }

    /// Reads one record if there is one.
    fn poll(&mut self) -> bool {
        match self.consumer.poll(Duration::from_millis(50)) {
            Some(Ok(message)) => {
                let record = Record::read(&message);
                record.check(self.mode);
                let partition = usize::try_from(record.partition).expect("not negative");
                self.positions[partition] = record.offset + 1;
                self.records.push(record);
                true
            }
            // A broker that is away is what some tests are about: the limits above judge.
            Some(Err(_)) | None => false,
        }
    }
}

/// All that a topic holds at this moment.
pub fn read_all(kafka: &Kafka, topic: &str) -> Vec<Record> {
    let mut reader = Reader::open(kafka, topic);
    reader.read_to_end();
    reader.records
}
