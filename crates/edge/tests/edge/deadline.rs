//! Is every request answered in time, however slow its sender or Kafka is?

use std::time::Duration;

use postern_edge::config::Config;
use tokio::time::Instant;

use crate::support::notice::{body, good, junk, trust};
use crate::support::{GRAPH, Gateway, Plan, post, quick};

/// How much later than its deadline an answer may be seen by a client on a busy machine.
const SLACK: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_publisher_that_never_comes_back_is_503_within_the_promised_2_5_seconds() {
    let gateway = Gateway::with(Config::default(), trust()).await;
    gateway.kafka.plan(Plan::Stuck);
    gateway.kafka.plan_quarantine(Plan::Stuck);
    let (mut first, mut second) = (gateway.connect().await, gateway.connect().await);
    let asked = Instant::now();
    let timed = async |wire: &mut crate::support::Wire, body: Vec<u8>| {
        let answer = wire.ask(post(GRAPH, body)).await;
        (answer, asked.elapsed())
    };
    let junk = body(&[junk("n-2")]);
    let answers = tokio::join!(timed(&mut first, good("n-1")), timed(&mut second, junk));
    for (answer, took) in [answers.0, answers.1] {
        answer.assert_bare(503);
        assert!(took < Duration::from_millis(2_500) + SLACK, "{took:?}");
        assert!(took > Duration::from_millis(2_300), "Kafka has the rest of the time: {took:?}");
    }
    gateway.assert_counted(&[
        ("http_requests 503 graph", 2),
        ("refused undecided", 2),
        ("notifications failed graph", 2),
    ]);
    assert_eq!((gateway.kafka.published(), gateway.kafka.quarantined()), (vec![], vec![]));
    // By postern's own clock the promise is kept to the letter.
    assert_eq!(gateway.answered_within("graph", 2.5), 2);
    assert!(gateway.gauge("postern_graph_slow_ratio") > 0.99);
    gateway.assert_settled().await;
}

#[tokio::test]
async fn a_held_publisher_is_503_at_the_deadline_and_a_slow_one_is_waited_for() {
    let gateway = Gateway::start().await;
    let mut wire = gateway.connect().await;
    gateway.kafka.plan(Plan::Delay(Duration::from_millis(500)));
    let asked = Instant::now();
    wire.ask(post(GRAPH, good("n-1"))).await.assert_bare(202);
    assert!(asked.elapsed() >= Duration::from_millis(500), "not before it is durable");
    assert_eq!(gateway.kafka.ids(), ["n-1"]);

    gateway.kafka.plan(Plan::Hold);
    let asked = Instant::now();
    wire.ask(post(GRAPH, good("n-2"))).await.assert_bare(503);
    assert!(asked.elapsed() < quick().deadline + SLACK, "{:?}", asked.elapsed());
    assert_eq!(gateway.kafka.ids(), ["n-1"]);

    gateway.kafka.plan(Plan::Delay(Duration::from_millis(850)));
    wire.ask(post(GRAPH, good("n-3"))).await.assert_bare(503);
    assert_eq!(gateway.kafka.ids(), ["n-1"], "too late is not durable");
    gateway.assert_counted(&[
        ("http_requests 202 graph", 1),
        ("http_requests 503 graph", 2),
        ("refused undecided", 2),
        ("notifications published graph", 1),
        ("notifications failed graph", 2),
    ]);
}

#[tokio::test]
async fn no_answer_comes_before_the_records_are_durable() {
    let gateway = Gateway::start().await;
    for (plan, quarantine, body) in
        [(Plan::Hold, Plan::Take, good("n-1")), (Plan::Take, Plan::Hold, body(&[junk("n-2")]))]
    {
        gateway.kafka.plan(plan);
        gateway.kafka.plan_quarantine(quarantine);
        let mut wire = gateway.connect().await;
        wire.send(post(GRAPH, body)).await;
        wire.assert_silent(Duration::from_millis(250)).await;
        gateway.kafka.plan(Plan::Take);
        gateway.kafka.plan_quarantine(Plan::Take);
        wire.answer().await.assert_bare(202);
    }
    assert_eq!(gateway.kafka.ids(), ["n-1"]);
    assert_eq!(gateway.kafka.quarantined().len(), 1);
}

#[tokio::test]
async fn a_trickled_body_is_408_at_the_body_deadline() {
    let gateway = Gateway::start().await;
    let chunked = format!("POST {GRAPH} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    let declared = format!("POST {GRAPH} HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n");
    for (head, drop) in [(declared, "x"), (chunked, "1\r\nx\r\n")] {
        let mut wire = gateway.connect().await;
        let asked = Instant::now();
        wire.send(head).await;
        for _ in 0..3 {
            wire.send(drop).await;
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
        let answer = wire.answer().await;
        let took = asked.elapsed();
        answer.assert_bare(408);
        assert!(answer.closes());
        let body_deadline = quick().body_deadline;
        assert!(took >= body_deadline - Duration::from_millis(5), "{took:?}");
        assert!(took < body_deadline + SLACK, "{took:?}");
        wire.assert_closed().await;
    }
    gateway.assert_counted(&[("http_requests 408 graph", 2), ("refused timeout", 2)]);
    assert_eq!(gateway.kafka.handed(), (0, 0));
    gateway.assert_settled().await;
}

#[tokio::test]
async fn a_slow_body_takes_its_time_from_kafka_and_not_from_the_deadline() {
    let gateway = Gateway::start().await;
    gateway.kafka.plan(Plan::Stuck);
    let request = post(GRAPH, good("n-1"));
    let mut wire = gateway.connect().await;
    let asked = Instant::now();
    let (head, tail) = request.split_at(request.len() - 5);
    wire.send(head).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    wire.ask(tail).await.assert_bare(503);
    let took = asked.elapsed();
    assert!(took < quick().deadline + SLACK, "{took:?}");
    assert_eq!(gateway.kafka.handed(), (1, 0));
    assert_eq!(gateway.kafka.published(), []);
}

#[tokio::test]
async fn the_clock_of_each_request_on_a_connection_starts_with_its_own_head() {
    let gateway = Gateway::start().await;
    let mut wire = gateway.connect().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    for id in ["n-1", "n-2", "n-3"] {
        gateway.kafka.plan(Plan::Delay(Duration::from_millis(450)));
        wire.ask(post(GRAPH, good(id))).await.assert_bare(202);
    }
    assert_eq!(gateway.kafka.ids(), ["n-1", "n-2", "n-3"]);
}

#[tokio::test]
async fn a_slow_head_and_an_idle_connection_end() {
    let head_timeout = Duration::from_millis(300);
    let gateway = Gateway::with(Config { head_timeout, ..quick() }, trust()).await;
    for sent in ["", "POST /v1/micro", "POST / HTTP/1.1\r\nHost: h\r\nX: "] {
        let mut wire = gateway.connect().await;
        let asked = Instant::now();
        wire.send(sent).await;
        let answers = wire.drain().await;
        assert!(answers.is_empty(), "{answers:?}");
        let took = asked.elapsed();
        assert!(
            took >= head_timeout - Duration::from_millis(5) && took < head_timeout + SLACK,
            "{took:?}"
        );
    }
    let mut wire = gateway.connect().await;
    wire.ask(post(GRAPH, good("n-1"))).await.assert_bare(202);
    assert_eq!(gateway.kafka.ids(), ["n-1"]);
    wire.assert_closed().await;
    gateway.until("closed", |gateway| gateway.gauge("postern_connections") == 0.0).await;
    gateway.assert_counted(&[("http_requests 202 graph", 1), ("notifications published graph", 1)]);
}
