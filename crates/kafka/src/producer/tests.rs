//! Does the producer keep its word against librdkafka's mock cluster: acknowledge, refuse, open, recover?

mod outage;

use std::collections::BTreeSet;
use std::slice::Iter;

use postern_core::quarantine::{KeptBody, Quarantined};
use postern_core::reason::Reason;
use postern_core::time::UnixMillis;

use super::*;
use crate::embedded::{Embedded, Fault, Request};
use crate::settings::TopicNames;
use crate::tail::{Followed, Follower, Start};

const SECOND: Duration = Duration::from_secs(1);

/// A mock cluster and a producer on it.
struct Bench {
    kafka: Embedded,
    producer: Producer,
    registry: Registry,
    settings: Settings,
}

/// A record as a test writes it: topic, key, value.
type Plain = (Topic, String, Vec<u8>);

fn start_producer(settings: &Settings) -> (Producer, Registry) {
    let registry = Registry::new();
    (Producer::start(settings, &registry).unwrap(), registry)
}

impl Bench {
    /// Started and in contact.
    async fn new() -> Self {
        let bench = Self::on(Embedded::start(&TopicNames::default(), 4).unwrap());
        tokio::time::timeout(5 * SECOND, bench.producer.first_contact()).await.unwrap();
        bench
    }

    fn on(kafka: Embedded) -> Self {
        let settings = Settings::new(kafka.bootstrap_servers(), TopicNames::default());
        let (producer, registry) = start_producer(&settings);
        Self { kafka, producer, registry, settings }
    }

    async fn publish(&self, records: &[Plain], patience: Duration) -> Result<(), PublishError> {
        publish_on(&self.producer.genuine, records, patience).await
    }

    async fn publish_one(&self, key: &str) -> Result<(), PublishError> {
        self.publish(&[event(key)], 5 * SECOND / 2).await
    }

    /// Publishes one record after the other until one is acknowledged.
    async fn until_acknowledged(&self, limit: Duration) -> Duration {
        let start = Instant::now();
        while self.publish_one("again").await.is_err() {
            assert!(start.elapsed() < limit, "not acknowledged within {limit:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        start.elapsed()
    }

    async fn until_state(&self, state: Circuit, limit: Duration) -> Duration {
        let start = Instant::now();
        while self.producer.contact().breaker != state {
            assert!(start.elapsed() < limit, "not {state:?} within {limit:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        start.elapsed()
    }

    fn read_back(&self, count: usize) -> Vec<Followed> {
        let mut follower = Follower::open(&self.settings, &Topic::ALL, Start::Beginning).unwrap();
        follower.connect(5 * SECOND).unwrap();
        (0..count)
            .map(|n| follower.next(5 * SECOND).unwrap_or_else(|| panic!("only {n}")))
            .collect()
    }

    /// The sum of a metric's values over the label values that contain `label`.
    fn metric(&self, name: &str, label: &str) -> f64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name);
        let family = family.unwrap_or_else(|| panic!("no {name}"));
        let matching = family.get_metric().iter().filter(|metric| {
            label.is_empty() || metric.get_label().iter().any(|pair| pair.value() == label)
        });
        matching
            .map(|metric| {
                metric.get_counter().get_value()
                    + metric.get_gauge().get_value()
                    + metric.get_histogram().get_sample_count() as f64
            })
            .sum()
    }
}

fn event(key: &str) -> Plain {
    (Topic::Events, key.to_owned(), format!("value of {key}").into_bytes())
}

fn outgoing_of(records: &[Plain]) -> impl ExactSizeIterator<Item = Outgoing<'_, Headers<'_>>> {
    records.iter().map(|(topic, key, value)| Outgoing {
        topic: *topic,
        key: Some(key.as_bytes()),
        value: Some(value),
        headers: Headers(HEADERS.iter()),
    })
}

const HEADERS: [(&str, &[u8]); 2] = [("postern_id", b"1"), ("postern_type", b"")];

struct Headers<'a>(Iter<'a, (&'static str, &'static [u8])>);

impl<'a> Iterator for Headers<'a> {
    type Item = (&'static str, &'a [u8]);
    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().copied()
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Headers<'_> {}

async fn publish_on(
    lane: &Lane,
    records: &[Plain],
    patience: Duration,
) -> Result<(), PublishError> {
    let deadline = Instant::now() + patience;
    hand_over(lane, outgoing_of(records), deadline)?.outcome(deadline).await
}

#[tokio::test]
async fn an_acknowledged_request_lies_in_its_topics_as_it_was_given() {
    let bench = Bench::new().await;
    let records = [
        event("org_acme/user_1"),
        (Topic::Lifecycle, "org_acme".into(), b"signal".to_vec()),
        (Topic::Events, "org_acme/user_2".into(), Vec::new()),
    ];
    assert_eq!(bench.publish(&records, 5 * SECOND).await, Ok(()));

    let mut read: Vec<Plain> = Vec::new();
    for record in bench.read_back(3) {
        let expected = HEADERS.map(|(name, value)| (name.to_owned(), value.to_vec()));
        assert_eq!(record.headers, expected);
        assert!(record.timestamp.is_some());
        let key = String::from_utf8(record.key.unwrap()).unwrap();
        read.push((record.topic, key, record.value.unwrap()));
    }
    read.sort_by(|a, b| a.1.cmp(&b.1));
    let mut expected = records.to_vec();
    expected.sort_by(|a, b| a.1.cmp(&b.1));
    assert_eq!(read, expected);
    assert_eq!(bench.producer.outstanding(), 0);
    assert_eq!(bench.metric("postern_kafka_delivery_duration_seconds", ""), 3.0);
    assert_eq!(bench.metric("postern_kafka_queue_messages", ""), 0.0);
}

#[tokio::test]
async fn a_quarantine_record_goes_its_own_way_waited_for_or_not() {
    let bench = Bench::new().await;
    let quarantined = |body| {
        let (service, reason, items, kept) = ("graph", Reason::NoToken, &[], &[]);
        let (body, received) = (KeptBody::Whole(body), UnixMillis(1_700_000_000_000));
        Quarantined { service, items, reason, body, kept, received, traceparent: None }
            .record(None, 1_024)
    };
    let deadline = Instant::now() + 5 * SECOND;
    assert_eq!(bench.producer.quarantine(quarantined(b"one"), deadline).await, Ok(()));
    assert_eq!(bench.producer.quarantine_unwaited(quarantined(b"two")), Ok(()));
    assert_eq!(bench.producer.flush(5 * SECOND).await, 0);
    for record in bench.read_back(2) {
        assert_eq!((record.topic, &record.key), (Topic::Quarantine, &None));
        assert_eq!(record.header("postern_reason"), Some(b"no-token".as_slice()));
    }
    assert_eq!(bench.producer.publish(&Batch::new(), deadline).await, Ok(Durable::Kafka));
}

#[tokio::test]
async fn an_empty_request_needs_no_kafka() {
    let bench = Bench::on(Embedded::start(&TopicNames::default(), 1).unwrap());
    bench.kafka.broker_down(None).unwrap();
    assert_eq!(bench.publish(&[], SECOND).await, Ok(()));
}

#[tokio::test]
async fn a_record_that_is_too_large_is_refused_and_the_others_are_durable() {
    let bench = Bench::new().await;
    let large = (Topic::Events, "large".to_owned(), vec![b'x'; 1_100_000]);
    let records = [event("a"), large, event("b")];
    assert_eq!(bench.publish(&records, 5 * SECOND).await, Err(PublishError::RecordRefused));
    let keys: BTreeSet<_> = bench.read_back(2).into_iter().map(|r| r.key.unwrap()).collect();
    assert_eq!(keys, BTreeSet::from([b"a".to_vec(), b"b".to_vec()]));
    assert_eq!(bench.metric("postern_kafka_delivery_failures_total", "MSG_SIZE_TOO_LARGE"), 1.0);
    assert_eq!(bench.producer.contact().breaker, Circuit::Closed);
}

#[tokio::test]
async fn retriable_errors_are_retried_and_permanent_ones_are_an_outage() {
    let bench = Bench::new().await;
    bench.kafka.fail_requests(Request::Produce, &[Fault::NotEnoughReplicas]).unwrap();
    assert_eq!(bench.publish_one("retried").await, Ok(()));

    bench.kafka.fail_requests(Request::Produce, &[Fault::TopicAuthorizationFailed]).unwrap();
    assert_eq!(bench.publish_one("forbidden").await, Err(PublishError::Failed));
    let name = "postern_kafka_delivery_failures_total";
    assert_eq!(bench.metric(name, "TOPIC_AUTHORIZATION_FAILED"), 1.0);

    bench.kafka.fail_requests(Request::Produce, &[Fault::InvalidRecord]).unwrap();
    bench.until_acknowledged(3 * SECOND).await;
}

#[tokio::test]
async fn one_failed_record_fails_the_request_at_once() {
    let bench = Bench::new().await;
    // Each record goes to its own topic, so to its own request, of which one fails.
    bench.kafka.fail_requests(Request::Produce, &[Fault::TopicAuthorizationFailed]).unwrap();
    let records = [event("a"), (Topic::Lifecycle, "b".to_owned(), b"b".to_vec())];
    assert_eq!(bench.publish(&records, 5 * SECOND).await, Err(PublishError::Failed));
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_whole() {
    let bench = Bench::new().await;
    bench.until_acknowledged(3 * SECOND).await;
    bench.kafka.round_trip_time(SECOND).unwrap();
    let junk = (Topic::Quarantine, "k".to_owned(), vec![0; 100]);
    let lane = &bench.producer.quarantine;
    let fits = vec![junk.clone(); QUARANTINE.messages - 1];
    let Ok(Sent::Waiting(_)) = lane.submit(outgoing_of(&fits), Instant::now()) else {
        panic!("they fit");
    };
    let start = Instant::now();
    let two = [junk.clone(), junk.clone()];
    assert_eq!(publish_on(lane, &two, 5 * SECOND).await, Err(PublishError::QueueFull));
    assert!(start.elapsed() < SECOND / 10, "{:?}", start.elapsed());
    // Of this lane: the genuine record before is counted out just after its request hears of it.
    assert_eq!(lane.health.progress.outstanding(), QUARANTINE.messages - 1);
    assert_eq!(bench.metric("postern_kafka_delivery_failures_total", "_QUEUE_FULL"), 1.0);
    // Genuine records have a queue of their own.
    assert_eq!(bench.publish_one("genuine").await, Ok(()));
}

#[tokio::test]
async fn librdkafkas_own_bound_refuses_at_once_too() {
    let bench = Bench::new().await;
    bench.kafka.round_trip_time(SECOND).unwrap();
    let large = (Topic::Quarantine, "k".to_owned(), vec![0; 900_000]);
    let start = Instant::now();
    let many = vec![large; 20];
    let result = publish_on(&bench.producer.quarantine, &many, 5 * SECOND).await;
    assert_eq!(result, Err(PublishError::QueueFull));
    assert!(start.elapsed() < SECOND / 2, "{:?}", start.elapsed());
    // What was queued before is settled in the end: the count does not leak.
    assert_eq!(bench.producer.flush(8 * SECOND).await, 0);
}

#[tokio::test]
async fn the_requests_deadline_rules_and_a_late_acknowledgement_harms_nobody() {
    let bench = Bench::new().await;
    assert_eq!(bench.publish_one("warm").await, Ok(()));
    bench.kafka.round_trip_time(SECOND).unwrap();
    let start = Instant::now();
    let result = bench.publish(&[event("late")], SECOND / 5).await;
    assert_eq!(result, Err(PublishError::Timeout));
    assert!(start.elapsed() < SECOND * 2 / 5, "{:?}", start.elapsed());
    assert_eq!(bench.publish(&[event("past")], Duration::ZERO).await, Err(PublishError::Timeout));
    assert_eq!(bench.producer.outstanding(), 1);
    assert_eq!(bench.producer.flush(3 * SECOND).await, 0);
    assert_eq!(bench.producer.contact().breaker, Circuit::Closed);
}

#[tokio::test]
async fn a_sender_that_hangs_up_leaves_nothing_behind() {
    let bench = Bench::new().await;
    bench.kafka.round_trip_time(SECOND / 5).unwrap();
    for n in 0..20 {
        let records = [event(&n.to_string())];
        let hung_up = bench.publish(&records, 5 * SECOND);
        assert!(tokio::time::timeout(Duration::from_millis(2), hung_up).await.is_err());
    }
    assert_eq!(bench.producer.outstanding(), 20);
    assert_eq!(bench.producer.flush(3 * SECOND).await, 0);
    assert_eq!(bench.read_back(20).len(), 20);
}

#[tokio::test]
async fn dropping_it_does_not_block() {
    let bench = Bench::new().await;
    bench.kafka.broker_down(None).unwrap();
    bench.until_state(Circuit::Open, 3 * SECOND).await;
    let start = Instant::now();
    drop(bench.producer);
    assert!(start.elapsed() < Duration::from_millis(200), "{:?}", start.elapsed());
}

#[test]
fn a_start_takes_no_time_and_wrong_settings_are_refused() {
    let mut settings = Settings::new("127.0.0.1:1", TopicNames::default());
    let start = Instant::now();
    let (producer, registry) = start_producer(&settings);
    assert!(start.elapsed() < Duration::from_millis(100), "{:?}", start.elapsed());
    assert!(matches!(Producer::start(&settings, &registry), Err(StartError::Metrics(_))));
    drop(producer);
    settings.properties.insert("acks".into(), "1".into());
    let refused = Producer::start(&settings, &Registry::new()).map(drop);
    assert!(matches!(refused, Err(StartError::Settings(SettingsError::FixedProperty(_)))));
}

#[tokio::test]
async fn the_first_acknowledgement_comes_soon() {
    let kafka = Embedded::start(&TopicNames::default(), 12).unwrap();
    let start = Instant::now();
    let bench = Bench::on(kafka);
    bench.publish_one("first").await.unwrap();
    let took = start.elapsed();
    assert!(took < SECOND, "{took:?}");
}
