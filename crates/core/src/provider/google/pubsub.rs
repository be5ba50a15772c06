//! What is in a Pub/Sub push, wrapped or not, and which service is it about?
//!
//! The token of the request proved who sent it, so nothing here is refused: what cannot be read is quarantined, as an
//! error answer would only be pushed again for days. Source: Google Cloud, "Push subscriptions", "Payload unwrapping".

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use http::HeaderMap;
use serde::de::{IgnoredAny, MapAccess};
use sha2::{Digest as _, Sha256};

use super::source::PubsubSource;
use super::{gmail, workspace};
use crate::batch::Batch;
use crate::delivery::{Delivery, Form, Items, Verified};
use crate::json::{Faults, Json, Members, Name, Text};
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
const SUBSCRIPTION_NAME: &str = "x-goog-pubsub-subscription-name";
const MESSAGE_ID: &str = "x-goog-pubsub-message-id";
const PUBLISH_TIME: &str = "x-goog-pubsub-publish-time";

/// Both alphabets, with padding or without: the guides disagree, and so do senders.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

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

/// A message taken out of its envelope, not understood yet.
#[derive(Default)]
struct Envelope<'b> {
    id: Text<'b>,
    published: Text<'b>,
    subscription: Text<'b>,
    data: Cow<'b, [u8]>,
    attributes: BTreeMap<String, String>,
}

/// Reads a push and judges it.
pub(crate) fn verify<'b>(
    delivery: &Delivery<'b>,
    source: &'b PubsubSource,
    headers: &'b HeaderMap,
    trust: &Trust,
) -> Verified<'b> {
    let read =
        if source.wrapped { wrapped(delivery.body) } else { unwrapped(delivery.body, headers) };
    let cloud_event =
        read.as_ref().is_ok_and(|envelope| workspace::is_cloud_event(&envelope.attributes));
    let judged = read.and_then(|envelope| judge(envelope, source, trust));
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
    match judged {
        Ok(Some(message)) => verified.items = Items::Pubsub(Some(message)),
        Ok(None) => verified.denied = 1,
        Err(reason) => {
            verified.whole = (reason == Reason::UnreadableBody).then_some(reason);
            verified.untrusted.push(Untrusted { index: 0, reason });
        }
    }
    verified
}

/// `None`: the source's tenant is denied.
fn judge<'b>(
    envelope: Envelope<'b>,
    source: &'b PubsubSource,
    trust: &Trust,
) -> Result<Option<Message<'b>>, Reason> {
    if source.tenant.as_deref().is_some_and(|tenant| trust.denies_tenant(tenant)) {
        return Ok(None);
    }
    let named = envelope.subscription.filter(|name| !name.is_empty());
    if let (Some(named), Some(configured)) = (&named, &source.subscription)
        && *named != **configured
    {
        return Err(Reason::TenantMismatch);
    }
    let content = if workspace::is_cloud_event(&envelope.attributes) {
        workspace::Event::read(&envelope.attributes, &envelope.data).map(Content::Workspace)
    } else {
        gmail::Notification::read(&envelope.data).map(Content::Gmail)
    };
    let content = content.ok_or(Reason::UnusableItem)?;
    let given = envelope.id.filter(|id| !id.is_empty());
    Ok(Some(Message {
        given_id: given.is_some(),
        id: given.map_or_else(|| hex(&Sha256::digest(&envelope.data)[..16]), Cow::into_owned),
        published: envelope.published.as_deref().and_then(UnixMillis::parse),
        subscription: named.or_else(|| source.subscription.as_deref().map(Cow::Borrowed)),
        source,
        content,
    }))
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

fn wrapped(body: &[u8]) -> Result<Envelope<'_>, Reason> {
    let text = std::str::from_utf8(body).map_err(|_| Reason::UnreadableBody)?;
    let push: Json<'_, Push<'_>> =
        serde_json::from_str(text).map_err(|_| Reason::UnreadableBody)?;
    let Json::Object(Push { faulty: false, subscription, message: Some(message) }) = push else {
        return Err(Reason::UnreadableBody);
    };
    let id = one_of(message.message_id, message.message_id_snake)?;
    let published = one_of(message.publish_time, message.publish_time_snake)?;
    let data = match &message.data {
        Some(data) => Cow::Owned(decode(data).ok_or(Reason::UnusableItem)?),
        None => Cow::Borrowed(&[][..]),
    };
    Ok(Envelope { id, published, subscription, data, attributes: message.attributes })
}

/// The same member in two casings: one value, or it is not usable.
fn one_of<'b>(camel: Text<'b>, snake: Text<'b>) -> Result<Text<'b>, Reason> {
    match (camel, snake) {
        (Some(camel), Some(snake)) if camel != snake => Err(Reason::UnusableItem),
        (camel, snake) => Ok(camel.or(snake)),
    }
}

fn decode(data: &str) -> Option<Vec<u8>> {
    let url_safe = data.bytes().any(|byte| byte == b'-' || byte == b'_');
    if url_safe { URL_SAFE.decode(data) } else { STANDARD.decode(data) }.ok()
}

/// An unwrapped push: the body is the data, headers carry the rest where the subscription writes metadata.
fn unwrapped<'b>(body: &'b [u8], headers: &'b HeaderMap) -> Result<Envelope<'b>, Reason> {
    let one = |name: &str| -> Result<Text<'b>, Reason> {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => {
                let text =
                    std::str::from_utf8(value.as_bytes()).map_err(|_| Reason::UnusableItem)?;
                Ok(Some(Cow::Borrowed(text)))
            }
            _ => Err(Reason::UnusableItem),
        }
    };
    let mut attributes = BTreeMap::new();
    for name in headers.keys().map(http::HeaderName::as_str) {
        if (name.starts_with("ce-") || name == "content-type")
            && let Some(value) = one(name)?
        {
            attributes.insert(name.to_owned(), value.into_owned());
        }
    }
    Ok(Envelope {
        id: one(MESSAGE_ID)?,
        published: one(PUBLISH_TIME)?,
        subscription: one(SUBSCRIPTION_NAME)?,
        data: Cow::Borrowed(body),
        attributes,
    })
}

#[derive(Default)]
struct Push<'b> {
    faulty: bool,
    subscription: Text<'b>,
    message: Option<Wrapped<'b>>,
}

#[derive(Default)]
struct Wrapped<'b> {
    faulty: bool,
    data: Text<'b>,
    message_id: Text<'b>,
    message_id_snake: Text<'b>,
    publish_time: Text<'b>,
    publish_time_snake: Text<'b>,
    attributes: BTreeMap<String, String>,
}

impl<'b> Members<'b> for Push<'b> {
    fn read<A: MapAccess<'b>>(mut map: A) -> Result<Self, A::Error> {
        let mut push = Self::default();
        let mut faults = Faults::default();
        while let Some(Name(name)) = map.next_key()? {
            match &*name {
                "subscription" => {
                    faults.text(0, &mut push.subscription, map.next_value::<Json<'b>>()?);
                }
                "message" => {
                    faults.see(1);
                    match map.next_value::<Json<'b, Wrapped<'b>>>()? {
                        Json::Object(message) => {
                            faults.add(message.faulty);
                            push.message = Some(message);
                        }
                        Json::Null => {}
                        _ => faults.add(true),
                    }
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        push.faulty = faults.found();
        Ok(push)
    }
}

impl<'b> Members<'b> for Wrapped<'b> {
    fn read<A: MapAccess<'b>>(mut map: A) -> Result<Self, A::Error> {
        let mut message = Self::default();
        let mut faults = Faults::default();
        while let Some(Name(name)) = map.next_key()? {
            let (number, slot) = match &*name {
                "data" => (0, &mut message.data),
                "messageId" => (1, &mut message.message_id),
                "message_id" => (2, &mut message.message_id_snake),
                "publishTime" => (3, &mut message.publish_time),
                "publish_time" => (4, &mut message.publish_time_snake),
                "attributes" => {
                    faults.see(5);
                    match map.next_value::<Json<'b, Attributes>>()? {
                        Json::Object(Attributes(Some(attributes))) => {
                            message.attributes = attributes;
                        }
                        Json::Null => {}
                        _ => faults.add(true),
                    }
                    continue;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            faults.text(number, slot, map.next_value::<Json<'b>>()?);
        }
        message.faulty = faults.found();
        Ok(message)
    }
}

/// A map of text to text; `None` where it is another map. Names in lower case: headers would be.
struct Attributes(Option<BTreeMap<String, String>>);

impl<'b> Members<'b> for Attributes {
    fn read<A: MapAccess<'b>>(mut map: A) -> Result<Self, A::Error> {
        let mut all = Some(BTreeMap::new());
        while let Some((Name(name), value)) = map.next_entry::<Name<'b>, Json<'b>>()? {
            let entered = match (&mut all, value) {
                (Some(all), Json::Text(value)) => {
                    all.insert(name.to_ascii_lowercase(), value.into_owned()).is_none()
                }
                _ => false,
            };
            if !entered {
                all = None;
            }
        }
        Ok(Self(all))
    }
}
