//! Does a secret, token, address or body show in logs, metrics, answers or errors: on a good day, in an outage, in a
//! faulty configuration, in a faulty reload, in a misused command?

mod planted;

use std::fs;
use std::time::Duration;

use self::planted::{RING_KEY, TRACE, away, check_silent, keys, send, tokens};
use crate::support::client::get;
use crate::support::config::Config;
use crate::support::eventually;
use crate::support::kafka::Kafka;
use crate::support::process::{Postern, command, finish, postern};

#[test]
fn the_search_finds_what_it_looks_for() {
    for text in ["a Hush b", "68757368", "[104, 117, 115, 104, 45]"] {
        let found = std::panic::catch_unwind(|| check_silent("a text", text));
        assert!(found.is_err(), "{text} passes");
    }
    check_silent("a text", "nothing of the kind");
}

/// A `serve` that says the most it can.
fn talkative(config: &Config) -> Postern {
    Postern::start_with(config, |command| {
        command.env("POSTERN_LOG", TRACE);
    })
}

/// Ends it, and looks through everything that it has said to anybody.
fn check_all_silent(mut edge: Postern) {
    let texts = ["/metrics", "/status"].map(|path| (path, get(edge.admin(), path).text()));
    edge.sigterm();
    assert_eq!(edge.wait(Duration::from_secs(15)), Some(0));
    let log = edge.stderr();
    assert!(log.contains("refused"), "the log is not at its most talkative level:\n{log}");
    // The name of an unknown key is its writer's own word and no value; it may be told.
    let log = log.replace("deny[0].hush", "");
    for (name, text) in
        texts.into_iter().chain([("standard error", log), ("standard output", edge.stdout())])
    {
        check_silent(name, &text);
        for token in &tokens()[..3] {
            for part in token.split('.').skip(2) {
                assert!(!text.contains(part), "{name} holds a part of a token:\n{text}");
            }
        }
        for id in ["5a0f6f3c-6b0e-4d0a", "AAMkADk0"] {
            assert!(!text.contains(id), "{name} tells an id of a delivery:\n{text}");
        }
    }
}

#[test]
fn a_good_day_tells_no_secret() {
    let kafka = Kafka::shared();
    let edge = talkative(&keys(Config::new(kafka, &kafka.new_topics())));
    send(&edge, true);
    check_all_silent(edge);
}

#[test]
fn an_outage_and_a_faulty_reload_tell_no_secret() {
    let config = away();
    let edge = talkative(&config);
    send(&edge, false);
    let open = || edge.metrics().value("postern_breaker_state", &[]) > 0.0;
    assert!(eventually(Duration::from_secs(5), open), "no outage");
    send(&edge, false);
    // The key is too short, the secret is no text, and a rule is not one.
    fs::write(config.folder().join("ring"), "hush-short").unwrap();
    fs::write(config.folder().join("static"), b"hush \xff").unwrap();
    let text = format!("{}user = [\"hush\"]\nhush = \"hush\"\n", config.text());
    fs::write(config.folder().join("postern.toml"), text).unwrap();
    edge.signal("HUP");
    let told =
        || edge.stderr().contains("deny[0]") && edge.stderr().contains("hook_tokens.keys.k1");
    assert!(eventually(Duration::from_secs(7), told), "{}", edge.stderr());
    fs::write(config.folder().join("postern.toml"), "[[deny]\nhush = \"hush\n").unwrap();
    edge.signal("HUP");
    let told = || edge.stderr().matches("a change is faulty").count() > 3;
    assert!(eventually(Duration::from_secs(7), told), "{}", edge.stderr());
    check_all_silent(edge);
}

#[test]
fn a_faulty_configuration_is_told_key_by_key_and_without_values() {
    // A secret, where a path, a number, a duration, a choice or a list belongs.
    let wrong = away()
        .set("server", "public", "\"hush-address\"")
        .set("server", "deadline", "\"hush\"")
        .set("server", "public_url", "\"ftp://hush:hush@hush\"")
        .set("limits", "inflight_bytes", "\"hush\"")
        .set("kafka", "mode", "\"hush\"")
        .set("kafka.properties", "\"sasl.password\"", "\"hush-password\"")
        .set("kafka.properties", "\"acks\"", "\"hush\"")
        .set("kafka.properties", "\"hush.property\"", "\"hush\"")
        .set("kafka.property_files", "\"ssl.key.password\"", "\"hush-password\"")
        .set("hook_tokens", "keys", "{ k1 = \"hush-the-key-itself\", K2 = \"hush\" }")
        .set("graph", "cloud", "\"hush\"")
        .set("google", "jwks_url", "\"http://hush.example.com/hush\"")
        .set("endpoints", "changed", "\"hush\"")
        .set("quarantine", "records_per_second", "\"hush\"");
    let file = wrong.write();
    let file = file.to_str().unwrap();
    let served = postern(&["serve", "--config", file]);
    let checked = postern(&["config", "check", file]);
    for ended in [&served, &checked] {
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{}", ended.stderr);
        for key in [
            "server.public",
            "server.deadline",
            "server.public_url",
            "limits.inflight_bytes",
            "kafka.mode",
            "kafka.properties",
            "hook_tokens.keys.k1",
            "graph.cloud",
            "google.jwks_url",
            "endpoints.changed",
            "quarantine.records_per_second",
            "ssl.key.password",
        ] {
            assert!(ended.stderr.contains(key), "{key} in {}", ended.stderr);
        }
        // The names of properties are no values.
        check_silent("standard error", &ended.stderr.replace("hush.property", ""));
    }
    assert_eq!(served.stderr, checked.stderr, "serve refuses what check refuses");

    for broken in
        ["[kafka]\nbootstrap_servers = \"hush\n", "hush", "[kafka\nhush = 1", "a = \"hush\" hush"]
    {
        let file = wrong.file("broken.toml", broken.as_bytes());
        let ended = postern(&["config", "check", file.to_str().unwrap()]);
        assert_eq!(ended.code, Some(2), "{broken}");
        check_silent("standard error", &ended.stderr);
    }
    let mut variable = command(&["serve"]);
    variable.env("POSTERN_HOOK_TOKENS__KEYS__K1", "hush-the-key-itself");
    variable.env("POSTERN_KAFKA__PROPERTY_FILES__SASL_PASSWORD", "hush-password");
    variable.env("POSTERN_LIMITS__ITEMS", "hush");
    let ended = finish(variable, b"");
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("POSTERN_HOOK_TOKENS__KEYS__K1"), "{}", ended.stderr);
    check_silent("standard error", &ended.stderr);
}

#[test]
fn misused_commands_tell_no_secret() {
    let config = away();
    let ring = config.file("ring", RING_KEY.as_bytes());
    let key = format!("k1={}", ring.display());
    let good = &tokens()[0];
    let lines =
        "{\"service\":\"hush\",\"tenant\":\"hush\"}\nhush\n{\"service\":\"graph\",\"hush\":1}\n";
    for (arguments, input) in [
        (&["token", "mint", "--service", "graph", "--tenant", "t", "--key", "k1=hush"][..], ""),
        (
            &[
                "token",
                "mint",
                "--service",
                "graph",
                "--tenant",
                "t",
                "--key",
                "hush-the-key-itself",
            ],
            "",
        ),
        (&["token", "inspect", "hush.hush.hush.hush", "--key", &key], ""),
        (&["token", "inspect", &tokens()[2], "--key", &key], ""),
        (&["token", "inspect", good, "--service", "drive", "--key", &key], ""),
        (
            &["simulate", "http://127.0.0.1:9", "--count", "1", "--key", "k1=hush-the-key-itself"],
            "",
        ),
        (&["tail", "--bootstrap", "127.0.0.1:9", "--key", "k1=hush-the-key-itself"], ""),
    ] {
        let ended = finish(command(arguments), input.as_bytes());
        assert!(matches!(ended.code, Some(1 | 2)), "{arguments:?}: {:?}", ended.code);
        check_silent(arguments[1], &ended.stderr);
        check_silent(arguments[1], &ended.stdout);
    }
    // Key names of a batch are its writer's words; a key of the ring is not among them.
    let batch = finish(command(&["token", "mint", "--batch", "--key", &key]), lines.as_bytes());
    assert_eq!((batch.code, batch.stdout.as_str()), (Some(2), ""));
    assert!(!batch.stderr.contains(RING_KEY));
}
