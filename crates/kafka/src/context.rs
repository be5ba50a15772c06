//! What does librdkafka tell us? Its callbacks: deliveries, errors, log lines.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use postern_core::publish::PublishError;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use rdkafka::producer::{DeliveryResult, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;

use crate::ack::Ack;
use crate::failure;
use crate::health::Health;
use crate::log_limit::LogLimit;
use crate::metrics::Metrics;

/// The callbacks of one generation of a producer. They run on its polling thread: no blocking.
pub(crate) struct Context {
    pub(crate) generation: u64,
    pub(crate) health: Arc<Health>,
    pub(crate) metrics: Metrics,
    pub(crate) log: Arc<LogLimit>,
    /// Records whose result was reported.
    pub(crate) deliveries: AtomicUsize,
}

impl ProducerContext for Context {
    type DeliveryOpaque = Arc<Ack>;

    fn delivery(&self, result: &DeliveryResult<'_>, ack: Arc<Ack>) {
        let now = Instant::now();
        match result {
            Ok(_) => {
                let duration = now.saturating_duration_since(ack.sent);
                self.metrics.delivery_duration.observe(duration.as_secs_f64());
                self.health.acknowledged(self.generation, now, ack.sent);
                ack.settle(Ok(()));
            }
            Err((error, _)) => {
                let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
                self.settle_failed(code, &ack, now);
            }
        }
        self.health.progress.release(1);
        self.deliveries.fetch_add(1, Ordering::Relaxed);
    }
}

impl Context {
    /// Of the producer that is to be born now.
    pub(crate) fn new(health: &Arc<Health>, metrics: &Metrics, log: &Arc<LogLimit>) -> Self {
        Self {
            generation: health.generation.load(Ordering::Acquire),
            health: Arc::clone(health),
            metrics: metrics.clone(),
            log: Arc::clone(log),
            deliveries: AtomicUsize::new(0),
        }
    }

    /// One record has failed, at the broker or before it was queued.
    pub(crate) fn settle_failed(&self, code: RDKafkaErrorCode, ack: &Ack, now: Instant) {
        self.count_failure(code, now);
        let error = failure::classify(code);
        let decided = ack.settle(Err(error));
        if code == RDKafkaErrorCode::Fatal {
            self.health.fatal(self.generation, now);
        } else if decided && error == PublishError::Failed {
            self.health.failed(self.generation, now, ack.sent);
        }
    }

    /// Metric and log line together, so that they cannot disagree.
    pub(crate) fn count_failure(&self, code: RDKafkaErrorCode, now: Instant) {
        let error = failure::name(code);
        self.metrics.delivery_failures.with_label_values(&[error.as_str()]).inc();
        if let Some(suppressed) = self.log.admit(now, "delivery", &error) {
            tracing::warn!(error, suppressed, "a record was not acknowledged");
        }
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        log_line(&self.log, level, facility, text);
    }

    fn stats_raw(&self, _statistics: &[u8]) {}

    /// rust-rdkafka calls this twice an event: nothing here may count.
    fn error(&self, error: KafkaError, reason: &str) {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AllBrokersDown) => self.health.suspect(),
            Some(RDKafkaErrorCode::Fatal) => self.health.fatal(self.generation, Instant::now()),
            _ => {}
        }
        // The log line of the same error has said it already.
        log_line(&self.log, RDKafkaLogLevel::Debug, "ERROR", reason);
    }
}

/// The callbacks of a client that only reads.
#[derive(Default)]
pub(crate) struct ReaderContext {
    log: LogLimit,
}

impl ClientContext for ReaderContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        log_line(&self.log, level, facility, text);
    }

    fn stats_raw(&self, _statistics: &[u8]) {}

    fn error(&self, _error: KafkaError, reason: &str) {
        log_line(&self.log, RDKafkaLogLevel::Debug, "ERROR", reason);
    }
}

impl ConsumerContext for ReaderContext {}

/// For a producer that only exists to see whether it can: it has no brokers, and nobody is to read that.
pub(crate) struct SilentContext;

impl ClientContext for SilentContext {
    fn log(&self, _level: RDKafkaLogLevel, _facility: &str, _text: &str) {}
    fn error(&self, _error: KafkaError, _reason: &str) {}
}

impl ProducerContext for SilentContext {
    type DeliveryOpaque = ();
    fn delivery(&self, _result: &DeliveryResult<'_>, (): ()) {}
}

/// librdkafka's lines name brokers, topics and errors, never what is in a record. A failed connection is an error to
/// librdkafka; to an operator the breaker's own line is.
fn log_line(limit: &LogLimit, level: RDKafkaLogLevel, facility: &str, text: &str) {
    let Some(suppressed) = limit.admit(Instant::now(), facility, text) else { return };
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!(target: "librdkafka", facility, suppressed, "{text}");
        }
        RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
            tracing::warn!(target: "librdkafka", facility, suppressed, "{text}");
        }
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
            tracing::info!(target: "librdkafka", facility, suppressed, "{text}");
        }
        RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, "{text}"),
    }
}
