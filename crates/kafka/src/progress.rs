//! Is anything outstanding, and since when has nothing been acknowledged? Lock-free, for every record.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use prometheus::IntGauge;

/// Counts outstanding records and keeps the times that the breaker judges by.
#[derive(Debug)]
pub(crate) struct Progress {
    /// What the stored times count from, in nanoseconds.
    base: Instant,
    outstanding: AtomicUsize,
    /// When records were outstanding again after there were none.
    busy_since: AtomicU64,
    /// The last acknowledgement; 0 is none.
    last_ack: AtomicU64,
    /// The last acknowledgement or answer to a metadata request; 0 is none.
    last_contact: AtomicU64,
    /// Outstanding records of all lanes.
    gauge: IntGauge,
}

impl Progress {
    pub(crate) const fn new(base: Instant, gauge: IntGauge) -> Self {
        Self {
            base,
            outstanding: AtomicUsize::new(0),
            busy_since: AtomicU64::new(0),
            last_ack: AtomicU64::new(0),
            last_contact: AtomicU64::new(0),
            gauge,
        }
    }

    /// Takes room for `records` records out of `bound`; false when there is not enough.
    pub(crate) fn reserve(&self, records: usize, bound: usize, now: Instant) -> bool {
        // Stored before the count rises: the watcher never sees something outstanding with the time of an older
        // busy period, unless an acknowledgement between the two has set a later time anyway.
        if self.outstanding.load(Ordering::SeqCst) == 0 {
            self.busy_since.store(self.nanos(now), Ordering::SeqCst);
        }
        let before = self.outstanding.fetch_add(records, Ordering::SeqCst);
        let fits = before.checked_add(records).is_some_and(|after| after <= bound);
        if fits {
            self.gauge.add(signed(records));
        } else {
            self.outstanding.fetch_sub(records, Ordering::SeqCst);
        }
        fits
    }

    /// Records are settled, or were never sent.
    pub(crate) fn release(&self, records: usize) {
        self.outstanding.fetch_sub(records, Ordering::SeqCst);
        self.gauge.sub(signed(records));
    }

    /// A record was acknowledged; call before its [`Progress::release`].
    pub(crate) fn acknowledged(&self, now: Instant) {
        self.last_ack.store(self.nanos(now), Ordering::SeqCst);
    }

    /// A broker answered.
    pub(crate) fn contacted(&self, now: Instant) {
        self.last_contact.store(self.nanos(now), Ordering::SeqCst);
    }

    pub(crate) fn outstanding(&self) -> usize {
        self.outstanding.load(Ordering::SeqCst)
    }

    /// Since when something is outstanding and nothing has been acknowledged.
    pub(crate) fn waiting_since(&self) -> Option<Instant> {
        if self.outstanding() == 0 {
            return None;
        }
        let busy = self.busy_since.load(Ordering::SeqCst);
        Some(self.instant(busy.max(self.last_ack.load(Ordering::SeqCst))))
    }

    /// The last acknowledgement.
    pub(crate) fn last_ack(&self) -> Option<Instant> {
        let last = self.last_ack.load(Ordering::SeqCst);
        (last > 0).then(|| self.instant(last))
    }

    /// The last acknowledgement or answer.
    pub(crate) fn last_contact(&self) -> Option<Instant> {
        let ack = self.last_ack.load(Ordering::SeqCst);
        let last = ack.max(self.last_contact.load(Ordering::SeqCst));
        (last > 0).then(|| self.instant(last))
    }

    /// At least 1, since 0 stands for never.
    fn nanos(&self, at: Instant) -> u64 {
        let nanos = at.saturating_duration_since(self.base).as_nanos();
        u64::try_from(nanos).unwrap_or(u64::MAX).max(1)
    }

    fn instant(&self, nanos: u64) -> Instant {
        self.base + Duration::from_nanos(nanos)
    }
}

/// For the gauge; a count of records in memory fits.
fn signed(records: usize) -> i64 {
    i64::try_from(records).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(base: Instant) -> Progress {
        Progress::new(base, IntGauge::new("records", "outstanding").unwrap())
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_bound_holds_and_a_refused_reservation_leaves_nothing_behind() {
        let progress = progress(Instant::now());
        assert!(progress.reserve(6, 10, Instant::now()));
        assert!(!progress.reserve(5, 10, Instant::now()));
        assert!(progress.reserve(4, 10, Instant::now()));
        assert!(!progress.reserve(usize::MAX, 10, Instant::now()));
        assert_eq!(progress.outstanding(), 10);
        assert_eq!(progress.gauge.get(), 10);
        progress.release(10);
        assert_eq!(progress.gauge.get(), 0);
        assert_eq!(progress.waiting_since(), None);
    }

    #[test]
    fn waiting_counts_from_the_later_of_the_first_record_and_the_last_acknowledgement() {
        let start = Instant::now();
        let progress = progress(start);
        assert_eq!(progress.last_contact(), None);
        progress.reserve(2, 10, start + SECOND);
        assert_eq!(progress.waiting_since(), Some(start + SECOND));
        progress.reserve(1, 10, start + 2 * SECOND);
        assert_eq!(progress.waiting_since(), Some(start + SECOND));
        progress.acknowledged(start + 3 * SECOND);
        progress.release(1);
        assert_eq!(progress.waiting_since(), Some(start + 3 * SECOND));
        assert_eq!(progress.last_contact(), Some(start + 3 * SECOND));
        progress.release(2);
        progress.reserve(1, 10, start + 9 * SECOND);
        assert_eq!(progress.waiting_since(), Some(start + 9 * SECOND));
    }
}
