//! Does the producer keep its word against librdkafka's mock cluster: acknowledge, refuse, open, recover?

use std::collections::BTreeSet;
use std::slice::Iter;

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

    async fn until_state(&self, state: State, limit: Duration) -> Duration {
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
    assert_eq!(bench.producer.contact().breaker, State::Closed);
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
    assert_eq!(bench.producer.outstanding(), QUARANTINE.messages - 1);
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
    assert_eq!(bench.producer.contact().breaker, State::Closed);
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
async fn an_outage_opens_wakes_all_refuses_at_once_and_recovers() {
    let bench = Bench::new().await;
    bench.until_acknowledged(3 * SECOND).await;
    bench.kafka.broker_down(None).unwrap();

    let start = Instant::now();
    let records: Vec<_> = (0..8).map(|n| [event(&n.to_string())]).collect();
    let waiting = records.iter().map(|records| bench.publish(records, 10 * SECOND));
    let waiting: Vec<_> = waiting.collect();
    for outcome in join_all(waiting).await {
        assert!(matches!(outcome, Err(PublishError::Unavailable | PublishError::Failed)));
    }
    assert!(start.elapsed() < 3 * SECOND, "open after {:?}", start.elapsed());
    assert_eq!(bench.producer.contact().breaker, State::Open);
    assert!(!bench.producer.contact().connected);
    assert_eq!(bench.metric("postern_breaker_state", ""), 2.0);

    for _ in 0..100 {
        let start = Instant::now();
        assert_eq!(bench.publish_one("refused").await, Err(PublishError::Unavailable));
        assert!(start.elapsed() < Duration::from_millis(50), "{:?}", start.elapsed());
    }
    // Long enough for the reconnect backoff to reach its maximum.
    tokio::time::sleep(2 * SECOND).await;
    assert_eq!(bench.producer.contact().breaker, State::Open);

    bench.kafka.broker_up(None).unwrap();
    let took = bench.until_acknowledged(4 * SECOND).await;
    println!("acknowledged {took:?} after the broker was back");
    assert!(took < 2 * SECOND, "{took:?}");
    assert_eq!(bench.metric("postern_breaker_state", ""), 0.0);
}

async fn join_all<T>(futures: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut pinned: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut outputs = Vec::new();
    for future in &mut pinned {
        // One after the other is enough: all were handed over when first polled, or are refused.
        outputs.push(future.await);
    }
    outputs
}

#[tokio::test]
async fn an_outage_without_traffic_is_known_within_three_seconds() {
    let bench = Bench::new().await;
    bench.until_acknowledged(3 * SECOND).await;
    bench.kafka.broker_down(None).unwrap();
    let took = bench.until_state(State::Open, 3 * SECOND).await;
    println!("open {took:?} after the broker went, without traffic");
    bench.kafka.broker_up(None).unwrap();
    bench.until_state(State::HalfOpen, 3 * SECOND).await;
    // Metadata alone never closes it.
    tokio::time::sleep(SECOND / 2).await;
    assert_eq!(bench.producer.contact().breaker, State::HalfOpen);
    assert_eq!(bench.publish_one("probe").await, Err(PublishError::Unavailable));
    bench.until_state(State::Closed, SECOND).await;
    assert_eq!(bench.publish_one("durable").await, Ok(()));
}

#[tokio::test]
async fn a_start_without_kafka_is_refused_soon_and_heals() {
    let kafka = Embedded::start(&TopicNames::default(), 2).unwrap();
    kafka.broker_down(None).unwrap();
    let bench = Bench::on(kafka);
    let start = Instant::now();
    assert!(bench.publish_one("early").await.is_err());
    assert!(start.elapsed() < 5 * SECOND / 2, "{:?}", start.elapsed());
    bench.until_state(State::Open, SECOND / 2).await;
    assert_eq!(bench.producer.contact().last_success, None);
    let contact = bench.producer.first_contact();
    bench.kafka.broker_up(None).unwrap();
    tokio::time::timeout(3 * SECOND, contact).await.unwrap();
    bench.until_acknowledged(3 * SECOND).await;
    assert!(bench.producer.contact().connected);
}

#[tokio::test]
async fn slow_acknowledgements_keep_the_breaker_closed() {
    let bench = Bench::new().await;
    bench.until_acknowledged(3 * SECOND).await;
    bench.kafka.round_trip_time(SECOND).unwrap();
    for _ in 0..5 {
        assert_eq!(bench.publish_one("slow").await, Ok(()));
        assert_eq!(bench.producer.contact().breaker, State::Closed);
    }
    // Idle now: metadata is as slow.
    tokio::time::sleep(4 * SECOND).await;
    assert_eq!(bench.producer.contact().breaker, State::Closed);
}

#[tokio::test]
async fn an_unknown_topic_fails_within_the_deadline_and_is_an_outage() {
    let kafka = Embedded::start_with(1, &["postern.lifecycle.v1"], 1).unwrap();
    let bench = Bench::on(kafka);
    let start = Instant::now();
    assert!(bench.publish_one("nowhere").await.is_err());
    assert!(start.elapsed() < 5 * SECOND / 2, "{:?}", start.elapsed());
    bench.kafka.create_topic("postern.events.v1", 2, 1).unwrap();
    bench.until_acknowledged(4 * SECOND).await;
}

#[tokio::test]
async fn a_missing_quarantine_topic_is_not_the_genuine_records_trouble() {
    let kafka = Embedded::start_with(1, &["postern.events.v1", "postern.lifecycle.v1"], 1).unwrap();
    let bench = Bench::on(kafka);
    bench.until_acknowledged(3 * SECOND).await;
    let junk = [(Topic::Quarantine, "k".to_owned(), b"junk".to_vec())];
    for _ in 0..8 {
        assert!(publish_on(&bench.producer.quarantine, &junk, 5 * SECOND / 2).await.is_err());
        assert_eq!(bench.publish_one("genuine").await, Ok(()));
    }
    assert_eq!(bench.producer.contact().breaker, State::Closed);
    assert_eq!(bench.producer.quarantine.health.state(), State::Open);
    assert_eq!(bench.metric("postern_breaker_state", ""), 0.0);
}

#[tokio::test]
async fn a_producer_that_dies_is_replaced_and_counts_on() {
    let kafka = Embedded::start(&TopicNames::default(), 2).unwrap();
    kafka.fail_requests(Request::InitProducerId, &[Fault::ClusterAuthorizationFailed; 2]).unwrap();
    let bench = Bench::on(kafka);
    let junk = [(Topic::Quarantine, "k".to_owned(), b"junk".to_vec())];
    let start = Instant::now();
    while publish_on(&bench.producer.quarantine, &junk, SECOND).await.is_err() {
        assert!(start.elapsed() < 8 * SECOND, "the quarantine lane does not recover");
        tokio::time::sleep(SECOND / 50).await;
    }
    bench.until_acknowledged(8 * SECOND).await;
    // Each refusal killed one producer, of one lane or the other.
    let quarantine = bench.producer.quarantine.client().generation;
    assert_eq!(bench.producer.contact().generation + quarantine, 4);
    assert_eq!(bench.producer.contact().breaker, State::Closed);
}

#[tokio::test]
async fn a_death_in_mid_flight_loses_no_acknowledgement_and_makes_up_none() {
    let bench = Bench::new().await;
    bench.until_acknowledged(3 * SECOND).await;
    let before = bench.producer.contact().generation;
    bench
        .kafka
        .fail_requests(Request::Produce, &[Fault::NotEnoughReplicas, Fault::UnknownProducerId])
        .unwrap();
    let (mut acknowledged, mut n) = (BTreeSet::new(), 0);
    let start = Instant::now();
    while start.elapsed() < 3 * SECOND || acknowledged.len() < 20 {
        assert!(start.elapsed() < 10 * SECOND, "does not recover");
        let key = format!("key-{n}");
        n += 1;
        if bench.publish_one(&key).await.is_ok() {
            acknowledged.insert(key.into_bytes());
        }
        tokio::time::sleep(SECOND / 100).await;
    }
    assert_eq!(bench.producer.contact().generation, before + 1);
    let mut follower = Follower::open(&bench.settings, &[Topic::Events], Start::Beginning).unwrap();
    while let Some(record) = follower.next(2 * SECOND) {
        acknowledged.remove(&record.key.unwrap());
    }
    assert!(acknowledged.is_empty(), "acknowledged and missing: {acknowledged:?}");
}

#[tokio::test]
async fn dropping_it_does_not_block() {
    let bench = Bench::new().await;
    bench.kafka.broker_down(None).unwrap();
    bench.until_state(State::Open, 3 * SECOND).await;
    let start = Instant::now();
    drop(bench.producer);
    assert!(start.elapsed() < Duration::from_millis(50), "{:?}", start.elapsed());
}

#[test]
fn a_start_takes_no_time_and_wrong_settings_are_refused() {
    let mut settings = Settings::new("127.0.0.1:1", TopicNames::default());
    let start = Instant::now();
    let (producer, registry) = start_producer(&settings);
    println!("started in {:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_millis(80), "{:?}", start.elapsed());
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
    println!("first acknowledgement after {took:?}");
    assert!(took < SECOND, "{took:?}");
}
