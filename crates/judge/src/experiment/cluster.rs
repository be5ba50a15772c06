//! Is a 2xx kept when the cluster refuses: too few replicas, leaders that move, no right, no topic?

use std::thread;
use std::time::{Duration, Instant};

use postern_rig::kafka::Options;

use super::broker::{await_return, check_answered, check_share, check_told};
use super::postern::check_statuses;
use crate::context::Context;
use crate::load::Traffic;
use crate::verdict::{Row, millis};
use crate::world::{Plan, World, spool_folder};

const RATE: f64 = 200.0;
const CONNECTIONS: usize = 32;
/// What the cluster needs to take a dead broker out of the replicas in sync, and postern to notice.
const NOTICED: Duration = Duration::from_secs(12);
/// So long the answers are held against what the cluster refuses.
const WATCHED: Duration = Duration::from_secs(8);

fn three_brokers() -> Options {
    // The default of 30 s would leave a stopped follower in the set for longer than an outage lasts.
    let lag = ("replica.lag.time.max.ms".to_owned(), "4000".to_owned());
    Options { brokers: 3, properties: vec![lag], ..Options::default() }
}

/// One broker of three dies while `min.insync.replicas` is three: NOT_ENOUGH_REPLICAS until it is back.
pub(crate) fn replicas_lost(context: Context, spool: bool) -> Row {
    refusal(
        &context,
        spool,
        three_brokers(),
        |world| {
            let topics = [world.topics.events.clone(), world.topics.lifecycle.clone()];
            for topic in &topics {
                world.kafka.alter_topic(topic, &[("min.insync.replicas", "3")]);
            }
            world.kafka.kill9_at(2);
        },
        |world| world.kafka.restart(),
    )
}

/// The right to write is taken from postern's user, and given back.
pub(crate) fn authorization_revoked(context: Context, spool: bool) -> Row {
    refusal(
        &context,
        spool,
        Options::with_access_rules(),
        |world| world.kafka.deny_writes(),
        |world| world.kafka.allow_writes(),
    )
}

/// Twice (once in the short form): the cluster refuses for 20 s.
fn refusal(
    context: &Context,
    with_spool: bool,
    kafka: Options,
    begin: impl Fn(&World),
    end: impl Fn(&World),
) -> Row {
    let folder = spool_folder();
    let spool = with_spool.then_some((folder.as_path(), "1GiB"));
    let mut world = World::new(context, &Plan { kafka, spool });
    world.start();
    world.busy(Traffic::new(context.seed, RATE, CONNECTIONS));
    let rounds = context.size(2, 1);
    let mut slowest_return = Duration::ZERO;
    for round in 1..=rounds {
        thread::sleep(Duration::from_secs(4));
        begin(&world);
        thread::sleep(NOTICED);
        let from = Instant::now();
        watch(&mut world, from + WATCHED, with_spool);
        check_refusals(&mut world, round, from, with_spool);
        end(&world);
        let took = await_return(&mut world, round, with_spool);
        slowest_return = slowest_return.max(took);
    }
    thread::sleep(Duration::from_secs(3));
    world.quiet();
    world.note(format!(
        "{rounds} refusals of {} s; over at most {} ms after Kafka takes records again",
        (NOTICED + WATCHED).as_secs(),
        millis(slowest_return)
    ));
    check_statuses(&mut world);
    check_answered(&mut world);
    check_share(&mut world, with_spool);
    world.judge()
}

/// Lets time pass; without a spool it is looked at what refused senders are told.
fn watch(world: &mut World, until: Instant, with_spool: bool) {
    if with_spool {
        thread::sleep(until.saturating_duration_since(Instant::now()));
    } else {
        check_told(world, until);
    }
}

/// Nothing is acknowledged that no broker acknowledges, and nobody waits long for that news.
fn check_refusals(world: &mut World, round: u32, from: Instant, with_spool: bool) {
    let answers = world.answers().within(from, Instant::now());
    let (good, refused) = (answers.good(), answers.non_2xx());
    world.say(&format!(
        "round {round}: {} answers while Kafka refuses, {good} with a 2xx, p99 {} ms",
        answers.answered(),
        millis(answers.quantile(0.99))
    ));
    world.require(answers.answered() > 0, || format!("round {round}: nobody was answered"));
    if with_spool {
        world.require(refused == 0, || format!("round {round}: {refused} answers were no 2xx"));
    } else {
        world.require(good == 0, || format!("round {round}: {good} answers were a 2xx"));
    }
}

/// Each broker of three is killed and comes back, then each stands still for a while: leaders move all the time.
pub(crate) fn leaders_moved(context: Context, spool: bool) -> Row {
    let folder = spool_folder();
    let with_spool = spool;
    let spool = spool.then_some((folder.as_path(), "1GiB"));
    let mut world = World::new(&context, &Plan { kafka: three_brokers(), spool });
    world.start();
    world.busy(Traffic::new(context.seed, RATE, CONNECTIONS));
    let places = context.size(3, 1);
    for place in 0..places {
        thread::sleep(Duration::from_secs(3));
        world.say(&format!("broker {} of 3 is killed", place + 1));
        world.kafka.kill9_at(place);
        thread::sleep(Duration::from_secs(10));
        world.kafka.restart();
    }
    for place in 0..places {
        thread::sleep(Duration::from_secs(3));
        world.say(&format!("broker {} of 3 stands still", place + 1));
        world.kafka.pause_at(place);
        let from = Instant::now();
        thread::sleep(Duration::from_secs(16));
        let answers = world.answers().within(from + Duration::from_secs(12), Instant::now());
        let good = answers.good();
        // Two of three are enough for min.insync.replicas: the cluster goes on, and so must postern.
        world.require(good > 0, || {
            format!("no 2xx 12 s after broker {} of 3 stood still", place + 1)
        });
        world.kafka.resume();
    }
    thread::sleep(Duration::from_secs(5));
    world.quiet();
    let answers = world.answers();
    let share = 100.0 * answers.good() as f64 / answers.answered().max(1) as f64;
    world.note(format!("{places} kills and {places} pauses of one broker of three; {share:.1} % of the answers were a 2xx"));
    check_statuses(&mut world);
    check_answered(&mut world);
    check_share(&mut world, with_spool);
    world.judge()
}

/// The events topic is deleted under load and made again.
pub(crate) fn topic_deleted(context: Context, spool: bool) -> Row {
    let folder = spool_folder();
    let with_spool = spool;
    let spool = spool.then_some((folder.as_path(), "1GiB"));
    let mut world = World::new(&context, &Plan { spool, ..Plan::plain() });
    world.start();
    let traffic = |phase: u64| {
        let mut traffic = Traffic::new(context.seed ^ phase << 40, RATE, CONNECTIONS);
        // Signals have a topic of their own, which stays.
        traffic.mix.lifecycle = 0.0;
        traffic
    };
    world.busy(traffic(1));
    thread::sleep(Duration::from_secs(4));
    // What is deleted with the topic was read before: it is not postern that loses it.
    world.quiet();
    world.await_all_read();
    world.pause_audit();
    let events = world.topics.events.clone();
    world.kafka.delete_topic(&events);
    world.busy(traffic(2));
    thread::sleep(Duration::from_secs(4));
    let from = Instant::now();
    watch(&mut world, from + WATCHED, with_spool);
    check_refusals(&mut world, 1, from, with_spool);
    world.kafka.create_topic(&events, 3, &[]);
    world.audit();
    let took = await_return(&mut world, 1, with_spool);
    thread::sleep(Duration::from_secs(3));
    world.quiet();
    world.note(format!("12 s without the topic; over {} ms after it is there again", millis(took)));
    check_statuses(&mut world);
    check_answered(&mut world);
    check_share(&mut world, with_spool);
    world.judge()
}
