//! Is there a spool, where does it lie, and how large may it become?

use std::ops::RangeInclusive;
use std::path::PathBuf;

use postern_spool::Settings;

use super::read::Reader;
use super::resolve::missing;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// An hour of 300 records a second is about 1 GiB.
const DEFAULT: u64 = 4 * GIB;
/// One large delivery must fit beside what is being removed.
const BOUNDS: RangeInclusive<u64> = 16 * MIB..=16_384 * GIB;

/// Reads `[spool]`; absent: no spool. `queue_bytes` may wait for the disk.
pub(super) fn spool(reader: &mut Reader<'_>, queue_bytes: usize) -> Option<Settings> {
    let wanted = reader.has("spool");
    let dir = reader.parsed("spool.dir", |text| {
        let dir = PathBuf::from(text);
        if dir.exists() && !dir.is_dir() {
            return Err("is no directory: name one that belongs to postern alone".to_owned());
        }
        Ok(dir)
    });
    let max_bytes = reader.size("spool.max_bytes", DEFAULT, BOUNDS);
    if wanted {
        missing(reader, "spool", "dir", "on a persistent volume that belongs to postern alone");
    }
    dir.map(|dir| Settings { dir: dir.value, max_bytes, queue_bytes })
}
