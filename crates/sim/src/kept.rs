//! Where do things live that are made from the seed and a number alone?
//!
//! The first 65,536 are kept once they were made, tokens included; beyond that they are made again,
//! which bounds the memory.

use std::{ops::Deref, sync::OnceLock};

const KEPT: usize = 1 << 16;

/// Things by number, made when they are first needed.
pub(crate) struct Kept<T>(Box<[OnceLock<T>]>);

/// A thing that is kept, or one made for this use.
pub(crate) enum Borrowed<'a, T> {
    Kept(&'a T),
    Made(Box<T>),
}

impl<T> Deref for Borrowed<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Self::Kept(kept) => kept,
            Self::Made(made) => made,
        }
    }
}

impl<T> Kept<T> {
    /// Room for the first of `total` things.
    pub(crate) fn new(total: u64) -> Self {
        let kept = usize::try_from(total).map_or(KEPT, |total| total.min(KEPT));
        Self((0..kept).map(|_| OnceLock::new()).collect())
    }

    /// The thing with a number. `make` gives the same for the same number every time.
    pub(crate) fn get(&self, index: u64, make: impl FnOnce() -> T) -> Borrowed<'_, T> {
        match usize::try_from(index).ok().and_then(|index| self.0.get(index)) {
            Some(slot) => Borrowed::Kept(slot.get_or_init(make)),
            None => Borrowed::Made(Box::new(make())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::{Borrowed, Kept};

    #[test]
    fn the_first_ones_are_made_once_and_the_others_every_time() {
        let kept = Kept::new(1 << 40);
        let made = Cell::new(0);
        let get = |index| {
            kept.get(index, || {
                made.set(made.get() + 1);
                index
            })
        };
        for index in [5, 5, 65_535, 65_535] {
            assert!(matches!(get(index), Borrowed::Kept(found) if *found == index));
        }
        assert_eq!(made.get(), 2);
        for index in [65_536, 65_536] {
            assert!(matches!(get(index), Borrowed::Made(found) if *found == index));
        }
        assert_eq!(made.get(), 4);
    }
}
