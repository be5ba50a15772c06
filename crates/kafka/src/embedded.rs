//! How does postern run without a Kafka? librdkafka's mock cluster, in this process and in memory only.
//!
//! It is no broker: it keeps the last 5 MiB of a partition, knows neither TLS nor SASL nor the admin requests, and
//! everything is gone when it stops. For the demonstration, and for tests, which can also make it fail.

use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use crate::settings::TopicNames;

/// The embedded cluster could not be started or told something.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// In librdkafka's words.
    #[error("the embedded kafka failed: {0}")]
    Cluster(String),
    /// Its thread has ended.
    #[error("the embedded kafka has stopped")]
    Stopped,
}

impl From<KafkaError> for EmbeddedError {
    fn from(error: KafkaError) -> Self {
        Self::Cluster(error.to_string())
    }
}

/// A kind of request that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Writing records.
    Produce,
    /// Looking topics up.
    Metadata,
    /// Getting a producer id.
    InitProducerId,
}

/// How a request, or a topic, fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is wrong: takes a topic's fault back.
    None,
    /// `NOT_ENOUGH_REPLICAS`: retried by the client.
    NotEnoughReplicas,
    /// `TOPIC_AUTHORIZATION_FAILED`.
    TopicAuthorizationFailed,
    /// `CLUSTER_AUTHORIZATION_FAILED`: for a producer id it kills the producer.
    ClusterAuthorizationFailed,
    /// `UNKNOWN_TOPIC_OR_PART`.
    UnknownTopic,
    /// `MSG_SIZE_TOO_LARGE`.
    TooLarge,
    /// `INVALID_RECORD`.
    InvalidRecord,
    /// `OUT_OF_ORDER_SEQUENCE_NUMBER`.
    OutOfOrder,
    /// `UNKNOWN_PRODUCER_ID`.
    UnknownProducerId,
    /// `INVALID_PRODUCER_EPOCH`.
    InvalidProducerEpoch,
    /// The connection breaks.
    Disconnect,
}

type Cluster = MockCluster<'static, DefaultProducerContext>;
type Order = Box<dyn FnOnce(&Cluster) -> KafkaResult<()> + Send>;

struct Command {
    order: Order,
    reply: mpsc::Sender<KafkaResult<()>>,
}

/// A running embedded cluster; it stops when dropped.
#[derive(Debug)]
pub struct Embedded {
    bootstrap: String,
    /// Taken when dropped: its end ends the thread.
    commands: Option<mpsc::Sender<Command>>,
    thread: Option<JoinHandle<()>>,
}

impl Embedded {
    /// Starts one broker with the three topics, each of `partitions` partitions.
    ///
    /// # Errors
    /// When librdkafka cannot start it or create a topic.
    pub fn start(topics: &TopicNames, partitions: i32) -> Result<Self, EmbeddedError> {
        let names = [&topics.events, &topics.lifecycle, &topics.quarantine];
        Self::start_with(1, &names.map(String::as_str), partitions)
    }

    /// Starts `brokers` brokers with the topics of these names, each of `partitions` partitions.
    ///
    /// # Errors
    /// As [`Embedded::start`].
    pub fn start_with(
        brokers: i32,
        topics: &[&str],
        partitions: i32,
    ) -> Result<Self, EmbeddedError> {
        let (started, start) = mpsc::channel();
        let (commands, orders) = mpsc::channel::<Command>();
        // The cluster is neither Send nor Sync: it lives and dies on one thread.
        let run = move || {
            let cluster = match MockCluster::new(brokers) {
                Ok(cluster) => cluster,
                Err(error) => return drop(started.send(Err(error))),
            };
            if started.send(Ok(cluster.bootstrap_servers())).is_err() {
                return;
            }
            for Command { order, reply } in orders {
                // Whoever asked may be gone.
                drop(reply.send(order(&cluster)));
            }
        };
        let thread = thread::Builder::new()
            .name("kafka-embedded".to_owned())
            .spawn(run)
            .map_err(|error| EmbeddedError::Cluster(error.to_string()))?;
        let bootstrap = start.recv().map_err(|_| EmbeddedError::Stopped)??;
        let embedded = Self { bootstrap, commands: Some(commands), thread: Some(thread) };
        for topic in topics {
            embedded.create_topic(topic, partitions, brokers.min(3))?;
        }
        Ok(embedded)
    }

    /// `host:port` of its brokers, comma-separated. The ports are the system's choice.
    #[must_use]
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap
    }

    /// Creates a topic.
    ///
    /// # Errors
    /// When the cluster refuses or has stopped.
    pub fn create_topic(
        &self,
        name: &str,
        partitions: i32,
        replication: i32,
    ) -> Result<(), EmbeddedError> {
        let name = name.to_owned();
        self.tell(move |cluster| cluster.create_topic(&name, partitions, replication))
    }

    /// Breaks the connections to a broker and refuses new ones; `None` is all brokers.
    ///
    /// # Errors
    /// As [`Embedded::create_topic`].
    pub fn broker_down(&self, broker: Option<i32>) -> Result<(), EmbeddedError> {
        self.tell(move |cluster| cluster.broker_down(broker.unwrap_or(-1)))
    }

    /// Lets a broker take connections again; `None` is all brokers.
    ///
    /// # Errors
    /// As [`Embedded::create_topic`].
    pub fn broker_up(&self, broker: Option<i32>) -> Result<(), EmbeddedError> {
        self.tell(move |cluster| cluster.broker_up(broker.unwrap_or(-1)))
    }

    /// Delays every answer of all brokers.
    ///
    /// # Errors
    /// As [`Embedded::create_topic`].
    pub fn round_trip_time(&self, delay: Duration) -> Result<(), EmbeddedError> {
        self.tell(move |cluster| cluster.broker_round_trip_time(-1, delay))
    }

    /// Makes the next requests of a kind fail, one after the other.
    ///
    /// # Errors
    /// When the cluster has stopped.
    pub fn fail_requests(&self, request: Request, faults: &[Fault]) -> Result<(), EmbeddedError> {
        let errors: Vec<RDKafkaRespErr> = faults.iter().map(|&fault| code(fault)).collect();
        self.tell(move |cluster| {
            cluster.request_errors(api_key(request), &errors);
            Ok(())
        })
    }

    /// Takes back what [`Embedded::fail_requests`] has not used up.
    ///
    /// # Errors
    /// When the cluster has stopped.
    pub fn stop_failing(&self, request: Request) -> Result<(), EmbeddedError> {
        self.tell(move |cluster| {
            cluster.clear_request_errors(api_key(request));
            Ok(())
        })
    }

    /// What metadata says of a topic from now on.
    ///
    /// # Errors
    /// When the cluster has stopped.
    pub fn topic_fault(&self, name: &str, fault: Fault) -> Result<(), EmbeddedError> {
        let name = name.to_owned();
        self.tell(move |cluster| cluster.topic_error(&name, code(fault)))
    }

    /// Gives a partition another leader, or none.
    ///
    /// # Errors
    /// As [`Embedded::create_topic`].
    pub fn partition_leader(
        &self,
        topic: &str,
        partition: i32,
        broker: Option<i32>,
    ) -> Result<(), EmbeddedError> {
        let topic = topic.to_owned();
        self.tell(move |cluster| cluster.partition_leader(&topic, partition, broker))
    }

    fn tell(
        &self,
        order: impl FnOnce(&Cluster) -> KafkaResult<()> + Send + 'static,
    ) -> Result<(), EmbeddedError> {
        let (reply, answer) = mpsc::channel();
        let command = Command { order: Box::new(order), reply };
        let commands = self.commands.as_ref().ok_or(EmbeddedError::Stopped)?;
        commands.send(command).map_err(|_| EmbeddedError::Stopped)?;
        Ok(answer.recv().map_err(|_| EmbeddedError::Stopped)??)
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed already.
            drop(thread.join());
        }
    }
}

const fn api_key(request: Request) -> RDKafkaApiKey {
    match request {
        Request::Produce => RDKafkaApiKey::Produce,
        Request::Metadata => RDKafkaApiKey::Metadata,
        Request::InitProducerId => RDKafkaApiKey::InitProducerId,
    }
}

const fn code(fault: Fault) -> RDKafkaRespErr {
    use RDKafkaRespErr as E;
    match fault {
        Fault::None => E::RD_KAFKA_RESP_ERR_NO_ERROR,
        Fault::NotEnoughReplicas => E::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        Fault::TopicAuthorizationFailed => E::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
        Fault::ClusterAuthorizationFailed => E::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
        Fault::UnknownTopic => E::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
        Fault::TooLarge => E::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
        Fault::InvalidRecord => E::RD_KAFKA_RESP_ERR_INVALID_RECORD,
        Fault::OutOfOrder => E::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
        Fault::UnknownProducerId => E::RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID,
        Fault::InvalidProducerEpoch => E::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
        Fault::Disconnect => E::RD_KAFKA_RESP_ERR__TRANSPORT,
    }
}
