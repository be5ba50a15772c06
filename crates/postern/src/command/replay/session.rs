//! In which steps does a replay go: read, judge, publish, settle, commit?

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use postern_core::batch::Batch;
use postern_core::publish::PublishError;
use postern_core::replay::{Judge, Stored, Unjudged};
use postern_kafka::backlog::{Backlog, BacklogError, Followed};

use super::filter::Filter;
use super::publisher::Publisher;
use super::report::{Kept, Report, count};
use crate::output;

/// How many deliveries are judged before what passes is published and the group moves on.
const DELIVERIES: usize = 100;
/// And how many bytes of them: beyond, memory would grow with the bodies.
const BYTES: usize = 8 << 20;
/// And how many records: well below what the producer queues.
const RECORDS: u64 = 5_000;
/// How long one look for a delivery lasts; a signal is seen after it.
const WAIT: Duration = Duration::from_millis(250);
/// How often the bar is drawn on a terminal.
const TICK: Duration = Duration::from_millis(100);
/// How often a line says how far it is where there is none.
const PLAIN_TICK: Duration = Duration::from_secs(5);

/// One run.
pub(super) struct Session<'a> {
    pub(super) backlog: Backlog,
    pub(super) judge: Judge<'a>,
    /// None in a dry run.
    pub(super) publisher: Option<Publisher>,
    pub(super) filter: &'a Filter,
    pub(super) limit: Option<u64>,
    pub(super) stop: &'a AtomicBool,
    pub(super) report: Report,
}

/// A delivery that was read: where it lies, and what passes of it.
struct Read {
    partition: i32,
    offset: i64,
    items: u64,
    records: u64,
    batch: Batch,
}

impl Session<'_> {
    /// Runs it; the report stands also where an error ended it.
    pub(super) fn run(mut self) -> (Report, anyhow::Result<()>) {
        let total = self.backlog.left();
        output::note(format_args!(
            "{total} quarantined {} in {}{}",
            if total == 1 { "delivery" } else { "deliveries" },
            self.backlog.name(),
            if self.publisher.is_some() { "" } else { "; nothing is published" }
        ));
        let mut progress = Progress::start(total);
        let ended = self.rounds(&mut progress);
        progress.bar.finish_and_clear();
        self.report.left = self.backlog.left();
        self.report.interrupted = self.stopped();
        (self.report, ended)
    }

    fn rounds(&mut self, progress: &mut Progress) -> anyhow::Result<()> {
        while !self.is_over() {
            let read = self.read(progress);
            let (reads, broken) = match read {
                Ok(reads) => (reads, Ok(())),
                Err((reads, error)) => (reads, Err(error)),
            };
            let settled = self.publish(reads);
            if self.report.kept == Kept::Moved {
                let committed = self.backlog.commit();
                if committed.is_err() {
                    self.report.kept = Kept::Failed;
                }
                committed?;
            }
            settled?;
            broken?;
            progress.show(&self.report);
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.backlog.left() == 0 || self.stopped() || self.limit_reached()
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    fn limit_reached(&self) -> bool {
        self.limit.is_some_and(|limit| self.report.judged() >= limit)
    }

    /// Reads and judges as much as one round takes. With an error comes what was read before it.
    fn read(&mut self, progress: &mut Progress) -> Result<Vec<Read>, (Vec<Read>, BacklogError)> {
        let (mut reads, mut bytes, mut records) = (Vec::<Read>::new(), 0, 0);
        while reads.len() < DELIVERIES && bytes < BYTES && records < RECORDS && !self.is_over() {
            match self.backlog.next(WAIT) {
                Ok(Some(record)) => {
                    bytes += record.value.as_ref().map_or(0, Vec::len);
                    let read = self.take(&record);
                    records += read.records;
                    reads.push(read);
                }
                Ok(None) if reads.is_empty() => {}
                Ok(None) => break,
                Err(error) => return Err((reads, error)),
            }
            progress.show(&self.report);
        }
        Ok(reads)
    }

    /// Judges one delivery and counts it.
    fn take(&mut self, record: &Followed) -> Read {
        let (partition, offset) = (record.partition, record.offset);
        let nothing = Read { partition, offset, items: 0, records: 0, batch: Batch::new() };
        let report = &mut self.report;
        report.read += 1;
        let stored = Stored::read(|name| record.header(name), record.value.as_deref());
        let admitted = match &stored {
            Some(stored) => self.filter.admits(stored),
            None => !self.filter.is_set(),
        };
        if !admitted {
            report.filtered += 1;
            return nothing;
        }
        let judged = stored.ok_or(Unjudged::NoRecord).and_then(|stored| self.judge.judge(&stored));
        match judged {
            Ok(judged) => {
                report.count(&judged);
                let (items, records) = (judged.passed as u64, judged.batch.len() as u64);
                Read { items, records, batch: judged.batch, ..nothing }
            }
            Err(why) => {
                *report.unjudged.entry(why).or_default() += 1;
                nothing
            }
        }
    }

    /// Makes what passes durable and settles what is dealt with.
    ///
    /// # Errors
    /// When Kafka does not take records any more.
    fn publish(&mut self, mut reads: Vec<Read>) -> anyhow::Result<()> {
        let Some(publisher) = &self.publisher else { return Ok(()) };
        let passing = reads.iter_mut().filter(|read| read.records > 0);
        let batches: Vec<Batch> = passing.map(|read| std::mem::take(&mut read.batch)).collect();
        let mut outcomes = publisher.publish(batches).into_iter();
        let mut away = None;
        for read in reads {
            let published = if read.records == 0 { None } else { outcomes.next() };
            match published {
                None => self.backlog.settle(read.partition, read.offset),
                Some(Ok(())) => {
                    self.report.published.add(read.items, read.records);
                    self.backlog.settle(read.partition, read.offset);
                }
                Some(Err(error)) => {
                    self.report.failed += 1;
                    self.backlog.hold(read.partition);
                    self.tell(&read, error);
                    if error != PublishError::RecordRefused {
                        away = Some(error);
                    }
                }
            }
        }
        match away {
            Some(error) if !self.stopped() => Err(error).context(
                "kafka does not take what passes; run the command again once it does: what it acknowledged is remembered",
            ),
            _ => Ok(()),
        }
    }

    /// A record that Kafka refuses for good is told at once; the rest of an outage is one error.
    fn tell(&self, read: &Read, error: PublishError) {
        if error == PublishError::RecordRefused {
            output::note(format_args!(
                "kafka refuses a record of the delivery at offset {} of partition {}: is max.message.bytes of its topic smaller \
                 than message.max.bytes? The group stays before it",
                read.offset, read.partition
            ));
        }
    }
}

/// How far a run is: a bar on a terminal, plain lines elsewhere.
struct Progress {
    bar: ProgressBar,
    total: u64,
    tick: Duration,
    next: Instant,
}

impl Progress {
    fn start(total: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
        if let Ok(style) =
            ProgressStyle::with_template("{elapsed_precise} [{bar:32}] {pos}/{len} {msg}")
        {
            bar.set_style(style.progress_chars("=> "));
        }
        let tick = if bar.is_hidden() { PLAIN_TICK } else { TICK };
        Self { bar, total, tick, next: Instant::now() + tick }
    }

    fn show(&mut self, report: &Report) {
        if Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + self.tick;
        let (read, passed) = (report.read, count(report.passed.items, "item"));
        self.bar.set_position(read);
        self.bar.set_message(format!("{passed} passed"));
        if self.bar.is_hidden() {
            output::note(format_args!("{read} of {} deliveries read, {passed} passed", self.total));
        }
    }
}
