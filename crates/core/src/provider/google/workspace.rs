//! What does a Google Workspace event say? CloudEvents that come through Pub/Sub.
//!
//! Source: Google Workspace Events API, "Subscription lifecycle events" and "Drive events"; CloudEvents, Pub/Sub protocol
//! binding: attributes `ce-*` (binary mode), or a content type `application/cloudevents` (structured mode).

mod payload;

use super::pubsub::Message;
use crate::batch::{Batch, Topic};
use crate::cloud_event::CloudEvent;
use crate::delivery::Verified;
use crate::form::Form;
use crate::mailbox_event::{
    Change, Credential, EVENT_SCHEMA, Fetch, Identity, Kind, LIFECYCLE_SCHEMA, LifecycleEvent,
    Mailbox, MailboxEvent, NoHeaders, Provider, Resource, Resync, Signal, Subscription, event_type,
    partition_key,
};
use crate::percent;
use crate::time::Rfc3339;

pub(super) use payload::{Event, is_cloud_event};

const SERVICE: &str = "workspace-events";
/// Lower-case beginnings of the types that are known.
const FILE_TYPES: &str = "google.workspace.drive.file.v3.";
const LIFECYCLE_TYPES: &str = "google.workspace.events.subscription.v1.";

impl Event {
    /// Appends the event's records; `false`, and nothing is appended, where one is larger than Kafka takes.
    pub(super) fn write(
        &self,
        message: &Message<'_>,
        delivery: &Verified<'_>,
        form: &Form,
        batch: &mut Batch,
    ) -> bool {
        let lower = self.r#type.to_ascii_lowercase();
        let told = Told { event: self, message, delivery, form };
        match lower.strip_prefix(LIFECYCLE_TYPES).and_then(signal) {
            Some(signal) => told.write_lifecycle(signal, batch),
            None => told.write_change(lower.strip_prefix(FILE_TYPES), batch),
        }
    }
}

/// An event with what came around it.
struct Told<'a> {
    event: &'a Event,
    message: &'a Message<'a>,
    delivery: &'a Verified<'a>,
    form: &'a Form,
}

impl Told<'_> {
    fn tenant(&self) -> Option<&str> {
        self.message.source.tenant.as_deref()
    }

    /// The Workspace subscription, else the Pub/Sub one, else the configured source.
    fn subscription(&self) -> Subscription<'_> {
        let pushed = self.message.subscription.as_deref();
        Subscription {
            id: self.event.subscription.as_deref().or(pushed).unwrap_or(&self.message.source.name),
            expires_at: self.event.expires.map(Rfc3339::of),
            ..Subscription::default()
        }
    }

    fn identity(&self) -> Identity {
        if self.message.given_id { Identity::Strong } else { Identity::Weak }
    }

    /// The last word of the type, as the provider spells it.
    fn word(&self) -> &str {
        self.event.r#type.rsplit_once('.').map_or(self.event.r#type.as_str(), |(_, word)| word)
    }

    fn write_change(&self, file_word: Option<&str>, batch: &mut Batch) -> bool {
        let (kind, change) = match file_word {
            Some("created" | "added") => (Kind::File, Change::Added),
            Some("deleted") => (Kind::File, Change::Removed),
            Some("trashed") => (Kind::File, Change::Trashed),
            Some("untrashed") => (Kind::File, Change::Untrashed),
            Some(_) => (Kind::File, Change::Updated),
            None => (Kind::Other, Change::Changed),
        };
        let fetchable = kind == Kind::File && change != Change::Removed;
        let url = self.event.file.as_deref().filter(|_| fetchable).and_then(file_url);
        let data = MailboxEvent {
            provider: Provider::Google,
            service: SERVICE,
            credential: Credential::of_source(self.tenant(), None),
            mailbox: Mailbox::default(),
            resource: Resource {
                kind,
                id: self.event.file.as_deref(),
                path: self.event.subject.as_deref(),
                provider_type: Some(&self.event.r#type),
                ..Resource::default()
            },
            change,
            provider_change: Some(self.word()),
            changed: None,
            subscription: self.subscription(),
            cursor: None,
            fetch: url.as_deref().map(|url| Fetch { method: "GET", url, headers: NoHeaders {} }),
            identity: self.identity(),
            resync: None,
        };
        let subject = self.event.file.as_deref().or(self.event.subject.as_deref());
        let r#type = event_type(kind.as_str(), change.as_str());
        self.record((Topic::Events, EVENT_SCHEMA), &self.message.id, &r#type, subject, &data, batch)
    }

    fn write_lifecycle(&self, signal: Signal, batch: &mut Batch) -> bool {
        let data = LifecycleEvent {
            provider: Provider::Google,
            service: SERVICE,
            credential: Credential::of_source(self.tenant(), None),
            subscription: self.subscription(),
            signal,
            provider_signal: self.word(),
            identity: self.identity(),
        };
        let r#type = event_type("subscription", signal.as_str());
        let subject = Some(self.subscription().id);
        let topic = (Topic::Lifecycle, LIFECYCLE_SCHEMA);
        if !self.record(topic, &self.message.id, &r#type, subject, &data, batch) {
            return false;
        }
        let reason = match signal {
            Signal::Suspended => "gap",
            Signal::Expired => "expired",
            _ => return true,
        };
        let fits = self.write_resync(reason, batch);
        if !fits {
            batch.abandon();
        }
        fits
    }

    /// What happened while nothing was delivered can only be had by reading everything again.
    fn write_resync(&self, reason: &'static str, batch: &mut Batch) -> bool {
        let data = MailboxEvent {
            provider: Provider::Google,
            service: SERVICE,
            credential: Credential::of_source(self.tenant(), None),
            mailbox: Mailbox::default(),
            resource: Resource { kind: Kind::Drive, ..Resource::default() },
            change: Change::ResyncRequired,
            provider_change: Some(self.word()),
            changed: None,
            subscription: self.subscription(),
            cursor: None,
            fetch: None,
            identity: self.identity(),
            resync: Some(Resync { reason, since: None }),
        };
        let id = [&self.message.id, ".resync"].concat();
        let r#type = event_type(Kind::Mailbox.as_str(), Change::ResyncRequired.as_str());
        let subject = Some(self.subscription().id);
        self.record((Topic::Events, EVENT_SCHEMA), &id, &r#type, subject, &data, batch)
    }

    fn record<D: serde::Serialize>(
        &self,
        (topic, data_schema): (Topic, &'static str),
        id: &str,
        r#type: &str,
        subject: Option<&str>,
        data: &D,
        batch: &mut Batch,
    ) -> bool {
        let received = Rfc3339::of(self.delivery.received);
        CloudEvent {
            topic,
            id,
            source: &self.message.event_source(),
            r#type,
            subject,
            time: self.message.published.map_or(received, Rfc3339::of),
            recorded_time: received,
            partition_key: &partition_key(self.tenant(), None, None, self.subscription().id),
            data_schema,
            traceparent: self.delivery.traceparent,
            data,
        }
        .write_within(self.form, batch)
    }
}

/// What a lifecycle type says, by its last word in lower case; an unknown one is an event like any other unknown type.
fn signal(word: &str) -> Option<Signal> {
    match word {
        "suspended" => Some(Signal::Suspended),
        "expired" => Some(Signal::Expired),
        "expirationreminder" => Some(Signal::Expiring),
        _ => None,
    }
}

/// Where a file's metadata is read: a fixed host and an encoded id. `None`: a client would take the id for a step out of
/// the path.
fn file_url(id: &str) -> Option<String> {
    let mut url = String::from("https://www.googleapis.com/drive/v3/files/");
    percent::encode_into(&mut url, id);
    (id != "." && id != "..").then_some(url)
}
