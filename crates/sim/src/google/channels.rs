//! What does a Calendar or Drive channel send, and what must come of it?
//!
//! Google signs nothing here: the channel token that it echoes is the only proof of origin.

mod channel;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};

use self::channel::{Channel, Watch, Watches};
use super::{insert, malformed, sender};
use crate::{
    delivery::{Delivery, Expected, Item, Record, RecordKey, Verdict},
    hook::{KeyRing, Service},
    rng::{Rng, Stream},
    scenario::{Mix, ScenarioError, World},
};

const CHANNEL_ID: HeaderName = HeaderName::from_static("x-goog-channel-id");
const CHANNEL_TOKEN: HeaderName = HeaderName::from_static("x-goog-channel-token");
const CHANNEL_EXPIRATION: HeaderName = HeaderName::from_static("x-goog-channel-expiration");
const CHANGED: HeaderName = HeaderName::from_static("x-goog-changed");
const MESSAGE_NUMBER: HeaderName = HeaderName::from_static("x-goog-message-number");
const RESOURCE_ID: HeaderName = HeaderName::from_static("x-goog-resource-id");
const RESOURCE_STATE: HeaderName = HeaderName::from_static("x-goog-resource-state");
const RESOURCE_URI: HeaderName = HeaderName::from_static("x-goog-resource-uri");

static CONFIRMED: [Record; 1] = [Record::lifecycle("io.postern.subscription.confirmed.v1")];
static CALENDAR_CHANGED: [Record; 1] = [Record::event("io.postern.calendar.changed.v1")];
static CALENDAR_DELETED: [Record; 1] = [Record::event("io.postern.calendar.deleted.v1")];
static CALENDAR_OTHER: [Record; 1] = [Record::event("io.postern.calendar.other.v1")];
static DRIVE_CHANGED: [Record; 1] = [Record::event("io.postern.drive.changed.v1")];
static DRIVE_OTHER: [Record; 1] = [Record::event("io.postern.drive.other.v1")];
static FILE_ADDED: [Record; 1] = [Record::event("io.postern.file.added.v1")];
static FILE_REMOVED: [Record; 1] = [Record::event("io.postern.file.removed.v1")];
static FILE_UPDATED: [Record; 1] = [Record::event("io.postern.file.updated.v1")];
static FILE_TRASHED: [Record; 1] = [Record::event("io.postern.file.trashed.v1")];
static FILE_UNTRASHED: [Record; 1] = [Record::event("io.postern.file.untrashed.v1")];
static FILE_OTHER: [Record; 1] = [Record::event("io.postern.file.other.v1")];

/// A state that Google sends, and what becomes of it.
type State = (&'static str, &'static [Record]);

/// Google's channels, at work.
#[derive(Debug)]
pub(crate) struct Channels {
    seed: u64,
    today: u16,
    watches: Watches,
    calendar: Uri,
    drive: Uri,
    headers: HeaderMap,
}

impl Channels {
    pub(crate) fn new(
        seed: u64,
        now: i64,
        ring: KeyRing,
        world: World,
    ) -> Result<Self, ScenarioError> {
        let today = u16::try_from(now / 86_400).map_err(|_| ScenarioError::Now(now))?;
        let agent = "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)";
        let mut headers = sender(agent);
        // No media type, and really sent.
        let content_type = HeaderValue::from_static("application/json; utf-8");
        headers.insert(header::CONTENT_TYPE, content_type);
        Ok(Self {
            seed,
            today,
            watches: Watches::new(seed, now, ring, world),
            calendar: Uri::from_static("/v1/google/calendar"),
            drive: Uri::from_static("/v1/google/drive"),
            headers,
        })
    }

    /// The delivery with this number. All draws come from `rng`.
    pub(crate) fn delivery(&self, mix: &Mix, sequence: u64, rng: &mut Rng) -> Delivery {
        let channel = self.watches.any(rng);
        let channel: &Channel = &channel;
        let sync = rng.chance(mix.lifecycle);
        let forgery = rng.chance(mix.forged).then(|| mix.forgery(false, rng));
        let unknown = rng.chance(mix.unknown);
        let odd = rng.chance(mix.odd).then(|| rng.below(6));
        // A channel says once that it works: the first message of one that was just made.
        let (id, number) = if sync {
            (Rng::new(self.seed, Stream::Sync, sequence).uuid(), 1)
        } else {
            (channel.id.clone(), channel.first_number + sequence)
        };
        let (state, records): State =
            if sync { ("sync", &CONFIRMED) } else { state(channel.watch, unknown, rng) };
        let mut headers = self.headers.clone();
        insert(&mut headers, CHANNEL_ID, &id);
        insert(&mut headers, MESSAGE_NUMBER, &number.to_string());
        insert(&mut headers, RESOURCE_STATE, state);
        describe(channel, odd, &mut headers);
        // Nothing but the address tells the kind of a state that nobody knows.
        if odd == Some(5) && !unknown {
            headers.remove(RESOURCE_URI);
            headers.remove(RESOURCE_ID);
        }
        if state == "update" {
            changed(odd == Some(1), &mut headers, rng);
        }
        let token = match forgery {
            None => Some(channel.token.clone()),
            Some(forgery) => self.watches.forge(channel, forgery, self.today, rng),
        };
        if let Some(token) = token {
            insert(&mut headers, CHANNEL_TOKEN, &token);
        }
        let body = body(channel.watch, odd == Some(2), rng);
        let verdict = match forgery {
            None => Verdict::Published(records),
            Some(forgery) => Verdict::Quarantined(forgery.reason()),
        };
        let item = Item {
            source: channel::source(channel.service, &id).into(),
            key: RecordKey::Id(number.to_string()),
            partition_key: Some(Arc::clone(&channel.partition_key)),
            verdict,
        };
        let expected = if rng.chance(mix.malformed) {
            malformed::channel(&mut headers, rng);
            Expected { status: 400, echo: None, items: Vec::new() }
        } else {
            Expected { status: 204, echo: None, items: vec![item] }
        };
        let uri = if channel.service == Service::Calendar { &self.calendar } else { &self.drive };
        Delivery::post(sequence, uri.clone(), &Arc::new(headers), body, expected)
    }
}

/// A state of what a channel watches.
fn state(watch: Watch, unknown: bool, rng: &mut Rng) -> State {
    if unknown {
        let word = rng.pick(&["archived", "exists2", "unknown_future_state"]);
        return match watch {
            Watch::Events | Watch::Settings => (word, &CALENDAR_OTHER),
            Watch::Changes => (word, &DRIVE_OTHER),
            Watch::File => (word, &FILE_OTHER),
        };
    }
    let choice = rng.below(10);
    match watch {
        Watch::Events | Watch::Settings if choice == 0 => ("not_exists", &CALENDAR_DELETED),
        Watch::Events | Watch::Settings => ("exists", &CALENDAR_CHANGED),
        // The guide's table has the one word, its example the other.
        Watch::Changes if choice < 5 => ("change", &DRIVE_CHANGED),
        Watch::Changes => ("changed", &DRIVE_CHANGED),
        Watch::File => match choice {
            0 => ("add", &FILE_ADDED),
            1 => ("remove", &FILE_REMOVED),
            2 => ("trash", &FILE_TRASHED),
            3 => ("untrash", &FILE_UNTRASHED),
            _ => ("update", &FILE_UPDATED),
        },
    }
}

/// The headers that are the same in every message of a channel.
fn describe(channel: &Channel, odd: Option<u64>, headers: &mut HeaderMap) {
    insert(headers, RESOURCE_ID, &channel.resource_id);
    insert(headers, RESOURCE_URI, &channel.resource_uri);
    match (odd, &channel.expires) {
        (Some(0), _) => insert(headers, CHANNEL_EXPIRATION, "in about a week"),
        (_, Some(expires)) => insert(headers, CHANNEL_EXPIRATION, expires),
        _ => {}
    }
    match odd {
        Some(3) => insert(headers, HeaderName::from_static("x-goog-future"), "more"),
        Some(4) => drop(headers.remove(header::CONTENT_TYPE)),
        _ => {}
    }
}

/// What of a file changed: with spaces or without; in two lines where that is asked for.
fn changed(lines: bool, headers: &mut HeaderMap, rng: &mut Rng) {
    const WORDS: [&str; 5] = ["content", "properties", "parents", "children", "permissions"];
    let first = rng.below(5) as usize;
    let count = 1 + rng.below(3) as usize;
    let words: Vec<_> = WORDS.iter().cycle().skip(first).take(count).copied().collect();
    if lines {
        for word in words {
            headers.append(CHANGED, HeaderValue::from_static(word));
        }
    } else {
        insert(headers, CHANGED, &words.join(rng.pick(&[",", ", "])));
    }
}

/// Bodies are empty, but some editions of Drive's guide have one for the changes feed.
fn body(watch: Watch, odd: bool, rng: &mut Rng) -> Bytes {
    match watch {
        Watch::Changes if odd || rng.chance(0.3) => {
            Bytes::from_static(b"{\n  \"kind\": \"drive#changes\"\n}\n")
        }
        _ if odd => Bytes::from_static(b"{\"kind\":\"api#channel\"}"),
        _ => Bytes::new(),
    }
}
