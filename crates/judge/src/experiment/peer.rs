//! What do the same faults do to another gateway? mq-bridge: HTTP in, Kafka out, acks=all, no verification, no spool.
//!
//! It is shown beside postern, in the same columns by the same oracle. Its failing fails nothing.

use std::thread;
use std::time::{Duration, Instant};

use postern_rig::process::Process;
use postern_rig::{client, eventually, mq_bridge, place};

use crate::context::Context;
use crate::dice::Dice;
use crate::load::Traffic;
use crate::verdict::{Row, millis};
use crate::world::World;

const TOPIC: &str = "peer-bodies";
/// Its libraries load in about a second.
const READY: Duration = Duration::from_secs(30);

/// Starts it and waits until it takes a request.
fn start(world: &World) -> Process {
    let (folder, listen) = (place::target().join("mq-bridge"), ([127, 0, 0, 1], world.public));
    let bootstrap = world.kafka.bootstrap();
    let command = mq_bridge::command(&folder, listen.into(), &bootstrap, TOPIC, "0");
    let process = Process::spawn(command.unwrap_or_else(|what| panic!("{what}")));
    let ready = eventually(READY, || {
        thread::sleep(Duration::from_millis(20));
        takes_a_request(world.public)
    });
    assert!(ready, "mq-bridge takes no request within {READY:?}; it says:\n{}", process.stderr());
    process
}

/// A body without notifications: no ledger holds it and the auditor finds nothing in it.
fn takes_a_request(port: u16) -> bool {
    let address = ([127, 0, 0, 1], port).into();
    let answer = client::Connection::open(address)
        .and_then(|mut connection| connection.post("/v1/microsoft/graph", &[], b"{}"));
    answer.is_ok_and(|answer| (200..300).contains(&answer.status))
}

fn traffic(context: &Context, rate: f64, connections: usize) -> Traffic {
    let mut traffic = Traffic::new(context.seed, rate, connections);
    // One record each, also of signals: it makes nothing of them.
    traffic.mix.lifecycle = 0.0;
    traffic
}

/// SIGKILL at random instants, 20 times (5 in the short form).
pub(crate) fn killed(context: Context) -> Row {
    let mut world = World::of_peer(&context, TOPIC);
    let mut dice = Dice::new(context.seed);
    let mut peer = start(&world);
    world.busy(traffic(&context, 300.0, 64));
    let cycles = context.size(20, 5);
    let mut slowest = Duration::ZERO;
    for _ in 0..cycles {
        thread::sleep(dice.span(Duration::from_millis(200), Duration::from_secs(3)));
        peer.kill9();
        let started = Instant::now();
        peer = start(&world);
        slowest = slowest.max(started.elapsed());
    }
    thread::sleep(Duration::from_secs(2));
    world.quiet();
    world.note(format!(
        "{cycles} kills; it takes requests again after {} ms at most",
        millis(slowest)
    ));
    world.judge()
}

/// SIGKILL of the broker for 30 s (8 s in the short form).
pub(crate) fn broker_killed(context: Context) -> Row {
    let (rounds, span) = (1, context.size(Duration::from_secs(30), Duration::from_secs(8)));
    outages(context, rounds, span, |world| world.kafka.kill9(), |world| world.kafka.restart())
}

/// SIGSTOP of the broker for 60 s (12 s in the short form).
pub(crate) fn broker_paused(context: Context) -> Row {
    let (rounds, span) = (1, context.size(Duration::from_secs(60), Duration::from_secs(12)));
    outages(context, rounds, span, |world| world.kafka.pause(), |world| world.kafka.resume())
}

fn outages(
    context: Context,
    rounds: u32,
    span: Duration,
    begin: fn(&World),
    end: fn(&World),
) -> Row {
    let mut world = World::of_peer(&context, TOPIC);
    let peer = start(&world);
    world.busy(traffic(&context, 200.0, 48));
    for _ in 0..rounds {
        thread::sleep(Duration::from_secs(4));
        begin(&world);
        thread::sleep(span);
        end(&world);
        let back = Instant::now();
        eventually(Duration::from_secs(30), || world.answers().first_2xx_since(back).is_some());
    }
    thread::sleep(Duration::from_secs(5));
    world.quiet();
    world.note(format!("{rounds} outages of {} s", span.as_secs()));
    let row = world.judge();
    drop(peer);
    row
}
