//! In which order are the targets measured, and what stands in the end? Rounds in turn, medians of each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, ensure};

use crate::cli::Options;
use crate::kafka::Broker;
use crate::note;
use crate::report::Report;
use crate::sample::{self, Sample};
use crate::target::Target;
use crate::world::World;

/// Every measurement: by connections, by target, one a round.
pub(crate) type Samples = BTreeMap<(usize, Target), Vec<Sample>>;

/// Measures everything that the options name and prints the table.
///
/// # Errors
/// When a measurement fails; a table with holes would be read as one without.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    ensure!(options.rounds() > 0 && options.seconds > 0.0, "rounds and seconds are above 0");
    let world = prepare(options)?;
    let samples = measure(options, &world)?;
    let report = Report::of(&samples);
    report.print()?;
    if let Some(file) = &options.json {
        report.write(file)?;
        note(format_args!("bench: figures in {}", file.display()));
    }
    Ok(())
}

fn prepare(options: &Options) -> anyhow::Result<World> {
    let beside = std::env::current_exe()?;
    let release = beside.parent().context("this program is in a folder")?;
    let postern = options.postern.clone().unwrap_or_else(|| release.join("postern"));
    let broker = match &options.bootstrap {
        Some(bootstrap) => Broker::connect(bootstrap)?,
        None => {
            note("bench: starting Kafka");
            Broker::start()?
        }
    };
    note("bench: taking samples of postern's records");
    World::prepare(broker, postern, mq_bridge(release))
}

/// Where `scripts/mq-bridge.sh` puts it: beside the release folder.
fn mq_bridge(release: &Path) -> PathBuf {
    release.with_file_name("mq-bridge")
}

fn measure(options: &Options, world: &World) -> anyhow::Result<Samples> {
    let mut samples = Samples::new();
    let all = options.rounds() * options.connections().len() * options.targets.len();
    let (begun, mut done) = (Instant::now(), 0);
    for round in 1..=options.rounds() {
        for connections in options.connections() {
            for target in &options.targets {
                let sample = sample::measure(*target, *connections, options.times(), world)?;
                done += 1;
                let left = begun.elapsed() / done * (u32::try_from(all)? - done);
                note(format_args!(
                    "bench: round {round}, {connections:>3} connections, {:<13} {:>8.0}/s {:>7.1} us CPU, p99 {:>6.2} ms; {done} of {all}, {} s left",
                    target.word(),
                    sample.per_second,
                    sample.cpu,
                    sample.p99,
                    left.as_secs(),
                ));
                samples.entry((*connections, *target)).or_default().push(sample);
            }
        }
    }
    Ok(samples)
}
