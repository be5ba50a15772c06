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
            "[limits]\nitems = 0\n[hook_tokens]\nkeys = {{ k1 = {empty:?} }}\n[spool]\ndir = \"/x\"\n\
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
            "spool",
            "kafka.property_files.\"sasl.password\"",
            "kafka.bootstrap_servers",
        ]
    );
    assert!(error.to_string().starts_with("5 problems in the configuration /"), "{error}");
}

#[test]
fn properties_that_only_fail_together_are_a_problem_too() {
    let files = Files::new();
    let key = files.write("k1", [b'x'; 32]);
    let password = files.write("password", "hunter2\n");
    let check = |properties: &str| {
        let text = format!(
            "[hook_tokens]\nkeys = {{ k1 = {key:?} }}\n[kafka]\nbootstrap_servers = \"k:9092\"\n\
             property_files = {{ \"sasl.password\" = {password:?} }}\n[kafka.properties]\n{properties}"
        );
        let file = files.write("postern.toml", text);
        let source = Source::default().with_file(Some(file.into()));
        let kafka = for_kafka(&source).err().map(|error| error.problems);
        assert_eq!(for_serve(&source).err().map(|error| error.problems), kafka);
        kafka.unwrap_or_default()
    };
    let sasl = "\"security.protocol\" = \"SASL_PLAINTEXT\"\n\"sasl.username\" = \"u\"\n";
    assert_eq!(check(&format!("{sasl}\"sasl.mechanism\" = \"SCRAM-SHA-512\"")), []);
    let missing = files.path("ca.pem");
    let ssl = format!("\"security.protocol\" = \"SSL\"\n\"ssl.ca.location\" = {missing:?}");
    let problems = check(&ssl);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0].key, "kafka.properties");
    assert!(problems[0].message.contains("ssl.ca.location"), "{}", problems[0]);
    // What is faulty by itself is said once, not again because it is missing.
    let problems = check(&format!("{ssl}\nnonsense = 5"));
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0].key, "kafka.properties.nonsense");
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
