//! Does a wall clock that steps cost a request? Timers run by the other clock; only tokens look at this one.

use std::thread;
use std::time::{Duration, Instant};

use postern_rig::kafka::Options;

use super::postern::check_statuses;
use super::tokens;
use crate::context::Context;
use crate::fault::clock::Clock;
use crate::load::Traffic;
use crate::verdict::{Row, millis};
use crate::world::{Plan, World};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// An hour and a day ahead and behind, and back each time, under load. A storm of renewals is not looked for: nothing here
/// renews.
pub(crate) fn steps(context: Context) -> Row {
    let clock = Clock::new();
    // By default a broker refuses records from more than an hour ahead of its own clock: that is not postern's timer.
    let ahead = ("log.message.timestamp.after.max.ms".to_owned(), i64::MAX.to_string());
    let kafka = Options { properties: vec![ahead], ..Options::default() };
    let mut world = World::new(&context, &Plan { kafka, spool: None });
    world.start_under(&[], |command| clock.apply(command));
    world.busy(Traffic::new(context.seed, 200.0, 32));
    thread::sleep(Duration::from_secs(3));
    let from = Instant::now();
    for step in [HOUR, 0, -HOUR, 0, DAY, 0, -DAY, 0, 300, -300, 0] {
        let stepped = Instant::now();
        clock.step(step);
        thread::sleep(context.size(Duration::from_secs(6), Duration::from_secs(2)));
        let answers = world.answers().within(stepped, Instant::now());
        world.say(&format!(
            "the clock is {step:+} s off: {} answers, {} no 2xx, slowest {} ms",
            answers.answered(),
            answers.non_2xx(),
            millis(answers.slowest())
        ));
    }
    let answers = world.answers().within(from, Instant::now());
    world.quiet();
    let bad = answers.non_2xx() + answers.cut() + answers.silent();
    world.note(format!(
        "11 steps of up to a day; {} answers meanwhile, p99 {} ms",
        answers.answered(),
        millis(answers.quantile(0.99))
    ));
    world.require(bad == 0 && answers.good() > 0, || {
        format!("{bad} requests failed while the clock stepped, {} were taken", answers.good())
    });
    check_statuses(&mut world);
    tokens::check(&mut world);
    world.judge()
}
