//! Is there room for another body? Counts what is really in memory, and sheds at once instead of waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::refusal::Refusal;

/// The bytes of all bodies in flight, bounded.
#[derive(Clone, Debug)]
pub struct Admission(Arc<Budget>);

#[derive(Debug)]
struct Budget {
    used: AtomicUsize,
    limit: usize,
}

impl Admission {
    /// Room for `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Budget { used: AtomicUsize::new(0), limit }))
    }

    /// A permit for a body of which nothing has been read.
    #[must_use]
    pub fn permit(&self) -> Permit {
        Permit { budget: Arc::clone(&self.0), bytes: 0 }
    }

    /// Bytes in flight now.
    #[must_use]
    pub fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }
}

/// The room that one body takes; given back when dropped.
#[derive(Debug)]
pub struct Permit {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Permit {
    /// Takes room for `more` bytes that have just arrived.
    ///
    /// # Errors
    /// [`Refusal::Overloaded`] where they do not fit: the caller gives up its body.
    pub fn grow(&mut self, more: usize) -> Result<(), Refusal> {
        let limit = self.budget.limit;
        let fits = |used: usize| used.checked_add(more).filter(|sum| *sum <= limit);
        self.budget
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits)
            .map_err(|_| Refusal::Overloaded)?;
        self.bytes += more;
        Ok(())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_bounded_and_given_back() {
        let admission = Admission::new(10);
        let mut first = admission.permit();
        let mut second = admission.permit();
        assert_eq!(first.grow(6), Ok(()));
        assert_eq!(second.grow(5), Err(Refusal::Overloaded));
        assert_eq!(second.grow(4), Ok(()));
        assert_eq!(second.grow(usize::MAX), Err(Refusal::Overloaded));
        drop(first);
        assert_eq!(admission.used(), 4);
        drop(second);
        assert_eq!(admission.used(), 0);
    }
}
