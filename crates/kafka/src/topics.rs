//! Which topics does postern need, and with which settings?
//!
//! [`plan`] says it, [`create`] makes it so, [`check`] compares what is there with what durability needs.

mod admin;
mod check;
mod create;

use std::collections::BTreeMap;
use std::time::Duration;

use postern_core::batch::Topic;

pub use admin::AdminError;
pub use check::{Report, check};
pub use create::{Created, create};

use crate::settings::TopicNames;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What may be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanOptions {
    /// Partitions of the events topic.
    pub events_partitions: i32,
    /// Partitions of the lifecycle topic.
    pub lifecycle_partitions: i32,
    /// Partitions of the quarantine topic.
    pub quarantine_partitions: i32,
    /// How long events and signals are kept.
    pub retention: Duration,
    /// How long quarantined deliveries are kept.
    pub quarantine_retention: Duration,
    /// Copies of each record.
    pub replication: i32,
    /// How many of them must be written before a record is acknowledged.
    pub min_insync_replicas: i32,
    /// The largest batch of records that a topic takes, in bytes.
    pub max_message_bytes: i32,
}

impl Default for PlanOptions {
    fn default() -> Self {
        Self {
            events_partitions: 12,
            lifecycle_partitions: 6,
            quarantine_partitions: 3,
            retention: 7 * DAY,
            quarantine_retention: 14 * DAY,
            replication: 3,
            min_insync_replicas: 2,
            // Kafka's own default, stated because a lower one would make whole batches fail.
            max_message_bytes: 1_048_588,
        }
    }
}

/// A topic as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicPlan {
    /// Which.
    pub topic: Topic,
    /// Its name.
    pub name: String,
    /// How many partitions.
    pub partitions: i32,
    /// How many copies.
    pub replication: i32,
    /// Kafka's topic settings, by name.
    pub config: BTreeMap<&'static str, String>,
}

/// Options that cannot be meant.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Zero, or less.
    #[error("{0} must be at least 1")]
    NotPositive(&'static str),
    /// More than Kafka can hold in one topic with sense.
    #[error("{0} partitions are too many for the {1} topic: at most 10000")]
    TooManyPartitions(i32, &'static str),
    /// No record could ever be acknowledged.
    #[error(
        "min.insync.replicas {min_insync_replicas} is more than replication {replication}: no record could ever be \
         acknowledged"
    )]
    NeverAcknowledged {
        /// Copies that must be written.
        min_insync_replicas: i32,
        /// Copies that exist.
        replication: i32,
    },
}

/// The three topics.
///
/// # Errors
/// When the options contradict each other or are out of range.
pub fn plan(names: &TopicNames, options: &PlanOptions) -> Result<Vec<TopicPlan>, PlanError> {
    options.check()?;
    Ok(Topic::ALL.map(|topic| topic_plan(names, options, topic)).into())
}

impl PlanOptions {
    fn check(&self) -> Result<(), PlanError> {
        for (count, what) in [
            (self.replication, "replication"),
            (self.min_insync_replicas, "min.insync.replicas"),
            (self.max_message_bytes, "max.message.bytes"),
        ] {
            if count < 1 {
                return Err(PlanError::NotPositive(what));
            }
        }
        for topic in Topic::ALL {
            match self.partitions(topic) {
                ..1 => return Err(PlanError::NotPositive("the number of partitions")),
                count @ 10_001.. => {
                    return Err(PlanError::TooManyPartitions(count, topic.as_str()));
                }
                _ => {}
            }
            if self.retention(topic).as_millis() < 1 {
                return Err(PlanError::NotPositive("retention, in milliseconds,"));
            }
        }
        if self.min_insync_replicas > self.replication {
            return Err(PlanError::NeverAcknowledged {
                min_insync_replicas: self.min_insync_replicas,
                replication: self.replication,
            });
        }
        Ok(())
    }

    const fn partitions(&self, topic: Topic) -> i32 {
        match topic {
            Topic::Events => self.events_partitions,
            Topic::Lifecycle => self.lifecycle_partitions,
            Topic::Quarantine => self.quarantine_partitions,
        }
    }

    const fn retention(&self, topic: Topic) -> Duration {
        match topic {
            Topic::Events | Topic::Lifecycle => self.retention,
            Topic::Quarantine => self.quarantine_retention,
        }
    }
}

fn topic_plan(names: &TopicNames, options: &PlanOptions, topic: Topic) -> TopicPlan {
    let retention = i64::try_from(options.retention(topic).as_millis()).unwrap_or(i64::MAX);
    let config = BTreeMap::from([
        ("cleanup.policy", "delete".to_owned()),
        ("max.message.bytes", options.max_message_bytes.to_string()),
        ("min.insync.replicas", options.min_insync_replicas.to_string()),
        ("retention.ms", retention.to_string()),
        ("unclean.leader.election.enable", "false".to_owned()),
    ]);
    TopicPlan {
        topic,
        name: names.name(topic).to_owned(),
        partitions: options.partitions(topic),
        replication: options.replication,
        config,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_manual() {
        let plan = plan(&TopicNames::default(), &PlanOptions::default()).unwrap();
        let shape: Vec<_> = plan
            .iter()
            .map(|topic| {
                (topic.name.as_str(), topic.partitions, topic.config["retention.ms"].as_str())
            })
            .collect();
        assert_eq!(
            shape,
            [
                ("postern.events.v1", 12, "604800000"),
                ("postern.lifecycle.v1", 6, "604800000"),
                ("postern.quarantine.v1", 3, "1209600000"),
            ]
        );
        for topic in plan {
            assert_eq!((topic.replication, topic.config["min.insync.replicas"].as_str()), (3, "2"));
            assert_eq!(topic.config["max.message.bytes"], "1048588");
            assert_eq!(topic.config["cleanup.policy"], "delete");
            assert_eq!(topic.config["unclean.leader.election.enable"], "false");
        }
    }

    #[test]
    fn options_that_cannot_be_meant_are_refused() {
        let names = TopicNames::default();
        let refused = |change: fn(&mut PlanOptions)| {
            let mut options = PlanOptions::default();
            change(&mut options);
            plan(&names, &options).unwrap_err().to_string()
        };
        assert!(refused(|o| o.replication = 1).contains("no record could ever be acknowledged"));
        assert!(refused(|o| o.replication = 0).contains("replication must be at least 1"));
        assert!(refused(|o| o.min_insync_replicas = -1).contains("at least 1"));
        assert!(refused(|o| o.events_partitions = 0).contains("partitions"));
        assert!(refused(|o| o.lifecycle_partitions = 10_001).contains("lifecycle"));
        assert!(refused(|o| o.retention = Duration::ZERO).contains("retention"));
        assert!(refused(|o| o.max_message_bytes = 0).contains("max.message.bytes"));
    }
}
