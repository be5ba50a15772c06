//! What of a topic has a consumer group not dealt with yet? Read once, up to where the topic ended at the start.
//!
//! The group's place moves only over records that the caller has settled, and never backwards. Partitions are assigned
//! by hand: nobody waits for a rebalance, and of two readers of one group each reads everything.

mod open;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use postern_core::batch::Topic;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use crate::context::ReaderContext;
use crate::failure;
use crate::settings::TopicNames;
use crate::tail::FollowError;

pub use crate::reader::Followed;

/// How long nothing may come of what is known to be there.
const SILENCE: Duration = Duration::from_secs(15);
/// How long a commit may take, with what is tried again.
const COMMIT: Duration = Duration::from_secs(10);
/// A failure is followed by a short rest.
const REST: Duration = Duration::from_millis(100);

/// Where reading starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// Where the group stands; with the oldest record where it never was.
    Group,
    /// With the oldest record that Kafka still has.
    Beginning,
}

/// Why a backlog cannot be read, or its place not be kept.
#[derive(Debug, thiserror::Error)]
pub enum BacklogError {
    /// It cannot be opened.
    #[error(transparent)]
    Open(#[from] FollowError),
    /// Kafka does not tell how the topic or the group stand.
    #[error(
        "kafka does not tell where group {group} stands in {topic}: {error}; may this client read both?"
    )]
    Place {
        /// The group.
        group: String,
        /// The topic.
        topic: String,
        /// librdkafka's name of the error.
        error: String,
    },
    /// Nothing comes any more.
    #[error(
        "{left} records of {topic} are left and none has come for 15 s: kafka at {servers} does not answer; run the command again once it does"
    )]
    Silent {
        /// How many are left.
        left: u64,
        /// The topic.
        topic: String,
        /// Who was asked.
        servers: String,
    },
    /// The group's place could not be stored.
    #[error(
        "the place of group {group} could not be stored: {error}; what was done since comes again with the next run"
    )]
    Commit {
        /// The group.
        group: String,
        /// librdkafka's name of the error.
        error: String,
    },
}

/// What a group has not dealt with yet, as it stood when it was opened.
pub struct Backlog {
    consumer: BaseConsumer<ReaderContext>,
    names: TopicNames,
    topic: Topic,
    group: String,
    servers: String,
    parts: BTreeMap<i32, Part>,
    /// How long was waited since the last sign of life.
    silence: Duration,
}

/// How far one partition is.
#[derive(Clone, Copy, Debug)]
struct Part {
    /// The offset of the next record.
    next: i64,
    /// The offset behind the last record at the start.
    end: i64,
    /// Where the group stands.
    committed: i64,
    /// Up to where everything is settled.
    settled: i64,
    /// A record was not settled: the group's place stays before it.
    held: bool,
}

impl std::fmt::Debug for Backlog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backlog").field("topic", &self.topic).field("left", &self.left()).finish()
    }
}

impl Backlog {
    /// The name of the topic.
    #[must_use]
    pub fn name(&self) -> &str {
        self.names.name(self.topic)
    }

    /// How many records are left to read, at most; 0 at the end.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.parts.values().map(Part::left).sum()
    }

    /// The next record; blocks up to `timeout`. `None`: the end, or none came in time.
    ///
    /// # Errors
    /// When nothing has come for 15 s of waiting in all.
    pub fn next(&mut self, timeout: Duration) -> Result<Option<Followed>, BacklogError> {
        let deadline = Instant::now() + timeout;
        while self.left() > 0 {
            let asked = Instant::now();
            let polled = self.consumer.poll(deadline.saturating_duration_since(asked));
            self.silence += asked.elapsed();
            match polled {
                Some(Ok(message)) => {
                    let record = Followed::of(&self.names, &message);
                    drop(message);
                    self.silence = Duration::ZERO;
                    if let Some(record) = record.filter(|record| self.advance(record)) {
                        return Ok(Some(record));
                    }
                }
                // What Kafka dropped meanwhile never comes.
                Some(Err(KafkaError::PartitionEOF(partition))) => self.finish(partition),
                Some(Err(error)) => {
                    tracing::debug!(%error, "reading goes on after an error");
                    std::thread::sleep(REST);
                    self.silence += REST;
                }
                None => {}
            }
            if self.silence >= SILENCE {
                let (topic, servers) = (self.name().to_owned(), self.servers.clone());
                return Err(BacklogError::Silent { left: self.left(), topic, servers });
            }
            if Instant::now() >= deadline {
                break;
            }
        }
        Ok(None)
    }

    /// Whether the record belongs to the backlog; what came later does not.
    fn advance(&mut self, record: &Followed) -> bool {
        let Some(part) = self.parts.get_mut(&record.partition) else { return false };
        let belongs = record.offset < part.end && record.offset >= part.next;
        part.next = part.next.max(record.offset + 1);
        if part.left() == 0 {
            self.finish(record.partition);
        }
        belongs
    }

    /// Reads no more of a partition.
    fn finish(&mut self, partition: i32) {
        if let Some(part) = self.parts.get_mut(&partition) {
            part.next = part.next.max(part.end);
        }
        let mut list = TopicPartitionList::new();
        list.add_partition(self.name(), partition);
        if let Err(error) = self.consumer.pause(&list) {
            tracing::debug!(%error, "a partition that was read goes on");
        }
    }

    /// A record is dealt with, and all before it in its partition are: the group's place may move behind it.
    pub fn settle(&mut self, partition: i32, offset: i64) {
        if let Some(part) = self.parts.get_mut(&partition).filter(|part| !part.held) {
            part.settled = part.settled.max(offset + 1);
        }
    }

    /// A record could not be dealt with: the group's place stays before it, whatever is settled later.
    pub fn hold(&mut self, partition: i32) {
        if let Some(part) = self.parts.get_mut(&partition) {
            part.held = true;
        }
    }

    /// Moves the group's place over what is settled; blocks for 10 s at most, and a little.
    ///
    /// # Errors
    /// When Kafka does not acknowledge it.
    pub fn commit(&mut self) -> Result<(), BacklogError> {
        let mut list = TopicPartitionList::new();
        let moved = |part: &Part| part.settled > part.committed.max(0);
        for (partition, part) in self.parts.iter().filter(|(_, part)| moved(part)) {
            list.add_partition_offset(self.name(), *partition, Offset::Offset(part.settled))
                .map_err(|error| self.uncommitted(&error))?;
        }
        if list.count() == 0 {
            return Ok(());
        }
        let deadline = Instant::now() + COMMIT;
        while let Err(error) = self.consumer.commit(&list, CommitMode::Sync) {
            if Instant::now() + REST >= deadline {
                return Err(self.uncommitted(&error));
            }
            std::thread::sleep(REST);
        }
        for part in self.parts.values_mut() {
            part.committed = part.committed.max(part.settled);
        }
        Ok(())
    }

    fn uncommitted(&self, error: &KafkaError) -> BacklogError {
        BacklogError::Commit { group: self.group.clone(), error: name(error) }
    }
}

impl Part {
    fn left(&self) -> u64 {
        u64::try_from(self.end - self.next).unwrap_or_default()
    }
}

/// librdkafka's name of an error.
fn name(error: &KafkaError) -> String {
    error.rdkafka_error_code().map_or_else(|| error.to_string(), failure::name)
}

#[cfg(test)]
mod tests;
