//! May a request be tried against Kafka now? The circuit breaker as a pure state machine over given times.
//!
//! - **Closed**: every request is tried. It opens when something has been outstanding for [`Limits::stall`] without a
//!   single acknowledgement, after [`Limits::failures`] requests that failed or gave up over [`Limits::failing`]
//!   without a fresh acknowledgement between, when the watcher could not reach Kafka, or when the producer died.
//! - **Open**: nothing is tried, the answer is immediate. The watcher asks for metadata; an answer half-opens it.
//! - **Half-open**: now and then one real record goes out as a probe, its sender is not kept waiting. Metadata alone
//!   proves nothing about durability, so only an acknowledgement closes.
//!
//! Which acknowledgement closes: any *fresh* one, whether of a probe or of a record from before the opening, where
//! fresh means that it came within [`Limits::fresh`] of its sending. One that took longer proves that Kafka lives,
//! and also that requests would still miss their deadline: a Kafka with acknowledgements of two seconds stays open
//! instead of flapping. Failures of records that were sent before the present state began say nothing about it.

use std::time::{Duration, Instant};

use postern_core::publish::Circuit;

/// What is to happen to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Send it and wait.
    Pass,
    /// Send one record of it and do not wait: the sender is refused.
    Probe,
    /// Refuse it at once.
    Refuse,
}

/// Why the breaker opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Nothing was acknowledged while something was outstanding.
    Stalled,
    /// Request after request failed.
    Failures,
    /// Kafka did not answer a metadata request.
    Unreachable,
    /// The producer ended with a fatal error.
    Fatal,
    /// A probe failed, or was not acknowledged in time.
    Probe,
}

impl Cause {
    /// The words in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stalled => "nothing is acknowledged",
            Self::Failures => "request after request failed",
            Self::Unreachable => "no broker answers",
            Self::Fatal => "the producer ended with a fatal error",
            Self::Probe => "a probe was not acknowledged",
        }
    }
}

/// The times and counts of a [`Breaker`].
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Outstanding for so long without any acknowledgement opens it. Below the request deadline of 2.5 s, above an
    /// acknowledgement of a slow but working Kafka (1 s).
    pub stall: Duration,
    /// So many failed requests in a row open it,
    pub failures: u32,
    /// once the first of them is so old: the records of one partition time out in a bunch, and the acknowledgements
    /// of the others come a moment later.
    pub failing: Duration,
    /// A probe without an acknowledgement for so long opens it again.
    pub probe_timeout: Duration,
    /// The least time between two probes.
    pub probe_interval: Duration,
    /// A probe that is still outstanding holds back the next one for so long: one paused broker of three must not
    /// hold back the probes that would reach the other two.
    pub probe_patience: Duration,
    /// An acknowledgement within this time of its sending closes it.
    pub fresh: Duration,
}

impl Limits {
    /// What the producer uses.
    pub const DEFAULT: Self = Self {
        stall: Duration::from_millis(1_500),
        failures: 5,
        failing: Duration::from_millis(300),
        probe_timeout: Duration::from_millis(1_200),
        probe_interval: Duration::from_millis(100),
        probe_patience: Duration::from_millis(250),
        fresh: Duration::from_millis(1_200),
    };

    /// For records that nobody waits for: a Kafka that takes seconds is good enough.
    pub const PATIENT: Self = Self {
        stall: Duration::from_secs(10),
        failures: 20,
        failing: Duration::from_secs(2),
        probe_timeout: Duration::from_secs(10),
        fresh: Duration::from_secs(10),
        ..Self::DEFAULT
    };
}

/// The circuit breaker. It reads no clock: every event comes with its time.
#[derive(Debug)]
pub struct Breaker {
    limits: Limits,
    state: Circuit,
    /// When the present state began.
    since: Instant,
    cause: Option<Cause>,
    /// Failed requests since the last fresh acknowledgement, and when the first of them failed.
    failures: u32,
    first_failure: Option<Instant>,
    /// The first probe of the present half-open state.
    first_probe: Option<Instant>,
    /// The last probe of any half-open state.
    last_probe: Option<Instant>,
}

impl Breaker {
    /// A closed breaker.
    #[must_use]
    pub const fn new(limits: Limits, now: Instant) -> Self {
        Self {
            limits,
            state: Circuit::Closed,
            since: now,
            cause: None,
            failures: 0,
            first_failure: None,
            first_probe: None,
            last_probe: None,
        }
    }

    /// The present state.
    #[must_use]
    pub const fn state(&self) -> Circuit {
        self.state
    }

    /// Why it opened last.
    #[must_use]
    pub const fn cause(&self) -> Option<Cause> {
        self.cause
    }

    /// Failed requests since the last fresh acknowledgement.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// A request wants to be sent.
    pub fn admit(&mut self, now: Instant) -> Admission {
        match self.state {
            Circuit::Closed => Admission::Pass,
            Circuit::Open => Admission::Refuse,
            Circuit::HalfOpen => {
                // Whatever ends a probe ends the half-open state: a probe of this state is an outstanding one.
                let wait = match self.first_probe {
                    Some(_) => self.limits.probe_patience,
                    None => self.limits.probe_interval,
                };
                if self.last_probe.is_some_and(|last| now.duration_since(last) < wait) {
                    return Admission::Refuse;
                }
                self.first_probe.get_or_insert(now);
                self.last_probe = Some(now);
                Admission::Probe
            }
        }
    }

    /// A record that was sent at `sent` has been acknowledged.
    pub fn acknowledged(&mut self, now: Instant, sent: Instant) {
        if now.saturating_duration_since(sent) > self.limits.fresh {
            return;
        }
        self.failures = 0;
        self.first_failure = None;
        if self.state != Circuit::Closed {
            self.enter(Circuit::Closed, now);
        }
    }

    /// A request that was sent at `sent` has failed for a reason that is not its records', or stopped waiting.
    pub fn failed(&mut self, now: Instant, sent: Instant) {
        if sent < self.since {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        let first = *self.first_failure.get_or_insert(now);
        let lasting = now.duration_since(first) >= self.limits.failing;
        match self.state {
            Circuit::Closed if lasting && self.failures >= self.limits.failures => {
                self.open(now, Cause::Failures);
            }
            Circuit::HalfOpen => self.open(now, Cause::Probe),
            Circuit::Closed | Circuit::Open => {}
        }
    }

    /// Something is outstanding, and since `since` nothing has been acknowledged.
    pub fn waiting(&mut self, now: Instant, since: Instant) {
        let since = since.max(self.since);
        if self.state == Circuit::Closed && now.duration_since(since) >= self.limits.stall {
            self.open(now, Cause::Stalled);
        }
    }

    /// Time passes: a probe may be overdue.
    pub fn tick(&mut self, now: Instant) {
        let Some(probe) = self.first_probe else { return };
        if self.state == Circuit::HalfOpen && now.duration_since(probe) >= self.limits.probe_timeout
        {
            self.open(now, Cause::Probe);
        }
    }

    /// Kafka answered a metadata request: the topic exists and has a leader.
    pub fn reachable(&mut self, now: Instant) {
        if self.state == Circuit::Open {
            self.enter(Circuit::HalfOpen, now);
        }
    }

    /// Kafka did not answer.
    pub fn unreachable(&mut self, now: Instant) {
        self.open(now, Cause::Unreachable);
    }

    /// The producer can send nothing more.
    pub fn fatal(&mut self, now: Instant) {
        self.open(now, Cause::Fatal);
    }

    fn open(&mut self, now: Instant, cause: Cause) {
        if self.state != Circuit::Open {
            self.cause = Some(cause);
            self.enter(Circuit::Open, now);
        }
    }

    const fn enter(&mut self, state: Circuit, now: Instant) {
        self.state = state;
        self.since = now;
        self.first_probe = None;
    }
}

#[cfg(test)]
mod tests;
