//! How does what was spooled get to Kafka? In order, many at a time, behind the live path.
//!
//! While the breaker is open nothing is sent. While it is half-open the oldest entry is its probe: a real record whose
//! sender was answered long ago. Once it is closed the live path has a second for itself, then the spool empties.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use postern_core::batch::{Batch, Record};
use postern_core::publish::{Circuit, PublishError, Redeliver};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::log::{self, Entry};
use crate::spool::{Outlet, Spool};

/// How many entries are on their way at once: enough to fill a broker's batches, little beside the live path.
const WINDOW: usize = 256;
/// How many bytes of them: large entries must not take the memory of the live path.
const WINDOW_BYTES: usize = 2 << 20;
/// How long the live path has Kafka for itself when it is back.
const LIVE_FIRST: Duration = Duration::from_secs(1);
/// A probe that Kafka acknowledged, too late to close the breaker: so long the spool goes on emptying.
const PROVEN: Duration = Duration::from_secs(3);
/// The pauses after failures, doubled each time.
const PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long suspects are tried one after the other before the breaker, and whether to stop, is looked at again.
const ALONE: Duration = Duration::from_millis(500);
/// How often the breaker is looked at, and how often while there is nothing to send.
const TICK: Duration = Duration::from_millis(50);
const IDLE_TICK: Duration = Duration::from_secs(1);

/// Makes the quarantine record of a record that Kafka refuses for good; `None` where that cannot be.
pub type Refused = Box<dyn Fn(Record<'_>) -> Option<Batch> + Send + Sync>;

/// When a drain ends.
#[derive(Debug)]
pub enum Until {
    /// When it is told to.
    Told(watch::Receiver<bool>),
    /// When the spool is empty, or when it is told to.
    Empty(watch::Receiver<bool>),
}

/// The way out of a spool. There is one for each.
pub struct Drain {
    outlet: Arc<Mutex<Outlet>>,
    spool: Spool,
}

impl std::fmt::Debug for Drain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Drain").field("spool", &self.spool).finish_non_exhaustive()
    }
}

impl Drain {
    pub(crate) fn new(outlet: Outlet, spool: Spool) -> Self {
        Self { outlet: Arc::new(Mutex::new(outlet)), spool }
    }

    /// Hands everything over, until it is told to stop; then waits for what is on its way, as long as `kafka` settles
    /// it, and makes durable how far it came.
    pub async fn run<R: Redeliver>(self, kafka: Arc<R>, refused: Refused, until: Until) {
        let (stop, when_empty) = match until {
            Until::Told(stop) => (stop, false),
            Until::Empty(stop) => (stop, true),
        };
        let draining = Draining {
            drain: self,
            kafka,
            refused,
            waiting: VecDeque::new(),
            suspects: Vec::new(),
            flying: JoinSet::new(),
            flying_bytes: 0,
            finished: Vec::new(),
            rest_until: Instant::now(),
            pause: PAUSE,
            closed_since: None,
            proven_until: Instant::now(),
        };
        draining.run(stop, when_empty).await;
    }

    /// Asks the disk, on a thread that may wait for it.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Outlet) -> T + Send + 'static,
    ) -> io::Result<T> {
        let outlet = Arc::clone(&self.outlet);
        let asked = move || question(&mut outlet.lock().unwrap_or_else(PoisonError::into_inner));
        tokio::task::spawn_blocking(asked).await.map_err(io::Error::other)
    }
}

/// An entry in memory.
struct Held {
    seq: u64,
    /// Bytes of its stored form.
    size: usize,
    batch: Batch,
}

type Settled = (Held, Result<(), PublishError>);

struct Draining<R> {
    drain: Drain,
    kafka: Arc<R>,
    refused: Refused,
    /// Read, or failed: what is sent next.
    waiting: VecDeque<Held>,
    /// Refused in company: a broker refuses all that came with one record that is too large. Tried again alone.
    suspects: Vec<Held>,
    flying: JoinSet<Settled>,
    flying_bytes: usize,
    /// Acknowledged, not told to the log yet.
    finished: Vec<u64>,
    rest_until: Instant,
    pause: Duration,
    closed_since: Option<Instant>,
    proven_until: Instant,
}

/// What may be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Allowed {
    Nothing,
    Probe,
    Pump,
}

impl<R: Redeliver> Draining<R> {
    async fn run(mut self, mut stop: watch::Receiver<bool>, when_empty: bool) {
        loop {
            if *stop.borrow() {
                break;
            }
            let idle = match self.allowed(Instant::now()) {
                Allowed::Nothing => true,
                _ if !self.suspects.is_empty() => !self.alone().await,
                Allowed::Probe => !self.probe().await,
                Allowed::Pump => !self.pump().await,
            };
            if when_empty && idle && self.flying.is_empty() && self.drain.spool.held().entries == 0
            {
                break;
            }
            let more = self.drain.spool.shared().more.notified();
            let empty = self.flying.is_empty() && self.drain.spool.held().entries == 0;
            tokio::select! {
                Some(settled) = self.flying.join_next() => self.landed(settled.ok()),
                () = more, if empty => {}
                () = tokio::time::sleep(if empty { IDLE_TICK } else { TICK }) => {}
                changed = stop.changed() => if changed.is_err() { break },
            }
            while let Some(settled) = self.flying.try_join_next() {
                self.landed(settled.ok());
            }
            self.tell_log().await;
        }
        while let Some(settled) = self.flying.join_next().await {
            self.landed(settled.ok());
        }
        self.tell_log().await;
        drop(self.drain.ask(Outlet::close).await);
    }

    fn allowed(&mut self, now: Instant) -> Allowed {
        let circuit = self.kafka.circuit();
        if circuit != Circuit::Closed {
            self.closed_since = None;
        }
        if now < self.rest_until {
            return Allowed::Nothing;
        }
        match circuit {
            Circuit::Closed => {
                let since = *self.closed_since.get_or_insert(now);
                let first = now.duration_since(since) < LIVE_FIRST;
                if first { Allowed::Nothing } else { Allowed::Pump }
            }
            _ if now < self.proven_until => Allowed::Pump,
            Circuit::HalfOpen => Allowed::Probe,
            Circuit::Open => Allowed::Nothing,
        }
    }

    /// Offers the oldest entry as the breaker's probe; false where there was nothing to do.
    async fn probe(&mut self) -> bool {
        if !self.flying.is_empty() || !self.refill().await {
            return false;
        }
        let Some(held) = self.waiting.pop_front() else { return false };
        match self.kafka.probe(&held.batch).await {
            // The breaker did not want one just now.
            Err(PublishError::Unavailable) => {
                self.waiting.push_front(held);
                false
            }
            outcome => {
                if outcome.is_ok() {
                    self.proven_until = Instant::now() + PROVEN;
                }
                self.settled(held, outcome);
                true
            }
        }
    }

    /// Fills the window; false where there is nothing to send.
    async fn pump(&mut self) -> bool {
        let mut sent = false;
        while self.flying.len() < WINDOW && self.flying_bytes < WINDOW_BYTES && self.refill().await
        {
            let Some(held) = self.waiting.pop_front() else { break };
            let kafka = Arc::clone(&self.kafka);
            self.flying_bytes += held.size;
            self.flying.spawn(async move {
                let outcome = kafka.redeliver(&held.batch).await;
                (held, outcome)
            });
            sent = true;
        }
        sent
    }

    /// Reads on where nothing waits; true when something does then.
    async fn refill(&mut self) -> bool {
        if self.waiting.is_empty() {
            match self.drain.ask(|outlet| outlet.next(WINDOW)).await.flatten() {
                Ok(entries) => {
                    for entry in entries {
                        self.take(entry).await;
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "the spool cannot be read; tried again");
                    self.rest(Instant::now());
                }
            }
        }
        !self.waiting.is_empty()
    }

    async fn take(&mut self, entry: Entry) {
        match Batch::from_stored(&entry.payload) {
            Ok(batch) => {
                let size = entry.payload.len();
                self.waiting.push_back(Held { seq: entry.seq, size, batch });
            }
            Err(error) => {
                tracing::error!(%error, seq = entry.seq, "a spooled entry cannot be understood: set aside");
                self.drain.spool.shared().metrics.damaged.inc();
                // Where it cannot be kept it stays in its segment, and the next start tries again.
                if self.keep(format!("damaged-entry-{:020}", entry.seq), entry.payload).await {
                    self.finished.push(entry.seq);
                }
            }
        }
    }

    /// An entry is no longer on its way; `None`: its task panicked, and a restart sends it again.
    fn landed(&mut self, settled: Option<Settled>) {
        match settled {
            None => {
                tracing::error!("handing over a spooled entry panicked: it stays in the spool");
                // Its size went with it.
                if self.flying.is_empty() {
                    self.flying_bytes = 0;
                }
            }
            Some((held, outcome)) => {
                self.flying_bytes = self.flying_bytes.saturating_sub(held.size);
                self.settled(held, outcome);
            }
        }
    }

    fn settled(&mut self, held: Held, outcome: Result<(), PublishError>) {
        match outcome {
            Ok(()) => {
                self.finished.push(held.seq);
                self.pause = PAUSE;
            }
            Err(PublishError::RecordRefused) => self.suspects.push(held),
            Err(error) => {
                tracing::debug!(reason = error.reason(), "a spooled entry was not acknowledged");
                self.later(held);
            }
        }
    }

    /// Tries an entry again after a pause.
    fn later(&mut self, held: Held) {
        self.waiting.push_back(held);
        self.rest(Instant::now());
    }

    /// Tries suspects again, one after the other, while nothing else is on its way; false while something is.
    async fn alone(&mut self) -> bool {
        if !self.flying.is_empty() {
            return false;
        }
        let began = Instant::now();
        while began.elapsed() < ALONE
            && Instant::now() >= self.rest_until
            && let Some(held) = self.suspects.pop()
        {
            self.refused(held).await;
        }
        true
    }

    fn rest(&mut self, now: Instant) {
        if now >= self.rest_until {
            self.rest_until = now + self.pause;
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Sends the records of this entry one by one. What Kafka refuses now it will never take: it goes into quarantine, and
    /// where that does not take it either into a file beside the spool. Nothing goes round in circles.
    async fn refused(&mut self, held: Held) {
        for (at, one) in held.batch.split().into_iter().enumerate() {
            match self.kafka.redeliver(&one).await {
                Ok(()) => continue,
                Err(PublishError::RecordRefused) => {}
                Err(_) => return self.later(held),
            }
            let record = one.records().next().and_then(|record| (self.refused)(record));
            let outcome = match &record {
                Some(record) => self.kafka.quarantine(record).await,
                None => Err(PublishError::RecordRefused),
            };
            match outcome {
                Ok(()) => tracing::warn!(
                    seq = held.seq,
                    "kafka refuses a spooled record for good: quarantined"
                ),
                Err(PublishError::RecordRefused) => {
                    let mut payload = Vec::new();
                    one.store(&mut payload);
                    // What was acknowledged leaves the spool only when it is safe elsewhere.
                    if !self.keep(format!("refused-{:020}-{at}", held.seq), payload).await {
                        return self.later(held);
                    }
                    tracing::error!(
                        seq = held.seq,
                        "kafka and the quarantine refuse a spooled record for good: set aside in spool.dir"
                    );
                }
                Err(_) => return self.later(held),
            }
            self.drain.spool.shared().metrics.refused.inc();
        }
        self.finished.push(held.seq);
    }

    /// Keeps bytes in a file of their own, for people; false where the disk refuses that.
    async fn keep(&self, file: String, bytes: Vec<u8>) -> bool {
        let shared = Arc::clone(self.drain.spool.shared());
        let keep = move || log::keep(&shared.disk, &shared.metrics, &file, &bytes);
        tokio::task::spawn_blocking(keep).await.unwrap_or(false)
    }

    async fn tell_log(&mut self) {
        if self.finished.is_empty() {
            return;
        }
        let finished = std::mem::take(&mut self.finished);
        if self.drain.ask(move |outlet| outlet.settle(&finished)).await.is_err() {
            tracing::error!("the spool's books panicked: a restart sends some entries again");
        }
    }
}
