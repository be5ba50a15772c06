//! Does `postern topics` plan, create and compare the topics, on a real broker?

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use serde_json::Value;

use crate::support::config::Config;
use crate::support::kafka::{Kafka, Topics};
use crate::support::process::{Postern, postern};
use crate::support::{eventually, graph, hook};

/// The settings of a topic, and how many partitions it has.
fn topic(kafka: &Kafka, name: &str) -> (usize, BTreeMap<String, String>) {
    let admin: AdminClient<DefaultClientContext> = kafka.client().create().unwrap();
    let mut partitions = 0;
    let known = || {
        let metadata = admin.inner().fetch_metadata(Some(name), Duration::from_secs(10)).unwrap();
        partitions = metadata.topics()[0].partitions().len();
        partitions > 0
    };
    // A broker hears of a new topic a moment after the controller has made it.
    assert!(eventually(Duration::from_secs(10), known), "there is no topic {name}");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let asked = [ResourceSpecifier::Topic(name)];
    let told = runtime.block_on(admin.describe_configs(&asked, &AdminOptions::new())).unwrap();
    let entries = told.into_iter().flat_map(|resource| resource.unwrap().entries);
    let settings = entries.filter_map(|entry| Some((entry.name, entry.value?))).collect();
    (partitions, settings)
}

#[test]
fn topics_are_planned_created_and_compared() {
    let kafka = Kafka::shared();
    let topics = Topics::named();
    let file = Config::bare().kafka(&kafka.bootstrap(), &topics).write();
    let run = |arguments: &[&str]| {
        postern(&[&["topics"], arguments, &["--config", file.to_str().unwrap()]].concat())
    };
    let plan = run(&["plan", "--json"]);
    assert_eq!(plan.code, Some(0), "{}", plan.stderr);
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    let partitions: Vec<_> =
        plan.as_array().unwrap().iter().map(|topic| &topic["partitions"]).collect();
    assert_eq!(partitions, [12, 6, 3]);
    assert_eq!(plan[0]["replication"], 3);
    for name in topics.all() {
        assert!(run(&["plan"]).stdout.contains(name));
    }
    // One broker cannot hold three copies: nothing is created, and the reason is told.
    let refused = run(&["create"]);
    assert_eq!(refused.code, Some(1), "{}{}", refused.stdout, refused.stderr);
    assert!(refused.stdout.to_lowercase().contains("replication"), "{}", refused.stdout);

    let alone = ["--replication", "1", "--min-insync", "1"];
    let made = run(&[&["create"], &alone[..]].concat());
    assert_eq!(made.code, Some(0), "{}{}", made.stdout, made.stderr);
    let week = 7 * 24 * 3_600_000_u64;
    for (name, partitions, retention) in [
        (&topics.events, 12, week),
        (&topics.lifecycle, 6, week),
        (&topics.quarantine, 3, 2 * week),
    ] {
        let (found, settings) = topic(kafka, name);
        assert_eq!(found, partitions, "{name}");
        assert_eq!(settings["retention.ms"], retention.to_string(), "{name}");
        assert_eq!(settings["min.insync.replicas"], "1");
        assert_eq!(settings["cleanup.policy"], "delete");
        assert!(settings["max.message.bytes"].parse::<u32>().unwrap() >= 1_000_000);
        assert!(made.stdout.contains(name.as_str()), "{}", made.stdout);
    }
    let again = run(&[&["create"], &alone[..]].concat());
    assert_eq!(again.code, Some(0));
    assert_eq!(again.stdout.matches("exists").count(), 3, "{}", again.stdout);
    let other =
        run(&[&["create", "--events-partitions", "13", "--retention", "1d"], &alone[..]].concat());
    let line = other.stdout.lines().find(|line| line.contains(&topics.events)).unwrap();
    for difference in ["13", "12", "86400000", "604800000"] {
        assert!(line.contains(difference), "{difference} in {line}");
    }
    assert_eq!(topic(kafka, &topics.events).0, 12, "what exists is left alone");
    // What was created is what serve asks for, but for its copies.
    let serve = Postern::start(&Config::new(kafka, &topics));
    let body = graph::notifications(&["made-1".into()], &hook::graph("t", "u", "l"));
    assert_eq!(serve.post(graph::PATH, &[], body.as_bytes()).status, 202);
}
