//! Does the client send, time, retry, count and report as it says?

mod faults;
mod pace;

use std::{
    collections::HashSet,
    future,
    sync::{Arc, Mutex},
    time::Duration,
};

use postern_sim::{
    Delivery, Finished, Live, Load, LoadError, Mix, Observer, Outcome, Report, Target, run,
};

use crate::support::{
    load, scenario,
    server::{Act, Server, status},
};

/// Plays a mix to its end.
async fn play(load: Load, mix: Mix) -> Report {
    let scenario = scenario(1, mix);
    run(load, scenario, Arc::new(()), Arc::default(), future::pending()).await.unwrap()
}

#[tokio::test]
async fn requests_arrive_whole_over_one_connection_and_are_counted() {
    let server =
        Server::start(|number, _| Act::Answer(status(if number % 10 == 9 { 503 } else { 202 })))
            .await;
    let report = play(load(server.port, 100), Mix::default()).await;

    let seen = server.seen();
    assert_eq!(seen.len(), 100);
    let scenario = scenario(1, Mix::default());
    for (sequence, seen) in seen.iter().enumerate() {
        let delivery = scenario.delivery(sequence as u64);
        assert_eq!(seen.connection, 0);
        assert!(seen.head.starts_with("POST /v1/microsoft/graph HTTP/1.1\r\n"), "{}", seen.head);
        assert_eq!(seen.header("host"), Some(&*format!("127.0.0.1:{}", server.port)));
        assert_eq!(seen.header("content-type"), Some("application/json; charset=utf-8"));
        assert_eq!(seen.header("content-length"), Some(&*delivery.body.len().to_string()));
        assert_eq!(seen.header("transfer-encoding"), None);
        assert_eq!(seen.body, delivery.body);
    }
    let counts = &report.counts;
    assert_eq!((counts.attempts, counts.successes, counts.other_statuses), (100, 90, 10));
    assert_eq!((counts.unexpected, counts.connections_opened), (10, 1));
    assert_eq!((counts.genuine_sent, counts.genuine_acknowledged), (100, 90));
    assert_eq!(counts.bytes_sent, seen.iter().map(|seen| seen.body.len() as u64).sum::<u64>());
    assert_eq!(report.statuses, [(202, 90), (503, 10)].into());
    assert_eq!((report.latency.count, report.service.count), (100, 100));
    let order = [report.latency.p50_us, report.latency.p99_us, report.latency.max_us];
    assert!(order.is_sorted() && order[0] > 0, "{order:?}");

    let text = report.to_string();
    assert!(text.contains("sent       100 requests") && text.contains("202: 90"), "{text}");
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!((&json["statuses"]["503"], &json["attempts"]), (&10.into(), &100.into()));
    assert!(json["latency"]["p999_us"].is_u64(), "{json}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_connections_send_every_delivery_once() {
    let server = Server::start(|_, _| Act::Answer(status(202))).await;
    let load = Load { connections: 16, ..load(server.port, 2_000) };
    let mix = Mix { handshakes: 0.0, slow: 0.0, duplicates: 0.05, ..Mix::varied() };
    let report = play(load, mix.clone()).await;
    assert_eq!(report.counts.attempts, 2_000);
    let seen = server.seen();
    let connections: HashSet<_> = seen.iter().map(|seen| seen.connection).collect();
    assert_eq!((seen.len(), connections.len()), (2_000, 16));
    let scenario = scenario(1, mix);
    let mut sent: Vec<_> = seen.into_iter().map(|seen| seen.body).collect();
    let mut made: Vec<_> = (0..2_000).map(|n| scenario.delivery(n).body.to_vec()).collect();
    sent.sort();
    made.sort();
    assert_eq!(sent, made);
    assert!(report.counts.duplicates > 50 && report.counts.forged_sent > 500);
}

/// Notes every call, and that nothing is counted before it has returned.
struct Witness {
    live: Arc<Live>,
    log: Mutex<Vec<(char, u64)>>,
}

impl Observer for Witness {
    async fn sending(&self, delivery: &Delivery, attempt: u32) {
        assert_eq!(attempt, 0);
        self.log.lock().unwrap().push(('s', delivery.sequence));
    }

    async fn finished(&self, finished: &Finished<'_>) {
        let counted = self.live.counts().attempts;
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert!(finished.sent <= finished.finished && finished.intended <= finished.sent);
        assert_eq!(finished.outcome, Outcome::Answered { status: 202, as_expected: true });
        assert_eq!(self.live.counts().attempts, counted);
        self.log.lock().unwrap().push(('f', finished.delivery.sequence));
    }
}

#[tokio::test]
async fn the_observer_is_waited_for_before_anything_else_happens() {
    let server = Server::start(|_, _| Act::Answer(status(202))).await;
    let live = Arc::<Live>::default();
    let witness = Arc::new(Witness { live: Arc::clone(&live), log: Mutex::default() });
    let played = run(
        load(server.port, 10),
        scenario(1, Mix::default()),
        Arc::clone(&witness),
        live,
        future::pending(),
    );
    assert_eq!(played.await.unwrap().counts.successes, 10);
    let expected: Vec<_> = (0..10).flat_map(|n| [('s', n), ('f', n)]).collect();
    assert_eq!(*witness.log.lock().unwrap(), expected);
}

#[tokio::test]
async fn an_echo_is_compared_with_the_token() {
    let mix = Mix { handshakes: 1.0, ..Mix::default() };
    let tokens = scenario(1, mix.clone());
    let server = Server::start(move |number, _| {
        let echo = tokens.delivery(number as u64).expected.echo.unwrap();
        let mut echo = String::from_utf8(echo.to_vec()).unwrap();
        if number == 3 {
            echo.push(' ');
        }
        let length = echo.len();
        Act::Answer(format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{echo}"))
    })
    .await;
    let report = play(load(server.port, 8), mix).await;
    assert_eq!((report.counts.successes, report.counts.unexpected), (8, 1));
}

#[tokio::test]
async fn a_slow_body_takes_its_time_and_arrives_whole() {
    let server = Server::start(|_, _| Act::Answer(status(202))).await;
    let slow_for = Duration::from_millis(300);
    let mix = Mix { slow: 1.0, slow_for, ..Mix::default() };
    let report = play(load(server.port, 2), mix.clone()).await;
    assert_eq!((report.counts.successes, report.counts.unexpected), (2, 0));
    assert!(report.latency.p50_us >= 280_000, "{}", report.latency);
    let (seen, scenario) = (server.seen(), scenario(1, mix));
    assert_eq!(seen[0].body, scenario.delivery(0).body);
    assert_eq!(seen[1].body, scenario.delivery(1).body);
}

#[test]
fn loads_and_targets_that_make_no_sense_are_refused() {
    for url in [
        "127.0.0.1:80",
        "https://127.0.0.1",
        "http://u:p@127.0.0.1",
        "http://127.0.0.1/v1",
        "http://h/?a",
        "",
    ] {
        let error = Target::parse(url).unwrap_err();
        assert!(matches!(error, LoadError::Target { .. }), "{url}: {error}");
    }
    assert!(Target::parse("http://[::1]:8080/").is_ok());
}

#[tokio::test]
async fn a_load_out_of_range_is_no_run() {
    let base = || load(1, 1);
    let refused = |load| {
        run(load, scenario(1, Mix::default()), Arc::new(()), Arc::default(), future::pending())
    };
    let none = refused(Load { connections: 0, ..base() }).await.unwrap_err();
    assert_eq!(none, LoadError::Connections(0));
    let timeout = refused(Load { timeout: Duration::ZERO, ..base() }).await.unwrap_err();
    assert_eq!(timeout, LoadError::Timeout(Duration::ZERO));
    let pace = postern_sim::Pace::Open { per_second: f64::NAN };
    let rate = refused(Load { pace, ..base() }).await.unwrap_err();
    assert!(matches!(rate, LoadError::Rate(_)));
}
