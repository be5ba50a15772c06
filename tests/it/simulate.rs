//! Does `simulate` report what the topics hold?

use serde_json::Value;

use crate::support::config::Config;
use crate::support::consumer::read_all;
use crate::support::kafka::Kafka;
use crate::support::process::{Postern, postern};
use crate::support::scratch;
use crate::tour::{run, serve};

#[test]
fn what_is_simulated_is_what_is_published() {
    let kafka = Kafka::shared();
    let topics = kafka.new_topics();
    let config = Config::new(kafka, &topics);
    let file = config.write();
    let edge = Postern::start(&config);
    let url = format!("http://{}", edge.public());
    let arguments =
        ["--count", "200", "--rate", "0", "--batch", "3", "--json", "--provider", "graph"];
    let run = postern(
        &[&["simulate", &url, "--config", file.to_str().unwrap()], &arguments[..]].concat(),
    );
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let report: Value = serde_json::from_str(run.stdout.trim()).unwrap();
    assert_eq!(report["statuses"], serde_json::json!({"202": 200}), "{report}");
    assert_eq!(report["genuine_acknowledged"], 600, "{report}");
    assert_eq!(read_all(kafka, &topics.events).len(), 600);
}

#[test]
fn simulated_totals_are_those_of_the_topics() {
    let state = scratch::folder("state");
    let edge = serve(&state);
    let options = [
        "--count",
        "300",
        "--rate",
        "100",
        "--forged",
        "10",
        "--lifecycle",
        "10",
        "--duplicates",
        "5",
    ];
    let ended = run(
        &state,
        &[&["simulate", "--json", "--seed", "7", "--provider", "graph"], &options[..]].concat(),
    );
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    let number =
        |name: &str| report[name].as_u64().unwrap_or_else(|| panic!("no {name}: {report}"));
    assert_eq!((number("seed"), number("attempts"), number("unexpected")), (7, 300, 0), "{report}");
    assert!(number("duplicates") > 0 && number("forged_sent") > 0, "{report}");
    assert_eq!(number("genuine_sent"), number("genuine_acknowledged"), "{report}");
    let items =
        |outcome| edge.metrics().value("postern_notifications_total", &[("outcome", outcome)]);
    assert_eq!(items("published"), number("genuine_acknowledged") as f64, "{report}");
    assert_eq!(items("quarantined"), number("forged_sent") as f64, "{report}");
    // Each genuine item is a record, and a `missed` or `subscriptionRemoved` two.
    let records = (number("genuine_acknowledged") + number("forged_sent")).to_string();
    let tail = run(&state, &["tail", "--from-beginning", "--json", "--max", &records]);
    let lines: Vec<Value> =
        tail.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len().to_string(), records);
    for topic in ["events", "lifecycle", "quarantine"] {
        assert!(lines.iter().any(|line| line["topic"] == topic), "nothing in {topic}");
    }
    let opened = lines.iter().filter(|line| line["topic"] == "quarantine");
    assert!(opened.clone().count() > 0 && opened.into_iter().all(|line| line["body"].is_string()));
}
