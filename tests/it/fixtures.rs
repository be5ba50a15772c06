//! Does every fixture case come out as written when it is posted to the real process before a real Kafka?
//!
//! One process and one set of topics for all cases of a test, one case after the other: whatever is new in the topics
//! came of the last case. `tests/fixtures/README.md` describes the folders.

#[path = "../fixtures/case.rs"]
mod case;

use std::collections::BTreeMap;
use std::time::Duration;

use postern_core::key_ring::KeyRing;
use postern_core::quarantine;
use postern_core::secret::Secret;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use self::case::{Body, Case, Expected, Item, RECEIPT};
use crate::support::client::{Connection, Response};
use crate::support::config::{Config, quoted};
use crate::support::consumer::{Mode, Reader, Record};
use crate::support::kafka::Kafka;
use crate::support::metrics::Metrics;
use crate::support::process::Postern;

/// How long a record that nobody waited for may take.
const LATE: Duration = Duration::from_secs(10);
const OUTCOMES: [&str; 6] = ["published", "spooled", "quarantined", "denied", "dropped", "failed"];

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
    for name in ["sample-outlook-message-basic", "sample-lifecycle-missed", "identity-weak"] {
        let case = named(name);
        let (first, again) = (stand.published(&case), stand.published(&case));
        assert!(!first.is_empty(), "{name} publishes something");
        assert_eq!(ids(&first), ids(&again), "{name}");
    }
}

/// The limit is a number, so these bodies are made here and not kept as data.
#[test]
fn two_thousand_items_are_published_and_one_more_is_refused() {
    let mut stand = Stand::new(Mode::Structured);
    let plain = named("path-plain");
    let body: Value = serde_json::from_slice(&plain.request.body).unwrap();
    let item = body["value"][0].to_string();
    for (count, status) in [(2_000, 202), (2_001, 413)] {
        let mut case = named("path-plain");
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
    let mut case = named("handshake-too-long");
    case.request.target = format!("/v1/microsoft/graph?validationToken={}", "x".repeat(102_400));
    let response = stand.post(&case);
    assert!([400, 414, 431].contains(&response.status), "{}", response.status);
    assert_eq!(response.body, b"");
}

/// A running postern, and what its topics held when they were last looked at.
struct Stand {
    postern: Postern,
    ring: KeyRing,
    mode: Mode,
    /// Events, lifecycle, quarantine.
    readers: [Reader; 3],
    seen: [usize; 3],
}

impl Stand {
    fn new(mode: Mode) -> Self {
        let kafka = Kafka::shared();
        let topics = kafka.new_topics();
        let trust = case::trust();
        let mut config = Config::new(kafka, &topics)
            .set("quarantine", "records_per_second", "100000")
            .set("quarantine", "bytes_per_second", "\"512MiB\"");
        if mode == Mode::Binary {
            config = config.set("kafka", "mode", "\"binary\"");
        }
        let readers = topics.all().map(|topic| Reader::open_as(kafka, topic, mode));
        let postern = Postern::start(&configure(config, &trust));
        Self { postern, ring: ring(&trust), mode, readers, seen: [0; 3] }
    }

    fn post_all(&mut self) {
        let mut failures = Vec::new();
        for case in case::all("microsoft") {
            let before = self.postern.metrics();
            let sent = jiff::Timestamp::now();
            let response = self.post(&case);
            check_answer(&case, &response);
            let outcome = self.outcome(&case, &response, &before, sent);
            failures.extend(case.check(&outcome).err());
        }
        // Whatever came late came of no case.
        let quiet = Duration::from_millis(500);
        std::thread::sleep(quiet);
        assert!(self.new_records(0, 0, 0).is_empty(), "a record that belongs to no case");
        let count = failures.len();
        assert!(failures.is_empty(), "{}\n{count} cases differ", failures.join("\n"));
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
        let [events, lifecycle, quarantined] = counts(&case.expected);
        let records = self.new_records(events, lifecycle, quarantined);
        records.iter().filter(|record| record.key.is_some()).map(Record::event).collect()
    }

    /// Everything new in the three topics, which must be at least so much once what is late has come.
    fn new_records(&mut self, events: usize, lifecycle: usize, quarantined: usize) -> Vec<Record> {
        let mut new = Vec::new();
        for (place, expected) in [events, lifecycle, quarantined].into_iter().enumerate() {
            let (reader, seen) = (&mut self.readers[place], &mut self.seen[place]);
            reader.wait_for(*seen + expected, LATE);
            let records = reader.read_to_end();
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
        let [events, lifecycle, quarantined] = counts(&case.expected);
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
        let after = self.postern.metrics();
        Expected {
            status: response.status,
            headers: headers.collect(),
            body: response.text(),
            records: in_order(published, &case.expected.records),
            quarantine: quarantined.first().map(|record| self.opened(case, record)),
            notifications: counted(before, &after),
            refused: refused(&case.name, before, &after),
        }
    }

    /// A published record as the fixtures write it.
    fn written(&self, record: &Record, sent: jiff::Timestamp) -> case::Record {
        let mut value = record.event();
        if self.mode == Mode::Binary {
            assert!(record.header("ce_specversion").is_some(), "binary mode: {record:?}");
        }
        let text = value["time"].as_str().expect("a time").to_owned();
        assert_eq!(value["recordedtime"], text.as_str(), "Graph does not say when it happened");
        let time: jiff::Timestamp = text.parse().expect("RFC 3339");
        // The record's time has milliseconds only.
        let early = sent.as_millisecond() - 1;
        assert!((early..=jiff::Timestamp::now().as_millisecond()).contains(&time.as_millisecond()));
        value["time"] = json!(RECEIPT);
        value["recordedtime"] = json!(RECEIPT);
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
        assert_eq!(header("postern_service"), "graph");
        assert_eq!(header("ce_source"), "//postern/quarantine/graph");
        assert_eq!(header("postern_size"), body.len().to_string(), "{}", case.name);
        assert_eq!(header("postern_sha256"), hex(&Sha256::digest(body)), "{}", case.name);
        let value = record.value.as_deref().unwrap_or_else(|| panic!("{}: no value", case.name));
        let opened = quarantine::open(&self.ring, header("postern_kid"), "graph", value)
            .unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let kept = if opened.body.is_empty() { Body::Withheld } else { Body::Kept };
        if kept == Body::Kept {
            assert_eq!(opened.body, *body, "{}", case.name);
        }
        let truncated = if kept == Body::Kept { "false" } else { "true" };
        assert_eq!(header("postern_truncated"), truncated, "{}", case.name);
        let items: Vec<Item> = serde_json::from_str(header("postern_items")).expect("JSON");
        case::Quarantine { reason: header("postern_reason").to_owned(), items, body: kept }
    }
}

/// Keys, static secrets and deny rules of `trust.json`, as files and configuration.
fn configure(config: Config, trust: &case::Trust) -> Config {
    let file = |name: &str, content: &[u8]| {
        quoted(config.file(name, content).to_str().expect("a plain path"))
    };
    let keys: Vec<String> = trust
        .keys
        .iter()
        .map(|(kid, key)| format!("{kid} = {}", file(&format!("hook-{kid}"), &case::unhex(key))))
        .collect();
    let user = |user: &Option<String>| {
        user.as_ref().map_or_else(String::new, |user| format!("user = {}\n", quoted(user)))
    };
    let mut tables = String::new();
    // Secrets of services that have no cases yet are there for the tests in memory.
    let secrets = trust.static_secrets.iter().filter(|given| given.service == "graph");
    for (place, given) in secrets.enumerate() {
        tables += &format!(
            "[[static_secret]]\nservice = {}\nfile = {}\ntenant = {}\n{}",
            quoted(&given.service),
            file(&format!("static-{place}"), given.secret.as_bytes()),
            quoted(&given.tenant),
            user(&given.user),
        );
    }
    for rule in &trust.deny {
        tables += &format!("[[deny]]\ntenant = {}\n{}", quoted(&rule.tenant), user(&rule.user));
    }
    let keys = format!("{{ {} }}", keys.join(", "));
    config
        .set("hook_tokens", "signing", &quoted(&trust.signing))
        .set("hook_tokens", "keys", &keys)
        .append(&tables)
}

fn ring(trust: &case::Trust) -> KeyRing {
    let key = |key: &String| Secret::from_file_content(case::unhex(key));
    let keys = trust.keys.iter().map(|(kid, text)| (kid.clone(), key(text)));
    KeyRing::new(&trust.signing, keys.collect()).expect("a good ring")
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
fn counts(expected: &Expected) -> [usize; 3] {
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

fn counted(before: &Metrics, after: &Metrics) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for outcome in OUTCOMES {
        let labels = [("service", "graph"), ("outcome", outcome)];
        let grown = growth(before, after, "postern_notifications_total", &labels);
        if grown > 0 {
            counts.insert(outcome.to_owned(), grown);
        }
    }
    let all = growth(before, after, "postern_notifications_total", &[]);
    assert_eq!(all, counts.values().sum::<u64>(), "a count of another service or outcome");
    let quarantined = growth(before, after, "postern_quarantined_total", &[]);
    assert_eq!(quarantined, counts.get("quarantined").copied().unwrap_or(0));
    counts
}

/// The reason that was counted, if one was; a request is refused once.
fn refused(case: &str, before: &Metrics, after: &Metrics) -> Option<String> {
    const NAME: &str = "postern_refused_total";
    match growth(before, after, NAME, &[]) {
        0 => return None,
        1 => {}
        more => panic!("{case}: refused {more} times"),
    }
    let reasons = after.series(NAME).filter_map(|(labels, _)| {
        labels.strip_prefix("reason=\"").and_then(|rest| rest.strip_suffix('"'))
    });
    let reasons: Vec<&str> = reasons.collect();
    let grown = |reason: &&&str| growth(before, after, NAME, &[("reason", reason)]) == 1;
    Some((*reasons.iter().find(grown).expect("the sum grew, so one did")).to_owned())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small counts")]
fn growth(before: &Metrics, after: &Metrics, name: &str, labels: &[(&str, &str)]) -> u64 {
    let grown = after.value(name, labels) - before.value(name, labels);
    assert!(grown >= 0.0, "{name} went down");
    grown.round() as u64
}

fn ids(events: &[Value]) -> Vec<(&Value, &Value)> {
    events.iter().map(|event| (&event["source"], &event["id"])).collect()
}

fn named(name: &str) -> Case {
    case::all("microsoft")
        .into_iter()
        .find(|case| case.name == name)
        .unwrap_or_else(|| panic!("there is no case {name}"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
