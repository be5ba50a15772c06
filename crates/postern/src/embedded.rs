//! How does an edge run without a configuration? On the embedded Kafka, with a fresh key, and nothing durable.

use std::net::SocketAddr;

use anyhow::Context as _;
use postern_core::provider::google::PubsubSource;
use postern_kafka::embedded::Embedded;
use postern_sim::{KeySetServer, Signer};

use crate::config::problem::Place;
use crate::config::reload::Reloader;
use crate::config::settings::{HookTokens, SecretFile};
use crate::config::{ConfigError, Serve, Settings};
use crate::embedded_state::{Facts, FreshKey, KeyFile, Published, StateDirectory};
use crate::running::Running;

/// Partitions of each topic: enough to see keys spread.
const PARTITIONS: i32 = 4;

/// An edge on the embedded Kafka. Its state files go when it is dropped.
pub(crate) struct EmbeddedEdge {
    /// The edge.
    pub(crate) running: Running,
    /// The embedded cluster, as a client sees it.
    pub(crate) kafka: postern_kafka::Settings,
    /// The key of this run.
    pub(crate) key: FreshKey,
    /// Signs the tokens of simulated Pub/Sub pushes.
    pub(crate) signer: Signer,
    /// The sources that take them.
    pub(crate) pubsub: Vec<PubsubSource>,
    _state: Published,
    _signing_key: KeyFile,
    _key_set: KeySetServer,
    cluster: Embedded,
}

/// A Pub/Sub source of the embedded edge. Its audience is a name, not an address: the port is not known yet.
fn source(name: &str, tenant: Option<&str>) -> PubsubSource {
    PubsubSource {
        name: name.to_owned(),
        audience: format!("https://embedded.invalid/v1/google/pubsub/{name}"),
        service_account: "push@embedded.iam.gserviceaccount.com".to_owned(),
        subscription: Some(format!("projects/embedded/subscriptions/{name}")),
        wrapped: true,
        tenant: tenant.map(str::to_owned),
    }
}

impl EmbeddedEdge {
    /// Starts cluster and edge, and tells the other commands where they are.
    ///
    /// # Errors
    /// When a listener cannot be bound or the state cannot be written.
    pub(crate) async fn start(public: SocketAddr, admin: SocketAddr) -> anyhow::Result<Self> {
        let state = StateDirectory::of_user()?;
        let key = state.fresh_key()?;
        let mut settings = Settings::embedded(public, admin);
        let (key_path, place) = ("hook_tokens.keys".to_owned(), Place::Flag("embedded edge"));
        let file = SecretFile { key: key_path, place, path: key.file.path().to_owned() };
        settings.hook_tokens = Some(HookTokens {
            signing: key.kid.to_owned(),
            keys: vec![(key.kid.to_owned(), file)],
        });
        let signer = Signer::generate(key.kid)?;
        let signing_key = state.write_signing_key(&signer.pkcs8())?;
        let key_set = KeySetServer::start(signer.jwks())
            .await
            .context("cannot serve the key set on a port of 127.0.0.1")?;
        settings.google.jwks_url = key_set.url();
        settings.pubsub = vec![source("gmail", None), source("workspace", Some("org_acme"))];
        let pubsub = settings.pubsub.clone();
        let cluster = Embedded::start(&settings.kafka.topics, PARTITIONS)
            .context("cannot start the embedded kafka")?;
        let servers = cluster.bootstrap_servers().to_owned();
        let kafka = postern_kafka::Settings::new(&servers, settings.kafka.topics.clone());
        let (reloader, trust) = Reloader::start(None, &settings)
            .map_err(|problems| ConfigError::new(None, problems))?;
        let serve = Serve { settings, trust, reloader, kafka: kafka.clone() };
        let running = Running::start(serve)?;
        let facts = Facts {
            bootstrap: &servers,
            public: running.public,
            admin: running.admin,
            key_set_url: &key_set.url(),
            signing_key: &signing_key,
            signing_kid: signer.kid(),
            pubsub: &pubsub,
        };
        let published = state.publish(&key, &facts)?;
        Ok(Self {
            running,
            kafka,
            key,
            signer,
            pubsub,
            _state: published,
            _signing_key: signing_key,
            _key_set: key_set,
            cluster,
        })
    }

    /// Drains and stops the edge; the cluster lives until the process ends, as its clients would complain of its end.
    pub(crate) async fn stop(self) {
        self.running.stop().await;
        std::mem::forget(self.cluster);
    }

    /// What a person has to know: that nothing lasts, what is where, and what to try.
    pub(crate) fn banner(&self, command: &str) -> String {
        let Running { public, admin, .. } = &self.running;
        let routes = self.running.routes().join("\n             ");
        format!(
            "postern {command} on its embedded Kafka: NOTHING HERE IS DURABLE, everything is in the memory of this process.\n\
             \x20 providers  http://{public}, routes\n             {routes}\n\
             \x20 admin      http://{admin}/status, /metrics, /readyz, /livez\n\
             \x20 kafka      {}\n\
             \x20 try        postern simulate --rate 20 --forged 10     (in another terminal; `postern tail` shows the records)\n\
             \x20 for a real Kafka: `postern config example > postern.toml`, set kafka.bootstrap_servers, `postern serve --config postern.toml`",
            self.kafka.bootstrap_servers
        )
    }
}
