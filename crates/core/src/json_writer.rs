//! How is an event written as JSON? As serde_json would, byte for byte, but for less.
//!
//! serde_json looks at every byte of every text for what must be escaped, one after the other, those of the names in this
//! program too; that was a third of all that judging a notification costs. Here names are written as they are, and a
//! text is looked over eight bytes at a time. Whatever needs more thought, such
//! as a text with something to escape, is left to serde_json.

use std::fmt;
use std::io::Write as _;

use serde::Serialize;
use serde::ser::{Error as _, Impossible, SerializeSeq, SerializeStruct, Serializer};
use serde_json::Error;

/// Appends `value` to `out`.
///
/// # Errors
/// When the value holds something that events do not: maps, tuples, variants with contents.
pub(crate) fn write<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> Result<(), Error> {
    value.serialize(Writer { out })
}

struct Writer<'o> {
    out: &'o mut Vec<u8>,
}

/// Nothing in it has to be escaped (RFC 8259, section 7): neither control characters nor `"` nor `\`.
fn is_plain(text: &[u8]) -> bool {
    if let Some(last) = text.last_chunk() {
        let (words, _) = text.as_chunks();
        let special = |word: &[u8; 8]| special(u64::from_le_bytes(*word));
        words.iter().fold(special(last), |found, word| found | special(word)) == 0
    } else if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        special(u64::from(first) << 32 | u64::from(last)) == 0
    } else {
        text.iter().all(|byte| !matches!(byte, 0..0x20 | b'"' | b'\\'))
    }
}

/// Not 0 where one of eight bytes has to be escaped. Eight subtractions at once: the high bit of a byte comes up where it
/// was below what is taken from it, or where one to its right was.
const fn special(word: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = EACH * 0x80;
    let control = word.wrapping_sub(EACH * 0x20);
    let quote = (word ^ (EACH * b'"' as u64)).wrapping_sub(EACH);
    let backslash = (word ^ (EACH * b'\\' as u64)).wrapping_sub(EACH);
    (control | quote | backslash) & !word & HIGH
}

impl Writer<'_> {
    /// Writes a text in which nothing has to be escaped.
    fn quote(self, text: &str) {
        self.out.reserve(text.len() + 2);
        self.out.push(b'"');
        self.out.extend_from_slice(text.as_bytes());
        self.out.push(b'"');
    }

    fn by_serde_json<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        serde_json::to_writer(self.out, value)
    }
}

macro_rules! by_serde_json {
    ($($method:ident($type:ty)),* $(,)?) => {
        $(fn $method(self, value: $type) -> Result<(), Error> {
            self.by_serde_json(&value)
        })*
    };
}

fn unknown<T>(what: &str) -> Result<T, Error> {
    Err(Error::custom(format_args!("events hold no {what}")))
}

impl<'o> Serializer for Writer<'o> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = List<'o>;
    type SerializeStruct = Members<'o>;
    type SerializeTuple = Impossible<(), Error>;
    type SerializeTupleStruct = Impossible<(), Error>;
    type SerializeTupleVariant = Impossible<(), Error>;
    type SerializeMap = Impossible<(), Error>;
    type SerializeStructVariant = Impossible<(), Error>;

    by_serde_json! {
        serialize_bool(bool), serialize_char(char),
        serialize_i8(i8), serialize_i16(i16), serialize_i32(i32), serialize_i64(i64),
        serialize_u8(u8), serialize_u16(u16), serialize_u32(u32), serialize_u64(u64),
        serialize_f32(f32), serialize_f64(f64), serialize_bytes(&[u8]),
    }

    fn serialize_str(self, text: &str) -> Result<(), Error> {
        if !is_plain(text.as_bytes()) {
            return self.by_serde_json(text);
        }
        self.quote(text);
        Ok(())
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, text: &T) -> Result<(), Error> {
        let start = self.out.len();
        self.out.push(b'"');
        write!(self.out, "{text}").map_err(Error::io)?;
        if !is_plain(&self.out[start + 1..]) {
            self.out.truncate(start);
            return self.by_serde_json(&text.to_string());
        }
        self.out.push(b'"');
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Error> {
        debug_assert!(is_plain(variant.as_bytes()), "variants have plain names");
        self.quote(variant);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Error> {
        unknown("variant with contents")
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<List<'o>, Error> {
        self.out.push(b'[');
        Ok(List { out: self.out, first: true })
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Error> {
        unknown("tuple")
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Error> {
        unknown("tuple")
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Error> {
        unknown("variant with contents")
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Error> {
        unknown("map")
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Members<'o>, Error> {
        self.out.push(b'{');
        Ok(Members { out: self.out, first: true })
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Error> {
        unknown("variant with contents")
    }
}

/// An array that is being written.
struct List<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
}

impl SerializeSeq for List<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        write(self.out, value)
    }

    fn end(self) -> Result<(), Error> {
        self.out.push(b']');
        Ok(())
    }
}

/// An object that is being written.
struct Members<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
}

/// The longest name that is written at once, with its quotes, comma and colon.
const NAME: usize = 32;

impl Members<'_> {
    /// Writes a member's name. Inlined, it is one copy of known bytes: the name is known where it is called.
    #[inline(always)]
    fn begin(&mut self, name: &'static str) {
        debug_assert!(is_plain(name.as_bytes()), "members have plain names");
        let opening: &[u8] = if std::mem::take(&mut self.first) { b"\"" } else { b",\"" };
        let parts = [opening, name.as_bytes(), b"\":"];
        let length = opening.len() + name.len() + 2;
        let mut together = [0; NAME];
        if length > together.len() {
            return parts.iter().for_each(|part| self.out.extend_from_slice(part));
        }
        let mut at = 0;
        for part in parts {
            together[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        self.out.extend_from_slice(&together[..length]);
    }
}

impl SerializeStruct for Members<'_> {
    type Ok = ();
    type Error = Error;

    #[inline(always)]
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.begin(name);
        write(self.out, value)
    }

    fn end(self) -> Result<(), Error> {
        self.out.push(b'}');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Serialize)]
    struct Everything<'a> {
        text: &'a str,
        list: &'a [String],
        none: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none", rename = "@absent")]
        absent: Option<&'a str>,
        unit: Option<()>,
        a_name_longer_than_any_that_an_event_has: Option<()>,
        number: (),
        inner: Inner,
        word: Word,
        time: crate::time::Rfc3339,
        shown: Shown<'a>,
    }

    /// Written by its `Display`.
    #[derive(Debug)]
    struct Shown<'a>(&'a str);

    impl Serialize for Shown<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(self.0)
        }
    }

    #[derive(Debug, Serialize)]
    struct Inner {
        whole: i64,
        float: f64,
        truth: bool,
    }

    #[derive(Debug, Serialize)]
    enum Word {
        Plain,
    }

    #[derive(Serialize)]
    enum Foreign {
        Contents(u8),
    }

    proptest! {
        #[test]
        fn it_writes_what_serde_json_writes(
            text in any::<String>(),
            near in "[ -~\u{0}-\u{1f}\"\\\\é😀]{0,40}",
            list in proptest::collection::vec(any::<String>(), 0..3),
            whole in any::<i64>(),
            float in any::<f64>(),
        ) {
            for text in [&text, &near] {
                let value = Everything {
                    text,
                    list: &list,
                    none: None,
                    absent: (whole % 2 == 0).then_some(text),
                    unit: Some(()),
                    a_name_longer_than_any_that_an_event_has: None,
                    number: (),
                    inner: Inner { whole, float, truth: whole > 0 },
                    word: Word::Plain,
                    time: crate::time::Rfc3339::of(crate::time::UnixMillis(whole)),
                    shown: Shown(text),
                };
                let mut ours = Vec::new();
                write(&mut ours, &value).expect("it holds what events hold");
                prop_assert_eq!(ours, serde_json::to_vec(&value).expect("serializable"));
            }
        }
    }

    #[test]
    fn every_byte_is_judged_at_every_place() {
        for byte in 0..=u8::MAX {
            let plain = !matches!(byte, 0..0x20 | b'"' | b'\\');
            for length in 1..20 {
                for at in 0..length {
                    let mut text = vec![b'a'; length];
                    text[at] = byte;
                    assert_eq!(is_plain(&text), plain, "{byte:#x} at {at} of {length}");
                }
            }
        }
    }

    #[test]
    fn what_it_does_not_know_is_an_error() {
        assert!(write(&mut Vec::new(), &Foreign::Contents(1)).is_err());
        assert!(write(&mut Vec::new(), &(1, 2)).is_err());
        assert!(write(&mut Vec::new(), &std::collections::BTreeMap::from([(1, 2)])).is_err());
    }
}
