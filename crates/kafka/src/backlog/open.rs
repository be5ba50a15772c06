//! Where does a group stand in a topic, and where does the topic end?

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use postern_core::batch::Topic;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::metadata::{MetadataPartition, MetadataTopic};
use rdkafka::{Offset, TopicPartitionList};

use super::{Backlog, BacklogError, From, Part, REST, name};
use crate::reader;
use crate::settings::Settings;
use crate::tail::{FollowError, time_left};

impl Backlog {
    /// Finds out where the group stands and where the topic ends; blocks, at most about `timeout`.
    ///
    /// # Errors
    /// When the settings are wrong, no broker answers in time, or the topic does not exist.
    pub fn open(
        settings: &Settings,
        topic: Topic,
        group: &str,
        from: From,
        timeout: Duration,
    ) -> Result<Self, BacklogError> {
        let consumer = reader::open(settings, group, true).map_err(FollowError::from)?;
        let mut backlog = Self {
            consumer,
            names: settings.topics.clone(),
            topic,
            group: group.to_owned(),
            servers: settings.bootstrap_servers.clone(),
            parts: BTreeMap::new(),
            silence: Duration::ZERO,
        };
        let deadline = Instant::now() + timeout;
        let partitions = backlog.partitions(deadline)?;
        let parts = loop {
            match backlog.look_up(&partitions, from, deadline) {
                Ok(parts) => break parts,
                Err(_) if Instant::now() + REST < deadline => std::thread::sleep(REST),
                Err(error) => {
                    let (group, topic) = (group.to_owned(), backlog.name().to_owned());
                    return Err(BacklogError::Place { group, topic, error: name(&error) });
                }
            }
        };
        backlog.assign(parts)?;
        Ok(backlog)
    }

    /// The topic's partitions.
    fn partitions(&self, deadline: Instant) -> Result<Vec<i32>, FollowError> {
        let mut answered = false;
        loop {
            if let Ok(metadata) =
                self.consumer.fetch_metadata(Some(self.name()), time_left(deadline))
            {
                answered = true;
                let found = metadata.topics().iter().find(|found| found.name() == self.name());
                let partitions = found.map(MetadataTopic::partitions).unwrap_or_default();
                if !partitions.is_empty() {
                    return Ok(partitions.iter().map(MetadataPartition::id).collect());
                }
            }
            if Instant::now() + REST >= deadline {
                break;
            }
            std::thread::sleep(REST);
        }
        Err(if answered {
            FollowError::NoTopic { names: self.name().to_owned() }
        } else {
            FollowError::Unreachable { servers: self.servers.clone() }
        })
    }

    /// Where each partition starts and ends.
    fn look_up(
        &self,
        partitions: &[i32],
        from: From,
        deadline: Instant,
    ) -> KafkaResult<BTreeMap<i32, Part>> {
        let mut asked = TopicPartitionList::new();
        for partition in partitions {
            asked.add_partition(self.name(), *partition);
        }
        let committed = self.consumer.committed_offsets(asked, time_left(deadline))?;
        let mut parts = BTreeMap::new();
        for element in committed.elements() {
            element.error()?;
            let partition = element.partition();
            let (low, end) =
                self.consumer.fetch_watermarks(self.name(), partition, time_left(deadline))?;
            let committed = match element.offset() {
                // Beyond the end: of a topic of this name that was deleted since.
                Offset::Offset(offset) if offset <= end => offset,
                _ => i64::MIN,
            };
            let start = if from == From::Group { committed.max(low) } else { low };
            let part = Part { next: start, end, committed, settled: start, held: false };
            parts.insert(partition, part);
        }
        Ok(parts)
    }

    fn assign(&mut self, parts: BTreeMap<i32, Part>) -> Result<(), BacklogError> {
        let mut list = TopicPartitionList::new();
        for (partition, part) in parts.iter().filter(|(_, part)| part.left() > 0) {
            let offset = Offset::Offset(part.next);
            list.add_partition_offset(self.name(), *partition, offset)
                .and_then(|()| self.consumer.incremental_assign(&list))
                .map_err(|error| self.place(&error))?;
            list = TopicPartitionList::new();
        }
        self.parts = parts;
        Ok(())
    }

    fn place(&self, error: &KafkaError) -> BacklogError {
        let (group, topic) = (self.group.clone(), self.name().to_owned());
        BacklogError::Place { group, topic, error: name(error) }
    }
}
