//! How are topics made, changed and deleted?

use std::time::{Duration, Instant};

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::KafkaResult;
use rdkafka::types::RDKafkaErrorCode;

use super::Kafka;
use crate::scratch;

const LIMIT: Duration = Duration::from_secs(20);

/// The three topics of one test; no other test has the same.
#[derive(Clone, Debug)]
pub struct Topics {
    /// Change notifications.
    pub events: String,
    /// Signals about subscriptions.
    pub lifecycle: String,
    /// What was not trusted.
    pub quarantine: String,
}

impl Topics {
    /// Names alone; [`Kafka::new_topics`] makes the topics too.
    pub fn named() -> Self {
        let prefix = format!("it-{}-{}", std::process::id(), scratch::unique());
        Self {
            events: format!("{prefix}.events.v1"),
            lifecycle: format!("{prefix}.lifecycle.v1"),
            quarantine: format!("{prefix}.quarantine.v1"),
        }
    }

    /// All three names.
    pub fn all(&self) -> [&str; 3] {
        [&self.events, &self.lifecycle, &self.quarantine]
    }
}

impl Kafka {
    /// Makes three topics with names of their own: 3, 2 and 1 partitions, replicated to every broker (at most 3).
    pub fn new_topics(&self) -> Topics {
        let topics = Topics::named();
        for (topic, partitions) in topics.all().into_iter().zip([3, 2, 1]) {
            self.create_topic(topic, partitions, &[]);
        }
        topics
    }

    /// Makes a topic and waits until it has leaders; `config` is the topic's own, such as `max.message.bytes`.
    pub fn create_topic(&self, name: &str, partitions: i32, config: &[(&str, &str)]) {
        let copies = i32::try_from(self.brokers().min(3)).expect("at most 3");
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(copies));
        if copies == 3 && !config.iter().any(|(key, _)| *key == "min.insync.replicas") {
            topic = topic.set("min.insync.replicas", "2");
        }
        for (key, value) in config {
            topic = topic.set(key, value);
        }
        self.admin(async |admin, options| {
            Ok(refusals(admin.create_topics([&topic], options).await?))
        });
        self.await_topic(name, |found| found == usize::try_from(partitions).expect("positive"));
    }

    /// Deletes a topic and waits until no broker names it any more.
    pub fn delete_topic(&self, name: &str) {
        self.admin(async |admin, options| {
            Ok(refusals(admin.delete_topics(&[name], options).await?))
        });
        self.await_topic(name, |found| found == 0);
    }

    /// Sets a topic's configuration; what is not named goes back to its default.
    pub fn alter_topic(&self, name: &str, config: &[(&str, &str)]) {
        let mut alter = AlterConfig::new(ResourceSpecifier::Topic(name));
        for (key, value) in config {
            alter = alter.set(key, value);
        }
        self.admin(async |admin, options| {
            Ok(refusals(admin.alter_configs([&alter], options).await?))
        });
    }

    /// Adds partitions until the topic has `total` of them.
    pub fn add_partitions(&self, name: &str, total: usize) {
        let more = NewPartitions::new(name, total);
        self.admin(async |admin, options| {
            Ok(refusals(admin.create_partitions([&more], options).await?))
        });
        self.await_topic(name, |found| found == total);
    }

    /// Partitions of a topic that have a leader; 0 when there is no such topic.
    fn partitions_led(&self, name: &str) -> usize {
        let Ok(metadata) = self.metadata(Some(name)) else { return 0 };
        let topic = metadata.topics().iter().find(|topic| topic.name() == name);
        topic.map_or(0, |topic| topic.partitions().iter().filter(|p| p.leader() >= 0).count())
    }

    fn await_topic(&self, name: &str, wanted: impl Fn(usize) -> bool) {
        let start = Instant::now();
        while !wanted(self.partitions_led(name)) {
            assert!(start.elapsed() < LIMIT, "topic {name} does not come to its new shape");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Does one thing by the admin API and fails the test when the broker refuses it.
    fn admin(
        &self,
        act: impl AsyncFnOnce(
            &AdminClient<DefaultClientContext>,
            &AdminOptions,
        ) -> KafkaResult<Vec<RDKafkaErrorCode>>,
    ) {
        let admin: AdminClient<_> = self.client().create().expect("the properties are known");
        let options =
            AdminOptions::new().operation_timeout(Some(LIMIT)).request_timeout(Some(LIMIT));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime needs no more than memory");
        let refusals = runtime.block_on(act(&admin, &options)).expect("the broker answers");
        assert!(refusals.is_empty(), "the broker refuses: {refusals:?}");
    }
}

fn refusals<T, N>(results: Vec<Result<T, (N, RDKafkaErrorCode)>>) -> Vec<RDKafkaErrorCode> {
    results.into_iter().filter_map(|result| result.err().map(|(_, code)| code)).collect()
}
