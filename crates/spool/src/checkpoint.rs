//! How far has the spool been emptied? One number, in a file that is written in place: it works on a full disk, and a
//! torn write leaves the number before it.

use std::io;

use crate::disk::Disk;

/// Its file.
pub(crate) const NAME: &str = "drained";
/// Bytes of a slot: count of the writes, number, checksum.
const SLOT: usize = 24;
/// The slots stand in different sectors: one torn write does not reach both.
const APART: u64 = 4_096;

/// Every entry with a smaller number has been acknowledged by Kafka. The number may be older than the truth: then some
/// entries are sent once more.
#[derive(Debug)]
pub(crate) struct Checkpoint<F> {
    file: F,
    writes: u64,
    number: u64,
}

impl<F> Checkpoint<F> {
    /// Reads the number, 0 where none was written whole, and makes both slots hold it. What cannot be read must not
    /// be taken for 0: numbers would be given twice.
    pub(crate) fn open<D: Disk<File = F>>(disk: &D) -> io::Result<Self> {
        let known = disk.list()?.iter().any(|name| name == NAME);
        let file = if known { disk.open(NAME)? } else { disk.create(NAME)? };
        let length = disk.length(&file)?;
        let mut newest = (0, 0);
        for slot in [0, APART] {
            if slot + SLOT as u64 <= length {
                let mut bytes = [0; SLOT];
                disk.read_at(&file, &mut bytes, slot)?;
                newest = newest.max(decode(&bytes).unwrap_or_default());
            }
        }
        let mut checkpoint = Self { file, writes: newest.0, number: newest.1 };
        for _ in 0..2 {
            checkpoint.write(disk, newest.1)?;
        }
        checkpoint.sync(disk)?;
        if !known {
            disk.sync_dir()?;
        }
        Ok(checkpoint)
    }

    /// Reads the number of a spool that another process may be using.
    pub(crate) fn peek<D: Disk<File = F>>(disk: &D) -> io::Result<u64> {
        let file = disk.open(NAME)?;
        let mut newest = (0, 0);
        for slot in [0, APART] {
            let mut bytes = [0; SLOT];
            if disk.read_at(&file, &mut bytes, slot).is_ok() {
                newest = newest.max(decode(&bytes).unwrap_or_default());
            }
        }
        Ok(newest.1)
    }

    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// Writes the number into the slot that holds the older one.
    pub(crate) fn write<D: Disk<File = F>>(&mut self, disk: &D, number: u64) -> io::Result<()> {
        let writes = self.writes + 1;
        let slot = if writes.is_multiple_of(2) { APART } else { 0 };
        disk.write_at(&self.file, &encode(writes, number), slot)?;
        self.writes = writes;
        self.number = number;
        Ok(())
    }

    /// Makes the number durable.
    pub(crate) fn sync<D: Disk<File = F>>(&self, disk: &D) -> io::Result<()> {
        disk.sync(&self.file)
    }
}

fn encode(writes: u64, number: u64) -> [u8; SLOT] {
    let mut bytes = [0; SLOT];
    bytes[..8].copy_from_slice(&writes.to_le_bytes());
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    let sum = crc32c::crc32c(&bytes[..16]);
    bytes[16..20].copy_from_slice(&sum.to_le_bytes());
    bytes
}

fn decode(bytes: &[u8; SLOT]) -> Option<(u64, u64)> {
    let number = |at: usize| Some(u64::from_le_bytes(*bytes[at..].first_chunk()?));
    let sum = u32::from_le_bytes(*bytes[16..].first_chunk()?);
    let written = number(0)?;
    (written > 0 && sum == crc32c::crc32c(&bytes[..16])).then_some((written, number(8)?))
}
