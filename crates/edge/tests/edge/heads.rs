//! What happens to bytes that never become a request?

use std::time::Duration;

use tokio::time::Instant;

use crate::support::notice::good;
use crate::support::{GRAPH, Gateway, post};

#[tokio::test]
async fn a_target_of_70_kb_and_a_head_that_never_ends_are_bounded() {
    let gateway = Gateway::start().await;
    for request in [
        format!("POST {GRAPH}?{} HTTP/1.1\r\nHost: h\r\n\r\n", "x".repeat(70_000)).into_bytes(),
        vec![b'x'; 1 << 20],
        [b"POST / HTTP/1.1\r\n".to_vec(), b"X: y\r\n".repeat(200_000)].concat(),
        vec![b'\n'; 1 << 20],
    ] {
        let mut wire = gateway.connect().await;
        wire.send_some(&request).await;
        wire.finish().await;
        let answers = wire.drain().await;
        assert!(answers.len() <= 1, "{answers:?}");
        assert!(
            answers.iter().all(|answer| [400, 414, 431].contains(&answer.status)),
            "{answers:?}"
        );
    }
    assert!(gateway.counted().is_empty());
    gateway.assert_serves("n-1").await;
}

#[tokio::test]
async fn an_http2_preface_is_refused_at_once() {
    let gateway = Gateway::start().await;
    let mut wire = gateway.connect().await;
    let asked = Instant::now();
    wire.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    // hyper knows the preface and hangs up on it without a word.
    assert_eq!(wire.drain().await, []);
    assert!(asked.elapsed() < Duration::from_millis(500), "{:?}", asked.elapsed());
    assert!(gateway.counted().is_empty());
}

#[tokio::test]
async fn bytes_beyond_the_length_are_the_next_request() {
    let gateway = Gateway::start().await;
    let mut wire = gateway.connect().await;
    wire.send([post(GRAPH, good("n-1")).as_slice(), b"garbage\r\n\r\n"].concat()).await;
    let answers = wire.drain().await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [202, 400]);
    assert_eq!(gateway.kafka.ids(), ["n-1"]);
}
