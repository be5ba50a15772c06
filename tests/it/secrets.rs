//! Does any secret, token, address or body show in logs, metrics or answers, also at the most talkative level?

use std::time::Duration;

use crate::support::client::get;
use crate::support::config::Config;
use crate::support::kafka::Kafka;
use crate::support::process::Postern;
use crate::support::{graph, hook};

#[test]
fn nothing_planted_is_told() {
    let kafka = Kafka::shared();
    let config = Config::new(kafka, &kafka.new_topics());
    let secret = config.file("legacy", b"planted-static-secret");
    let secret = format!(
        "[[static_secret]]\nservice = \"graph\"\nfile = {:?}\ntenant = \"planted-tenant\"",
        secret.to_str().unwrap()
    );
    let config = config.append(&secret);
    let level = "info,postern=trace,postern_core=trace,postern_edge=trace,postern_kafka=trace";
    let mut postern = Postern::start_with(&config, |command| {
        command.env("POSTERN_LOG", level);
    });

    let token = hook::graph("planted-tenant", "planted-user", "planted-label");
    let forged = format!("{}AAAA", &token[..token.len() - 4]);
    let body = |state: &str| graph::notifications(&["planted-id".to_owned()], state);
    let taken = [&*token, "planted-static-secret", &forged, "planted-junk", ""];
    for state in taken {
        assert_eq!(postern.post(graph::PATH, &[], body(state).as_bytes()).status, 202, "{state}");
    }
    let query = format!("{}?planted-query=planted", graph::PATH);
    assert_eq!(postern.post(&query, &[], b"planted-broken {").status, 400);
    let path = "/v1/microsoft/graph/planted-segment";
    assert_eq!(postern.post(path, &[], body(&token).as_bytes()).status, 202);
    assert_eq!(postern.post("/planted-path", &[], b"planted").status, 404);
    let bearer = [("Authorization", "Bearer planted.bearer.token")];
    assert_eq!(postern.post("/v1/google/pubsub/none", &bearer, b"planted").status, 404);
    let channel = [
        ("X-Goog-Channel-ID", "planted-channel"),
        ("X-Goog-Channel-Token", "planted-channel-token"),
        ("X-Goog-Message-Number", "1"),
        ("X-Goog-Resource-State", "exists"),
    ];
    assert_eq!(postern.post("/v1/google/calendar", &channel, b"").status, 204);
    let echo = format!("{}?validationToken=planted-validation", graph::PATH);
    assert_eq!(postern.post(&echo, &[], b"").text(), "planted-validation");

    let metrics = get(postern.admin(), "/metrics").text();
    let status = get(postern.admin(), "/status").text();
    postern.sigterm();
    assert_eq!(postern.wait(Duration::from_secs(15)), Some(0));
    let log = postern.stderr();
    assert!(log.contains("refused"), "the log is not at its most talkative level:\n{log}");
    let parts: Vec<&str> = token.split('.').collect();
    for (name, text) in [
        ("/metrics", &metrics),
        ("/status", &status),
        ("standard error", &log),
        ("standard output", &postern.stdout()),
    ] {
        for secret in ["planted", parts[2], parts[3], "5a0f6f3c-6b0e-4d0a", "AAMkADk0"] {
            assert!(!text.contains(secret), "{name} tells {secret}:\n{text}");
        }
    }
}
