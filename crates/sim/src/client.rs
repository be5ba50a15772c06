//! How does a run go: connections, pace, attempts, retries, end?

mod body;
mod connection;
mod pace;
mod worker;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::{
    sync::{Barrier, watch},
    task::JoinSet,
};

use self::{pace::Schedule, worker::Worker};
use crate::{
    load::{Load, LoadError, Pace},
    observer::Observer,
    report::{Live, Recorder, Report},
    scenario::Scenario,
};

/// What the connections of a run share.
struct Run<O> {
    load: Load,
    scenario: Arc<Scenario>,
    observer: Arc<O>,
    live: Arc<Live>,
    recorder: Recorder,
    schedule: Schedule,
    /// The sequence number of the next new delivery.
    next: AtomicU64,
    /// True once the run is to stop.
    stop: watch::Receiver<bool>,
}

/// Plays a scenario against a target until the load's bound is reached or `stop` is ready.
///
/// After `stop`, attempts that are under way are finished and observed, and nothing new is sent.
/// Dropping the future ends the run at once. The counters in `live` start from where they stand, so
/// give each run its own.
///
/// # Errors
/// When the load makes no sense. A target that cannot be reached is no error: it is in the report.
///
/// # Panics
/// When the observer panics.
pub async fn run<O: Observer>(
    load: Load,
    scenario: Arc<Scenario>,
    observer: Arc<O>,
    live: Arc<Live>,
    stop: impl Future<Output = ()>,
) -> Result<Report, LoadError> {
    load.check()?;
    let (stopper, stopped) = watch::channel(false);
    let run = Arc::new(Run {
        recorder: Recorder::new(load.connections),
        schedule: Schedule::new(&load),
        next: AtomicU64::new(0),
        stop: stopped,
        scenario,
        observer,
        live,
        load,
    });
    // Connecting is over before the clock starts, so that it does not count as latency.
    let ready = Arc::new(Barrier::new(run.load.connections + 1));
    let mut workers = JoinSet::new();
    for place in 0..run.load.connections {
        workers.spawn(Worker::new(Arc::clone(&run), place).work(Arc::clone(&ready)));
    }
    ready.wait().await;
    let started = Instant::now();
    run.schedule.start(started, &run.load);
    ready.wait().await;
    let finished = finish(&mut workers, &run, &stopper, stop).await;
    let elapsed = finished.saturating_duration_since(started);
    Ok(run.report(elapsed))
}

/// Waits for the workers, tells them to stop when it is time, and says when the last one was done.
async fn finish<O>(
    workers: &mut JoinSet<()>,
    run: &Run<O>,
    stopper: &watch::Sender<bool>,
    stop: impl Future<Output = ()>,
) -> Instant {
    tokio::pin!(stop);
    let mut stopping = false;
    loop {
        tokio::select! {
            worker = workers.join_next() => match worker {
                Some(Ok(())) => {}
                Some(Err(error)) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(_) => unreachable!("nobody aborts a worker while it is waited for"),
                },
                None => return Instant::now(),
            },
            () = &mut stop, if !stopping => {
                stopping = true;
                stopper.send_replace(true);
                run.schedule.stop();
            }
        }
    }
}

impl<O> Run<O> {
    fn stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// Waits, unless the run is stopped first; whether it was.
    async fn pause(&self, span: Duration) -> bool {
        let mut stop = self.stop.clone();
        // The sender lives as long as the run; if it is gone, so is the run.
        tokio::time::timeout(span, stop.wait_for(|stop| *stop)).await.is_ok()
    }

    fn report(&self, elapsed: Duration) -> Report {
        let due = self.schedule.released();
        let sent = self.next.load(Relaxed).min(due.unwrap_or(u64::MAX));
        self.live.left_unsent(due.map_or(0, |due| due - sent));
        let target = match self.load.pace {
            Pace::Closed => None,
            Pace::Open { per_second } => Some(per_second),
        };
        Report::new(&self.recorder, self.live.counts(), elapsed, self.load.connections, target)
    }
}
