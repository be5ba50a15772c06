//! Does an acknowledged entry survive everything? A model: random work on a disk that fails, fills up and forgets.

mod simulated;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use fastrand::Rng;

use self::simulated::Simulated;
use super::*;

/// What a run knows: each payload is its identity.
struct Model {
    rng: Rng,
    disk: Simulated,
    limits: Limits,
    now: Instant,
    issued: u64,
    /// Acknowledged and not settled.
    owed: BTreeSet<u64>,
    payloads: BTreeMap<u64, Vec<u8>>,
    /// Read in this life, not settled: by sequence number.
    held: BTreeMap<u64, u64>,
    /// Read in this life, settled or not.
    seen: BTreeSet<u64>,
    appended: usize,
    /// Bytes at the start of this life: what was written in vain may have turned up.
    found: u64,
}

struct Log {
    writer: Writer<Simulated>,
    reader: Reader<Simulated>,
    maker: Maker<Simulated>,
    /// A file that is being made ready: its name is not durable yet.
    making: Option<(Name, simulated::File)>,
}

impl Model {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let limits = Limits {
            bytes: rng.u64(1_000..20_000),
            segment: rng.u64(200..3_000),
            rest: Duration::from_millis(500),
        };
        Self {
            disk: Simulated::new(rng.fork()),
            limits,
            now: Instant::now(),
            issued: 0,
            owed: BTreeSet::new(),
            payloads: BTreeMap::new(),
            held: BTreeMap::new(),
            seen: BTreeSet::new(),
            appended: 0,
            found: 0,
            rng,
        }
    }

    /// Opens the log; where the disk refuses that, once more with one that does not.
    fn open(&mut self) -> Log {
        self.held.clear();
        self.seen.clear();
        let metrics = || Metrics::new().expect("valid names");
        let opened = open(self.disk.clone(), self.limits, metrics()).or_else(|_| {
            self.disk.heal();
            open(self.disk.clone(), self.limits, metrics())
        });
        let Opened { writer, reader, maker, .. } = opened.expect("a healthy disk");
        self.found = writer.shared().index().bytes();
        Log { writer, reader, maker, making: None }
    }

    fn step(&mut self, log: &mut Log) {
        self.now += Duration::from_millis(self.rng.u64(0..400));
        match self.rng.u8(0..13) {
            0..=4 => self.append(&mut log.writer),
            5 | 6 => drop(self.read(&mut log.reader)),
            7..=9 => self.settle(&mut log.reader),
            _ => self.make(log),
        }
    }

    /// Half of the making of a file, so that anything may come between the halves.
    fn make(&mut self, log: &mut Log) {
        match log.making.take() {
            Some(made) => drop(log.maker.finish(made)),
            None => log.making = log.maker.create().unwrap_or_default(),
        }
    }

    fn append(&mut self, writer: &mut Writer<Simulated>) {
        let first = self.issued;
        let mut group: Vec<_> = (0..self.rng.usize(1..6)).map(|_| self.prepared()).collect();
        let appended = writer.append(&mut group, self.now).unwrap_or(0);
        // Whoever is answered after the process died was not answered.
        if !self.disk.is_dead() {
            self.owed.extend(first..first + appended as u64);
            self.appended += appended;
        }
    }

    fn prepared(&mut self) -> Prepared {
        let id = self.issued;
        self.issued += 1;
        let mut payload = id.to_le_bytes().to_vec();
        payload.extend((0..self.rng.usize(0..300)).map(|_| self.rng.u8(..)));
        self.payloads.insert(id, payload.clone());
        Prepared::new(payload, 1, 0).expect("small")
    }

    fn read(&mut self, reader: &mut Reader<Simulated>) -> usize {
        let most = self.rng.usize(1..9);
        let entries = reader.next(most).unwrap_or_default();
        assert!(entries.len() <= most);
        for entry in &entries {
            let id = u64::from_le_bytes(*entry.payload.first_chunk().expect("an id"));
            assert_eq!(self.payloads.get(&id), Some(&entry.payload), "never written: {id}");
            assert!(self.seen.insert(id), "{id} was read twice in one life");
            assert!(self.held.insert(entry.seq, id).is_none(), "a number was given twice");
        }
        entries.len()
    }

    fn settle(&mut self, reader: &mut Reader<Simulated>) {
        let some: Vec<_> = self.held.keys().copied().filter(|_| self.rng.bool()).collect();
        for seq in &some {
            let id = self.held.remove(seq).expect("held");
            // Kafka has it, whatever becomes of the spool.
            self.owed.remove(&id);
        }
        reader.settle(&some);
    }

    /// The end of a life: killed, or with the power cut.
    fn die(&mut self) {
        if self.rng.bool() {
            self.disk.cut_power();
        }
        self.disk.revive();
    }

    /// Everything that is owed comes out of a healthy disk, and nothing is left behind.
    fn finish(mut self, log: Log) -> usize {
        drop(log);
        self.die();
        self.disk.heal();
        let Log { mut writer, mut reader, .. } = self.open();
        while self.read(&mut reader) > 0 {}
        let lost: Vec<_> = self.owed.iter().filter(|id| !self.seen.contains(id)).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
        reader.settle(&self.held.keys().copied().collect::<Vec<_>>());
        {
            let index = writer.shared().index();
            assert_eq!((index.held(), index.bytes(), index.oldest()), ((0, 0), 0, None));
        }
        writer.close();
        let left = names(&self.disk).expect("a healthy disk");
        assert!(left.is_empty(), "left behind: {left:?}");
        self.append(&mut writer);
        self.appended
    }
}

/// One run; returns how many entries were acknowledged.
fn run(seed: u64) -> usize {
    let mut model = Model::new(seed);
    let mut log = model.open();
    for _ in 0..model.rng.usize(1..80) {
        if model.rng.u8(0..12) == 0 {
            model.disk.trouble();
        }
        model.step(&mut log);
        if model.disk.is_dead() || model.rng.u8(0..25) == 0 {
            drop(log);
            model.die();
            log = model.open();
        }
        assert!(log.writer.shared().index().bytes() <= model.limits.bytes.max(model.found));
    }
    model.finish(log)
}

/// `POSTERN_SPOOL_SEED` replays one run, `POSTERN_SPOOL_SEEDS` sets how many there are.
#[test]
fn nothing_acknowledged_is_lost_whatever_the_disk_does() {
    let number = |name| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let seeds = match number("POSTERN_SPOOL_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("POSTERN_SPOOL_SEEDS").unwrap_or(10_000),
    };
    let wanted = seeds.end - seeds.start;
    let mut acknowledged = 0;
    for seed in seeds {
        match std::panic::catch_unwind(|| run(seed)) {
            Ok(appended) => acknowledged += appended,
            Err(_) => panic!("seed {seed} failed; POSTERN_SPOOL_SEED={seed} replays it"),
        }
    }
    // A run in which nothing is ever acknowledged would prove nothing.
    assert!(acknowledged as u64 > wanted * 10, "{acknowledged} in {wanted} runs");
}

/// The first group of an outage, of a segment behind a full one, and of the next outage wait for one sync each.
#[test]
fn a_new_segment_costs_its_first_group_one_sync() {
    let disk = Simulated::new(Rng::with_seed(1));
    let limits = Limits { bytes: 10_000, segment: 200, rest: Duration::from_millis(500) };
    let metrics = Metrics::new().expect("valid names");
    let opened = open(disk.clone(), limits, metrics).expect("a healthy disk");
    let Opened { mut writer, mut reader, mut maker, .. } = opened;
    let files = || names(&disk).expect("a healthy disk").len();
    let mut append = |files_then| {
        disk.syncs();
        let entry = Prepared::new(vec![7; 100], 1, 0).expect("small");
        assert_eq!(writer.append(&mut [entry], Instant::now()), Ok(1));
        assert_eq!((disk.syncs(), files()), ((1, 0), files_then));
    };
    assert_eq!(files(), 1, "made at the start");
    append(1);
    maker.make().expect("a healthy disk");
    append(2);
    maker.make().expect("a healthy disk");
    let read =
        reader.next(9).expect("readable").into_iter().chain(reader.next(9).expect("readable"));
    reader.settle(&read.map(|entry| entry.seq).collect::<Vec<_>>());
    assert_eq!(files(), 1, "both drained, the ready one stays");
    append(1);
    // Without a ready one there are two, and nothing is lost.
    disk.syncs();
    let entry = Prepared::new(vec![7; 100], 1, 0).expect("small");
    assert_eq!(writer.append(&mut [entry], Instant::now()), Ok(1));
    assert_eq!(disk.syncs(), (1, 1));
}

/// A file that was overtaken while it was made would stand at the wrong place in the order.
#[test]
fn a_file_that_was_overtaken_is_not_used() {
    let disk = Simulated::new(Rng::with_seed(1));
    let limits = Limits { bytes: 10_000, segment: 100, rest: Duration::from_millis(500) };
    let metrics = Metrics::new().expect("valid names");
    let opened = open(disk.clone(), limits, metrics).expect("a healthy disk");
    let Opened { mut writer, mut reader, mut maker, .. } = opened;
    let mut append = || {
        let entry = Prepared::new(vec![7; 60], 1, 0).expect("small");
        assert_eq!(writer.append(&mut [entry], Instant::now()), Ok(1));
    };
    append();
    let slow = maker.create().expect("a healthy disk").expect("it is wanted");
    append();
    maker.finish(slow).expect("a healthy disk");
    assert_eq!(names(&disk).expect("a healthy disk").len(), 2, "the overtaken one is gone");
    append();
    for seq in 1..=3 {
        let read = reader.next(1).expect("readable");
        assert_eq!(read.first().map(|entry| entry.seq), Some(seq));
        reader.settle(&[seq]);
    }
    assert!(names(&disk).expect("a healthy disk").len() <= 1, "all drained");
}
