//! In which order are the targets measured? Rounds in turn, so that what disturbs the machine disturbs them all.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::cli::Options;
use crate::note;
use crate::sample::{self, Sample};
use crate::target::Target;
use crate::world::World;

/// Every measurement: by connections, by target, one a round.
pub(crate) type Samples = BTreeMap<(usize, Target), Vec<Sample>>;

/// Measures every target that the options name.
///
/// # Errors
/// When a measurement fails; a table with holes would be read as one without.
pub(crate) fn run(options: &Options, world: &World) -> anyhow::Result<Samples> {
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
            }
        }
    }
    Ok(samples)
}
