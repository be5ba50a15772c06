//! What does a `web_hook` channel notification say? Everything is in its headers.
//!
//! Source: Google Calendar API and Drive API, "Push notifications". Google signs nothing here: the channel token is a
//! secret that it echoes.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::batch::{Batch, Topic};
use crate::claims::Claims;
use crate::cloud_event::CloudEvent;
use crate::delivery::{Delivery, Items, Rejection, Verified};
use crate::form::Form;
use crate::mailbox_event::{
    Change, Credential, EVENT_SCHEMA, Identity, Kind, LIFECYCLE_SCHEMA, LifecycleEvent, Mailbox,
    MailboxEvent, Provider, Resource, Signal, Subscription, event_type, partition_key,
};
use crate::percent;
use crate::reason::{Reason, Untrusted};
use crate::service::Service;
use crate::time::{Rfc3339, UnixMillis};
use crate::trust::{Judgement, Trust};

const CHANNEL_ID: &str = "x-goog-channel-id";
const CHANNEL_TOKEN: &str = "x-goog-channel-token";
const CHANNEL_EXPIRATION: &str = "x-goog-channel-expiration";
const MESSAGE_NUMBER: &str = "x-goog-message-number";
const RESOURCE_ID: &str = "x-goog-resource-id";
const RESOURCE_STATE: &str = "x-goog-resource-state";
const RESOURCE_URI: &str = "x-goog-resource-uri";
const CHANGED: &str = "x-goog-changed";

/// The request headers that are the notification: a replay needs them all.
pub const KEPT_HEADERS: [&str; 8] = [
    CHANNEL_ID,
    CHANNEL_TOKEN,
    CHANNEL_EXPIRATION,
    MESSAGE_NUMBER,
    RESOURCE_ID,
    RESOURCE_STATE,
    RESOURCE_URI,
    CHANGED,
];

/// A notification whose channel token proved its connection.
#[derive(Debug)]
pub(crate) struct Notice<'b> {
    service: Service,
    claims: Arc<Claims>,
    channel: &'b str,
    number: u64,
    state: &'b str,
    resource_id: Option<&'b str>,
    resource_uri: Option<&'b str>,
    expires: Option<UnixMillis>,
    changed: Option<Vec<&'b str>>,
}

/// Reads a notification and judges its token.
pub(crate) fn verify<'b>(
    delivery: &Delivery<'b>,
    service: Service,
    headers: &'b HeaderMap,
    trust: &Trust,
) -> Result<Verified<'b>, Rejection> {
    let channel = mandatory(headers, CHANNEL_ID)?;
    let number = mandatory(headers, MESSAGE_NUMBER)?;
    let number = Some(number).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let number = number.and_then(|text| text.parse().ok()).ok_or(Rejection::Unreadable)?;
    let state = mandatory(headers, RESOURCE_STATE)?;
    let token = one(headers, CHANNEL_TOKEN)?.map(text);
    let expires = optional(headers, CHANNEL_EXPIRATION)?.and_then(http_date);
    let resource_id = optional(headers, RESOURCE_ID)?;
    let resource_uri = optional(headers, RESOURCE_URI)?;
    let changed = changed(headers);

    let mut verified = Verified {
        service,
        items: Items::Channel(None),
        untrusted: Vec::new(),
        denied: 0,
        total: 1,
        whole: None,
        traceparent: delivery.traceparent,
        received: delivery.received,
    };
    let judged = match token {
        // Neither a hook token nor a static secret is anything but text.
        Some(None) => Judgement::Untrusted(Reason::MalformedToken),
        token => trust.judge(service, token.flatten(), None, delivery.received.day()),
    };
    match judged {
        Judgement::Denied => verified.denied = 1,
        Judgement::Untrusted(reason) => verified.untrusted.push(Untrusted { index: 0, reason }),
        Judgement::Genuine(claims) => {
            verified.items = Items::Channel(Some(Notice {
                service,
                claims,
                channel,
                number,
                state,
                resource_id,
                resource_uri,
                expires,
                changed,
            }));
        }
    }
    Ok(verified)
}

/// A header that comes at most once.
fn one<'b>(headers: &'b HeaderMap, name: &str) -> Result<Option<&'b HeaderValue>, Rejection> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(Rejection::Unreadable),
    }
}

/// A value without the spaces around it; `None` where it is no text.
fn text(value: &HeaderValue) -> Option<&str> {
    std::str::from_utf8(value.as_bytes()).map(str::trim).ok()
}

fn mandatory<'b>(headers: &'b HeaderMap, name: &str) -> Result<&'b str, Rejection> {
    optional(headers, name)?.ok_or(Rejection::Unreadable)
}

/// A header without which the rest is worth publishing: what cannot be read of it is as absent.
fn optional<'b>(headers: &'b HeaderMap, name: &str) -> Result<Option<&'b str>, Rejection> {
    Ok(one(headers, name)?.and_then(text).filter(|value| !value.is_empty()))
}

/// The one header that is a list, in one line or in several.
fn changed(headers: &HeaderMap) -> Option<Vec<&str>> {
    let lines = headers.get_all(CHANGED).iter().filter_map(text);
    let words = lines.flat_map(|line| line.split(',').map(str::trim));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    (!words.is_empty()).then_some(words)
}

/// An HTTP date in any of its three forms (RFC 9110, section 5.6.7); `None` for anything else.
fn http_date(text: &str) -> Option<UnixMillis> {
    const OBSOLETE: [&str; 2] = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
    let obsolete = || {
        let civil = OBSOLETE.iter().find_map(|form| DateTime::strptime(form, text).ok());
        TimeZone::UTC.to_timestamp(civil?).ok()
    };
    let instant = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok();
    instant.or_else(obsolete).map(|instant| UnixMillis(instant.as_millisecond()))
}

/// Writes the record of a notification.
pub(crate) fn normalize(
    notice: Option<&Notice<'_>>,
    delivery: &Verified<'_>,
    form: &Form,
) -> (Batch, Vec<Untrusted>) {
    let mut batch = Batch::with_capacity(1, 1_536);
    let fits = notice.is_none_or(|notice| notice.write(delivery, form, &mut batch));
    let too_large = Untrusted { index: 0, reason: Reason::TooLarge };
    (batch, if fits { Vec::new() } else { vec![too_large] })
}

impl Notice<'_> {
    fn write(&self, delivery: &Verified<'_>, form: &Form, batch: &mut Batch) -> bool {
        if self.state.eq_ignore_ascii_case("sync") {
            return self.write_sync(delivery, form, batch);
        }
        let (kind, change) = self.meaning();
        let data = MailboxEvent {
            provider: Provider::Google,
            service: self.service.as_str(),
            credential: Credential::of(Provider::Google, &self.claims),
            mailbox: Mailbox::default(),
            resource: Resource {
                kind,
                id: self.resource_id,
                path: self.resource_uri,
                collection: self.collection(),
                ..Resource::default()
            },
            change,
            provider_change: Some(self.state),
            changed: self.changed.as_deref(),
            subscription: self.subscription(),
            cursor: None,
            fetch: None,
            identity: Identity::Strong,
            resync: None,
        };
        let r#type = event_type(kind.as_str(), change.as_str());
        let topic = (Topic::Events, EVENT_SCHEMA);
        self.record(topic, &r#type, self.resource_id, &data, delivery, form, batch)
    }

    /// The first message of a channel says that it works, and nothing of a change.
    fn write_sync(&self, delivery: &Verified<'_>, form: &Form, batch: &mut Batch) -> bool {
        let data = LifecycleEvent {
            provider: Provider::Google,
            service: self.service.as_str(),
            credential: Credential::of(Provider::Google, &self.claims),
            subscription: self.subscription(),
            signal: Signal::Confirmed,
            provider_signal: self.state,
            identity: Identity::Strong,
        };
        let r#type = event_type("subscription", Signal::Confirmed.as_str());
        let topic = (Topic::Lifecycle, LIFECYCLE_SCHEMA);
        self.record(topic, &r#type, Some(self.channel), &data, delivery, form, batch)
    }

    fn meaning(&self) -> (Kind, Change) {
        let is = |word: &str| self.state.eq_ignore_ascii_case(word);
        if self.service == Service::Calendar {
            let change = match () {
                () if is("exists") => Change::Changed,
                () if is("not_exists") => Change::Deleted,
                () => Change::Other,
            };
            return (Kind::Calendar, change);
        }
        match () {
            // The guide's table says `change`, its example says `changed`.
            () if is("change") || is("changed") => (Kind::Drive, Change::Changed),
            () if is("add") => (Kind::File, Change::Added),
            () if is("remove") => (Kind::File, Change::Removed),
            () if is("update") => (Kind::File, Change::Updated),
            () if is("trash") => (Kind::File, Change::Trashed),
            () if is("untrash") => (Kind::File, Change::Untrashed),
            () if self.uri_segments().any(|segment| segment == "files") => {
                (Kind::File, Change::Other)
            }
            () => (Kind::Drive, Change::Other),
        }
    }

    /// What of a calendar changed: named by the last word of the resource's URI.
    fn collection(&self) -> Option<&'static str> {
        const COLLECTIONS: [&str; 4] = ["events", "acl", "settings", "calendarList"];
        let calendar = self.service == Service::Calendar;
        let last = self.uri_segments().last().filter(|_| calendar)?;
        COLLECTIONS.into_iter().find(|name| name.eq_ignore_ascii_case(last))
    }

    /// The path of the resource's URI, without its query.
    fn uri_segments(&self) -> impl Iterator<Item = &str> {
        let uri = self.resource_uri.unwrap_or_default();
        let path = uri.split(['?', '#']).next().unwrap_or_default();
        path.split('/').filter(|segment| !segment.is_empty())
    }

    fn subscription(&self) -> Subscription<'_> {
        Subscription {
            id: self.channel,
            label: self.claims.label.as_deref(),
            expires_at: self.expires.map(Rfc3339::of),
            ..Subscription::default()
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the attributes of one CloudEvent, each used once"
    )]
    fn record<D: serde::Serialize>(
        &self,
        (topic, data_schema): (Topic, &'static str),
        r#type: &str,
        subject: Option<&str>,
        data: &D,
        delivery: &Verified<'_>,
        form: &Form,
        batch: &mut Batch,
    ) -> bool {
        let mut source = format!("//www.googleapis.com/{}/channels/", self.service);
        percent::encode_into(&mut source, self.channel);
        let claims = &self.claims;
        let (user, subject_claim) = (claims.user.as_deref(), claims.subject.as_deref());
        let received = Rfc3339::of(delivery.received);
        CloudEvent {
            topic,
            id: &self.number.to_string(),
            source: &source,
            r#type,
            subject,
            time: received,
            recorded_time: received,
            partition_key: &partition_key(Some(&claims.tenant), user, subject_claim, self.channel),
            data_schema,
            traceparent: delivery.traceparent,
            data,
        }
        .write_within(form, batch)
    }
}
