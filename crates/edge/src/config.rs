//! Which limits does the edge keep?

use std::time::Duration;

use postern_core::form::Form;

/// What the edge has to know; every value is checked by whoever reads the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// From the request head to the last byte of the answer, at most.
    pub deadline: Duration,
    /// How long a body may take from the request head on; what is left of the deadline belongs to Kafka.
    pub body_deadline: Duration,
    /// How long a request head may take, and how long a connection may be idle.
    pub head_timeout: Duration,
    /// Open connections.
    pub connections: usize,
    /// Sum of the bodies in flight, in bytes.
    pub inflight_bytes: usize,
    /// Largest Graph body, in bytes.
    pub graph_body: usize,
    /// Largest Google body, in bytes.
    pub google_body: usize,
    /// Items a delivery may hold.
    pub items: usize,
    /// Quarantine records a second.
    pub quarantine_records: u32,
    /// Quarantined bytes a second.
    pub quarantine_bytes: u32,
    /// Bytes of a quarantined body that are kept.
    pub quarantine_body: usize,
    /// How events are written.
    pub form: Form,
}

impl Default for Config {
    /// The defaults of the contract, section 6.
    fn default() -> Self {
        Self {
            deadline: Duration::from_millis(2_500),
            body_deadline: Duration::from_millis(1_500),
            head_timeout: Duration::from_secs(15),
            connections: 10_000,
            inflight_bytes: 64 << 20,
            graph_body: 4 << 20,
            google_body: 256 << 10,
            items: 2_000,
            quarantine_records: 100,
            quarantine_bytes: 1 << 20,
            quarantine_body: 512 << 10,
            form: Form::default(),
        }
    }
}

/// What is kept of the deadline for writing the answer, so that it is out in time also when the scheduler is late.
const ANSWER_MARGIN: Duration = Duration::from_millis(100);

impl Config {
    /// How long records may take, from the request head on.
    #[must_use]
    pub fn publish_deadline(&self) -> Duration {
        self.deadline.saturating_sub(ANSWER_MARGIN).max(self.deadline / 2)
    }
}
