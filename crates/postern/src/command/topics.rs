//! Which topics does postern need, and how do they come into being: `postern topics`?

use std::time::Duration;

use clap::Subcommand;
use comfy_table::{Table, presets};
use postern_kafka::topics::{self, Created, PlanOptions, TopicPlan};
use serde_json::{Value, json};

use crate::config::{self, Need, Source, resolve_kafka, units};
use crate::exit::{Exit, UsageError};
use crate::output;

/// How long Kafka may take to create the topics.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Plans and creates the topics.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  postern topics create --config /etc/postern.toml")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: TopicsCommand,
}

#[derive(Debug, Subcommand)]
enum TopicsCommand {
    /// Prints the topics with partitions, replication and settings; touches no network.
    #[command(
        after_help = "Examples:\n  postern topics plan\n  postern topics plan --events-partitions 48 --json"
    )]
    Plan(PlanArgs),
    /// Creates the topics that do not exist and says how those that exist differ from the plan.
    #[command(after_help = "Examples:\n  postern topics create --config /etc/postern.toml\n  \
                            postern topics create --bootstrap 127.0.0.1:9092 --replication 1 --min-insync 1")]
    Create {
        #[command(flatten)]
        plan: PlanArgs,

        /// The brokers, host:port, comma-separated [default: those of the configuration].
        #[arg(long, value_name = "SERVERS", value_parser = resolve_kafka::bootstrap_servers)]
        bootstrap: Option<String>,
    },
}

#[derive(Debug, clap::Args)]
struct PlanArgs {
    /// Partitions of the events topic.
    #[arg(long, value_name = "N", default_value_t = PlanOptions::default().events_partitions)]
    events_partitions: i32,

    /// Partitions of the lifecycle topic.
    #[arg(long, value_name = "N", default_value_t = PlanOptions::default().lifecycle_partitions)]
    lifecycle_partitions: i32,

    /// Partitions of the quarantine topic.
    #[arg(long, value_name = "N", default_value_t = PlanOptions::default().quarantine_partitions)]
    quarantine_partitions: i32,

    /// How long events and signals are kept.
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = units::duration)]
    retention: Duration,

    /// How long quarantined deliveries are kept.
    #[arg(long, value_name = "TIME", default_value = "14d", value_parser = units::duration)]
    quarantine_retention: Duration,

    /// Copies of each record.
    #[arg(long, value_name = "N", default_value_t = PlanOptions::default().replication)]
    replication: i32,

    /// Copies that must be written before a record is acknowledged.
    #[arg(long, value_name = "N", default_value_t = PlanOptions::default().min_insync_replicas)]
    min_insync: i32,

    /// The largest batch of records that a topic takes, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = PlanOptions::default().max_message_bytes)]
    max_message_bytes: i32,

    /// Prints a JSON list.
    #[arg(long)]
    json: bool,
}

impl PlanArgs {
    fn options(&self) -> PlanOptions {
        PlanOptions {
            events_partitions: self.events_partitions,
            lifecycle_partitions: self.lifecycle_partitions,
            quarantine_partitions: self.quarantine_partitions,
            retention: self.retention,
            quarantine_retention: self.quarantine_retention,
            replication: self.replication,
            min_insync_replicas: self.min_insync,
            max_message_bytes: self.max_message_bytes,
        }
    }

    fn plan(&self, names: &postern_kafka::TopicNames) -> Result<Vec<TopicPlan>, UsageError> {
        topics::plan(names, &self.options()).map_err(|error| UsageError(error.to_string()))
    }
}

/// Plans or creates.
pub(crate) fn run(args: &Args, source: Source) -> anyhow::Result<Exit> {
    match &args.command {
        TopicsCommand::Plan(args) => {
            let settings = config::load(&source, Need::Nothing)?;
            let plan = args.plan(&settings.kafka.topics)?;
            if args.json {
                output::line(json_list(plan.iter().map(json_of)))?;
            } else {
                output::text(&table(&plan))?;
            }
            Ok(Exit::Done)
        }
        TopicsCommand::Create { plan, bootstrap } => {
            let source =
                source.with_flag("kafka.bootstrap_servers", "--bootstrap", bootstrap.as_ref());
            let (_, kafka) = config::for_kafka(&source)?;
            let topics = plan.plan(&kafka.topics)?;
            output::note(format_args!("asking {} ...", kafka.bootstrap_servers));
            let results = topics::create(&kafka, &topics, TIMEOUT)?;
            report(&results, plan.json)
        }
    }
}

fn report(results: &[(TopicPlan, Created)], json: bool) -> anyhow::Result<Exit> {
    if json {
        output::line(json_list(results.iter().map(json_of_result)))?;
    } else {
        for (topic, created) in results {
            output::line(format_args!("{}: {}", topic.name, say(created)))?;
        }
    }
    let failed = results.iter().any(|(_, created)| matches!(created, Created::Failed { .. }));
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

fn say(created: &Created) -> String {
    match created {
        Created::Created => "created".to_owned(),
        Created::Exists { differences } if differences.is_empty() => "exists as planned".to_owned(),
        Created::Exists { differences } => {
            format!("exists and was left alone; {}", differences.join("; "))
        }
        Created::Failed { reason } => format!("not created: {reason}"),
    }
}

fn table(plan: &[TopicPlan]) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    table.set_header(["topic", "partitions", "replication", "settings"]);
    for topic in plan {
        let settings = topic.config.iter().map(|(name, value)| format!("{name}={value}"));
        table.add_row([
            topic.name.clone(),
            topic.partitions.to_string(),
            topic.replication.to_string(),
            settings.collect::<Vec<_>>().join("\n"),
        ]);
    }
    format!("{table}\n")
}

fn json_list(items: impl Iterator<Item = Value>) -> String {
    let items: Vec<Value> = items.collect();
    format!("{:#}", Value::Array(items))
}

fn json_of(topic: &TopicPlan) -> Value {
    json!({
        "topic": topic.topic.as_str(),
        "name": topic.name,
        "partitions": topic.partitions,
        "replication": topic.replication,
        "config": topic.config,
    })
}

fn json_of_result((topic, created): &(TopicPlan, Created)) -> Value {
    let mut json = json_of(topic);
    let (outcome, details) = match created {
        Created::Created => ("created", Vec::new()),
        Created::Exists { differences } => ("exists", differences.clone()),
        Created::Failed { reason } => ("failed", vec![reason.clone()]),
    };
    json["outcome"] = json!(outcome);
    json["details"] = json!(details);
    json
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use postern_kafka::TopicNames;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        plan: PlanArgs,
    }

    fn parse(options: &[&str]) -> PlanArgs {
        Line::try_parse_from([&["x"], options].concat()).expect("is right").plan
    }

    #[test]
    fn the_options_default_to_the_plans_own() {
        assert_eq!(parse(&[]).options(), PlanOptions::default());
    }

    #[test]
    fn the_plan_shows_what_was_asked_for() {
        let args = parse(&["--events-partitions", "48", "--quarantine-retention", "30d"]);
        let plan = args.plan(&TopicNames::default()).expect("makes sense");
        let text = table(&plan);
        assert!(text.contains("48") && text.contains("retention.ms=2592000000"), "{text}");
        let json: Value = serde_json::from_str(&json_list(plan.iter().map(json_of))).expect("JSON");
        assert_eq!(json[0]["partitions"], 48);
        assert_eq!(json[2]["config"]["min.insync.replicas"], "2");
    }

    #[test]
    fn nonsense_is_wrong_usage() {
        let args = parse(&["--replication", "1"]);
        assert!(args.plan(&TopicNames::default()).is_err());
    }

    #[test]
    fn every_outcome_is_said() {
        let differs = Created::Exists { differences: vec!["partitions is 6, planned 12".into()] };
        assert!(say(&differs).contains("planned 12"));
        assert!(say(&Created::Failed { reason: "no".into() }).contains("no"));
    }
}
