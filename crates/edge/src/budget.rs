//! How much may be quarantined? Junk must not fill Kafka, nor the disk behind it.

use std::num::NonZeroU32;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// Records and bytes a second, with one second's worth at a time.
#[derive(Debug)]
pub struct QuarantineBudget {
    records: DefaultDirectRateLimiter,
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
            bytes: RateLimiter::direct(Quota::per_second(bytes_per_second)),
            bytes_per_second,
        }
    }

    /// Takes one record of `size` bytes out of the budget; `false` where it is spent. A record larger than a second's
    /// bytes takes a whole second.
    #[must_use]
    pub fn take(&self, size: usize) -> bool {
        let size = u32::try_from(size).unwrap_or(u32::MAX).min(self.bytes_per_second.get());
        let Some(size) = NonZeroU32::new(size) else { return self.records.check().is_ok() };
        self.records.check().is_ok() && matches!(self.bytes.check_n(size), Ok(Ok(())))
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
}
