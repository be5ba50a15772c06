//! Which phase of its life is the edge in?

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// The phases, in their order; there is no way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Phase {
    /// Answers already, not ready yet.
    Starting,
    /// Ready.
    Serving,
    /// Told to stop: not ready any more, still serving as before, until balancers have noticed.
    Lingering,
    /// Every answer closes its connection; the listener stays open and idle connections stay.
    Draining,
    /// What still arrives is refused, what was taken is flushed.
    Flushing,
    /// Over.
    Stopped,
}

impl Phase {
    const ALL: [Self; 6] = [
        Self::Starting,
        Self::Serving,
        Self::Lingering,
        Self::Draining,
        Self::Flushing,
        Self::Stopped,
    ];

    /// The word in logs and `/status`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Serving => "serving",
            Self::Lingering => "lingering",
            Self::Draining => "draining",
            Self::Flushing => "flushing",
            Self::Stopped => "stopped",
        }
    }
}

/// The current phase and the requests under way, shared by listener, pipeline and admin.
#[derive(Clone, Debug, Default)]
pub struct Life(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    phase: AtomicU8,
    active: AtomicUsize,
    /// Woken when the last request under way ends.
    idle: Notify,
}

impl Life {
    /// A life that starts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The phase now.
    #[must_use]
    pub fn phase(&self) -> Phase {
        Phase::ALL[usize::from(self.0.phase.load(Ordering::Acquire)).min(Phase::ALL.len() - 1)]
    }

    /// Goes on to a phase; a phase that is already past is ignored.
    pub fn advance(&self, phase: Phase) {
        self.0.phase.fetch_max(phase as u8, Ordering::AcqRel);
    }

    /// Whether new traffic is wanted.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.phase() == Phase::Serving
    }

    /// Counts a request as under way until the guard is dropped.
    #[must_use]
    pub fn request(&self) -> ActiveRequest {
        self.0.active.fetch_add(1, Ordering::AcqRel);
        ActiveRequest(Arc::clone(&self.0))
    }

    /// Waits until no request is under way, `limit` at most; returns how many still are.
    pub async fn settled(&self, limit: Duration) -> usize {
        let settle = async {
            loop {
                let woken = self.0.idle.notified();
                if self.0.active.load(Ordering::Acquire) == 0 {
                    return;
                }
                woken.await;
            }
        };
        // Running out of time is told by the count.
        drop(tokio::time::timeout(limit, settle).await);
        self.0.active.load(Ordering::Acquire)
    }
}

/// A request under way.
#[derive(Debug)]
pub struct ActiveRequest(Arc<Shared>);

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        if self.0.active.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_for_what_is_under_way_but_not_for_ever() {
        let life = Life::new();
        let request = life.request();
        assert_eq!(life.settled(Duration::from_secs(1)).await, 1);
        let waiting = {
            let life = life.clone();
            tokio::spawn(async move { life.settled(Duration::from_secs(60)).await })
        };
        tokio::task::yield_now().await;
        drop(request);
        assert_eq!(waiting.await.expect("no panic"), 0);
    }

    #[test]
    fn only_goes_forward() {
        let life = Life::new();
        life.advance(Phase::Draining);
        life.advance(Phase::Serving);
        assert_eq!(life.phase(), Phase::Draining);
        assert!(!life.ready());
    }
}
