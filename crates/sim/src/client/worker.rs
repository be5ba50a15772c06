//! What does one connection's task do from the first delivery to the last?

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::Barrier,
    time::{timeout, timeout_at},
};

use super::{
    Run,
    connection::{Answer, Connection, Fault},
    pace::Due,
};
use crate::{
    delivery::{Delivery, Expected},
    observer::{Finished, Observer, Outcome},
};

/// How long the first connecting may hold up the start.
const FIRST_CONNECT: Duration = Duration::from_secs(1);
/// Waits before connecting again after a fault: doubling between these two.
const SHORTEST_BACKOFF: Duration = Duration::from_millis(5);
const LONGEST_BACKOFF: Duration = Duration::from_millis(200);
/// Deliveries that a connection remembers for another attempt; further ones are given up.
const MOST_RETRIES: usize = 10_000;

/// An attempt that is to be made.
struct Job {
    sequence: u64,
    attempt: u32,
    intended: Option<Instant>,
}

/// A retry: when, which delivery, which attempt.
type Later = Reverse<(Instant, u64, u32)>;

pub(super) struct Worker<O> {
    run: Arc<Run<O>>,
    place: usize,
    connection: Option<Connection>,
    backoff: Duration,
    later: BinaryHeap<Later>,
    /// No new deliveries will come.
    exhausted: bool,
}

impl<O: Observer> Worker<O> {
    pub(super) fn new(run: Arc<Run<O>>, place: usize) -> Self {
        Self {
            run,
            place,
            connection: None,
            backoff: Duration::ZERO,
            later: BinaryHeap::new(),
            exhausted: false,
        }
    }

    pub(super) async fn work(mut self, ready: Arc<Barrier>) {
        if let Ok(Ok(mut connection)) =
            timeout(FIRST_CONNECT, Connection::open(&self.run.load.target)).await
        {
            self.run.live.connection_opened();
            connection.idled = true;
            self.connection = Some(connection);
        }
        // Once all are connected, and again once the clock runs.
        ready.wait().await;
        ready.wait().await;
        while let Some(job) = self.next_job().await {
            let mut delivery = self.run.scenario.delivery(job.sequence);
            self.attempt(&job, &delivery).await;
            // Frees the body before the wait for the next one.
            delivery.body.clear();
        }
        self.run.live.gave_up(self.later.len() as u64);
    }

    /// The next attempt: a retry that is due, else a new delivery, else a later retry.
    async fn next_job(&mut self) -> Option<Job> {
        loop {
            if self.run.stopped() {
                return None;
            }
            let now = Instant::now();
            let end = self.run.schedule.hard_end(self.run.load.timeout);
            if end.is_some_and(|end| now >= end) {
                return None;
            }
            let wait = self.later.peek().map(|Reverse((at, ..))| at.saturating_duration_since(now));
            if wait == Some(Duration::ZERO) {
                let Reverse((at, sequence, attempt)) = self.later.pop().expect("peeked at");
                return Some(Job { sequence, attempt, intended: Some(at) });
            }
            if self.exhausted {
                self.run.pause(wait?).await;
                continue;
            }
            let next = self.run.schedule.next(&self.run.next);
            let due = match wait {
                None => next.await,
                Some(wait) => match timeout(wait, next).await {
                    Ok(due) => due,
                    Err(_) => continue,
                },
            };
            match due {
                Due::Now(sequence, intended) => {
                    return Some(Job { sequence, attempt: 0, intended });
                }
                Due::Never => self.exhausted = true,
            }
        }
    }

    async fn attempt(&mut self, job: &Job, delivery: &Delivery) {
        if self.connection.is_none() && !self.backoff.is_zero() {
            self.run.pause(self.backoff).await;
        }
        self.run.observer.sending(delivery, job.attempt).await;
        let sent = Instant::now();
        let outcome = self.send(delivery, sent).await;
        let finished = Finished {
            delivery,
            attempt: job.attempt,
            intended: job.intended.unwrap_or(sent),
            sent,
            finished: Instant::now(),
            outcome,
        };
        self.run.observer.finished(&finished).await;
        self.run.recorder.record(self.place, &finished);
        self.run.live.count(&finished);
        self.backoff = match outcome {
            Outcome::Answered { .. } => Duration::ZERO,
            _ => (self.backoff * 2).clamp(SHORTEST_BACKOFF, LONGEST_BACKOFF),
        };
        self.plan_retry(&finished);
    }

    fn plan_retry(&mut self, finished: &Finished<'_>) {
        let as_expected = matches!(finished.outcome, Outcome::Answered { as_expected: true, .. });
        if finished.outcome.is_success() || as_expected {
            return;
        }
        let Some(retry) = self.run.load.retry else { return };
        let attempt = finished.attempt + 1;
        if attempt > retry.attempts || self.later.len() >= MOST_RETRIES {
            self.run.live.gave_up(1);
            return;
        }
        let at = finished.finished + retry.wait(attempt);
        self.later.push(Reverse((at, finished.delivery.sequence, attempt)));
    }

    /// One attempt. Like a provider's client it silently replaces a connection that the receiver
    /// had closed while it was idle, once.
    async fn send(&mut self, delivery: &Delivery, now: Instant) -> Outcome {
        let run = Arc::clone(&self.run);
        let target = &run.load.target;
        let deadline = (now + run.load.timeout).into();
        loop {
            let mut connection = match self.connection.take() {
                Some(connection) => connection,
                None => match timeout_at(deadline, Connection::open(target)).await {
                    Ok(Ok(connection)) => {
                        run.live.connection_opened();
                        connection
                    }
                    Ok(Err(_)) => return Outcome::Refused,
                    Err(_) => return Outcome::Timeout,
                },
            };
            let idled = connection.idled;
            match timeout_at(deadline, connection.exchange(delivery, target)).await {
                Ok(Ok(answer)) => {
                    if answer.reusable {
                        connection.idled = true;
                        self.connection = Some(connection);
                    }
                    return judge(&answer, &delivery.expected);
                }
                // Cannot go round for ever: the next connection is a fresh one.
                Ok(Err(Fault::Unsent)) if idled => run.live.idle_closed(),
                Ok(Err(_)) => return Outcome::Reset,
                Err(_) => return Outcome::Timeout,
            }
        }
    }
}

fn judge(answer: &Answer, expected: &Expected) -> Outcome {
    let echoed = expected.echo.as_ref().is_none_or(|echo| *echo == answer.body);
    let status = answer.status.as_u16();
    Outcome::Answered { status, as_expected: status == expected.status && echoed }
}
