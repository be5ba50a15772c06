//! Does a record match the JSON Schema that the repository publishes for its topic?

use std::fs;
use std::sync::OnceLock;

use jsonschema::Validator;
use serde_json::Value;

use super::place;

/// What a topic holds; each has a schema of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Change notifications.
    Events,
    /// Signals about subscriptions.
    Lifecycle,
    /// What was not trusted.
    Quarantine,
}

impl Kind {
    /// By the name that [`super::kafka::Topics`] gives; `None` for a topic that is not postern's.
    pub fn of_topic(topic: &str) -> Option<Self> {
        let kinds = [Self::Events, Self::Lifecycle, Self::Quarantine];
        kinds.into_iter().find(|kind| topic.ends_with(&format!(".{}.v1", kind.topic_word())))
    }

    fn topic_word(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Lifecycle => "lifecycle",
            Self::Quarantine => "quarantine",
        }
    }

    /// The schema's file, and the last part but one of its `dataschema`.
    pub fn schema_word(self) -> &'static str {
        match self {
            Self::Events => "mailbox-event",
            Self::Lifecycle => "lifecycle",
            Self::Quarantine => "quarantine",
        }
    }

    /// Fails the test, with every fault named, when a value does not match.
    pub fn check(self, value: &Value) {
        let faults: Vec<_> = self
            .validator()
            .iter_errors(value)
            .map(|error| format!("at {:?}: {error}", error.instance_path().as_str()))
            .collect();
        assert!(
            faults.is_empty(),
            "the record does not match schemas/{}.v1.json:\n{}\n{value:#}",
            self.schema_word(),
            faults.join("\n"),
        );
    }

    fn validator(self) -> &'static Validator {
        static VALIDATORS: [OnceLock<Validator>; 3] = [const { OnceLock::new() }; 3];
        VALIDATORS[self as usize].get_or_init(|| {
            let file = place::repository().join(format!("schemas/{}.v1.json", self.schema_word()));
            let text = fs::read(&file)
                .unwrap_or_else(|error| panic!("{} is not readable: {error}", file.display()));
            let schema: Value = serde_json::from_slice(&text).expect("a schema is JSON");
            jsonschema::options()
                .should_validate_formats(true)
                .build(&schema)
                .unwrap_or_else(|error| panic!("{} is no schema: {error}", file.display()))
        })
    }
}
