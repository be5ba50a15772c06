//! A disk that keeps what was synced, and of all else what it likes.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use fastrand::Rng;

use crate::disk::Disk;

/// What is written is kept or forgotten in pieces of so many bytes.
const SECTOR: usize = 16;

/// The disk; clones are the same one.
#[derive(Clone)]
pub(super) struct Simulated(Arc<Mutex<State>>);

struct State {
    rng: Rng,
    files: BTreeMap<u64, Contents>,
    /// The directory as programs see it, and as it is after a power cut.
    seen: BTreeMap<String, u64>,
    durable: BTreeMap<String, u64>,
    next: u64,
    /// How many more operations the process lives.
    life: Option<u32>,
    dead: bool,
    /// One operation in so many fails; 0: none.
    failing: u32,
    /// Bytes that fit.
    room: usize,
    /// Syncs of files, and of the directory.
    syncs: (u32, u32),
}

#[derive(Default)]
struct Contents {
    seen: Vec<u8>,
    durable: Vec<u8>,
    dirty: BTreeSet<usize>,
}

pub(super) struct File(u64);

impl Simulated {
    pub(super) fn new(rng: Rng) -> Self {
        Self(Arc::new(Mutex::new(State {
            rng,
            files: BTreeMap::new(),
            seen: BTreeMap::new(),
            durable: BTreeMap::new(),
            next: 0,
            life: None,
            dead: false,
            failing: 0,
            room: usize::MAX,
            syncs: (0, 0),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panics while it holds this")
    }

    /// The syncs of files and of the directory since this was asked last.
    pub(super) fn syncs(&self) -> (u32, u32) {
        std::mem::take(&mut self.state().syncs)
    }

    /// Something gets worse, or better.
    pub(super) fn trouble(&self) {
        let mut state = self.state();
        match state.rng.u8(0..6) {
            0 => state.failing = state.rng.u32(1..6),
            1 => state.room = state.used() + state.rng.usize(0..400),
            2 | 3 => state.life = Some(state.rng.u32(0..9)),
            _ => (state.failing, state.room) = (0, usize::MAX),
        }
    }

    /// Nothing fails any more.
    pub(super) fn heal(&self) {
        let mut state = self.state();
        (state.failing, state.room, state.life, state.dead) = (0, usize::MAX, None, false);
    }

    /// Whether the process has died in the middle of something.
    pub(super) fn is_dead(&self) -> bool {
        self.state().dead
    }

    /// A new process.
    pub(super) fn revive(&self) {
        let mut state = self.state();
        (state.life, state.dead) = (None, false);
    }

    /// What was not synced may be gone, whole or in part.
    pub(super) fn cut_power(&self) {
        let mut state = self.state();
        let state = &mut *state;
        let names: BTreeSet<_> = state.seen.keys().chain(state.durable.keys()).cloned().collect();
        for name in names {
            let (seen, durable) = (state.seen.get(&name), state.durable.get(&name));
            if seen != durable {
                let kept = if state.rng.bool() { seen } else { durable };
                match kept.copied() {
                    Some(file) => drop(state.durable.insert(name, file)),
                    None => drop(state.durable.remove(&name)),
                }
            }
        }
        state.seen = state.durable.clone();
        for file in state.files.values_mut() {
            file.forget(&mut state.rng);
            file.seen = file.durable.clone();
        }
    }
}

impl State {
    fn used(&self) -> usize {
        self.seen.values().map(|file| self.files[file].seen.len()).sum()
    }

    /// Before each operation: the process may be dead, or the disk refuse. True: the process dies in it.
    fn operation(&mut self) -> io::Result<bool> {
        if self.dead {
            return Err(io::Error::other("the process is dead"));
        }
        if let Some(life) = &mut self.life {
            if *life == 0 {
                self.dead = true;
                return Ok(true);
            }
            *life -= 1;
        }
        if self.failing > 0 && self.rng.u32(0..self.failing) == 0 {
            return Err(io::Error::other("the disk refuses"));
        }
        Ok(false)
    }

    /// An operation that happens or not, as a whole.
    fn whole(&mut self) -> io::Result<()> {
        if self.operation()? && self.rng.bool() {
            return Err(io::Error::other("died before it"));
        }
        Ok(())
    }

    fn after(&self) -> io::Result<()> {
        if self.dead { Err(io::Error::other("died behind it")) } else { Ok(()) }
    }

    fn contents(&mut self, file: &File) -> &mut Contents {
        self.files.get_mut(&file.0).expect("files stay while they are open")
    }
}

impl Contents {
    fn write(&mut self, bytes: &[u8], offset: usize) {
        if bytes.is_empty() {
            return;
        }
        let end = offset + bytes.len();
        if self.seen.len() < end {
            self.seen.resize(end, 0);
        }
        self.seen[offset..end].copy_from_slice(bytes);
        self.dirty.extend(offset / SECTOR..=(end - 1) / SECTOR);
    }

    fn keep(&mut self, sector: usize) {
        let start = sector * SECTOR;
        let end = (start + SECTOR).min(self.seen.len());
        if start >= end {
            return;
        }
        if self.durable.len() < end {
            self.durable.resize(end, 0);
        }
        self.durable[start..end].copy_from_slice(&self.seen[start..end]);
    }

    fn sync(&mut self) {
        for sector in std::mem::take(&mut self.dirty) {
            self.keep(sector);
        }
        self.durable.resize(self.seen.len(), 0);
    }

    /// Any part of what is dirty reaches the disk; the rest counts as clean all the same, as it does in Linux.
    fn forget(&mut self, rng: &mut Rng) {
        for sector in std::mem::take(&mut self.dirty) {
            if rng.bool() {
                self.keep(sector);
            }
        }
    }
}

impl Disk for Simulated {
    type File = File;

    fn list(&self) -> io::Result<Vec<String>> {
        let mut state = self.state();
        state.whole()?;
        Ok(state.seen.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<File> {
        let mut state = self.state();
        state.whole()?;
        if state.seen.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = state.next;
        state.next += 1;
        state.files.insert(file, Contents::default());
        state.seen.insert(name.to_owned(), file);
        state.after()?;
        Ok(File(file))
    }

    fn open(&self, name: &str) -> io::Result<File> {
        let mut state = self.state();
        state.whole()?;
        state.seen.get(name).map(|file| File(*file)).ok_or(io::ErrorKind::NotFound.into())
    }

    fn length(&self, file: &File) -> io::Result<u64> {
        let mut state = self.state();
        state.whole()?;
        Ok(state.contents(file).seen.len() as u64)
    }

    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.state();
        let offset = usize::try_from(offset).expect("small");
        let dies = state.operation()?;
        let grows = (offset + bytes.len()).saturating_sub(state.contents(file).seen.len());
        let room = state.room.saturating_sub(state.used());
        if dies || grows > room {
            let part =
                state.rng.usize(0..=bytes.len()).min(bytes.len() - grows.min(bytes.len()) + room);
            let part = &bytes[..part.min(bytes.len())];
            state.contents(file).write(part, offset);
            let full = io::ErrorKind::StorageFull;
            return Err(if dies { io::Error::other("died in it") } else { full.into() });
        }
        state.contents(file).write(bytes, offset);
        Ok(())
    }

    fn read_at(&self, file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let mut state = self.state();
        state.whole()?;
        let offset = usize::try_from(offset).expect("small");
        let end = offset + bytes.len();
        let seen = state.contents(file).seen.get(offset..end);
        bytes.copy_from_slice(seen.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        let mut state = self.state();
        let State { rng, .. } = &mut *state;
        let mut rng = rng.fork();
        state.syncs.0 += 1;
        match state.operation() {
            Ok(false) => {
                state.contents(file).sync();
                Ok(())
            }
            outcome => {
                state.contents(file).forget(&mut rng);
                outcome.and(Err(io::Error::other("died in it")))
            }
        }
    }

    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        let mut state = self.state();
        state.whole()?;
        let length = usize::try_from(length).expect("small");
        state.contents(file).seen.truncate(length);
        state.after()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.whole()?;
        state.seen.remove(name).ok_or(io::ErrorKind::NotFound)?;
        state.after()
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut state = self.state();
        state.syncs.1 += 1;
        state.whole()?;
        state.durable = state.seen.clone();
        state.after()
    }
}
