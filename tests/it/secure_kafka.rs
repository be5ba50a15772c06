//! Does postern reach a Kafka that asks for a password or a certificate, and what when it has the wrong one?

use std::time::Duration;

use crate::support::config::{Config, quoted};
use crate::support::consumer::{Record, read_all};
use crate::support::kafka::{Kafka, Options, SCRAM_PASSWORD, Security};
use crate::support::process::Postern;
use crate::support::{graph, hook};

/// One genuine notification, and how it was answered.
fn post(postern: &Postern, id: &str) -> u16 {
    let body =
        graph::notifications(&[id.to_owned()], &hook::graph("org_acme", "user_123", "inbox"));
    postern.post(graph::PATH, &[], body.as_bytes()).status
}

/// A broker that lets few in acknowledges to a postern that is one of them.
fn check_delivery(kafka: &Kafka) {
    let topics = kafka.new_topics();
    let postern = Postern::start(&Config::new(kafka, &topics));
    assert_eq!(post(&postern, "secure-1"), 202, "{}", postern.stderr());
    let records = read_all(kafka, &topics.events);
    assert_eq!(records.iter().map(Record::id).collect::<Vec<_>>(), ["secure-1"]);
}

/// It serves, promises nothing, says why, and does not say the secret.
fn check_refusal(kafka: &Kafka, config: &Config, secret: &str) {
    let mut postern = Postern::start(config);
    assert_eq!(post(&postern, "secure-2"), 503);
    postern.sigterm();
    assert_eq!(postern.wait(Duration::from_secs(15)), Some(0));
    let log = postern.stderr();
    assert!(log.contains(&kafka.bootstrap()), "the log does not name the broker:\n{log}");
    assert!(!log.contains(secret), "the log holds the secret");
}

#[test]
fn sasl_ssl_with_scram_sha_512() {
    let kafka = Kafka::start(&Options { security: Security::ScramSha512, ..Options::default() });
    check_delivery(&kafka);
    let config = Config::new(&kafka, &kafka.new_topics());
    let password = format!("not-{SCRAM_PASSWORD}");
    let file = config.file("wrong-password", password.as_bytes());
    let file = quoted(file.to_str().unwrap());
    let config = config.set("kafka.property_files", &quoted("sasl.password"), &file);
    check_refusal(&kafka, &config, &password);
}

#[test]
fn mutual_tls() {
    let kafka = Kafka::start(&Options { security: Security::MutualTls, ..Options::default() });
    check_delivery(&kafka);
    let stranger = &kafka.certificates().stranger;
    let mut config = Config::new(&kafka, &kafka.new_topics());
    let files =
        [("ssl.certificate.location", &stranger.certificate), ("ssl.key.location", &stranger.key)];
    for (name, file) in files {
        let file = quoted(file.to_str().unwrap());
        config = config.set("kafka.properties", &quoted(name), &file);
    }
    let key = std::fs::read_to_string(&stranger.key).unwrap();
    check_refusal(&kafka, &config, key.lines().nth(1).unwrap());
}
