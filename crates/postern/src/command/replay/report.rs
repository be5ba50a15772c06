//! What came of a replay?

use std::collections::BTreeMap;
use std::fmt;

use postern_core::replay::{Judged, Unjudged};
use serde_json::{Value, json};

/// Whether the group's place moved over what was dealt with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kept {
    /// It did.
    #[default]
    Moved,
    /// A dry run leaves it.
    NotInDryRun,
    /// A filter leaves it: it would pass over what was left out.
    NotWithFilter,
    /// Kafka did not store it.
    Failed,
}

/// Deliveries, their items, and the records of these.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) deliveries: u64,
    pub(super) items: u64,
    pub(super) records: u64,
}

impl Counts {
    /// One more delivery.
    pub(super) fn add(&mut self, items: u64, records: u64) {
        self.deliveries += 1;
        self.items += items;
        self.records += records;
    }

    fn json(self) -> Value {
        json!({ "deliveries": self.deliveries, "items": self.items, "records": self.records })
    }
}

/// The sums of a run.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// Deliveries that were read.
    pub(super) read: u64,
    /// Of these, left out by a filter.
    pub(super) filtered: u64,
    /// What passes.
    pub(super) passed: Counts,
    /// What of it Kafka has acknowledged.
    pub(super) published: Counts,
    /// Deliveries whose records Kafka did not acknowledge.
    pub(super) failed: u64,
    /// Items that are still not trusted, by reason.
    pub(super) untrusted: BTreeMap<&'static str, u64>,
    /// Items of connections that are denied now.
    pub(super) denied: u64,
    /// Deliveries that cannot be judged, by why.
    pub(super) unjudged: BTreeMap<Unjudged, u64>,
    /// Deliveries that were not read.
    pub(super) left: u64,
    /// A signal ended it.
    pub(super) interrupted: bool,
    pub(super) kept: Kept,
}

impl Report {
    /// How many deliveries were dealt with in some way, those left out aside.
    pub(super) fn judged(&self) -> u64 {
        self.read - self.filtered
    }

    /// One more delivery that was judged.
    pub(super) fn count(&mut self, judged: &Judged) {
        if judged.passed > 0 {
            self.passed.add(judged.passed as u64, judged.batch.len() as u64);
        }
        for reason in &judged.untrusted {
            *self.untrusted.entry(reason.as_str()).or_default() += 1;
        }
        self.denied += judged.denied as u64;
    }

    /// For machines.
    pub(super) fn json(&self, group: &str) -> Value {
        let unjudged: BTreeMap<_, _> =
            self.unjudged.iter().map(|(why, count)| (why.as_str(), count)).collect();
        json!({
            "group": group,
            "dryRun": self.kept == Kept::NotInDryRun,
            "read": self.read,
            "filtered": self.filtered,
            "passed": self.passed.json(),
            "published": self.published.json(),
            "failed": self.failed,
            "untrusted": self.untrusted,
            "denied": self.denied,
            "unjudged": unjudged,
            "left": self.left,
            "interrupted": self.interrupted,
            "committed": self.kept == Kept::Moved,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, text: String| writeln!(f, "{name:<11} {text}");
        let counts =
            |counts: &Counts| format!("{} items of {} deliveries", counts.items, counts.deliveries);
        line("read", format!("{} deliveries", self.read))?;
        if self.filtered > 0 {
            line("left out", format!("{} deliveries, by the filter", self.filtered))?;
        }
        line("passed", counts(&self.passed))?;
        if self.kept != Kept::NotInDryRun {
            line("published", counts(&self.published))?;
        }
        if self.failed > 0 {
            line(
                "failed",
                format!("{} deliveries: they come again with the next run", self.failed),
            )?;
        }
        for (reason, count) in &self.untrusted {
            line("untrusted", format!("{count} items, {reason}"))?;
        }
        if self.denied > 0 {
            line("denied", format!("{} items of connections that are denied now", self.denied))?;
        }
        for (why, count) in &self.unjudged {
            line("not judged", format!("{count} deliveries, {}: {why}", why.as_str()))?;
        }
        if !self.untrusted.is_empty() || !self.unjudged.is_empty() {
            let text = "what did not pass stays in the topic until its retention ends; --from-beginning judges it again";
            line("", text.to_owned())?;
        }
        if self.left > 0 {
            let why = if self.interrupted { ": interrupted" } else { "" };
            line("left", format!("{} deliveries{why}", self.left))?;
        }
        line("group", self.kept.to_string())
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Moved => "stands behind what was dealt with",
            Self::NotInDryRun => "stays where it was: a dry run",
            Self::NotWithFilter => {
                "stays where it was: with a filter it would pass over what was left out"
            }
            Self::Failed => "could not be moved",
        })
    }
}
