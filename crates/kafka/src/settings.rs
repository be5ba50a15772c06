//! Which cluster, which topics, which librdkafka properties; and which of them may not be set?

mod native;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use postern_core::batch::Topic;
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::BaseProducer;
use rdkafka::types::RDKafkaConfRes;

use crate::context::SilentContext;

/// Properties that the durability promise, or the crate's own bookkeeping, depends on. Setting one is an error, in
/// any of its spellings.
pub const FIXED_PROPERTIES: &[&str] = &[
    // who is talked to
    "bootstrap.servers",
    "metadata.broker.list",
    "test.mock.num.brokers",
    "test.mock.broker.rtt",
    // what an acknowledgement means
    "acks",
    "request.required.acks",
    "enable.idempotence",
    "enable.gapless.guarantee",
    "transactional.id",
    "transaction.timeout.ms",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "retries",
    "message.send.max.retries",
    "message.timeout.ms",
    "delivery.timeout.ms",
    "delivery.report.only.error",
    "produce.offset.report",
    // where a record goes
    "partitioner",
    "allow.auto.create.topics",
    // how much may wait
    "queue.buffering.max.messages",
    "queue.buffering.max.kbytes",
    "queue.buffering.max.ms",
    "queuing.strategy",
    // what the follower relies on
    "group.id",
    "group.instance.id",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "auto.offset.reset",
    // code from outside, and librdkafka's own plumbing
    "plugin.library.paths",
    "interceptors",
    "log.queue",
];

/// The names of the three topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicNames {
    /// What a fetcher acts on.
    pub events: String,
    /// Signals about subscriptions and connections.
    pub lifecycle: String,
    /// Deliveries that were received and not trusted.
    pub quarantine: String,
}

impl Default for TopicNames {
    fn default() -> Self {
        Self {
            events: "postern.events.v1".to_owned(),
            lifecycle: "postern.lifecycle.v1".to_owned(),
            quarantine: "postern.quarantine.v1".to_owned(),
        }
    }
}

impl TopicNames {
    /// The name of one.
    #[must_use]
    pub fn name(&self, topic: Topic) -> &str {
        match topic {
            Topic::Events => &self.events,
            Topic::Lifecycle => &self.lifecycle,
            Topic::Quarantine => &self.quarantine,
        }
    }

    /// The topic of this name.
    #[must_use]
    pub fn topic(&self, name: &str) -> Option<Topic> {
        Topic::ALL.into_iter().find(|&topic| self.name(topic) == name)
    }
}

/// Everything that this crate needs to know.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// `host:port`, comma-separated.
    pub bootstrap_servers: String,
    /// The topics.
    pub topics: TopicNames,
    /// librdkafka properties by name, secrets among them.
    pub properties: BTreeMap<String, String>,
    /// Bytes of genuine records that may wait for their acknowledgement.
    pub queue_bytes: usize,
}

/// A second of work for two cores.
const QUEUE_BYTES: usize = 32 << 20;

impl fmt::Debug for Settings {
    /// Property names without their values: a value may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("bootstrap_servers", &self.bootstrap_servers)
            .field("topics", &self.topics)
            .field("properties", &self.properties.keys().collect::<Vec<_>>())
            .field("queue_bytes", &self.queue_bytes)
            .finish()
    }
}

/// What is wrong with [`Settings`]. No message holds a property's value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A property of [`FIXED_PROPERTIES`].
    #[error("property `{0}` is fixed: the durability promise depends on it; remove it")]
    FixedProperty(String),
    /// The servers are set twice.
    #[error("property `{0}` is not set here; use `kafka.bootstrap_servers`")]
    Servers(String),
    /// librdkafka does not know it.
    #[error("librdkafka has no property `{0}`; its CONFIGURATION.md lists those that exist")]
    UnknownProperty(String),
    /// librdkafka knows the property and refuses its value.
    #[error("librdkafka refuses the value of property `{0}`; its CONFIGURATION.md has the range")]
    BadValue(String),
    /// There is nothing to connect to.
    #[error("no bootstrap server is named; expected host:port, comma-separated")]
    NoServers,
    /// Kafka allows 1 to 249 of `a-z A-Z 0-9 . _ -`, and neither `.` nor `..`.
    #[error("`{name}` is no name for the {topic} topic: 1 to 249 of a-z A-Z 0-9 . _ -")]
    TopicName {
        /// Which topic.
        topic: &'static str,
        /// What it was to be called.
        name: String,
    },
    /// Two topics have one name.
    #[error("the {0} topic and the {1} topic have the same name; each needs its own")]
    SameTopic(&'static str, &'static str),
    /// The properties do not go together; in librdkafka's words.
    #[error("librdkafka refuses the properties: {0}")]
    Client(String),
}

/// Whether a property may be set at all, whatever its value.
///
/// # Errors
/// When it is fixed, or librdkafka does not know it.
pub fn check_property(name: &str) -> Result<(), SettingsError> {
    match name {
        "bootstrap.servers" | "metadata.broker.list" => {
            return Err(SettingsError::Servers(name.to_owned()));
        }
        _ if FIXED_PROPERTIES.contains(&name) => {
            return Err(SettingsError::FixedProperty(name.to_owned()));
        }
        _ => {}
    }
    // librdkafka looks the name up before it looks at the value.
    match check_native(name, "") {
        Err(error @ SettingsError::UnknownProperty(_)) => Err(error),
        _ => Ok(()),
    }
}

/// Whether a property may be set to this value.
///
/// # Errors
/// As [`check_property`], or when librdkafka refuses the value.
pub fn check_value(name: &str, value: &str) -> Result<(), SettingsError> {
    check_property(name)?;
    check_native(name, value)
}

fn check_native(name: &str, value: &str) -> Result<(), SettingsError> {
    match ClientConfig::new().set(name, value).create_native_config() {
        Ok(_) => Ok(()),
        Err(error) => Err(describe(error, &BTreeMap::new())),
    }
}

/// librdkafka's refusal without any value in it: its own text quotes them.
pub(crate) fn describe(error: KafkaError, properties: &BTreeMap<String, String>) -> SettingsError {
    match error {
        KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, _, name, _) => {
            SettingsError::UnknownProperty(name)
        }
        KafkaError::ClientConfig(_, _, name, _) => SettingsError::BadValue(name),
        KafkaError::Nul(_) => SettingsError::Client("a name or value holds a NUL byte".to_owned()),
        KafkaError::ClientCreation(text) => SettingsError::Client(redact(text, properties)),
        other => SettingsError::Client(redact(other.to_string(), properties)),
    }
}

/// Takes the values out of a text; up to three characters give no secret away and would garble it.
fn redact(mut text: String, properties: &BTreeMap<String, String>) -> String {
    for (name, value) in properties.iter().filter(|(_, value)| value.len() > 3) {
        if text.contains(value.as_str()) {
            text = text.replace(value.as_str(), &["(value of ", name, ")"].concat());
        }
    }
    text
}

impl Settings {
    /// Settings without properties.
    #[must_use]
    pub fn new(bootstrap_servers: impl Into<String>, topics: TopicNames) -> Self {
        Self {
            bootstrap_servers: bootstrap_servers.into(),
            topics,
            properties: BTreeMap::new(),
            queue_bytes: QUEUE_BYTES,
        }
    }

    /// Everything that is wrong, without touching the network.
    #[must_use]
    pub fn problems(&self) -> Vec<SettingsError> {
        let mut problems = Vec::new();
        if self.bootstrap_servers.split(',').all(|server| server.trim().is_empty()) {
            problems.push(SettingsError::NoServers);
        }
        for topic in Topic::ALL {
            let name = self.topics.name(topic);
            if !is_topic_name(name) {
                let (topic, name) = (topic.as_str(), name.to_owned());
                problems.push(SettingsError::TopicName { topic, name });
            } else if let Some(first) = self.topics.topic(name).filter(|&first| first != topic) {
                problems.push(SettingsError::SameTopic(first.as_str(), topic.as_str()));
            }
        }
        let checked = self.properties.iter().map(|(name, value)| check_value(name, value));
        problems.extend(checked.filter_map(Result::err));
        problems
    }

    /// Everything that can be known without the network: [`Settings::problems`], then librdkafka itself with all
    /// properties together, which also reads certificate and key files. Blocks for some 100 ms.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(&self) -> Result<(), SettingsError> {
        self.check()?;
        let mut config = self.producer(1, 1, Duration::from_secs(2));
        // Nobody to connect to.
        config.remove("bootstrap.servers");
        config
            .create_with_context::<_, BaseProducer<SilentContext>>(SilentContext)
            .map_or_else(|error| Err(describe(error, &self.properties)), |_| Ok(()))
    }

    /// The first thing that is wrong.
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        self.problems().into_iter().next().map_or(Ok(()), Err)
    }
}

fn is_topic_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=249).contains(&name.len()) && name != "." && name != ".." && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests;
