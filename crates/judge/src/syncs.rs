//! How slow is this machine's disk itself? A control beside the experiment: a few bytes, written and synced, again and again.
//!
//! No spool can answer faster than its disk syncs. What is late by no more than that is the disk's fault.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use postern_rig::scratch;

/// Between two syncs: often enough to meet each stall, seldom enough to be none.
const PAUSE: Duration = Duration::from_millis(20);
/// The file starts again from its beginning behind this.
const LONGEST: u64 = 4 << 20;

/// A running control; it ends with the value.
pub(crate) struct Syncs(Arc<Shared>);

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    /// When each one began, and when it ended; the last one may still be under way.
    spans: Mutex<Vec<(Instant, Option<Instant>)>>,
}

impl Syncs {
    /// Syncs a file of its own on the disk where the ledger and the spools are.
    pub(crate) fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let control = Arc::clone(&shared);
        thread::spawn(move || control.run());
        Self(shared)
    }

    /// The longest sync that was under way at any moment of the span.
    pub(crate) fn slowest(&self, from: Instant, to: Instant) -> Duration {
        let spans = self.0.spans.lock().unwrap_or_else(PoisonError::into_inner);
        let took = |(began, ended): &(Instant, Option<Instant>)| {
            let ended = ended.unwrap_or_else(Instant::now);
            (*began <= to && ended >= from).then(|| ended - *began)
        };
        spans.iter().filter_map(took).max().unwrap_or_default()
    }
}

impl Shared {
    fn run(&self) {
        let path = scratch::folder("syncs").join("control");
        let mut file = File::create(path).expect("the target directory is writable");
        while !self.stop.load(Ordering::Relaxed) {
            thread::sleep(PAUSE);
            self.spans().push((Instant::now(), None));
            file.write_all(&[7; 1024]).expect("the target directory has room");
            file.sync_data().expect("the disk syncs");
            if let Some(last) = self.spans().last_mut() {
                last.1 = Some(Instant::now());
            }
            if file.stream_position().expect("a file has a position") > LONGEST {
                file.rewind().expect("a file can be rewound");
            }
        }
    }

    fn spans(&self) -> std::sync::MutexGuard<'_, Vec<(Instant, Option<Instant>)>> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Syncs {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_counts_for_all_who_waited_in_it() {
        let syncs = Syncs(Arc::default());
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        syncs.0.spans().push((at(0), Some(at(5))));
        syncs.0.spans().push((at(20), Some(at(2_020))));
        assert_eq!(syncs.slowest(at(500), at(600)), Duration::from_secs(2));
        assert_eq!(syncs.slowest(at(0), at(10)), Duration::from_millis(5));
        assert_eq!(syncs.slowest(at(3_000), at(4_000)), Duration::ZERO);
    }
}
