//! How is a message put into a push, wrapped in JSON or bare with headers?

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use serde_json::json;

use super::insert;
use crate::{
    delivery::{Record, Verdict},
    rng::Rng,
};

/// What is published: data, attributes, and what must come of it.
pub(super) struct Message {
    pub(super) data: Vec<u8>,
    pub(super) attributes: Vec<(&'static str, String)>,
    /// CloudEvents `subject` of its record.
    pub(super) subject: String,
    /// The record key of its records.
    pub(super) partition_key: String,
    pub(super) verdict: Verdict,
}

impl Message {
    /// A genuine message without attributes.
    pub(super) fn genuine(
        data: Vec<u8>,
        subject: String,
        partition_key: String,
        records: &'static [Record],
    ) -> Self {
        let verdict = Verdict::Published(records);
        Self { data, attributes: Vec::new(), subject, partition_key, verdict }
    }
}

/// What Pub/Sub adds to a message.
pub(super) struct Envelope<'a> {
    /// The message id.
    pub(super) id: Option<&'a str>,
    /// Another value for the id's second spelling: the two of them contradict each other.
    pub(super) other_id: Option<&'a str>,
    /// RFC 3339.
    pub(super) published: &'a str,
    /// `projects/P/subscriptions/S`.
    pub(super) subscription: Option<&'a str>,
    /// The data is written as it is, so that it is no base64.
    pub(super) bare_data: bool,
    /// A rare spelling.
    pub(super) odd: bool,
}

impl Envelope<'_> {
    /// The JSON body of a wrapped push.
    pub(super) fn wrapped(&self, message: &Message, rng: &mut Rng) -> Bytes {
        let odd = self.odd.then(|| rng.below(7));
        let mut members = Vec::new();
        let attributes: serde_json::Map<_, _> = message
            .attributes
            .iter()
            .map(|(name, value)| ((*name).into(), value.as_str().into()))
            .collect();
        match odd {
            Some(0) => {
                let kind = json!("type.googleapis.com/google.pubsub.v1.PubsubMessage");
                members.push(("@type", kind.to_string()));
            }
            Some(1) if attributes.is_empty() => members.push(("attributes", "null".into())),
            Some(2) if attributes.is_empty() => {
                members.push(("attributes", json!({"key": "value"}).to_string()));
            }
            _ => {}
        }
        if !attributes.is_empty() {
            members.push(("attributes", json!(attributes).to_string()));
        }
        let data = if odd == Some(3) { "\\u0064ata" } else { "data" };
        members.push((data, json!(self.data(message, rng)).to_string()));
        self.metadata(&mut members, odd == Some(4), rng);
        let spaced = rng.chance(0.3);
        let mut push = Vec::new();
        match odd {
            Some(4) => push.push(("deliveryAttempt", "5".into())),
            Some(5) => {
                let unknown = r#"{"deep":[1,{"er":null}],"n":1e300}"#;
                members.push(("futureMember", unknown.into()));
                push.push(("futureMember", unknown.into()));
            }
            _ => {}
        }
        push.push(("message", object(&members, spaced)));
        if let Some(subscription) = self.subscription {
            push.push(("subscription", json!(subscription).to_string()));
        }
        if odd == Some(6) {
            push.reverse();
        }
        Bytes::from(object(&push, spaced))
    }

    /// Id and time in both spellings, as Google sends them, or in one, as older senders do.
    fn metadata(
        &self,
        members: &mut Vec<(&'static str, String)>,
        ordering_key: bool,
        rng: &mut Rng,
    ) {
        let spelling = if self.other_id.is_some() { 0 } else { rng.below(4) };
        let (camel, snake) = (spelling != 3, spelling != 2);
        if let Some(id) = self.id {
            let other = self.other_id.unwrap_or(id);
            members.extend(camel.then(|| ("messageId", json!(id).to_string())));
            members.extend(snake.then(|| ("message_id", json!(other).to_string())));
        }
        if ordering_key {
            members.push(("orderingKey", "\"key\"".into()));
        }
        if self.id.is_some() {
            let published = json!(self.published).to_string();
            members.extend(camel.then(|| ("publishTime", published.clone())));
            members.extend(snake.then_some(("publish_time", published)));
        }
    }

    /// The data in one of the flavours of base64: guides and senders disagree.
    fn data(&self, message: &Message, rng: &mut Rng) -> String {
        if self.bare_data {
            return String::from_utf8_lossy(&message.data).into_owned();
        }
        match rng.below(5) {
            0 => STANDARD_NO_PAD.encode(&message.data),
            1 => URL_SAFE.encode(&message.data),
            2 => URL_SAFE_NO_PAD.encode(&message.data),
            _ => STANDARD.encode(&message.data),
        }
    }

    /// The body of an unwrapped push; what is known of the message goes into headers.
    pub(super) fn unwrapped(&self, message: &Message, headers: &mut HeaderMap) -> Bytes {
        let given = [
            ("x-goog-pubsub-subscription-name", self.subscription),
            ("x-goog-pubsub-message-id", self.id),
            ("x-goog-pubsub-publish-time", self.id.map(|_| self.published)),
            ("x-goog-pubsub-ordering-key", self.id.filter(|_| self.odd).map(|_| "key")),
        ];
        for (name, value) in given {
            if let Some(value) = value {
                insert(headers, HeaderName::from_static(name), value);
            }
        }
        for (name, value) in &message.attributes {
            insert(headers, HeaderName::from_static(name), value);
        }
        Bytes::copy_from_slice(&message.data)
    }
}

/// A JSON object of members whose values are JSON already.
pub(super) fn object(members: &[(&str, String)], spaced: bool) -> String {
    let (colon, comma) = if spaced { (": ", ", ") } else { (":", ",") };
    let members: Vec<_> =
        members.iter().map(|(name, value)| format!("\"{name}\"{colon}{value}")).collect();
    format!("{{{}}}", members.join(comma))
}
