//! How does `serve` start: what does it say, how soon does it take traffic, and with what does it refuse to start?

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::client::{self, Response};
use crate::support::config::{Config, quoted};
use crate::support::consumer::{Record, read_all};
use crate::support::kafka::Kafka;
use crate::support::ports::free_port;
use crate::support::process::{Finished, Postern, Process, command, postern};
use crate::support::{eventually, graph, hook};

/// An answer comes within 2.5 s of postern's clock; the way there and back takes the rest on a busy machine.
const DEADLINE: Duration = Duration::from_millis(2_900);

fn one(id: &str) -> Vec<u8> {
    graph::notifications(&[id.to_owned()], &hook::graph("org_acme", "user_123", "inbox")).into()
}

fn ids(records: &[Record]) -> Vec<String> {
    records.iter().map(Record::id).collect()
}

#[test]
fn the_ready_line_says_where_everything_is() {
    let kafka = Kafka::shared();
    let config = Config::new(kafka, &kafka.new_topics());
    let file = config.write();
    // As JSON: for programs, member by member.
    let mut edge = Postern::start(&config);
    let ready = edge.ready.as_object().unwrap();
    let names: Vec<&str> = ready.keys().map(String::as_str).collect();
    assert_eq!(names, ["admin", "event", "kafka", "public", "routes"]);
    assert_eq!(ready["kafka"], kafka.bootstrap());
    let routes = ready["routes"].as_array().unwrap();
    for route in ["/v1/microsoft/graph", "/v1/microsoft/graph/{tenant}"] {
        assert!(routes.contains(&json!(route)), "{route} in {routes:?}");
    }
    assert_eq!(client::get(edge.admin(), "/livez").status, 200);
    assert_eq!(client::get(edge.admin(), "/readyz").status, 200);
    assert_eq!(client::get(edge.public(), "/readyz").status, 404, "admin paths are not public");
    edge.sigterm();
    assert_eq!(edge.wait(Duration::from_secs(15)), Some(0));
    assert_eq!(edge.stdout().lines().count(), 1, "only the ready line is a result");
    for line in edge.stderr().lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "no JSON in the log: {line}");
    }
    // As text: for people, on one line.
    let mut edge =
        Process::spawn(command(&["serve", "--log", "text", "--config", file.to_str().unwrap()]));
    let line = edge.wait_line(Duration::from_secs(15), |_| true).expect("a ready line");
    for part in ["ready", "127.0.0.1:", &kafka.bootstrap(), "/v1/microsoft/graph/{tenant}"] {
        assert!(line.contains(part), "{part} in {line}");
    }
    edge.sigterm();
    assert_eq!(edge.wait(Duration::from_secs(15)), Some(0));
    assert_eq!(edge.stdout().lines().count(), 1);
}

#[test]
fn it_listens_and_acknowledges_soon_after_its_start() {
    let kafka = Kafka::shared();
    let topics = kafka.new_topics();
    let (public, admin) = (free_port(), free_port());
    let config = Config::new(kafka, &topics).ports(public, admin);
    let address: SocketAddr = (Ipv4Addr::LOCALHOST, public).into();
    let (mut listening, mut acknowledged) = (Duration::MAX, Duration::MAX);
    // The cluster hands out its first producer id in the first round. Other tests share the processors: the best
    // round shows what a start costs, and each has to come to its end.
    for round in 0..6 {
        let mut edge = Postern::spawn(&config);
        let up = || TcpStream::connect(address).is_ok();
        assert!(eventually(Duration::from_secs(10), up), "nobody listens: {}", edge.stderr());
        let first = edge.started.elapsed();
        let id = format!("soon-{round}");
        let taken = || client::post(address, graph::PATH, &[], &one(&id)).status == 202;
        assert!(eventually(Duration::from_secs(10), taken), "no 2xx: {}", edge.stderr());
        let second = edge.started.elapsed();
        println!("round {round}: listening after {first:?}, first durable 2xx after {second:?}");
        if round > 0 {
            (listening, acknowledged) = (listening.min(first), acknowledged.min(second));
        }
        assert!(ids(&read_all(kafka, &topics.events)).contains(&id), "a 2xx is durable");
        edge.kill9();
    }
    assert!(listening <= Duration::from_millis(100), "listening took {listening:?}");
    assert!(acknowledged <= Duration::from_secs(1), "the first 2xx took {acknowledged:?}");
}

/// Lets connections to a port through to the broker, which so comes into reach.
fn forward(port: u16, kafka: &Kafka) {
    let broker = kafka.bootstrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    thread::spawn(move || {
        for near in listener.incoming().map_while(Result::ok) {
            let far = TcpStream::connect(&broker).unwrap();
            for (mut from, mut to) in
                [(near.try_clone().unwrap(), far.try_clone().unwrap()), (far, near)]
            {
                // Either side may hang up at any time.
                thread::spawn(move || drop(io::copy(&mut from, &mut to)));
            }
        }
    });
}

fn check_503(answer: &Response) {
    assert_eq!(answer.status, 503);
    let wait = answer.header("retry-after").expect("a 503 says when to come back");
    assert!(wait.parse::<u32>().is_ok(), "no whole seconds: {wait}");
    assert!(answer.body.is_empty(), "an answer with a body");
}

/// What needs no Kafka is answered without it.
fn check_without_kafka(edge: &Postern) {
    let post = |path: &str, body: &[u8]| edge.post(path, &[], body).status;
    let echo = edge.post(&format!("{}?validationToken=a%20b+c", graph::PATH), &[], b"");
    assert_eq!((echo.status, echo.text().as_str()), (200, "a b c"));
    assert_eq!(post(&format!("{}?validationToken=", graph::PATH), b""), 400);
    assert_eq!(post(graph::PATH, b"{"), 400);
    assert_eq!(post("/nowhere", b""), 404);
    // The declared length is enough; a sender that goes on may find the connection closed.
    let large = b"POST /v1/microsoft/graph HTTP/1.1\r\nHost: a\r\nContent-Length: 4194305\r\n\r\n";
    let (answers, _) = client::exchange(edge.public(), large, Duration::from_secs(1));
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [413]);
    assert_eq!(client::get(edge.public(), graph::PATH).status, 405);
    assert_eq!(edge.post(graph::PATH, &[("Content-Encoding", "gzip")], b"{}").status, 415);
    assert_eq!(post(graph::PATH, br#"{"value":[]}"#), 202, "nothing to say needs no record");
}

#[test]
fn it_serves_without_kafka_and_recovers_when_kafka_comes() {
    let kafka = Kafka::shared();
    let topics = kafka.new_topics();
    let (public, admin, broker) = (free_port(), free_port(), free_port());
    let servers = format!("127.0.0.1:{broker}");
    let config = Config::new(kafka, &topics).ports(public, admin).kafka(&servers, &topics);
    let process = Postern::spawn(&config);
    let started = process.started;
    let admin = (Ipv4Addr::LOCALHOST, admin).into();
    let ready = || client::try_get(admin, "/readyz").map_or(0, |answer| answer.status);
    assert!(eventually(Duration::from_secs(10), || ready() != 0));
    if started.elapsed() < Duration::from_millis(1_500) {
        assert_eq!(ready(), 503, "it waits for Kafka before it is ready");
    }
    let edge = Postern::await_ready(process);
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(1_900), "ready after {took:?}, without Kafka");
    assert!(took <= Duration::from_secs(4), "ready only after {took:?}");
    assert_eq!(ready(), 200, "Kafka never makes it unready");

    let asked = Instant::now();
    check_503(&edge.post(graph::PATH, &[], &one("away-1")));
    assert!(asked.elapsed() <= DEADLINE, "an answer after {:?}", asked.elapsed());
    check_without_kafka(&edge);
    let open = || edge.metrics().value("postern_breaker_state", &[]) > 1.0;
    assert!(eventually(Duration::from_secs(5), open), "the breaker stays closed");
    assert_eq!(edge.status()["breaker"], "open");
    assert_eq!(edge.status()["kafka"]["connected"], false);
    // With nothing genuine the quarantine decides, and it is away too.
    let junk = graph::notifications(&["away-2".to_owned()], "no token");
    check_503(&edge.post(graph::PATH, &[], junk.as_bytes()));
    assert!(edge.stderr().contains(&servers), "the log does not say who is away");
    assert!(read_all(kafka, &topics.events).is_empty());

    forward(broker, kafka);
    let back = Instant::now();
    let mut tries = 0;
    let taken = || {
        tries += 1;
        edge.post(graph::PATH, &[], &one(&format!("back-{tries}"))).status == 202
    };
    // 2 s by the contract; twice that, as the tests share two processors.
    assert!(eventually(Duration::from_secs(4), taken), "no 2xx: {}", edge.stderr());
    println!("first 2xx {:?} after Kafka was in reach", back.elapsed());
    let last = format!("back-{tries}");
    assert!(ids(&read_all(kafka, &topics.events)).contains(&last), "a 2xx is durable");
    let closed = || edge.metrics().value("postern_breaker_state", &[]) == 0.0;
    assert!(eventually(Duration::from_secs(5), closed), "the breaker stays open");
    let sealed = || edge.post(graph::PATH, &[], junk.as_bytes()).status == 202;
    assert!(eventually(Duration::from_secs(4), sealed), "the quarantine does not recover");
}

/// A `serve` that must end by itself.
fn refused(config: &Config) -> Finished {
    postern(&["serve", "--config", config.write().to_str().unwrap()])
}

#[test]
fn it_does_not_start_where_nothing_could_be_verified() {
    let kafka = Kafka::shared();
    let config = Config::bare().kafka(&kafka.bootstrap(), &kafka.new_topics());
    let ended = refused(&config);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    assert!(ended.stderr.contains("hook_tokens"), "what to do: {}", ended.stderr);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let kafka = Kafka::shared();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for key in ["public", "admin"] {
        let config = Config::new(kafka, &kafka.new_topics()).set("server", key, &quoted(&address));
        let ended = refused(&config);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{}", ended.stderr);
        for part in [&format!("server.{key}"), &address] {
            assert!(ended.stderr.contains(part), "{part} in {}", ended.stderr);
        }
    }
    // The same on the embedded Kafka, where the command line names the port.
    let ended = postern(&["serve", "--public", &address, "--admin", "127.0.0.1:0"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{}", ended.stderr);
    assert!(ended.stderr.contains("server.public"), "{}", ended.stderr);
}
