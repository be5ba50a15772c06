//! Does a record match the JSON Schema that its `dataschema` names?

use std::collections::HashMap;
use std::path::Path;

use jsonschema::Validator;
use serde_json::Value;

/// The schemas of the repository, by `$id`.
pub(crate) struct Schemas {
    validators: HashMap<String, Validator>,
}

impl Schemas {
    pub(crate) fn read() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
        let validators = std::fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{folder:?}: {error}"))
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
            .map(|path| {
                let text = std::fs::read(&path).expect("readable");
                let schema: Value =
                    serde_json::from_slice(&text).unwrap_or_else(|e| panic!("{path:?}: {e}"));
                let id = schema["$id"].as_str().unwrap_or_else(|| panic!("{path:?} has no $id"));
                let validator = jsonschema::options()
                    .should_validate_formats(true)
                    .build(&schema)
                    .unwrap_or_else(|error| panic!("{path:?} is no schema: {error}"));
                (id.to_owned(), validator)
            })
            .collect();
        Self { validators }
    }

    /// Fails the test with every fault of the value.
    pub(crate) fn check(&self, case: &str, id: &str, value: &Value) {
        let validator =
            self.validators.get(id).unwrap_or_else(|| panic!("{case}: no schema has the id {id}"));
        let faults: Vec<String> = validator
            .iter_errors(value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(faults.is_empty(), "{case}: {id}\n{}\n{value:#}", faults.join("\n"));
    }
}
