//! Which instants and victims does an experiment draw, so that its seed gives the same ones again?

use std::time::Duration;

/// SplitMix64 (Steele, Lea and Flood 2014): the same numbers from the same seed in every later version.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// A span from `least` to `most`, in milliseconds.
    pub(crate) fn span(&mut self, least: Duration, most: Duration) -> Duration {
        let width = most.saturating_sub(least).as_millis();
        least + Duration::from_millis(self.below(u64::try_from(width).unwrap_or(u64::MAX) + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_draws_within_their_bounds() {
        let (mut one, mut two) = (Dice::new(7), Dice::new(7));
        let (least, most) = (Duration::from_millis(200), Duration::from_secs(3));
        for _ in 0..1_000 {
            let span = one.span(least, most);
            assert_eq!(span, two.span(least, most));
            assert!(span >= least && span <= most);
        }
        assert_ne!(Dice::new(8).next(), Dice::new(7).next());
    }
}
