//! What do requests, deliveries and the watcher of one producer share? Its breaker, its counts, its signals.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::Instant;

use postern_core::publish::Circuit;
use prometheus::IntGauge;
use tokio::sync::watch;

use crate::breaker::{Admission, Breaker, Cause};
use crate::lane::Plan;
use crate::progress::Progress;

/// The health of one producer. While the breaker is closed and nothing fails, a request and a delivery touch atomics
/// only.
#[derive(Debug)]
pub(crate) struct Health {
    /// The word in logs.
    name: &'static str,
    breaker: Mutex<Breaker>,
    /// The breaker's state, for the fast path.
    state: AtomicU8,
    /// The breaker counts failures: an acknowledgement must tell it.
    troubled: AtomicBool,
    state_gauge: Option<IntGauge>,
    /// Counts the openings; its change fails every waiting request at once.
    opened: watch::Sender<u64>,
    pub(crate) progress: Progress,
    /// Which producer's deliveries count. One that died is no longer it, its successor not yet born.
    pub(crate) generation: AtomicU64,
    /// librdkafka believes that all brokers are down.
    suspicion: AtomicBool,
    /// The first answer of a broker.
    contact: watch::Sender<bool>,
    watcher: OnceLock<Thread>,
}

impl Health {
    pub(crate) fn new(
        plan: &Plan,
        state_gauge: Option<IntGauge>,
        queue_gauge: IntGauge,
        now: Instant,
    ) -> Self {
        Self {
            name: plan.name,
            breaker: Mutex::new(Breaker::new(plan.limits, now)),
            state: AtomicU8::new(Circuit::Closed as u8),
            troubled: AtomicBool::new(false),
            state_gauge,
            opened: watch::Sender::new(0),
            progress: Progress::new(now, queue_gauge),
            generation: AtomicU64::new(1),
            suspicion: AtomicBool::new(false),
            contact: watch::Sender::new(false),
            watcher: OnceLock::new(),
        }
    }

    pub(crate) fn state(&self) -> Circuit {
        Circuit::from_u8(self.state.load(Ordering::Acquire))
    }

    /// Changes with the next opening. Subscribe before asking for admission, so that none is missed.
    pub(crate) fn openings(&self) -> watch::Receiver<u64> {
        self.opened.subscribe()
    }

    /// Becomes true with the first answer of a broker.
    pub(crate) fn first_contact(&self) -> watch::Receiver<bool> {
        self.contact.subscribe()
    }

    pub(crate) fn admit(&self, now: Instant) -> Admission {
        if self.state() == Circuit::Closed {
            return Admission::Pass;
        }
        self.apply(|breaker| breaker.admit(now))
    }

    /// A record of this generation's producer was acknowledged.
    pub(crate) fn acknowledged(&self, generation: u64, now: Instant, sent: Instant) {
        self.progress.acknowledged(now);
        let quiet = self.state() == Circuit::Closed && !self.troubled.load(Ordering::Acquire);
        if !quiet && self.is_live(generation) {
            self.apply(|breaker| breaker.acknowledged(now, sent));
        }
    }

    /// A request failed at this generation's producer.
    pub(crate) fn failed(&self, generation: u64, now: Instant, sent: Instant) {
        if self.is_live(generation) {
            self.apply(|breaker| breaker.failed(now, sent));
        }
    }

    /// A request that was sent at `sent` has stopped waiting.
    pub(crate) fn gave_up(&self, now: Instant, sent: Instant) {
        self.apply(|breaker| breaker.failed(now, sent));
    }

    /// Looks at what is overdue.
    pub(crate) fn tick(&self, now: Instant) {
        if self.progress.last_contact().is_some() {
            self.contact.send_if_modified(|contacted| !std::mem::replace(contacted, true));
        }
        let waiting = self.progress.waiting_since();
        if self.state() != Circuit::Closed || waiting.is_some() {
            self.apply(|breaker| {
                if let Some(since) = waiting {
                    breaker.waiting(now, since);
                }
                breaker.tick(now);
            });
        }
    }

    pub(crate) fn reachable(&self, now: Instant) {
        self.apply(|breaker| breaker.reachable(now));
    }

    pub(crate) fn unreachable(&self, now: Instant) {
        self.apply(|breaker| breaker.unreachable(now));
    }

    /// librdkafka lost all brokers; the watcher is to see for itself, since an idle connection that the broker
    /// closed looks the same.
    pub(crate) fn suspect(&self) {
        self.suspicion.store(true, Ordering::Release);
        self.wake_watcher();
    }

    pub(crate) fn take_suspicion(&self) -> bool {
        self.suspicion.swap(false, Ordering::AcqRel)
    }

    /// This generation's producer died. Its records in flight still get their true result, so nobody is woken.
    pub(crate) fn fatal(&self, generation: u64, now: Instant) {
        let next = generation + 1;
        let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
        if self.generation.compare_exchange(generation, next, success, failure).is_ok() {
            self.apply(|breaker| breaker.fatal(now));
        }
        self.wake_watcher();
    }

    pub(crate) fn set_watcher(&self, thread: Thread) {
        // A second watcher does not exist; the first stays.
        drop(self.watcher.set(thread));
    }

    pub(crate) fn wake_watcher(&self) {
        if let Some(thread) = self.watcher.get() {
            thread.unpark();
        }
    }

    fn is_live(&self, generation: u64) -> bool {
        self.generation.load(Ordering::Acquire) == generation
    }

    /// Tells the breaker something and publishes what it makes of it.
    fn apply<T>(&self, event: impl FnOnce(&mut Breaker) -> T) -> T {
        let mut breaker = self.breaker.lock().unwrap_or_else(PoisonError::into_inner);
        let before = breaker.state();
        let result = event(&mut breaker);
        self.troubled.store(breaker.failures() > 0, Ordering::Release);
        let (after, cause) = (breaker.state(), breaker.cause());
        if before != after {
            self.state.store(after as u8, Ordering::Release);
            if let Some(gauge) = &self.state_gauge {
                gauge.set(after as i64);
            }
            self.announce(after, cause);
        }
        result
    }

    fn announce(&self, state: Circuit, cause: Option<Cause>) {
        let producer = self.name;
        match (state, cause) {
            (Circuit::Open, Some(cause)) => {
                if cause != Cause::Fatal {
                    self.opened.send_modify(|count| *count += 1);
                }
                let cause = cause.as_str();
                if *self.contact.borrow() {
                    tracing::warn!(producer, cause, "kafka is out of reach, requests are refused");
                } else {
                    tracing::warn!(
                        producer,
                        cause,
                        "kafka has not answered yet; check kafka.bootstrap_servers"
                    );
                }
                self.wake_watcher();
            }
            (Circuit::HalfOpen, _) => {
                tracing::info!(producer, "kafka answers again, waiting for an acknowledgement");
            }
            (Circuit::Closed, _) => tracing::info!(producer, "kafka acknowledges again"),
            (Circuit::Open, None) => {}
        }
    }
}
