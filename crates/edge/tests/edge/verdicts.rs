//! What becomes of a delivery whose items are not all genuine, or that Kafka does not take? Each item is counted once.

use postern_core::publish::PublishError;
use postern_core::quarantine;
use serde_json::{Value, json};

use crate::support::notice::{
    body, denied, expired, forged, genuine, item, junk, of_unknown_key, rich, ring, trust,
    trust_that_denies,
};
use crate::support::{GRAPH, Gateway, Plan, post, quick};

#[tokio::test]
async fn every_fault_of_kafka_is_503_and_says_why() {
    for (error, reason) in [
        (PublishError::Unavailable, "undecided"),
        (PublishError::Timeout, "undecided"),
        (PublishError::Failed, "undecided"),
        (PublishError::QueueFull, "overloaded"),
    ] {
        let gateway = Gateway::start().await;
        gateway.kafka.plan(Plan::Fail(error));
        gateway.kafka.plan_quarantine(Plan::Fail(error));
        let mut wire = gateway.connect().await;
        for item in [genuine("n-1"), junk("n-2")] {
            let answer = wire.ask(post(GRAPH, body(&[item]))).await;
            answer.assert_bare(503);
            assert!(!answer.closes(), "the connection is fine");
        }
        let refused = format!("refused {reason}");
        gateway.assert_counted(&[
            ("http_requests 503 graph", 2),
            (&refused, 2),
            ("notifications failed graph", 2),
        ]);
        gateway.kafka.plan(Plan::Take);
        wire.ask(post(GRAPH, body(&[genuine("n-3")]))).await.assert_bare(202);
        assert_eq!(gateway.kafka.ids(), ["n-3"]);
    }
}

#[tokio::test]
async fn what_kafka_refuses_for_good_is_quarantined_and_each_item_counted_once() {
    let gateway = Gateway::with(quick(), trust_that_denies()).await;
    gateway.kafka.plan(Plan::Fail(PublishError::RecordRefused));
    let delivery = body(&[genuine("a"), junk("b"), genuine("c")]);
    gateway.ask(post(GRAPH, &delivery)).await.assert_bare(202);
    let records = gateway.kafka.quarantined();
    assert_eq!(records.len(), 1);
    let items: Value =
        serde_json::from_str(records[0].header("postern_items").expect("items")).expect("JSON");
    assert_eq!(
        items,
        json!([
            {"index": 0, "reason": "too-large"},
            {"index": 1, "reason": "malformed-token"},
            {"index": 2, "reason": "too-large"},
        ])
    );
    let opened =
        quarantine::open(&ring(), "k1", "graph", records[0].value.as_deref().expect("sealed"));
    assert_eq!(opened.expect("opens").body, delivery, "the whole body is kept");
    gateway.assert_counted(&[
        ("http_requests 202 graph", 1),
        ("notifications quarantined graph", 3),
        ("quarantined too-large graph", 2),
        ("quarantined malformed-token graph", 1),
    ]);

    // A denied item beside it is denied, and nothing else.
    gateway.ask(post(GRAPH, body(&[denied("x"), genuine("y")]))).await.assert_bare(202);
    let records = gateway.kafka.quarantined();
    let expected = r#"[{"index":1,"reason":"too-large"}]"#;
    assert_eq!(records[1].header("postern_items"), Some(expected));
    let counted = gateway.counted();
    assert_eq!(counted["notifications denied graph"], 1);
    assert_eq!(counted["notifications quarantined graph"], 4);

    // Where the quarantine cannot take it either, the provider has to keep it.
    gateway.kafka.plan_quarantine(Plan::Fail(PublishError::Unavailable));
    gateway.ask(post(GRAPH, body(&[genuine("z")]))).await.assert_bare(503);
    assert_eq!(gateway.counted()["notifications failed graph"], 1);
    assert_eq!(gateway.kafka.published(), []);
}

#[tokio::test]
async fn a_genuine_item_too_large_for_a_record_is_never_just_dropped() {
    let mut config = quick();
    config.form.max_record = 4_000;
    let gateway = Gateway::with(config, trust_that_denies()).await;
    let mut large = genuine("large");
    large["resource"] = json!(format!("Users/u/Messages/{}", "x".repeat(8_000)));
    // Beside a small one, beside a denied one, and with the quarantine away.
    gateway.ask(post(GRAPH, body(&[genuine("a"), large.clone()]))).await.assert_bare(202);
    assert_eq!(gateway.kafka.ids(), ["a"]);
    gateway.ask(post(GRAPH, body(&[denied("b"), large.clone()]))).await.assert_bare(202);
    let records = gateway.kafka.quarantined();
    assert_eq!(records.len(), 2);
    assert!(records.iter().all(|record| record.header("postern_reason") == Some("too-large")));
    let counted = gateway.counted();
    assert_eq!(counted["notifications published graph"], 1);
    assert_eq!(counted["notifications quarantined graph"], 2);

    // With the budget spent, or the quarantine away, the provider has to keep it.
    config.quarantine_records = 1;
    let gateway = Gateway::with(config, trust_that_denies()).await;
    gateway.ask(post(GRAPH, body(&[junk("first")]))).await.assert_bare(202);
    gateway.ask(post(GRAPH, body(&[denied("b"), large.clone()]))).await.assert_bare(503);
    config.quarantine_records = 100;
    let other = Gateway::with(config, trust_that_denies()).await;
    other.kafka.plan_quarantine(Plan::Fail(PublishError::Failed));
    other.ask(post(GRAPH, body(&[genuine("a"), large]))).await.assert_bare(503);
    assert_eq!(other.kafka.ids(), ["a"], "a 503 may still have been published");
    for gateway in [&gateway, &other] {
        let counted = gateway.counted();
        assert_eq!(counted["notifications failed graph"], 1);
        assert!(!counted.contains_key("notifications dropped graph"));
    }
}

#[tokio::test]
async fn every_reason_is_told_and_counted() {
    let gateway = Gateway::start().await;
    let mut bare = genuine("unusable");
    bare["changeType"] = Value::Null;
    let mut twice: Value = genuine("absent");
    twice.as_object_mut().expect("an object").remove("clientState");
    let cases = [
        (item("n", ""), "no-token"),
        (twice, "no-token"),
        (item("n", "guess"), "malformed-token"),
        (item("n", &of_unknown_key()), "unknown-key"),
        (item("n", &forged()), "forged-token"),
        (item("n", &expired()), "expired-token"),
        (bare, "unusable-item"),
        (json!(7), "unusable-item"),
        (rich("n"), "validation-tokens"),
    ];
    for (index, (item, reason)) in cases.iter().enumerate() {
        gateway.ask(post(GRAPH, body(std::slice::from_ref(item)))).await.assert_bare(202);
        let records = gateway.kafka.quarantined();
        assert_eq!(records.len(), index + 1);
        assert_eq!(records[index].header("postern_reason"), Some(*reason));
        let items = records[index].header("postern_items").expect("items");
        let whole = *reason == "validation-tokens";
        let one = format!(r#"[{{"index":0,"reason":"{reason}"}}]"#);
        assert_eq!(items, if whole { "[]" } else { &one });
    }
    assert_eq!(gateway.kafka.published(), []);
    gateway.assert_counted(&[
        ("http_requests 202 graph", 9),
        ("notifications quarantined graph", 9),
        ("quarantined no-token graph", 2),
        ("quarantined malformed-token graph", 1),
        ("quarantined unknown-key graph", 1),
        ("quarantined forged-token graph", 1),
        ("quarantined expired-token graph", 1),
        ("quarantined unusable-item graph", 2),
        ("quarantined validation-tokens graph", 1),
    ]);
}

#[tokio::test]
async fn nothing_of_a_denied_connection_is_stored() {
    let gateway = Gateway::with(quick(), trust_that_denies()).await;
    let delivery = body(&[denied("gone"), junk("guess"), genuine("mine")]);
    gateway.ask(post(GRAPH, &delivery)).await.assert_bare(202);
    assert_eq!(gateway.kafka.ids(), ["mine"]);
    let records = gateway.kafka.quarantined();
    assert_eq!(records.len(), 1);
    let opened =
        quarantine::open(&ring(), "k1", "graph", records[0].value.as_deref().expect("sealed"));
    assert_eq!(opened.expect("opens").body, b"", "a body that holds a denied item is not kept");
    gateway.ask(post("/v1/microsoft/graph/org_gone", body(&[denied("x")]))).await.assert_bare(202);
    assert_eq!((gateway.kafka.published().len(), gateway.kafka.quarantined().len()), (1, 1));
}

#[tokio::test]
async fn what_is_quarantined_opens_to_what_was_sent() {
    let gateway = Gateway::with(quick(), trust()).await;
    let delivery = body(&[junk("a")]);
    let target = "/v1/microsoft/graph/org%5Facme?sig=secret";
    gateway.ask(post(target, &delivery)).await.assert_bare(202);
    let record = gateway.kafka.quarantined().remove(0);
    let value = record.value.as_deref().expect("sealed");
    let opened =
        quarantine::open(&ring(), record.header("postern_kid").expect("kid"), "graph", value)
            .expect("opens");
    assert_eq!(opened.body, delivery);
    assert_eq!(opened.kept, [("path".to_owned(), b"/v1/microsoft/graph/org%5Facme".to_vec())]);
    let clear: String = record.headers.iter().map(|(_, value)| value.as_str()).collect();
    assert!(!clear.contains("guessed") && !clear.contains("org_acme"), "{clear}");
    assert_eq!(record.key, None);
}

#[tokio::test]
async fn lifecycle_items_and_changes_of_one_delivery_are_one_batch() {
    let gateway = Gateway::start().await;
    let mut missed = genuine("l-1");
    missed["lifecycleEvent"] = json!("missed");
    let delivery = body(&[genuine("n-1"), missed]);
    let traced = String::from_utf8(post(GRAPH, &delivery)).expect("text").replacen(
        "Content-Type",
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nContent-Type",
        1,
    );
    gateway.ask(traced).await.assert_bare(202);
    let published = gateway.kafka.published();
    assert_eq!(gateway.kafka.handed(), (1, 0));
    let told: Vec<(&str, String)> = published
        .iter()
        .map(|r| (r.topic.as_str(), r.header("postern_type").expect("a type").to_owned()))
        .collect();
    assert_eq!(
        told,
        [
            ("events", "io.postern.message.created.v1".to_owned()),
            ("lifecycle", "io.postern.subscription.missed.v1".to_owned()),
            ("events", "io.postern.mailbox.resync-required.v1".to_owned()),
        ]
    );
    for record in &published {
        assert_eq!(record.key.as_deref(), Some(&b"org_acme/user_123"[..]));
        let parent = record.event()["traceparent"].as_str().expect("a traceparent").to_owned();
        assert!(parent.starts_with("00-0af7651916cd43dd8448eb211c80319c-"), "{parent}");
    }
    gateway.assert_counted(&[("http_requests 202 graph", 1), ("notifications published graph", 2)]);
}
