//! What do requests get while Kafka is away, slow or broken, and when are they served again?

use super::*;

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
    assert_eq!(bench.producer.contact().breaker, Circuit::Open);
    assert!(!bench.producer.contact().connected);
    assert_eq!(bench.metric("postern_breaker_state", ""), 2.0);

    let mut slow = 0;
    for _ in 0..100 {
        let start = Instant::now();
        assert_eq!(bench.publish_one("refused").await, Err(PublishError::Unavailable));
        slow += u32::from(start.elapsed() > Duration::from_millis(50));
    }
    assert!(slow <= 2, "{slow} of 100 took more than 50 ms, on an otherwise idle thread");
    // Long enough for the reconnect backoff to reach its maximum.
    tokio::time::sleep(2 * SECOND).await;
    assert_eq!(bench.producer.contact().breaker, Circuit::Open);

    bench.kafka.broker_up(None).unwrap();
    let took = bench.until_acknowledged(4 * SECOND).await;
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
    bench.until_state(Circuit::Open, 3 * SECOND).await;
    bench.kafka.broker_up(None).unwrap();
    bench.until_state(Circuit::HalfOpen, 3 * SECOND).await;
    // Metadata alone never closes it.
    tokio::time::sleep(SECOND / 2).await;
    assert_eq!(bench.producer.contact().breaker, Circuit::HalfOpen);
    assert_eq!(bench.publish_one("probe").await, Err(PublishError::Unavailable));
    bench.until_state(Circuit::Closed, SECOND).await;
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
    bench.until_state(Circuit::Open, SECOND / 2).await;
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
        assert_eq!(bench.producer.contact().breaker, Circuit::Closed);
    }
    // Idle now: metadata is as slow.
    tokio::time::sleep(4 * SECOND).await;
    assert_eq!(bench.producer.contact().breaker, Circuit::Closed);
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
    let start = Instant::now();
    while bench.producer.quarantine.health.state() != Circuit::Open {
        assert!(start.elapsed() < 3 * SECOND, "the quarantine lane does not open");
        assert!(publish_on(&bench.producer.quarantine, &junk, 5 * SECOND / 2).await.is_err());
        assert_eq!(bench.publish_one("genuine").await, Ok(()));
        tokio::time::sleep(SECOND / 20).await;
    }
    assert_eq!(bench.producer.contact().breaker, Circuit::Closed);
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
    assert_eq!(bench.producer.contact().breaker, Circuit::Closed);
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
