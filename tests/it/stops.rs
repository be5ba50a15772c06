//! How does `serve` end: step by step, under load, at once, before it is ready, and on the embedded Kafka?

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::client::{Connection, get};
use crate::support::config::Config;
use crate::support::consumer::{Record, read_all};
use crate::support::kafka::{Kafka, Topics};
use crate::support::ports::free_port;
use crate::support::process::{Postern, Process, command};
use crate::support::{eventually, graph, hook};

fn notification(id: &str) -> String {
    graph::notifications(&[id.to_owned()], &hook::graph("org_acme", "user_123", "inbox"))
}

/// What a sender on a kept connection was answered.
struct Heard {
    sent: Instant,
    at: Instant,
    status: u16,
    closes: bool,
    id: String,
}

/// Posts on one connection until it is told 503 or nobody is there any more, opening a new one where it was told that
/// the old one closes. Gives what it heard, and when a request was left without an answer.
fn keep_posting(address: SocketAddr, name: usize) -> (Vec<Heard>, Option<Instant>) {
    let token = hook::graph("org_acme", &format!("user_{name}"), "inbox");
    let mut connection = Connection::open(address).unwrap();
    let mut heard: Vec<Heard> = Vec::new();
    while heard.last().is_none_or(|last| last.status != 503) {
        let id = format!("stop-{name}-{}", heard.len());
        let body = graph::notifications(std::slice::from_ref(&id), &token);
        let sent = Instant::now();
        let Ok(answer) = connection.post(graph::PATH, &[], body.as_bytes()) else {
            return (heard, Some(sent));
        };
        let closes = answer.closes();
        heard.push(Heard { sent, at: Instant::now(), status: answer.status, closes, id });
        if closes && answer.status != 503 {
            let Ok(fresh) = Connection::open(address) else { return (heard, Some(sent)) };
            connection = fresh;
        }
        thread::sleep(Duration::from_millis(5));
    }
    (heard, None)
}

#[test]
fn a_drain_is_heard_before_it_is_felt() {
    let kafka = Kafka::shared();
    let topics = kafka.new_topics();
    let config = Config::new(kafka, &topics)
        .set("shutdown", "linger", "\"1s\"")
        .set("shutdown", "grace", "\"2s\"");
    let mut postern = Postern::start(&config);
    assert_eq!(get(postern.admin(), "/readyz").status, 200);
    let mut idle = Connection::open(postern.public()).unwrap();
    let mut busy = Connection::open(postern.public()).unwrap();
    let taken = busy.post(graph::PATH, &[], notification("before").as_bytes()).unwrap();
    assert_eq!((taken.status, taken.closes()), (202, false));

    postern.sigterm();
    let unready = || get(postern.admin(), "/readyz").status == 503;
    assert!(eventually(Duration::from_millis(800), unready), "still ready");
    let taken = busy.post(graph::PATH, &[], notification("lingering").as_bytes()).unwrap();
    assert_eq!((taken.status, taken.closes()), (202, false), "serving as before");
    let draining = || postern.status()["phase"] == "draining";
    assert!(eventually(Duration::from_secs(3), draining), "{}", postern.status());
    let taken = busy.post(graph::PATH, &[], notification("draining").as_bytes()).unwrap();
    assert_eq!((taken.status, taken.closes()), (202, true), "taken, and told to go");
    assert!(!idle.is_closed(Duration::from_millis(200)), "an idle connection was cut");
    let late = postern.post(graph::PATH, &[], notification("late").as_bytes());
    assert_eq!((late.status, late.closes()), (202, true), "the listener is still open");
    assert_eq!(postern.wait(Duration::from_secs(15)), Some(0));
    let mut ids: Vec<String> =
        read_all(kafka, &topics.events).iter().map(|record| record.id().to_owned()).collect();
    ids.sort();
    assert_eq!(ids, ["before", "draining", "late", "lingering"]);
}

#[test]
fn a_second_signal_ends_at_once() {
    let kafka = Kafka::shared();
    let config = Config::new(kafka, &kafka.new_topics()).set("shutdown", "grace", "\"30s\"");
    let mut postern = Postern::start(&config);
    postern.sigterm();
    let draining = || postern.status()["phase"] == "draining";
    assert!(eventually(Duration::from_secs(5), draining));
    postern.sigterm();
    assert_eq!(postern.wait(Duration::from_secs(5)), Some(1));
}

#[test]
fn kept_connections_are_told_to_go_and_none_is_cut() {
    let kafka = Kafka::shared();
    let topics = kafka.new_topics();
    let config = Config::new(kafka, &topics)
        .set("shutdown", "linger", "\"500ms\"")
        .set("shutdown", "grace", "\"1s\"");
    let mut edge = Postern::start(&config);
    let address = edge.public();
    let senders: Vec<_> =
        (0..4).map(|name| thread::spawn(move || keep_posting(address, name))).collect();
    let taken =
        || edge.metrics().value("postern_notifications_total", &[("outcome", "published")]) >= 40.0;
    assert!(eventually(Duration::from_secs(10), taken));
    let asked = Instant::now();
    edge.sigterm();
    let mut heard = Vec::new();
    for sender in senders {
        let (answers, unanswered) = sender.join().unwrap();
        heard.extend(answers);
        // Once all is over, a sender that was slow finds nobody.
        let over = asked + Duration::from_millis(1_500);
        assert!(unanswered.is_none_or(|sent| sent > over), "a request was cut");
    }
    assert_eq!(edge.wait(Duration::from_secs(10)), Some(0), "{}", edge.stderr());
    assert!(asked.elapsed() >= Duration::from_millis(1_500), "linger and grace take their time");

    let refused = heard.iter().filter(|heard| heard.status == 503);
    for last in refused {
        assert!(last.closes, "a 503 of the end closes its connection");
        assert!(last.at - asked >= Duration::from_millis(1_500), "503 before grace is over");
    }
    let first_close =
        heard.iter().filter(|heard| heard.closes).map(|heard| heard.at).min().unwrap();
    let lingered = first_close - asked;
    assert!(lingered >= Duration::from_millis(500), "told to go {lingered:?} after the signal");
    let silent = heard.iter().find(|heard| heard.sent > first_close && !heard.closes);
    assert!(silent.is_none(), "an answer of the drain that does not say so");
    // What was answered 2xx is there, and nobody was answered anything but 202 and 503.
    let mut kept: Vec<String> = read_all(kafka, &topics.events).iter().map(Record::id).collect();
    kept.sort();
    for answer in &heard {
        assert!([202, 503].contains(&answer.status), "{}: {}", answer.id, answer.status);
        let found = kept.binary_search(&answer.id).is_ok();
        assert!(answer.status != 202 || found, "{} was acknowledged and is lost", answer.id);
    }
}

#[test]
fn it_ends_well_before_it_is_ready() {
    let topics = Topics::named();
    let (public, admin) = (free_port(), free_port());
    // Nobody listens there: for 2 s it is not ready.
    let servers = format!("127.0.0.1:{}", free_port());
    let config = Config::bare().ring().kafka(&servers, &topics).ports(public, admin);
    let config = config.set("shutdown", "linger", "\"0s\"").set("shutdown", "grace", "\"0s\"");
    let mut edge = Postern::spawn(&config);
    let up = || Connection::open(SocketAddr::from(([127, 0, 0, 1], admin))).is_ok();
    assert!(eventually(Duration::from_secs(10), up));
    // A look at the files is all that this one asks for.
    edge.signal("HUP");
    edge.sigterm();
    assert_eq!(edge.wait(Duration::from_secs(10)), Some(0), "{}", edge.stderr());
    assert_eq!(edge.stdout(), "", "it never was ready");
}

#[test]
fn the_embedded_edge_does_not_linger() {
    let serve = ["serve", "--public", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    for signal in ["TERM", "INT"] {
        let mut edge = Process::spawn(command(&serve));
        assert!(edge.wait_line(Duration::from_secs(15), |_| true).is_some(), "{}", edge.stderr());
        let asked = Instant::now();
        edge.signal(signal);
        assert_eq!(edge.wait(Duration::from_secs(10)), Some(0), "{}", edge.stderr());
        // With the defaults of a configured edge it would be 10 s.
        assert!(asked.elapsed() < Duration::from_secs(4), "it took {:?}", asked.elapsed());
    }
}
