//! How is simulated traffic made and shown: what `simulate` and `demo` share.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use aws_lc_rs::rand;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use postern_edge::clock;
use postern_sim::{KeyRing, Live, Load, Mix, Provider, Report, Scenario, World};

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

/// The traffic of every provider that postern takes, signed with these keys.
///
/// # Errors
/// When shares or sizes are out of range.
pub(crate) fn scenario(seed: u64, mix: Mix, keys: &Keys) -> anyhow::Result<Arc<Scenario>> {
    // The first key of a ring signs.
    let mut pairs: Vec<(&str, &[u8])> =
        keys.keys.iter().map(|(kid, secret)| (kid.as_str(), secret.expose())).collect();
    pairs.sort_by_key(|(kid, _)| *kid != keys.signing);
    let ring = KeyRing::new(pairs).map_err(|error| UsageError(error.to_string()))?;
    let graph = Provider::Graph { ring, world: World::default() };
    let now = clock::now().0 / 1_000;
    let scenario = Scenario::new(seed, now, mix, [graph]);
    Ok(Arc::new(scenario.map_err(|error| UsageError(error.to_string()))?))
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
    let told = async { drop(signals::told_to_stop().await) };
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
