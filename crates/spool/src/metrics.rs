//! Which numbers does the spool show?

use std::time::Duration;

use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
    exponential_buckets,
};

/// What the disk was asked for when it refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Create,
    Write,
    Sync,
    Read,
    Checkpoint,
    Remove,
    SetAside,
}

impl Op {
    const ALL: [Self; 7] = [
        Self::Create,
        Self::Write,
        Self::Sync,
        Self::Read,
        Self::Checkpoint,
        Self::Remove,
        Self::SetAside,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Write => "write",
            Self::Sync => "sync",
            Self::Read => "read",
            Self::Checkpoint => "checkpoint",
            Self::Remove => "remove",
            Self::SetAside => "set-aside",
        }
    }
}

/// The spool's metrics; clones are the same ones.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) records: IntGauge,
    pub(crate) bytes: IntGauge,
    pub(crate) oldest: prometheus::Gauge,
    fsync: Histogram,
    errors: IntCounterVec,
    pub(crate) damaged: IntCounter,
    pub(crate) refused: IntCounter,
}

impl Metrics {
    /// Registers them.
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let metrics = Self::new()?;
        registry.register(Box::new(metrics.records.clone()))?;
        registry.register(Box::new(metrics.bytes.clone()))?;
        registry.register(Box::new(metrics.oldest.clone()))?;
        registry.register(Box::new(metrics.fsync.clone()))?;
        registry.register(Box::new(metrics.errors.clone()))?;
        registry.register(Box::new(metrics.damaged.clone()))?;
        registry.register(Box::new(metrics.refused.clone()))?;
        Ok(metrics)
    }

    pub(crate) fn new() -> prometheus::Result<Self> {
        let errors = Opts::new(
            "postern_spool_errors_total",
            "What the spool asked of its disk in vain, by operation.",
        );
        let errors = IntCounterVec::new(errors, &["op"])?;
        for op in Op::ALL {
            errors.with_label_values(&[op.as_str()]);
        }
        let fsync = HistogramOpts::new(
            "postern_spool_fsync_duration_seconds",
            "How long the disk took to make a group of records durable.",
        );
        Ok(Self {
            records: IntGauge::new(
                "postern_spool_records",
                "Records in the spool that Kafka has not acknowledged.",
            )?,
            bytes: IntGauge::new("postern_spool_bytes", "Bytes that the spool's segments take.")?,
            oldest: prometheus::Gauge::new(
                "postern_spool_oldest_record_age_seconds",
                "Age of the oldest record in the spool; 0 when it is empty.",
            )?,
            fsync: Histogram::with_opts(fsync.buckets(exponential_buckets(0.000_5, 2.0, 14)?))?,
            errors,
            damaged: IntCounter::new(
                "postern_spool_damaged_total",
                "Places in the spool that were not as they were written; set aside.",
            )?,
            refused: IntCounter::new(
                "postern_spool_refused_total",
                "Spooled records that Kafka can never take; quarantined or set aside.",
            )?,
        })
    }

    pub(crate) fn failed(&self, op: Op) {
        self.errors.with_label_values(&[op.as_str()]).inc();
    }

    pub(crate) fn synced(&self, took: Duration) {
        self.fsync.observe(took.as_secs_f64());
    }
}
