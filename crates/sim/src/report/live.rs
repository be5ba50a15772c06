//! How far is a run, while it runs?

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::Serialize;

use crate::observer::{Finished, Outcome};

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// Counters that a progress bar can read at any time.
        #[derive(Debug, Default)]
        pub struct Live {
            $($name: AtomicU64,)+
        }

        /// What [`Live`] stood at.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
        pub struct Counts {
            $($(#[doc = $doc])+ pub $name: u64,)+
        }

        impl Live {
            /// All counters now. Each is exact; together they are exact once the run is over.
            pub fn counts(&self) -> Counts {
                Counts { $($name: self.$name.load(Relaxed),)+ }
            }
        }
    };
}

counters! {
    /// Attempts that ended, whatever came of them.
    attempts,
    /// Attempts with a 2xx.
    successes,
    /// Attempts with another status.
    other_statuses,
    /// Attempts for which no connection could be made.
    refused,
    /// Attempts whose connection broke.
    resets,
    /// Attempts without an answer in time.
    timeouts,
    /// Answers that are not what the contract promises when nothing is out of order.
    unexpected,
    /// Attempts after the first of their delivery.
    retries,
    /// Deliveries whose last allowed attempt failed, or whose next one the run's end cut off.
    given_up,
    /// Deliveries of an open loop that were due and never sent.
    unsent,
    /// First attempts that repeat an earlier delivery.
    duplicates,
    /// Genuine items in all attempts.
    genuine_sent,
    /// Genuine items in attempts with a 2xx.
    genuine_acknowledged,
    /// Items in all attempts that are not genuine or not usable.
    forged_sent,
    /// Bytes of bodies in all attempts.
    bytes_sent,
    /// Connections that were made.
    connections_opened,
    /// Idle connections found closed when they were needed, and silently replaced.
    idle_closed,
}

impl Live {
    pub(crate) fn count(&self, finished: &Finished<'_>) {
        let delivery = finished.delivery;
        let genuine = delivery.genuine();
        let add = |counter: &AtomicU64, by: u64| {
            if by > 0 {
                counter.fetch_add(by, Relaxed);
            }
        };
        add(&self.genuine_sent, genuine);
        add(&self.forged_sent, delivery.expected.items.len() as u64 - genuine);
        add(&self.bytes_sent, delivery.body.len() as u64);
        add(&self.retries, u64::from(finished.attempt > 0));
        add(&self.duplicates, u64::from(finished.attempt == 0 && delivery.repeats.is_some()));
        match finished.outcome {
            Outcome::Answered { status, as_expected } => {
                add(&self.unexpected, u64::from(!as_expected));
                if (200..300).contains(&status) {
                    add(&self.successes, 1);
                    add(&self.genuine_acknowledged, genuine);
                } else {
                    add(&self.other_statuses, 1);
                }
            }
            Outcome::Refused => add(&self.refused, 1),
            Outcome::Reset => add(&self.resets, 1),
            Outcome::Timeout => add(&self.timeouts, 1),
        }
        add(&self.attempts, 1);
    }

    pub(crate) fn connection_opened(&self) {
        self.connections_opened.fetch_add(1, Relaxed);
    }

    pub(crate) fn idle_closed(&self) {
        self.idle_closed.fetch_add(1, Relaxed);
    }

    pub(crate) fn gave_up(&self, deliveries: u64) {
        self.given_up.fetch_add(deliveries, Relaxed);
    }

    pub(crate) fn left_unsent(&self, deliveries: u64) {
        self.unsent.fetch_add(deliveries, Relaxed);
    }
}
