//! Which experiments are there, and how is one of them run so that whatever happens ends in a row?

mod broker;
mod clock;
mod cluster;
mod disk;
mod fatal;
mod handover;
mod limits;
mod model;
mod oversize;
mod peer;
mod postern;
mod rolling;
mod tokens;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use crate::auditor::said;
use crate::context::Context;
use crate::dice::Dice;
use crate::fault::disk::Kind;
use crate::verdict::Row;

/// One experiment.
pub(crate) struct Experiment {
    pub(crate) name: &'static str,
    /// The number in the table of pass figures.
    pub(crate) number: u32,
    /// What is done, in one line.
    pub(crate) what: &'static str,
    /// Part of the short form.
    pub(crate) short: bool,
    /// Another receiver is judged, not postern.
    pub(crate) peer: bool,
    /// Seconds that it takes on a machine with nothing else to do, in the full and in the short form: what is left of a run
    /// is told from them.
    takes: (u64, u64),
    run: fn(Context) -> Row,
}

impl Experiment {
    const fn new(
        number: u32,
        name: &'static str,
        what: &'static str,
        run: fn(Context) -> Row,
    ) -> Self {
        Self { name, number, what, short: false, peer: false, takes: (0, 0), run }
    }

    /// See [`Experiment::takes`].
    const fn takes(mut self, full: u64, short: u64) -> Self {
        self.takes = (full, short);
        self
    }

    /// How long it takes, about.
    pub(crate) const fn seconds(&self, short: bool) -> u64 {
        if short { self.takes.1 } else { self.takes.0 }
    }

    const fn of_peer(mut self) -> Self {
        self.peer = true;
        self
    }

    const fn in_short(mut self) -> Self {
        self.short = true;
        self
    }
}

/// All experiments, in the order in which they are run.
pub(crate) const ALL: &[Experiment] = &[
    Experiment::new(1, "kill-postern", "SIGKILL of postern at random instants", |c| {
        postern::killed(c, false)
    })
    .in_short()
    .takes(340, 45),
    Experiment::new(1, "kill-postern-spool", "the same, with a spool", |c| {
        postern::killed(c, true)
    })
    .in_short()
    .takes(190, 45),
    Experiment::new(2, "kill-broker", "SIGKILL of the only broker, and its return", |c| {
        broker::killed(c, false)
    })
    .in_short()
    .takes(140, 30),
    Experiment::new(2, "kill-broker-spool", "the same, with a spool", |c| broker::killed(c, true))
        .in_short()
        .takes(515, 35),
    Experiment::new(3, "pause-broker-spool", "SIGSTOP of the only broker, with a spool", |c| {
        broker::paused(c, true)
    })
    .in_short()
    .takes(350, 28),
    Experiment::new(4, "pause-broker", "the same, without one", |c| broker::paused(c, false))
        .in_short()
        .takes(340, 26),
    Experiment::new(
        5,
        "spool-model",
        "the spool's log on a disk that loses unsynced writes",
        model::spool,
    )
    .takes(90, 60),
    Experiment::new(
        6,
        "disk-full-tmpfs",
        "the spool on 8 MiB of memory, written full twice",
        |c| disk::full(c, Kind::Tmpfs),
    )
    .takes(40, 40),
    Experiment::new(6, "disk-full-ext4", "the spool on 32 MiB of ext4, written full twice", |c| {
        disk::full(c, Kind::Ext4)
    })
    .takes(55, 55),
    Experiment::new(
        7,
        "sync-fails",
        "the spool's fdatasync fails and loses what it had",
        disk::sync_fails,
    )
    .takes(45, 22),
    Experiment::new(
        7,
        "sync-dawdles",
        "each sync of the spool takes 500 ms longer",
        disk::sync_dawdles,
    )
    .takes(60, 22),
    Experiment::new(8, "producer-dies", "50 fatal errors of the Kafka client", fatal::producers)
        .takes(65, 19),
    Experiment::new(9, "replicas-lost", "min.insync.replicas not met, twice 20 s", |c| {
        cluster::replicas_lost(c, false)
    })
    .takes(85, 58),
    Experiment::new(9, "replicas-lost-spool", "the same, with a spool", |c| {
        cluster::replicas_lost(c, true)
    })
    .takes(145, 93),
    Experiment::new(9, "leaders-moved", "each of three brokers killed, then paused", |c| {
        cluster::leaders_moved(c, false)
    })
    .takes(165, 58),
    Experiment::new(9, "leaders-moved-spool", "the same, with a spool", |c| {
        cluster::leaders_moved(c, true)
    })
    .takes(190, 82),
    Experiment::new(9, "topic-deleted", "the events topic deleted, and made again", |c| {
        cluster::topic_deleted(c, false)
    })
    .takes(31, 31),
    Experiment::new(9, "topic-deleted-spool", "the same, with a spool", |c| {
        cluster::topic_deleted(c, true)
    })
    .takes(40, 40),
    Experiment::new(9, "authorization-revoked", "no right to write, twice 20 s", |c| {
        cluster::authorization_revoked(c, false)
    })
    .takes(80, 53),
    Experiment::new(9, "authorization-revoked-spool", "the same, with a spool", |c| {
        cluster::authorization_revoked(c, true)
    })
    .takes(125, 83),
    Experiment::new(
        9,
        "record-too-large",
        "the topics take no record of any size",
        oversize::refused,
    )
    .takes(60, 30),
    Experiment::new(
        9,
        "record-too-large-spool",
        "the same, with records in the spool",
        oversize::refused_after_the_spool,
    )
    .takes(120, 65),
    Experiment::new(
        10,
        "rolling-restarts",
        "two replicas behind haproxy, SIGTERM in turn",
        rolling::restarts,
    )
    .takes(205, 35),
    Experiment::new(10, "spool-handed-over", "SIGTERM with records in the spool", handover::spool)
        .takes(90, 27),
    Experiment::new(11, "memory-cap", "128 MiB, the broker paused, too many senders", |c| {
        limits::memory(c, false)
    })
    .takes(135, 35),
    Experiment::new(11, "memory-cap-spool", "the same, with a spool", |c| limits::memory(c, true))
        .takes(620, 40),
    Experiment::new(
        12,
        "descriptors",
        "256 descriptors, 2,000 connections held",
        limits::descriptors,
    )
    .takes(85, 34),
    Experiment::new(22, "clock-steps", "the wall clock steps by up to a day", clock::steps)
        .takes(85, 40),
    Experiment::new(1, "peer-killed", "mq-bridge: SIGKILL at random instants", peer::killed)
        .of_peer()
        .takes(80, 25),
    Experiment::new(2, "peer-broker-killed", "mq-bridge: the broker killed", peer::broker_killed)
        .of_peer()
        .takes(65, 40),
    Experiment::new(4, "peer-broker-paused", "mq-bridge: the broker paused", peer::broker_paused)
        .of_peer()
        .takes(85, 33),
];

/// The seed of one experiment of a run: another one for each, all from one number.
fn seed_of(run: u64, name: &str) -> u64 {
    let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    // Item ids hold the seed in hexadecimal: 32 bits keep them short.
    Dice::new(name.bytes().fold(run ^ 0xcbf2_9ce4_8422_2325, fold)).next() & 0xffff_ffff
}

/// Runs an experiment; a panic of the rig, which is how it says that something is not there, is a fault of the row.
pub(crate) fn run(experiment: &Experiment, seed: u64, short: bool) -> Row {
    let context = Context { name: experiment.name, seed: seed_of(seed, experiment.name), short };
    crate::progress::say(experiment.name, &format!("{} (--seed {seed})", experiment.what));
    let start = Instant::now();
    let row = catch_unwind(AssertUnwindSafe(|| (experiment.run)(context)));
    let mut row = row.unwrap_or_else(|panic| Row {
        faults: vec![format!("broke off: {}", said(panic.as_ref()))],
        ..Row::default()
    });
    row.experiment = experiment.name.to_owned();
    row.number = experiment.number;
    (row.seed, row.short, row.peer) = (seed, short, experiment.peer);
    row.seconds = start.elapsed().as_secs();
    let verdict = if row.passed { "passed".to_owned() } else { row.faults.join("; ") };
    crate::progress::say(experiment.name, &verdict);
    row
}
