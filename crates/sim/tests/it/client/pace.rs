//! Do runs keep their pace, and end when they should?

use std::{
    future,
    sync::Arc,
    time::{Duration, Instant},
};

use postern_sim::{Live, Load, Mix, Pace, run};

use super::play;
use crate::support::{
    load, scenario,
    server::{Act, Server, status},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_loop_keeps_its_rate() {
    let server = Server::start(|_, _| Act::Answer(status(202))).await;
    let pace = Pace::Open { per_second: 400.0 };
    let load = Load { pace, connections: 8, ..load(server.port, 200) };
    let report = play(load, Mix::default()).await;
    assert_eq!((report.counts.attempts, report.counts.unsent), (200, 0));
    // The last one is due after 0.4975 s; how much later it is answered is the machine's affair.
    assert!(report.elapsed_seconds >= 0.497, "{}", report.elapsed_seconds);
    assert!(report.per_second <= 403.0, "{}", report.per_second);
    assert_eq!(report.target_per_second, Some(400.0));
}

#[tokio::test]
async fn a_stall_counts_against_everything_that_it_held_up() {
    let server = Server::start(|number, _| match number {
        0 => Act::Late(Duration::from_millis(500), status(202)),
        _ => Act::Answer(status(202)),
    })
    .await;
    let pace = Pace::Open { per_second: 100.0 };
    let report = play(Load { pace, ..load(server.port, 40) }, Mix::default()).await;
    assert_eq!(report.counts.successes, 40);
    // Half of the 40 were due 300 ms or more before the stall ended, though each was quick itself.
    assert!(report.latency.p50_us >= 250_000, "{}", report.latency);
    assert!(report.service.p50_us < report.latency.p50_us, "{}", report.service);
}

#[tokio::test]
async fn a_backlog_that_is_never_worked_off_is_reported() {
    let server = Server::start(|_, _| Act::Late(Duration::from_millis(100), status(202))).await;
    let load = Load {
        pace: Pace::Open { per_second: 500.0 },
        duration: Some(Duration::from_millis(300)),
        timeout: Duration::from_millis(300),
        requests: None,
        ..load(server.port, 0)
    };
    let report = play(load, Mix::default()).await;
    assert!(report.elapsed_seconds < 2.0, "{}", report.elapsed_seconds);
    // 150 or 151 were due; one at a time at 100 ms each, only a few were sent. That one of them times out is the
    // machine's doing, not the backlog's: three times its answer's delay is little while other tests run.
    let due = report.counts.attempts + report.counts.unsent;
    assert!((145..=151).contains(&due), "{due}");
    assert!((1..=8).contains(&report.counts.attempts), "{report}");
}

#[tokio::test]
async fn a_closed_loop_ends_with_its_duration() {
    let server = Server::start(|_, _| Act::Answer(status(202))).await;
    let duration = Some(Duration::from_millis(200));
    let load = Load { duration, requests: None, ..load(server.port, 0) };
    let report = play(load, Mix::default()).await;
    assert!((0.2..2.0).contains(&report.elapsed_seconds), "{}", report.elapsed_seconds);
    assert!(report.counts.attempts > 10 && report.counts.attempts == report.counts.successes);
}

#[tokio::test]
async fn a_stopped_run_finishes_what_is_under_way() {
    for pace in [Pace::Closed, Pace::Open { per_second: 50.0 }] {
        let late = |_: usize, _: &_| Act::Late(Duration::from_millis(60), status(202));
        let server = Server::start(late).await;
        let load = Load { pace, connections: 4, requests: None, ..load(server.port, 0) };
        let live = Arc::<Live>::default();
        let stop = tokio::time::sleep(Duration::from_millis(250));
        let played = run(load, scenario(1, Mix::default()), Arc::new(()), Arc::clone(&live), stop);
        let report = played.await.unwrap();
        assert!((0.2..2.0).contains(&report.elapsed_seconds), "{}", report.elapsed_seconds);
        assert!(report.counts.successes >= 4 && report.counts.resets == 0);
        assert_eq!(report.counts.attempts, server.seen().len() as u64);
        assert_eq!(report.counts.attempts, live.counts().attempts);
    }
}

#[tokio::test]
async fn a_stop_ends_waiting_for_what_is_far_away() {
    let server = Server::start(|_, _| Act::Answer(status(202))).await;
    let pace = Pace::Open { per_second: 0.001 };
    let begun = Instant::now();
    let load = Load { pace, connections: 3, ..load(server.port, 100) };
    let stop = tokio::time::sleep(Duration::from_millis(200));
    let report =
        run(load, scenario(1, Mix::default()), Arc::new(()), Arc::default(), stop).await.unwrap();
    assert_eq!(report.counts.attempts, 1);
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_dropped_run_stops_sending() {
    let server = Server::start(|_, _| Act::Answer(status(202))).await;
    let load = Load { requests: None, ..load(server.port, 0) };
    let played =
        run(load, scenario(1, Mix::default()), Arc::new(()), Arc::default(), future::pending());
    assert!(tokio::time::timeout(Duration::from_millis(100), played).await.is_err());
    tokio::time::sleep(Duration::from_millis(50)).await;
    let seen = server.seen().len();
    assert!(seen > 0);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(server.seen().len(), seen);
}
