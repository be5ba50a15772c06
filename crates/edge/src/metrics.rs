//! What does the edge count? Contract section 5, for what exists here.
//!
//! Every handle is looked up once, at the start: the closed sets are arrays, and every series exists from the start.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use postern_core::publish::Durable;
use postern_core::reason::Reason;
use postern_core::service::Service;
use prometheus::core::Collector;
use prometheus::{
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts,
    Registry,
};
use tokio::time::Instant;

use crate::refusal::Refusal;
use crate::respond::STATUSES;
use crate::route::Label;

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Acknowledged by Kafka.
    Published,
    /// On this machine's disk, on its way to Kafka.
    Spooled,
    /// In the quarantine topic.
    Quarantined,
    /// Of a denied connection: thrown away.
    Denied,
    /// Junk over the quarantine's budget: thrown away.
    Dropped,
    /// Answered 503: the provider sends again.
    Failed,
}

impl Outcome {
    const ALL: [Self; 6] = [
        Self::Published,
        Self::Spooled,
        Self::Quarantined,
        Self::Denied,
        Self::Dropped,
        Self::Failed,
    ];

    /// What a durable item counts as.
    pub(crate) const fn of(durable: Durable) -> Self {
        match durable {
            Durable::Kafka => Self::Published,
            Durable::Spool => Self::Spooled,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Spooled => "spooled",
            Self::Quarantined => "quarantined",
            Self::Denied => "denied",
            Self::Dropped => "dropped",
            Self::Failed => "failed",
        }
    }
}

/// The services that have a route.
const SERVICES: [Service; 5] =
    [Service::Graph, Service::Gmail, Service::Calendar, Service::Drive, Service::WorkspaceEvents];
/// Whose keys Pub/Sub tokens are signed with.
const ISSUER: &str = "https://accounts.google.com";

const DURATION_BUCKETS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 5.0, 10.0];

/// The edge's counters and gauges.
#[derive(Debug)]
pub struct Metrics {
    requests: Vec<[IntCounter; STATUSES.len()]>,
    durations: Vec<Histogram>,
    notifications: Vec<[IntCounter; Outcome::ALL.len()]>,
    quarantined: Vec<[IntCounter; Reason::ALL.len()]>,
    refused: [IntCounter; Refusal::ALL.len()],
    connections: IntGauge,
    inflight_bytes: IntGauge,
    slow_ratio: Gauge,
    jwks_age: Gauge,
    slow: SlowWindow,
}

impl Metrics {
    /// Puts every metric of the edge into a registry.
    ///
    /// # Errors
    /// When one of the names is taken.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let requests = counters(
            registry,
            "postern_http_requests_total",
            "Requests on the public listener; code 499: the caller hung up.",
            &["route", "code"],
        )?;
        let durations = into(
            registry,
            HistogramVec::new(
                HistogramOpts::new(
                    "postern_http_request_duration_seconds",
                    "From the request head to the answer.",
                )
                .buckets(DURATION_BUCKETS.to_vec()),
                &["route"],
            )?,
        )?;
        let notifications = counters(
            registry,
            "postern_notifications_total",
            "Items of deliveries, each once.",
            &["service", "outcome"],
        )?;
        let quarantined = counters(
            registry,
            "postern_quarantined_total",
            "Items quarantined.",
            &["service", "reason"],
        )?;
        let refused =
            counters(registry, "postern_refused_total", "Requests not taken.", &["reason"])?;
        let gauge = |name: &str, help: &str| into(registry, IntGauge::new(name, help)?);
        let age_help =
            "Age of the key set that tokens are verified with; +Inf: none was loaded yet.";
        let age = Opts::new("postern_jwks_age_seconds", age_help).const_label("issuer", ISSUER);
        let slow_help = "Share of Graph answers over 2 s in the last 10 minutes.";
        Ok(Self {
            requests: each(&Label::ALL, |label| {
                STATUSES
                    .map(|code| requests.with_label_values(&[label.as_str(), &code.to_string()]))
            }),
            durations: each(&Label::ALL, |label| durations.with_label_values(&[label.as_str()])),
            notifications: each(&SERVICES, |service| {
                Outcome::ALL.map(|outcome| {
                    notifications.with_label_values(&[service.as_str(), outcome.as_str()])
                })
            }),
            quarantined: each(&SERVICES, |service| {
                Reason::ALL.map(|reason| {
                    quarantined.with_label_values(&[service.as_str(), reason.as_str()])
                })
            }),
            refused: Refusal::ALL.map(|refusal| refused.with_label_values(&[refusal.reason()])),
            connections: gauge("postern_connections", "Open public connections.")?,
            inflight_bytes: gauge("postern_inflight_bytes", "Bytes of request bodies in memory.")?,
            slow_ratio: into(registry, Gauge::new("postern_graph_slow_ratio", slow_help)?)?,
            jwks_age: into(registry, Gauge::with_opts(age)?)?,
            slow: SlowWindow::new(),
        })
    }

    /// Counts a request with its status and the time its answer took.
    pub fn request(&self, label: Label, status: u16, took: Duration) {
        if let Some(code) = STATUSES.iter().position(|code| *code == status) {
            self.requests[label as usize][code].inc();
        }
        self.durations[label as usize].observe(took.as_secs_f64());
        if label == Label::Graph {
            self.slow.add(took);
        }
    }

    /// Counts what became of items.
    pub fn items(&self, service: Service, outcome: Outcome, count: usize) {
        if let Some(index) = SERVICES.iter().position(|known| *known == service) {
            self.notifications[index][outcome as usize].inc_by(count as u64);
        }
    }

    /// Counts the reason of a quarantined item.
    pub fn quarantined(&self, service: Service, reason: Reason) {
        if let Some(index) = SERVICES.iter().position(|known| *known == service) {
            self.quarantined[index][reason as usize].inc();
        }
    }

    /// Counts a request that was not taken.
    pub fn refused(&self, refusal: Refusal) {
        self.refused[refusal as usize].inc();
    }

    /// The gauge of open connections.
    #[must_use]
    pub fn connections(&self) -> &IntGauge {
        &self.connections
    }

    /// Brings the gauges that are computed up to date, before they are read.
    pub fn refresh(&self, inflight_bytes: usize, keys_age: Option<Duration>) {
        self.jwks_age.set(keys_age.map_or(f64::INFINITY, |age| age.as_secs_f64()));
        self.inflight_bytes.set(i64::try_from(inflight_bytes).unwrap_or(i64::MAX));
        self.slow_ratio.set(self.slow.ratio());
    }
}

fn each<T, U>(all: &[T], make: impl Fn(&T) -> U) -> Vec<U> {
    all.iter().map(make).collect()
}

fn counters(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntCounterVec, prometheus::Error> {
    into(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
}

fn into<C: Collector + Clone + 'static>(
    registry: &Registry,
    metric: C,
) -> Result<C, prometheus::Error> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

/// Graph slows an endpoint that answers more than a tenth of its requests too late within 10 minutes; this watches the
/// same window, with a mark below Graph's 3 s.
#[derive(Debug)]
struct SlowWindow {
    started: Instant,
    slots: [Slot; Self::SLOTS],
}

#[derive(Debug, Default)]
struct Slot {
    /// Which slot of time it counts, so that an old one is seen to be old.
    number: AtomicU64,
    all: AtomicU64,
    slow: AtomicU64,
}

impl SlowWindow {
    const SLOTS: usize = 60;
    const SLOT_SECONDS: u64 = 10;
    const MARK: Duration = Duration::from_secs(2);

    fn new() -> Self {
        Self { started: Instant::now(), slots: std::array::from_fn(|_| Slot::default()) }
    }

    /// The number of the current slot of time, from 1: 0 is a slot that was never used.
    fn now(&self) -> u64 {
        self.started.elapsed().as_secs() / Self::SLOT_SECONDS + 1
    }

    fn add(&self, took: Duration) {
        let now = self.now();
        let slot = &self.slots[usize::try_from(now).unwrap_or(0) % Self::SLOTS];
        if slot.number.swap(now, Ordering::Relaxed) != now {
            // The first of a new slot clears it; an answer counted meanwhile by another thread may be lost to the ratio.
            slot.all.store(0, Ordering::Relaxed);
            slot.slow.store(0, Ordering::Relaxed);
        }
        slot.all.fetch_add(1, Ordering::Relaxed);
        if took > Self::MARK {
            slot.slow.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn ratio(&self) -> f64 {
        let oldest = (self.now() + 1).saturating_sub(Self::SLOTS as u64);
        let recent = |slot: &&Slot| {
            let number = slot.number.load(Ordering::Relaxed);
            number > 0 && number >= oldest
        };
        let (mut all, mut slow) = (0, 0);
        for slot in self.slots.iter().filter(recent) {
            all += slot.all.load(Ordering::Relaxed);
            slow += slot.slow.load(Ordering::Relaxed);
        }
        #[expect(clippy::cast_precision_loss, reason = "a ratio of counts far below 2^52")]
        if all == 0 { 0.0 } else { slow as f64 / all as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_slow_ratio_forgets_after_ten_minutes() {
        let window = SlowWindow::new();
        for took in [1, 1, 1, 3] {
            window.add(Duration::from_secs(took));
        }
        assert!((window.ratio() - 0.25).abs() < f64::EPSILON);
        tokio::time::advance(Duration::from_secs(300)).await;
        window.add(Duration::from_secs(3));
        assert!((window.ratio() - 0.4).abs() < f64::EPSILON);
        tokio::time::advance(Duration::from_secs(301)).await;
        assert!((window.ratio() - 1.0).abs() < f64::EPSILON);
        tokio::time::advance(Duration::from_secs(600)).await;
        assert!(window.ratio().abs() < f64::EPSILON);
    }

    #[test]
    fn every_series_exists_from_the_start() {
        let registry = Registry::new();
        let metrics = Metrics::register(&registry).expect("fresh registry");
        metrics.request(Label::Graph, 202, Duration::from_millis(3));
        metrics.refused(Refusal::Undecided);
        let families = registry.gather();
        let series: usize = families.iter().map(|family| family.get_metric().len()).sum();
        assert_eq!(families.len(), 9);
        assert_eq!(series, 5 * 12 + 5 + 5 * 6 + 5 * 11 + 12 + 4);
    }
}
