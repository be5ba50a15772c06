//! Do the example consumers read what the real postern publishes, with the official CloudEvents SDKs?

use std::process::Command;

use crate::support::config::Config;
use crate::support::kafka::{Kafka, Topics};
use crate::support::process::{Postern, finish};
use crate::support::{graph, hook};

const LIFECYCLE: &str = r#"{"value":[{"subscriptionId":"b1f0c7de-2a44-4f7e-8a31-6f3c9d2e8b10","clientState":"TOKEN","lifecycleEvent":"reauthorizationRequired","subscriptionExpirationDateTime":"2031-03-01T08:00:00Z"}]}"#;

/// Two messages, one of them delivered twice, and a lifecycle signal: four records.
fn publish(mode: &str) -> Topics {
    let kafka = Kafka::shared();
    let topics = kafka.new_topics();
    let config = Config::new(kafka, &topics).set("kafka", "mode", mode);
    let postern = Postern::start(&config);
    let token = hook::graph("org_acme", "user_123", "inbox");
    let first = graph::notifications(&["seen-1".to_owned()], &token);
    let second = graph::notifications(&["seen-2".to_owned()], &token);
    let signal = LIFECYCLE.replace("TOKEN", &token);
    for body in [&first, &first, &second, &signal] {
        assert_eq!(postern.post(graph::PATH, &[], body.as_bytes()).status, 202);
    }
    topics
}

fn check(language: &str, mode: &str) {
    let topics = publish(mode);
    let script = format!("{}/../../examples/{language}/run.sh", env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(script);
    command.args(["--bootstrap", &Kafka::shared().bootstrap(), "--from-beginning", "--max", "4"]);
    command.args(["--timeout", "30", "--group", &format!("{language}-{}", topics.events)]);
    command.args(["--events", &topics.events, "--lifecycle", &topics.lifecycle]);
    let done = finish(command, b"");
    assert_eq!(done.code, Some(0), "{}\n{}", done.stdout, done.stderr);
    let starting = |word: &str| done.stdout.lines().filter(|line| line.starts_with(word)).count();
    assert_eq!(starting("fetch"), 2, "{}", done.stdout);
    assert_eq!(starting("duplicate"), 1, "{}", done.stdout);
    assert_eq!(starting("signal"), 1, "{}", done.stdout);
    let fetched =
        "https://graph.microsoft.com/v1.0/users/5a0f6f3c-6b0e-4d0a-9d8b-0c3f2b1a7e55/messages/";
    assert!(done.stdout.contains(fetched), "{}", done.stdout);
}

#[test]
fn python_reads_structured_records() {
    check("python", "\"structured\"");
}

#[test]
fn python_reads_binary_records() {
    check("python", "\"binary\"");
}

#[test]
fn java_reads_structured_records() {
    check("java", "\"structured\"");
}

#[test]
fn java_reads_binary_records() {
    check("java", "\"binary\"");
}
