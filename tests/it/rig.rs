//! Can the tests' own tools be trusted? The brokers, the reader and the audit, with no postern involved.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::support::consumer::{Reader, Record, read_all};
use crate::support::graph::resource_of;
use crate::support::kafka::{Kafka, Options, Security};
use crate::support::ledger::Ledger;

/// Produces and flushes; the broker has acknowledged when this returns.
fn produce(kafka: &Kafka, topic: &str, values: &[&str]) {
    let mut config = kafka.client();
    config.set("acks", "all").set("enable.idempotence", "true");
    let producer: BaseProducer = config.create().unwrap();
    for value in values {
        producer.send(BaseRecord::to(topic).key("key").payload(*value)).unwrap();
    }
    producer.flush(Duration::from_secs(20)).unwrap();
    assert_eq!(producer.in_flight_count(), 0);
}

fn values(kafka: &Kafka, topic: &str) -> Vec<String> {
    let mut values: Vec<_> = read_all(kafka, topic)
        .into_iter()
        .map(|record| String::from_utf8(record.value.unwrap()).unwrap())
        .collect();
    values.sort();
    values
}

fn is_let_in(client: &ClientConfig) -> bool {
    let consumer: BaseConsumer = client.create().unwrap();
    consumer.fetch_metadata(None, Duration::from_secs(2)).is_ok()
}

#[test]
fn what_is_produced_is_read_back() {
    let kafka = Kafka::shared();
    kafka.create_topic("rig-plain", 3, &[]);
    produce(kafka, "rig-plain", &["one", "two"]);
    let mut reader = Reader::open(kafka, "rig-plain");
    reader.wait_for(2, Duration::from_secs(20));
    produce(kafka, "rig-plain", &["three"]);
    assert_eq!(reader.read_to_end().len(), 3);
    assert_eq!(reader.records()[0].key.as_deref(), Some("key"));
    assert_eq!(values(kafka, "rig-plain"), ["one", "three", "two"]);
}

#[test]
fn topics_are_altered_and_deleted() {
    let kafka = Kafka::shared();
    kafka.create_topic("rig-altered", 1, &[]);
    kafka.alter_topic("rig-altered", &[("max.message.bytes", "1000")]);
    kafka.add_partitions("rig-altered", 4);
    let producer: BaseProducer = kafka.client().create().unwrap();
    assert_eq!(
        producer
            .client()
            .fetch_metadata(Some("rig-altered"), Duration::from_secs(9))
            .unwrap()
            .topics()[0]
            .partitions()
            .len(),
        4
    );
    kafka.delete_topic("rig-altered");
}

#[test]
fn a_killed_broker_comes_back_with_its_data() {
    let kafka = Kafka::start(&Options::default());
    let address = kafka.bootstrap();
    kafka.create_topic("rig-killed", 1, &[]);
    produce(&kafka, "rig-killed", &["before"]);
    kafka.kill9();
    assert!(!is_let_in(&kafka.client()), "nobody answers after a kill");
    kafka.restart();
    assert_eq!(kafka.bootstrap(), address);
    produce(&kafka, "rig-killed", &["behind"]);
    assert_eq!(values(&kafka, "rig-killed"), ["before", "behind"]);
}

#[test]
fn a_paused_broker_keeps_silent_and_goes_on() {
    let kafka = Kafka::start(&Options::default());
    kafka.create_topic("rig-paused", 1, &[]);
    kafka.pause();
    assert!(!is_let_in(&kafka.client()), "a stopped process answers nobody");
    kafka.resume();
    produce(&kafka, "rig-paused", &["on"]);
    assert_eq!(values(&kafka, "rig-paused"), ["on"]);
}

#[test]
fn a_scram_broker_lets_only_the_right_password_in() {
    let kafka = Kafka::start(&Options { security: Security::ScramSha512, ..Options::default() });
    kafka.create_topic("rig-scram", 1, &[]);
    produce(&kafka, "rig-scram", &["in"]);
    assert_eq!(values(&kafka, "rig-scram"), ["in"]);
    assert!(!is_let_in(kafka.client().set("sasl.password", "wrong")), "a wrong password");
    assert!(!is_let_in(kafka.client().set("security.protocol", "ssl")), "no password at all");
    assert!(!is_let_in(kafka.client().set("security.protocol", "plaintext")), "no TLS");
    let stranger = kafka.certificates().stranger.certificate.to_str().unwrap();
    assert!(!is_let_in(kafka.client().set("ssl.ca.location", stranger)), "an unknown authority");
}

#[test]
fn a_mutual_tls_broker_lets_only_its_own_clients_in() {
    let kafka = Kafka::start(&Options { security: Security::MutualTls, ..Options::default() });
    kafka.create_topic("rig-tls", 1, &[]);
    produce(&kafka, "rig-tls", &["in"]);
    assert_eq!(values(&kafka, "rig-tls"), ["in"]);
    let stranger = &kafka.certificates().stranger;
    let mut config = kafka.client();
    config.set("ssl.certificate.location", stranger.certificate.to_str().unwrap());
    config.set("ssl.key.location", stranger.key.to_str().unwrap());
    assert!(!is_let_in(&config), "a certificate that somebody else signed");
    config.remove("ssl.certificate.location").remove("ssl.key.location");
    assert!(!is_let_in(&config), "no certificate");
}

#[test]
fn three_brokers_survive_the_loss_of_one() {
    let kafka = Kafka::start(&Options { brokers: 3, ..Options::default() });
    kafka.create_topic("rig-three", 3, &[]);
    produce(&kafka, "rig-three", &["one"]);
    kafka.kill9_at(0);
    produce(&kafka, "rig-three", &["two"]);
    assert_eq!(values(&kafka, "rig-three"), ["one", "two"]);
    kafka.restart();
    produce(&kafka, "rig-three", &["three"]);
    assert_eq!(values(&kafka, "rig-three"), ["one", "three", "two"]);
}

/// A record as the events topic holds it.
fn event(id: &str, resource: &str) -> Record {
    let value = serde_json::json!({ "id": id, "data": { "resource": { "id": resource } } });
    Record {
        topic: "rig".to_owned(),
        partition: 0,
        offset: 0,
        key: None,
        headers: Vec::new(),
        value: Some(value.to_string().into_bytes()),
    }
}

#[test]
fn an_audit_finds_each_kind_of_fault() {
    let ledger = Ledger::new();
    let [kept, lost, unanswered, mixed] = std::array::from_fn(|_| ledger.issue());
    ledger.acknowledge(&[kept.clone(), lost.clone(), mixed.clone()]);
    let never_issued = kept.replace("-0000000", "-0000004");
    let mut topic = vec![event(&kept, &resource_of(&kept))];
    topic.push(topic[0].clone());
    topic.push(event(&unanswered, &resource_of(&unanswered)));
    topic.push(event(&mixed, &resource_of(&kept)));
    topic.push(event(&never_issued, &resource_of(&never_issued)));
    let audit = ledger.audit(&topic);
    assert_eq!((audit.acknowledged, audit.records, audit.duplicates), (3, 5, 1));
    assert_eq!(
        (audit.missing, audit.spurious, audit.mismatched),
        (vec![lost], vec![never_issued], vec![mixed])
    );
}

#[test]
fn a_record_that_breaks_the_contract_is_found() {
    let kafka = Kafka::shared();
    let topics = kafka.new_topics();
    produce(kafka, &topics.events, &["{}"]);
    let read = std::panic::catch_unwind(|| read_all(kafka, &topics.events));
    assert!(read.is_err(), "a record with no header and no attribute passes");
}

#[test]
fn the_right_to_write_is_taken_and_given_back() {
    let kafka = Kafka::start(&Options::with_access_rules());
    kafka.create_topic("rig-access", 1, &[]);
    produce(&kafka, "rig-access", &["before"]);
    kafka.deny_writes();
    // This producer asks nobody what became of its record: the topic tells.
    produce(&kafka, "rig-access", &["between"]);
    kafka.allow_writes();
    produce(&kafka, "rig-access", &["behind"]);
    assert_eq!(values(&kafka, "rig-access"), ["before", "behind"]);
}
