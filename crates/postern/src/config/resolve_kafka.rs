//! Which cluster, which topics, which librdkafka properties?

use std::collections::BTreeMap;

use postern_core::batch::Topic;
use postern_core::form::ContentMode;
use postern_kafka::TopicNames;

use super::problem::Problem;
use super::raw::Value;
use super::read::{Found, Reader, one_of};
use super::resolve_keys::secret_file;
use super::settings::{Kafka, SecretFile};

/// Properties whose value is a secret: they belong into `kafka.property_files`.
const SECRET_PROPERTIES: [&str; 7] = [
    "sasl.password",
    "sasl.oauthbearer.assertion.private.key.passphrase",
    "sasl.oauthbearer.assertion.private.key.pem",
    "sasl.oauthbearer.client.secret",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.password",
];

/// Reads `[kafka]`; `needed` by commands that cannot do without a cluster.
pub(super) fn kafka(reader: &mut Reader<'_>, needed: bool) -> Kafka {
    let bootstrap = reader.parsed("kafka.bootstrap_servers", bootstrap_servers);
    if needed && bootstrap.is_none() && !reader.has("kafka.bootstrap_servers") {
        reader.note(Problem::of(
            "kafka.bootstrap_servers",
            "missing: name the brokers, such as \"kafka-0:9092,kafka-1:9092\" (the embedded Kafka is only for loopback \
             listeners without any configuration)",
        ));
    }
    let mode = reader.parsed("kafka.mode", |word| match word {
        "structured" => Ok(ContentMode::Structured),
        "binary" => Ok(ContentMode::Binary),
        _ => Err(format!("takes {}", one_of(&["structured", "binary"]))),
    });
    let properties = properties(reader);
    let property_files = property_files(reader, &properties);
    Kafka {
        bootstrap_servers: bootstrap.map(|found| found.value),
        topics: topics(reader),
        mode: mode.map_or_else(ContentMode::default, |found| found.value),
        properties: properties.into_iter().map(|(name, found)| (name, found.value)).collect(),
        property_files,
    }
}

/// One or more of `host:port`, comma-separated; librdkafka takes a missing port for 9092.
pub(crate) fn bootstrap_servers(text: &str) -> Result<String, String> {
    let expected = || Err("takes host:port, comma-separated, such as \"kafka-0:9092\"".to_owned());
    let servers: Vec<&str> = text.split(',').map(str::trim).collect();
    for server in &servers {
        let (host, port) = match server.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port),
            _ => (*server, "9092"),
        };
        let odd = |c: char| c.is_whitespace() || c.is_control();
        let port: Option<u16> = port.parse().ok();
        if host.is_empty() || host.contains(odd) || port.is_none_or(|port| port == 0) {
            return expected();
        }
    }
    Ok(servers.join(","))
}

fn topics(reader: &mut Reader<'_>) -> TopicNames {
    let mut names = TopicNames::default();
    for topic in Topic::ALL {
        let key = format!("kafka.topics.{}", topic.as_str());
        let Some(found) = reader.parsed(&key, topic_name) else { continue };
        *match topic {
            Topic::Events => &mut names.events,
            Topic::Lifecycle => &mut names.lifecycle,
            Topic::Quarantine => &mut names.quarantine,
        } = found.value;
    }
    for topic in Topic::ALL {
        if names.topic(names.name(topic)) != Some(topic) {
            let key = format!("kafka.topics.{}", topic.as_str());
            reader.note(Problem::of(key, "names the topic of another kind: each needs its own"));
        }
    }
    names
}

fn topic_name(name: &str) -> Result<String, String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if name.len() <= 249 && name.bytes().all(allowed) && !matches!(name, "." | "..") {
        Ok(name.to_owned())
    } else {
        Err("takes 1 to 249 of a-z A-Z 0-9 . _ -".to_owned())
    }
}

/// A variable cannot hold dots, and no property that may be set holds an underscore.
fn property_name(variable_end: &str) -> String {
    variable_end.replace('_', ".")
}

fn properties(reader: &mut Reader<'_>) -> BTreeMap<String, Found<String>> {
    let mut properties = BTreeMap::new();
    for (name, found) in reader.map("kafka.properties", property_name) {
        if SECRET_PROPERTIES.contains(&name.as_str()) {
            reader.note(found.problem(
                "is a secret: write it to a file of its own and name that in kafka.property_files",
            ));
            continue;
        }
        let value = match &found.value {
            Value::Text(text) | Value::Float(text) => text.clone(),
            Value::Integer(Some(number)) => number.to_string(),
            Value::Truth(truth) => truth.to_string(),
            _ => {
                reader.note(found.problem("takes text, a number or true and false"));
                continue;
            }
        };
        match postern_kafka::check_value(&name, &value) {
            Ok(()) => {
                let found = Found { key: found.key, place: found.place, value };
                properties.insert(name, found);
            }
            Err(error) => reader.note(found.problem(error.to_string())),
        }
    }
    properties
}

fn property_files(
    reader: &mut Reader<'_>,
    properties: &BTreeMap<String, Found<String>>,
) -> BTreeMap<String, SecretFile> {
    let mut files = BTreeMap::new();
    for (name, found) in reader.map("kafka.property_files", property_name) {
        if properties.contains_key(&name) {
            reader.note(found.problem("is set in kafka.properties too: keep one of the two"));
        } else if let Err(error) = postern_kafka::check_property(&name) {
            reader.note(found.problem(error.to_string()));
        } else if let Some(file) = secret_file(reader, found) {
            files.insert(name, file);
        }
    }
    files
}
