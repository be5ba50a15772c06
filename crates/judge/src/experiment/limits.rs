//! Is a 2xx kept, and does postern live, with little memory and with few file descriptors?

use std::fs;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::context::Context;
use crate::fault::cgroup::MemoryCap;
use crate::load::Traffic;
use crate::verdict::{Answers, Row, millis};
use crate::world::{Plan, World, spool_folder};

const MIB: u64 = 1 << 20;
/// File descriptors that postern may have.
const DESCRIPTORS: usize = 256;
/// What accepting may cost while none is left, in percent of one processor.
const ACCEPT: f64 = 20.0;

/// Of each round; in the long form the broker stands still for the rest of a minute.
const RUN: Duration = Duration::from_secs(4);

/// 128 MiB, the broker stands still, and far more senders with large bodies than there is room for: for ten minutes with
/// a spool, which takes more memory; without one, where all but a few are refused, for two.
pub(crate) fn memory(context: Context, spool: bool) -> Row {
    let rounds = context.size(if spool { 10 } else { 2 }, 1);
    let pause = context.size(Duration::from_secs(60), Duration::from_secs(19)) - RUN;
    let cap = MemoryCap::new(128 * MIB);
    let folder = spool_folder();
    let spool = spool.then_some((folder.as_path(), "256MiB"));
    let mut world = World::new(&context, &Plan { spool, ..Plan::plain() });
    // What a pod of this size is given (README, "Operating").
    world.config = world.config.set("limits", "inflight_bytes", "\"6MiB\"");
    world.config = world.config.set("limits", "connections", "300");
    let wrapper = cap.wrapper();
    let wrapper: Vec<_> = wrapper.iter().map(String::as_str).collect();
    world.start_under(&wrapper, |_| {});
    let mut traffic = Traffic::new(context.seed, 40.0, 400);
    // Bodies of some 250 KiB, most of them trickled: more in flight than there is room for, and too many connections.
    traffic.mix.items = 100..=300;
    (traffic.mix.slow, traffic.mix.slow_for) = (0.7, Duration::from_millis(1_200));
    world.busy(traffic);
    let mut largest = 0;
    for round in 1..=rounds {
        thread::sleep(RUN);
        world.kafka.pause();
        thread::sleep(pause);
        world.kafka.resume();
        largest = largest.max(most_resident(world.postern().id()));
        world.say(&format!("{round} of {rounds} pauses; {} MiB resident at most", largest / MIB));
    }
    thread::sleep(RUN);
    world.quiet();
    largest = largest.max(most_resident(world.postern().id()));
    let kills = cap.kills();
    world.note(format!("{} MiB resident at most, of 128; {kills} kills for memory", largest / MIB));
    world.require(kills == 0, || format!("the kernel killed postern {kills} times for its memory"));
    world.require(largest > 0 && largest * 10 <= 128 * MIB * 8, || {
        format!("{} MiB resident are more than 80 % of the cap", largest / MIB)
    });
    check_excess(&mut world);
    let running = world.postern().is_running();
    world.require(running, || "postern has ended".to_owned());
    world.judge()
}

/// What there is no room for gets 503, and nothing else is refused. A trickled body that a busy machine makes slower than
/// the 1.5 s for a body gets 408, and of the connections beyond the cap only the first are told.
fn check_excess(world: &mut World) {
    let answers = world.answers();
    let excess = answers.with_status(|status| status == 503);
    let slow = answers.with_status(|status| status == 408);
    let odd = answers.with_status(|status| !matches!(status, 202 | 408 | 503));
    world.note(format!("{excess} answers 503, {slow} answers 408, {} cut", answers.cut()));
    world.require(excess > 0, || "there was room for all: nobody got 503".to_owned());
    world.require(odd == 0, || format!("{odd} answers that are neither 202, 408 nor 503"));
}

/// The most memory in bytes that a process has had resident so far; 0 once it has ended.
fn most_resident(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default() * 1024
}

/// User and system time of a process so far.
fn processor_time(id: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // The name in parentheses may hold spaces; user and system time are the 14th and 15th field.
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |place: usize| fields.get(place).and_then(|ticks| ticks.parse::<u64>().ok());
    // The kernel tells user space 100 ticks a second, whatever its own are.
    Duration::from_millis(10 * (ticks(11).unwrap_or_default() + ticks(12).unwrap_or_default()))
}

/// 256 file descriptors, and 2,000 connections that want to be held for a minute.
pub(crate) fn descriptors(context: Context) -> Row {
    let mut world = World::new(&context, &Plan::plain());
    let limit = format!("--nofile={DESCRIPTORS}");
    world.start_under(&["prlimit", &limit, "--"], |_| {});
    world.busy(Traffic::new(context.seed, 100.0, 8));
    thread::sleep(Duration::from_secs(3));
    let id = world.postern().id();
    // What the good clients alone cost: accept is charged with what comes on top.
    let (from, before) = (Instant::now(), processor_time(id));
    thread::sleep(Duration::from_secs(5));
    let alone = share(processor_time(id) - before, from.elapsed());
    let address = ([127, 0, 0, 1], world.public).into();
    let span = context.size(Duration::from_secs(60), Duration::from_secs(10));
    let (from, before) = (Instant::now(), processor_time(id));
    let mut held = Vec::new();
    while held.len() < 2_000 && from.elapsed() < span {
        // Beyond the backlog nobody is let in: that is the attack's own limit.
        match TcpStream::connect_timeout(&address, Duration::from_millis(50)) {
            Ok(stream) => held.push(stream),
            Err(_) => thread::sleep(Duration::from_millis(20)),
        }
    }
    let opened = held.len();
    thread::sleep(span.saturating_sub(from.elapsed()));
    let (spent, wall) = (processor_time(id) - before, from.elapsed());
    let under_attack = world.answers().within(from, Instant::now());
    drop(held);
    let over = Instant::now();
    thread::sleep(Duration::from_secs(2));
    let normal = Instant::now();
    thread::sleep(Duration::from_secs(3));
    let after = world.answers().within(normal, Instant::now());
    world.quiet();
    let share = share(spent, wall);
    world.note(format!(
        "{opened} connections opened; {} of {} answers a 2xx meanwhile, {} cut, p99 {} ms; {share:.1} % of one \
         processor, {alone:.1} % before",
        under_attack.good(),
        under_attack.requests(),
        under_attack.cut(),
        millis(under_attack.quantile(0.99))
    ));
    check_descriptors(&mut world, &under_attack, &after, over);
    let running = world.postern().is_running();
    world.require(running, || "postern has ended".to_owned());
    world.require(opened > DESCRIPTORS, || {
        format!("only {opened} connections were opened: no want of descriptors")
    });
    world.require(share - alone <= ACCEPT, || {
        format!("{share:.1} % of one processor, {alone:.1} % before: accept spins")
    });
    world.judge()
}

/// In percent of one processor.
fn share(spent: Duration, wall: Duration) -> f64 {
    100.0 * spent.as_secs_f64() / wall.as_secs_f64()
}

fn check_descriptors(world: &mut World, under_attack: &Answers, after: &Answers, over: Instant) {
    let good = under_attack.good();
    let bad = under_attack.non_2xx() + under_attack.cut() + under_attack.silent();
    world.require(good > 0 && bad == 0, || {
        format!("of the established good connections' requests {bad} failed and {good} were taken")
    });
    let (fine, all) = (after.good(), after.requests());
    world.require(fine > 0 && fine == all, || {
        format!("2 s after the attack ({:?} ago) only {fine} of {all} were taken", over.elapsed())
    });
}
