//! What of a Workspace CloudEvent is read?
//!
//! The guides are not of one mind: members come in camelCase and in snake_case, and any of them may be missing.

use std::borrow::Cow;

use serde::de::{IgnoredAny, MapAccess};

use crate::json::{Faults, Json, Members, Name, Text};
use crate::provider::google::envelope::{Attributes, Unfit};
use crate::time::UnixMillis;

/// Where a subscription's and a file's names begin.
const SUBSCRIPTIONS: &str = "//workspaceevents.googleapis.com/subscriptions/";
const FILES: &str = "//drive.googleapis.com/files/";

/// A CloudEvent of Workspace, as far as postern reads it.
#[derive(Debug)]
pub(in crate::provider::google) struct Event {
    /// As the provider spells it.
    pub(super) r#type: String,
    /// The id of the Workspace subscription.
    pub(super) subscription: Option<String>,
    pub(super) subject: Option<String>,
    pub(super) file: Option<String>,
    pub(super) expires: Option<UnixMillis>,
}

/// Whether a message's attributes say that it carries a CloudEvent.
pub(in crate::provider::google) fn is_cloud_event(attributes: &Attributes) -> bool {
    is_structured(attributes) || attributes.keys().any(|name| name.starts_with("ce-"))
}

fn is_structured(attributes: &Attributes) -> bool {
    let content_type =
        attributes.get("content-type").map(|value| value.trim().to_ascii_lowercase());
    content_type.is_some_and(|value| value.starts_with("application/cloudevents"))
}

impl Event {
    /// Reads the CloudEvent of a message.
    ///
    /// What is read is the event itself in structured mode, and the event's data in binary mode: faults of its top level,
    /// and no others, make it unreadable. No data at all is no fault of a binary event.
    pub(in crate::provider::google) fn read(
        attributes: &Attributes,
        data: &[u8],
    ) -> Result<Self, Unfit> {
        let text = std::str::from_utf8(data).map_err(|_| Unfit::Unreadable)?;
        if is_structured(attributes) {
            return match serde_json::from_str(text) {
                Ok(Json::Object(Said { faulty: true, .. })) => Err(Unfit::Unreadable),
                Ok(Json::Object(said)) => Self::of(said),
                _ => Err(Unfit::Unreadable),
            };
        }
        let attribute = |name: &str| attributes.get(name).map(|text| Cow::Borrowed(text.as_str()));
        let data = match text {
            "" => Json::Null,
            text => serde_json::from_str(text).map_err(|_| Unfit::Unreadable)?,
        };
        let mut said = Said {
            r#type: attribute("ce-type"),
            source: attribute("ce-source"),
            subject: attribute("ce-subject"),
            ..Said::default()
        };
        // A CloudEvent may carry any JSON; only of an object there is something to take.
        takes(&mut said.data, data);
        if said.data.faulty { Err(Unfit::Unreadable) } else { Self::of(said) }
    }

    fn of(said: Said<'_>) -> Result<Self, Unfit> {
        let Data { faulty, subscription, file } = said.data;
        if faulty || subscription.faulty || file.faulty {
            return Err(Unfit::Unusable);
        }
        let r#type = given(said.r#type).ok_or(Unfit::Unusable)?;
        let subject = given(said.subject);
        let named = subscription.name.and_then(|name| id(&name, "subscriptions/"));
        let of_source = || said.source.and_then(|source| id(&source, SUBSCRIPTIONS));
        let of_subject = || subject.as_deref().and_then(|subject| id(subject, FILES));
        let file = [file.id, file.file_id, file.file_id_snake].into_iter().find_map(given);
        let expires = given(subscription.expires).or_else(|| given(subscription.expires_snake));
        Ok(Self {
            r#type,
            subscription: named.or_else(of_source),
            file: file.or_else(of_subject),
            subject,
            expires: expires.as_deref().and_then(UnixMillis::parse),
        })
    }
}

/// A text that says something.
fn given(text: Text<'_>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(Cow::into_owned)
}

/// The id at the end of a resource name.
fn id(name: &str, start: &str) -> Option<String> {
    let id = name.strip_prefix(start).filter(|id| !id.is_empty() && !id.contains('/'));
    id.map(str::to_owned)
}

/// Takes an object into its slot; `null` leaves it empty. `false`: it is something else.
fn takes<O>(slot: &mut O, value: Json<'_, O>) -> bool {
    match value {
        Json::Object(object) => *slot = object,
        Json::Null => {}
        Json::Text(_) | Json::Number(_) | Json::Truth(_) | Json::List => return false,
    }
    true
}

/// The attributes and the data of an event. Samples of lifecycle events spell `spec_version`, which is not read.
#[derive(Default)]
struct Said<'b> {
    faulty: bool,
    r#type: Text<'b>,
    source: Text<'b>,
    subject: Text<'b>,
    data: Data<'b>,
}

#[derive(Default)]
struct Data<'b> {
    /// Its own members are at fault; what is wrong inside of them, they say.
    faulty: bool,
    subscription: SubscriptionData<'b>,
    file: FileData<'b>,
}

#[derive(Default)]
struct SubscriptionData<'b> {
    faulty: bool,
    name: Text<'b>,
    expires: Text<'b>,
    expires_snake: Text<'b>,
}

#[derive(Default)]
struct FileData<'b> {
    faulty: bool,
    id: Text<'b>,
    file_id: Text<'b>,
    file_id_snake: Text<'b>,
}

impl<'b> Members<'b> for Said<'b> {
    fn read<A: MapAccess<'b>>(mut map: A) -> Result<Self, A::Error> {
        let mut said = Self::default();
        let mut faults = Faults::default();
        while let Some(Name(name)) = map.next_key()? {
            let (number, slot) = match &*name {
                "type" => (0, &mut said.r#type),
                "source" => (1, &mut said.source),
                "subject" => (2, &mut said.subject),
                "data" => {
                    faults.see(3);
                    takes(&mut said.data, map.next_value()?);
                    continue;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            faults.text(number, slot, map.next_value::<Json<'b>>()?);
        }
        said.faulty = faults.found();
        Ok(said)
    }
}

impl<'b> Members<'b> for Data<'b> {
    fn read<A: MapAccess<'b>>(mut map: A) -> Result<Self, A::Error> {
        let mut data = Self::default();
        let mut faults = Faults::default();
        while let Some(Name(name)) = map.next_key()? {
            match &*name {
                "subscription" => {
                    faults.see(0);
                    faults.add(!takes(&mut data.subscription, map.next_value()?));
                }
                "file" => {
                    faults.see(1);
                    faults.add(!takes(&mut data.file, map.next_value()?));
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        data.faulty = faults.found();
        Ok(data)
    }
}

impl<'b> Members<'b> for SubscriptionData<'b> {
    fn read<A: MapAccess<'b>>(map: A) -> Result<Self, A::Error> {
        let mut data = Self::default();
        let names = ["name", "expireTime", "expire_time"];
        let slots = &mut [&mut data.name, &mut data.expires, &mut data.expires_snake];
        data.faulty = texts(map, names, slots)?;
        Ok(data)
    }
}

impl<'b> Members<'b> for FileData<'b> {
    fn read<A: MapAccess<'b>>(map: A) -> Result<Self, A::Error> {
        let mut data = Self::default();
        let names = ["id", "fileId", "file_id"];
        let slots = &mut [&mut data.id, &mut data.file_id, &mut data.file_id_snake];
        data.faulty = texts(map, names, slots)?;
        Ok(data)
    }
}

/// Reads text members of an object; whether anything is wrong with them.
fn texts<'b, A: MapAccess<'b>>(
    mut map: A,
    names: [&str; 3],
    slots: &mut [&mut Text<'b>; 3],
) -> Result<bool, A::Error> {
    let mut faults = Faults::default();
    while let Some(Name(name)) = map.next_key()? {
        match (0..).zip(names).find(|(_, known)| *known == name) {
            Some((number, _)) => {
                let value = map.next_value::<Json<'b>>()?;
                faults.text(number, slots[usize::from(number)], value);
            }
            None => drop(map.next_value::<IgnoredAny>()?),
        }
    }
    Ok(faults.found())
}
