//! Who is told of every attempt, and what is known of it then?

use std::{future, time::Instant};

use serde::Serialize;

use crate::delivery::Delivery;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// An answer came in whole.
    Answered {
        /// Its status.
        status: u16,
        /// Whether status and body are what the contract promises (see
        /// [`Expected`](crate::Expected)).
        as_expected: bool,
    },
    /// No connection could be made.
    Refused,
    /// The connection broke after the request had begun, or before it on a fresh connection.
    Reset,
    /// Nothing whole came within the timeout.
    Timeout,
}

impl Outcome {
    /// Whether the provider now thinks that the delivery arrived.
    pub fn is_success(self) -> bool {
        matches!(self, Self::Answered { status: 200..=299, .. })
    }
}

/// One attempt, finished.
#[derive(Clone, Copy, Debug)]
pub struct Finished<'a> {
    /// What was sent.
    pub delivery: &'a Delivery,
    /// 0 for the first attempt, then 1, 2 and so on.
    pub attempt: u32,
    /// When it was due. In a closed loop, when it was sent.
    pub intended: Instant,
    /// When sending began, connecting included.
    pub sent: Instant,
    /// When the last byte of the answer was in, or the fault was seen.
    pub finished: Instant,
    /// How it ended.
    pub outcome: Outcome,
}

/// Is told of every attempt. Both calls are waited for before anything else happens on that
/// connection: a ledger can be on disk before a 2xx counts. `()` observes nothing at no cost.
pub trait Observer: Send + Sync + 'static {
    /// An attempt is about to be sent.
    fn sending(&self, delivery: &Delivery, attempt: u32) -> impl Future<Output = ()> + Send {
        let _ = (delivery, attempt);
        future::ready(())
    }

    /// An attempt has ended.
    fn finished(&self, finished: &Finished<'_>) -> impl Future<Output = ()> + Send;
}

impl Observer for () {
    fn finished(&self, _: &Finished<'_>) -> impl Future<Output = ()> + Send {
        future::ready(())
    }
}
