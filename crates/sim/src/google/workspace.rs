//! What does the Workspace Events API publish? CloudEvents, in binary and in structured mode.

use serde_json::{Value, json};

use super::{envelope::Message, pubsub::Account, time};
use crate::{
    delivery::{Reason, Record, Verdict},
    rng::{Rng, Stream},
    scenario::Mix,
    text::{URL_SAFE, encode},
};

static ADDED: [Record; 1] = [Record::event("io.postern.file.added.v1")];
static REMOVED: [Record; 1] = [Record::event("io.postern.file.removed.v1")];
static UPDATED: [Record; 1] = [Record::event("io.postern.file.updated.v1")];
static TRASHED: [Record; 1] = [Record::event("io.postern.file.trashed.v1")];
static UNTRASHED: [Record; 1] = [Record::event("io.postern.file.untrashed.v1")];
static OTHER: [Record; 1] = [Record::event("io.postern.other.changed.v1")];
static SUSPENDED: [Record; 2] =
    [Record::lifecycle("io.postern.subscription.suspended.v1"), Record::RESYNC];
static EXPIRED: [Record; 2] =
    [Record::lifecycle("io.postern.subscription.expired.v1"), Record::RESYNC];
static EXPIRING: [Record; 1] = [Record::lifecycle("io.postern.subscription.expiring.v1")];

/// Types with what becomes of them.
type Types = [(&'static str, &'static [Record])];

/// Spellings of the guides; they contradict each other, so all of them come.
static FILES: &Types = &[
    ("google.workspace.drive.file.v3.created", &ADDED),
    ("google.workspace.drive.file.v3.added", &ADDED),
    ("google.workspace.drive.file.v3.deleted", &REMOVED),
    ("google.workspace.drive.file.v3.trashed", &TRASHED),
    ("google.workspace.drive.file.v3.untrashed", &UNTRASHED),
    ("google.workspace.drive.file.v3.moved", &UPDATED),
    ("google.workspace.drive.file.v3.renamed", &UPDATED),
    ("google.workspace.drive.file.v3.edited", &UPDATED),
    ("google.workspace.drive.file.v3.contentChanged", &UPDATED),
];
/// The same in another case.
static ODD_FILES: &Types = &[
    ("google.workspace.drive.file.v3.Created", &ADDED),
    ("google.workspace.drive.file.v3.DELETED", &REMOVED),
    ("google.workspace.drive.File.v3.trashed", &TRASHED),
];
static OTHERS: &Types = &[
    ("google.workspace.drive.accessproposal.v3.created", &OTHER),
    ("google.workspace.drive.accessProposal.v3.resolved", &OTHER),
    ("google.workspace.drive.comment.v3.created", &OTHER),
    ("google.workspace.drive.permission.v3.edited", &OTHER),
    ("google.workspace.chat.message.v1.created", &OTHER),
    ("google.workspace.meet.conference.v2.started", &OTHER),
];
/// Nobody knows these yet.
static UNKNOWN: &Types = &[
    ("google.workspace.drive.file.v3.shredded", &UPDATED),
    ("google.workspace.drive.file.v9.created", &OTHER),
    ("google.workspace.calendar.event.v1.created", &OTHER),
    ("com.example.someevent", &OTHER),
];
/// The last word, what becomes of it.
static LIFECYCLE: &Types =
    &[("suspended", &SUSPENDED), ("expired", &EXPIRED), ("expirationReminder", &EXPIRING)];

const REASONS: [&str; 5] = [
    "USER_SCOPE_REVOKED",
    "RESOURCE_DELETED",
    "USER_AUTHORIZATION_FAILURE",
    "ENDPOINT_PERMISSION_DENIED",
    "ENDPOINT_RESOURCE_EXHAUSTED",
];

/// An event before it is bound to Pub/Sub.
struct Event {
    kind: String,
    subject: String,
    data: Value,
    records: &'static [Record],
    /// CloudEvents `subject` of the record.
    thing: String,
}

/// The id of the Workspace subscription that watches for an account.
fn subscription(account: &Account<'_>) -> String {
    Rng::new(account.seed, Stream::Workspace, account.number).uuid()
}

/// A change of something, or a signal about the subscription.
pub(super) fn message(account: &Account<'_>, mix: &Mix, rng: &mut Rng) -> Message {
    let odd = rng.chance(mix.odd);
    let subscription = subscription(account);
    // What carries no id is found by its file, so that it is about one.
    let event = if account.nameless.is_none() && rng.chance(mix.lifecycle) {
        lifecycle(account, &subscription, rng)
    } else {
        let unknown = account.nameless.is_none() && rng.chance(mix.unknown);
        change(account, unknown, odd, rng)
    };
    let key = account.tenant.unwrap_or(&subscription);
    let mut message =
        Message::genuine(Vec::new(), event.thing.clone(), encode(key).into_owned(), event.records);
    bind(&event, &mut message, account, odd, rng);
    message
}

/// A message that says it is a CloudEvent and is none that can be used. Unless `json`, its data may
/// be no JSON at all.
pub(super) fn unusable(account: &Account<'_>, json: bool, rng: &mut Rng) -> Message {
    let event = change(account, false, false, rng);
    let mut message =
        Message::genuine(Vec::new(), event.thing.clone(), String::new(), event.records);
    bind(&event, &mut message, account, false, rng);
    let structured = message.attributes.len() == 1;
    if !json && rng.chance(0.5) {
        message.data = b"Hello Cloud Pub/Sub! Here is my message!".to_vec();
    } else if structured {
        message.data = br#"{"specversion":"1.0","id":"1"}"#.to_vec();
    } else {
        message.attributes.retain(|(name, _)| *name != "ce-type");
    }
    message.verdict = Verdict::Quarantined(Reason::UnusableItem);
    message
}

fn change(account: &Account<'_>, unknown: bool, odd: bool, rng: &mut Rng) -> Event {
    let types = match rng.below(10) {
        _ if unknown => UNKNOWN,
        0..=2 if account.nameless.is_none() => OTHERS,
        _ if odd => ODD_FILES,
        _ => FILES,
    };
    let (kind, records) = types[rng.below(types.len() as u64) as usize];
    let mut id = String::from("1");
    rng.letters(&mut id, 32, URL_SAFE);
    let thing = if kind.contains(".file.v3.") || kind.contains(".File.v3.") {
        match rng.below(3) {
            0 => json!({"file": {
                "id": id, "parent": "0AHfXParentFolder", "version": "63",
                "mimeType": "application/vnd.google-apps.document",
            }}),
            // As guides mix the cases of names; the subject names the file as well.
            1 if odd => json!({"file": {"file_id": id}}),
            _ => json!({"file": {"id": id}}),
        }
    } else if kind.contains(".comment.") {
        json!({"comment": {"id": "AAAABcDeFgH", "file_id": id}})
    } else if kind.contains(".chat.") {
        json!({"message": {"name": format!("spaces/AAAA/messages/{id}")}})
    } else {
        json!({"accessProposal": [{"file_id": id, "proposalId": "1a2b3c"}]})
    };
    Event {
        kind: kind.into(),
        subject: format!("//drive.googleapis.com/files/{id}"),
        data: thing,
        records,
        thing: id,
    }
}

fn lifecycle(account: &Account<'_>, subscription: &str, rng: &mut Rng) -> Event {
    let (word, records) = LIFECYCLE[rng.below(3) as usize];
    let snake = rng.chance(0.5);
    let mut data = json!({ "name": format!("subscriptions/{subscription}") });
    if word == "suspended" {
        let name = if snake { "suspension_reason" } else { "suspensionReason" };
        data[name] = rng.pick(&REASONS).into();
    } else {
        let hours = if word == "expired" { 0 } else { 12 };
        let ends = time("%Y-%m-%dT%H:%M:%S.641299Z", account.now + hours * 3_600);
        data[if snake { "expire_time" } else { "expireTime" }] = ends.into();
    }
    Event {
        kind: format!("google.workspace.events.subscription.v1.{word}"),
        subject: format!("//workspaceevents.googleapis.com/subscriptions/{subscription}"),
        data: json!({ "subscription": data }),
        records,
        thing: subscription.into(),
    }
}

/// Binds an event to Pub/Sub: three in four in binary mode, as the API does.
fn bind(event: &Event, message: &mut Message, account: &Account<'_>, odd: bool, rng: &mut Rng) {
    let subscription = subscription(account);
    let source = format!("//workspaceevents.googleapis.com/subscriptions/{subscription}");
    let at = time("%Y-%m-%dT%H:%M:%S.641299Z", account.now - rng.below(60) as i64);
    let id = rng.uuid();
    if rng.chance(0.25) {
        // The guides' samples of lifecycle events have the one name, the specification the other.
        let version = if odd { "spec_version" } else { "specversion" };
        let event = json!({
            "id": id, "source": source, "subject": event.subject, "type": event.kind, "time": at,
            version: "1.0", "datacontenttype": "application/json", "data": event.data,
        });
        let content_type = "application/cloudevents+json; charset=UTF-8";
        message.attributes = vec![("content-type", content_type.into())];
        message.data = event.to_string().into();
        return;
    }
    message.attributes = vec![
        ("ce-datacontenttype", "application/json".into()),
        ("ce-id", id),
        ("ce-source", source),
        ("ce-specversion", "1.0".into()),
        ("ce-subject", event.subject.clone()),
        ("ce-time", at),
        ("ce-type", event.kind.clone()),
    ];
    message.data = event.data.to_string().into();
}
