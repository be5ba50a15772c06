//! How are the topics read back? A follower without a consumer group: for `postern tail` and for judges in tests.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use postern_core::batch::Topic;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use crate::context::ReaderContext;
use crate::reader;
use crate::settings::{Settings, SettingsError, TopicNames};

pub use crate::reader::Followed;

/// librdkafka wants a group even of a consumer that never joins one and never commits.
const GROUP: &str = "postern-tail";
/// Until all topics are known they are looked up so often.
const LOOKUP_SOON: Duration = Duration::from_millis(250);
/// After that: partitions may be added, missing topics created.
const LOOKUP_LATER: Duration = Duration::from_secs(10);
/// The longest wait for one answer of a broker.
const ANSWER: Duration = Duration::from_secs(2);
/// An error is followed by a short rest, so that an outage does not spin.
const REST: Duration = Duration::from_millis(20);

/// Where a follower starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the oldest record that Kafka still has.
    Beginning,
    /// With the first record after [`Follower::connect`], or after the first lookup that succeeded. Partitions that
    /// appear later are read from their beginning.
    End,
}

/// Why a follower cannot start, or has nothing to follow yet.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The settings are wrong.
    #[error("{0}")]
    Settings(#[from] SettingsError),
    /// No broker answered in time.
    #[error(
        "no broker answered at {servers}; is kafka running, and is kafka.bootstrap_servers right?"
    )]
    Unreachable {
        /// Who was asked.
        servers: String,
    },
    /// None of the topics exists.
    #[error("none of the topics exists: {names}; create them with `postern topics create`")]
    NoTopic {
        /// Which.
        names: String,
    },
}

/// Follows topics. It survives outages: it goes on where it stopped.
pub struct Follower {
    consumer: BaseConsumer<ReaderContext>,
    names: TopicNames,
    servers: String,
    topics: Vec<Topic>,
    start: Start,
    assigned: BTreeSet<(&'static str, i32)>,
    /// Every topic has been looked up successfully once: what appears now is new.
    connected: bool,
    next_lookup: Instant,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower")
            .field("topics", &self.topics)
            .field("assigned", &self.assigned)
            .finish_non_exhaustive()
    }
}

impl Follower {
    /// Prepares to follow these topics; does not touch the network.
    ///
    /// # Errors
    /// When the settings are wrong.
    pub fn open(settings: &Settings, topics: &[Topic], start: Start) -> Result<Self, FollowError> {
        let consumer = reader::open(settings, GROUP, false)?;
        Ok(Self {
            consumer,
            names: settings.topics.clone(),
            servers: settings.bootstrap_servers.clone(),
            topics: topics.to_vec(),
            start,
            assigned: BTreeSet::new(),
            connected: false,
            next_lookup: Instant::now(),
        })
    }

    /// Finds the topics and the places to start from; blocks. With [`Start::End`] every record published after this
    /// returns is seen.
    ///
    /// # Errors
    /// When no broker answers in time, or none of the topics exists.
    pub fn connect(&mut self, timeout: Duration) -> Result<(), FollowError> {
        let deadline = Instant::now() + timeout;
        loop {
            self.look_up(deadline);
            if self.connected && !self.assigned.is_empty() {
                return Ok(());
            }
            if Instant::now() + REST >= deadline {
                break;
            }
            std::thread::sleep(REST);
        }
        if self.connected {
            let names: Vec<&str> =
                self.topics.iter().map(|&topic| self.names.name(topic)).collect();
            return Err(FollowError::NoTopic { names: names.join(", ") });
        }
        Err(FollowError::Unreachable { servers: self.servers.clone() })
    }

    /// The next record; blocks up to `timeout`. `None` says nothing about why there is none: no record came, or
    /// Kafka is away.
    pub fn next(&mut self, timeout: Duration) -> Option<Followed> {
        let deadline = Instant::now() + timeout;
        loop {
            let now = Instant::now();
            if now >= self.next_lookup {
                self.look_up(deadline.max(now + REST));
            }
            let wait = deadline.min(self.next_lookup).saturating_duration_since(Instant::now());
            match self.consumer.poll(wait) {
                Some(Ok(message)) => {
                    if let Some(record) = Followed::of(&self.names, &message) {
                        return Some(record);
                    }
                }
                Some(Err(error)) => {
                    tracing::debug!(%error, "following goes on after an error");
                    std::thread::sleep(REST.min(deadline.saturating_duration_since(now)));
                }
                None => {}
            }
            if Instant::now() >= deadline {
                return None;
            }
        }
    }

    /// Finds partitions that are not followed yet.
    fn look_up(&mut self, deadline: Instant) {
        let mut all = true;
        for topic in self.topics.clone() {
            if let Err(error) = self.look_up_topic(topic, deadline) {
                tracing::debug!(topic = topic.as_str(), %error, "a topic cannot be looked up yet");
                all = false;
            }
        }
        self.connected |= all;
        let complete = all && self.topics.iter().all(|topic| self.follows(*topic));
        self.next_lookup = Instant::now() + if complete { LOOKUP_LATER } else { LOOKUP_SOON };
    }

    fn follows(&self, topic: Topic) -> bool {
        self.assigned.iter().any(|(name, _)| *name == topic.as_str())
    }

    fn look_up_topic(&mut self, topic: Topic, deadline: Instant) -> Result<(), KafkaError> {
        let name = self.names.name(topic);
        let metadata = self.consumer.fetch_metadata(Some(name), time_left(deadline))?;
        let found = metadata.topics().iter().find(|found| found.name() == name);
        let Some(found) = found.filter(|found| found.error().is_none()) else { return Ok(()) };

        let mut new = TopicPartitionList::new();
        let mut ids = Vec::new();
        for partition in found.partitions() {
            let id = partition.id();
            if self.assigned.contains(&(topic.as_str(), id)) {
                continue;
            }
            let offset = if self.connected || self.start == Start::Beginning {
                Offset::Beginning
            } else {
                let left = time_left(deadline);
                Offset::Offset(self.consumer.fetch_watermarks(name, id, left)?.1)
            };
            new.add_partition_offset(name, id, offset)?;
            ids.push(id);
        }
        if !ids.is_empty() {
            self.consumer.incremental_assign(&new)?;
            self.assigned.extend(ids.into_iter().map(|id| (topic.as_str(), id)));
        }
        Ok(())
    }
}

/// At least a moment: a broker that is there answers in it.
pub(crate) fn time_left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).clamp(Duration::from_millis(50), ANSWER)
}

#[cfg(test)]
mod tests;
