//! Is a 2xx kept when postern itself is killed at any instant?

use std::thread;
use std::time::{Duration, Instant};

use crate::context::Context;
use crate::dice::Dice;
use crate::load::Traffic;
use crate::verdict::{Row, millis};
use crate::world::{Plan, World, spool_folder};

/// How soon a new process has to be ready.
const READY: Duration = Duration::from_secs(2);
/// Acknowledged notifications that make the full form mean something.
const LEAST: usize = 50_000;

/// SIGKILL at random instants, 200 times (20 in the short form). The figures say nothing of a spool; with one, half of that.
pub(crate) fn killed(context: Context, with_spool: bool) -> Row {
    let folder = spool_folder();
    let spool = with_spool.then_some((folder.as_path(), "256MiB"));
    let mut world = World::new(&context, &Plan { spool, ..Plan::plain() });
    let mut dice = Dice::new(context.seed);
    world.start();
    world.busy(Traffic::new(context.seed, 300.0, 64).with_forgeries(0.03));
    let cycles = context.size(if with_spool { 100 } else { 200 }, 20);
    let mut ready = Vec::new();
    for cycle in 1..=cycles {
        thread::sleep(dice.span(Duration::from_millis(200), Duration::from_secs(3)));
        world.postern().kill9();
        let started = Instant::now();
        world.start();
        let took = started.elapsed();
        let lag = world.lag(started, Instant::now());
        world.require(took <= READY + lag, || {
            format!("kill {cycle}: ready again after {took:?}, the machine's own lag {lag:?}")
        });
        ready.push(took);
        if cycle % 10 == 0 {
            let acknowledged = world.oracle.acknowledged();
            world.say(&format!("{cycle} of {cycles} kills, {acknowledged} acknowledged"));
        }
    }
    thread::sleep(Duration::from_secs(2));
    world.quiet();
    ready.sort_unstable();
    let (middle, slowest) = (ready[ready.len() / 2], ready[ready.len() - 1]);
    let refused = world.answers().refused();
    world.note(format!(
        "{cycles} kills; ready again after {} ms (median), {} ms (slowest); {refused} knocks on a closed door",
        millis(middle),
        millis(slowest)
    ));
    let acknowledged = world.oracle.acknowledged();
    if !context.short {
        world.require(acknowledged >= LEAST, || {
            format!("only {acknowledged} acknowledged, of {LEAST} that are needed")
        });
    }
    check_statuses(&mut world);
    let mut row = world.judge();
    let most = u64::try_from(row.acknowledged / 100).expect("few");
    if row.duplicates > most {
        row.passed = false;
        row.faults.push(format!("{} duplicates are more than 1 %", row.duplicates));
    }
    row
}

/// Whatever happens: a genuine notification gets a 2xx or a 503, nothing else.
pub(super) fn check_statuses(world: &mut World) {
    let odd = world.answers().with_status(|status| !matches!(status, 202 | 503));
    world.require(odd == 0, || format!("{odd} answers that are neither 202 nor 503"));
}
