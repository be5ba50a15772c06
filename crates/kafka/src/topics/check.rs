//! Are the topics such that an acknowledgement means what the promise needs?

use std::collections::BTreeMap;
use std::time::Duration;

use postern_core::batch::Topic;

use super::admin::{Admin, AdminError, Facts};
use crate::settings::Settings;

/// librdkafka's default of `message.max.bytes`: what a batch of records may weigh.
const DEFAULT_BATCH: u64 = 1_000_000;
/// A retention below this leaves no weekend to mend a consumer.
const SHORT_RETENTION_MILLIS: u64 = 24 * 60 * 60 * 1_000;

/// What the check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// One line each: what is wrong and what to do.
    pub warnings: Vec<String>,
    /// Why topic settings could not be read, where they could not: the check is then incomplete.
    pub unreadable: Option<String>,
}

/// Looks at the three topics; blocks up to `timeout`.
///
/// # Errors
/// When Kafka cannot be asked at all.
pub fn check(settings: &Settings, timeout: Duration) -> Result<Report, AdminError> {
    let admin = Admin::new(settings, timeout)?;
    let mut report = Report::default();
    let mut found = BTreeMap::new();
    for topic in Topic::ALL {
        let name = settings.topics.name(topic);
        match admin.topic(name) {
            Ok(Some(facts)) => drop(found.insert(name, facts)),
            Ok(None) => report.warnings.push(missing(topic, name)),
            Err(error @ AdminError::Refused { .. }) => {
                report.warnings.push(format!("topic `{name}`: {error}; records will not be taken"));
            }
            Err(error) => return Err(error),
        }
    }
    if found.is_empty() {
        return Ok(report);
    }
    match admin.configs(&found.keys().copied().collect::<Vec<_>>()) {
        Ok(mut configs) => {
            for (name, facts) in &mut found {
                facts.config = configs.remove(*name).unwrap_or_default();
            }
        }
        Err(error) => report.unreadable = Some(error.to_string()),
    }
    let batch = settings.properties.get("message.max.bytes");
    let batch = batch.and_then(|value| value.parse().ok()).unwrap_or(DEFAULT_BATCH);
    for (name, facts) in &found {
        report.warnings.extend(judge(name, facts, batch));
    }
    Ok(report)
}

fn missing(topic: Topic, name: &str) -> String {
    let topic = topic.as_str();
    format!("topic `{name}` ({topic}) does not exist; create it with `postern topics create`")
}

/// What is wrong with a topic that exists. `batch` is what a batch of records may weigh, in bytes.
fn judge(name: &str, facts: &Facts, batch: u64) -> Vec<String> {
    let mut lines = Vec::new();
    let mut warn = |text: String| lines.push(format!("topic `{name}`: {text}"));
    let setting = |key: &str| facts.config.get(key).map(String::as_str);
    let number = |key: &str| setting(key).and_then(|value| value.parse::<u64>().ok());

    if facts.leaderless > 0 {
        warn(format!(
            "{} of {} partitions have no leader; records with their keys cannot be taken",
            facts.leaderless, facts.partitions
        ));
    }
    let replication = u64::try_from(facts.replication).unwrap_or(u64::MAX);
    if replication < 3 {
        warn(format!(
            "replication is {replication}: the loss of {}; use 3",
            if replication < 2 {
                "one broker loses acknowledged records"
            } else {
                "two brokers does"
            }
        ));
    }
    if let Some(in_sync) = number("min.insync.replicas") {
        if in_sync < 2 {
            warn(format!(
                "min.insync.replicas is {in_sync}: an acknowledgement may mean one disk only; set 2"
            ));
        } else if in_sync >= replication {
            warn(format!(
                "min.insync.replicas is {in_sync} with replication {replication}: one broker away stops everything; \
                 set it one lower, or add replicas"
            ));
        }
    }
    if setting("unclean.leader.election.enable") == Some("true") {
        warn(
            "unclean.leader.election.enable is true: an election may lose acknowledged records; \
              set false"
                .to_owned(),
        );
    }
    if setting("cleanup.policy").is_some_and(|policy| policy.contains("compact")) {
        warn(
            "it is compacted: of several records with one key only the last stays; set \
              cleanup.policy to delete"
                .to_owned(),
        );
    }
    if let Some(limit) = number("max.message.bytes").filter(|&limit| limit < batch) {
        warn(format!(
            "max.message.bytes is {limit}, less than a batch may weigh ({batch}): whole batches may be refused; \
             raise it, or lower the properties message.max.bytes and batch.size"
        ));
    }
    if let Some(millis) = number("retention.ms").filter(|&ms| ms < SHORT_RETENTION_MILLIS) {
        warn(format!(
            "retention.ms is {millis}, less than a day: a consumer that is away loses events"
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(replication: usize, config: &[(&str, &str)]) -> Facts {
        let config = config.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Facts { partitions: 12, leaderless: 0, replication, config: config.collect() }
    }

    const GOOD: [(&str, &str); 5] = [
        ("min.insync.replicas", "2"),
        ("unclean.leader.election.enable", "false"),
        ("cleanup.policy", "delete"),
        ("max.message.bytes", "1048588"),
        ("retention.ms", "604800000"),
    ];

    #[test]
    fn a_good_topic_is_silent_also_with_endless_retention() {
        assert_eq!(judge("t", &facts(3, &GOOD), DEFAULT_BATCH), [""; 0]);
        let endless = facts(3, &[("retention.ms", "-1")]);
        assert_eq!(judge("t", &endless, DEFAULT_BATCH), [""; 0]);
    }

    #[test]
    fn each_fault_has_its_line() {
        for (name, value, expected) in [
            ("min.insync.replicas", "1", "may mean one disk only"),
            ("min.insync.replicas", "3", "one broker away stops everything"),
            ("unclean.leader.election.enable", "true", "may lose acknowledged"),
            ("cleanup.policy", "compact,delete", "compacted"),
            ("max.message.bytes", "65536", "whole batches may be refused"),
            ("retention.ms", "3600000", "less than a day"),
        ] {
            let mut facts = facts(3, &GOOD);
            facts.config.insert(name.to_owned(), value.to_owned());
            let lines = judge("t", &facts, DEFAULT_BATCH);
            assert_eq!(lines.len(), 1, "{name}={value}: {lines:?}");
            assert!(lines[0].contains(expected) && lines[0].starts_with("topic `t`"), "{lines:?}");
        }
        let mut one = facts(1, &[]);
        assert!(judge("t", &one, DEFAULT_BATCH)[0].contains("loses acknowledged records"));
        one.leaderless = 12;
        assert!(judge("t", &one, DEFAULT_BATCH)[0].contains("12 of 12 partitions have no leader"));
    }
}
