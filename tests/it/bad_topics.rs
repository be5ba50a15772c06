//! What when a topic is missing, goes away, or takes only small records? Nothing is promised that is not kept.

use std::time::{Duration, Instant};

use crate::support::config::Config;
use crate::support::consumer::{Record, read_all};
use crate::support::kafka::{Kafka, Topics};
use crate::support::process::Postern;
use crate::support::{eventually, graph, hook};

/// An answer comes within 2.5 s of postern's clock; the way there and back takes the rest on a busy machine.
const DEADLINE: Duration = Duration::from_millis(2_900);

fn body(ids: &[&str]) -> String {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    graph::notifications(&ids, &hook::graph("org_acme", "user_123", "inbox"))
}

/// One POST, its status, and an answer in time.
fn post(edge: &Postern, body: &str) -> u16 {
    let start = Instant::now();
    let answer = edge.post(graph::PATH, &[], body.as_bytes());
    assert!(start.elapsed() <= DEADLINE, "an answer after {:?}", start.elapsed());
    assert_eq!(answer.status == 503, answer.header("retry-after").is_some(), "{answer:?}");
    answer.status
}

fn ids(kafka: &Kafka, topic: &str) -> Vec<String> {
    let mut ids: Vec<String> = read_all(kafka, topic).iter().map(Record::id).collect();
    ids.sort();
    ids
}

#[test]
fn topics_that_are_missing_are_an_outage_and_the_log_says_what_to_do() {
    let kafka = Kafka::shared();
    let topics = Topics::named();
    let edge = Postern::start(&Config::new(kafka, &topics));
    assert_eq!(post(&edge, &body(&["missing-1"])), 503);
    let junk = graph::notifications(&["junk-1".to_owned()], "");
    assert_eq!(post(&edge, &junk), 503);
    let told = || {
        let log = edge.stderr();
        topics.all().iter().all(|topic| {
            let of = |line: &&str| line.contains(topic) && line.contains("postern topics create");
            log.lines().any(|line| of(&line))
        })
    };
    assert!(eventually(Duration::from_secs(10), told), "not told:\n{}", edge.stderr());
    // They are made while it runs.
    for topic in topics.all() {
        kafka.create_topic(topic, 1, &[]);
    }
    let taken = || post(&edge, &body(&["made-1"])) == 202;
    assert!(eventually(Duration::from_secs(15), taken), "no 2xx:\n{}", edge.stderr());
    assert!(ids(kafka, &topics.events).contains(&"made-1".to_owned()));
    assert!(eventually(Duration::from_secs(15), || post(&edge, &junk) == 202));
    assert!(!read_all(kafka, &topics.quarantine).is_empty());
}

#[test]
fn a_topic_that_is_deleted_is_an_outage_until_it_is_back() {
    let kafka = Kafka::shared();
    let topics = kafka.new_topics();
    let edge = Postern::start(&Config::new(kafka, &topics));
    assert_eq!(post(&edge, &body(&["before"])), 202);
    kafka.delete_topic(&topics.events);
    for round in 0..5 {
        assert_eq!(post(&edge, &body(&[&format!("away-{round}")])), 503, "there is no topic");
    }
    kafka.create_topic(&topics.events, 3, &[]);
    let taken = || post(&edge, &body(&["back"])) == 202;
    assert!(eventually(Duration::from_secs(15), taken), "no 2xx:\n{}", edge.stderr());
    assert!(ids(kafka, &topics.events).contains(&"back".to_owned()));
}

/// A notification with this many bytes more than others.
fn large(id: &str, bytes: usize) -> String {
    body(&[id]).replace("Messages/AAMk", &format!("Messages/{}AAMk", "x".repeat(bytes)))
}

/// The items of several bodies in one.
fn joined(bodies: &[&str]) -> String {
    let items: Vec<serde_json::Value> = bodies
        .iter()
        .flat_map(|body| {
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            body["value"].as_array().unwrap().clone()
        })
        .collect();
    serde_json::json!({ "value": items }).to_string()
}

fn small_topics(kafka: &Kafka) -> Topics {
    let topics = Topics::named();
    kafka.create_topic(&topics.events, 1, &[("max.message.bytes", "20000")]);
    kafka.create_topic(&topics.lifecycle, 1, &[]);
    kafka.create_topic(&topics.quarantine, 1, &[]);
    topics
}

#[test]
fn a_record_that_the_topic_does_not_take_is_quarantined() {
    let kafka = Kafka::shared();
    let topics = small_topics(kafka);
    let edge = Postern::start(&Config::new(kafka, &topics));
    assert_eq!(post(&edge, &body(&["small-1"])), 202);
    assert_eq!(post(&edge, &large("large-1", 30_000)), 202);
    assert_eq!(post(&edge, &body(&["small-2"])), 202);
    assert_eq!(ids(kafka, &topics.events), ["small-1", "small-2"]);
    let quarantined = read_all(kafka, &topics.quarantine);
    assert_eq!(quarantined.len(), 1);
    assert_eq!(quarantined[0].header("postern_reason"), Some("too-large"));
    assert_eq!(
        quarantined[0].header("postern_items"),
        Some(r#"[{"index":0,"reason":"too-large"}]"#)
    );
    let told = edge.stderr();
    assert!(told.contains("max.message.bytes"), "no warning at start:\n{told}");
    assert_eq!(edge.metrics().value("postern_breaker_state", &[]), 0.0, "no outage");
}

#[test]
fn beside_a_record_that_the_topic_does_not_take_others_are_not_lost() {
    let kafka = Kafka::shared();
    let topics = small_topics(kafka);
    let edge = Postern::start(&Config::new(kafka, &topics));
    assert_eq!(post(&edge, &body(&["first"])), 202);
    let mixed = joined(&[&body(&["small-1"]), &large("large-1", 30_000), &body(&["small-2"])]);
    assert_eq!(post(&edge, &mixed), 202);
    let kept = ids(kafka, &topics.events);
    let quarantined = read_all(kafka, &topics.quarantine);
    assert_eq!(quarantined.len(), 1);
    let items = quarantined[0].header("postern_items").unwrap();
    assert!(items.contains(r#"{"index":1,"reason":"too-large"}"#), "{items}");
    // Kafka refuses whole batches, so a small one may be refused with the large one. It is then kept with it.
    for (index, id) in [(0, "small-1"), (2, "small-2")] {
        let set_aside = items.contains(&format!(r#"{{"index":{index},"#));
        assert!(set_aside || kept.iter().any(|kept| kept == id), "{id} is lost: {kept:?}, {items}");
    }
    assert!(!kept.iter().any(|kept| kept == "large-1"));
}

#[test]
fn what_is_too_large_for_any_record_is_quarantined_alone() {
    let kafka = Kafka::shared();
    let topics = kafka.new_topics();
    let edge = Postern::start(&Config::new(kafka, &topics));
    let mixed = joined(&[&body(&["small-1"]), &large("large-1", 1_100_000), &body(&["small-2"])]);
    assert_eq!(post(&edge, &mixed), 202);
    assert_eq!(ids(kafka, &topics.events), ["small-1", "small-2"]);
    let quarantined = read_all(kafka, &topics.quarantine);
    assert_eq!(quarantined.len(), 1);
    assert_eq!(
        quarantined[0].header("postern_items"),
        Some(r#"[{"index":1,"reason":"too-large"}]"#)
    );
    assert_eq!(quarantined[0].header("postern_truncated"), Some("true"), "a body of 1.1 MB is cut");
    let metrics = edge.metrics();
    let count = |outcome| metrics.value("postern_notifications_total", &[("outcome", outcome)]);
    assert_eq!((count("published"), count("quarantined")), (2.0, 1.0));
}
