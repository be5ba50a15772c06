//! How much may be quarantined? Junk must not fill Kafka, nor the disk behind it.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// Records and bytes a second, with one second's worth at a time.
#[derive(Debug)]
pub struct QuarantineBudget {
    records: DefaultDirectRateLimiter,
    /// Records that were taken for what the bytes then had no room for; governor takes nothing back.
    unused: AtomicU32,
    bytes: DefaultDirectRateLimiter,
    bytes_per_second: NonZeroU32,
}

impl QuarantineBudget {
    /// A budget of so many records and bytes a second; zero is taken as one.
    #[must_use]
    pub fn new(records_per_second: u32, bytes_per_second: u32) -> Self {
        let at_least_one = |rate| NonZeroU32::new(rate).unwrap_or(NonZeroU32::MIN);
        let bytes_per_second = at_least_one(bytes_per_second);
        Self {
            records: RateLimiter::direct(Quota::per_second(at_least_one(records_per_second))),
            unused: AtomicU32::new(0),
            bytes: RateLimiter::direct(Quota::per_second(bytes_per_second)),
            bytes_per_second,
        }
    }

    /// Takes one record of `size` bytes out of the budget; `false`, and nothing is taken, where it is spent. A record
    /// larger than a second's bytes takes a whole second.
    #[must_use]
    pub fn take(&self, size: usize) -> bool {
        if !self.take_record() {
            return false;
        }
        let taken = self.take_bytes(size);
        if !taken {
            self.unused.fetch_add(1, Relaxed);
        }
        taken
    }

    /// Unused ones go first, so that there are never more of them than calls at the same moment.
    fn take_record(&self) -> bool {
        let one_less = |unused: u32| unused.checked_sub(1);
        self.unused.fetch_update(Relaxed, Relaxed, one_less).is_ok() || self.records.check().is_ok()
    }

    fn take_bytes(&self, size: usize) -> bool {
        let size = u32::try_from(size).unwrap_or(u32::MAX).min(self.bytes_per_second.get());
        NonZeroU32::new(size).is_none_or(|size| matches!(self.bytes.check_n(size), Ok(Ok(()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_spent_by_records_and_by_bytes() {
        let few = QuarantineBudget::new(2, 1_000_000);
        assert_eq!([few.take(1), few.take(1), few.take(1)], [true, true, false]);
        let small = QuarantineBudget::new(1_000, 100);
        assert!(small.take(5_000), "a large record takes the whole second");
        assert!(!small.take(50));
    }

    #[test]
    fn what_the_bytes_refuse_costs_no_record() {
        let budget = QuarantineBudget::new(2, 1);
        assert!(budget.take(1));
        for _ in 0..10 {
            assert!(!budget.take(1), "the byte of this second is spent");
        }
        assert!(budget.take(0), "the second record is still there");
        assert!(!budget.take(0), "and it was given back once");
    }
}
