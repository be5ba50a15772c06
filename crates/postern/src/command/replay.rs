//! What of the quarantine passes with today's keys: `postern replay`?

mod filter;
mod publisher;
mod report;
mod session;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use postern_core::batch::Topic;
use postern_core::replay::Judge;
use postern_core::trust::Trust;
use postern_kafka::backlog::{Backlog, From};
use tokio::runtime::Runtime;

use crate::config::problem::{ConfigError, Problem};
use crate::config::{self, Settings, Source};
use crate::exit::Exit;
use crate::{output, running, signals};

use filter::Filter;
use publisher::Publisher;
use report::{Kept, Report};
use session::Session;

/// How long the first contact may take.
const CONNECT: Duration = Duration::from_secs(10);

/// Judges quarantined deliveries again with today's keys, secrets, sources and deny rules, and publishes what passes.
///
/// What passes has the ids and receipt times that it would have had at first, and is judged as of then: a token that had
/// expired stays expired. A consumer group remembers what was dealt with; its place moves only once Kafka has
/// acknowledged what came out, so a run that breaks off may publish twice and loses nothing. It ends where the topic
/// ended at the start.
///
/// What is still not trusted is passed over. It stays in the topic until its retention ends: after another change of
/// keys, --from-beginning judges it again. With a filter, or --dry-run, the group stays where it is.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  postern replay --config /etc/postern.toml --dry-run      what would pass, publishing nothing\n  \
                        postern replay --config /etc/postern.toml\n  \
                        postern replay --config /etc/postern.toml --from-beginning --reason unknown-key --since 2d --json"
)]
pub(crate) struct Args {
    /// Judges, publishes nothing and leaves the group where it is.
    #[arg(long)]
    dry_run: bool,

    /// Starts with the oldest delivery that Kafka still has, not where the group stands. What was published before is
    /// published again.
    #[arg(long)]
    from_beginning: bool,

    /// Ends after this many deliveries.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,

    #[command(flatten)]
    filter: Filter,

    /// The consumer group that remembers what was dealt with.
    #[arg(long, value_name = "NAME", default_value = "postern-replay", value_parser = group)]
    group: String,

    /// Prints the summary as one JSON object.
    #[arg(long)]
    json: bool,
}

fn group(text: &str) -> Result<String, String> {
    match text {
        "" => Err("a group has a name".to_owned()),
        "postern-tail" => Err("is the name that `postern tail` goes by; take another".to_owned()),
        name => Ok(name.to_owned()),
    }
}

/// Runs to the end of what is there, to its limit, or until a signal ends it.
pub(crate) fn run(args: &Args, source: &Source) -> anyhow::Result<Exit> {
    let config::Serve { settings, trust, kafka, .. } = config::for_serve(source)?;
    if trust.ring().is_none() {
        let message = "missing: without keys nothing of the quarantine opens; give hook_tokens.keys those that were in use";
        let problems = vec![Problem::of("hook_tokens", message)];
        return Err(ConfigError::new(source.file.clone(), problems).into());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let stop = stop_when_told(&runtime)?;
    let from = if args.from_beginning { From::Beginning } else { From::Group };
    output::note(format_args!("asking {} ...", kafka.bootstrap_servers));
    let backlog = Backlog::open(&kafka, Topic::Quarantine, &args.group, from, CONNECT)?;
    let publisher = (!args.dry_run)
        .then(|| Publisher::start(&kafka, runtime.handle(), Arc::clone(&stop)))
        .transpose()?;
    let session = args.session(&settings, &trust, backlog, publisher, &stop);
    let (report, ended) = session.run();
    if args.json {
        output::line(report.json(&args.group))?;
    } else {
        output::text(&report.to_string())?;
    }
    // The report stands, whatever ended the run.
    ended?;
    Ok(if report.failed > 0 { Exit::Failed } else { Exit::Done })
}

/// Raised by the first SIGTERM or SIGINT; a second one ends the process at once.
fn stop_when_told(runtime: &Runtime) -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&stop);
    let _entered = runtime.enter();
    let told = signals::told_to_stop()?;
    runtime.spawn(async move {
        told.await;
        raised.store(true, Ordering::Release);
        output::note("stopping: what Kafka acknowledged is remembered, the rest comes again");
    });
    Ok(stop)
}

impl Args {
    fn session<'a>(
        &'a self,
        settings: &'a Settings,
        trust: &'a Trust,
        backlog: Backlog,
        publisher: Option<Publisher>,
        stop: &'a AtomicBool,
    ) -> Session<'a> {
        let kept = match (self.dry_run, self.filter.is_set()) {
            (true, _) => Kept::NotInDryRun,
            (false, true) => Kept::NotWithFilter,
            (false, false) => Kept::Moved,
        };
        let judge = Judge { trust, sources: &settings.pubsub, form: running::form(settings) };
        let report = Report { left: backlog.left(), kept, ..Report::default() };
        Session { backlog, judge, publisher, filter: &self.filter, limit: self.limit, stop, report }
    }
}
