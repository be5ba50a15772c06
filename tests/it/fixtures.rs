//! Does every fixture case come out as written when it is posted to the real process before a real Kafka?
//!
//! One process and one set of topics for all cases of a test, one case after the other: whatever is new in the topics
//! came of the last case. `tests/fixtures/README.md` describes the folders.

#[path = "../fixtures/case.rs"]
mod case;
mod counts;
mod issuer;
mod trust;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use postern_core::key_ring::KeyRing;
use postern_core::quarantine;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use self::case::{Body, Case, Expected, Item, RECEIPT};
use self::issuer::Issuer;
use crate::support::client::{Connection, Response};
use crate::support::config::Config;
use crate::support::consumer::{Mode, Reader, Record};
use crate::support::kafka::Kafka;
use crate::support::metrics::Metrics;
use crate::support::process::Postern;

/// How long a record that nobody waited for may take.
const LATE: Duration = Duration::from_secs(10);
const PROVIDERS: [&str; 2] = ["microsoft", "google"];

#[test]
fn every_case_comes_out_as_written() {
    Stand::new(Mode::Structured).post_all();
}

#[test]
fn every_case_comes_out_as_written_in_binary_mode() {
    Stand::new(Mode::Binary).post_all();
}

#[test]
fn the_same_request_again_gives_the_same_ids_and_sources() {
    let mut stand = Stand::new(Mode::Structured);
    for name in [
        "sample-outlook-message-basic",
        "sample-lifecycle-missed",
        "identity-weak",
        "sample-gmail-push",
        "gmail-id-missing",
        "sample-lifecycle-suspended",
        "sample-calendar-sync",
        "sample-drive-file-updated",
    ] {
        let case = stand.named(name);
        let (first, again) = (stand.published(&case), stand.published(&case));
        assert!(!first.is_empty(), "{name} publishes something");
        assert_eq!(ids(&first), ids(&again), "{name}");
    }
}

/// The limit is a number, so these bodies are made here and not kept as data.
#[test]
fn two_thousand_items_are_published_and_one_more_is_refused() {
    let mut stand = Stand::new(Mode::Structured);
    let plain = stand.named("path-plain");
    let body: Value = serde_json::from_slice(&plain.request.body).unwrap();
    let item = body["value"][0].to_string();
    for (count, status) in [(2_000, 202), (2_001, 413)] {
        let mut case = stand.named("path-plain");
        let list = vec![item.as_str(); count].join(",");
        case.request.body = format!(r#"{{"value":[{list}]}}"#).into_bytes();
        assert_eq!(stand.post(&case).status, status, "{count} items");
        let records = stand.new_records(if status == 202 { count } else { 0 }, 0, 0);
        assert!(records.iter().all(|record| record.id() == records[0].id()));
    }
}

/// Not data: its size alone matters. The server may end it by itself (414, 431) or read it and refuse it (400).
#[test]
fn a_handshake_of_a_hundred_kibibytes_is_refused() {
    let stand = Stand::new(Mode::Structured);
    let mut case = stand.named("handshake-too-long");
    case.request.target = format!("/v1/microsoft/graph?validationToken={}", "x".repeat(102_400));
    let response = stand.post(&case);
    assert!([400, 414, 431].contains(&response.status), "{}", response.status);
    assert_eq!(response.body, b"");
}

/// A running postern, and what its topics held when they were last looked at.
struct Stand {
    postern: Postern,
    ring: KeyRing,
    issuer: Issuer,
    mode: Mode,
    /// Events, lifecycle, quarantine.
    readers: [Reader; 3],
    seen: [usize; 3],
}

impl Stand {
    fn new(mode: Mode) -> Self {
        let kafka = Kafka::shared();
        let topics = kafka.new_topics();
        let given = case::trust();
        let mut config = Config::new(kafka, &topics)
            .set("quarantine", "records_per_second", "100000")
            .set("quarantine", "bytes_per_second", "\"512MiB\"");
        if mode == Mode::Binary {
            config = config.set("kafka", "mode", "\"binary\"");
        }
        let readers = topics.all().map(|topic| Reader::open_as(kafka, topic, mode));
        let issuer = Issuer::start(&given);
        let postern = Postern::start(&trust::configure(config, &given, &issuer.url()));
        // Until the keys have come, pushes are answered 503.
        let loaded = || postern.metrics().value("postern_jwks_age_seconds", &[]).is_finite();
        let begun = Instant::now();
        while !loaded() {
            assert!(begun.elapsed() < LATE, "the key set is not fetched");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { postern, ring: trust::ring(&given), issuer, mode, readers, seen: [0; 3] }
    }

    /// All cases, with tokens in the places where they belong.
    fn cases(&self) -> Vec<Case> {
        let mut cases: Vec<Case> = PROVIDERS.into_iter().flat_map(case::all).collect();
        for case in &mut cases {
            case.request.authorize(|source| self.issuer.token(source));
        }
        cases
    }

    fn named(&self, name: &str) -> Case {
        let found = self.cases().into_iter().find(|case| case.name == name);
        found.unwrap_or_else(|| panic!("there is no case {name}"))
    }

    fn post_all(&mut self) {
        let mut failures = Vec::new();
        for case in self.cases() {
            let before = self.postern.metrics();
            let sent = jiff::Timestamp::now();
            let response = self.post(&case);
            check_answer(&case, &response);
            let outcome = self.outcome(&case, &response, &before, sent);
            failures.extend(case.check(&outcome).err());
        }
        let count = failures.len();
        assert!(failures.is_empty(), "{}\n{count} cases differ", failures.join("\n"));
        // Whatever came late came of no case.
        std::thread::sleep(Duration::from_millis(500));
        for (reader, seen) in self.readers.iter_mut().zip(self.seen) {
            assert_eq!(reader.read_to_end().len(), seen, "a record that belongs to no case");
        }
    }

    fn post(&self, case: &Case) -> Response {
        let answer = Connection::open(self.postern.public()).and_then(|mut connection| {
            connection.send(&wire(&case.request))?;
            connection.read_response()
        });
        answer.unwrap_or_else(|error| panic!("{} got no answer: {error}", case.name))
    }

    /// Posts a case and returns the events that came of it.
    fn published(&mut self, case: &Case) -> Vec<Value> {
        assert_eq!(self.post(case).status, case.expected.status, "{}", case.name);
        let [events, lifecycle, quarantined] = records_of(&case.expected);
        let records = self.new_records(events, lifecycle, quarantined);
        records.iter().filter(|record| record.key.is_some()).map(Record::event).collect()
    }

    /// What is new in the three topics, once at least so much has come. A record too many is seen here with the next
    /// case of its topic at the latest, or at the end.
    fn new_records(&mut self, events: usize, lifecycle: usize, quarantined: usize) -> Vec<Record> {
        let mut new = Vec::new();
        for (place, expected) in [events, lifecycle, quarantined].into_iter().enumerate() {
            let (reader, seen) = (&mut self.readers[place], &mut self.seen[place]);
            let records = reader.wait_for(*seen + expected, LATE);
            new.extend_from_slice(&records[*seen..]);
            *seen = records.len();
        }
        new
    }

    /// What came of the case, in the words of `expected.json`.
    fn outcome(
        &mut self,
        case: &Case,
        response: &Response,
        before: &Metrics,
        sent: jiff::Timestamp,
    ) -> Expected {
        let [events, lifecycle, quarantined] = records_of(&case.expected);
        let new = self.new_records(events, lifecycle, quarantined);
        let (quarantined, published): (Vec<_>, Vec<_>) =
            new.into_iter().partition(|record| record.key.is_none());
        assert!(quarantined.len() <= 1, "{}: one quarantine record a delivery", case.name);
        let published: Vec<case::Record> =
            published.iter().map(|record| self.written(record, sent)).collect();
        let headers =
            case.expected.headers.keys().filter_map(|name| {
                response.header(name).map(|value| (name.clone(), value.to_owned()))
            });
        let counted = counts::counted(&case.name, before, &self.postern.metrics());
        for record in &published {
            let service = record.value["data"]["service"].as_str();
            assert_eq!(service, counted.service, "{}", case.name);
        }
        for record in &quarantined {
            assert_eq!(record.header("postern_service"), counted.service, "{}", case.name);
        }
        Expected {
            status: response.status,
            headers: headers.collect(),
            body: response.text(),
            records: in_order(published, &case.expected.records),
            quarantine: quarantined.first().map(|record| self.opened(case, record)),
            notifications: counted.outcomes,
            refused: counts::refused(&case.name, before, &self.postern.metrics()),
        }
    }

    /// A published record as the fixtures write it.
    fn written(&self, record: &Record, sent: jiff::Timestamp) -> case::Record {
        let mut value = record.event();
        if self.mode == Mode::Binary {
            assert!(record.header("ce_specversion").is_some(), "binary mode: {record:?}");
        }
        let text = value["recordedtime"].as_str().expect("a time").to_owned();
        let time: jiff::Timestamp = text.parse().expect("RFC 3339");
        // The record's time has milliseconds only.
        let early = sent.as_millisecond() - 1;
        assert!(
            time.as_millisecond() >= early,
            "a record of an earlier request: a case before this one published more than it may\n{value:#}"
        );
        assert!(time <= jiff::Timestamp::now(), "received in the future: {text}");
        // Where the provider does not say when it happened, that is the receipt too.
        for name in ["time", "recordedtime"] {
            if value[name] == *text {
                value[name] = json!(RECEIPT);
            }
        }
        let topic = if record.topic.ends_with(".events.v1") { "events" } else { "lifecycle" };
        let key = record.key.clone().expect("published records have a key");
        case::Record { topic: topic.to_owned(), key, value }
    }

    /// The quarantine record: opened with the ring, its body compared with what was sent.
    fn opened(&self, case: &Case, record: &Record) -> case::Quarantine {
        let header = |name: &str| {
            record.header(name).unwrap_or_else(|| panic!("{}: no {name}: {record:?}", case.name))
        };
        let body = &case.request.body;
        let service = header("postern_service");
        assert_eq!(header("ce_source"), format!("//postern/quarantine/{service}"));
        assert_eq!(header("postern_size"), body.len().to_string(), "{}", case.name);
        assert_eq!(header("postern_sha256"), hex(&Sha256::digest(body)), "{}", case.name);
        let value = record.value.as_deref().unwrap_or_else(|| panic!("{}: no value", case.name));
        let opened = quarantine::open(&self.ring, header("postern_kid"), service, value)
            .unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let kept = match header("postern_truncated") {
            "false" => Body::Kept,
            _ => Body::Withheld,
        };
        let stored = if kept == Body::Kept { body.as_slice() } else { b"" };
        assert_eq!(opened.body, stored, "{}", case.name);
        let token = |(name, value): &(String, Vec<u8>)| {
            name == "authorization" || value.windows(7).any(|part| part == b"Bearer ")
        };
        assert!(!opened.kept.iter().any(token), "{}: a bearer token is kept", case.name);
        let items: Vec<Item> = serde_json::from_str(header("postern_items")).expect("JSON");
        case::Quarantine { reason: header("postern_reason").to_owned(), items, body: kept }
    }
}

/// The bytes on the wire: CRLF in the head, `Host` and `Content-Length` where the case has none.
fn wire(request: &case::Request) -> Vec<u8> {
    let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.target);
    let length = request.body.len().to_string();
    for (name, value) in [("Host", "hooks.example.com"), ("Content-Length", &length)] {
        if request.header(name).next().is_none() {
            head += &format!("{name}: {value}\r\n");
        }
    }
    for (name, value) in &request.headers {
        head += &format!("{name}: {value}\r\n");
    }
    [head.as_bytes(), b"\r\n", &request.body].concat()
}

/// What every answer has, and what only those with a body have.
fn check_answer(case: &Case, response: &Response) {
    let name = &case.name;
    assert_eq!(response.count("cache-control"), 1, "{name}: {response:?}");
    assert_eq!(response.header("cache-control"), Some("no-store"), "{name}: {response:?}");
    if case.expected.body.is_empty() {
        assert_eq!(response.header("content-type"), None, "{name}: no body, no type");
    }
    for header in ["location", "set-cookie", "server"] {
        assert_eq!(response.header(header), None, "{name}: {header}");
    }
}

/// How many records of events, lifecycle and quarantine a case has.
fn records_of(expected: &Expected) -> [usize; 3] {
    let of = |topic: &str| expected.records.iter().filter(|record| record.topic == topic).count();
    [of("events"), of("lifecycle"), usize::from(expected.quarantine.is_some())]
}

/// Kafka keeps order within a topic and key alone; between those, the expected order is taken.
fn in_order(actual: Vec<case::Record>, expected: &[case::Record]) -> Vec<case::Record> {
    let mut queues: BTreeMap<(String, String), Vec<case::Record>> = BTreeMap::new();
    for record in actual.into_iter().rev() {
        queues.entry((record.topic.clone(), record.key.clone())).or_default().push(record);
    }
    let mut next =
        |record: &case::Record| queues.get_mut(&(record.topic.clone(), record.key.clone()))?.pop();
    let mut ordered: Vec<case::Record> = expected.iter().filter_map(&mut next).collect();
    ordered.extend(queues.into_values().flat_map(|queue| queue.into_iter().rev()));
    ordered
}

fn ids(events: &[Value]) -> Vec<(&Value, &Value)> {
    events.iter().map(|event| (&event["source"], &event["id"])).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
