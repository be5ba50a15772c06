//! Does the oracle find what it is there for?

use postern_sim::{KeyRing, Mix, Provider, Scenario, World};
use serde_json::json;

use super::*;

fn delivery(mix: Mix, sequence: u64) -> Delivery {
    let ring = KeyRing::new([("k1", &[7u8; 32][..])]).unwrap();
    let graph = Provider::Graph { ring, world: World::default() };
    Scenario::new(3, 1_790_000_000, mix, [graph]).unwrap().delivery(sequence)
}

fn answered(delivery: &Delivery, status: u16) -> Finished<'_> {
    let now = Instant::now();
    let outcome = Outcome::Answered { status, as_expected: true };
    Finished { delivery, attempt: 0, intended: now, sent: now, finished: now, outcome }
}

fn record(topic: &str, value: &Value, key: Option<&str>) -> Record {
    Record {
        topic: topic.to_owned(),
        partition: 0,
        offset: 0,
        key: key.map(str::to_owned),
        headers: Vec::new(),
        value: Some(value.to_string().into_bytes()),
    }
}

/// The event that a right receiver writes for the first item of a delivery.
fn event(delivery: &Delivery) -> Record {
    let body: Value = serde_json::from_slice(&delivery.body).unwrap();
    let (sent, item) = (&body["value"][0], &delivery.expected.items[0]);
    let postern_sim::Verdict::Published([wanted]) = item.verdict else { panic!("not genuine") };
    let event = json!({
        "id": sent["id"], "source": *item.source, "type": wanted.kind,
        "data": {"subscription": {"id": sent["subscriptionId"]}, "providerChange": sent["changeType"],
                 "resource": {"path": sent["resource"]}},
    });
    record("x.events.v1", &event, item.partition_key.as_deref())
}

#[tokio::test]
async fn each_kind_of_fault_is_found() {
    let oracle = Oracle::new(Shape::Events);
    let [kept, lost, refused, mixed, forged] =
        [0, 1, 2, 3, 4].map(|place| delivery(Mix::default(), place));
    for delivery in [&kept, &lost, &refused, &mixed] {
        oracle.sending(delivery, 0).await;
    }
    for delivery in [&kept, &lost, &mixed] {
        oracle.finished(&answered(delivery, 202)).await;
    }
    oracle.finished(&answered(&refused, 503)).await;
    for read in [event(&kept), event(&kept), event(&refused), event(&forged)] {
        oracle.saw(&read);
    }
    let mut wrong = event(&mixed);
    wrong.key = Some("somebody/else".to_owned());
    oracle.saw(&wrong);
    let audit = oracle.audit(false);
    assert_eq!((audit.acknowledged, audit.duplicates), (3, 1));
    let name = |delivery: &Delivery| {
        let body: Value = serde_json::from_slice(&delivery.body).unwrap();
        vec![format!("events {}", body["value"][0]["id"].as_str().unwrap())]
    };
    assert_eq!(audit.missing, name(&lost));
    assert_eq!(audit.spurious, name(&forged));
    assert_eq!(audit.mismatched, name(&mixed));
    assert_eq!(oracle.acknowledged(), 3);
    assert_eq!(oracle.answers().iter().filter(|answer| answer.status() == Some(503)).count(), 1);
}

#[tokio::test]
async fn what_is_not_genuine_was_never_promised() {
    let oracle = Oracle::new(Shape::Events);
    let forged = delivery(Mix { forged: 1.0, ..Mix::default() }, 9);
    oracle.sending(&forged, 0).await;
    oracle.finished(&answered(&forged, 202)).await;
    assert_eq!(oracle.audit(false).acknowledged, 0);
}

#[tokio::test]
async fn a_signal_promises_two_records_and_a_bridge_keeps_bodies() {
    let signals = Mix { lifecycle: 1.0, ..Mix::default() };
    let both = (0..99).map(|place| delivery(signals.clone(), place));
    let both = both.map(|delivery| Shape::Events.promise(&delivery).len()).max();
    assert_eq!(both, Some(2));
    let bodies = Oracle::new(Shape::Bodies);
    let delivery = delivery(Mix { items: 3..=3, ..Mix::default() }, 5);
    bodies.sending(&delivery, 0).await;
    bodies.finished(&answered(&delivery, 202)).await;
    let body: Value = serde_json::from_slice(&delivery.body).unwrap();
    bodies.saw(&record("bridge", &body, None));
    let audit = bodies.audit(false);
    assert_eq!((audit.acknowledged, audit.missing.len(), audit.spurious.len()), (3, 0, 0));
}

#[tokio::test]
async fn what_is_quarantined_as_too_large_is_kept_where_that_counts() {
    let oracle = Oracle::new(Shape::Events);
    let delivery = delivery(Mix { items: 2..=2, ..Mix::default() }, 0);
    oracle.sending(&delivery, 0).await;
    oracle.finished(&answered(&delivery, 202)).await;
    let mut aside = record("x.quarantine.v1", &json!({}), None);
    let items = r#"[{"index":0,"reason":"too-large"},{"index":1,"reason":"no-token"}]"#;
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    aside.headers.push(header("postern_sha256", &expect::sha256(&delivery.body)));
    aside.headers.push(header("postern_items", items));
    oracle.saw(&aside);
    assert_eq!((oracle.audit(false).missing.len(), oracle.audit(true).missing.len()), (2, 1));
    assert_eq!(oracle.audit(true).aside, 1);
}

#[tokio::test]
async fn what_left_the_spool_for_quarantine_is_kept_when_it_holds_what_was_sent() {
    let oracle = Oracle::new(Shape::Events);
    let [kept, changed] = [0, 1].map(|place| delivery(Mix::default(), place));
    let start = Instant::now();
    for delivery in [&kept, &changed] {
        oracle.sending(delivery, 0).await;
        oracle.finished(&answered(delivery, 202)).await;
    }
    let opened = |delivery: &Delivery| {
        let record = event(delivery);
        let mut event = record.event();
        event["partitionkey"] = record.key.into();
        event["dataschema"] = "urn:postern:mailbox-event:v1".into();
        event
    };
    oracle.saw_opened(&opened(&kept));
    let end = Instant::now();
    assert_eq!(oracle.promised_within(start, end), (2, 1, 0));
    assert_eq!(oracle.promised_within(end, Instant::now()), (0, 0, 0));
    assert_eq!((oracle.audit(false).missing.len(), oracle.audit(true).missing.len()), (2, 1));
    let mut other = opened(&changed);
    other["data"]["resource"]["path"] = "another one".into();
    oracle.saw_opened(&other);
    assert_eq!(oracle.audit(true).mismatched.len(), 1);
    oracle.saw_opened(&json!({"id": "nobody's"}));
    assert_eq!(oracle.audit(true).spurious.len(), 1);
}
