//! How does a running edge use its spool: open it, empty it into Kafka, close it?

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use postern_core::publish::{Circuit, Publish as _};
use postern_core::refused;
use postern_core::trust::Trust;
use postern_edge::clock;
use postern_kafka::{Producer, Redelivery};
use postern_spool::{Drain, Held, Publisher, Refused, Settings, Spool, Until};
use prometheus::Registry;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How often an ending process looks whether its spool is empty.
const LOOK: Duration = Duration::from_millis(20);
/// How long the disk may take to finish what was begun.
const CLOSE: Duration = Duration::from_millis(500);

/// A spool that is open, and not emptied yet.
pub(crate) struct Opened {
    pub(crate) spool: Spool,
    drain: Drain,
    redelivery: Redelivery,
}

/// Opens the spool.
///
/// # Errors
/// When its directory is another process's, or cannot be used.
pub(crate) fn open(
    settings: &Settings,
    producer: &Producer,
    registry: &Registry,
) -> anyhow::Result<Opened> {
    let began = Instant::now();
    let (spool, drain) =
        Spool::open(settings, registry, clock::now).context("cannot open the spool")?;
    let Held { records, bytes, .. } = spool.held();
    let took = format_args!("{:.1} s", began.elapsed().as_secs_f64());
    tracing::info!(dir = %settings.dir.display(), records, bytes, %took, "the spool is open");
    let redelivery = producer.redelivery().context("cannot start the spool's kafka producer")?;
    Ok(Opened { spool, drain, redelivery })
}

/// The task that empties the spool.
pub(crate) struct Draining {
    spool: Spool,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Opened {
    /// Begins to empty it.
    pub(crate) fn start(self, refused: Refused) -> Draining {
        let (stop, told) = watch::channel(false);
        let Self { spool, drain, redelivery } = self;
        let task = tokio::spawn(drain.run(Arc::new(redelivery), refused, Until::Told(told)));
        Draining { spool, stop, task }
    }

    /// Empties it, and returns when that is done, or once `stop` becomes true.
    pub(crate) async fn empty(self, refused: Refused, stop: watch::Receiver<bool>) {
        self.drain.run(Arc::new(self.redelivery), refused, Until::Empty(stop)).await;
    }
}

impl Draining {
    /// Hands over what can be handed over until `deadline`, and closes the spool; the rest stays in it.
    pub(crate) async fn stop(mut self, publisher: &Publisher<Producer>, deadline: Instant) {
        while publisher.circuit() == Circuit::Closed
            && self.spool.held().entries > 0
            && Instant::now() < deadline
        {
            tokio::time::sleep(LOOK).await;
        }
        self.stop.send_replace(true);
        let by = deadline.max(Instant::now() + LOOK);
        if tokio::time::timeout_at(by.into(), &mut self.task).await.is_err() {
            self.task.abort();
        }
        let spool = self.spool.clone();
        let closed = tokio::task::spawn_blocking(move || spool.close());
        if tokio::time::timeout(CLOSE, closed).await.is_err() {
            tracing::warn!("the spool's disk does not answer: left as it is");
        }
        let Held { records, .. } = self.spool.held();
        if records > 0 {
            tracing::warn!(
                records,
                "the spool still holds records: the next start sends them, or `postern spool drain`"
            );
        }
    }
}

/// How a record that Kafka refuses for good is quarantined: with the keys of that moment.
pub(crate) fn refused(
    trust: impl Fn() -> Arc<Trust> + Send + Sync + 'static,
    max_body: usize,
) -> Refused {
    Box::new(move |record| refused::quarantined(record, trust().ring(), max_body))
}
