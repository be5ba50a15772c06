//! Does a group see each record until it is settled, none that came later, and never move back?

use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use super::*;
use crate::embedded::Embedded;
use crate::settings::Settings;

const SECOND: Duration = Duration::from_secs(1);
const QUARANTINE: &str = "postern.quarantine.v1";

fn bench() -> (Embedded, Settings, BaseProducer) {
    let kafka = Embedded::start_with(1, &[QUARANTINE], 3).unwrap();
    let settings = Settings::new(kafka.bootstrap_servers(), TopicNames::default());
    let producer = settings.producer(1_000, 1_000, Duration::from_secs(2)).create().unwrap();
    (kafka, settings, producer)
}

fn write(producer: &BaseProducer, values: std::ops::Range<u32>) {
    for value in values {
        let key = value.to_string();
        let partition = i32::try_from(value % 3).unwrap();
        let record = BaseRecord::to(QUARANTINE).partition(partition).key(&key).payload("v");
        producer.send(record).unwrap();
    }
    producer.flush(5 * SECOND).unwrap();
}

fn open(settings: &Settings, from: From) -> Backlog {
    Backlog::open(settings, Topic::Quarantine, "replay", from, 10 * SECOND).unwrap()
}

/// Reads all that is left; `settled` says of each record whether it could be dealt with.
fn read(backlog: &mut Backlog, settled: impl Fn(u32) -> bool) -> Vec<u32> {
    let mut keys = Vec::new();
    while backlog.left() > 0 {
        let record = backlog.next(10 * SECOND).unwrap().expect("a record");
        let key = String::from_utf8(record.key.unwrap()).unwrap().parse().unwrap();
        if settled(key) {
            backlog.settle(record.partition, record.offset);
        } else {
            backlog.hold(record.partition);
        }
        keys.push(key);
    }
    assert_eq!(backlog.next(SECOND).unwrap(), None, "the end is the end");
    keys.sort_unstable();
    keys
}

#[test]
fn a_group_sees_what_it_has_not_settled_and_nothing_that_came_later() {
    let (_kafka, settings, producer) = bench();
    assert_eq!(open(&settings, From::Group).left(), 0, "an empty topic has ended");
    write(&producer, 0..10);
    let mut backlog = open(&settings, From::Group);
    assert_eq!(backlog.left(), 10);
    write(&producer, 10..20);
    assert_eq!(read(&mut backlog, |_| true), (0..10).collect::<Vec<_>>());
    drop(backlog);

    let mut uncommitted = open(&settings, From::Group);
    assert_eq!(read(&mut uncommitted, |key| key < 10), (0..20).collect::<Vec<_>>());
    uncommitted.commit().unwrap();
    uncommitted.commit().unwrap();
    let mut rest = open(&settings, From::Group);
    assert_eq!(read(&mut rest, |_| true), (10..20).collect::<Vec<_>>());
    rest.commit().unwrap();
    assert_eq!(open(&settings, From::Group).left(), 0);
}

#[test]
fn a_record_that_was_not_settled_holds_its_partition() {
    let (_kafka, settings, producer) = bench();
    write(&producer, 0..9);
    let mut backlog = open(&settings, From::Group);
    // 4 lies in partition 1, between 1 and 7.
    assert_eq!(read(&mut backlog, |key| key != 4), (0..9).collect::<Vec<_>>());
    backlog.commit().unwrap();
    assert_eq!(read(&mut open(&settings, From::Group), |_| true), [4, 7]);
}

#[test]
fn from_the_beginning_it_reads_all_again_and_never_moves_the_group_back() {
    let (_kafka, settings, producer) = bench();
    write(&producer, 0..6);
    let mut backlog = open(&settings, From::Group);
    read(&mut backlog, |_| true);
    backlog.commit().unwrap();

    let mut again = open(&settings, From::Beginning);
    assert_eq!(again.left(), 6);
    let record = again.next(10 * SECOND).unwrap().expect("a record");
    again.settle(record.partition, record.offset);
    again.commit().unwrap();
    assert_eq!(open(&settings, From::Group).left(), 0, "the group stands where it stood");
    write(&producer, 6..9);
    assert_eq!(read(&mut open(&settings, From::Beginning), |_| true), (0..9).collect::<Vec<_>>());
    assert_eq!(read(&mut open(&settings, From::Group), |_| true), (6..9).collect::<Vec<_>>());
}

#[test]
fn without_kafka_or_topic_it_says_so_in_time() {
    let away = Settings::new("127.0.0.1:1", TopicNames::default());
    let start = Instant::now();
    let opened = Backlog::open(&away, Topic::Quarantine, "replay", From::Group, SECOND);
    let error = opened.unwrap_err();
    assert!(matches!(error, BacklogError::Open(FollowError::Unreachable { .. })), "{error}");
    assert!(start.elapsed() < 3 * SECOND, "{:?}", start.elapsed());

    let (_kafka, settings, _producer) = bench();
    let opened = Backlog::open(&settings, Topic::Events, "replay", From::Group, SECOND);
    let error = opened.unwrap_err();
    assert!(matches!(error, BacklogError::Open(FollowError::NoTopic { .. })), "{error}");
}

#[test]
fn an_outage_ends_it_in_time_and_loses_no_place() {
    let (kafka, settings, producer) = bench();
    write(&producer, 0..3);
    let mut backlog = open(&settings, From::Group);
    kafka.broker_down(None).unwrap();
    let start = Instant::now();
    let error = loop {
        match backlog.next(SECOND) {
            // What was fetched before the outage.
            Ok(Some(record)) => backlog.settle(record.partition, record.offset),
            Ok(None) if backlog.left() == 0 => break backlog.commit().unwrap_err(),
            Ok(None) => {}
            Err(error) => break error,
        }
    };
    assert!(start.elapsed() < 30 * SECOND, "{:?}", start.elapsed());
    assert!(matches!(error, BacklogError::Silent { .. } | BacklogError::Commit { .. }), "{error}");
    kafka.broker_up(None).unwrap();
    assert_eq!(read(&mut open(&settings, From::Group), |_| true), [0, 1, 2]);
}
