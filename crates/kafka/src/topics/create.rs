//! How do planned topics come into being, and how do those that exist differ from the plan?

use std::time::Duration;

use rdkafka::admin::{NewTopic, TopicReplication};
use rdkafka::types::RDKafkaErrorCode;

use super::TopicPlan;
use super::admin::{Admin, AdminError, Facts, block_on, code_of, refused};
use crate::failure;
use crate::settings::Settings;

/// What became of one planned topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// It did not exist and does now.
    Created,
    /// It existed and was left alone; one line for each difference from the plan.
    Exists {
        /// In words; empty when it is as planned.
        differences: Vec<String>,
    },
    /// Kafka refused.
    Failed {
        /// Why, and what to do.
        reason: String,
    },
}

/// Creates the topics that do not exist; changes none that does. Blocks up to `timeout`. The results come in the
/// order of the plan.
///
/// # Errors
/// When Kafka cannot be asked at all; what happens to a single topic is in its result.
pub fn create(
    settings: &Settings,
    plan: &[TopicPlan],
    timeout: Duration,
) -> Result<Vec<(TopicPlan, Created)>, AdminError> {
    let admin = Admin::new(settings, timeout)?;
    let mut results = Vec::with_capacity(plan.len());
    for topic in plan {
        let result = match admin.topic(&topic.name) {
            Ok(Some(facts)) => exists(&admin, topic, facts),
            Ok(None) => create_one(&admin, topic)?,
            Err(error @ AdminError::Refused { .. }) => failed(error.to_string()),
            Err(error) => return Err(error),
        };
        results.push((topic.clone(), result));
    }
    Ok(results)
}

const fn failed(reason: String) -> Created {
    Created::Failed { reason }
}

fn create_one(admin: &Admin, plan: &TopicPlan) -> Result<Created, AdminError> {
    let replication = TopicReplication::Fixed(plan.replication);
    let mut topic = NewTopic::new(&plan.name, plan.partitions, replication);
    for (name, value) in &plan.config {
        topic = topic.set(name, value);
    }
    let options = admin.options();
    let answer = block_on(admin.client.create_topics([&topic], &options))?;
    let results = match answer {
        Ok(results) => results,
        Err(error) => return Ok(failed(refused("create it", code_of(&error)).to_string())),
    };
    Ok(match results.into_iter().next() {
        Some(Ok(_)) => Created::Created,
        // Somebody else was faster.
        Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => match admin.topic(&plan.name)? {
            Some(facts) => exists(admin, plan, facts),
            None => Created::Exists { differences: Vec::new() },
        },
        Some(Err((_, code))) => failed(explain(code, plan)),
        None => failed("kafka did not say what became of it".to_owned()),
    })
}

/// What to do about the refusals that operators meet.
fn explain(code: RDKafkaErrorCode, plan: &TopicPlan) -> String {
    let name = failure::name(code);
    match code {
        RDKafkaErrorCode::InvalidReplicationFactor => format!(
            "{name}: the cluster has fewer than {} brokers; use a lower --replication, for development only",
            plan.replication
        ),
        RDKafkaErrorCode::TopicAuthorizationFailed
        | RDKafkaErrorCode::ClusterAuthorizationFailed => {
            format!("{name}: this user may not create topics; use one that has CREATE")
        }
        _ => name,
    }
}

fn exists(admin: &Admin, plan: &TopicPlan, mut facts: Facts) -> Created {
    let mut differences = Vec::new();
    match admin.configs(&[&plan.name]) {
        Ok(mut configs) => facts.config = configs.remove(&plan.name).unwrap_or_default(),
        Err(error) => differences.push(format!("its settings are not known: {error}")),
    }
    differences.extend(compare(plan, &facts));
    Created::Exists { differences }
}

/// One line for each difference.
fn compare(plan: &TopicPlan, facts: &Facts) -> Vec<String> {
    let mut lines = Vec::new();
    let mut differ = |what: &str, is: String, planned: String| {
        if is != planned {
            lines.push(format!("{what} is {is}, planned {planned}"));
        }
    };
    differ("partitions", facts.partitions.to_string(), plan.partitions.to_string());
    differ("replication", facts.replication.to_string(), plan.replication.to_string());
    for (name, planned) in &plan.config {
        if let Some(value) = facts.config.get(*name) {
            differ(name, value.clone(), planned.clone());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::TopicNames;
    use crate::topics::{PlanOptions, plan};

    #[test]
    fn differences_are_listed_and_equality_is_silent() {
        let plan = plan(&TopicNames::default(), &PlanOptions::default()).unwrap().remove(0);
        let config = plan.config.iter().map(|(&name, value)| (name.to_owned(), value.clone()));
        let mut facts =
            Facts { partitions: 12, leaderless: 0, replication: 3, config: config.collect() };
        assert_eq!(compare(&plan, &facts), [""; 0]);
        facts.partitions = 6;
        facts.config.insert("min.insync.replicas".into(), "1".into());
        assert_eq!(
            compare(&plan, &facts),
            ["partitions is 6, planned 12", "min.insync.replicas is 1, planned 2"]
        );
    }
}
