//! How is a message taken out of a Pub/Sub push, wrapped or not?
//!
//! Source: Google Cloud, "Push subscriptions", "Payload unwrapping".

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use http::HeaderMap;
use serde::de::{IgnoredAny, MapAccess};

use crate::json::{Faults, Json, Members, Name, Text};

pub(super) const SUBSCRIPTION_NAME: &str = "x-goog-pubsub-subscription-name";
pub(super) const MESSAGE_ID: &str = "x-goog-pubsub-message-id";
pub(super) const PUBLISH_TIME: &str = "x-goog-pubsub-publish-time";

/// Both alphabets, with padding or without: the guides disagree, and so do senders.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// A message taken out of its envelope, not understood yet.
#[derive(Debug, Default)]
pub(super) struct Envelope<'b> {
    /// Something that is read is not as documented: no event can be made of it.
    pub(super) faulty: bool,
    pub(super) id: Text<'b>,
    pub(super) published: Text<'b>,
    pub(super) subscription: Text<'b>,
    pub(super) data: Cow<'b, [u8]>,
    pub(super) attributes: Attributes,
}

/// Why no event can be made of a message's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// It is not what it is to be: no JSON, no object, a member that is read twice or of another type at its top level.
    Unreadable,
    /// It can be read, and lacks what an event needs or has it in a form that means nothing.
    Unusable,
}

/// The attributes that say whether a message carries a CloudEvent, names in lower case: headers would be.
pub(super) type Attributes = BTreeMap<String, String>;

fn tells(name: &str) -> bool {
    name.starts_with("ce-") || name == "content-type"
}

/// Reads a push that wraps its message in JSON; `None` where the body as a whole is not readable.
pub(super) fn wrapped(body: &[u8]) -> Option<Envelope<'_>> {
    let text = std::str::from_utf8(body).ok()?;
    let push: Json<'_, Push<'_>> = serde_json::from_str(text).ok()?;
    let Json::Object(Push { faulty: false, subscription, message: Some(message) }) = push else {
        return None;
    };
    let mut faulty = message.faulty;
    // The same member in two casings: one value, or it is not usable.
    let mut one_of = |camel: Text<'_>, snake: Text<'_>| {
        faulty |= camel.is_some() && snake.is_some() && camel != snake;
    };
    one_of(message.message_id.clone(), message.message_id_snake.clone());
    one_of(message.publish_time.clone(), message.publish_time_snake.clone());
    let data = message.data.as_deref().map_or(Some(Vec::new()), decode);
    Some(Envelope {
        faulty: faulty || data.is_none(),
        id: message.message_id.or(message.message_id_snake),
        published: message.publish_time.or(message.publish_time_snake),
        subscription,
        data: Cow::Owned(data.unwrap_or_default()),
        attributes: message.attributes.known,
    })
}

fn decode(data: &str) -> Option<Vec<u8>> {
    let url_safe = data.bytes().any(|byte| byte == b'-' || byte == b'_');
    if url_safe { URL_SAFE.decode(data) } else { STANDARD.decode(data) }.ok()
}

/// An unwrapped push: the body is the data, headers carry the rest where the subscription writes metadata.
pub(super) fn unwrapped<'b>(body: &'b [u8], headers: &'b HeaderMap) -> Envelope<'b> {
    let mut faulty = false;
    let mut one = |name: &str| -> Text<'b> {
        let mut values = headers.get_all(name).iter();
        let value = values.next()?;
        let text = std::str::from_utf8(value.as_bytes()).ok();
        faulty |= text.is_none() || values.next().is_some();
        text.map(Cow::Borrowed)
    };
    let (id, published) = (one(MESSAGE_ID), one(PUBLISH_TIME));
    let subscription = one(SUBSCRIPTION_NAME);
    let names = headers.keys().map(http::HeaderName::as_str).filter(|name| tells(name));
    let attributes =
        names.map(|name| (name.to_owned(), one(name).unwrap_or_default().into_owned())).collect();
    Envelope { faulty, id, published, subscription, data: Cow::Borrowed(body), attributes }
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
    attributes: Known,
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
                        Json::Object(message) => push.message = Some(message),
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
                    match map.next_value::<Json<'b, Known>>()? {
                        Json::Object(known) => {
                            faults.add(known.faulty);
                            message.attributes = known;
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

/// What is taken of a map of attributes.
#[derive(Default)]
struct Known {
    faulty: bool,
    known: Attributes,
}

impl<'b> Members<'b> for Known {
    fn read<A: MapAccess<'b>>(mut map: A) -> Result<Self, A::Error> {
        let mut all = Self::default();
        while let Some(Name(name)) = map.next_key()? {
            let name = name.to_ascii_lowercase();
            if !tells(&name) {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            match map.next_value::<Json<'b>>()? {
                Json::Text(value) => {
                    all.faulty |= all.known.insert(name, value.into_owned()).is_some();
                }
                Json::Null => {}
                _ => all.faulty = true,
            }
        }
        Ok(all)
    }
}
