//! What do all measurements of a run share: Kafka, topics, keys, requests, configuration?

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use postern_sim::{KeyRing, KeySetServer, Signer, TokenClaims};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::clock;
use crate::kafka::{Broker, Record};
use crate::request::{Tokens, Traffic, google, graph};
use crate::sample::{self, Shape, Times};
use crate::target::{self, Target};

const AUDIENCE: &str = "https://hooks.bench.example/v1/google/pubsub/gmail";
const SERVICE_ACCOUNT: &str = "push@bench.iam.gserviceaccount.com";
const SUBSCRIPTION: &str = "projects/bench/subscriptions/gmail";
/// The ring key: any 32 bytes.
const KEY: [u8; 32] = *b"the benchmark's own signing key.";
/// Connections (tenant and user) that the load tells of; their records spread over all partitions.
const USERS: u32 = 1_024;

/// Everything that a run needs and that outlives one measurement.
pub(crate) struct World {
    /// The broker.
    pub(crate) broker: Broker,
    /// The topic that everybody writes to.
    pub(crate) events: String,
    /// A folder that goes with the run.
    pub(crate) folder: TempDir,
    /// The text of postern's configuration file.
    pub(crate) configuration: String,
    /// The release binary.
    pub(crate) postern: PathBuf,
    /// The virtual environment of mq-bridge.
    pub(crate) mq_bridge: PathBuf,
    /// A folder on the disk that is measured.
    pub(crate) disk: PathBuf,
    /// Signs hook tokens.
    pub(crate) ring: KeyRing,
    /// The hook tokens of the Graph traffic.
    pub(crate) hooks: Arc<Tokens>,
    /// One item.
    pub(crate) graph: Traffic,
    /// Ten items.
    pub(crate) graph_10: Traffic,
    /// A push of Gmail's.
    pub(crate) gmail: Traffic,
    /// A channel message.
    pub(crate) calendar: Traffic,
    /// Postern fetches the key set from here.
    _key_set: KeySetServer,
    _runtime: Runtime,
}

impl World {
    /// Prepares a run on this broker.
    ///
    /// # Errors
    /// When a topic, key or file cannot be made.
    pub(crate) fn prepare(
        broker: Broker,
        postern: PathBuf,
        mq_bridge: PathBuf,
        disk: PathBuf,
    ) -> anyhow::Result<Self> {
        let folder = TempDir::with_prefix("postern-bench-")?;
        let name = |kind: &str| format!("bench-{}.{kind}.v1", std::process::id());
        let topics = [name("events"), name("lifecycle"), name("quarantine")];
        for topic in &topics {
            broker.create_topic(topic)?;
        }
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let signer = Signer::generate("bench-1")?;
        let key_set = runtime.block_on(KeySetServer::start(signer.jwks()))?;
        let now = clock::now().as_secs();
        let claims = TokenClaims::new(AUDIENCE, SERVICE_ACCOUNT, i64::try_from(now)?);
        let bearer = signer.token(&claims);
        let ring = KeyRing::new([("k1", &KEY[..])])?;
        let hooks = Arc::new(graph::tokens(&ring, USERS, USERS / 8)?);
        let channels = Arc::new(google::calendar_tokens(&ring, USERS)?);

        let key = folder.path().join("hook-key");
        std::fs::write(&key, KEY)?;
        let key = key.to_str().context("the folder has a plain name")?;
        let configuration = configuration(&broker.bootstrap, &topics, key, &key_set.url());
        let [events, ..] = topics;
        let world = Self {
            broker,
            events,
            folder,
            configuration,
            postern,
            mq_bridge,
            disk,
            ring,
            graph: graph::delivery(&hooks, 1),
            graph_10: graph::delivery(&hooks, 10),
            hooks,
            gmail: google::gmail("/v1/google/pubsub/gmail", &bearer, SUBSCRIPTION),
            calendar: google::calendar(&channels),
            _key_set: key_set,
            _runtime: runtime,
        };
        world.take_samples()?;
        Ok(world)
    }

    /// A file with records that postern wrote of Graph items, for bare librdkafka to write.
    #[must_use]
    pub(crate) fn samples_file(&self) -> PathBuf {
        self.folder.path().join("samples.json")
    }

    /// One of these records.
    ///
    /// # Errors
    /// When the file is gone.
    pub(crate) fn sample(&self) -> anyhow::Result<Record> {
        let samples: Vec<Record> = serde_json::from_slice(&std::fs::read(self.samples_file())?)?;
        samples.into_iter().next().context("there are samples")
    }

    /// Where a server's standard error goes: each one writes it anew.
    #[must_use]
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }

    fn take_samples(&self) -> anyhow::Result<()> {
        let server = target::start(Target::Graph, self)?;
        let times = Times { warm_up: Duration::ZERO, measured: Duration::from_millis(200) };
        sample::serve(&server, &self.graph, Shape { busy: 64, idle: 0 }, times, self)?;
        let records = self.broker.first_records(&self.events, USERS as usize)?;
        Ok(std::fs::write(self.samples_file(), serde_json::to_vec(&records)?)?)
    }
}

/// All of postern that the benchmark needs, everything else as it comes.
fn configuration(bootstrap: &str, topics: &[String; 3], key: &str, key_set: &str) -> String {
    let [events, lifecycle, quarantine] = topics;
    format!(
        r#"[server]
public = "127.0.0.1:0"
admin = "127.0.0.1:0"
[shutdown]
linger = "0s"
grace = "0s"
[limits]
connections = 12000
[kafka]
bootstrap_servers = "{bootstrap}"
topics = {{ events = "{events}", lifecycle = "{lifecycle}", quarantine = "{quarantine}" }}
[hook_tokens]
signing = "k1"
keys = {{ k1 = "{key}" }}
[pubsub.gmail]
audience = "{AUDIENCE}"
service_account = "{SERVICE_ACCOUNT}"
subscription = "{SUBSCRIPTION}"
[google]
jwks_url = "{key_set}"
"#
    )
}
