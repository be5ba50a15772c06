//! What does this crate measure?

use prometheus::core::Collector;
use prometheus::{Error, Histogram, HistogramOpts, IntCounterVec, IntGauge, Opts, Registry};

/// From handing a record over to its acknowledgement, in seconds.
const DELIVERY_BUCKETS: [f64; 14] =
    [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 5.0];

/// The metrics of the producer.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    /// `postern_kafka_delivery_duration_seconds`, of acknowledged records.
    pub(crate) delivery_duration: Histogram,
    /// `postern_kafka_delivery_failures_total`, by librdkafka's error name.
    pub(crate) delivery_failures: IntCounterVec,
    /// `postern_kafka_queue_messages`.
    pub(crate) queue_messages: IntGauge,
    /// `postern_breaker_state`.
    pub(crate) breaker_state: IntGauge,
}

impl Metrics {
    /// Creates and registers them.
    pub(crate) fn register(registry: &Registry) -> Result<Self, Error> {
        let metrics = Self {
            delivery_duration: Histogram::with_opts(
                HistogramOpts::new(
                    "postern_kafka_delivery_duration_seconds",
                    "From handing a record to the producer to its acknowledgement by Kafka.",
                )
                .buckets(DELIVERY_BUCKETS.to_vec()),
            )?,
            delivery_failures: IntCounterVec::new(
                Opts::new(
                    "postern_kafka_delivery_failures_total",
                    "Records that were not acknowledged, by librdkafka's error name.",
                ),
                &["error"],
            )?,
            queue_messages: IntGauge::new(
                "postern_kafka_queue_messages",
                "Records handed to the producer and not settled yet.",
            )?,
            breaker_state: IntGauge::new(
                "postern_breaker_state",
                "The circuit breaker before Kafka: 0 closed, 1 half-open, 2 open.",
            )?,
        };
        let collectors: [Box<dyn Collector>; 4] = [
            Box::new(metrics.delivery_duration.clone()),
            Box::new(metrics.delivery_failures.clone()),
            Box::new(metrics.queue_messages.clone()),
            Box::new(metrics.breaker_state.clone()),
        ];
        collectors.into_iter().try_for_each(|collector| registry.register(collector))?;
        Ok(metrics)
    }
}
