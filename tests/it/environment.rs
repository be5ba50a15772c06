//! Is the environment a configuration, over a file and alone, and are its mistakes named?

use std::time::Duration;

use crate::support::config::Config;
use crate::support::consumer::{Record, read_all};
use crate::support::kafka::Kafka;
use crate::support::process::{Postern, Process, command};
use crate::support::{graph, hook};

fn one(id: &str) -> Vec<u8> {
    graph::notifications(&[id.to_owned()], &hook::graph("org_acme", "user_123", "inbox")).into()
}

fn ids(records: &[Record]) -> Vec<String> {
    records.iter().map(Record::id).collect()
}

#[test]
fn the_environment_wins_over_the_file() {
    let kafka = Kafka::shared();
    let (topics, others) = (kafka.new_topics(), kafka.new_topics());
    let edge = Postern::start_with(&Config::new(kafka, &others), |command| {
        command.env("POSTERN_KAFKA__TOPICS__EVENTS", &topics.events);
        command.env("POSTERN_LIMITS__ITEMS", "2");
    });
    assert_eq!(edge.post(graph::PATH, &[], &one("variable-1")).status, 202);
    assert_eq!(ids(&read_all(kafka, &topics.events)), ["variable-1"]);
    assert!(read_all(kafka, &others.events).is_empty());
    let many: Vec<String> = (0..3).map(|place| format!("many-{place}")).collect();
    let many = graph::notifications(&many, &hook::graph("org_acme", "user_123", "inbox"));
    assert_eq!(edge.post(graph::PATH, &[], many.as_bytes()).status, 413);
}

#[test]
fn the_environment_alone_is_a_configuration_and_its_mistakes_are_named() {
    let kafka = Kafka::shared();
    let topics = kafka.new_topics();
    let ring = Config::bare().file("hook-key", &hook::KEY);
    let start = |extra: Option<(&str, &str)>| {
        let mut serve = command(&["serve", "--log", "json"]);
        serve.env("POSTERN_SERVER__PUBLIC", "127.0.0.1:0");
        serve.env("POSTERN_SERVER__ADMIN", "127.0.0.1:0");
        serve.env("POSTERN_KAFKA__BOOTSTRAP_SERVERS", kafka.bootstrap());
        serve.env("POSTERN_KAFKA__TOPICS__EVENTS", &topics.events);
        serve.env("POSTERN_KAFKA__TOPICS__LIFECYCLE", &topics.lifecycle);
        serve.env("POSTERN_KAFKA__TOPICS__QUARANTINE", &topics.quarantine);
        serve.env("POSTERN_HOOK_TOKENS__KEYS__K1", &ring);
        serve.envs(extra);
        Process::spawn(serve)
    };
    let edge = Postern::await_ready(start(None));
    assert_eq!(edge.post(graph::PATH, &[], &one("variable-2")).status, 202);
    assert_eq!(ids(&read_all(kafka, &topics.events)), ["variable-2"]);
    for (name, value) in
        [("POSTERN_KAFKA__TOPPICS__EVENTS", "x"), ("POSTERN_SERVER__DEADLINE", "shortly")]
    {
        let mut wrong = start(Some((name, value)));
        assert_eq!(wrong.wait(Duration::from_secs(10)), Some(2));
        assert!(wrong.stderr().contains(name), "{name} in {}", wrong.stderr());
    }
}

#[test]
fn the_allocator_is_given_its_limits_in_the_same_process_and_the_operators_own_win() {
    let kafka = Kafka::shared();
    let topics = kafka.new_topics();
    let edge = Postern::start_with(&Config::new(kafka, &topics), |command| {
        command.env("MALLOC_TRIM_THRESHOLD_", "65536");
    });
    let of_process = |what: &str| {
        let file = format!("/proc/{}/{what}", edge.id());
        std::fs::read_to_string(file).expect("the process that was started still runs")
    };
    let environment = of_process("environ");
    let mut limits: Vec<_> =
        environment.split('\0').filter(|variable| variable.starts_with("MALLOC_")).collect();
    limits.sort_unstable();
    assert_eq!(limits, ["MALLOC_MMAP_THRESHOLD_=131072", "MALLOC_TRIM_THRESHOLD_=65536"]);
    let arguments = of_process("cmdline");
    let words: Vec<_> = arguments.split('\0').skip(1).take(2).collect();
    assert_eq!(words, ["serve", "--log"], "{arguments}");
    assert_eq!(edge.post(graph::PATH, &[], &one("limits-1")).status, 202);
    assert_eq!(ids(&read_all(kafka, &topics.events)), ["limits-1"]);
}
