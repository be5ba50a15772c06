//! How is one item of a Graph delivery written, and what is expected of it?

use std::{fmt::Write, sync::Arc};

use super::{
    Place, body,
    subscription::{Subscription, Watch},
    thing::Thing,
};
use crate::{
    delivery::{Reason, Record, RecordKey, Verdict},
    rng::Rng,
    scenario::Mix,
    text::{close, member},
};

/// The one record of each change of a kind: created, updated, deleted, other.
macro_rules! changes {
    ($kind:literal) => {
        [
            [Record::event(concat!("io.postern.", $kind, ".created.v1"))],
            [Record::event(concat!("io.postern.", $kind, ".updated.v1"))],
            [Record::event(concat!("io.postern.", $kind, ".deleted.v1"))],
            [Record::event(concat!("io.postern.", $kind, ".other.v1"))],
        ]
    };
}

/// By kind (in the order of [`Watch`], then other) and change.
static CHANGES: [[[Record; 1]; 4]; 5] = [
    changes!("message"),
    changes!("event"),
    changes!("contact"),
    changes!("task"),
    changes!("other"),
];
pub(super) const OTHER: usize = 4;
const OTHER_CHANGE: usize = 3;

static REAUTHORIZATION: [Record; 1] =
    [Record::lifecycle("io.postern.subscription.reauthorization-required.v1")];
static REMOVED: [Record; 2] =
    [Record::lifecycle("io.postern.subscription.removed.v1"), Record::RESYNC];
static MISSED: [Record; 2] =
    [Record::lifecycle("io.postern.subscription.missed.v1"), Record::RESYNC];
static OTHER_SIGNAL: [Record; 1] = [Record::lifecycle("io.postern.subscription.other.v1")];

/// An item that is about to be written.
pub(super) struct Draft<'a> {
    pub(super) at: Place,
    pub(super) subscription: &'a Subscription,
    pub(super) token: Option<&'a str>,
    pub(super) rich: bool,
}

/// What is expected of an item, but for its token.
pub(super) struct Written {
    pub(super) key: RecordKey,
    pub(super) partition_key: Option<Arc<str>>,
    pub(super) verdict: Verdict,
}

impl Draft<'_> {
    /// Writes a change notification.
    pub(super) fn change(&self, mix: &Mix, json: &mut String, rng: &mut Rng) -> Written {
        let unknown = rng.chance(mix.unknown).then(|| rng.below(4));
        let (kind, change, word) = words(self.subscription.watch, unknown, rng);
        let thing = Thing::new(self.subscription, kind, rng);
        let odd = rng.chance(mix.odd).then(|| rng.below(6));
        let nameless = unknown == Some(3);
        let id = (nameless || !rng.chance(mix.without_id)).then(|| self.at.id());
        let outlook = rng.chance(0.5);
        json.push('{');
        if let (Some(id), false) = (&id, outlook) {
            member(json, "id", id);
        }
        self.head(json, odd == Some(0), rng);
        member(json, "changeType", if odd == Some(1) { escaped(word) } else { word });
        if !nameless {
            member(json, "resource", &thing.resource);
        }
        if !nameless && odd != Some(2) {
            thing.write_data(odd == Some(3), json);
        }
        member(json, "tenantId", &self.subscription.provider_tenant);
        if let (Some(id), true) = (&id, outlook) {
            member(json, "id", id);
        }
        match odd {
            Some(4) => json.push_str(
                "\"sequenceNumber\":null,\"encryptedContent\":null,\"lifecycleEvent\":null,",
            ),
            Some(5) => json.push_str("\"futureMember\":{\"deep\":[1,{\"er\":null}],\"n\":1e300},"),
            _ => {}
        }
        if self.rich {
            body::encrypted_content(json, rng);
        }
        close(json);
        // Where the resource names no mailbox in a form that is known, the contract leaves the key
        // of an installation-level connection open.
        let open = self.subscription.installation && kind == OTHER;
        Written {
            key: id.map_or(RecordKey::Subject(thing.resource), RecordKey::Id),
            partition_key: (!open).then(|| Arc::clone(&self.subscription.change_key)),
            verdict: Verdict::Published(&CHANGES[kind][change]),
        }
    }

    /// Writes a lifecycle notification. It always has an id here: without one, two of the same
    /// subscription are one and the same to the receiver.
    pub(super) fn lifecycle(&self, mix: &Mix, json: &mut String, rng: &mut Rng) -> Written {
        let (word, records): (_, &'static [Record]) = if rng.chance(mix.unknown) {
            let word = rng.pick(&["unknownFutureValue", "subscriptionPaused", "throttled"]);
            (word, &OTHER_SIGNAL)
        } else {
            match rng.below(4) {
                0 => ("subscriptionRemoved", &REMOVED),
                1 => ("missed", &MISSED),
                _ => ("reauthorizationRequired", &REAUTHORIZATION),
            }
        };
        let id = self.at.id();
        json.push('{');
        member(json, "lifecycleEvent", word);
        self.head(json, false, rng);
        member(json, "id", &id);
        match rng.chance(mix.odd).then(|| rng.below(3)) {
            // As seen on the wire: another name for the tenant, and members of a change.
            Some(0) => {
                member(json, "organizationId", &self.subscription.provider_tenant);
                json.push_str("\"resource\":\"\",\"sequence\":null,\"encryptedContent\":null,");
                json.push_str("\"resourceData\":{\"@odata.type\":null,\"id\":null},");
            }
            Some(1) => {
                member(json, "changeType", "updated");
                member(json, "tenantId", &self.subscription.provider_tenant);
            }
            _ => member(json, "tenantId", &self.subscription.provider_tenant),
        }
        if self.rich {
            body::encrypted_content(json, rng);
        }
        close(json);
        Written {
            key: RecordKey::Id(id),
            partition_key: Some(Arc::clone(&self.subscription.lifecycle_key)),
            verdict: Verdict::Published(records),
        }
    }

    /// Writes an item that carries its token and cannot be used (contract section 2.1).
    pub(super) fn unusable(&self, json: &mut String, rng: &mut Rng) -> Written {
        let id = self.at.id();
        let choice = rng.below(7);
        match choice {
            0 => write!(json, "\"{id}\"").expect("writes to a String"),
            1 => json.push_str("null"),
            _ => {
                json.push('{');
                member(json, "id", &id);
                if let Some(token) = self.token {
                    member(json, "clientState", token);
                }
                if choice != 2 {
                    member(json, "subscriptionId", &self.subscription.id);
                }
                json.push_str(match choice {
                    2 => "\"subscriptionId\":null,\"changeType\":\"created\",",
                    3 => "\"changeType\":null,",
                    4 => "\"changeType\":[\"created\"],",
                    5 => "\"changeType\":\"created\",\"changeType\":\"deleted\",",
                    _ => "\"changeType\":\"created\",\"resource\":17,",
                });
                close(json);
            }
        }
        Written {
            key: RecordKey::Id(id),
            partition_key: None,
            verdict: Verdict::Quarantined(Reason::UnusableItem),
        }
    }

    /// What every item carries: subscription, expiry, token.
    fn head(&self, json: &mut String, escape: bool, rng: &mut Rng) {
        member(json, "subscriptionId", &self.subscription.id);
        member(json, "subscriptionExpirationDateTime", &self.subscription.expires);
        match self.token {
            // The same text with its first letter escaped.
            Some(token) if escape && token.starts_with('p') => {
                write!(json, "\"clientState\":\"\\u0070{}\",", &token[1..])
                    .expect("writes to a String");
            }
            Some(token) => member(json, "clientState", token),
            None if rng.chance(0.5) => json.push_str("\"clientState\":null,"),
            None => {}
        }
    }
}

/// The kind, the change and Graph's word for it. Six in ten create, three update, one deletes.
fn words(watch: Watch, unknown: Option<u64>, rng: &mut Rng) -> (usize, usize, &'static str) {
    let (change, word) = match rng.below(10) {
        0 => (2, "deleted"),
        1..=3 => (1, "updated"),
        _ => (0, "created"),
    };
    let strange = rng.pick(&["moved", "unknownFutureValue", "CREATED2"]);
    match unknown {
        None => (watch as usize, change, word),
        Some(0) => (watch as usize, OTHER_CHANGE, strange),
        Some(1) => (OTHER, OTHER_CHANGE, strange),
        // An unknown type; with 3 nothing is named at all.
        Some(_) => (OTHER, change, word),
    }
}

/// The same change word with its first letter as a JSON escape.
fn escaped(word: &'static str) -> &'static str {
    match word {
        "created" => "\\u0063reated",
        "updated" => "\\u0075pdated",
        "deleted" => "\\u0064eleted",
        other => other,
    }
}
