//! Is what a 2xx promised written down so that it survives the senders' own machine? Many lines, one sync.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use tokio::sync::oneshot;

use super::scratch;

/// Lines that wait for the disk, how many entries they are, and who waits for them.
type Order = (String, usize, oneshot::Sender<()>);

/// An append-only file of lines.
pub struct Journal {
    path: PathBuf,
    orders: mpsc::Sender<Order>,
    synced: Arc<AtomicUsize>,
}

impl Default for Journal {
    fn default() -> Self {
        Self::new()
    }
}

impl Journal {
    /// An empty file of its own.
    pub fn new() -> Self {
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
                for (_, entries, waits) in group {
                    count.fetch_add(entries, Ordering::SeqCst);
                    // A run that was dropped waits no more; its lines are true all the same.
                    let (Ok(()) | Err(())) = waits.send(());
                }
            }
        });
        Self { path, orders, synced }
    }

    /// Writes whole lines, which are so many entries; what it gives is told once they are synced.
    pub fn append(&self, lines: String, entries: usize) -> oneshot::Receiver<()> {
        let (synced, waits) = oneshot::channel();
        self.orders.send((lines, entries, synced)).expect("the ledger's thread lives");
        waits
    }

    /// Entries that are synced.
    pub fn len(&self) -> usize {
        self.synced.load(Ordering::SeqCst)
    }

    /// Whether nothing is synced yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the file says.
    pub fn read(&self) -> String {
        fs::read_to_string(&self.path).expect("the ledger is still there")
    }
}
