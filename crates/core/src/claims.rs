//! What does a hook token say of a connection, and how is it encoded?
//!
//! The edge holds no subscription table: the claims travel, signed, in the value that the provider echoes back.

use crate::time::Day;

/// What is known of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Claims {
    /// The customer whose connection it is.
    pub tenant: String,
    /// The user who connected; absent for an installation-level connection.
    pub user: Option<String>,
    /// The mailbox (address or id) that an installation-level connection watches.
    pub subject: Option<String>,
    /// What the subscription watches, free text of its creator.
    pub label: Option<String>,
    /// The last UTC day on which the token is valid; days from 1970-01-01 to 2149-06-06 can be encoded.
    pub last_day: Option<Day>,
}

/// Why claims cannot be encoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A text is empty.
    #[error("{field} is empty: leave it out, or give it a text")]
    Empty {
        /// The claim's name.
        field: &'static str,
    },
    /// A text is longer than its length byte can say.
    #[error("{field} takes {bytes} bytes, at most 255 fit")]
    TooLong {
        /// The claim's name.
        field: &'static str,
        /// Its length as it would be encoded.
        bytes: usize,
    },
    /// The day is outside the two bytes that hold it.
    #[error("the last day must lie between 1970-01-01 and 2149-06-06")]
    Day,
}

/// The claims are not in the one form that the encoder writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Field bytes of the contract, section 3. Each text claim has a plain form and one for texts that end in a UUID.
const TENANT: u8 = 0x01;
const USER: u8 = 0x03;
const SUBJECT: u8 = 0x05;
const LABEL: u8 = 0x07;
const LAST_DAY: u8 = 0x08;
/// Text length of a canonical UUID, and of its binary form.
const UUID_TEXT: usize = 36;
const UUID_BYTES: usize = 16;

impl Claims {
    /// Whether the last day of validity lies before that day.
    pub(crate) fn expired(&self, today: Day) -> bool {
        self.last_day.is_some_and(|last| last < today)
    }

    /// Writes the fields in ascending order.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut out = Vec::with_capacity(64);
        encode_name(&mut out, TENANT, "tenant", Some(&self.tenant))?;
        encode_name(&mut out, USER, "user", self.user.as_deref())?;
        encode_name(&mut out, SUBJECT, "subject", self.subject.as_deref())?;
        if let Some(label) = &self.label {
            out.push(LABEL);
            encode_text(&mut out, "label", label)?;
        }
        if let Some(Day(day)) = self.last_day {
            let day = u16::try_from(day).map_err(|_| EncodeError::Day)?;
            out.push(LAST_DAY);
            out.extend_from_slice(&day.to_be_bytes());
        }
        Ok(out)
    }

    /// Reads the fields; refuses everything that [`Claims::encode`] would not have written.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader { rest: bytes };
        let mut claims = Self::default();
        let mut last_field = 0;
        while !reader.rest.is_empty() {
            let field = reader.byte()?;
            // The two forms of a claim share a slot, so "ascending" also refuses both of a pair.
            let slot = if field < LABEL { (field + 1) & !1 } else { field };
            if slot <= last_field {
                return Err(Malformed);
            }
            last_field = slot;
            match field {
                0x01..=0x06 => {
                    let text = reader.name(field % 2 == 0)?;
                    match slot {
                        0x02 => claims.tenant = text,
                        0x04 => claims.user = Some(text),
                        _ => claims.subject = Some(text),
                    }
                }
                LABEL => claims.label = Some(reader.text()?),
                LAST_DAY => {
                    let bytes = reader.take(2)?;
                    claims.last_day =
                        Some(Day(i64::from(u16::from_be_bytes([bytes[0], bytes[1]]))));
                }
                _ => return Err(Malformed),
            }
        }
        if claims.tenant.is_empty() { Err(Malformed) } else { Ok(claims) }
    }
}

fn encode_name(
    out: &mut Vec<u8>,
    field: u8,
    name: &'static str,
    text: Option<&str>,
) -> Result<(), EncodeError> {
    let Some(text) = text else { return Ok(()) };
    match split_uuid(text) {
        Some((prefix, uuid)) => {
            out.push(field + 1);
            out.push(length(name, prefix.len())?);
            out.extend_from_slice(prefix.as_bytes());
            out.extend_from_slice(&uuid);
            Ok(())
        }
        None => {
            out.push(field);
            encode_text(out, name, text)
        }
    }
}

fn encode_text(out: &mut Vec<u8>, name: &'static str, text: &str) -> Result<(), EncodeError> {
    if text.is_empty() {
        return Err(EncodeError::Empty { field: name });
    }
    out.push(length(name, text.len())?);
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

fn length(field: &'static str, bytes: usize) -> Result<u8, EncodeError> {
    u8::try_from(bytes).map_err(|_| EncodeError::TooLong { field, bytes })
}

/// Splits a text that ends in a canonical lower-case UUID, where its prefix fits a length byte.
fn split_uuid(text: &str) -> Option<(&str, [u8; UUID_BYTES])> {
    let at = text.len().checked_sub(UUID_TEXT)?;
    let (prefix, tail) = text.split_at_checked(at)?;
    let uuid = uuid::Uuid::try_parse(tail).ok()?;
    let canonical = uuid.hyphenated().to_string() == tail;
    (canonical && prefix.len() <= 255).then(|| (prefix, uuid.into_bytes()))
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.take(1)?[0])
    }

    fn counted(&mut self) -> Result<&'a str, Malformed> {
        let length = usize::from(self.byte()?);
        std::str::from_utf8(self.take(length)?).map_err(|_| Malformed)
    }

    fn text(&mut self) -> Result<String, Malformed> {
        let text = self.counted()?;
        if text.is_empty() { Err(Malformed) } else { Ok(text.to_owned()) }
    }

    fn name(&mut self, with_uuid: bool) -> Result<String, Malformed> {
        if with_uuid {
            let prefix = self.counted()?;
            let uuid = uuid::Uuid::from_slice(self.take(UUID_BYTES)?).map_err(|_| Malformed)?;
            Ok(format!("{prefix}{}", uuid.hyphenated()))
        } else {
            let text = self.text()?;
            if split_uuid(&text).is_some() { Err(Malformed) } else { Ok(text) }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-zA-Z0-9_@.é-]{1,60}",
            ("[a-z_é-]{0,20}", any::<u128>())
                .prop_map(|(prefix, id)| format!("{prefix}{}", uuid::Uuid::from_u128(id))),
            any::<u128>().prop_map(|id| uuid::Uuid::from_u128(id).to_string().to_uppercase()),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            tenant in name(),
            user in proptest::option::of(name()),
            subject in proptest::option::of(name()),
            label in proptest::option::of("[ -~é]{1,40}"),
            last_day in proptest::option::of((0i64..=65_535).prop_map(Day)),
        ) {
            let claims = Claims { tenant, user, subject, label, last_day };
            prop_assert_eq!(Claims::decode(&claims.encode().expect("fits")), Ok(claims));
        }

        #[test]
        fn what_is_read_is_what_would_be_written(bytes in proptest::collection::vec(0u8..12, 0..40)) {
            if let Ok(claims) = Claims::decode(&bytes) {
                prop_assert_eq!(claims.encode().expect("was read"), bytes);
            }
        }
    }

    #[test]
    fn refuses_every_other_form() {
        let uuid_as_text = [&[1, 36][..], b"3f2504e0-4f89-11d3-9a0c-0305e82c3301"].concat();
        for bytes in [
            &b""[..],                             // no tenant
            b"\x01\x00",                          // empty text
            b"\x01\x02a",                         // cut
            b"\x01\x01a\x01\x01b",                // twice
            b"\x03\x01a\x01\x01b",                // wrong order
            b"\x01\x01a\x09\x01b",                // unknown field
            b"\x01\x01\xff",                      // not UTF-8
            b"\x01\x01a\x07\x00",                 // empty label
            b"\x01\x01a\x08\x01",                 // half a day
            b"\x03\x01a",                         // user without tenant
            &uuid_as_text,                        // 02 can hold it
            b"\x01\x01a\x02\x000123456789abcdef", // both of a pair
        ] {
            assert_eq!(Claims::decode(bytes), Err(Malformed), "{bytes:?}");
        }
    }

    #[test]
    fn says_what_does_not_fit() {
        let claims = |tenant: &str| Claims { tenant: tenant.to_owned(), ..Claims::default() };
        assert_eq!(claims("").encode(), Err(EncodeError::Empty { field: "tenant" }));
        let long = claims(&"x".repeat(256)).encode();
        assert_eq!(long, Err(EncodeError::TooLong { field: "tenant", bytes: 256 }));
        let late = Claims { last_day: Some(Day(65_536)), ..claims("t") };
        assert_eq!(late.encode(), Err(EncodeError::Day));
    }
}
