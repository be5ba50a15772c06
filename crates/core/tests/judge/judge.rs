//! How is a fixture case judged in memory, without listener and Kafka?

use std::collections::BTreeMap;

use postern_core::batch::{Batch, Record};
use postern_core::delivery::{Rejection, Verified};
use postern_core::form::{ContentMode, Form};
use postern_core::key_ring::KeyRing;
use postern_core::quarantine::{self, KeptBody, Quarantined};
use postern_core::reason::{Reason, Untrusted};
use postern_core::replay::{self, Stored};
use postern_core::secret::Secret;
use postern_core::service::Service;
use postern_core::time::UnixMillis;
use postern_core::trust::{Deny, StaticSecret, Trust};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::admitted::{Admitted, Issuer, refused};
use crate::case::{self, Body, Case, Expected, Item, RECEIPT};
use crate::schemas::Schemas;

/// 2026-11-25T12:00:00.123Z
const RECEIVED: UnixMillis = UnixMillis(1_795_608_000_123);
const RECEIVED_TEXT: &str = "2026-11-25T12:00:00.123Z";

/// The trust of `trust.json`, the issuer of its sources, and the published schemas.
pub(crate) struct Judge {
    trust: Trust,
    issuer: Issuer,
    schemas: Schemas,
}

impl Judge {
    pub(crate) fn new() -> Self {
        let file = case::trust();
        let secret = |text: &[u8]| Secret::from_file_content(text.to_vec());
        let keys = file.keys.iter().map(|(kid, key)| (kid.clone(), secret(&case::unhex(key))));
        let ring = KeyRing::new(&file.signing, keys.collect()).expect("a good ring");
        let issuer = Issuer::new(&file.sources, &file.service_account, RECEIVED);
        let secrets = file.static_secrets.into_iter().map(|given| {
            let service = Service::from_word(&given.service).expect("a service");
            StaticSecret::new(service, &secret(given.secret.as_bytes()), given.tenant, given.user)
        });
        let deny = Deny::new(file.deny.into_iter().map(|rule| (rule.tenant, rule.user)).collect());
        let trust = Trust::new(Some(ring), secrets.collect(), deny);
        Self { trust, issuer, schemas: Schemas::read() }
    }

    /// Every case of a provider, with tokens in the places where they belong.
    pub(crate) fn cases(&self, provider: &str) -> Vec<Case> {
        let mut cases = case::all(provider);
        for case in &mut cases {
            case.request.authorize(|source| self.issuer.token(source));
        }
        cases
    }

    /// What the case comes to, as far as the core decides it; the rest is the contract's table of answers.
    pub(crate) fn outcome(&self, case: &Case) -> Expected {
        let admitted = match self.admit(case) {
            Ok(admitted) => admitted,
            Err(answer) => return *answer,
        };
        match admitted.verify(&self.trust, RECEIVED) {
            Err(Rejection::Unreadable) => refused(400, "unreadable"),
            Err(Rejection::TooManyItems) => refused(413, "too-large"),
            Ok(verified) => answered(admitted.taken(), &verified),
        }
    }

    fn admit<'c>(&'c self, case: &'c Case) -> Result<Admitted<'c>, Box<Expected>> {
        Admitted::of(case, &self.issuer, RECEIVED)
    }

    /// Compares every record of both content modes with each other; returns how many there are.
    pub(crate) fn check_records(&self, case: &Case) -> usize {
        let Ok(admitted) = self.admit(case) else { return 0 };
        let Ok(verified) = admitted.verify(&self.trust, RECEIVED) else { return 0 };
        let written = |mode| verified.normalize(&Form { mode, ..Form::default() }).0;
        let (structured, binary) = (written(ContentMode::Structured), written(ContentMode::Binary));
        assert_eq!(structured.len(), binary.len(), "{}", case.name);
        for (structured, binary) in structured.records().zip(binary.records()) {
            let event = check_structured(&case.name, &structured);
            self.schemas.check(&case.name, event["dataschema"].as_str().expect("text"), &event);
            check_binary(&case.name, &binary, event, structured.key());
        }
        structured.len()
    }

    /// Quarantines the case as a whole, whatever it holds, and replays it: it has to come to what it comes to at once.
    /// Returns how many records that are.
    pub(crate) fn check_replay(&self, case: &Case) -> usize {
        let Ok(admitted) = self.admit(case) else { return 0 };
        let Ok(verified) = admitted.verify(&self.trust, RECEIVED) else { return 0 };
        let kept = admitted.kept();
        let quarantined = Quarantined {
            service: verified.service().as_str(),
            items: &[],
            reason: Reason::UnknownKey,
            body: KeptBody::Whole(&case.request.body),
            kept: &kept,
            received: RECEIVED,
            traceparent: admitted.traceparent(),
        }
        .record(self.trust.ring(), 524_288);
        let record = only(&quarantined);
        let header = |name: &str| record.headers().find(|(have, _)| *have == name).map(|(_, v)| v);
        let stored = Stored::read(header, record.value()).expect("is a quarantine record");
        let (trust, sources, form) = (&self.trust, self.issuer.sources(), Form::default());
        let judged = replay::Judge { trust, sources, form }.judge(&stored);
        let judged = judged.unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let once = answered(admitted.taken(), &verified);
        let records: Vec<_> =
            judged.batch.records().map(|record| published_record(&record)).collect();
        assert_eq!(records, once.records, "{}", case.name);
        for (outcome, count) in [
            ("published", judged.passed),
            ("quarantined", judged.untrusted.len()),
            ("denied", judged.denied),
        ] {
            let expected = once.notifications.get(outcome).copied().unwrap_or_default();
            assert_eq!(count as u64, expected, "{}: {outcome}", case.name);
        }
        records.len()
    }

    /// Seals the case's quarantine record, checks its headers and opens it again; returns the body inside.
    pub(crate) fn check_quarantine(&self, case: &Case, expected: &case::Quarantine) -> Vec<u8> {
        let admitted = self.admit(case).expect("a quarantined delivery is read");
        let verified = admitted.verify(&self.trust, RECEIVED).expect("and readable");
        let (service, kept) = (verified.service().as_str(), admitted.kept());
        let (_, too_large) = verified.normalize(&Form::default());
        let whole = verified.whole_body();
        let untrusted = [verified.untrusted(), &too_large].concat();
        let record = Quarantined {
            service,
            items: if whole.is_some() { &[] } else { &untrusted },
            reason: whole.unwrap_or(untrusted[0].reason),
            body: if verified.denied() > 0 {
                KeptBody::Withheld(&case.request.body)
            } else {
                KeptBody::Whole(&case.request.body)
            },
            kept: &kept,
            received: RECEIVED,
            traceparent: None,
        };
        let ring = self.trust.ring().expect("a ring");
        let batch = record.record(Some(ring), 524_288);
        let record = only(&batch);
        let headers = headers(&record);
        assert_eq!(record.key(), None, "{}: quarantine records have no key", case.name);
        for (name, value) in [
            ("content-type", "application/octet-stream"),
            ("ce_specversion", "1.0"),
            ("ce_type", "io.postern.delivery.quarantined.v1"),
            ("ce_source", &format!("//postern/quarantine/{service}")),
            ("ce_dataschema", "urn:postern:quarantine:v1"),
            ("ce_time", RECEIVED_TEXT),
            ("ce_recordedtime", RECEIVED_TEXT),
            ("postern_service", service),
            ("postern_reason", &expected.reason),
            ("postern_size", &case.request.body.len().to_string()),
            ("postern_sha256", &sha256(&case.request.body)),
            ("postern_kid", "k1"),
        ] {
            assert_eq!(headers.get(name).map(String::as_str), Some(value), "{}: {name}", case.name);
        }
        let described = json!(headers);
        self.schemas.check(&case.name, &headers["ce_dataschema"], &described);
        let items: Vec<Item> = serde_json::from_str(&headers["postern_items"]).expect("JSON");
        assert_eq!(items, expected.items, "{}", case.name);
        let truncated = if expected.body == Body::Kept { "false" } else { "true" };
        assert_eq!(headers["postern_truncated"], truncated, "{}", case.name);
        let opened = quarantine::open(ring, "k1", service, record.value().expect("it is sealed"))
            .expect("the ring opens what it sealed");
        let sealed: Vec<(&str, &[u8])> =
            opened.kept.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        assert_eq!(sealed, kept, "{}", case.name);
        opened.body
    }
}

fn answered(status: u16, verified: &Verified<'_>) -> Expected {
    let (batch, too_large) = verified.normalize(&Form::default());
    let mut untrusted = [verified.untrusted(), &too_large].concat();
    untrusted.sort_by_key(|item| item.index);
    let published = verified.genuine() - too_large.len();
    assert_eq!(published + untrusted.len() + verified.denied(), verified.total());
    let counts =
        [("published", published), ("quarantined", untrusted.len()), ("denied", verified.denied())];
    let notifications = counts
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(outcome, count)| (outcome.to_owned(), count as u64))
        .collect();
    let records = batch.records().map(|record| published_record(&record)).collect();
    let quarantine = quarantined(verified, &untrusted);
    Expected { status, records, quarantine, notifications, ..Expected::default() }
}

fn quarantined(verified: &Verified<'_>, untrusted: &[Untrusted]) -> Option<case::Quarantine> {
    let first = untrusted.first()?;
    let listed = if verified.whole_body().is_some() { &[] } else { untrusted };
    let item = |item: &Untrusted| Item { index: item.index, reason: item.reason.as_str().into() };
    Some(case::Quarantine {
        reason: verified.whole_body().unwrap_or(first.reason).as_str().to_owned(),
        items: listed.iter().take(100).map(item).collect(),
        body: if verified.denied() > 0 { Body::Withheld } else { Body::Kept },
    })
}

fn published_record(record: &Record<'_>) -> case::Record {
    let mut value: Value =
        serde_json::from_slice(record.value().expect("events have a value")).expect("JSON");
    assert_eq!(value["recordedtime"], RECEIVED_TEXT);
    for name in ["time", "recordedtime"] {
        if value[name] == RECEIVED_TEXT {
            value[name] = json!(RECEIPT);
        }
    }
    let key = std::str::from_utf8(record.key().expect("events have a key")).expect("ASCII");
    case::Record { topic: record.topic().as_str().to_owned(), key: key.to_owned(), value }
}

/// Structured mode: the value is the event, no header makes an SDK believe in binary mode.
fn check_structured(case: &str, record: &Record<'_>) -> Value {
    let event: Value = serde_json::from_slice(record.value().expect("a value")).expect("JSON");
    let text = |name: &str| event[name].as_str().expect(name).to_owned();
    let expected: BTreeMap<&str, String> = [
        ("content-type", "application/cloudevents+json; charset=UTF-8".to_owned()),
        ("postern_id", text("id")),
        ("postern_source", text("source")),
        ("postern_type", text("type")),
    ]
    .into();
    assert_eq!(headers(record), expected, "{case}");
    assert_eq!(record.key(), Some(text("partitionkey").as_bytes()), "{case}");
    event
}

/// Binary mode: the same attributes as headers, the data alone as value.
fn check_binary(case: &str, record: &Record<'_>, mut event: Value, key: Option<&[u8]>) {
    let members = event.as_object_mut().expect("an event is an object");
    let data: Value = serde_json::from_slice(record.value().expect("a value")).expect("JSON");
    assert_eq!(Some(data), members.remove("data"), "{case}");
    let content_type = members.remove("datacontenttype").expect("the type of the data");
    let mut actual = headers(record);
    assert_eq!(actual.remove("content-type").map(Value::from), Some(content_type), "{case}");
    for (name, attribute) in
        [("postern_id", "id"), ("postern_source", "source"), ("postern_type", "type")]
    {
        let value = actual.remove(name).map(Value::from);
        assert_eq!(value.as_ref(), members.get(attribute), "{case}: {name}");
    }
    let attributes: BTreeMap<String, Value> =
        members.iter().map(|(name, value)| (format!("ce_{name}"), value.clone())).collect();
    let actual: BTreeMap<String, Value> =
        actual.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    assert_eq!(actual, attributes, "{case}");
    assert_eq!(record.key(), key, "{case}");
}

fn headers<'r>(record: &Record<'r>) -> BTreeMap<&'r str, String> {
    let text = |value: &[u8]| String::from_utf8(value.to_vec()).expect("headers are UTF-8");
    record.headers().map(|(name, value)| (name, text(value))).collect()
}

fn only(batch: &Batch) -> Record<'_> {
    assert_eq!(batch.len(), 1, "one record a delivery");
    batch.records().next().expect("there is one")
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
