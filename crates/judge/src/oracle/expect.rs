//! Which records must come of a delivery, and does a record that was read hold what was sent?

use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::{Hash, Hasher};

use postern_rig::consumer::Record;
use postern_sim::{Delivery, Item, RecordKey, Topic, Verdict};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// What names a record: the ids of a run are unique, and one notification may make a record on each of two topics.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    lifecycle: bool,
    id: String,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", if self.lifecycle { "lifecycle" } else { "events" }, self.id)
    }
}

impl Key {
    /// Reads what `Display` wrote.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (topic, id) = text.split_once(' ')?;
        let lifecycle = match topic {
            "lifecycle" => true,
            "events" => false,
            _ => return None,
        };
        Some(Self { lifecycle, id: id.to_owned() })
    }
}

/// What is known of the contents of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// Of all contents that a record must have.
    pub(super) hash: u64,
    /// The record key, where the contract settles it.
    partition_key: Option<String>,
}

impl Known {
    pub(super) fn matches(&self, read: &Self) -> bool {
        self.hash == read.hash
            && (self.partition_key.is_none() || self.partition_key == read.partition_key)
    }
}

/// How the receiver under test writes its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One CloudEvent a notification, as postern's contract has it.
    Events,
    /// The body of each request as it came, in one topic: what a plain bridge does.
    Bodies,
}

impl Shape {
    /// The records that a 2xx to this delivery promises.
    pub(super) fn promise(self, delivery: &Delivery) -> Vec<(Key, Known)> {
        self.by_item(delivery).into_iter().flatten().collect()
    }

    /// The keys of those records, item by item.
    pub(super) fn items(self, delivery: &Delivery) -> Vec<Vec<Key>> {
        let keys = |records: Vec<(Key, Known)>| records.into_iter().map(|(key, _)| key).collect();
        self.by_item(delivery).into_iter().map(keys).collect()
    }

    fn by_item(self, delivery: &Delivery) -> Vec<Vec<(Key, Known)>> {
        let body: Value = serde_json::from_slice(&delivery.body).unwrap_or_default();
        let promise = |(place, item): (usize, &Item)| {
            let sent = Contents::sent(&body["value"][place]);
            match self {
                Self::Events => promise_events(item, &sent),
                Self::Bodies => {
                    let key = Key { lifecycle: false, id: id_of(item).to_owned() };
                    vec![(key, Known { hash: hash(&[&sent.text()]), partition_key: None })]
                }
            }
        };
        delivery.expected.items.iter().enumerate().map(promise).collect()
    }

    /// What a record that was read holds.
    pub(super) fn read(self, record: &Record) -> Vec<(Key, Known)> {
        match self {
            Self::Events => {
                let lifecycle = record.topic.contains(".lifecycle.");
                vec![read_event(&record.event(), lifecycle, record.key.clone())]
            }
            Self::Bodies => {
                let body = record.json();
                let items = body["value"].as_array().cloned().unwrap_or_default();
                let read = |item: &Value| {
                    let known =
                        Known { hash: hash(&[&Contents::sent(item).text()]), partition_key: None };
                    (Key { lifecycle: false, id: text(&item["id"]) }, known)
                };
                items.iter().map(read).collect()
            }
        }
    }
}

/// What an event holds that lies in neither topic: it says itself where it was to go, and under which key.
pub(super) fn read_opened(event: &Value) -> (Key, Known) {
    let lifecycle = text(&event["dataschema"]).contains(":lifecycle:");
    read_event(event, lifecycle, event["partitionkey"].as_str().map(str::to_owned))
}

fn read_event(event: &Value, lifecycle: bool, partition_key: Option<String>) -> (Key, Known) {
    let id = text(&event["id"]);
    let contents = Contents::published(&event["data"], &id);
    let kind = text(&event["type"]);
    let known =
        Known { hash: hash(&[&kind, &text(&event["source"]), &contents.text()]), partition_key };
    (Key { lifecycle, id }, known)
}

fn promise_events(item: &Item, sent: &Contents) -> Vec<(Key, Known)> {
    let mut records = Vec::new();
    // What is not genuine must never be published: it is not issued, so the auditor finds it spurious.
    let Verdict::Published(wanted) = item.verdict else { return records };
    for record in wanted {
        let lifecycle = record.topic == Topic::Lifecycle;
        let contents = if record.id_suffix.is_empty() { sent } else { &sent.without_words() };
        let known = Known {
            hash: hash(&[record.kind, &item.source, &contents.text()]),
            partition_key: item.partition_key.as_deref().map(str::to_owned),
        };
        let id = format!("{}{}", id_of(item), record.id_suffix);
        records.push((Key { lifecycle, id }, known));
    }
    records
}

/// The places of a quarantined delivery's items that were genuine and too large.
pub(super) fn too_large(record: &Record) -> impl Iterator<Item = usize> {
    let items: Value = serde_json::from_str(record.header("postern_items").unwrap_or_default())
        .unwrap_or_default();
    let places = items.as_array().cloned().unwrap_or_default();
    places.into_iter().filter_map(|item| {
        let place = usize::try_from(item["index"].as_u64()?).ok()?;
        (item["reason"] == "too-large").then_some(place)
    })
}

/// As postern writes it into a header: lower-case hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The judge's traffic names each item.
fn id_of(item: &Item) -> &str {
    match &item.key {
        RecordKey::Id(id) | RecordKey::Subject(id) => id,
    }
}

/// What of a notification must be found again in its record.
struct Contents {
    subscription: String,
    /// The change or the signal, in the provider's word.
    word: String,
    /// The path of what changed.
    resource: String,
}

impl Contents {
    fn sent(item: &Value) -> Self {
        let signal = text(&item["lifecycleEvent"]);
        let is_signal = !signal.is_empty();
        Self {
            subscription: text(&item["subscriptionId"]),
            word: if is_signal { signal } else { text(&item["changeType"]) },
            resource: if is_signal { String::new() } else { text(&item["resource"]) },
        }
    }

    fn published(data: &Value, id: &str) -> Self {
        let contents = Self {
            subscription: text(&data["subscription"]["id"]),
            word: text(data.get("providerSignal").unwrap_or(&data["providerChange"])),
            resource: text(&data["resource"]["path"]),
        };
        if id.ends_with(".resync") { contents.without_words() } else { contents }
    }

    /// A resync event says which subscription, and nothing of a resource.
    fn without_words(&self) -> Self {
        let subscription = self.subscription.clone();
        Self { subscription, word: String::new(), resource: String::new() }
    }

    fn text(&self) -> String {
        format!("{}\n{}\n{}", self.subscription, self.word, self.resource)
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn hash(parts: &[&str]) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}
