//! How is simulated traffic made and shown: what `simulate` and `demo` share.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use aws_lc_rs::rand;
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use postern_core::provider::google::PubsubSource;
use postern_edge::clock;
use postern_sim::{
    Feed, KeyRing, Live, Load, Mix, Provider, Push, Report, Scenario, Signer, World,
};

use crate::exit::UsageError;
use crate::keys::Keys;
use crate::{output, signals};

/// How often the progress is drawn on a terminal.
const TICK: Duration = Duration::from_millis(200);
/// How often a line says it where there is none.
const PLAIN_TICK: Duration = Duration::from_secs(5);

/// A seed that no run had before.
pub(crate) fn fresh_seed() -> u64 {
    let mut bytes = [0; 8];
    // Without random bytes the time tells runs apart.
    match rand::fill(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes),
        Err(_) => clock::now().0.unsigned_abs(),
    }
}

/// A provider that can be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProviderWord {
    /// Microsoft Graph.
    Graph,
    /// Google's Pub/Sub pushes: Gmail and Workspace Events. Only the embedded edge has a key to sign them with.
    Pubsub,
    /// Google's Calendar and Drive channels.
    Channels,
}

/// Whoever signs what is sent.
pub(crate) struct Senders {
    /// Signs hook tokens.
    pub(crate) keys: Keys,
    /// Signs Pub/Sub tokens, for these sources.
    pub(crate) pushes: Vec<Push>,
}

impl Senders {
    /// The pushes to these sources. By its name a source carries Workspace Events, any other one Gmail.
    pub(crate) fn pushes(sources: Vec<PubsubSource>, signer: &Signer) -> Vec<Push> {
        let push = |source: PubsubSource| Push {
            feed: if source.name == "workspace" { Feed::Workspace } else { Feed::Gmail },
            source: source.name,
            audience: source.audience,
            service_account: source.service_account,
            subscription: source.subscription,
            tenant: source.tenant,
            wrapped: source.wrapped,
            signer: signer.clone(),
        };
        sources.into_iter().map(push).collect()
    }

    /// The traffic of these providers; of all that can be signed, where none is named.
    ///
    /// # Errors
    /// When shares or sizes are out of range, or a named provider cannot be signed.
    pub(crate) fn scenario(
        &self,
        seed: u64,
        mix: Mix,
        words: &[ProviderWord],
    ) -> anyhow::Result<Arc<Scenario>> {
        let wanted = |word| words.is_empty() || words.contains(&word);
        if words.contains(&ProviderWord::Pubsub) && self.pushes.is_empty() {
            let message = "Pub/Sub pushes can only be signed for the embedded edge: its key set holds the simulator's key, Google's does not";
            return Err(UsageError(message.to_owned()).into());
        }
        let (ring, world) = (self.ring()?, World::default());
        let mut providers = Vec::new();
        if wanted(ProviderWord::Graph) {
            providers.push(Provider::Graph { ring: ring.clone(), world });
        }
        if wanted(ProviderWord::Channels) {
            providers.push(Provider::Channels { ring, world });
        }
        if wanted(ProviderWord::Pubsub) {
            providers
                .extend(self.pushes.iter().cloned().map(|push| Provider::Pubsub { push, world }));
        }
        let scenario = Scenario::new(seed, clock::now().0 / 1_000, mix, providers);
        Ok(Arc::new(scenario.map_err(|error| UsageError(error.to_string()))?))
    }

    fn ring(&self) -> Result<KeyRing, UsageError> {
        // The first key of a ring signs.
        let mut pairs: Vec<(&str, &[u8])> =
            self.keys.keys.iter().map(|(kid, secret)| (kid.as_str(), secret.expose())).collect();
        pairs.sort_by_key(|(kid, _)| *kid != self.keys.signing);
        KeyRing::new(pairs).map_err(|error| UsageError(error.to_string()))
    }
}

/// Plays a scenario until its end or a signal, with a bar on a terminal and plain lines elsewhere.
///
/// # Errors
/// When the load makes no sense.
pub(crate) async fn run_with_progress(
    load: Load,
    scenario: Arc<Scenario>,
    rate: u32,
) -> anyhow::Result<Report> {
    let live = Arc::new(Live::default());
    let bar = bar(&load, rate);
    let shown = tokio::spawn(show(bar.clone(), Arc::clone(&live)));
    let told = signals::told_to_stop()?;
    let report = postern_sim::run(load, scenario, Arc::new(()), live, told).await;
    shown.abort();
    bar.finish_and_clear();
    report.context("the load cannot be run")
}

fn bar(load: &Load, rate: u32) -> ProgressBar {
    let by_time = load.duration.map(|duration| duration.as_secs().saturating_mul(u64::from(rate)));
    let expected = load.requests.or(by_time.filter(|total| *total > 0));
    let bar = ProgressBar::with_draw_target(expected, ProgressDrawTarget::stderr());
    let template = if expected.is_some() {
        "{elapsed_precise} [{bar:32}] {pos}/{len} {msg}"
    } else {
        "{elapsed_precise} {spinner} {pos} {msg}"
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

async fn show(bar: ProgressBar, live: Arc<Live>) {
    let plain = bar.is_hidden();
    loop {
        tokio::time::sleep(if plain { PLAIN_TICK } else { TICK }).await;
        let counts = live.counts();
        bar.set_position(counts.attempts);
        bar.set_message(format!(
            "{} taken, {} not",
            counts.successes,
            counts.attempts - counts.successes
        ));
        if plain {
            output::note(format_args!("{} sent, {} taken", counts.attempts, counts.successes));
        }
    }
}
