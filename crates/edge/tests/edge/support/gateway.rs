//! What runs in every test? An edge behind its real listener, on port 0.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use postern_core::trust::Trust;
use postern_edge::authenticate::Pubsub;
use postern_edge::config::Config;
use postern_edge::listener;
use postern_edge::metrics::Metrics;
use postern_edge::phase::{Life, Phase};
use postern_edge::pipeline::Edge;
use prometheus::Registry;
use prometheus::proto::LabelPair;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::notice;
use super::{Answer, Recorder, Wire};

/// The contract's limits, with shorter times so that tests are quick.
pub(crate) fn quick() -> Config {
    Config {
        deadline: Duration::from_millis(900),
        body_deadline: Duration::from_millis(400),
        head_timeout: Duration::from_secs(3),
        ..Config::default()
    }
}

/// An edge that listens.
pub(crate) struct Gateway {
    pub(crate) edge: Arc<Edge<Recorder>>,
    pub(crate) address: SocketAddr,
    pub(crate) registry: Registry,
    pub(crate) kafka: Recorder,
    stop: watch::Sender<bool>,
    listener: JoinHandle<()>,
}

impl Gateway {
    /// With quick limits and one key.
    pub(crate) async fn start() -> Self {
        Self::with(quick(), notice::trust()).await
    }

    pub(crate) async fn with(config: Config, trust: Trust) -> Self {
        Self::with_pubsub(config, trust, Pubsub::default()).await
    }

    pub(crate) async fn with_pubsub(config: Config, trust: Trust, pubsub: Pubsub) -> Self {
        let registry = Registry::new();
        let metrics = Metrics::register(&registry).expect("a fresh registry");
        let kafka = Recorder::new();
        let life = Life::new();
        life.advance(Phase::Serving);
        let edge = Edge::new(config, trust, pubsub, kafka.clone(), metrics, life);
        let listener = listener::bind("127.0.0.1:0".parse().expect("an address")).expect("binds");
        let address = listener.local_addr().expect("bound");
        let (stop, stopped) = watch::channel(false);
        let listener = tokio::spawn(listener::run(listener, Arc::clone(&edge), stopped));
        Self { edge, address, registry, kafka, stop, listener }
    }

    pub(crate) async fn connect(&self) -> Wire {
        Wire::connect(self.address).await
    }

    /// One request on a connection of its own.
    pub(crate) async fn ask(&self, request: impl AsRef<[u8]>) -> Answer {
        self.connect().await.ask(request).await
    }

    pub(crate) fn life(&self) -> &Life {
        self.edge.life()
    }

    /// Stops the listener; comes back when it has ended.
    pub(crate) async fn stop_listening(self) -> Recorder {
        self.stop.send_replace(true);
        self.listener.await.expect("the listener does not panic");
        self.kafka
    }

    /// Every counter of requests, items and refusals that is not zero, as Prometheus would write it.
    pub(crate) fn counted(&self) -> BTreeMap<String, u64> {
        let mut counted = BTreeMap::new();
        for family in self.registry.gather() {
            let Some(short) = family.name().strip_suffix("_total") else { continue };
            let short = short.strip_prefix("postern_").expect("our metrics");
            for metric in family.get_metric() {
                let value = metric.get_counter().get_value();
                if value > 0.0 {
                    let labels: Vec<&str> =
                        metric.get_label().iter().map(LabelPair::value).collect();
                    #[expect(
                        clippy::cast_possible_truncation,
                        clippy::cast_sign_loss,
                        reason = "a count"
                    )]
                    counted.insert(format!("{short} {}", labels.join(" ")), value as u64);
                }
            }
        }
        counted
    }

    /// Checks that exactly these counters are not zero. Labels stand in the order of their names: `http_requests 202
    /// graph`, `notifications published graph`, `quarantined no-token graph`, `refused path`.
    #[track_caller]
    pub(crate) fn assert_counted(&self, expected: &[(&str, u64)]) {
        let expected: BTreeMap<String, u64> =
            expected.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        assert_eq!(self.counted(), expected);
    }

    /// How many requests of a route were answered within so many seconds, which must be a bucket of the histogram.
    pub(crate) fn answered_within(&self, route: &str, seconds: f64) -> u64 {
        let families = self.registry.gather();
        let name = "postern_http_request_duration_seconds";
        let family = families.iter().find(|family| family.name() == name).expect("registered");
        let of_route = family.get_metric().iter().find(|m| m.get_label()[0].value() == route);
        let buckets = of_route.expect("a closed set").get_histogram().get_bucket();
        let bucket = buckets.iter().find(|bucket| bucket.upper_bound() == seconds);
        bucket.expect("a bucket").cumulative_count()
    }

    /// A gauge.
    pub(crate) fn gauge(&self, name: &str) -> f64 {
        self.edge.refresh_metrics();
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name).expect("registered");
        family.get_metric()[0].get_gauge().get_value()
    }

    /// Waits until a condition holds.
    pub(crate) async fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let holds = async {
            while !condition(self) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(5), holds).await;
        assert!(waited.is_ok(), "{what}: {:?}", self.counted());
    }

    /// Checks that nothing is left of the requests: no bytes, none under way.
    pub(crate) async fn assert_settled(&self) {
        assert_eq!(self.life().settled(Duration::from_secs(5)).await, 0, "requests under way");
        self.until("bytes in flight", |gateway| gateway.gauge("postern_inflight_bytes") == 0.0)
            .await;
    }

    /// Checks that the server serves: a genuine delivery is published and nothing is left over.
    pub(crate) async fn assert_serves(&self, id: &str) {
        let answer = self.ask(super::post(super::GRAPH, notice::good(id))).await;
        answer.assert_bare(202);
        assert_eq!(self.kafka.ids().last().map(String::as_str), Some(id));
        self.assert_settled().await;
    }
}
