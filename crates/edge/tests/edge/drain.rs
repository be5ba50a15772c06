//! What do senders see while the edge stops?

use std::time::Duration;

use postern_core::publish::PublishError;
use postern_edge::phase::Phase;

use crate::support::notice::{body, good, junk};
use crate::support::{FORMS, GRAPH, Gateway, Plan, post};

#[tokio::test]
async fn lingering_serves_as_before() {
    let gateway = Gateway::start().await;
    gateway.life().advance(Phase::Lingering);
    assert!(!gateway.life().ready());
    let mut wire = gateway.connect().await;
    for id in ["n-1", "n-2"] {
        let answer = wire.ask(post(GRAPH, good(id))).await;
        answer.assert_bare(202);
        assert!(!answer.closes());
    }
    assert_eq!(gateway.kafka.ids(), ["n-1", "n-2"]);
}

#[tokio::test]
async fn while_draining_every_answer_closes_and_the_listener_stays_open() {
    let gateway = Gateway::start().await;
    let mut idle = gateway.connect().await;
    let mut used = gateway.connect().await;
    used.ask(post(GRAPH, good("n-0"))).await.assert_bare(202);
    gateway.life().advance(Phase::Draining);
    idle.assert_silent(Duration::from_millis(300)).await;

    for (index, (target, body, status)) in [
        (GRAPH, good("n-1"), 202),
        (FORMS[1], good("n-1"), 202),
        (GRAPH, b"{".to_vec(), 400),
        ("/nowhere", Vec::new(), 404),
        ("/v1/microsoft/graph?validationToken=", Vec::new(), 400),
    ]
    .into_iter()
    .enumerate()
    {
        let mut wire = gateway.connect().await;
        let answer = wire.ask(post(target, body)).await;
        answer.assert_bare(status);
        assert!(answer.closes(), "{index}: {answer:?}");
        wire.assert_closed().await;
    }
    gateway.kafka.plan(Plan::Fail(PublishError::Unavailable));
    let answer = gateway.ask(post(GRAPH, good("n-2"))).await;
    answer.assert_bare(503);
    assert!(answer.closes());
    gateway.kafka.plan(Plan::Take);

    // Connections from before are served, and end with their answer.
    for wire in [&mut idle, &mut used] {
        let answer = wire.ask(post(GRAPH, good("n-3"))).await;
        answer.assert_bare(202);
        assert!(answer.closes());
        wire.assert_closed().await;
    }
    assert_eq!(gateway.kafka.ids(), ["n-0", "n-1", "n-1", "n-3", "n-3"]);
}

#[tokio::test]
async fn a_request_under_way_when_draining_begins_ends_with_a_closing_answer() {
    let gateway = Gateway::start().await;
    gateway.kafka.plan(Plan::Hold);
    let mut wire = gateway.connect().await;
    wire.send(post(GRAPH, good("n-1"))).await;
    gateway.kafka.handed_over(1).await;
    gateway.life().advance(Phase::Draining);
    gateway.kafka.plan(Plan::Take);
    let answer = wire.answer().await;
    answer.assert_bare(202);
    assert!(answer.closes());
    wire.assert_closed().await;
    assert_eq!(gateway.kafka.ids(), ["n-1"]);
}

#[tokio::test]
async fn while_flushing_what_would_need_kafka_is_503_and_all_else_as_ever() {
    let gateway = Gateway::start().await;
    gateway.life().advance(Phase::Flushing);
    for (target, body, status) in [
        (GRAPH, good("n-1"), 503),
        (FORMS[1], good("n-1"), 503),
        (GRAPH, body(&[junk("n-2")]), 503),
        (GRAPH, br#"{"value":[]}"#.to_vec(), 503),
        (GRAPH, b"{".to_vec(), 400),
        ("/nowhere", good("n-1"), 404),
        ("/v1/microsoft/graph?validationToken=", Vec::new(), 400),
    ] {
        let mut wire = gateway.connect().await;
        let answer = wire.ask(post(target, body)).await;
        answer.assert_bare(status);
        assert!(answer.closes());
        wire.assert_closed().await;
    }
    let get = format!("GET {GRAPH} HTTP/1.1\r\nHost: h\r\n\r\n");
    gateway.ask(get).await.assert_bare(405);
    assert_eq!(gateway.kafka.handed(), (0, 0));
    gateway.assert_counted(&[
        ("http_requests 503 graph", 4),
        ("refused draining", 4),
        ("notifications failed graph", 3),
        ("http_requests 400 graph", 2),
        ("refused unreadable", 2),
        ("http_requests 404 other", 1),
        ("refused path", 1),
        ("http_requests 405 graph", 1),
        ("refused method", 1),
    ]);
}

#[tokio::test]
async fn a_large_body_sent_while_flushing_gets_its_503_and_no_reset() {
    let gateway = Gateway::start().await;
    gateway.life().advance(Phase::Flushing);
    let mut body = good("n-1");
    body.resize(1 << 20, b' ');
    let request = post(GRAPH, body);
    for _ in 0..5 {
        let mut wire = gateway.connect().await;
        let (head, rest) = request.split_at(500);
        wire.send(head).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        wire.ask(rest).await.assert_bare(503);
        wire.assert_closed().await;
    }
    assert_eq!(gateway.kafka.handed(), (0, 0));
}

#[tokio::test]
async fn what_was_taken_before_flushing_is_waited_for() {
    let gateway = Gateway::start().await;
    gateway.kafka.plan(Plan::Hold);
    let mut wire = gateway.connect().await;
    wire.send(post(GRAPH, good("n-1"))).await;
    gateway.kafka.handed_over(1).await;
    gateway.life().advance(Phase::Flushing);
    assert_eq!(gateway.life().settled(Duration::from_millis(50)).await, 1, "not without it");
    let life = gateway.life().clone();
    let settled = tokio::spawn(async move { life.settled(Duration::from_secs(5)).await });
    gateway.kafka.plan(Plan::Take);
    wire.answer().await.assert_bare(202);
    assert_eq!(settled.await.expect("no panic"), 0);
    assert_eq!(gateway.kafka.ids(), ["n-1"]);
}

#[tokio::test]
async fn a_body_that_ends_after_flushing_began_is_not_handed_to_kafka() {
    let gateway = Gateway::start().await;
    let request = post(GRAPH, good("n-1"));
    let mut wire = gateway.connect().await;
    wire.send(&request[..request.len() - 1]).await;
    gateway.until("read", |gateway| gateway.gauge("postern_inflight_bytes") > 0.0).await;
    gateway.life().advance(Phase::Flushing);
    wire.ask(&request[request.len() - 1..]).await.assert_bare(503);
    assert_eq!(gateway.kafka.handed(), (0, 0));
}
