//! Does a secret show where things go wrong: in an outage, in a faulty configuration, in a faulty reload, in a misused
//! command? `secrets.rs` asks the same of traffic on a good day.

use std::fs;
use std::time::Duration;

use postern_sim::{Claims, KeyRing, Service};

use crate::support::client::{self, get};
use crate::support::config::{Config, quoted};
use crate::support::kafka::Topics;
use crate::support::ports::free_port;
use crate::support::process::{Postern, command, finish, postern};
use crate::support::{eventually, graph};

/// Each is found in no other text.
const RING_KEY: &str = "hush-ring-key-hush-ring-key-hush-ring-key";
const STATIC_SECRET: &str = "hush-static-secret";
const PASSWORD: &str = "hush-kafka-password";
const BODY: &str = "hush-body";
const QUERY: &str = "hush-query";
const VALIDATION: &str = "hush-validation";
const BEARER: &str = "hush-bearer";
const SUBJECT: &str = "hush.address@example.com";
/// All of them hold this.
const HUSH: &str = "hush";

/// Fails when a text holds a planted secret: as it is, in hexadecimal, as numbers, or in base64.
fn check_silent(what: &str, text: &str) {
    let lower = text.to_lowercase();
    let bytes = HUSH.as_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let numbers = format!("{bytes:?}").trim_matches(['[', ']']).to_owned();
    // "hush" at each of the three places that a byte can have in base64, without the letters that neighbours change.
    for spelling in [HUSH, &hex, &numbers, "ahvz", "odxno", "h1c2"] {
        let found = lower
            .find(spelling)
            .map(|at| lower[at.saturating_sub(100)..].chars().take(300).collect());
        assert_eq!(found, None::<String>, "{what} holds a secret, spelled {spelling}");
    }
}

#[test]
fn the_search_finds_what_it_looks_for() {
    for text in ["a Hush b", "68757368", "[104, 117, 115, 104, 45]"] {
        let found = std::panic::catch_unwind(|| check_silent("a text", text));
        assert!(found.is_err(), "{text} passes");
    }
    check_silent("a text", "nothing of the kind");
}

/// A ring, a static secret and a password, all planted, and a Kafka that is away.
fn planted() -> Config {
    let topics = Topics::named();
    let servers = format!("127.0.0.1:{}", free_port());
    let config = Config::bare()
        .kafka(&servers, &topics)
        .set("shutdown", "linger", "\"0s\"")
        .set("shutdown", "grace", "\"0s\"")
        .set("kafka.properties", "\"security.protocol\"", "\"SASL_PLAINTEXT\"")
        .set("kafka.properties", "\"sasl.mechanism\"", "\"SCRAM-SHA-512\"")
        .set("kafka.properties", "\"sasl.username\"", "\"postern\"");
    let file =
        |name: &str, text: &str| quoted(config.file(name, text.as_bytes()).to_str().unwrap());
    let (ring, fixed, password) =
        (file("ring", RING_KEY), file("static", STATIC_SECRET), file("password", PASSWORD));
    let deny = "[[deny]]\ntenant = \"org_gone\"";
    config
        .set("kafka.property_files", "\"sasl.password\"", &password)
        .set("hook_tokens", "keys", &format!("{{ k1 = {ring} }}"))
        .append(&format!(
            "[[static_secret]]\nservice = \"graph\"\nfile = {fixed}\ntenant = \"t\"\n{deny}"
        ))
}

fn tokens() -> Vec<String> {
    let ring = KeyRing::new([("k1", RING_KEY.as_bytes())]).unwrap();
    let claims = |tenant: &str| Claims {
        tenant: tenant.into(),
        subject: Some(SUBJECT.into()),
        label: Some("hush-label".into()),
        ..Claims::default()
    };
    let good = ring.mint(Service::Graph, &claims("org_acme")).unwrap();
    let gone = ring.mint(Service::Graph, &claims("org_gone")).unwrap();
    let forged = format!("{}hush", &good[..good.len() - 4]);
    [&good, &gone, &forged, STATIC_SECRET, "hush-no-token", ""].map(str::to_owned).into()
}

/// Everything that a sender can put a secret into.
fn traffic(edge: &Postern, tokens: &[String]) {
    let query = format!("{}?token={QUERY}", graph::PATH);
    for token in tokens {
        let body = graph::notifications(&[BODY.to_owned()], token).replace("AAMk", SUBJECT);
        let headers = [
            ("Authorization", BEARER),
            ("Cookie", "hush-cookie"),
            ("X-Goog-Channel-Token", "hush"),
        ];
        let status = edge.post(&query, &headers, body.as_bytes()).status;
        assert!([202, 503].contains(&status), "{status}");
    }
    for body in [
        &b"{\"value\":[{\"clientState\":\"hush"[..],
        b"hush",
        b"\xff hush",
        b"{\"value\":\"hush\"}",
    ] {
        assert_eq!(edge.post(&query, &[], body).status, 400);
    }
    let valid = |query: &str| {
        edge.post(&format!("{}?validationToken={query}", graph::PATH), &[], b"").status
    };
    assert_eq!(
        (valid(VALIDATION), valid(&format!("{VALIDATION}%00")), valid("hush%zz")),
        (200, 400, 400)
    );
    assert_eq!(edge.post("/v1/exchange/ews/p1.k1.hush.hush", &[], b"hush").status, 404);
    assert_eq!(
        edge.post("/v1/google/pubsub/hush", &[("Authorization", "Bearer hush")], b"hush").status,
        404
    );
    assert_eq!(get(edge.public(), "/v1/microsoft/graph/hush?hush=hush").status, 405);
    assert_eq!(edge.post(graph::PATH, &[("Content-Encoding", "hush")], b"hush").status, 415);
    for raw in [
        "POST /hush HTTP/1.1\r\nHost: hush\r\nHost: hush\r\nContent-Length: 4\r\n\r\nhush",
        "POST /v1/microsoft/graph HTTP/1.1\r\nhush hush: hush\r\n\r\n",
        "hush hush hush\r\n\r\n",
        "POST /v1/microsoft/graph HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nhush\r\n",
    ] {
        drop(client::exchange(edge.public(), raw.as_bytes(), Duration::from_millis(300)));
    }
}

#[test]
fn an_outage_and_a_faulty_reload_tell_no_secret() {
    let config = planted();
    let level = "info,postern=trace,postern_core=trace,postern_edge=trace,postern_kafka=trace,librdkafka=trace,hyper=trace";
    let mut edge = Postern::start_with(&config, |command| {
        command.env("POSTERN_LOG", level);
    });
    traffic(&edge, &tokens());
    let open = || edge.metrics().value("postern_breaker_state", &[]) > 0.0;
    assert!(eventually(Duration::from_secs(5), open), "no outage");
    traffic(&edge, &tokens());
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
    let (metrics, status) =
        (get(edge.admin(), "/metrics").text(), get(edge.admin(), "/status").text());
    edge.sigterm();
    assert_eq!(edge.wait(Duration::from_secs(15)), Some(0));
    let log = edge.stderr();
    assert!(log.contains("refused"), "the log is not at its most talkative level:\n{log}");
    // The name of the unknown key is its writer's own word and no value; it may be told.
    let log = log.replace("deny[0].hush", "");
    check_silent("the log", &log);
    check_silent("standard output", &edge.stdout());
    check_silent("/metrics", &metrics);
    check_silent("/status", &status);
    for token in &tokens()[..3] {
        let claims = token.split('.').nth(2).unwrap();
        assert!(!log.contains(claims), "the log holds a token");
    }
}

#[test]
fn a_faulty_configuration_is_told_key_by_key_and_without_values() {
    // A secret, where a path, a number, a duration, a choice or a list belongs.
    let wrong = planted()
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
    let config = planted();
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
