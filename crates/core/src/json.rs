//! How is JSON of strangers read without failing on one odd member?
//!
//! serde's own structs fail as a whole; here a value of another type is a value, and what a reader finds wrong with an
//! object is collected in [`Faults`].

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A text member; `null` is as absent.
pub(crate) type Text<'b> = Option<Cow<'b, str>>;

/// Any JSON value, as far as a reader cares: texts, and objects read as `O`.
pub(crate) enum Json<'b, O = Nothing> {
    Null,
    Text(Cow<'b, str>),
    Object(O),
    /// Kept exact up to 64 bits.
    Number(serde_json::Number),
    Truth(bool),
    List,
}

/// What a reader takes from the members of an object.
pub(crate) trait Members<'b>: Sized {
    /// Reads all members; fails only where the JSON itself is broken.
    fn read<A: MapAccess<'b>>(map: A) -> Result<Self, A::Error>;
}

/// An object of which nothing is taken.
pub(crate) struct Nothing;

impl<'b> Members<'b> for Nothing {
    fn read<A: MapAccess<'b>>(mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self)
    }
}

impl<'b, O: Members<'b>> Deserialize<'b> for Json<'b, O> {
    fn deserialize<D: Deserializer<'b>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any(PhantomData))
    }
}

struct Any<O>(PhantomData<O>);

impl<'b, O: Members<'b>> Visitor<'b> for Any<O> {
    type Value = Json<'b, O>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Self::Value, E> {
        Ok(Json::Truth(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        let number = serde_json::Number::from_f64(number);
        number.map(Json::Number).ok_or_else(|| E::custom("JSON has no such number"))
    }

    fn visit_borrowed_str<E>(self, text: &'b str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Json::Null)
    }

    fn visit_seq<A: SeqAccess<'b>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Json::List)
    }

    fn visit_map<A: MapAccess<'b>>(self, map: A) -> Result<Self::Value, A::Error> {
        O::read(map).map(Json::Object)
    }
}

/// A member's name, borrowed unless it is escaped.
pub(crate) struct Name<'b>(pub(crate) Cow<'b, str>);

impl<'b> Deserialize<'b> for Name<'b> {
    fn deserialize<D: Deserializer<'b>>(deserializer: D) -> Result<Self, D::Error> {
        match Json::<Nothing>::deserialize(deserializer)? {
            Json::Text(name) => Ok(Self(name)),
            _ => Err(D::Error::custom("a member's name is a text")),
        }
    }
}

/// What is wrong with an object: members seen twice, members of another type than documented.
#[derive(Default)]
pub(crate) struct Faults {
    seen: u16,
    found: bool,
}

impl Faults {
    /// Notes that the member of that number (below 16) was seen; a second time is a fault.
    pub(crate) fn see(&mut self, member: u8) {
        let bit = 1 << member;
        self.found |= self.seen & bit != 0;
        self.seen |= bit;
    }

    /// Takes a text into its slot; `null` leaves it empty, all else is a fault.
    pub(crate) fn take<'b, O>(&mut self, slot: &mut Text<'b>, value: Json<'b, O>) {
        match value {
            Json::Text(text) => *slot = Some(text),
            Json::Null => {}
            Json::Object(_) | Json::Number(_) | Json::Truth(_) | Json::List => self.found = true,
        }
    }

    /// Notes a text member as seen, and takes it into its slot.
    pub(crate) fn text<'b, O>(&mut self, member: u8, slot: &mut Text<'b>, value: Json<'b, O>) {
        self.see(member);
        self.take(slot, value);
    }

    /// Notes a fault.
    pub(crate) fn add(&mut self, fault: bool) {
        self.found |= fault;
    }

    /// Whether anything is wrong.
    pub(crate) fn found(&self) -> bool {
        self.found
    }
}
