//! When is a whole request acknowledged? One completion for all its records, driven by the delivery callback.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Instant;

use atomic_waker::AtomicWaker;
use postern_core::publish::PublishError;

/// At least one record can never be taken.
const REFUSED: u8 = 1;
/// At least one record failed for a reason that is not its own.
const FAILED: u8 = 2;

/// The acknowledgement of a request. librdkafka holds one reference a record; the request may drop its own at any
/// time (the sender hung up), the rest goes with the last record.
#[derive(Debug)]
pub(crate) struct Ack {
    /// When its records were handed to librdkafka.
    pub(crate) sent: Instant,
    remaining: AtomicUsize,
    faults: AtomicU8,
    /// Of the request's task; there is one.
    waiter: AtomicWaker,
}

impl Ack {
    /// One that waits for `records` records.
    pub(crate) fn new(records: usize, sent: Instant) -> Self {
        Self {
            sent,
            remaining: AtomicUsize::new(records),
            faults: AtomicU8::new(0),
            waiter: AtomicWaker::new(),
        }
    }

    /// One that has nothing to wait for.
    pub(crate) fn settled(sent: Instant) -> Self {
        Self::new(0, sent)
    }

    /// One record is settled.
    ///
    /// Returns whether this is the failure that decides the request, so that a request counts once however many of
    /// its records fail.
    pub(crate) fn settle(&self, result: Result<(), PublishError>) -> bool {
        let fault = match result {
            Ok(()) => 0,
            Err(PublishError::RecordRefused) => REFUSED,
            Err(_) => FAILED,
        };
        let before = if fault == 0 { 0 } else { self.faults.fetch_or(fault, Ordering::AcqRel) };
        let decided = fault == FAILED && before & FAILED == 0;
        let last = self.remaining.fetch_sub(1, Ordering::AcqRel) == 1;
        if decided || last {
            self.waiter.wake();
        }
        decided
    }

    /// How it ended, if it has: a failure at once, anything else with the last record. So
    /// [`PublishError::RecordRefused`] also says that all other records are durable.
    pub(crate) fn outcome(&self) -> Option<Result<(), PublishError>> {
        let remaining = self.remaining.load(Ordering::Acquire);
        let faults = self.faults.load(Ordering::Acquire);
        if faults & FAILED != 0 {
            Some(Err(PublishError::Failed))
        } else if remaining > 0 {
            None
        } else if faults & REFUSED != 0 {
            Some(Err(PublishError::RecordRefused))
        } else {
            Some(Ok(()))
        }
    }

    /// Waits for [`Ack::outcome`]. For one waiter.
    pub(crate) async fn wait(&self) -> Result<(), PublishError> {
        std::future::poll_fn(|context| {
            // Before the look: what settles behind it wakes.
            self.waiter.register(context.waker());
            self.outcome().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_record_completes_it() {
        let ack = Ack::new(3, Instant::now());
        assert!(!ack.settle(Ok(())) && !ack.settle(Ok(())));
        assert_eq!(ack.outcome(), None);
        assert!(!ack.settle(Ok(())));
        assert_eq!(ack.wait().await, Ok(()));
    }

    #[tokio::test]
    async fn the_first_failure_completes_it_once_and_nothing_mends_it() {
        let ack = Ack::new(3, Instant::now());
        assert!(ack.settle(Err(PublishError::Failed)));
        assert_eq!(ack.wait().await, Err(PublishError::Failed));
        assert!(!ack.settle(Err(PublishError::Failed)));
        assert!(!ack.settle(Ok(())));
        assert_eq!(ack.outcome(), Some(Err(PublishError::Failed)));
    }

    #[tokio::test]
    async fn a_refused_record_waits_for_the_others() {
        let ack = Ack::new(2, Instant::now());
        assert!(!ack.settle(Err(PublishError::RecordRefused)));
        assert_eq!(ack.outcome(), None);
        ack.settle(Ok(()));
        assert_eq!(ack.wait().await, Err(PublishError::RecordRefused));

        let ack = Ack::new(2, Instant::now());
        ack.settle(Err(PublishError::RecordRefused));
        assert!(ack.settle(Err(PublishError::Failed)));
        assert_eq!(ack.outcome(), Some(Err(PublishError::Failed)));
    }

    #[tokio::test]
    async fn it_wakes_a_waiter_of_another_task() {
        let ack = std::sync::Arc::new(Ack::new(1, Instant::now()));
        let waiter = tokio::spawn({
            let ack = std::sync::Arc::clone(&ack);
            async move { ack.wait().await }
        });
        tokio::task::yield_now().await;
        ack.settle(Ok(()));
        assert_eq!(waiter.await.unwrap(), Ok(()));
    }
}
