//! Does each connection cost only itself: when there are too many, when its sender hangs up, when something panics?

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use postern_edge::config::Config;
use postern_edge::phase::Phase;

use crate::support::notice::{body, good, junk, trust};
use crate::support::{GRAPH, Gateway, Plan, post, quick};

/// A request that is told from the others by its answer.
fn handshake() -> Vec<u8> {
    post("/v1/microsoft/graph?validationToken=t", "")
}

#[tokio::test]
async fn a_connection_beyond_the_cap_is_told_503_and_closed() {
    let gateway = Gateway::with(Config { connections: 2, ..quick() }, trust()).await;
    let (mut first, mut second) = (gateway.connect().await, gateway.connect().await);
    assert_eq!(first.ask(handshake()).await.status, 200);
    assert_eq!(second.ask(handshake()).await.status, 200);
    for request in [handshake(), post(GRAPH, good("n-1")), post("/nowhere", "")] {
        let mut third = gateway.connect().await;
        let answer = third.ask(request).await;
        answer.assert_bare(503);
        assert!(answer.closes());
        third.assert_closed().await;
    }
    assert_eq!(gateway.kafka.handed(), (0, 0));
    // The others do not notice, and room that is given back is used.
    first.ask(post(GRAPH, good("n-2"))).await.assert_bare(202);
    drop(second);
    gateway.until("closed", |gateway| gateway.gauge("postern_connections") == 1.0).await;
    gateway.ask(post(GRAPH, good("n-3"))).await.assert_bare(202);
    assert_eq!(gateway.kafka.ids(), ["n-2", "n-3"]);
    gateway.assert_counted(&[
        ("http_requests 200 graph", 2),
        ("http_requests 202 graph", 2),
        ("http_requests 503 graph", 2),
        ("http_requests 503 other", 1),
        ("refused overloaded", 3),
        ("notifications published graph", 2),
    ]);
}

#[tokio::test]
async fn a_flood_of_silent_connections_is_bounded() {
    let gateway = Gateway::with(Config { connections: 1, ..quick() }, trust()).await;
    let mut regular = gateway.connect().await;
    assert_eq!(regular.ask(handshake()).await.status, 200);
    let mut flood = Vec::new();
    for _ in 0..300 {
        flood.push(gateway.connect().await);
    }
    // What is beyond the cap and beyond those that are still told is closed unheard.
    gateway
        .until("closed", |gateway| gateway.counted().get("refused overloaded") == Some(&44))
        .await;
    let mut last = flood.pop().expect("300 of them");
    last.assert_closed().await;
    regular.ask(post(GRAPH, good("n-1"))).await.assert_bare(202);
    assert_eq!(gateway.kafka.ids(), ["n-1"]);
    // The silent ones end by themselves.
    flood.remove(0).assert_closed().await;
}

#[tokio::test]
async fn a_caller_that_hangs_up_is_counted_and_leaves_nothing_behind() {
    let gateway = Gateway::start().await;
    gateway.kafka.plan(Plan::Hold);
    gateway.kafka.plan_quarantine(Plan::Hold);
    let mut genuine = gateway.connect().await;
    genuine.send(post(GRAPH, good("n-1"))).await;
    gateway.kafka.handed_over(1).await;
    assert!(gateway.gauge("postern_inflight_bytes") > 0.0);
    assert_eq!(gateway.life().settled(Duration::from_millis(1)).await, 1);
    drop(genuine);
    gateway
        .until("counted", |gateway| gateway.counted().get("http_requests 499 graph") == Some(&1))
        .await;
    gateway.assert_settled().await;

    let mut quarantined = gateway.connect().await;
    quarantined.send(post(GRAPH, body(&[junk("n-2")]))).await;
    gateway.until("handed over", |gateway| gateway.kafka.handed().1 == 1).await;
    drop(quarantined);
    gateway
        .until("counted", |gateway| gateway.counted().get("http_requests 499 graph") == Some(&2))
        .await;
    gateway.assert_settled().await;
    gateway.assert_counted(&[("http_requests 499 graph", 2)]);
    gateway.until("closed", |gateway| gateway.gauge("postern_connections") == 0.0).await;

    gateway.kafka.plan(Plan::Take);
    gateway.assert_serves("n-3").await;
}

#[tokio::test]
async fn a_caller_that_hangs_up_midway_through_its_body_leaves_nothing_behind() {
    let gateway = Gateway::start().await;
    let request = post(GRAPH, good("n-1"));
    let mut wire = gateway.connect().await;
    wire.send(&request[..request.len() - 10]).await;
    gateway.until("read", |gateway| gateway.gauge("postern_inflight_bytes") > 0.0).await;
    drop(wire);
    gateway.until("counted", |gateway| !gateway.counted().is_empty()).await;
    gateway.assert_settled().await;
    assert_eq!(gateway.kafka.handed(), (0, 0));
    gateway.assert_serves("n-2").await;
}

#[tokio::test]
async fn a_panic_costs_one_connection() {
    let gateway = Gateway::start().await;
    let mut other = gateway.connect().await;
    assert_eq!(other.ask(handshake()).await.status, 200);
    gateway.kafka.plan(Plan::Panic);
    gateway.kafka.plan_quarantine(Plan::Panic);
    for body in [good("n-1"), body(&[junk("n-2")])] {
        let mut wire = gateway.connect().await;
        wire.send(post(GRAPH, body)).await;
        wire.assert_closed().await;
    }
    gateway.kafka.plan(Plan::Take);
    gateway.kafka.plan_quarantine(Plan::Take);
    other.ask(post(GRAPH, good("n-3"))).await.assert_bare(202);
    assert_eq!(gateway.kafka.ids(), ["n-3"]);
    gateway.assert_serves("n-4").await;
    gateway.until("closed", |gateway| gateway.gauge("postern_connections") == 1.0).await;
    assert_eq!(gateway.counted()["http_requests 499 graph"], 2);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let gateway = Gateway::start().await;
    let mut wire = gateway.connect().await;
    let requests: Vec<u8> =
        (0..50).flat_map(|index| post(GRAPH, good(&format!("n-{index}")))).collect();
    wire.send([requests, post("/nowhere", ""), handshake()].concat()).await;
    for _ in 0..50 {
        wire.answer().await.assert_bare(202);
    }
    wire.answer().await.assert_bare(404);
    assert_eq!(wire.answer().await.body, b"t");
    let expected: Vec<String> = (0..50).map(|index| format!("n-{index}")).collect();
    assert_eq!(gateway.kafka.ids(), expected);
}

#[tokio::test]
async fn a_sender_that_reads_no_answers_is_cut_off() {
    let gateway = Gateway::start().await;
    let mut wire = gateway.connect().await;
    let token = "x".repeat(1_000);
    let requests = post(&format!("{GRAPH}?validationToken={token}"), "").repeat(100);
    // Until its answers fill the buffers of both sides, and the requests after them.
    let flood = async { while wire.try_send(&requests).await {} };
    tokio::time::timeout(Duration::from_secs(20), flood).await.expect("cut off, not held for ever");
    gateway.until("closed", |gateway| gateway.gauge("postern_connections") == 0.0).await;
    gateway.assert_serves("n-1").await;
}

#[tokio::test]
async fn many_connections_at_once_are_all_served() {
    let gateway = std::sync::Arc::new(Gateway::start().await);
    gateway.kafka.plan(Plan::Delay(Duration::from_millis(20)));
    let clients: Vec<_> = (0..100)
        .map(|client| {
            let gateway = std::sync::Arc::clone(&gateway);
            tokio::spawn(async move {
                let mut wire = gateway.connect().await;
                for index in 0..5 {
                    let id = format!("n-{client:02}-{index}");
                    wire.ask(post(GRAPH, good(&id))).await.assert_bare(202);
                }
            })
        })
        .collect();
    for client in clients {
        client.await.expect("no panic");
    }
    let mut ids = gateway.kafka.ids();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 500);
    gateway.assert_settled().await;
    gateway.assert_counted(&[
        ("http_requests 202 graph", 500),
        ("notifications published graph", 500),
    ]);
}

#[tokio::test]
async fn a_listener_that_stops_takes_what_waits_in_its_backlog() {
    let gateway = Gateway::start().await;
    gateway.life().advance(Phase::Flushing);
    // Nothing of the runtime runs between these lines: the system accepts, the listener does not know yet.
    let mut waiting: Vec<TcpStream> =
        (0..20).map(|_| TcpStream::connect(gateway.address).expect("the system accepts")).collect();
    for stream in &mut waiting {
        stream.write_all(&post(GRAPH, good("n-1"))).expect("the system takes it");
    }
    let address = gateway.address;
    let kafka = gateway.stop_listening().await;
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
    let answers = tokio::task::spawn_blocking(move || {
        let read = |stream: &mut TcpStream| {
            stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a socket");
            let mut answer = String::new();
            let read = stream.read_to_string(&mut answer);
            (read.is_ok(), answer)
        };
        waiting.iter_mut().map(read).collect::<Vec<_>>()
    });
    for (in_order, answer) in answers.await.expect("no panic") {
        assert!(in_order, "no reset");
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer:?}");
    }
    assert_eq!(kafka.handed(), (0, 0));
}

/// What a sender that knows no better does: connects, asks, again and again, until nobody is there. How many of its
/// connections came about and were not answered.
fn storm(address: SocketAddr) -> usize {
    let request = post("/nowhere", "");
    let mut cut = 0;
    loop {
        let connected = TcpStream::connect_timeout(&address, Duration::from_millis(300));
        let Ok(mut stream) = connected else { return cut };
        let (mut sent, mut answer) = (stream.write_all(&request).is_ok(), [0; 12]);
        sent &= stream.read_exact(&mut answer).is_ok();
        cut += usize::from(!sent || &answer != b"HTTP/1.1 404");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_a_storm_of_connections_cuts_none() {
    let mut cut = 0;
    for _ in 0..15 {
        let gateway = Gateway::start().await;
        let address = gateway.address;
        let storms: Vec<_> =
            (0..4).map(|_| tokio::task::spawn_blocking(move || storm(address))).collect();
        tokio::time::sleep(Duration::from_millis(20)).await;
        let _kafka = gateway.stop_listening().await;
        for storm in storms {
            cut += storm.await.expect("no panic");
        }
    }
    assert_eq!(cut, 0, "connections that came about and were not answered");
}
