//! How are topics looked at? What the commands and the check at start ask Kafka.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, OwnedResourceSpecifier, ResourceSpecifier};
use rdkafka::types::RDKafkaErrorCode;

use crate::context::ReaderContext;
use crate::failure;
use crate::settings::{Settings, SettingsError, describe};

/// Why Kafka could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
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
    /// The request failed; in librdkafka's words.
    #[error("kafka refused to {what}: {reason}")]
    Refused {
        /// What was asked for.
        what: &'static str,
        /// Why it was refused.
        reason: String,
    },
    /// The system gives no thread or no runtime.
    #[error("the request to kafka could not be run: {0}")]
    Run(String),
}

/// What Kafka says of one topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// How many partitions it has.
    pub(crate) partitions: usize,
    /// How many of them have no leader.
    pub(crate) leaderless: usize,
    /// The smallest number of copies that a partition has.
    pub(crate) replication: usize,
    /// Its settings; empty where Kafka does not tell.
    pub(crate) config: BTreeMap<String, String>,
}

/// A connection for questions about topics. Every method blocks.
pub(crate) struct Admin {
    pub(crate) client: AdminClient<ReaderContext>,
    servers: String,
    deadline: Instant,
}

impl Admin {
    /// Everything asked of it must be answered within `timeout` in all.
    pub(crate) fn new(settings: &Settings, timeout: Duration) -> Result<Self, AdminError> {
        settings.check()?;
        let client = settings
            .client()
            .create_with_context(ReaderContext::default())
            .map_err(|error| describe(error, &settings.properties))?;
        let servers = settings.bootstrap_servers.clone();
        Ok(Self { client, servers, deadline: Instant::now() + timeout })
    }

    /// The topic, if it exists.
    pub(crate) fn topic(&self, name: &str) -> Result<Option<Facts>, AdminError> {
        let left = self.time_left();
        let metadata = self.client.inner().fetch_metadata(Some(name), left).map_err(|error| {
            tracing::debug!(%error, "no metadata");
            AdminError::Unreachable { servers: self.servers.clone() }
        })?;
        let found = metadata.topics().iter().find(|topic| topic.name() == name);
        let Some(topic) = found else { return Ok(None) };
        if let Some(error) = topic.error() {
            let code = RDKafkaErrorCode::from(error);
            return match code {
                RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic => {
                    Ok(None)
                }
                _ => Err(refused("describe a topic", code)),
            };
        }
        let partitions = topic.partitions();
        Ok(Some(Facts {
            partitions: partitions.len(),
            leaderless: partitions.iter().filter(|partition| partition.leader() < 0).count(),
            replication: partitions.iter().map(|p| p.replicas().len()).min().unwrap_or(0),
            config: BTreeMap::new(),
        }))
    }

    /// The settings of topics that exist, by topic name. A Kafka that does not tell them (librdkafka's mock cluster,
    /// or a missing permission) is a refusal.
    pub(crate) fn configs(
        &self,
        names: &[&str],
    ) -> Result<BTreeMap<String, BTreeMap<String, String>>, AdminError> {
        let what = "tell topic settings";
        let asked: Vec<_> = names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
        let options = self.options();
        let answer = block_on(self.client.describe_configs(&asked, &options))?
            .map_err(|error| refused(what, code_of(&error)))?;
        let mut configs = BTreeMap::new();
        for resource in answer {
            let resource = resource.map_err(|code| refused(what, code))?;
            let OwnedResourceSpecifier::Topic(name) = resource.specifier else { continue };
            let entries = resource.entries.into_iter();
            let config = entries.filter_map(|entry| entry.value.map(|value| (entry.name, value)));
            configs.insert(name, config.collect());
        }
        Ok(configs)
    }

    pub(crate) fn options(&self) -> AdminOptions {
        let left = Some(self.time_left());
        AdminOptions::new().request_timeout(left).operation_timeout(left)
    }

    fn time_left(&self) -> Duration {
        let left = self.deadline.saturating_duration_since(Instant::now());
        left.max(Duration::from_millis(50))
    }
}

pub(crate) fn refused(what: &'static str, code: RDKafkaErrorCode) -> AdminError {
    AdminError::Refused { what, reason: failure::name(code) }
}

pub(crate) fn code_of(error: &rdkafka::error::KafkaError) -> RDKafkaErrorCode {
    error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown)
}

/// Waits for an admin request on a thread of its own: the caller's may belong to a runtime, which must not be
/// entered twice.
pub(crate) fn block_on<F: Future<Output: Send> + Send>(future: F) -> Result<F::Output, AdminError> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.map(|runtime| runtime.block_on(future))
    };
    let joined = std::thread::scope(|scope| scope.spawn(run).join());
    match joined {
        Ok(Ok(output)) => Ok(output),
        Ok(Err(error)) => Err(AdminError::Run(error.to_string())),
        Err(_) => Err(AdminError::Run("its thread panicked".to_owned())),
    }
}
