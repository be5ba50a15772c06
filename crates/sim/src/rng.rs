//! Where do the simulator's choices come from?
//!
//! From SplitMix64 (Steele, Lea and Flood 2014), written out here because two things are needed that
//! the `rand` family does not promise: the same numbers from the same seed in every later version,
//! and a stream of its own for every delivery, so that delivery number one million can be made again
//! without the ones before it. Nothing here is a secret.

/// The streams that one seed is split into. Adding one at the end changes none of the others.
#[derive(Clone, Copy)]
pub(crate) enum Stream {
    Delivery = 1,
    Repeat,
    Tenant,
    Mailbox,
    Subscription,
    Handshake,
    Forgery,
    Jwt,
    Channel,
    Sync,
    Workspace,
}

/// A stream of pseudo-random numbers.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Rng {
    /// The numbers of one thing (`index`) in one stream of a seed.
    pub(crate) fn new(seed: u64, stream: Stream, index: u64) -> Self {
        let stream = mix(seed ^ (stream as u64).wrapping_mul(GOLDEN));
        Self(mix(stream.wrapping_add(index.wrapping_mul(GOLDEN))))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// A number below `bound`; 0 for a bound of 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // The high half of the product; the bias for bounds of this size is far below what matters.
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// True for the given share (0 to 1) of draws. A share of 0 costs no draw.
    pub(crate) fn chance(&mut self, share: f64) -> bool {
        const UNIT: f64 = 1.0 / (1u64 << 53) as f64;
        share > 0.0 && ((self.next() >> 11) as f64 * UNIT) < share
    }

    /// One of the values.
    ///
    /// # Panics
    /// When there is none.
    pub(crate) fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len() as u64) as usize]
    }

    /// A random (version 4) UUID in lower case.
    pub(crate) fn uuid(&mut self) -> String {
        let high = self.next() & !0xf000 | 0x4000;
        let low = self.next() >> 2 | 1 << 63;
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xffff,
            low >> 48,
            low & 0xffff_ffff_ffff
        )
    }

    /// Appends `count` characters of the given 64-letter alphabet.
    pub(crate) fn letters(&mut self, out: &mut String, count: usize, alphabet: &[u8; 64]) {
        let mut left = count;
        while left > 0 {
            let mut bits = self.next();
            for _ in 0..left.min(10) {
                out.push(char::from(alphabet[(bits & 63) as usize]));
                bits >>= 6;
            }
            left = left.saturating_sub(10);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Rng, Stream};

    #[test]
    fn the_numbers_of_a_seed_never_change() {
        // Reference values of SplitMix64 for the state 1234567.
        let mut rng = Rng(1_234_567);
        assert_eq!(rng.next(), 6_457_827_717_110_365_317);
        assert_eq!(rng.next(), 3_203_168_211_198_807_973);
        let (mut a, mut b) =
            (Rng::new(1, Stream::Delivery, 7), Rng::new(1, Stream::Subscription, 7));
        assert_ne!(a.next(), b.next());
    }

    #[test]
    fn shares_and_bounds_hold() {
        let mut rng = Rng::new(9, Stream::Delivery, 0);
        let hits = (0..100_000).filter(|_| rng.chance(0.25)).count();
        assert!((24_000..26_000).contains(&hits), "{hits}");
        assert!((0..10_000).all(|_| rng.below(7) < 7));
        assert!((0..100).all(|_| rng.chance(1.0)) && !(0..100).any(|_| rng.chance(0.0)));
        assert_eq!(rng.below(0), 0);
    }

    #[test]
    fn uuids_are_canonical_version_4() {
        let id = Rng::new(3, Stream::Tenant, 1).uuid();
        assert_eq!(id.len(), 36);
        assert_eq!(&id[14..15], "4");
        assert!(matches!(&id[19..20], "8" | "9" | "a" | "b"), "{id}");
    }
}
