//! How does an edge stand up to provider traffic: `postern simulate`?

use std::time::Duration;

use postern_sim::{Load, Mix, Pace, Push, Signer, Target};

use crate::config::{Source, units};
use crate::embedded_state::StateDirectory;
use crate::exit::{Exit, UsageError};
use crate::keys::{KeyArgs, Keys};
use crate::output;
use crate::traffic::{self, ProviderWord, Senders};

/// How long a run lasts where nothing says.
const DEFAULT_DURATION: Duration = Duration::from_secs(10);

/// Posts provider-shaped, correctly signed traffic to a running edge and reports what came of it.
///
/// Without a target it posts to the embedded edge that was started last. Keys come from --key, else from the
/// configuration, else from that embedded edge.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  postern simulate                                          the embedded edge\n  \
                        postern simulate --rate 200 --duration 1m --forged 10 --duplicates 5\n  \
                        postern simulate https://hooks.example.com --key k2=/run/secrets/hook-k2 --count 1000 --json"
)]
pub(crate) struct Args {
    /// Base URL of the edge [default: the embedded edge that was started last].
    #[arg(value_name = "URL")]
    pub(crate) target: Option<String>,

    /// Deliveries a second; 0 sends as fast as the answers come.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(crate) rate: u32,

    /// Connections that are kept open.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) connections: u32,

    /// How long [default: 10s, unless --count is given].
    #[arg(long, value_name = "TIME", value_parser = units::duration, conflicts_with = "count")]
    pub(crate) duration: Option<Duration>,

    /// How many deliveries.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,

    /// Items in each delivery.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=2_000))]
    pub(crate) batch: u32,

    /// Percent of the items that are forged.
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) forged: u8,

    /// Percent of the deliveries that come twice.
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) duplicates: u8,

    /// Percent of the deliveries whose body comes slowly.
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) delayed: u8,

    /// Percent of the items that are lifecycle notifications.
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) lifecycle: u8,

    /// Plays this provider; may be given several times [default: all that can be signed].
    #[arg(long = "provider", value_name = "PROVIDER")]
    pub(crate) providers: Vec<ProviderWord>,

    /// The same seed gives the same traffic [default: a new one, which the report names].
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,

    /// Prints the report as one JSON object.
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) keys: KeyArgs,
}

/// Runs until everything was sent and answered, or a signal ends it.
pub(crate) fn run(args: &Args, source: &Source) -> anyhow::Result<Exit> {
    let keys = Keys::required(&args.keys, source)?;
    let target = Target::parse(&target(args)?).map_err(|error| UsageError(error.to_string()))?;
    let seed = args.seed.unwrap_or_else(traffic::fresh_seed);
    let senders = Senders { keys, pushes: pushes(args)? };
    let scenario = senders.scenario(seed, args.mix(), &args.providers)?;
    let pace = match args.rate {
        0 => Pace::Closed,
        rate => Pace::Open { per_second: f64::from(rate) },
    };
    let duration = args.duration.or_else(|| args.count.is_none().then_some(DEFAULT_DURATION));
    let connections = usize::try_from(args.connections)?;
    let load = Load { connections, pace, requests: args.count, duration, ..Load::new(target) };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let report = runtime.block_on(traffic::run_with_progress(load, scenario, args.rate))?;
    if args.json {
        let mut json = serde_json::to_value(&report)?;
        json["seed"] = seed.into();
        output::line(json)?;
    } else {
        output::text(&report.to_string())?;
        output::line(format_args!("seed       {seed}"))?;
    }
    // A run in which nothing was answered has shown nothing.
    Ok(if report.statuses.is_empty() { Exit::Failed } else { Exit::Done })
}

/// The edge that was named, or the embedded one that was started last.
fn target(args: &Args) -> anyhow::Result<String> {
    if let Some(url) = &args.target {
        return Ok(url.clone());
    }
    let state = StateDirectory::of_user()?.read()?.ok_or_else(|| {
        UsageError(
            "no target: give the edge's URL, or start the embedded edge with `postern serve`"
                .to_owned(),
        )
    })?;
    Ok(format!("http://{}", state.public))
}

/// Pushes that the embedded edge started last would take; none where another edge was named.
fn pushes(args: &Args) -> anyhow::Result<Vec<Push>> {
    let state = if args.target.is_none() { StateDirectory::of_user()?.read()? } else { None };
    let Some(state) = state else { return Ok(Vec::new()) };
    let signer = Signer::from_pkcs8(&state.signing_kid, &state.signing_key()?)?;
    Ok(Senders::pushes(state.pubsub.into_iter().map(Into::into).collect(), &signer))
}

impl Args {
    fn mix(&self) -> Mix {
        let share = |percent: u8| f64::from(percent) / 100.0;
        Mix {
            items: self.batch..=self.batch,
            forged: share(self.forged),
            duplicates: share(self.duplicates),
            slow: share(self.delayed),
            lifecycle: share(self.lifecycle),
            ..Mix::default()
        }
    }
}
