//! What does a genuine Graph item say, in postern's words?

use sha2::{Digest as _, Sha256};

use super::payload::Item;
use super::resource::{self, Owner, ResourcePath};
use super::verify::Genuine;
use crate::batch::{Batch, Topic};
use crate::cloud_event::CloudEvent;
use crate::delivery::Verified;
use crate::form::Form;
use crate::json::Text;
use crate::mailbox_event::{
    Change, Credential, EVENT_SCHEMA, Fetch, Identity, Kind, LIFECYCLE_SCHEMA, LifecycleEvent,
    MailboxEvent, NoHeaders, Provider, Resource, Resync, Signal, Subscription, event_type,
    partition_key,
};
use crate::percent;
use crate::quarantine::hex;
use crate::reason::{Reason, Untrusted};
use crate::time::{Rfc3339, UnixMillis};

const SERVICE: &str = "graph";

/// Writes the records of every item; returns those whose record Kafka could never take.
pub(crate) fn normalize(
    items: &[Genuine<'_>],
    delivery: &Verified<'_>,
    form: &Form,
) -> (Batch, Vec<Untrusted>) {
    let mut batch = Batch::with_capacity(items.len(), items.len() * 1_792);
    let mut too_large = Vec::new();
    let received = Rfc3339::of(delivery.received);
    for genuine in items {
        if !Notice::new(genuine, delivery, received, form).write(&mut batch) {
            too_large.push(Untrusted { index: genuine.index, reason: Reason::TooLarge });
        }
    }
    (batch, too_large)
}

/// One item with what both its event and its lifecycle event need.
struct Notice<'a> {
    item: &'a Item<'a>,
    path: ResourcePath<'a>,
    credential: Credential<'a>,
    subscription: Subscription<'a>,
    source: String,
    key: String,
    delivery: &'a Verified<'a>,
    received: Rfc3339,
    form: &'a Form,
}

impl<'a> Notice<'a> {
    fn new(
        genuine: &'a Genuine<'a>,
        delivery: &'a Verified<'a>,
        received: Rfc3339,
        form: &'a Form,
    ) -> Self {
        let item = &genuine.item;
        let claims = &*genuine.claims;
        let id = item.subscription_id.as_deref().unwrap_or_default();
        let path = ResourcePath::parse(item.resource.as_deref().unwrap_or_default());
        let mut source = String::with_capacity(96);
        source.push_str("//graph.microsoft.com/subscriptions/");
        percent::encode_into(&mut source, id);
        Self {
            item,
            credential: Credential::of(Provider::Microsoft, claims),
            subscription: Subscription {
                id,
                label: claims.label.as_deref(),
                expires_at: item.expires.as_deref().and_then(UnixMillis::parse).map(Rfc3339::of),
                provider_tenant_id: said(&item.tenant_id)
                    .or(said(&item.organization_id))
                    .or(path.provider_tenant),
            },
            source,
            key: {
                let named = path.mailbox();
                let mailbox = named.id.or(named.address).or(claims.subject.as_deref());
                partition_key(Some(&claims.tenant), claims.user.as_deref(), mailbox, id)
            },
            path,
            delivery,
            received,
            form,
        }
    }

    /// Appends the item's records; `false`, and nothing is appended, where one is larger than Kafka takes.
    fn write(&self, batch: &mut Batch) -> bool {
        match said(&self.item.lifecycle_event) {
            Some(word) => self.write_lifecycle(word, batch),
            None => self.write_change(said(&self.item.change_type).unwrap_or_default(), batch),
        }
    }

    fn write_change(&self, word: &str, batch: &mut Batch) -> bool {
        let item = self.item;
        let resource = said(&item.resource);
        let odata_type = said(&item.data.odata_type);
        // Without a resource nothing says where the thing lives, whatever its type.
        let kind = resource.map_or(Kind::Other, |_| resource::kind(odata_type, &self.path));
        let change = change(word);
        let etag = said(&item.data.odata_etag);
        let subscription = self.subscription.id;
        let hashed =
            || hash(&[subscription, word, resource.unwrap_or_default(), etag.unwrap_or_default()]);
        let id = said(&item.id).map_or_else(hashed, str::to_owned);
        let thing = said(&item.data.id).or(self.path.id.as_deref());
        let url = self.url(kind, change, thing);
        let data = MailboxEvent {
            provider: Provider::Microsoft,
            service: SERVICE,
            credential: self.credential,
            mailbox: self.path.mailbox(),
            resource: Resource {
                kind,
                id: thing,
                path: resource,
                etag,
                collection: None,
                provider_type: odata_type,
            },
            change,
            provider_change: Some(word),
            changed: None,
            subscription: self.subscription,
            cursor: None,
            fetch: url.as_deref().map(|url| Fetch { method: "GET", url, headers: NoHeaders {} }),
            identity: identity(said(&item.id).is_some() || etag.is_some()),
            resync: None,
        };
        let r#type = event_type(kind.as_str(), change.as_str());
        self.record(Topic::Events, EVENT_SCHEMA, &id, &r#type, resource, &data, batch)
    }

    fn write_lifecycle(&self, word: &str, batch: &mut Batch) -> bool {
        let signal = signal(word);
        let expires = self.item.expires.as_deref().unwrap_or_default();
        let given = said(&self.item.id);
        let id = given.map_or_else(|| hash(&[self.subscription.id, word, expires]), str::to_owned);
        let identity = identity(given.is_some());
        let data = LifecycleEvent {
            provider: Provider::Microsoft,
            service: SERVICE,
            credential: self.credential,
            subscription: self.subscription,
            signal,
            provider_signal: word,
            identity,
        };
        let r#type = event_type("subscription", signal.as_str());
        let subject = Some(self.subscription.id);
        if !self.record(Topic::Lifecycle, LIFECYCLE_SCHEMA, &id, &r#type, subject, &data, batch) {
            return false;
        }
        let reason = match signal {
            Signal::Missed => "missed",
            Signal::Removed => "removed",
            _ => return true,
        };
        let fits = self.write_resync(word, reason, &id, identity, batch);
        if !fits {
            batch.abandon();
        }
        fits
    }

    /// What was missed can only be had by reading everything again: an event for the fetchers.
    fn write_resync(
        &self,
        word: &str,
        reason: &'static str,
        lifecycle_id: &str,
        identity: Identity,
        batch: &mut Batch,
    ) -> bool {
        let data = MailboxEvent {
            provider: Provider::Microsoft,
            service: SERVICE,
            credential: self.credential,
            mailbox: self.path.mailbox(),
            resource: Resource {
                kind: Kind::Mailbox,
                path: said(&self.item.resource),
                ..Resource::default()
            },
            change: Change::ResyncRequired,
            provider_change: Some(word),
            changed: None,
            subscription: self.subscription,
            cursor: None,
            fetch: None,
            identity,
            resync: Some(Resync { reason, since: None }),
        };
        let id = [lifecycle_id, ".resync"].concat();
        let r#type = event_type("mailbox", Change::ResyncRequired.as_str());
        let subject = Some(self.subscription.id);
        self.record(Topic::Events, EVENT_SCHEMA, &id, &r#type, subject, &data, batch)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the attributes of one CloudEvent, each used once"
    )]
    fn record<D: serde::Serialize>(
        &self,
        topic: Topic,
        data_schema: &'static str,
        id: &str,
        r#type: &str,
        subject: Option<&str>,
        data: &D,
        batch: &mut Batch,
    ) -> bool {
        CloudEvent {
            topic,
            id,
            source: &self.source,
            r#type,
            subject,
            // Graph does not say when it happened.
            time: self.received,
            recorded_time: self.received,
            partition_key: &self.key,
            data_schema,
            traceparent: self.delivery.traceparent,
            data,
        }
        .write_within(self.form, batch)
    }

    /// The URL of the changed thing, put together from a fixed host and encoded ids: a fetcher sends a token there,
    /// so nothing of what was received decides the host.
    fn url(&self, kind: Kind, change: Change, id: Option<&str>) -> Option<String> {
        let (id, owner) = (id?, self.path.owner.as_ref()?);
        if change == Change::Deleted {
            return None;
        }
        let mut url = String::with_capacity(256);
        url.push_str("https://");
        url.push_str(self.form.cloud.graph_host());
        url.push_str("/v1.0/");
        match owner {
            Owner::Me => url.push_str("me"),
            Owner::User(user) => {
                url.push_str("users/");
                percent::encode_into(&mut url, segment(user)?);
            }
        }
        match kind {
            Kind::Message => url.push_str("/messages/"),
            Kind::Event => url.push_str("/events/"),
            Kind::Contact => url.push_str("/contacts/"),
            Kind::Task => {
                url.push_str("/todo/lists/");
                percent::encode_into(&mut url, segment(self.path.list.as_deref()?)?);
                url.push_str("/tasks/");
            }
            _ => return None,
        }
        percent::encode_into(&mut url, segment(id)?);
        Some(url)
    }
}

/// An id that may stand in a URL path: a client takes dot segments, encoded or not, for steps out of it.
fn segment(id: &str) -> Option<&str> {
    (id != "." && id != "..").then_some(id)
}

fn said<'a>(text: &'a Text<'_>) -> Option<&'a str> {
    text.as_deref().filter(|text| !text.is_empty())
}

fn change(word: &str) -> Change {
    let is = |known: &str| word.eq_ignore_ascii_case(known);
    match () {
        () if is("created") => Change::Created,
        () if is("updated") => Change::Updated,
        () if is("deleted") => Change::Deleted,
        () => Change::Other,
    }
}

fn signal(word: &str) -> Signal {
    let is = |known: &str| word.eq_ignore_ascii_case(known);
    match () {
        () if is("reauthorizationRequired") => Signal::ReauthorizationRequired,
        () if is("subscriptionRemoved") => Signal::Removed,
        () if is("missed") => Signal::Missed,
        () => Signal::Other,
    }
}

fn identity(strong: bool) -> Identity {
    if strong { Identity::Strong } else { Identity::Weak }
}

/// An id that the same delivery always has: half of a SHA-256 over the parts, each with its length.
fn hash(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hex(&hasher.finalize()[..16])
}
