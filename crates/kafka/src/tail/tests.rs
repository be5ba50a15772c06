//! Does the follower see every record, from where it was told to?

use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use super::*;
use crate::embedded::Embedded;

const SECOND: Duration = Duration::from_secs(1);

fn bench(topics: &[&str]) -> (Embedded, Settings, BaseProducer) {
    let kafka = Embedded::start_with(1, topics, 3).unwrap();
    let settings = Settings::new(kafka.bootstrap_servers(), TopicNames::default());
    let producer = settings.producer(1_000, 1_000, Duration::from_secs(2)).create().unwrap();
    (kafka, settings, producer)
}

fn write(producer: &BaseProducer, topic: &str, values: std::ops::Range<u32>) {
    for value in values {
        let (key, payload) = (value.to_string(), format!("v{value}"));
        producer.send(BaseRecord::to(topic).key(&key).payload(&payload)).unwrap();
    }
    producer.flush(5 * SECOND).unwrap();
}

fn read(follower: &mut Follower, count: usize) -> Vec<u32> {
    let mut keys = Vec::new();
    while keys.len() < count {
        let record = follower.next(5 * SECOND).expect("a record");
        keys.push(String::from_utf8(record.key.unwrap()).unwrap().parse().unwrap());
    }
    assert_eq!(follower.next(SECOND / 5), None, "more records than written");
    keys.sort_unstable();
    keys
}

#[test]
fn from_the_end_it_sees_all_that_is_new_and_nothing_old() {
    let (_kafka, settings, producer) = bench(&["postern.events.v1", "postern.lifecycle.v1"]);
    write(&producer, "postern.events.v1", 0..20);
    let mut end = Follower::open(&settings, &[Topic::Events], Start::End).unwrap();
    end.connect(5 * SECOND).unwrap();
    write(&producer, "postern.events.v1", 20..40);
    write(&producer, "postern.lifecycle.v1", 90..95);
    assert_eq!(read(&mut end, 20), (20..40).collect::<Vec<_>>());

    let mut beginning = Follower::open(&settings, &[Topic::Events], Start::Beginning).unwrap();
    assert_eq!(read(&mut beginning, 40), (0..40).collect::<Vec<_>>());
}

#[test]
fn it_survives_an_outage() {
    let (kafka, settings, producer) = bench(&["postern.events.v1"]);
    let mut follower = Follower::open(&settings, &[Topic::Events], Start::Beginning).unwrap();
    write(&producer, "postern.events.v1", 0..5);
    assert_eq!(read(&mut follower, 5).len(), 5);
    kafka.broker_down(None).unwrap();
    let start = Instant::now();
    assert_eq!(follower.next(SECOND), None);
    assert!(start.elapsed() < 2 * SECOND, "{:?}", start.elapsed());
    kafka.broker_up(None).unwrap();
    write(&producer, "postern.events.v1", 5..10);
    assert_eq!(read(&mut follower, 5), (5..10).collect::<Vec<_>>());
}

#[test]
fn a_topic_that_appears_later_is_read_from_its_beginning() {
    let (kafka, settings, producer) = bench(&["postern.events.v1"]);
    let mut follower = Follower::open(&settings, &Topic::ALL, Start::End).unwrap();
    follower.connect(5 * SECOND).unwrap();
    assert_eq!(follower.next(SECOND / 10), None);
    kafka.create_topic("postern.quarantine.v1", 2, 1).unwrap();
    write(&producer, "postern.quarantine.v1", 0..3);
    let record = follower.next(5 * SECOND).unwrap();
    assert_eq!(record.topic, Topic::Quarantine);
    assert_eq!(record.header("none"), None);
}

#[test]
fn without_kafka_or_topics_it_says_so() {
    let settings = Settings::new("127.0.0.1:1", TopicNames::default());
    let mut follower = Follower::open(&settings, &Topic::ALL, Start::End).unwrap();
    let start = Instant::now();
    let error = follower.connect(SECOND).unwrap_err();
    assert!(matches!(error, FollowError::Unreachable { .. }), "{error}");
    assert!(start.elapsed() < 2 * SECOND, "{:?}", start.elapsed());
    let start = Instant::now();
    assert_eq!(follower.next(SECOND / 2), None);
    assert!(start.elapsed() < SECOND, "{:?}", start.elapsed());

    let (_kafka, settings, _producer) = bench(&["other"]);
    let mut follower = Follower::open(&settings, &Topic::ALL, Start::End).unwrap();
    let error = follower.connect(SECOND).unwrap_err();
    assert!(matches!(error, FollowError::NoTopic { .. }), "{error}");
}

#[test]
fn the_check_at_start_finds_what_is_missing_where_settings_cannot_be_read() {
    let (_kafka, settings, _producer) = bench(&["postern.events.v1"]);
    let report = crate::topics::check(&settings, 5 * SECOND).unwrap();
    assert_eq!(report.warnings.len(), 3, "{report:?}");
    assert!(report.warnings.iter().any(|line| line.contains("postern.lifecycle.v1")));
    assert!(report.warnings.iter().any(|line| line.contains("replication is 1")));
    assert!(report.unreadable.is_some());
}
