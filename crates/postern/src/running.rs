//! How does an edge start, become ready, reload and stop? The life of `serve` and of `demo`, step by step.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use postern_core::form::Form;
use postern_edge::admin::{self, Admin};
use postern_edge::authenticate::Pubsub;
use postern_edge::config::Config;
use postern_edge::key_sets::KeySets;
use postern_edge::listener;
use postern_edge::metrics::Metrics;
use postern_edge::phase::{Life, Phase};
use postern_edge::pipeline::Edge;
use postern_kafka::{Producer, topics};
use postern_spool::Publisher;
use prometheus::process_collector::ProcessCollector;
use prometheus::{IntGauge, Opts, Registry};
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::reload::Reloader;
use crate::config::settings::Shutdown;
use crate::config::{Serve, Settings};
use crate::jwks::Fetcher;
use crate::spooling::{self, Draining};

/// How long readiness waits for the first contact with Kafka: after that 503 is the honest answer, not silence.
const FIRST_CONTACT: Duration = Duration::from_secs(2);
/// How often deny rules, keys and secrets are looked at.
const RELOAD: Duration = Duration::from_secs(5);
/// How long the producer may take to settle what was taken.
const FLUSH: Duration = Duration::from_millis(2_500);
/// How long connections that were accepted last may take to send their request and hear a 503.
const LAST_CALL: Duration = Duration::from_millis(300);
/// How long an answer that was decided last may take to be written.
const LAST_WORD: Duration = Duration::from_millis(100);
/// How long the topic checks may take; nobody waits for them.
const CHECK: Duration = Duration::from_secs(10);
/// The largest share of a record that is frame: librdkafka and the broker count it, the batch does not.
const RECORD_FRAME: usize = 1_000;
/// librdkafka's default `message.max.bytes`.
const MAX_MESSAGE: usize = 1_000_000;

/// An edge that runs.
pub(crate) struct Running {
    edge: Arc<Edge<Publisher<Producer>>>,
    draining: Option<Draining>,
    /// Where providers post.
    pub(crate) public: SocketAddr,
    /// Where `/livez`, `/readyz`, `/metrics` and `/status` are.
    pub(crate) admin: SocketAddr,
    /// The bootstrap servers.
    pub(crate) kafka: String,
    shutdown: Shutdown,
    stop_listening: watch::Sender<bool>,
    listening: JoinHandle<()>,
    reloading: JoinHandle<()>,
}

impl Running {
    /// Opens the listeners and starts the producer. Traffic is answered from here on; Kafka may still be away.
    ///
    /// # Errors
    /// When a listener cannot be bound or the producer's settings are refused.
    pub(crate) fn start(serve: Serve) -> anyhow::Result<Self> {
        let Serve { settings, trust, reloader, kafka } = serve;
        // First of all: until it is caught, a SIGHUP ends the process.
        let hangup = catch_hangup();
        let (registry, life) = (Registry::new(), Life::new());
        register_process(&registry)?;
        let metrics = Metrics::register(&registry)?;
        let public = settings.server.public;
        let listener = listener::bind(public)
            .with_context(|| format!("cannot listen on {public} (server.public): is the address this machine's, and free?"))?;
        let public = listener.local_addr()?;
        let producer =
            Producer::start(&kafka, &registry).context("cannot start the kafka producer")?;
        let opened = settings.spool.as_ref();
        let opened = opened.map(|spool| spooling::open(spool, &producer, &registry)).transpose()?;
        let spool = opened.as_ref().map(|opened| opened.spool.clone());
        let publisher = Publisher::new(producer, spool);
        let pubsub = start_pubsub(&settings)?;
        let edge = Edge::new(config(&settings), trust, pubsub, publisher, metrics, life.clone());
        let draining = opened.map(|opened| {
            let edge = Arc::clone(&edge);
            let max_body = settings.quarantine.max_body;
            opened.start(spooling::refused(move || edge.trust(), max_body))
        });

        let (stop_listening, stop) = watch::channel(false);
        let listening = tokio::spawn(listener::run(listener, Arc::clone(&edge), stop));
        let admin = start_admin(settings.server.admin, &edge, registry, life)?;
        let reloading = tokio::spawn(reload(reloader, Arc::clone(&edge), hangup));
        let servers = kafka.bootstrap_servers.clone();
        Ok(Self {
            edge,
            draining,
            public,
            admin,
            kafka: servers,
            shutdown: settings.shutdown,
            stop_listening,
            listening,
            reloading,
        })
    }

    /// Waits for the first contact with Kafka, 2 s at most, and turns ready.
    pub(crate) async fn ready(&self) {
        let contact =
            tokio::time::timeout(FIRST_CONTACT, self.edge.publisher().kafka().first_contact())
                .await;
        if contact.is_err() {
            tracing::warn!(servers = %self.kafka, "kafka has not answered yet: ready all the same, answering 503 until it does");
        }
        self.edge.life().advance(Phase::Serving);
    }

    /// The routes that exist.
    pub(crate) fn routes(&self) -> Vec<String> {
        self.edge.routes().paths()
    }

    /// Drains and stops: nothing that was acknowledged is lost, and no caller is cut off.
    pub(crate) async fn stop(self) {
        let life = self.edge.life().clone();
        self.enter(Phase::Lingering);
        tokio::time::sleep(self.shutdown.linger).await;
        self.enter(Phase::Draining);
        tokio::time::sleep(self.shutdown.grace).await;
        self.enter(Phase::Flushing);
        let publisher = self.edge.publisher();
        let deadline = Instant::now() + FLUSH;
        let (unanswered, left) = tokio::join!(life.settled(FLUSH), publisher.kafka().flush(FLUSH));
        if unanswered > 0 || left > 0 {
            tracing::warn!(
                unanswered,
                left,
                "not everything settled in time: those callers heard no 2xx"
            );
        }
        if let Some(draining) = self.draining {
            draining.stop(publisher, deadline).await;
        }
        self.stop_listening.send_replace(true);
        if self.listening.await.is_err() {
            tracing::error!("the listener had panicked");
        }
        tokio::time::sleep(LAST_CALL).await;
        life.settled(LAST_CALL).await;
        // A request counts as settled just before its answer is written.
        tokio::time::sleep(LAST_WORD).await;
        self.reloading.abort();
        life.advance(Phase::Stopped);
        tracing::info!("stopped");
    }

    fn enter(&self, phase: Phase) {
        self.edge.life().advance(phase);
        tracing::info!(phase = phase.as_str(), "shutting down");
    }
}

/// Checks the topics once Kafka has answered, and says clearly what is wrong with them.
pub(crate) fn check_topics(running: &Running, kafka: postern_kafka::Settings) {
    let contact = running.edge.publisher().kafka().first_contact();
    tokio::spawn(async move {
        contact.await;
        let checked = tokio::task::spawn_blocking(move || topics::check(&kafka, CHECK)).await;
        match checked {
            Ok(Ok(report)) => {
                for warning in report.warnings {
                    tracing::warn!("{warning}");
                }
            }
            Ok(Err(error)) => {
                tracing::warn!(error = %error, "the topics' settings could not be checked");
            }
            Err(_) => tracing::error!("the topic check panicked"),
        }
    });
}

/// How events are written.
pub(crate) fn form(settings: &Settings) -> Form {
    Form {
        cloud: settings.cloud,
        mode: settings.kafka.mode,
        max_record: max_message(settings).saturating_sub(RECORD_FRAME),
    }
}

fn config(settings: &Settings) -> Config {
    Config {
        deadline: settings.server.deadline,
        body_deadline: settings.server.body_deadline,
        connections: settings.limits.connections,
        inflight_bytes: settings.limits.inflight_bytes,
        graph_body: settings.limits.body.graph,
        google_body: settings.limits.body.google,
        items: settings.limits.items,
        quarantine_records: settings.quarantine.records_per_second,
        quarantine_bytes: settings.quarantine.bytes_per_second,
        quarantine_body: settings.quarantine.max_body,
        form: form(settings),
        ..Config::default()
    }
}

/// The largest record that the producer was told to take.
fn max_message(settings: &Settings) -> usize {
    let set = settings.kafka.properties.get("message.max.bytes");
    set.and_then(|text| text.parse().ok()).unwrap_or(MAX_MESSAGE)
}

/// The Pub/Sub sources, and a task that keeps their keys fresh; without sources nothing is fetched.
fn start_pubsub(settings: &Settings) -> anyhow::Result<Pubsub> {
    let keys = KeySets::default();
    if !settings.pubsub.is_empty() {
        tokio::spawn(Fetcher::new(&settings.google.jwks_url, keys.clone())?.run());
    }
    Ok(Pubsub::new(settings.pubsub.clone(), keys))
}

fn register_process(registry: &Registry) -> anyhow::Result<()> {
    registry.register(Box::new(ProcessCollector::for_self()))?;
    let version = Opts::new("postern_build_info", "1, labelled with the version.")
        .const_label("version", env!("CARGO_PKG_VERSION"));
    let build = IntGauge::with_opts(version)?;
    build.set(1);
    Ok(registry.register(Box::new(build))?)
}

fn start_admin(
    address: SocketAddr,
    edge: &Arc<Edge<Publisher<Producer>>>,
    registry: Registry,
    life: Life,
) -> anyhow::Result<SocketAddr> {
    let (refreshed, told) = (Arc::clone(edge), Arc::clone(edge));
    let admin = Admin {
        life,
        registry,
        refresh: Box::new(move || {
            refreshed.refresh_metrics();
            if let Some(spool) = refreshed.publisher().spool() {
                spool.refresh_metrics();
            }
        }),
        status: Box::new(move || status(&told)),
    };
    admin::start(address, admin).with_context(|| {
        format!(
            "cannot listen on {address} (server.admin): is the address this machine's, and free?"
        )
    })
}

/// `/status`: for people and scripts; the metrics have the numbers.
fn status(edge: &Edge<Publisher<Producer>>) -> serde_json::Value {
    let contact = edge.publisher().kafka().contact();
    let spool = edge.publisher().spool().map(|spool| {
        let held = spool.held();
        json!({
            "records": held.records,
            "bytes": held.bytes,
            "oldestRecordAgeSeconds": held.oldest.map(|age| age.as_secs_f64()),
        })
    });
    json!({
        "phase": edge.life().phase().as_str(),
        "version": env!("CARGO_PKG_VERSION"),
        "routes": edge.routes().paths(),
        "breaker": contact.breaker.as_str(),
        "kafka": {
            "connected": contact.connected,
            "lastContactSeconds": contact.last_success.map(|ago| ago.as_secs_f64()),
            "producerGeneration": contact.generation,
        },
        "spool": spool,
    })
}

fn catch_hangup() -> Option<Signal> {
    signal(SignalKind::hangup())
        .inspect_err(|error| {
            tracing::warn!(error = %error, "SIGHUP cannot be caught: changes are seen every 5 s only");
        })
        .ok()
}

/// Looks at keys, secrets and deny rules every 5 s, and at once on SIGHUP.
async fn reload(
    mut reloader: Reloader,
    edge: Arc<Edge<Publisher<Producer>>>,
    mut hangup: Option<Signal>,
) {
    loop {
        let asked = async {
            match &mut hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = tokio::time::sleep(RELOAD) => {}
            _ = asked => {}
        }
        // Files may lie on a slow network volume.
        let looked = tokio::task::spawn_blocking(move || {
            let changed = reloader.look();
            (reloader, changed)
        });
        let Ok((kept, changed)) = looked.await else {
            tracing::error!(
                "the reload panicked: keys and deny rules stay as they are until a restart"
            );
            return;
        };
        reloader = kept;
        match changed {
            None => {}
            Some(Ok(trust)) => {
                edge.set_trust(trust);
                tracing::info!("keys, secrets and deny rules reloaded");
            }
            Some(Err(problems)) => {
                for problem in problems {
                    tracing::error!(problem = %problem, "a change is faulty: the old state stays");
                }
            }
        }
    }
}
