//! Do the published schemas take what the contract allows, and nothing else?
//!
//! `schemas/examples/<schema>/valid` and `invalid` hold the instances: a new one is a file. An invalid one differs from
//! a valid one in a single place, which its name tells, so that it cannot be refused for another reason.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use jsonschema::{Draft, Validator};
use serde_json::Value;

/// Each schema's file with its `$id`.
const SCHEMAS: [(&str, &str); 3] = [
    ("mailbox-event", "urn:postern:mailbox-event:v1"),
    ("lifecycle", "urn:postern:lifecycle:v1"),
    ("quarantine", "urn:postern:quarantine:v1"),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas")
}

fn read(path: &Path) -> Value {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn schema(name: &str) -> Value {
    read(&folder().join(format!("{name}.v1.json")))
}

fn validator(name: &str) -> Validator {
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .build(&schema(name))
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The instances of a folder by name; there are some.
fn instances(name: &str, kind: &str) -> Vec<(String, Value)> {
    let folder = folder().join("examples").join(name).join(kind);
    let mut found: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("the folder can be read").path())
        .map(|path| (path.display().to_string(), read(&path)))
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(!found.is_empty(), "{} is empty", folder.display());
    found
}

/// In how many places two values differ; a member or an element that only one of them has is one place.
fn differences(a: &Value, b: &Value) -> usize {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            let names: BTreeSet<_> = a.keys().chain(b.keys()).collect();
            let differ = |name: &&String| match (a.get(*name), b.get(*name)) {
                (Some(a), Some(b)) => differences(a, b),
                _ => 1,
            };
            names.iter().map(differ).sum()
        }
        _ => usize::from(a != b),
    }
}

#[test]
fn they_are_draft_2020_12_under_their_names() {
    for (name, id) in SCHEMAS {
        let schema = schema(name);
        jsonschema::draft202012::meta::validate(&schema)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(schema["$id"], id);
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    }
}

#[test]
fn they_take_every_valid_instance() {
    for (name, _) in SCHEMAS {
        let validator = validator(name);
        for (path, instance) in instances(name, "valid") {
            let faults: Vec<_> = validator
                .iter_errors(&instance)
                .map(|fault| format!("{}: {fault}", fault.instance_path()))
                .collect();
            assert!(faults.is_empty(), "{path}:\n{}", faults.join("\n"));
        }
    }
}

#[test]
fn they_refuse_every_invalid_instance_for_its_one_fault() {
    for (name, _) in SCHEMAS {
        let validator = validator(name);
        let valid = instances(name, "valid");
        for (path, instance) in instances(name, "invalid") {
            let nearest = valid.iter().map(|(_, valid)| differences(valid, &instance)).min();
            assert_eq!(nearest, Some(1), "{path} differs from no valid instance in one place only");
            assert!(!validator.is_valid(&instance), "{path} is taken");
        }
    }
}

/// Each file stands alone, for validators that load one file; so what they share is written more than once.
#[test]
fn what_they_share_is_the_same() {
    let events = schema("mailbox-event");
    for other in ["lifecycle", "quarantine"] {
        let other = schema(other);
        let shared = other["$defs"].as_object().expect("there are definitions");
        let same: Vec<_> = shared
            .iter()
            .filter(|(name, _)| *name != "data" && events["$defs"].get(name).is_some())
            .collect();
        assert!(same.len() >= 3, "{same:?}");
        for (name, definition) in same {
            assert_eq!(*definition, events["$defs"][name], "{name}");
        }
    }
}

#[test]
fn the_topics_file_names_schemas_that_exist() {
    let text =
        fs::read_to_string(folder().join("asyncapi.yaml")).expect("it is part of the repository");
    let mut references = 0;
    for reference in text.lines().filter_map(|line| line.trim().strip_prefix("$ref: ./")) {
        let (file, pointer) = reference.split_once('#').unwrap_or((reference, ""));
        let schema = read(&folder().join(file));
        assert!(schema.pointer(pointer).is_some(), "{reference}");
        references += 1;
    }
    assert_eq!(references, 5);
}
