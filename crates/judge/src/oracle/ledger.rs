//! Is what a 2xx promised written down so that it survives the judge's own machine? Many lines, one sync.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Instant;

use postern_rig::scratch;
use tokio::sync::oneshot;

use super::expect::{Key, Known};

/// Lines that wait for the disk, and who waits for them.
type Order = (String, usize, oneshot::Sender<()>);

/// An append-only file: `topic id hash sent acknowledged`, the times in microseconds since the start.
pub(super) struct Ledger {
    start: Instant,
    path: PathBuf,
    orders: mpsc::Sender<Order>,
    synced: Arc<AtomicUsize>,
}

impl Ledger {
    pub(super) fn create() -> Self {
        let path = scratch::folder("ledger").join("acknowledged.txt");
        let mut file = File::create(&path).expect("the target directory is writable");
        let (orders, inbox) = mpsc::channel::<Order>();
        let synced = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&synced);
        thread::spawn(move || {
            while let Ok(first) = inbox.recv() {
                // Whoever came while the disk was busy shares the next sync.
                let mut group = vec![first];
                group.extend(inbox.try_iter());
                for (lines, ..) in &group {
                    file.write_all(lines.as_bytes()).expect("the ledger's disk has room");
                }
                file.sync_data().expect("the ledger's disk syncs");
                for (_, records, waits) in group {
                    count.fetch_add(records, Ordering::SeqCst);
                    // A run that was dropped waits no more; its lines are true all the same.
                    let (Ok(()) | Err(())) = waits.send(());
                }
            }
        });
        Self { start: Instant::now(), path, orders, synced }
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
        let (synced, waits) = oneshot::channel();
        self.orders.send((lines, records.len(), synced)).expect("the ledger's thread lives");
        waits.await.expect("the ledger's thread answers each order");
    }

    /// Records that are synced.
    pub(super) fn len(&self) -> usize {
        self.synced.load(Ordering::SeqCst)
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
        let text = fs::read_to_string(&self.path).expect("the ledger is still there");
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
