//! What was issued, what was acknowledged, what came out? Every experiment is judged by this, and by nothing else.
//!
//! An id is issued and its payload is a function of the seed; the request is posted; a 2xx counts once its notifications
//! are in a ledger on disk, synced; an auditor reports each record that it reads. In the end the ledger's file is compared
//! with what was read: nothing missing, nothing spurious, no payload that differs.

mod expect;
mod ledger;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use postern_rig::consumer::Record;
use postern_sim::{Delivery, Finished, Observer, Outcome};
use serde_json::Value;

pub(crate) use expect::Shape;
use expect::{Key, Known};
use ledger::Ledger;

/// One request that was sent, and how it ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) sent: Instant,
    pub(crate) finished: Instant,
    pub(crate) outcome: Outcome,
}

impl Answer {
    pub(crate) fn took(&self) -> Duration {
        self.finished.saturating_duration_since(self.sent)
    }

    /// The status, where there was an answer.
    pub(crate) fn status(&self) -> Option<u16> {
        match self.outcome {
            Outcome::Answered { status, .. } => Some(status),
            Outcome::Refused | Outcome::Reset | Outcome::Timeout => None,
        }
    }
}

/// What the ledger and the topics say together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Audit {
    /// Records that were promised by a 2xx.
    pub(crate) acknowledged: usize,
    /// Promised, and not there.
    pub(crate) missing: Vec<String>,
    /// Genuine records that are in quarantine because no topic takes their size.
    pub(crate) aside: usize,
    /// There, and never sent as something genuine.
    pub(crate) spurious: Vec<String>,
    /// There, with other contents than were sent.
    pub(crate) mismatched: Vec<String>,
    /// Records beyond the first of their id: allowed, delivery is at least once.
    pub(crate) duplicates: u64,
}

/// The oracle of one experiment.
pub(crate) struct Oracle {
    shape: Shape,
    issued: Mutex<Issued>,
    seen: Mutex<Seen>,
    answers: Mutex<Vec<Answer>>,
    ledger: Ledger,
}

/// The long maps are trees: a table of millions of records that doubles stands still for two seconds, and the senders with
/// it.
#[derive(Default)]
struct Issued {
    records: BTreeMap<Key, Known>,
    /// By the SHA-256 of a body: the records of each of its items.
    bodies: HashMap<String, Vec<Vec<Key>>>,
}

#[derive(Default)]
struct Seen {
    counts: BTreeMap<Key, u64>,
    /// Genuine, and quarantined because no topic takes a record of that size.
    aside: HashSet<Key>,
    /// How many items the quarantine records list as too large.
    listed: usize,
    spurious: Vec<String>,
    mismatched: Vec<String>,
}

impl Seen {
    /// Notes what was never sent as something genuine, and what holds something else than was sent.
    fn compare(&mut self, issued: &Issued, key: &Key, is: &Known) {
        match issued.records.get(key) {
            None => self.spurious.push(key.to_string()),
            Some(known) if !known.matches(is) => self.mismatched.push(key.to_string()),
            Some(_) => {}
        }
    }
}

impl Oracle {
    /// An oracle with an empty ledger; `shape` says how records are written.
    pub(crate) fn new(shape: Shape) -> Self {
        Self {
            shape,
            issued: Mutex::default(),
            seen: Mutex::default(),
            answers: Mutex::default(),
            ledger: Ledger::create(),
        }
    }

    /// A delivery is about to be sent.
    pub(crate) fn issue(&self, delivery: &Delivery) {
        let records = self.shape.promise(delivery);
        let mut issued = lock(&self.issued);
        if self.shape == Shape::Events {
            issued.bodies.insert(expect::sha256(&delivery.body), self.shape.items(delivery));
        }
        issued.records.extend(records);
    }

    /// A record was read from its topic.
    pub(crate) fn saw(&self, record: &Record) {
        let issued = lock(&self.issued);
        let mut seen = lock(&self.seen);
        if record.topic.contains(".quarantine.") {
            let Some(items) =
                record.header("postern_sha256").and_then(|hash| issued.bodies.get(hash))
            else {
                return;
            };
            for place in expect::too_large(record) {
                seen.listed += 1;
                seen.aside.extend(items.get(place).into_iter().flatten().cloned());
            }
            return;
        }
        for (key, is) in self.shape.read(record) {
            seen.compare(&issued, &key, &is);
            *seen.counts.entry(key).or_default() += 1;
        }
    }

    /// An event was opened that went from the spool into quarantine, because no topic takes its size.
    pub(crate) fn saw_opened(&self, event: &Value) {
        let (key, is) = expect::read_opened(event);
        // In the same order as everywhere.
        let issued = lock(&self.issued);
        let mut seen = lock(&self.seen);
        seen.compare(&issued, &key, &is);
        seen.aside.insert(key);
    }

    /// How many items the quarantine records that were read list as too large.
    pub(crate) fn listed(&self) -> usize {
        lock(&self.seen).listed
    }

    /// Of the records that were promised within the span: how many there are, how many of them are in quarantine as too
    /// large, and how many in their topics.
    pub(crate) fn promised_within(&self, from: Instant, to: Instant) -> (usize, usize, usize) {
        let promised = self.ledger.read_within(from, to);
        let seen = lock(&self.seen);
        let aside = promised.iter().filter(|key| seen.aside.contains(key)).count();
        let published = promised.iter().filter(|key| seen.counts.contains_key(key)).count();
        (promised.len(), aside, published)
    }

    /// All answers so far.
    pub(crate) fn answers(&self) -> Vec<Answer> {
        lock(&self.answers).clone()
    }

    /// How many records were promised so far.
    pub(crate) fn acknowledged(&self) -> usize {
        self.ledger.len()
    }

    /// Compares the ledger's file with what was read. What was quarantined as too large counts as kept when `with_aside`.
    pub(crate) fn audit(&self, with_aside: bool) -> Audit {
        let promised = self.ledger.read();
        let seen = lock(&self.seen);
        let kept =
            |key: &Key| seen.counts.contains_key(key) || (with_aside && seen.aside.contains(key));
        let missing = promised.iter().filter(|key| !kept(key));
        Audit {
            acknowledged: promised.len(),
            aside: seen.aside.len(),
            missing: missing.map(ToString::to_string).collect(),
            spurious: seen.spurious.clone(),
            mismatched: seen.mismatched.clone(),
            duplicates: seen.counts.values().map(|count| count - 1).sum(),
        }
    }
}

impl Observer for Oracle {
    async fn sending(&self, delivery: &Delivery, attempt: u32) {
        if attempt == 0 {
            self.issue(delivery);
        }
    }

    async fn finished(&self, finished: &Finished<'_>) {
        let &Finished { sent, finished: end, outcome, .. } = finished;
        lock(&self.answers).push(Answer { sent, finished: end, outcome });
        if outcome.is_success() {
            let promised = self.shape.promise(finished.delivery);
            // Waits for the disk: only what is synced was promised.
            self.ledger.append(&promised, sent, end).await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
