//! Is a 2xx kept when librdkafka declares its producer dead? It does when it may get no producer id any more.

use std::thread;
use std::time::{Duration, Instant};

use postern_rig::kafka::Options;

use super::postern::check_statuses;
use crate::context::Context;
use crate::load::Traffic;
use crate::verdict::{Row, millis};
use crate::world::{Plan, World};

/// Deaths that make the full form mean something.
const DEATHS: usize = 50;
/// So soon after the right is given back somebody gets a 2xx.
const RECOVERED: Duration = Duration::from_secs(3);
/// The line that postern logs for each death.
const DIED: &str = "the kafka producer died and was replaced";

/// The right to a producer id goes away, postern is killed and comes back without it: each producer that it makes dies at
/// once. Then the right comes back. Again and again, until 50 producers have died. No producer can recover while the right
/// is away, so what is timed is the recovery after the last death of each round.
pub(crate) fn producers(context: Context) -> Row {
    let kafka = Options::with_access_rules();
    let mut world = World::new(&context, &Plan { kafka, spool: None });
    world.start();
    world.busy(Traffic::new(context.seed, 200.0, 32));
    let wanted = context.size(DEATHS, 3);
    let most = context.size(50, 3);
    let (mut rounds, mut slowest) = (0, Duration::ZERO);
    let mut died = 0;
    while died < wanted && rounds < most {
        rounds += 1;
        thread::sleep(Duration::from_secs(1));
        world.kafka.deny_writes();
        world.postern().kill9();
        world.start();
        thread::sleep(Duration::from_secs(6));
        let asked = Instant::now();
        world.kafka.allow_writes();
        // The tool that gives the right back is a process of its own: it has done so when it ends.
        let given = Instant::now();
        let good = || world.answers().first_2xx_since(asked).is_some();
        postern_rig::eventually(RECOVERED + Duration::from_secs(7), good);
        let first = world.answers().first_2xx_since(asked);
        world.require(first.is_some(), || {
            format!("round {rounds}: no 2xx 10 s after the right was back")
        });
        let took = first.map_or(Duration::ZERO, |first| first.saturating_duration_since(given));
        slowest = slowest.max(took);
        let lag = world.lag(given, given + took);
        world.require(took <= RECOVERED + lag, || {
            format!("round {rounds}: the first 2xx came {took:?} after the right was back")
        });
        died += deaths(&mut world);
        world.say(&format!("round {rounds}: {died} producers have died"));
    }
    thread::sleep(Duration::from_secs(2));
    world.quiet();
    world.note(format!(
        "{died} producers died in {rounds} rounds; the first 2xx at most {} ms after the right was back",
        millis(slowest)
    ));
    world.require(died >= wanted, || format!("only {died} of {wanted} producers died"));
    check_statuses(&mut world);
    world.judge()
}

fn deaths(world: &mut World) -> usize {
    world.postern().stderr().matches(DIED).count()
}
