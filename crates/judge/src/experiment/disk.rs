//! Is a 2xx kept when the spool's disk is full, fails to sync, or is slow? Kafka stands still, so that the disk decides.

use std::thread;
use std::time::{Duration, Instant};

use postern_rig::eventually;

use super::broker::{await_return, check_answered};
use super::postern::check_statuses;
use crate::context::Context;
use crate::fault::disk::{Kind, SmallDisk};
use crate::fault::shim::{Order, Shim};
use crate::load::Traffic;
use crate::verdict::{Row, millis};
use crate::world::{Plan, World, spool_folder};

const RATE: f64 = 200.0;
const CONNECTIONS: usize = 48;
/// What is left of the small disk when the load begins.
const ROOM: usize = 5 << 20;
/// Somebody writes the disk full within this.
const FILLED: Duration = Duration::from_secs(90);
/// Once there is room again, or the disk works again, somebody gets a 2xx within this.
const HEALED: Duration = Duration::from_secs(5);
/// With a disk that takes half a second for each sync 99 of 100 answers come within this.
const SLOW: Duration = Duration::from_secs(2);

/// Postern, busy, in front of a Kafka that stands still.
fn cut_off(world: &mut World) {
    thread::sleep(Duration::from_secs(3));
    world.kafka.pause();
    let open = world.await_open(Duration::from_secs(5));
    world.require(open.is_some(), || "the breaker is not open".to_owned());
}

/// The disk gets full twice, and there is room again each time: ballast goes first, then Kafka takes it all.
pub(crate) fn full(context: Context, kind: Kind) -> Row {
    let disk = SmallDisk::mount(kind);
    let folder = disk.folder();
    disk.load(ROOM);
    let spool = Some((folder.as_path(), "64MiB"));
    let mut world = World::new(&context, &Plan { spool, ..Plan::plain() });
    world.start();
    world.busy(Traffic::new(context.seed, RATE, CONNECTIONS));
    cut_off(&mut world);
    let cut = Instant::now();
    await_full(&mut world, cut);
    let (from, span) = (Instant::now(), Duration::from_secs(5));
    thread::sleep(span);
    let answers = world.answers().within(from, Instant::now());
    let (good, all) = (answers.good(), answers.answered());
    world.note(format!(
        "full after {} s with {} KiB left; then {good} of {all} answers a 2xx, p99 {} ms",
        (from - cut).as_secs(),
        disk.free() / 1024,
        millis(answers.quantile(0.99))
    ));
    // A small batch may fit where a large one did not: it is durable, and the audit looks for it.
    world.require(good * 10 <= all && all > 0, || {
        format!("{good} of {all} answers a 2xx on a full disk")
    });
    let roomy = Instant::now();
    disk.unload();
    let healed = await_healed(&mut world, roomy, "there was room");
    world.note(format!("first 2xx {} ms after there was room again", millis(healed)));
    await_full(&mut world, Instant::now());
    world.kafka.resume();
    let took = await_return(&mut world, 1, true);
    world.note(format!("empty {} ms after Kafka's return", millis(took)));
    let running = world.postern().is_running();
    world.require(running, || "postern has ended".to_owned());
    check_statuses(&mut world);
    check_answered(&mut world);
    let row = world.judge();
    drop(disk);
    row
}

/// Somebody was refused, and three seconds more.
fn await_full(world: &mut World, since: Instant) {
    let refused = || world.answers().within(since, Instant::now()).non_2xx() > 0;
    let full = eventually(FILLED, || {
        thread::sleep(Duration::from_millis(100));
        refused()
    });
    world.require(full, || format!("the disk is not full after {FILLED:?}"));
    thread::sleep(Duration::from_secs(3));
}

/// Waits for the first 2xx; how long after `since` it came.
fn await_healed(world: &mut World, since: Instant, what: &str) -> Duration {
    eventually(HEALED, || world.answers().first_2xx_since(since).is_some());
    let first = world.answers().first_2xx_since(since);
    world.require(first.is_some(), || format!("no 2xx within {HEALED:?} after {what} again"));
    first.map_or(HEALED, |first| first - since)
}

/// A sync fails, again and again: what it should have kept is gone, and was never acknowledged. Postern goes on with a
/// fresh segment or with 503; a 2xx out of the segment that failed would be missing in the end.
pub(crate) fn sync_fails(context: Context) -> Row {
    let folder = spool_folder();
    let shim = Shim::new(&folder);
    shim.order(Order::True);
    let spool = Some((folder.as_path(), "256MiB"));
    let mut world = World::new(&context, &Plan { spool, ..Plan::plain() });
    world.start_under(&[], |command| shim.apply(command));
    world.busy(Traffic::new(context.seed, RATE, CONNECTIONS));
    cut_off(&mut world);
    let rounds = context.size(10, 2);
    let mut slowest = Duration::ZERO;
    for round in 1..=rounds {
        thread::sleep(Duration::from_secs(2));
        let ordered = Instant::now();
        shim.order(Order::Fail);
        let failed = eventually(Duration::from_secs(5), || shim.syncs().failed == round);
        world.require(failed, || format!("round {round}: the spool did not sync at all"));
        let since = ordered + Duration::from_millis(100);
        slowest = slowest.max(await_healed(&mut world, since, "a sync failed, the spool works"));
    }
    // What a new process finds on the disk counts too, not only what this one remembers.
    world.postern().kill9();
    world.kafka.resume();
    world.start_under(&[], |command| shim.apply(command));
    let took = await_return(&mut world, rounds as u32, true);
    let syncs = shim.syncs();
    world.note(format!(
        "{} syncs failed, {} did not, {} of a file of which one had failed; first 2xx at most {} ms after a failure; \
         killed and emptied in {} ms",
        syncs.failed,
        syncs.fine,
        syncs.retried,
        millis(slowest),
        millis(took)
    ));
    world.require(syncs.retried == 0, || {
        format!("{} syncs of a file after one had failed", syncs.retried)
    });
    check_statuses(&mut world);
    world.judge()
}

/// Each sync takes half a second longer.
pub(crate) fn sync_dawdles(context: Context) -> Row {
    let folder = spool_folder();
    let shim = Shim::new(&folder);
    shim.order(Order::Slow(500));
    let spool = Some((folder.as_path(), "256MiB"));
    let mut world = World::new(&context, &Plan { spool, ..Plan::plain() });
    world.start_under(&[], |command| shim.apply(command));
    // Whoever waits half a second needs a connection for that long.
    world.busy(Traffic::new(context.seed, RATE, 256));
    cut_off(&mut world);
    let from = Instant::now();
    thread::sleep(context.size(Duration::from_secs(40), Duration::from_secs(10)));
    let answers = world.answers().within(from, Instant::now());
    let p99 = answers.quantile(0.99);
    let (good, all) = (answers.good(), answers.answered());
    let lag = world.lag(from, Instant::now());
    world.note(format!(
        "syncs of 500 ms: {good} of {all} answers a 2xx, p99 {} ms, the machine's own lag {} ms",
        millis(p99),
        millis(lag)
    ));
    world.require(p99 <= SLOW + lag && good > 0, || {
        format!("p99 {p99:?}, {good} a 2xx, on a slow disk; the machine's own lag {lag:?}")
    });
    shim.order(Order::True);
    world.kafka.resume();
    let took = await_return(&mut world, 1, true);
    world.note(format!("empty {} ms after Kafka's return", millis(took)));
    check_statuses(&mut world);
    check_answered(&mut world);
    world.judge()
}
