//! What does postern do, in one terminal: `postern demo`?

use std::io::{self, IsTerminal as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use postern_core::batch::Topic;
use postern_core::key_ring::KeyRing;
use postern_kafka::tail::{Follower, Start};
use postern_sim::{Load, Mix, Pace, Target};
use tokio::sync::Notify;

use crate::config::{Source, units};
use crate::embedded::EmbeddedEdge;
use crate::exit::Exit;
use crate::keys::Keys;
use crate::telemetry::LogFormat;
use crate::traffic::{self, Senders};
use crate::{output, render, signals};

/// Nobody is there to press Ctrl-C.
const WITHOUT_TERMINAL: Duration = Duration::from_secs(60);
/// How long the embedded Kafka may take to answer.
const CONNECT: Duration = Duration::from_secs(10);
/// How long one look for a record lasts.
const LOOK: Duration = Duration::from_millis(100);
/// How long records may be on their way to the reader.
const CATCH_UP: Duration = Duration::from_millis(500);

/// The five-minute tour: serve, simulate and tail in one terminal on an embedded Kafka.
///
/// Nothing is durable and nothing has to be set up. Ends by itself after 60 s when standard output is no terminal.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  postern demo\n  postern demo --rate 5 --duration 30s")]
pub(crate) struct Args {
    /// Where the simulated provider posts [default: any free port of 127.0.0.1].
    #[arg(long, value_name = "ADDR")]
    pub(crate) public: Option<SocketAddr>,

    /// Where /livez, /readyz, /metrics and /status are [default: any free port of 127.0.0.1].
    #[arg(long, value_name = "ADDR")]
    pub(crate) admin: Option<SocketAddr>,

    /// Deliveries a second.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) rate: u32,

    /// Ends after this time [default: never on a terminal, 60s elsewhere].
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    pub(crate) duration: Option<Duration>,

    /// Form of the log [default: text on a terminal, JSON in a pipe].
    #[arg(long, value_name = "FORM")]
    pub(crate) log: Option<LogFormat>,
}

/// Runs until its time is over or a signal ends it.
pub(crate) fn run(args: &Args, _source: Source) -> anyhow::Result<Exit> {
    let duration =
        args.duration.or_else(|| (!io::stdout().is_terminal()).then_some(WITHOUT_TERMINAL));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let exit = runtime.block_on(tour(args, duration));
    runtime.shutdown_background();
    exit
}

async fn tour(args: &Args, duration: Option<Duration>) -> anyhow::Result<Exit> {
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let (public, admin) = (args.public.unwrap_or(any_port), args.admin.unwrap_or(any_port));
    let told_to_stop = signals::told_to_stop()?;
    let edge = EmbeddedEdge::start(public, admin).await?;
    output::note(edge.banner("demo"));
    let ends = match duration {
        Some(duration) => format!("ends after {}, or with Ctrl-C", units::show_duration(duration)),
        None => "ends with Ctrl-C".to_owned(),
    };
    output::note(format_args!(
        "  this tour  {} deliveries a second, some forged, some odd; {ends}\n",
        args.rate
    ));

    edge.running.ready().await;
    let key = (edge.key.kid.to_owned(), edge.key.secret.clone());
    let keys = Keys { signing: edge.key.kid.to_owned(), keys: vec![key] };
    let pushes = Senders::pushes(edge.pubsub.clone(), &edge.signer);
    let senders = Senders { keys, pushes };
    let scenario = senders.scenario(traffic::fresh_seed(), Mix::varied(), &[])?;
    let target = Target::parse(&format!("http://{}", edge.running.public))?;
    let pace = Pace::Open { per_second: f64::from(args.rate) };
    let load = Load { pace, duration, ..Load::new(target) };

    let (stop_tail, stopped) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
    let tail = {
        let (kafka, ring, stop) =
            (edge.kafka.clone(), senders.keys.ring()?, Arc::clone(&stop_tail));
        let reader_gone = Arc::clone(&stopped);
        tokio::task::spawn_blocking(move || {
            follow(&kafka, &ring, &stop).inspect_err(|_| reader_gone.notify_one())
        })
    };
    let told = async {
        tokio::select! {
            () = told_to_stop => {}
            () = stopped.notified() => {}
        }
    };
    let report = postern_sim::run(load, scenario, Arc::new(()), Arc::default(), told).await?;

    // What was published last is still on its way to the reader.
    tokio::time::sleep(CATCH_UP).await;
    stop_tail.store(true, Ordering::Release);
    tail.await??;
    output::text(&format!("\n{report}"))?;
    edge.stop().await;
    Ok(Exit::Done)
}

/// Prints records until told to stop.
fn follow(
    kafka: &postern_kafka::Settings,
    ring: &KeyRing,
    stop: &AtomicBool,
) -> anyhow::Result<()> {
    let mut follower = Follower::open(kafka, &Topic::ALL, Start::Beginning)?;
    follower.connect(CONNECT)?;
    while !stop.load(Ordering::Acquire) {
        if let Some(record) = follower.next(LOOK) {
            output::line(render::line(&record, Some(ring)))?;
        }
    }
    Ok(())
}
