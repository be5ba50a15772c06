//! Is the annotated example complete and right, and do all problems come at once?

use postern_core::service::Service;

use super::raw::Raw;
use super::read::Reader;
use super::settings::Server;
use super::testing::Files;
use super::*;

/// The example with its files in a directory, and a file for each.
fn example(files: &Files) -> String {
    for name in ["hook-k1", "hook-k2"] {
        files.write(name, format!("{name:x<32}"));
    }
    files.write("kafka-password", "hunter2");
    files.write("legacy-client-state", "an old secret\n");
    EXAMPLE.replace("/run/secrets", &files.root().display().to_string())
}

#[test]
fn the_example_passes_the_check() {
    let files = Files::new();
    let file = files.write("postern.toml", example(&files));
    let source = Source::default().with_file(Some(file.into()));
    let serve = for_serve(&source).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(serve.kafka.properties["sasl.password"], "hunter2");
    assert_eq!(serve.trust.ring().map(postern_core::key_ring::KeyRing::signing_kid), Some("k2"));
    assert!(serve.trust.covers(Service::Graph));
    assert_eq!(serve.settings.pubsub[0].name, "gmail");
}

#[test]
fn the_example_names_every_key() {
    let raw = Raw::parse(EXAMPLE).expect("is TOML");
    let source = Source::default();
    let mut reader = Reader::new(&source, &raw);
    resolve::sections(&mut reader, Need::Serve);
    let known = reader.known();
    for key in &known.keys {
        assert!(raw.get(key).is_some(), "the example lacks {}", key.join("."));
    }
    for map in &known.maps {
        assert!(raw.under(map).count() > 0, "the example lacks {}", map.join("."));
    }
    for list in &known.lists {
        assert!(raw.under(&[format!("{list}[0]")]).count() > 0, "the example lacks [[{list}]]");
    }
    for family in &known.families {
        let named = raw.under(std::slice::from_ref(family)).any(|(at, _)| at.len() > 1);
        assert!(named, "the example lacks [{family}.<name>]");
    }
    assert!(known.families.contains("pubsub"), "the sections of named tables are found at all");
    assert!(known.keys.len() > 35, "the keys are found at all: {}", known.keys.len());
}

#[test]
fn the_example_shows_the_defaults() {
    let defaults = resolve::defaults();
    let example = testing::settings(EXAMPLE);
    assert_eq!(Server { public_url: None, ..example.server }, defaults.server);
    assert_eq!(example.shutdown, defaults.shutdown);
    assert_eq!(example.limits, defaults.limits);
    assert_eq!(example.kafka.topics, defaults.kafka.topics);
    assert_eq!(example.kafka.mode, defaults.kafka.mode);
    assert_eq!(example.cloud, defaults.cloud);
    assert_eq!(example.google, defaults.google);
    let without = |key: &str| -> String {
        EXAMPLE
            .lines()
            .filter(|line| !line.starts_with(key))
            .map(|line| format!("{line}\n"))
            .collect()
    };
    for key in ["audience", "wrapped"] {
        assert_ne!(without(key).len(), EXAMPLE.len(), "{key}");
        assert_eq!(testing::settings(&without(key)).pubsub, example.pubsub, "{key}");
    }
    assert_eq!(example.quarantine, defaults.quarantine);
}

#[test]
fn problems_of_values_and_of_files_come_together_in_the_order_of_lines() {
    let files = Files::new();
    let empty = files.write("empty", "\n");
    let file = files.write(
        "postern.toml",
        format!(
            "[limits]\nitems = 0\n[hook_tokens]\nkeys = {{ k1 = {empty:?} }}\n[renew]\nenabled = true\n\
             [kafka.property_files]\n\"sasl.password\" = \"/nowhere/kafka-password\"\n"
        ),
    );
    let source = Source::default().with_file(Some(file.into()));
    let error = for_serve(&source).expect_err("is full of problems");
    let keys: Vec<&str> = error.problems.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "limits.items",
            "hook_tokens.keys.k1",
            "renew",
            "kafka.property_files.\"sasl.password\"",
            "kafka.bootstrap_servers",
        ]
    );
    assert!(error.to_string().starts_with("5 problems in the configuration /"), "{error}");
}

#[test]
fn the_file_of_a_faulty_table_and_a_name_beside_a_faulty_key_are_judged_too() {
    let files = Files::new();
    let key = files.write("key", "k".repeat(32));
    let file = files.write(
        "postern.toml",
        format!(
            "[kafka]\nbootstrap_servers = \"b:1\"\n[[static_secret]]\nservice = \"ews\"\nfile = \"/no/such\"\n\
             [hook_tokens]\nsigning = \"k9\"\nkeys = {{ k1 = {key:?}, k2 = 5 }}\n"
        ),
    );
    let source = Source::default().with_file(Some(file.into()));
    let error = for_serve(&source).expect_err("is full of problems");
    let mut keys: Vec<&str> = error.problems.iter().map(|problem| problem.key.as_str()).collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "hook_tokens.keys.k2",
            "hook_tokens.signing",
            "static_secret[0].file",
            "static_secret[0].service",
            "static_secret[0].tenant",
        ]
    );
}

#[test]
fn what_only_fails_when_a_client_is_made_is_a_problem_too() {
    let files = Files::new();
    let key = files.write("k1", [b'x'; 32]);
    let check = |properties: &str| -> Vec<String> {
        let text = format!(
            "[hook_tokens]\nkeys = {{ k1 = {key:?} }}\n[kafka]\nbootstrap_servers = \"k:9092\"\n\
             [kafka.properties]\n{properties}"
        );
        let file = files.write("postern.toml", text);
        let source = Source::default().with_file(Some(file.into()));
        let kafka = for_kafka(&source).err().map(|error| error.problems);
        assert_eq!(for_serve(&source).err().map(|error| error.problems), kafka);
        kafka.unwrap_or_default().iter().map(ToString::to_string).collect()
    };
    #[track_caller]
    fn one(problems: &[String], key: &str) {
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with(key), "{problems:?}");
        assert!(!problems[0].contains("hunter2"), "{problems:?}");
    }
    let sasl = "\"security.protocol\" = \"SASL_PLAINTEXT\"\n\"sasl.username\" = \"u\"\n";
    let password = files.write("password", "hunter2\n");
    let password = format!("[kafka.property_files]\n\"sasl.password\" = {password:?}\n");
    let scram = "\"sasl.mechanism\" = \"SCRAM-SHA-512\"\n";
    assert_eq!(check(&[sasl, scram, &password].concat()), [""; 0]);

    let (ca, missing) = (files.write("ca.pem", "hunter2"), files.path("hunter2.pem"));
    for ca in [ca.into(), missing] {
        let ssl = format!("\"security.protocol\" = \"SSL\"\n\"ssl.ca.location\" = {ca:?}\n");
        one(&check(&ssl), "kafka.properties.\"ssl.ca.location\": librdkafka refuses");
        // What is faulty by itself is said once, not again because it is missing.
        one(&check(&format!("{ssl}nonsense = 5\n")), "kafka.properties.nonsense (line 8)");
    }
    // The key is the content of a file, not the path of one.
    let pem = files.write("key.pem", "hunter2 is no key\n");
    let pem = format!(
        "\"security.protocol\" = \"SSL\"\n[kafka.property_files]\n\"ssl.key.pem\" = {pem:?}\n"
    );
    one(&check(&pem), "kafka.property_files.\"ssl.key.pem\" (line 8): librdkafka refuses");
}

#[test]
fn a_file_that_is_none_is_a_problem() {
    let files = Files::new();
    let broken = files.write("broken.toml", "[kafka\nmode = hush");
    let binary = files.write("binary.toml", [0xff, 0xfe]);
    for file in [broken, binary, files.path("missing.toml").display().to_string()] {
        let source = Source::default().with_file(Some(file.into()));
        let error = load(&source, Need::Nothing).expect_err("is no configuration");
        assert!(!error.problems.is_empty() && !error.to_string().contains("hush"), "{error}");
    }
}

#[test]
fn options_stand_in_for_a_file() {
    let source =
        Source::default().with_flag("kafka.bootstrap_servers", "--bootstrap", Some("k:9092"));
    let (_, kafka) = for_kafka(&source).expect("needs no more");
    assert_eq!(kafka.bootstrap_servers, "k:9092");
    let error = for_kafka(&Source::default()).expect_err("has no cluster");
    assert_eq!(error.problems[0].key, "kafka.bootstrap_servers");
}
