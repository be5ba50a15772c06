//! What does a Gmail notification say?
//!
//! Source: Gmail API, "Push notifications": `{"emailAddress": ..., "historyId": ...}`, the id as text or as number.

use serde::de::{IgnoredAny, MapAccess};

use super::envelope::Unfit;
use super::pubsub::Message;
use crate::batch::{Batch, Topic};
use crate::cloud_event::CloudEvent;
use crate::delivery::Verified;
use crate::form::Form;
use crate::json::{Faults, Json, Members, Name, Text};
use crate::mailbox_event::{
    Change, Credential, Cursor, EVENT_SCHEMA, Identity, Kind, Mailbox, MailboxEvent, Provider,
    Resource, Subscription, event_type, partition_key,
};
use crate::time::Rfc3339;

/// A mailbox has a new position in its history.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Notification {
    /// The address, in the case received.
    address: String,
    /// The new position, exact, as text.
    history_id: String,
}

impl Notification {
    /// Reads the data of a message.
    pub(super) fn read(data: &[u8]) -> Result<Self, Unfit> {
        let text = std::str::from_utf8(data).map_err(|_| Unfit::Unreadable)?;
        let Ok(Json::Object(Payload { faulty: false, address, history_id })) =
            serde_json::from_str(text)
        else {
            return Err(Unfit::Unreadable);
        };
        let address = address.filter(|address| !address.is_empty()).ok_or(Unfit::Unusable)?;
        let history_id = history_id.ok_or(Unfit::Unusable)?;
        Ok(Self { address: address.into_owned(), history_id: history_id.to_string() })
    }

    /// Appends the record; `false`, and nothing is appended, where it is larger than Kafka takes.
    pub(super) fn write(
        &self,
        message: &Message<'_>,
        delivery: &Verified<'_>,
        form: &Form,
        batch: &mut Batch,
    ) -> bool {
        let tenant = message.source.tenant.as_deref();
        let mailbox = Mailbox { id: None, address: Some(&self.address) };
        let subscription = message.subscription.as_deref().unwrap_or(&message.source.name);
        let data = MailboxEvent {
            provider: Provider::Google,
            service: "gmail",
            credential: Credential::of_source(tenant, Some(&self.address)),
            mailbox,
            resource: Resource { kind: Kind::Mailbox, ..Resource::default() },
            change: Change::Changed,
            provider_change: None,
            changed: None,
            subscription: Subscription { id: subscription, ..Subscription::default() },
            cursor: Some(Cursor { kind: "gmail.history", value: &self.history_id }),
            fetch: None,
            identity: if message.given_id { Identity::Strong } else { Identity::Weak },
            resync: None,
        };
        let received = Rfc3339::of(delivery.received);
        CloudEvent {
            topic: Topic::Events,
            id: &message.id,
            source: &message.event_source(),
            r#type: &event_type(Kind::Mailbox.as_str(), Change::Changed.as_str()),
            subject: Some(&self.address),
            time: message.published.map_or(received, Rfc3339::of),
            recorded_time: received,
            partition_key: &partition_key(tenant, None, mailbox.address, ""),
            data_schema: EVENT_SCHEMA,
            traceparent: delivery.traceparent,
            data: &data,
        }
        .write_within(form, batch)
    }
}

#[derive(Default)]
struct Payload<'b> {
    faulty: bool,
    address: Text<'b>,
    history_id: Option<u64>,
}

impl<'b> Members<'b> for Payload<'b> {
    fn read<A: MapAccess<'b>>(mut map: A) -> Result<Self, A::Error> {
        let mut payload = Self::default();
        let mut faults = Faults::default();
        while let Some(Name(name)) = map.next_key()? {
            match &*name {
                "emailAddress" => {
                    faults.text(0, &mut payload.address, map.next_value::<Json<'b>>()?);
                }
                "historyId" => {
                    faults.see(1);
                    let value = map.next_value::<Json<'b>>()?;
                    faults.add(matches!(value, Json::Object(_) | Json::Truth(_) | Json::List));
                    payload.history_id = position(&value);
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        payload.faulty = faults.found();
        Ok(payload)
    }
}

/// An unsigned 64-bit number, as JSON number or as decimal text.
fn position(value: &Json<'_>) -> Option<u64> {
    match value {
        Json::Number(number) => number.as_u64(),
        Json::Text(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_position_is_exact_in_both_spellings() {
        for (written, exact) in [
            ("1710", "1710"),
            ("\"1234567890\"", "1234567890"),
            ("9007199254740993", "9007199254740993"),
            ("18446744073709551615", "18446744073709551615"),
            ("\"18446744073709551615\"", "18446744073709551615"),
        ] {
            let data =
                format!(r#"{{ "historyId" : {written}, "emailAddress":"Jane@Example.com"}}"#);
            let read = Notification::read(data.as_bytes()).expect(written);
            assert_eq!(
                (read.history_id.as_str(), read.address.as_str()),
                (exact, "Jane@Example.com")
            );
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_from_what_says_too_little() {
        use Unfit::{Unreadable, Unusable};
        for (written, unfit) in [
            ("\"abc\"", Unusable),
            ("-1", Unusable),
            ("1e3", Unusable),
            ("1.0", Unusable),
            ("null", Unusable),
            ("\"\"", Unusable),
            ("\"+1\"", Unusable),
            ("18446744073709551616", Unusable),
            ("{}", Unreadable),
            ("[]", Unreadable),
            ("true", Unreadable),
        ] {
            let data = format!(r#"{{"emailAddress":"a@b.c","historyId":{written}}}"#);
            assert_eq!(Notification::read(data.as_bytes()), Err(unfit), "{written}");
        }
        for (data, unfit) in [
            (&b"Hello Cloud Pub/Sub!"[..], Unreadable),
            (b"\x01\x02", Unreadable),
            (b"", Unreadable),
            (b"[]", Unreadable),
            (b"\xef\xbb\xbf{}", Unreadable),
            (b"{}", Unusable),
            (br#"{"historyId":1}"#, Unusable),
            (br#"{"emailAddress":"","historyId":1}"#, Unusable),
            (br#"{"emailAddress":1,"historyId":1}"#, Unreadable),
            (br#"{"emailAddress":"a@b.c","historyId":1,"historyId":2}"#, Unreadable),
        ] {
            assert_eq!(Notification::read(data), Err(unfit), "{}", data.escape_ascii());
        }
    }
}
