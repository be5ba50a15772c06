//! In which order are the targets measured? Rounds in turn, so that what disturbs the machine disturbs them all.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::cli::Options;
use crate::note;
use crate::report::Report;
use crate::sample::{self, Sample, Times};
use crate::target::Target;
use crate::world::World;

/// Every measurement: by connections, by target, one a round.
pub(crate) type Samples = BTreeMap<(usize, Target), Vec<Sample>>;

/// On so many connections the broker is warmed.
const WARMING: usize = 64;

/// Loads the broker with every target in turn before anything counts: on one that had just started the same postern took
/// 6,500 requests a second, and 25,000 half a minute later. Whoever comes first would pay for that.
fn warm(options: &Options, world: &World) -> anyhow::Result<()> {
    let targets: Vec<_> = options.targets.iter().filter(|target| target.uses_kafka()).collect();
    if options.warm_up <= 0.0 || targets.is_empty() {
        return Ok(());
    }
    note(format_args!("bench: warming Kafka for {} s", options.warm_up));
    let measured = Duration::from_secs_f64(options.warm_up / targets.len() as f64);
    for target in targets {
        sample::measure(*target, WARMING, Times { warm_up: Duration::ZERO, measured }, world)?;
    }
    Ok(())
}

/// Measures every target that the options name.
///
/// # Errors
/// When a measurement fails; the report then holds what was measured before.
pub(crate) fn run(options: &Options, world: &World, report: &mut Report) -> anyhow::Result<()> {
    warm(options, world)?;
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
                    "bench: round {round}, {connections:>3} connections, {:<13} {:>8.0}/s \
                     {:>7.1} us CPU, p99 {:>6.2} ms; {done} of {all}, {} s left",
                    target.word(),
                    sample.per_second,
                    sample.cpu,
                    sample.p99,
                    left.as_secs(),
                ));
                samples.entry((*connections, *target)).or_default().push(sample);
                report.compare(&samples);
            }
        }
    }
    Ok(())
}
