//! When is the next delivery due, and is there one?

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;

use crate::load::{Load, Pace};

/// The shortest nap of the pacing thread; what is due by then is released together.
const SHORTEST_NAP: Duration = Duration::from_micros(50);
/// The longest one, after which it looks whether the run has ended.
const LONGEST_NAP: Duration = Duration::from_millis(50);

/// Whether there is a delivery for a connection that asks.
#[derive(Debug, PartialEq)]
pub(super) enum Due {
    /// The delivery with this number may start; in an open loop, it was due at this moment.
    Now(u64, Option<Instant>),
    /// There will be no more.
    Never,
}

/// The plan by which deliveries start.
pub(super) struct Schedule {
    /// Deliveries in all.
    requests: u64,
    started: OnceLock<Instant>,
    duration: Option<Duration>,
    open: Option<Open>,
}

struct Open {
    per_second: f64,
    shared: Arc<Gate>,
}

/// What the pacing thread and the connections share.
struct Gate {
    /// A permit for each delivery that is due.
    due: Semaphore,
    /// How many deliveries have been released.
    released: AtomicU64,
    /// No more will be.
    closed: AtomicBool,
}

impl Schedule {
    pub(super) fn new(load: &Load) -> Self {
        let open = match load.pace {
            Pace::Closed => None,
            Pace::Open { per_second } => {
                let shared = Arc::new(Gate {
                    due: Semaphore::new(0),
                    released: AtomicU64::new(0),
                    closed: AtomicBool::new(false),
                });
                Some(Open { per_second, shared })
            }
        };
        Self {
            requests: load.requests.unwrap_or(u64::MAX),
            started: OnceLock::new(),
            duration: load.duration,
            open,
        }
    }

    /// Starts the clock. In an open loop a thread of its own keeps the pace: the runtime's timer
    /// ticks once a millisecond, which is longer than most answers take.
    pub(super) fn start(&self, now: Instant, load: &Load) {
        let started = *self.started.get_or_init(|| now);
        if let Some(open) = &self.open {
            let gate = Arc::clone(&open.shared);
            let (per_second, requests) = (open.per_second, self.requests);
            let end = self.duration.and_then(|duration| started.checked_add(duration));
            let connections = load.connections;
            thread::Builder::new()
                .name("sim-pace".into())
                .spawn(move || gate.keep_pace(started, per_second, requests, end, connections))
                .expect("the system has a thread left");
        }
    }

    /// The next delivery, once it is due. Cancel-safe.
    pub(super) async fn next(&self, next: &AtomicU64) -> Due {
        let started = *self.started.get().expect("asked only after the start");
        let Some(open) = &self.open else {
            let over = self.duration.is_some_and(|duration| started.elapsed() >= duration);
            let place = if over { u64::MAX } else { next.fetch_add(1, Relaxed) };
            return if place < self.requests { Due::Now(place, None) } else { Due::Never };
        };
        let gate = &open.shared;
        let permit = match gate.due.try_acquire() {
            Ok(permit) => Ok(permit),
            Err(_) => gate.due.acquire().await,
        };
        // An error: the gate was shut because the run was stopped.
        let Ok(permit) = permit else { return Due::Never };
        permit.forget();
        let place = next.fetch_add(1, Relaxed);
        // Permits beyond the released deliveries only wake those who wait in vain.
        if place >= gate.released.load(Relaxed) {
            return Due::Never;
        }
        Due::Now(place, Some(started + due_after(place, open.per_second)))
    }

    /// Lets nobody wait any longer.
    pub(super) fn stop(&self) {
        if let Some(open) = &self.open {
            open.shared.closed.store(true, Relaxed);
            open.shared.due.close();
        }
    }

    /// How many deliveries have been due so far, in an open loop.
    pub(super) fn released(&self) -> Option<u64> {
        self.open.as_ref().map(|open| open.shared.released.load(Relaxed))
    }

    /// When a backlog is not worked off any longer.
    pub(super) fn hard_end(&self, grace: Duration) -> Option<Instant> {
        self.started.get()?.checked_add(self.duration?)?.checked_add(grace)
    }
}

// A run that is dropped leaves no thread behind.
impl Drop for Schedule {
    fn drop(&mut self) {
        self.stop();
    }
}

/// How long after the start a delivery is due.
fn due_after(place: u64, per_second: f64) -> Duration {
    Duration::from_secs_f64(place as f64 / per_second)
}

impl Gate {
    fn keep_pace(
        &self,
        started: Instant,
        per_second: f64,
        requests: u64,
        end: Option<Instant>,
        connections: usize,
    ) {
        let mut released = 0;
        while !self.closed.load(Relaxed) {
            let now = Instant::now();
            let until = end.map_or(now, |end| end.min(now));
            let span = until.saturating_duration_since(started).as_secs_f64();
            // The delivery at place n is due at n / rate, so the first one at once.
            let due = ((span * per_second) as u64).saturating_add(1).min(requests);
            if due > released {
                // Counted before the permits are out: who holds one finds its delivery counted.
                self.released.store(due, Relaxed);
                self.due.add_permits((due - released) as usize);
                released = due;
            }
            if released >= requests || end.is_some_and(|end| now >= end) {
                break;
            }
            let next = started + due_after(released, per_second);
            let nap = next.saturating_duration_since(Instant::now());
            thread::sleep(nap.clamp(SHORTEST_NAP, LONGEST_NAP));
        }
        if !self.closed.load(Relaxed) {
            self.due.add_permits(connections);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Target;

    fn open(per_second: f64, requests: u64) -> Load {
        let target = Target::parse("http://127.0.0.1:1").unwrap();
        let pace = Pace::Open { per_second };
        Load { pace, requests: Some(requests), connections: 2, ..Load::new(target) }
    }

    #[tokio::test]
    async fn an_open_loop_releases_each_delivery_once_and_none_early() {
        let load = open(2_000.0, 100);
        let schedule = Schedule::new(&load);
        let (next, started) = (AtomicU64::new(0), Instant::now());
        schedule.start(started, &load);
        for expected in 0..100 {
            let Due::Now(place, Some(due)) = schedule.next(&next).await else { panic!("too few") };
            assert_eq!(place, expected);
            assert_eq!(due, started + Duration::from_micros(500 * expected));
            assert!(Instant::now() >= due);
        }
        assert_eq!(schedule.next(&next).await, Due::Never);
        assert_eq!(schedule.next(&next).await, Due::Never);
        assert_eq!(schedule.released(), Some(100));
    }

    #[tokio::test]
    async fn stopping_wakes_who_waits() {
        let load = open(0.001, 100);
        let schedule = Schedule::new(&load);
        let next = AtomicU64::new(0);
        schedule.start(Instant::now(), &load);
        assert!(matches!(schedule.next(&next).await, Due::Now(0, Some(_))));
        let (due, ()) = tokio::join!(schedule.next(&next), async { schedule.stop() });
        assert_eq!(due, Due::Never);
    }
}
