//! Does the spool keep the promise while a real Kafka is away, and does what it kept arrive when it is back?

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::config::quoted;
use crate::support::consumer::{Reader, read_all};
use crate::support::kafka::Kafka;
use crate::support::load::{Answer, Outcome};
use crate::support::process::{self, Postern};
use crate::support::world::World;
use crate::support::{eventually, graph, hook};

const RATE: u32 = 150;
/// With the breaker open a batch waits for one or two syncs of the disk.
const FAST: Duration = Duration::from_millis(300);
/// After so long without Kafka the breaker has to be open.
const BREAKER: Duration = Duration::from_secs(3);
/// How long the spool may take to become empty once Kafka is back.
const EMPTY: Duration = Duration::from_secs(60);

/// A world with a spool, and where that is.
fn world() -> (World, PathBuf) {
    let world = World::new();
    let dir = world.config.folder().join("spool");
    (world.set("spool", "dir", &quoted(&dir.display().to_string())), dir)
}

/// Posts one genuine notification; the status.
fn post(postern: &Postern, id: &str) -> u16 {
    let token = hook::graph("org_spool", "user_1", "inbox");
    let body = graph::notifications(&[id.to_owned()], &token);
    postern.post(graph::PATH, &[], body.as_bytes()).status
}

fn spooled(postern: &Postern) -> f64 {
    postern.metrics().value("postern_spool_records", &[])
}

/// All answers sent in this time are 2xx, 99 % of them within [`FAST`].
fn check_outage(answers: &[Answer], from: Instant, until: Instant) {
    let inside = |answer: &&Answer| answer.sent >= from && answer.sent < until;
    let mut times = Vec::new();
    for answer in answers.iter().filter(inside) {
        assert_eq!(answer.outcome, Outcome::Status(202), "the spool takes what Kafka does not");
        times.push(answer.took);
    }
    times.sort();
    assert!(times.len() >= 300, "only {} answers in the outage", times.len());
    let most = times[times.len() * 99 / 100];
    println!("{} answers from the spool: 99 % within {most:?}", times.len());
    assert!(most <= FAST, "99 % of the answers took up to {most:?}");
}

fn outage(begin: impl Fn(&Kafka), end: impl Fn(&Kafka)) {
    let (mut world, _) = world();
    let postern = Postern::start(&world.config);
    world.busy(RATE);
    thread::sleep(Duration::from_secs(3));
    let began = Instant::now();
    begin(&world.kafka);
    thread::sleep(BREAKER + Duration::from_secs(5));
    assert!(spooled(&postern) > 0.0, "something is in the spool");
    assert!(postern.metrics().value("postern_spool_oldest_record_age_seconds", &[]) > 1.0);
    let ended = Instant::now();
    end(&world.kafka);
    let back = Instant::now();
    check_outage(&world.load().answers(), began + BREAKER, ended);
    assert!(eventually(EMPTY, || spooled(&postern) == 0.0), "the spool is not empty");
    println!("empty {:?} after Kafka was back", back.elapsed());
    thread::sleep(Duration::from_secs(2));
    let metrics = postern.metrics();
    assert_eq!(metrics.value("postern_breaker_state", &[]), 0.0);
    assert!(metrics.value("postern_notifications_total", &[("outcome", "spooled")]) > 0.0);
    assert_eq!(metrics.value("postern_spool_errors_total", &[]), 0.0);
    assert!(metrics.value("postern_spool_fsync_duration_seconds_count", &[]) > 0.0);
    let bad = world.audit(1_000).iter().filter(|answer| !answer.outcome.is_2xx()).count();
    assert_eq!(bad, 0, "with a spool an outage of Kafka is nobody's business");
}

#[test]
fn a_killed_kafka_is_nobodys_business() {
    outage(Kafka::kill9, Kafka::restart);
}

#[test]
fn a_paused_kafka_is_nobodys_business() {
    outage(Kafka::pause, Kafka::resume);
}

#[test]
fn a_killed_posterns_spool_is_inspected_and_drained_by_command() {
    let (world, dir) = world();
    let mut postern = Postern::start(&world.config);
    world.kafka.kill9();
    let spools = || post(&postern, "first") == 202 && spooled(&postern) > 0.0;
    assert!(eventually(Duration::from_secs(15), spools), "nothing was spooled");
    for at in 0..20 {
        assert_eq!(post(&postern, &format!("spooled-{at}")), 202);
    }
    let held = spooled(&postern);
    assert_eq!(postern.status()["spool"]["records"], held);

    let dir = dir.display().to_string();
    let file = world.config.write().display().to_string();
    let anywhere = ["--public", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let refused = process::postern(&[&["serve", "--config", &file], &anywhere[..]].concat());
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("uses it"), "{}", refused.stderr);

    postern.process.kill9();
    let inspected = process::postern(&["spool", "inspect", "--dir", &dir, "--json"]);
    assert_eq!(inspected.code, Some(0), "{}", inspected.stderr);
    let found: Value = serde_json::from_str(&inspected.stdout).unwrap();
    assert_eq!((found["records"].as_f64(), &found["inUse"]), (Some(held), &Value::from(false)));

    let drain =
        |more: &[&str]| process::postern(&[&["spool", "drain", "--config", &file], more].concat());
    let early = drain(&["--timeout", "1s"]);
    assert_eq!(early.code, Some(1), "Kafka is away: {}", early.stderr);
    assert!(early.stdout.contains(&format!("drained 0 records, {held} left")), "{}", early.stdout);
    world.kafka.restart();
    let drained = drain(&["--timeout", "60s"]);
    assert_eq!(drained.code, Some(0), "{}", drained.stderr);
    assert!(drained.stdout.contains(&format!("drained {held} records, 0 left")));
    let ids: Vec<_> = read_all(&world.kafka, &world.topics.events)
        .iter()
        .map(|record| record.event()["data"]["resource"]["id"].as_str().unwrap().to_owned())
        .collect();
    for at in 0..20 {
        let wanted = graph::resource_of(&format!("spooled-{at}"));
        assert!(ids.contains(&wanted), "{wanted} is not among {ids:?}");
    }
    assert_eq!(drain(&[]).code, Some(0), "an empty spool is drained at once");
    assert_eq!(drain(&["--dir", "no-such-directory"]).code, Some(2));
}

#[test]
fn what_kafka_refuses_for_good_leaves_the_spool_for_quarantine() {
    let (world, _) = world();
    let postern = Postern::start(&world.config);
    world.kafka.kill9();
    let spools = || post(&postern, "large") == 202 && spooled(&postern) > 0.0;
    assert!(eventually(Duration::from_secs(15), spools), "nothing was spooled");
    drop(postern);
    world.kafka.restart();
    world.kafka.alter_topic(&world.topics.events, &[("max.message.bytes", "300")]);
    let postern = Postern::start(&world.config);
    let mut aside = Reader::open(&world.kafka, &world.topics.quarantine);
    aside.wait_for(1, Duration::from_secs(60));
    assert_eq!(aside.records()[0].header("postern_reason"), Some("too-large"));
    assert!(eventually(EMPTY, || spooled(&postern) == 0.0), "nothing goes round in circles");
    assert!(postern.metrics().value("postern_spool_refused_total", &[]) >= 1.0);
}
