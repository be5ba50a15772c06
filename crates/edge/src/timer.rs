//! How does a connection time its requests? One timer a connection, instead of several a request.
//!
//! A tokio timer goes into the runtime's wheel and out of it again. A request needs one for its head, which hyper asks for,
//! and one for its answer, and neither runs out as long as all goes well. Here one tokio timer stays in the wheel and
//! is moved only when it has run out, or stands behind what is waited for: at most once in the shortest of the times.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::{Sleep, Timer};
use tokio::time::Instant;

/// The timer of one connection; what waits for it is polled by the connection's task, one at a time.
#[derive(Clone, Debug)]
pub struct ConnectionTimer(Arc<Mutex<Option<Wheel>>>);

/// The timer that stays in the wheel.
type Wheel = Pin<Box<tokio::time::Sleep>>;

impl ConnectionTimer {
    /// A timer that does not run yet.
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    /// Runs out at `deadline`.
    pub(crate) fn until(&self, deadline: Instant) -> Until<&Self> {
        Until { deadline, timer: self }
    }

    fn poll_until(&self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        // Only the connection's task comes here: nobody waits for the lock.
        let mut wheel = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wheel = wheel.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if wheel.deadline() > deadline {
            wheel.as_mut().reset(deadline);
        }
        while wheel.as_mut().poll(cx).is_ready() {
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            wheel.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

/// Waits for an instant on the timer of a connection.
pub(crate) struct Until<T> {
    deadline: Instant,
    timer: T,
}

impl Future for Until<&ConnectionTimer> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.timer.poll_until(self.deadline, cx)
    }
}

impl Future for Until<ConnectionTimer> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.timer.poll_until(self.deadline, cx)
    }
}

impl Sleep for Until<ConnectionTimer> {}

impl Timer for ConnectionTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Until { deadline: deadline.into(), timer: self.clone() })
    }

    fn now(&self) -> std::time::Instant {
        Instant::now().into_std()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    async fn runs_out_after(seconds: u32, timer: &ConnectionTimer) {
        let (begun, time) = (Instant::now(), seconds * SECOND);
        timer.until(begun + time).await;
        assert!(begun.elapsed().abs_diff(time) < SECOND / 10, "{:?}", begun.elapsed());
    }

    async fn does_not_run_out(time: Duration, wait: impl Future<Output = ()>) {
        tokio::select! {
            () = wait => panic!("it had more than {time:?}"),
            () = tokio::time::sleep(time) => {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_was_waited_for_before_each_wait_has_its_whole_time_and_no_more() {
        let timer = ConnectionTimer::new();
        runs_out_after(10, &timer).await;
        for heads in [1, 9, 3, 9, 1] {
            does_not_run_out(heads * SECOND, timer.sleep(10 * SECOND)).await;
            does_not_run_out(SECOND * 2, timer.until(Instant::now() + SECOND * 5 / 2)).await;
        }
        runs_out_after(2, &timer).await;
        runs_out_after(10, &timer).await;
        tokio::time::advance(60 * SECOND).await;
        does_not_run_out(9 * SECOND, timer.sleep(10 * SECOND)).await;
        runs_out_after(1, &timer).await;
        let begun = Instant::now();
        timer.sleep(10 * SECOND).await;
        assert!(begun.elapsed().abs_diff(10 * SECOND) < SECOND / 10);
    }
}
