//! Does the five-minute tour show what it promises, with nothing set up: `demo`, and `serve` without a configuration?

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::process::{Finished, Postern, Process, command, finish};
use crate::support::{graph, scratch, spawn};

/// A command of the user whose state lies in this folder.
fn of_user(state: &Path, arguments: &[&str]) -> Command {
    let mut command = command(arguments);
    command.env("XDG_STATE_HOME", state);
    command
}

pub fn run(state: &Path, arguments: &[&str]) -> Finished {
    finish(of_user(state, arguments), b"")
}

pub fn serve(state: &Path) -> Postern {
    let listen = ["serve", "--public", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--log", "json"];
    Postern::await_ready(Process::spawn(of_user(state, &listen)))
}

#[test]
fn the_demo_shows_events_and_forgeries_and_ends_by_itself() {
    let state = scratch::folder("state");
    let started = Instant::now();
    // The kinds are drawn by chance: 300 deliveries hold about twelve forged ones, and of every other kind more.
    let demo = run(&state, &["demo", "--duration", "5s", "--rate", "60"]);
    let took = started.elapsed();
    assert_eq!(demo.code, Some(0), "{}", demo.stderr);
    assert!(took >= Duration::from_secs(5) && took < Duration::from_secs(20), "{took:?}");
    assert!(demo.stderr.contains("NOTHING HERE IS DURABLE"), "{}", demo.stderr);
    for shown in ["postern config example", "kafka.bootstrap_servers"] {
        assert!(demo.stderr.contains(shown), "what to type for a real Kafka: {}", demo.stderr);
    }
    let lines = |word: &str| demo.stdout.lines().filter(|line| line.contains(word)).count();
    for word in ["message.created", "quarantined", "forged-token"] {
        assert!(lines(word) >= 1, "no {word}:\n{}", demo.stdout);
    }
    // An event of each: a quarantined delivery names its service too.
    for service in ["graph", "gmail", "calendar", "drive", "workspace-events"] {
        let is_event = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.get(1) == Some(&"events") && words.get(3) == Some(&service)
        };
        assert!(demo.stdout.lines().any(is_event), "no event of {service}:\n{}", demo.stdout);
    }
    assert!(!demo.stdout.contains('\u{1b}'), "colours in a pipe");
    let report = demo.stdout.lines().find(|line| line.starts_with("answers")).unwrap();
    assert!(report.contains("202") && !report.contains("503"), "{report}");
    assert!(demo.stdout.contains("answers other than expected: 0"), "{}", demo.stdout);
    for level in ["ERROR", "panicked"] {
        assert!(!demo.stderr.contains(level), "{}", demo.stderr);
    }
    assert_eq!(fs::read_dir(state.join("postern")).unwrap().count(), 0, "it leaves state behind");
}

#[test]
fn the_demo_ends_when_it_is_told_or_nobody_reads() {
    let state = scratch::folder("state");
    let mut demo = Process::spawn(of_user(&state, &["demo", "--rate", "20"]));
    let event = demo.wait_line(Duration::from_secs(20), |line| line.contains("events"));
    assert!(event.is_some(), "{}", demo.stderr());
    demo.signal("INT");
    assert_eq!(demo.wait(Duration::from_secs(10)), Some(0), "{}", demo.stderr());
    assert!(demo.stdout().contains("answers"), "the report comes also then");

    let script = r#""$0" demo --rate 50 --duration 30s | head -n 1; exit "${PIPESTATUS[0]}""#;
    let mut shell = spawn::command("bash");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_postern")]).env("XDG_STATE_HOME", &state);
    let started = Instant::now();
    let ended = finish(shell, b"");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(started.elapsed() < Duration::from_secs(20), "it went on without a reader");
    assert_eq!(fs::read_dir(state.join("postern")).unwrap().count(), 0, "it leaves state behind");
}

#[test]
fn the_embedded_edge_says_what_it_is_and_leaves_nothing_behind() {
    let state = scratch::folder("state");
    let listen = ["serve", "--public", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let mut edge = Process::spawn(of_user(&state, &listen));
    let ready = edge.wait_line(Duration::from_secs(20), |line| line.starts_with("ready:"));
    assert!(ready.is_some(), "{}", edge.stderr());
    assert!(edge.stderr().contains("NOTHING HERE IS DURABLE"), "{}", edge.stderr());
    let minted = run(&state, &["token", "mint", "--service", "drive", "--tenant", "t"]);
    assert!(minted.stdout.starts_with("p1.embedded."), "{}", minted.stderr);
    let simulated = run(&state, &["simulate", "--count", "60", "--rate", "0", "--json"]);
    let report: Value = serde_json::from_str(simulated.stdout.trim()).unwrap();
    assert_eq!(report["unexpected"], 0, "{report}");
    assert_eq!(report["successes"], 60, "{report}");
    let tail = run(&state, &["tail", "--from-beginning", "--max", "20"]);
    assert_eq!(tail.stdout.lines().count(), 20, "{}", tail.stderr);
    edge.sigterm();
    assert_eq!(edge.wait(Duration::from_secs(15)), Some(0));
    assert_eq!(fs::read_dir(state.join("postern")).unwrap().count(), 0, "state is left");
}

#[test]
fn the_other_commands_find_the_edge_that_was_started_last() {
    let state = scratch::folder("state");
    for lost in [&["simulate", "--count", "1"][..], &["tail", "--max", "1"]] {
        assert_eq!(run(&state, lost).code, Some(2), "there is no edge yet");
    }
    let mut first = serve(&state);
    let mut last = serve(&state);
    let file = state.join("postern/embedded.json");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let told: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(told["bootstrap"], last.ready["kafka"]);
    let key = fs::metadata(told["keyFile"].as_str().unwrap()).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);

    let token =
        run(&state, &["token", "mint", "--service", "graph", "--tenant", "org_x", "--user", "u"]);
    let token = token.stdout.trim();
    let read = run(&state, &["token", "inspect", token]);
    assert_eq!(read.code, Some(0), "{}", read.stderr);
    let body = graph::notifications(&["by-hand".to_owned()], token);
    assert_eq!(last.post(graph::PATH, &[], body.as_bytes()).status, 202);
    let tail = ["tail", "--from-beginning", "--topic", "events", "--max", "1", "--json"];
    let tail = run(&state, &tail);
    let record: Value = serde_json::from_str(tail.stdout.trim()).unwrap();
    assert_eq!(
        (record["event"]["id"].as_str(), record["key"].as_str()),
        (Some("by-hand"), Some("org_x/u"))
    );

    // The other one knows neither the token nor the record.
    assert_eq!(first.post(graph::PATH, &[], body.as_bytes()).status, 202);
    assert_eq!(
        first.metrics().value("postern_notifications_total", &[("outcome", "published")]),
        0.0
    );
    first.sigterm();
    assert_eq!(first.wait(Duration::from_secs(15)), Some(0));
    assert!(file.exists(), "the last one started owns the file");
    last.sigterm();
    assert_eq!(last.wait(Duration::from_secs(15)), Some(0));
    assert_eq!(fs::read_dir(state.join("postern")).unwrap().count(), 0, "state is left");
}

#[test]
fn the_embedded_kafka_is_for_this_machine_and_for_no_configuration() {
    let state = scratch::folder("state");
    for (arguments, variable) in [
        (&["serve", "--public", "0.0.0.0:0"][..], None),
        (&["serve", "--public", "127.0.0.1:0", "--admin", "0.0.0.0:0"], None),
        (&["serve", "--public", "127.0.0.1:0"], Some(("POSTERN_SERVER__ADMIN", "127.0.0.1:0"))),
    ] {
        let mut command = of_user(&state, arguments);
        command.envs(variable);
        let refused = finish(command, b"");
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(refused.stderr.contains("kafka.bootstrap_servers"), "{}", refused.stderr);
    }
    assert!(!state.join("postern/embedded.json").exists());
}
