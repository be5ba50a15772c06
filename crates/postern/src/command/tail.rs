//! What is in the topics: `postern tail`?

use std::time::Duration;

use clap::ValueEnum;
use postern_core::batch::Topic;
use postern_kafka::TopicNames;
use postern_kafka::tail::{Follower, Start};

use crate::config::{self, Source, resolve_kafka};
use crate::embedded_state::StateDirectory;
use crate::exit::{Exit, UsageError};
use crate::keys::{KeyArgs, Keys};
use crate::{output, render};

/// How long the first contact may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long one look for a record lasts.
const WAIT: Duration = Duration::from_secs(1);

/// Follows the topics, one readable line an event.
///
/// Without a cluster it follows the embedded Kafka that was started last. Quarantined bodies are unsealed where there
/// are keys: from --key, else from the configuration, else from that embedded edge.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  postern tail                                      the embedded Kafka\n  \
                        postern tail --config /etc/postern.toml --topic quarantine --from-beginning\n  \
                        postern tail --bootstrap kafka-0:9092 --json --max 100 | jq .type"
)]
pub(crate) struct Args {
    /// The brokers, host:port, comma-separated [default: those of the configuration].
    #[arg(long, value_name = "SERVERS", value_parser = resolve_kafka::bootstrap_servers)]
    pub(crate) bootstrap: Option<String>,

    /// Follows this topic; may be given several times [default: all three].
    #[arg(long = "topic", value_name = "TOPIC")]
    pub(crate) topics: Vec<TopicWord>,

    /// Starts with the oldest records instead of new ones.
    #[arg(long)]
    pub(crate) from_beginning: bool,

    /// Ends after this many records.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max: Option<u64>,

    /// Prints each record as one JSON object.
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) keys: KeyArgs,
}

/// A topic as it is named on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TopicWord {
    /// What a fetcher acts on.
    Events,
    /// Signals about subscriptions and connections.
    Lifecycle,
    /// What was received and not trusted.
    Quarantine,
}

impl From<TopicWord> for Topic {
    fn from(word: TopicWord) -> Self {
        match word {
            TopicWord::Events => Self::Events,
            TopicWord::Lifecycle => Self::Lifecycle,
            TopicWord::Quarantine => Self::Quarantine,
        }
    }
}

/// Runs until enough was seen or a signal ends it.
pub(crate) fn run(args: &Args, source: Source) -> anyhow::Result<Exit> {
    let ring = Keys::find(&args.keys, &source)?.map(Keys::ring).transpose()?;
    let kafka = cluster(args, source)?;
    let topics: Vec<Topic> = match args.topics.as_slice() {
        [] => Topic::ALL.to_vec(),
        words => Topic::ALL
            .into_iter()
            .filter(|topic| words.iter().any(|word| Topic::from(*word) == *topic))
            .collect(),
    };
    let start = if args.from_beginning { Start::Beginning } else { Start::End };
    let mut follower = Follower::open(&kafka, &topics, start)?;
    follower.connect(CONNECT)?;
    output::note(format_args!(
        "following {} at {}; Ctrl-C ends it",
        names(&topics),
        kafka.bootstrap_servers
    ));
    let mut seen = 0;
    while args.max.is_none_or(|max| seen < max) {
        let Some(record) = follower.next(WAIT) else { continue };
        if args.json {
            output::line(render::json(&record, ring.as_ref()))?;
        } else {
            output::line(render::line(&record, ring.as_ref()))?;
        }
        seen += 1;
    }
    Ok(Exit::Done)
}

/// The cluster that was named, configured, or embedded last.
fn cluster(args: &Args, source: Source) -> anyhow::Result<postern_kafka::Settings> {
    let named = args.bootstrap.is_some();
    if !named && source.is_bare() {
        let state = StateDirectory::of_user()?.read()?.ok_or_else(|| {
            UsageError("no cluster: give --bootstrap HOST:PORT or --config FILE, or start the embedded one with `postern serve`".to_owned())
        })?;
        return Ok(postern_kafka::Settings::new(state.bootstrap, TopicNames::default()));
    }
    let source =
        source.with_flag("kafka.bootstrap_servers", "--bootstrap", args.bootstrap.as_ref());
    Ok(config::for_kafka(&source)?.1)
}

fn names(topics: &[Topic]) -> String {
    let names: Vec<&str> = topics.iter().map(|topic| topic.as_str()).collect();
    names.join(", ")
}
