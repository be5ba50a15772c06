//! Was each acknowledged notification kept, and was none invented? The ledger remembers, the audit compares.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use super::consumer::Record;
use super::journal::Journal;
use super::{graph, scratch};

/// The ids that were sent, and in a file those that were acknowledged with a 2xx.
pub struct Ledger {
    prefix: String,
    issued: AtomicU64,
    journal: Journal,
}

/// What an audit found.
#[derive(Debug, Default)]
pub struct Audit {
    /// Notifications answered with a 2xx.
    pub acknowledged: usize,
    /// Records in the topic.
    pub records: usize,
    /// Records beyond the first of their id: allowed, delivery is at least once.
    pub duplicates: usize,
    /// Acknowledged and not in the topic: never allowed.
    pub missing: Vec<String>,
    /// In the topic and never sent: never allowed.
    pub spurious: Vec<String>,
    /// In the topic with the contents of another one: never allowed.
    pub mismatched: Vec<String>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new()
    }
}

impl Ledger {
    /// An empty ledger with a file of its own.
    pub fn new() -> Self {
        let prefix = format!("N{}x{}", std::process::id(), scratch::unique());
        Self { prefix, issued: AtomicU64::new(0), journal: Journal::new() }
    }

    /// An id that was never sent.
    pub fn issue(&self) -> String {
        format!("{}-{:07}", self.prefix, self.issued.fetch_add(1, Ordering::SeqCst))
    }

    /// Writes down that these were answered with a 2xx; they are synced when this returns.
    pub fn acknowledge(&self, ids: &[String]) {
        let lines: String = ids.iter().map(|id| format!("{id}\n")).collect();
        let synced = self.journal.append(lines, ids.len());
        synced.blocking_recv().expect("the ledger's thread answers each order");
    }

    /// Compares what the ledger says with all records of the events topic.
    pub fn audit(&self, records: &[Record]) -> Audit {
        let written = self.journal.read();
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut audit = Audit { records: records.len(), ..Audit::default() };
        for record in records {
            let event = record.event();
            let id = event["id"].as_str().expect("the schema has checked the id").to_owned();
            if !self.has_issued(&id) {
                audit.spurious.push(id.clone());
            } else if event["data"]["resource"]["id"] != graph::resource_of(&id) {
                audit.mismatched.push(id.clone());
            }
            *seen.entry(id).or_default() += 1;
        }
        audit.duplicates = records.len() - seen.len();
        for id in written.lines() {
            audit.acknowledged += 1;
            if !seen.contains_key(id) {
                audit.missing.push(id.to_owned());
            }
        }
        audit
    }

    fn has_issued(&self, id: &str) -> bool {
        let number = id.strip_prefix(&self.prefix).and_then(|rest| rest.strip_prefix('-'));
        let number = number.and_then(|number| number.parse::<u64>().ok());
        number.is_some_and(|number| number < self.issued.load(Ordering::SeqCst))
    }
}

impl Audit {
    /// Fails the test when the promise was broken.
    pub fn check(&self) {
        let broken = [("missing", &self.missing), ("spurious", &self.spurious)];
        for (what, ids) in broken.into_iter().chain([("mismatched", &self.mismatched)]) {
            let first = &ids[..ids.len().min(10)];
            assert!(ids.is_empty(), "{} {what}, the first ones {first:?}", ids.len());
        }
    }
}
