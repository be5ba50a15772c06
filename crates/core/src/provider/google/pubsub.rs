//! What is in a Pub/Sub push, wrapped or not, and which service is it about?
//!
//! The token of the request proved who sent it, so nothing here is refused: what cannot be read is quarantined, as an
//! error answer would only be pushed again for days. Source: Google Cloud, "Push subscriptions", "Payload unwrapping".

use std::borrow::Cow;

use http::HeaderMap;
use sha2::{Digest as _, Sha256};

use super::envelope::{self, Envelope, MESSAGE_ID, PUBLISH_TIME, SUBSCRIPTION_NAME, Unfit};
use super::source::PubsubSource;
use super::{gmail, workspace};
use crate::batch::Batch;
use crate::delivery::{Delivery, Items, Verified};
use crate::form::Form;
use crate::percent;
use crate::quarantine::hex;
use crate::reason::{Reason, Untrusted};
use crate::service::Service;
use crate::time::UnixMillis;
use crate::trust::Trust;

/// The request headers that a replay of an unwrapped push needs.
pub const KEPT_HEADERS: [&str; 10] = [
    "content-type",
    SUBSCRIPTION_NAME,
    MESSAGE_ID,
    PUBLISH_TIME,
    "ce-id",
    "ce-source",
    "ce-type",
    "ce-time",
    "ce-subject",
    "ce-specversion",
];

/// A message that is genuine and understood.
#[derive(Debug)]
pub(crate) struct Message<'b> {
    pub(super) id: String,
    /// Whether the provider gave the id.
    pub(super) given_id: bool,
    pub(super) published: Option<UnixMillis>,
    /// `projects/P/subscriptions/S`, where it is known.
    pub(super) subscription: Option<Cow<'b, str>>,
    pub(super) source: &'b PubsubSource,
    pub(super) content: Content,
}

/// What a message says.
#[derive(Debug)]
pub(super) enum Content {
    Gmail(gmail::Notification),
    Workspace(workspace::Event),
}

/// Reads a push and judges it.
pub(crate) fn verify<'b>(
    delivery: &Delivery<'b>,
    source: &'b PubsubSource,
    headers: &'b HeaderMap,
    trust: &Trust,
) -> Verified<'b> {
    let read = if source.wrapped {
        envelope::wrapped(delivery.body)
    } else {
        Some(envelope::unwrapped(delivery.body, headers))
    };
    let cloud_event =
        read.as_ref().is_some_and(|envelope| workspace::is_cloud_event(&envelope.attributes));
    let mut verified = Verified {
        service: if cloud_event { Service::WorkspaceEvents } else { Service::Gmail },
        items: Items::Pubsub(None),
        untrusted: Vec::new(),
        denied: 0,
        total: 1,
        whole: None,
        traceparent: delivery.traceparent,
        received: delivery.received,
    };
    // First, whatever else is wrong with it: nothing of a denied tenant is stored, not even what cannot be read.
    if is_denied(source, trust) {
        verified.denied = 1;
        return verified;
    }
    match read.ok_or(Reason::UnreadableBody).and_then(|envelope| judge(envelope, source)) {
        Ok(message) => verified.items = Items::Pubsub(Some(message)),
        Err(reason) => {
            verified.whole = (reason == Reason::UnreadableBody).then_some(reason);
            verified.untrusted.push(Untrusted { index: 0, reason });
        }
    }
    verified
}

fn is_denied(source: &PubsubSource, trust: &Trust) -> bool {
    source.tenant.as_deref().is_some_and(|tenant| trust.denies_tenant(tenant))
}

/// What is known of a push whose body is not read: its service, and whether its tenant is denied.
#[must_use]
pub fn unread(source: &PubsubSource, headers: &HeaderMap, trust: &Trust) -> (Service, bool) {
    let told =
        !source.wrapped && workspace::is_cloud_event(&envelope::unwrapped(&[], headers).attributes);
    (if told { Service::WorkspaceEvents } else { Service::Gmail }, is_denied(source, trust))
}

/// A wrapped message is an item of its body, so that what is wrong with it is the item's. An unwrapped one is the body:
/// data that cannot be read is a body that cannot be, whatever the headers say.
fn judge<'b>(envelope: Envelope<'b>, source: &'b PubsubSource) -> Result<Message<'b>, Reason> {
    let content = if workspace::is_cloud_event(&envelope.attributes) {
        workspace::Event::read(&envelope.attributes, &envelope.data).map(Content::Workspace)
    } else {
        gmail::Notification::read(&envelope.data).map(Content::Gmail)
    };
    if !source.wrapped && matches!(content, Err(Unfit::Unreadable)) {
        return Err(Reason::UnreadableBody);
    }
    let named = envelope.subscription.filter(|name| !name.is_empty());
    if let (Some(named), Some(configured)) = (&named, &source.subscription)
        && *named != **configured
    {
        return Err(Reason::TenantMismatch);
    }
    if envelope.faulty {
        return Err(Reason::UnusableItem);
    }
    let content = content.map_err(|_| Reason::UnusableItem)?;
    let given = envelope.id.filter(|id| !id.is_empty());
    let configured = || source.subscription.as_deref().map(Cow::Borrowed);
    Ok(Message {
        given_id: given.is_some(),
        id: given.map_or_else(|| hex(&Sha256::digest(&envelope.data)[..16]), Cow::into_owned),
        published: envelope.published.as_deref().and_then(UnixMillis::parse),
        subscription: named.filter(|name| is_subscription(name)).or_else(configured),
        source,
        content,
    })
}

/// Whether a text has the form of a subscription's name: another would lead consumers nowhere.
fn is_subscription(name: &str) -> bool {
    let parts = name.strip_prefix("projects/").and_then(|rest| rest.split_once("/subscriptions/"));
    parts.is_some_and(|(project, subscription)| {
        let one = |part: &str| !part.is_empty() && !part.contains('/');
        one(project) && one(subscription)
    })
}

/// Writes the records of a message.
pub(crate) fn normalize(
    message: Option<&Message<'_>>,
    delivery: &Verified<'_>,
    form: &Form,
) -> (Batch, Vec<Untrusted>) {
    let mut batch = Batch::with_capacity(2, 2_048);
    let fits = match message.map(|message| (message, &message.content)) {
        None => true,
        Some((message, Content::Gmail(said))) => said.write(message, delivery, form, &mut batch),
        Some((message, Content::Workspace(said))) => {
            said.write(message, delivery, form, &mut batch)
        }
    };
    let too_large = Untrusted { index: 0, reason: Reason::TooLarge };
    (batch, if fits { Vec::new() } else { vec![too_large] })
}

impl Message<'_> {
    /// CloudEvents `source`: the subscription, or the configured source where nothing names one.
    pub(super) fn event_source(&self) -> String {
        let mut out = String::with_capacity(96);
        match &self.subscription {
            Some(name) => {
                out.push_str("//pubsub.googleapis.com");
                for part in name.split('/') {
                    out.push('/');
                    percent::encode_into(&mut out, part);
                }
            }
            None => {
                out.push_str("//postern/pubsub/");
                percent::encode_into(&mut out, &self.source.name);
            }
        }
        out
    }
}
