//! How do records lie in Kafka where no fixture says it: in binary mode, with a trace, and sealed without a key ring?

use crate::support::config::{Config, quoted};
use crate::support::consumer::{Mode, Reader, Record, read_all};
use crate::support::kafka::Kafka;
use crate::support::process::Postern;
use crate::support::{graph, hook};

fn one(id: &str) -> Vec<u8> {
    graph::notifications(&[id.to_owned()], &hook::graph("org_acme", "user_123", "inbox")).into()
}

fn ids(records: &[Record]) -> Vec<String> {
    records.iter().map(Record::id).collect()
}

#[test]
fn binary_mode_writes_attributes_as_headers() {
    let kafka = Kafka::shared();
    let topics = kafka.new_topics();
    let edge = Postern::start(&Config::new(kafka, &topics).set("kafka", "mode", "\"binary\""));
    assert_eq!(edge.post(graph::PATH, &[], &one("binary-1")).status, 202);
    let mut reader = Reader::open_as(kafka, &topics.events, Mode::Binary);
    let records = reader.read_to_end();
    assert_eq!(ids(records), ["binary-1"]);
    assert_eq!(records[0].header("ce_type"), Some("io.postern.message.created.v1"));
    assert_eq!(records[0].json()["fetch"]["method"], "GET", "the value is the data alone");
    assert_eq!(records[0].key.as_deref(), Some("org_acme/user_123"));
}

#[test]
fn a_trace_is_kept_from_request_to_record() {
    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let kafka = Kafka::shared();
    let topics = kafka.new_topics();
    let edge = Postern::start(&Config::new(kafka, &topics));
    let headers = [("traceparent", TRACE)];
    assert_eq!(edge.post(graph::PATH, &headers, &one("traced")).status, 202);
    let junk = graph::notifications(&["untrusted".to_owned()], "");
    assert_eq!(edge.post(graph::PATH, &headers, junk.as_bytes()).status, 202);
    let kept = |trace: Option<&str>| trace.is_some_and(|trace| trace[3..35] == TRACE[3..35]);
    let event = read_all(kafka, &topics.events)[0].event();
    assert!(kept(event["traceparent"].as_str()), "{event}");
    let record = &read_all(kafka, &topics.quarantine)[0];
    assert!(kept(record.header("ce_traceparent")), "{record:?}");
}

#[test]
fn without_a_ring_quarantined_bodies_are_not_kept_and_it_says_so() {
    let kafka = Kafka::shared();
    let topics = kafka.new_topics();
    let config = Config::new(kafka, &topics).without("hook_tokens");
    let secret = config.file("legacy", b"subscriptions made elsewhere\n");
    let config = config.append(&format!(
        "[[static_secret]]\nservice = \"graph\"\nfile = {}\ntenant = \"org_acme\"\nuser = \"user_1\"",
        quoted(secret.to_str().unwrap())
    ));
    let edge = Postern::start(&config);
    let send = |id: &str, secret: &str| {
        let body = graph::notifications(&[id.to_owned()], secret);
        assert_eq!(edge.post(graph::PATH, &[], body.as_bytes()).status, 202);
    };
    send("legacy", "subscriptions made elsewhere");
    send("junk", "subscriptions made elsewhere\n");
    let records = read_all(kafka, &topics.events);
    assert_eq!(ids(&records), ["legacy"], "one trailing newline is the file's, not the secret's");
    assert_eq!(records[0].key.as_deref(), Some("org_acme/user_1"));
    let junk = read_all(kafka, &topics.quarantine);
    assert_eq!(junk.len(), 1);
    assert_eq!((junk[0].value.as_ref(), junk[0].header("postern_kid")), (None, None));
    assert!(edge.stderr().contains("hook_tokens"), "no warning: {}", edge.stderr());
}
