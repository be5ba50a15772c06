//! Are bodies bounded, each and all together, and is the room given back?

use std::time::Duration;

use postern_edge::config::Config;

use crate::support::notice::{chunked, good, trust};
use crate::support::{GRAPH, Gateway, Plan, post, quick};

/// A genuine delivery of exactly so many bytes.
fn padded(id: &str, size: usize) -> Vec<u8> {
    let mut body = good(id);
    assert!(body.len() <= size);
    body.resize(size, b' ');
    body
}

#[tokio::test]
async fn a_declared_length_over_the_limit_is_413_before_a_byte_is_read() {
    let gateway = Gateway::start().await;
    for length in ["4194305", "10737418240", "18446744073709551613"] {
        let mut wire = gateway.connect().await;
        let head = format!("POST {GRAPH} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n");
        let answer = wire.ask(head).await;
        answer.assert_bare(413);
        assert!(answer.closes());
        wire.assert_closed().await;
    }
    gateway.assert_counted(&[("http_requests 413 graph", 3), ("refused too-large", 3)]);
    assert_eq!(gateway.kafka.handed(), (0, 0));
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_taken_and_one_byte_more_is_not() {
    let limit = 4 << 20;
    // A body of this size has to cross a busy machine.
    let config = Config {
        body_deadline: Duration::from_secs(2),
        deadline: Duration::from_secs(4),
        ..quick()
    };
    let gateway = Gateway::with(config, trust()).await;
    gateway.ask(post(GRAPH, padded("n-1", limit))).await.assert_bare(202);
    assert_eq!(gateway.kafka.ids(), ["n-1"]);
    let chunks = |body: &[u8]| {
        let head =
            format!("POST {GRAPH} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
        [head.as_bytes(), &chunked(body)].concat()
    };
    gateway.ask(chunks(&padded("n-2", limit))).await.assert_bare(202);
    assert_eq!(gateway.kafka.ids(), ["n-1", "n-2"]);
    let mut wire = gateway.connect().await;
    wire.send_some(&chunks(&padded("n-3", limit + 1))).await;
    gateway
        .until("refused", |gateway| gateway.counted().get("refused too-large") == Some(&1))
        .await;
    assert_eq!(gateway.kafka.ids(), ["n-1", "n-2"]);
    gateway.assert_settled().await;
}

#[tokio::test]
async fn a_chunked_body_over_the_limit_is_413_without_waiting_for_its_end() {
    let gateway = Gateway::with(Config { graph_body: 10_000, ..quick() }, trust()).await;
    let mut wire = gateway.connect().await;
    let head = format!(
        "POST {GRAPH} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n"
    );
    wire.send(head).await.send(vec![b' '; 10_001]).await;
    let answer = wire.answer().await;
    answer.assert_bare(413);
    assert!(answer.closes());
    wire.assert_closed().await;
    gateway.assert_counted(&[("http_requests 413 graph", 1), ("refused too-large", 1)]);
    assert_eq!(gateway.kafka.handed(), (0, 0));
    gateway.assert_settled().await;
}

#[tokio::test]
async fn bodies_in_flight_are_bounded_and_their_room_is_given_back() {
    let gateway = Gateway::with(Config { inflight_bytes: 3_000, ..quick() }, trust()).await;
    gateway.kafka.plan(Plan::Hold);
    let mut first = gateway.connect().await;
    first.send(post(GRAPH, padded("n-1", 2_000))).await;
    gateway.kafka.handed_over(1).await;
    assert_eq!(gateway.gauge("postern_inflight_bytes"), 2_000.0);

    // A second one does not fit, wherever its bytes come from; a small one does.
    gateway.ask(post(GRAPH, padded("n-2", 2_000))).await.assert_bare(503);
    let head = format!("POST {GRAPH} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    gateway.ask([head.as_bytes(), &chunked(&padded("n-3", 1_001))].concat()).await.assert_bare(503);
    let mut small = gateway.connect().await;
    small.send(post(GRAPH, padded("n-4", 1_000))).await;
    gateway.kafka.handed_over(2).await;
    assert_eq!(gateway.gauge("postern_inflight_bytes"), 3_000.0);
    // The handshake needs no room.
    let handshake = post("/v1/microsoft/graph?validationToken=t", "");
    assert_eq!(gateway.ask(handshake).await.body, b"t");

    gateway.kafka.plan(Plan::Take);
    first.answer().await.assert_bare(202);
    small.answer().await.assert_bare(202);
    gateway.assert_settled().await;
    gateway.ask(post(GRAPH, padded("n-5", 3_000))).await.assert_bare(202);
    let mut ids = gateway.kafka.ids();
    ids.sort();
    assert_eq!(ids, ["n-1", "n-4", "n-5"]);
    gateway.assert_counted(&[
        ("http_requests 200 graph", 1),
        ("http_requests 202 graph", 3),
        ("http_requests 503 graph", 2),
        ("refused overloaded", 2),
        ("notifications published graph", 3),
    ]);
}

#[tokio::test]
async fn a_body_that_stops_midway_holds_its_room_only_until_the_body_deadline() {
    let gateway = Gateway::with(Config { inflight_bytes: 3_000, ..quick() }, trust()).await;
    let mut slow = gateway.connect().await;
    let head = format!("POST {GRAPH} HTTP/1.1\r\nHost: h\r\nContent-Length: 2500\r\n\r\n");
    slow.send(head).await.send(vec![b' '; 2_400]).await;
    gateway.until("read", |gateway| gateway.gauge("postern_inflight_bytes") == 2_400.0).await;
    gateway.ask(post(GRAPH, padded("n-1", 2_000))).await.assert_bare(503);
    slow.answer().await.assert_bare(408);
    gateway.assert_settled().await;
    gateway.ask(post(GRAPH, padded("n-2", 2_000))).await.assert_bare(202);
    assert_eq!(gateway.kafka.ids(), ["n-2"]);
}
