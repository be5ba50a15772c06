//! What does a running postern say of itself: its metrics, and its answer to one delivery?

use std::time::{Duration, Instant};

use postern_rig::metrics::Metrics;
use postern_rig::{client, eventually};

use super::World;
use crate::load::{Traffic, scenario};

impl World {
    /// The sum of a metric's series; `None` when postern does not answer.
    pub(crate) fn metric(&self, name: &str) -> Option<f64> {
        self.metric_with(name, &[])
    }

    /// The same of the series that carry these labels.
    pub(crate) fn metric_with(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let admin = ([127, 0, 0, 1], self.admin).into();
        let answer = client::try_get(admin, "/metrics").ok()?;
        (answer.status == 200).then(|| Metrics::parse(answer.text()).value(name, labels))
    }

    /// Waits until the breaker is open.
    pub(crate) fn await_open(&self, limit: Duration) -> Option<Instant> {
        let open = || self.metric("postern_breaker_state").is_some_and(|state| state >= 2.0);
        eventually(limit, open).then(Instant::now)
    }

    /// Waits until the spool is empty; how long that took.
    pub(crate) fn await_drained(&self, limit: Duration) -> Option<Duration> {
        let start = Instant::now();
        let empty = || self.metric("postern_spool_records").is_some_and(|left| left == 0.0);
        eventually(limit, empty).then(|| start.elapsed())
    }

    /// Posts a fresh genuine notification that is in no ledger, and gives the answer's status and `Retry-After`.
    pub(crate) fn probe(&mut self) -> Option<(u16, Option<String>)> {
        let traffic = Traffic::new(self.seed ^ 0x70_726f_6265, 1.0, 1);
        let delivery = scenario(&traffic).delivery(self.probes);
        self.probes += 1;
        let address = ([127, 0, 0, 1], self.public).into();
        let headers = [("Content-Type", "application/json; charset=utf-8")];
        let mut connection = client::Connection::open(address).ok()?;
        // What a probe publishes is known to the oracle, and promised by nobody.
        self.oracle.issue(&delivery);
        let path = delivery.uri.path();
        let answer = connection.post(path, &headers, &delivery.body).ok()?;
        Some((answer.status, answer.header("retry-after").map(str::to_owned)))
    }
}
