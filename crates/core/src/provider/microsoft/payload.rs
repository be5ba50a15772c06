//! What shape does a `changeNotificationCollection` have?
//!
//! Reading is total: a broken body is an error, an odd item is an item that is marked unusable. What is read twice or
//! has another JSON type than documented makes its item unusable, since two readers could read it in two ways.
//! Source: Microsoft Graph, "changeNotification resource type".

use std::fmt;
use std::marker::PhantomData;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess,
    Visitor,
};
use serde_json::value::RawValue;

use crate::delivery::Rejection;
use crate::json::{Faults, Json, Members, Name, Text};

/// A delivery's items as they were sent.
#[derive(Debug)]
pub(super) struct Notifications<'b> {
    pub(super) items: Vec<Item<'b>>,
    /// Carries `validationTokens` or `encryptedContent`: its origin is to be proven in another way.
    pub(super) rich: bool,
}

/// One `changeNotification`, with the members that postern reads.
#[derive(Debug, Default)]
pub(super) struct Item<'b> {
    /// Can be made an event of, once it is proven.
    pub(super) usable: bool,
    pub(super) rich: bool,
    pub(super) id: Text<'b>,
    pub(super) subscription_id: Text<'b>,
    pub(super) expires: Text<'b>,
    pub(super) tenant_id: Text<'b>,
    pub(super) organization_id: Text<'b>,
    pub(super) client_state: Text<'b>,
    pub(super) change_type: Text<'b>,
    pub(super) lifecycle_event: Text<'b>,
    pub(super) resource: Text<'b>,
    pub(super) data: ResourceData<'b>,
}

/// The members of `resourceData` that postern reads.
#[derive(Debug, Default)]
pub(super) struct ResourceData<'b> {
    faulty: bool,
    pub(super) odata_type: Text<'b>,
    pub(super) odata_etag: Text<'b>,
    pub(super) id: Text<'b>,
}

/// Reads a body.
pub(super) fn read(body: &[u8], max_items: usize) -> Result<Notifications<'_>, Rejection> {
    // One check for the whole body is faster than one a string, and JSON is UTF-8 by RFC 8259.
    let text = std::str::from_utf8(body).map_err(|_| Rejection::Unreadable)?;
    // The quick way fails on an item with a string or a number that no Rust type holds; the careful way then tells
    // a broken body from a body with an odd item.
    let (items, tokens) = match read_as::<Item<'_>>(text, max_items)? {
        Some(read) => read,
        None => {
            let (raw, tokens) =
                read_as::<&RawValue>(text, max_items)?.ok_or(Rejection::Unreadable)?;
            (raw.into_iter().map(|raw| Item::read_alone(raw.get())).collect(), tokens)
        }
    };
    let rich = tokens || items.iter().any(|item| item.rich);
    Ok(Notifications { items, rich })
}

/// Reads the collection with items of type `T`, and whether it has `validationTokens`; `None` when serde finds fault
/// with anything.
fn read_as<'b, T: Deserialize<'b>>(
    text: &'b str,
    max: usize,
) -> Result<Option<(Vec<T>, bool)>, Rejection> {
    let mut too_many = false;
    let mut json = serde_json::Deserializer::from_str(text);
    let collection = Collection { max, too_many: &mut too_many, item: PhantomData };
    let read = json.deserialize_map(collection);
    let ended = json.end();
    if too_many {
        return Err(Rejection::TooManyItems);
    }
    Ok(read.ok().filter(|_| ended.is_ok()))
}

/// Visitor of the top-level object, and of the list in it.
struct Collection<'c, T> {
    max: usize,
    too_many: &'c mut bool,
    item: PhantomData<T>,
}

impl<'b, T: Deserialize<'b>> Visitor<'b> for Collection<'_, T> {
    type Value = (Vec<T>, bool);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a collection of change notifications")
    }

    fn visit_map<A: MapAccess<'b>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut items, mut tokens) = (None, None);
        while let Some(Name(name)) = map.next_key()? {
            let twice = match &*name {
                "value" => {
                    let list =
                        List { max: self.max, too_many: &mut *self.too_many, item: PhantomData };
                    items.replace(map.next_value_seed(list)?).is_some()
                }
                "validationTokens" => {
                    let list: Option<Vec<IgnoredAny>> = map.next_value()?;
                    tokens.replace(list.is_some()).is_some()
                }
                _ => map.next_value::<IgnoredAny>().map(|_| false)?,
            };
            if twice {
                return Err(A::Error::custom("a member is given twice"));
            }
        }
        let items = items.ok_or_else(|| A::Error::missing_field("value"))?;
        Ok((items, tokens.unwrap_or(false)))
    }
}

/// Reads the list of items up to the limit.
struct List<'c, T> {
    max: usize,
    too_many: &'c mut bool,
    item: PhantomData<T>,
}

impl<'b, T: Deserialize<'b>> DeserializeSeed<'b> for List<'_, T> {
    type Value = Vec<T>;

    fn deserialize<D: Deserializer<'b>>(self, deserializer: D) -> Result<Vec<T>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'b, T: Deserialize<'b>> Visitor<'b> for List<'_, T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of change notifications")
    }

    fn visit_seq<A: SeqAccess<'b>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
        // Most deliveries hold one item, and a `Vec` would begin with room for four.
        let mut items = Vec::with_capacity(1);
        while let Some(item) = seq.next_element()? {
            if items.len() == self.max {
                *self.too_many = true;
                return Err(A::Error::custom("too many items"));
            }
            items.push(item);
        }
        Ok(items)
    }
}

impl<'b> Item<'b> {
    /// Reads one item on its own; what cannot be read is unusable.
    fn read_alone(raw: &'b str) -> Self {
        serde_json::from_str(raw).unwrap_or_else(|_| match serde_json::from_str(raw) {
            Ok(Json::Object(Salvaged(item))) => item,
            Ok(_) | Err(_) => Self::default(),
        })
    }

    /// The slot of a text member, and its number for [`Faults`].
    fn slot(&mut self, name: &str) -> Option<(u8, &mut Text<'b>)> {
        Some(match name {
            "id" => (0, &mut self.id),
            "subscriptionId" => (1, &mut self.subscription_id),
            "subscriptionExpirationDateTime" => (2, &mut self.expires),
            "tenantId" => (3, &mut self.tenant_id),
            "organizationId" => (4, &mut self.organization_id),
            "clientState" => (5, &mut self.client_state),
            "changeType" => (6, &mut self.change_type),
            "lifecycleEvent" => (7, &mut self.lifecycle_event),
            "resource" => (8, &mut self.resource),
            _ => return None,
        })
    }

    fn says_something(&self) -> bool {
        let said = |text: &Text<'_>| text.as_ref().is_some_and(|text| !text.is_empty());
        said(&self.subscription_id) && (said(&self.change_type) || said(&self.lifecycle_event))
    }
}

const RESOURCE_DATA: u8 = 9;
const ENCRYPTED_CONTENT: u8 = 10;

impl<'b> Deserialize<'b> for Item<'b> {
    fn deserialize<D: Deserializer<'b>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Json::deserialize(deserializer)? {
            Json::Object(item) => item,
            _ => Self::default(),
        })
    }
}

impl<'b> Members<'b> for Item<'b> {
    fn read<A: MapAccess<'b>>(mut map: A) -> Result<Self, A::Error> {
        let mut item = Self::default();
        let mut faults = Faults::default();
        while let Some(Name(name)) = map.next_key()? {
            if let Some((number, slot)) = item.slot(&name) {
                faults.text(number, slot, map.next_value::<Json<'b>>()?);
                continue;
            }
            match &*name {
                "resourceData" => {
                    faults.see(RESOURCE_DATA);
                    match map.next_value()? {
                        Json::Object(data) => item.data = data,
                        Json::Null => {}
                        _ => faults.add(true),
                    }
                }
                "encryptedContent" => {
                    faults.see(ENCRYPTED_CONTENT);
                    item.rich |= map.next_value::<Option<IgnoredAny>>()?.is_some();
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        item.usable = !faults.found() && !item.data.faulty && item.says_something();
        Ok(item)
    }
}

/// What is read of an item that no event can be made of, member by member: whose it is, since nothing of a denied
/// connection is stored, and whether it is rich.
struct Salvaged<'b>(Item<'b>);

impl<'b> Members<'b> for Salvaged<'b> {
    fn read<A: MapAccess<'b>>(mut map: A) -> Result<Self, A::Error> {
        let mut item = Item::default();
        while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            match read_text(name).as_deref() {
                Some("clientState") => item.client_state = read_text(value),
                Some("encryptedContent") => item.rich |= value.get() != "null",
                _ => {}
            }
        }
        Ok(Self(item))
    }
}

fn read_text(raw: &RawValue) -> Text<'_> {
    match serde_json::from_str::<Json<'_>>(raw.get()) {
        Ok(Json::Text(text)) => Some(text),
        Ok(_) | Err(_) => None,
    }
}

impl<'b> Members<'b> for ResourceData<'b> {
    fn read<A: MapAccess<'b>>(mut map: A) -> Result<Self, A::Error> {
        let mut data = Self::default();
        let mut faults = Faults::default();
        while let Some(Name(name)) = map.next_key()? {
            let (number, slot) = match &*name {
                "@odata.type" => (0, &mut data.odata_type),
                "@odata.etag" => (1, &mut data.odata_etag),
                "id" => (2, &mut data.id),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            faults.text(number, slot, map.next_value::<Json<'b>>()?);
        }
        data.faulty = faults.found();
        Ok(data)
    }
}
