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
            |of: &Counts| format!("{} of {}", count(of.items, "item"), deliveries(of.deliveries));
        line("read", deliveries(self.read))?;
        if self.filtered > 0 {
            line("left out", format!("{}, by the filter", deliveries(self.filtered)))?;
        }
        line("passed", counts(&self.passed))?;
        if self.kept != Kept::NotInDryRun {
            line("published", counts(&self.published))?;
        }
        if self.failed > 0 {
            let failed = deliveries(self.failed);
            line(
                "failed",
                format!("{failed}: what was not acknowledged comes again with the next run"),
            )?;
        }
        for (reason, items) in &self.untrusted {
            line("untrusted", format!("{}, {reason}", count(*items, "item")))?;
        }
        if self.denied > 0 {
            let denied = count(self.denied, "item");
            line("denied", format!("{denied} of connections that are denied now"))?;
        }
        for (why, number) in &self.unjudged {
            line("not judged", format!("{}, {}: {why}", deliveries(*number), why.as_str()))?;
        }
        if !self.untrusted.is_empty() || !self.unjudged.is_empty() {
            let text = "what did not pass stays in the topic until its retention ends; --from-beginning judges it again";
            line("", text.to_owned())?;
        }
        if self.left > 0 {
            let why = if self.interrupted { ": interrupted" } else { "" };
            line("left", format!("{}{why}", deliveries(self.left)))?;
        }
        line("group", self.kept.to_string())
    }
}

/// A number of things.
pub(super) fn count(number: u64, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

fn deliveries(number: u64) -> String {
    format!("{number} {}", if number == 1 { "delivery" } else { "deliveries" })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_did_not_pass_is_told_by_kind_with_what_to_do() {
        let mut report = Report { read: 5, filtered: 1, failed: 1, left: 2, ..Report::default() };
        report.passed.add(3, 4);
        report.untrusted.insert("no-token", 1);
        report.unjudged.insert(Unjudged::UnknownKey, 2);
        report.unjudged.insert(Unjudged::Cut, 1);
        let text = report.to_string();
        for part in [
            "5 deliveries\n",
            "1 delivery, by the filter",
            "3 items of 1 delivery",
            "0 items of 0 deliveries",
            "1 item, no-token",
            "2 deliveries, unknown-seal-key: sealed with a key that is not in the ring: add that key",
            "1 delivery, cut: its body was cut",
            "--from-beginning",
            "comes again with the next run",
            "stands behind what was dealt with",
        ] {
            assert!(text.contains(part), "no {part:?} in\n{text}");
        }
        let json = report.json("g");
        assert_eq!(json["unjudged"], json!({ "unknown-seal-key": 2, "cut": 1 }));
        assert_eq!(json["passed"], json!({ "deliveries": 1, "items": 3, "records": 4 }));
    }
}
