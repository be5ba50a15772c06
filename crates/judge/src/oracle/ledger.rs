//! Which records did a 2xx promise, and when? One line each, in a journal that is synced.

use std::fmt::Write as _;
use std::time::Instant;

use postern_rig::journal::Journal;

use super::expect::{Key, Known};

/// An append-only file: `topic id hash sent acknowledged`, the times in microseconds since the start.
pub(super) struct Ledger {
    start: Instant,
    journal: Journal,
}

impl Ledger {
    pub(super) fn create() -> Self {
        Self { start: Instant::now(), journal: Journal::new() }
    }

    /// Returns once the lines are synced.
    pub(super) async fn append(&self, records: &[(Key, Known)], sent: Instant, end: Instant) {
        if records.is_empty() {
            return;
        }
        let since = |at: Instant| micros_between(self.start, at);
        let mut lines = String::new();
        for (key, known) in records {
            writeln!(lines, "{key} {:016x} {} {}", known.hash, since(sent), since(end))
                .expect("a String takes any text");
        }
        let synced = self.journal.append(lines, records.len());
        synced.await.expect("the ledger's thread answers each order");
    }

    /// Records that are synced.
    pub(super) fn len(&self) -> usize {
        self.journal.len()
    }

    /// What the file says.
    pub(super) fn read(&self) -> Vec<Key> {
        self.lines(|_, _| true)
    }

    /// What it says of requests that were sent and acknowledged within the span.
    pub(super) fn read_within(&self, from: Instant, to: Instant) -> Vec<Key> {
        let micros = |at| micros_between(self.start, at);
        self.lines(|sent, end| sent >= micros(from) && end <= micros(to))
    }

    fn lines(&self, wanted: impl Fn(u128, u128) -> bool) -> Vec<Key> {
        let text = self.journal.read();
        let lines =
            text.lines().map(|line| parse(line).expect("the ledger holds what was written"));
        lines.filter(|(_, sent, end)| wanted(*sent, *end)).map(|(key, ..)| key).collect()
    }
}

fn micros_between(start: Instant, at: Instant) -> u128 {
    at.saturating_duration_since(start).as_micros()
}

/// The record of a line, and when it was sent and acknowledged.
fn parse(line: &str) -> Option<(Key, u128, u128)> {
    let fields: Vec<_> = line.split(' ').collect();
    let &[topic, id, _, sent, end] = fields.as_slice() else { return None };
    Some((Key::parse(&format!("{topic} {id}"))?, sent.parse().ok()?, end.parse().ok()?))
}
