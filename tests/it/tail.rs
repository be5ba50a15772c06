//! What does `tail` show: sealed or opened, in colours or without, and for how long?

use std::process::Command;

use serde_json::Value;

use crate::support::config::{Config, quoted};
use crate::support::kafka::Kafka;
use crate::support::process::{Postern, command, finish, postern};
use crate::support::{graph, hook, spawn};

#[test]
fn what_is_quarantined_opens_for_who_has_the_key() {
    let kafka = Kafka::shared();
    let topics = kafka.new_topics();
    let config = Config::new(kafka, &topics);
    let file = config.write();
    let file = file.to_str().unwrap();
    let edge = Postern::start(&config);
    let body = graph::notifications(&["junk-1".to_owned()], "no token of ours");
    assert_eq!(edge.post(graph::PATH, &[], body.as_bytes()).status, 202);
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

/// A configuration, its file, and a topic with this many events.
fn events(count: usize) -> (Config, String) {
    let kafka = Kafka::shared();
    let config = Config::new(kafka, &kafka.new_topics());
    let edge = Postern::start(&config);
    let ids: Vec<String> = (0..count).map(|place| format!("piped-{place}")).collect();
    let body = graph::notifications(&ids, &hook::graph("org_acme", "user_123", "inbox"));
    assert_eq!(edge.post(graph::PATH, &[], body.as_bytes()).status, 202);
    let file = config.write().to_str().unwrap().to_owned();
    (config, file)
}

#[test]
fn a_reader_that_has_had_enough_is_no_error() {
    let (_config, file) = events(200);
    // tail would go on for ever; its reader takes one line.
    let script = r#""$0" tail --config "$1" --topic events --from-beginning --json | head -n 1; exit "${PIPESTATUS[0]}""#;
    let mut shell = spawn::command("bash");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_postern"), &file]);
    let ended = finish(shell, b"");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout.lines().count(), 1);
    assert!(!ended.stderr.contains("panic"), "{}", ended.stderr);
    // A full disk is one.
    let mut shell = spawn::command("bash");
    shell.args(["-c", r#""$0" config example > /dev/full"#, env!("CARGO_BIN_EXE_postern")]);
    let ended = finish(shell, b"");
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let (_config, file) = events(1);
    let tail = ["tail", "--config", &file, "--topic", "events", "--from-beginning", "--max", "1"];
    assert!(!postern(&tail).stdout.contains('\u{1b}'), "colours in a pipe");
    let on_a_terminal = |no_color: Option<&str>| {
        let line = format!("{} {}", quoted(env!("CARGO_BIN_EXE_postern")), tail.join(" "));
        let mut script: Command = spawn::command("script");
        script.args(["-qec", &line, "/dev/null"]).env("TERM", "xterm").env_remove("NO_COLOR");
        script.envs(no_color.map(|value| ("NO_COLOR", value)));
        let done = finish(script, b"");
        assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
        assert!(done.stdout.contains("message.created"), "{}", done.stdout);
        done.stdout.contains('\u{1b}')
    };
    assert!(on_a_terminal(None), "no colours on a terminal");
    assert!(!on_a_terminal(Some("1")), "colours in spite of NO_COLOR");
}
