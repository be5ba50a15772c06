//! Is every kind of failure told apart, survived and, where asked for, tried again?

use std::{sync::Arc, time::Duration};

use postern_sim::{Load, Mix, Retry};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::play;
use crate::support::{
    load,
    server::{Act, Server, status},
};

#[tokio::test]
async fn a_reset_is_counted_and_the_next_request_gets_a_new_connection() {
    let server = Server::start(|number, _| match number {
        2 | 5 => Act::Reset,
        _ => Act::Answer(status(202)),
    })
    .await;
    let report = play(load(server.port, 10), Mix::default()).await;
    assert_eq!((report.counts.successes, report.counts.resets), (8, 2));
    assert_eq!((report.counts.connections_opened, report.counts.idle_closed), (3, 0));
    assert_eq!(report.latency.count, 8);
}

#[tokio::test]
async fn a_connection_closed_while_idle_is_replaced_without_a_word() {
    let server = Server::start(|_, _| Act::AnswerAndClose(status(202))).await;
    // Slow enough for the end of the connection to arrive before the next request is written.
    let pace = postern_sim::Pace::Open { per_second: 20.0 };
    let report = play(Load { pace, ..load(server.port, 6) }, Mix::default()).await;
    assert_eq!((report.counts.attempts, report.counts.successes), (6, 6));
    assert_eq!((report.counts.resets, report.counts.idle_closed), (0, 5));
    assert_eq!(server.seen().len(), 6);
}

#[tokio::test]
async fn an_answer_that_closes_the_connection_is_obeyed() {
    let closing = "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\nConnection: Close\r\n\r\n";
    let server = Server::start(move |_, _| Act::AnswerAndClose(closing.into())).await;
    let report = play(load(server.port, 50), Mix::default()).await;
    assert_eq!((report.counts.successes, report.counts.resets), (50, 0));
    assert_eq!((report.counts.connections_opened, report.counts.idle_closed), (50, 0));
}

#[tokio::test]
async fn silence_is_a_timeout_and_costs_one_connection() {
    let server = Server::start(|number, _| match number {
        1 => Act::Silence,
        _ => Act::Answer(status(202)),
    })
    .await;
    let timeout = Duration::from_millis(200);
    let report = play(Load { timeout, ..load(server.port, 3) }, Mix::default()).await;
    assert_eq!((report.counts.successes, report.counts.timeouts), (2, 1));
    assert_eq!(report.counts.connections_opened, 2);
    // A timeout is among the latencies: leaving it out would flatter the receiver.
    assert_eq!(report.latency.count, 3);
    assert!(report.latency.max_us >= 200_000);
}

#[tokio::test]
async fn a_closed_port_is_refused_and_slows_the_sender_down() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    };
    let report = play(load(port, 5), Mix::default()).await;
    assert_eq!((report.counts.attempts, report.counts.refused), (5, 5));
    assert_eq!(report.counts.connections_opened, 0);
    // 5, 10, 20 and 40 ms of waiting.
    assert!(report.elapsed_seconds >= 0.07, "{}", report.elapsed_seconds);
    assert!(report.to_string().contains("none measured"));
}

#[tokio::test]
async fn failures_are_sent_again_as_often_as_allowed() {
    // Each delivery fails twice, then it is taken.
    let tries = Arc::new(std::sync::Mutex::new(std::collections::HashMap::new()));
    let server = Server::start(move |_, seen| {
        let mut tries = tries.lock().unwrap();
        let count = tries.entry(seen.body.clone()).or_insert(0);
        *count += 1;
        match *count {
            1 => Act::Answer(status(503)),
            2 => Act::Reset,
            _ => Act::Answer(status(202)),
        }
    })
    .await;
    let retry = |attempts| {
        let (delay, longest) = (Duration::from_millis(20), Duration::from_millis(30));
        Some(Retry { attempts, delay, longest })
    };
    let report = play(Load { retry: retry(2), ..load(server.port, 4) }, Mix::default()).await;
    assert_eq!((report.counts.attempts, report.counts.retries), (12, 8));
    assert_eq!((report.counts.successes, report.counts.given_up), (4, 0));
    let report = play(Load { retry: retry(2), ..load(1, 3) }, Mix::default()).await;
    assert_eq!((report.counts.attempts, report.counts.refused), (9, 9));
    assert_eq!((report.counts.retries, report.counts.given_up), (6, 3));
}

#[tokio::test]
async fn a_refusal_that_is_deserved_is_not_sent_again() {
    let server = Server::start(|_, _| Act::Answer(status(400))).await;
    let retry =
        Some(Retry { attempts: 3, delay: Duration::ZERO, longest: Duration::from_millis(1) });
    let mix = Mix { malformed: 1.0, ..Mix::default() };
    let report = play(Load { retry, ..load(server.port, 5) }, mix).await;
    assert_eq!((report.counts.attempts, report.counts.other_statuses), (5, 5));
    assert_eq!((report.counts.unexpected, report.counts.given_up), (0, 0));
}

#[tokio::test]
async fn an_early_refusal_of_a_trickled_body_is_an_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let mut connections = Vec::new();
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut some = [0; 256];
            assert!(stream.read(&mut some).await.unwrap() > 0);
            stream.write_all(status(408).as_bytes()).await.unwrap();
            connections.push(stream);
        }
        connections
    });
    let mix = Mix { slow: 1.0, slow_for: Duration::from_secs(2), ..Mix::default() };
    let report = play(load(port, 2), mix).await;
    assert_eq!((report.counts.other_statuses, report.counts.unexpected), (2, 0));
    assert_eq!(report.statuses, [(408, 2)].into());
    assert!(report.latency.max_us < 1_500_000, "{}", report.latency);
    assert_eq!(serving.await.unwrap().len(), 2);
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let huge = format!("HTTP/1.1 202 OK\r\ncontent-length: 1000000\r\n\r\n{}", "x".repeat(999_000));
    let server = Server::start(move |_, _| Act::Answer(huge.clone())).await;
    let report = play(load(server.port, 3), Mix::default()).await;
    assert_eq!((report.counts.successes, report.counts.connections_opened), (3, 3));
}
