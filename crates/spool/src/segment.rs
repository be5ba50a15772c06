//! How do entries lie in a segment file, and what of one can still be read after anything happened to it?
//!
//! A segment is entries, one behind the other: a head of 40 bytes and a payload, each with a CRC32C. Numbers are
//! little-endian. A lower bound of the numbers, version and salt stand in the file's name: one fault of the disk cannot take a whole
//! segment. The salt goes into the checksum of every head: bytes inside a payload, which a sender may have chosen, are
//! never taken for an entry when a damaged place is searched for the next one.

use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::ops::Range;

/// Bytes of an entry's head.
pub(crate) const HEAD: usize = 40;
/// No entry is larger: a delivery is some megabytes at most.
pub(crate) const MAX_PAYLOAD: usize = 64 << 20;
const ENTRY_MAGIC: [u8; 4] = *b"\xF7PSE";
const VERSION: u32 = 1;

/// The name of a segment file; what other formats would keep in a header stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    /// A lower bound of its entries' numbers, above the one in the name of every segment before it.
    pub(crate) first: u64,
    pub(crate) salt: u32,
}

/// What a file of the spool's directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Segment(Name),
    /// A segment that another version of postern wrote.
    OtherVersion(u32),
    Other,
}

impl Name {
    /// A name with a salt that nobody can know.
    pub(crate) fn new(first: u64) -> Self {
        let [a, b, c, d, ..] = RandomState::new().build_hasher().finish().to_le_bytes();
        Self { first, salt: u32::from_le_bytes([a, b, c, d]) }
    }

    /// What a file with this name is.
    pub(crate) fn of(name: &str) -> Named {
        let parts = name.strip_prefix("segment-").and_then(|rest| {
            let (first, rest) = rest.split_once('-')?;
            let (salt, version) = rest.split_once(".v")?;
            let salt = u32::from_str_radix(salt, 16).ok()?;
            Some((Self { first: first.parse().ok()?, salt }, version.parse().ok()?))
        });
        match parts {
            Some((known, VERSION)) if known.to_string() == name => Named::Segment(known),
            Some((_, version)) if version != VERSION => Named::OtherVersion(version),
            _ => Named::Other,
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "segment-{:020}-{:08x}.v{VERSION}", self.first, self.salt)
    }
}

/// The start of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Its number; they grow, with gaps where a write failed.
    pub(crate) seq: u64,
    /// When it was spooled, in milliseconds since 1970.
    pub(crate) time: i64,
    /// How many records its payload holds.
    pub(crate) records: u32,
    /// Length of the payload in bytes.
    pub(crate) length: u32,
    /// CRC32C of the payload.
    pub(crate) sum: u32,
}

impl Head {
    pub(crate) fn encode(self, salt: u32) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        bytes[..4].copy_from_slice(&ENTRY_MAGIC);
        bytes[4..8].copy_from_slice(&self.length.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.sum.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.records.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.seq.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.time.to_le_bytes());
        let sum = crc32c::crc32c_append(salt, &bytes[..36]);
        bytes[36..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// The head at the start of `bytes`, if one stands there.
    pub(crate) fn decode(bytes: &[u8], salt: u32) -> Option<Self> {
        let bytes = bytes.first_chunk::<HEAD>()?;
        let sum = u32::from_le_bytes(part(bytes, 36));
        if bytes[..4] != ENTRY_MAGIC || crc32c::crc32c_append(salt, &bytes[..36]) != sum {
            return None;
        }
        let head = Self {
            length: u32::from_le_bytes(part(bytes, 4)),
            sum: u32::from_le_bytes(part(bytes, 8)),
            records: u32::from_le_bytes(part(bytes, 12)),
            seq: u64::from_le_bytes(part(bytes, 16)),
            time: i64::from_le_bytes(part(bytes, 24)),
        };
        (head.payload() <= MAX_PAYLOAD).then_some(head)
    }

    /// Length of the payload.
    pub(crate) const fn payload(&self) -> usize {
        self.length as usize
    }

    /// Length of head and payload.
    pub(crate) const fn size(&self) -> usize {
        HEAD + self.payload()
    }

    /// The whole entry's payload, where `bytes` begins with the entry and it is what was written.
    pub(crate) fn intact<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let payload = bytes.get(HEAD..self.size())?;
        (crc32c::crc32c(payload) == self.sum).then_some(payload)
    }
}

/// An entry in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) at: usize,
    pub(crate) head: Head,
}

/// What a segment holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Scan {
    pub(crate) entries: Vec<Placed>,
    /// Places between entries that hold none.
    pub(crate) damaged: Vec<Range<usize>>,
    /// Where the last entry ends; what follows was never written whole.
    pub(crate) end: usize,
}

/// Reads `bytes` of a segment from `from` on; only entries numbered `least` and above count.
pub(crate) fn scan(bytes: &[u8], from: usize, salt: u32, least: u64) -> Scan {
    let mut scan = Scan { end: from, ..Scan::default() };
    let mut least = least;
    loop {
        let Some(placed) = next(bytes, scan.end, salt, least) else { return scan };
        if placed.at > scan.end {
            scan.damaged.push(scan.end..placed.at);
        }
        scan.end = placed.at + placed.head.size();
        least = placed.head.seq + 1;
        scan.entries.push(placed);
    }
}

/// The first intact entry at or behind `from`.
fn next(bytes: &[u8], from: usize, salt: u32, least: u64) -> Option<Placed> {
    let mut at = from;
    while at + HEAD <= bytes.len() {
        if let Some(head) = Head::decode(&bytes[at..], salt)
            && head.seq >= least
            && head.intact(&bytes[at..]).is_some()
        {
            return Some(Placed { at, head });
        }
        at += 1;
    }
    None
}

/// `N` bytes from `at` on, which exist.
fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    *bytes[at..].first_chunk().expect("the caller's array is longer")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: u32 = 0x1234_5678;

    fn entry(seq: u64, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).expect("short");
        let head = Head { seq, time: 5, records: 2, length, sum: crc32c::crc32c(payload) };
        [&head.encode(SALT)[..], payload].concat()
    }

    fn numbers(scan: &Scan) -> Vec<u64> {
        scan.entries.iter().map(|placed| placed.head.seq).collect()
    }

    #[test]
    fn a_cut_at_every_byte_keeps_what_stands_before_it() {
        let bytes = [entry(1, b"one"), entry(2, b""), entry(4, b"four")].concat();
        let ends = [0, HEAD + 3, 2 * HEAD + 3, bytes.len()];
        for cut in 0..=bytes.len() {
            let whole = ends.iter().filter(|end| **end <= cut).count() - 1;
            let scan = scan(&bytes[..cut], 0, SALT, 0);
            assert_eq!((scan.entries.len(), scan.end), (whole, ends[whole]), "cut at {cut}");
            assert!(scan.damaged.is_empty());
        }
    }

    #[test]
    fn a_flipped_bit_costs_its_own_entry_only() {
        let bytes = [entry(1, b"one"), entry(2, b"two"), entry(3, b"three")].concat();
        let second = HEAD + 3..2 * (HEAD + 3);
        for bit in second.start * 8..second.end * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let scan = scan(&bytes, 0, SALT, 0);
            assert_eq!(numbers(&scan), [1, 3], "bit {bit}");
            assert_eq!(scan.damaged, std::slice::from_ref(&second));
            assert_eq!(scan.end, bytes.len());
        }
    }

    #[test]
    fn an_entry_inside_a_damaged_payload_is_not_found() {
        let forged = Head { seq: 9, time: 0, records: 1, length: 0, sum: 0 }.encode(SALT ^ 1);
        let mut bytes = [entry(1, &forged), entry(2, b"two")].concat();
        bytes[5] ^= 1;
        let scan = scan(&bytes, 0, SALT, 0);
        assert_eq!(numbers(&scan), [2]);
        assert_eq!(scan.damaged, std::slice::from_ref(&(0..2 * HEAD)));
    }

    #[test]
    fn a_name_comes_back() {
        let name = Name::new(7);
        assert_eq!(Name::of(&name.to_string()), Named::Segment(name));
        let text = "segment-00000000000000000007-0000002a.v1";
        assert_eq!(Name::of(text), Named::Segment(Name { first: 7, salt: 42 }));
        assert_eq!(Name::of(&text.replace("v1", "v2")), Named::OtherVersion(2));
        for other in ["lock", "drained", "segment-7-2a.v1", "damaged-7-0", "segment-", ""] {
            assert_eq!(Name::of(other), Named::Other, "{other}");
        }
    }
}
