//! Do the commands do what the contract says, process by process: serve, drain, reload, tail, simulate, topics?

use std::net::TcpListener;
use std::time::Duration;

use serde_json::Value;

use crate::support::client::{Connection, get};
use crate::support::config::Config;
use crate::support::consumer::read_all;
use crate::support::kafka::Kafka;
use crate::support::process::{Postern, Process, command, finish, postern};
use crate::support::{eventually, graph, hook};

fn one(id: &str) -> String {
    graph::notifications(&[id.to_owned()], &hook::graph("org_acme", "user_123", "inbox"))
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
    let taken = busy.post(graph::PATH, &[], one("before").as_bytes()).unwrap();
    assert_eq!((taken.status, taken.closes()), (202, false));

    postern.sigterm();
    let unready = || get(postern.admin(), "/readyz").status == 503;
    assert!(eventually(Duration::from_millis(800), unready), "still ready");
    let taken = busy.post(graph::PATH, &[], one("lingering").as_bytes()).unwrap();
    assert_eq!((taken.status, taken.closes()), (202, false), "serving as before");
    let draining = || postern.status()["phase"] == "draining";
    assert!(eventually(Duration::from_secs(3), draining), "{}", postern.status());
    let taken = busy.post(graph::PATH, &[], one("draining").as_bytes()).unwrap();
    assert_eq!((taken.status, taken.closes()), (202, true), "taken, and told to go");
    assert!(!idle.is_closed(Duration::from_millis(200)), "an idle connection was cut");
    let late = postern.post(graph::PATH, &[], one("late").as_bytes());
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
fn a_deny_rule_holds_without_a_restart_and_a_faulty_one_changes_nothing() {
    let kafka = Kafka::shared();
    let topics = kafka.new_topics();
    let config = Config::new(kafka, &topics);
    let file = config.write();
    let postern = Postern::start(&config);
    assert_eq!(postern.post(graph::PATH, &[], one("allowed").as_bytes()).status, 202);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}\n[[deny]]\ntenant = \"org_acme\"\n")).unwrap();
    postern.signal("HUP");
    let denied = [("service", "graph"), ("outcome", "denied")];
    let holds = || {
        assert_eq!(postern.post(graph::PATH, &[], one("denied").as_bytes()).status, 202);
        postern.metrics().value("postern_notifications_total", &denied) > 0.0
    };
    assert!(eventually(Duration::from_secs(8), holds), "{}", postern.stderr());
    std::fs::write(&file, format!("{text}\n[[deny]]\nuser = \"user_123\"\n")).unwrap();
    postern.signal("HUP");
    let told = || postern.stderr().contains("deny[0].tenant");
    assert!(eventually(Duration::from_secs(8), told), "{}", postern.stderr());
    let before = read_all(kafka, &topics.events).len();
    assert_eq!(postern.post(graph::PATH, &[], one("still-denied").as_bytes()).status, 202);
    assert_eq!(read_all(kafka, &topics.events).len(), before, "the old rule still holds");
    assert!(read_all(kafka, &topics.quarantine).is_empty(), "nothing of it is stored");
}

#[test]
fn what_is_quarantined_opens_for_who_has_the_key() {
    let kafka = Kafka::shared();
    let topics = kafka.new_topics();
    let config = Config::new(kafka, &topics);
    let file = config.write();
    let file = file.to_str().unwrap();
    let postern_ = Postern::start(&config);
    let body = graph::notifications(&["junk-1".to_owned()], "no token of ours");
    assert_eq!(postern_.post(graph::PATH, &[], body.as_bytes()).status, 202);
    let tail =
        ["tail", "--config", file, "--topic", "quarantine", "--from-beginning", "--max", "1"];
    let opened = postern(&[&tail[..], &["--json"]].concat());
    assert_eq!(opened.code, Some(0), "{}", opened.stderr);
    let json: Value = serde_json::from_str(opened.stdout.trim()).unwrap();
    assert_eq!(json["headers"]["postern_reason"], "malformed-token");
    assert_eq!(json["body"], body);
    let names = [
        ("POSTERN_KAFKA__TOPICS__QUARANTINE", &topics.quarantine),
        ("POSTERN_KAFKA__TOPICS__EVENTS", &topics.events),
        ("POSTERN_KAFKA__TOPICS__LIFECYCLE", &topics.lifecycle),
    ];
    let mut sealed = command(&["tail", "--topic", "quarantine", "--from-beginning", "--max", "1"]);
    sealed.args(["--bootstrap", &kafka.bootstrap()]).envs(names);
    let sealed = finish(sealed, b"");
    assert!(sealed.stdout.contains("sealed; give the keys"), "{}{}", sealed.stdout, sealed.stderr);
    assert!(!sealed.stdout.contains("no token of ours"));
}

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
fn the_embedded_edge_is_found_and_leaves_nothing_behind() {
    let state = tempfile::tempdir().unwrap();
    let with_state = |arguments: &[&str]| {
        let mut command = command(arguments);
        command.env("XDG_STATE_HOME", state.path());
        command
    };
    let listen = ["serve", "--public", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let mut edge = Process::spawn(with_state(&listen));
    let ready = edge.wait_line(Duration::from_secs(20), |line| line.starts_with("ready:"));
    assert!(ready.is_some(), "{}", edge.stderr());
    assert!(edge.stderr().contains("NOTHING HERE IS DURABLE"), "{}", edge.stderr());
    let minted = finish(with_state(&["token", "mint", "--service", "drive", "--tenant", "t"]), b"");
    assert!(minted.stdout.starts_with("p1.embedded."), "{}", minted.stderr);
    let run = finish(with_state(&["simulate", "--count", "60", "--rate", "0", "--json"]), b"");
    let report: Value = serde_json::from_str(run.stdout.trim()).unwrap();
    assert_eq!(report["unexpected"], 0, "{report}");
    assert_eq!(report["successes"], 60, "{report}");
    let tail = finish(with_state(&["tail", "--from-beginning", "--max", "20"]), b"");
    assert_eq!(tail.stdout.lines().count(), 20, "{}", tail.stderr);
    edge.sigterm();
    assert_eq!(edge.wait(Duration::from_secs(15)), Some(0));
    let left = std::fs::read_dir(state.path().join("postern")).unwrap().count();
    assert_eq!(left, 0, "state files are left");
}

#[test]
fn what_is_wrong_is_said_all_at_once() {
    let wrong = Config::bare().set("kafka", "bootstrap", "\"x\"").set("renew", "every", "\"1h\"");
    let file = wrong.write();
    let refused = postern(&["config", "check", file.to_str().unwrap()]);
    assert_eq!(refused.code, Some(2));
    for named in ["kafka.bootstrap", "kafka.bootstrap_servers", "renew"] {
        assert!(refused.stderr.contains(named), "{named} in {}", refused.stderr);
    }
    let exposed = postern(&["serve", "--public", "0.0.0.0:0"]);
    assert_eq!(exposed.code, Some(2), "{}", exposed.stderr);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let busy = postern(&["serve", "--public", &address, "--admin", "127.0.0.1:0"]);
    assert_eq!(busy.code, Some(1), "{}", busy.stderr);
    assert!(busy.stderr.contains("server.public"), "{}", busy.stderr);
}
