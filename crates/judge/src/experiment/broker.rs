//! Is a 2xx kept, and does every answer come in time, when the only broker dies or stands still?

use std::thread;
use std::time::{Duration, Instant};

use super::postern::check_statuses;
use crate::context::Context;
use crate::dice::Dice;
use crate::load::Traffic;
use crate::verdict::{Answers, DEADLINE, Row, millis};
use crate::world::{Plan, World, spool_folder};

/// Requests a second.
const RATE: f64 = 200.0;
const CONNECTIONS: usize = 48;
/// With the breaker open 99 of 100 answers come within this.
const FAST: Duration = Duration::from_millis(300);
/// How soon the breaker has to be open.
const OPEN: Duration = Duration::from_secs(5);
/// After Kafka's return the spool is empty within this.
const DRAINED: Duration = Duration::from_secs(60);
/// A disk that does not sync for so long stands still: an answer has 2.5 s in all.
const STALL: Duration = Duration::from_secs(1);
/// And without a spool somebody gets a 2xx within this.
const BACK: Duration = Duration::from_secs(15);

/// 999 of 1,000 answers come within this, whatever the broker does.
const TAIL: Duration = Duration::from_secs(2);
/// Between two looks at what a refused sender is told.
const LOOK: Duration = Duration::from_millis(200);

/// What is done to the broker, and what is asked of postern beside what every row must show.
struct Outages {
    spool: bool,
    rounds: u32,
    span: Duration,
    /// 999 of 1,000 answers within [`TAIL`].
    tail: bool,
    begin: fn(&World),
    end: fn(&World),
}

/// SIGKILL of the broker, ten times for 30 s (once for 8 s in the short form). The figures ask that of a postern with a
/// spool; without one three times do.
pub(crate) fn killed(context: Context, spool: bool) -> Row {
    let rounds = if spool { 10 } else { 3 };
    let (rounds, span) =
        context.size((rounds, Duration::from_secs(30)), (1, Duration::from_secs(8)));
    outages(
        &context,
        &Outages {
            spool,
            rounds,
            span,
            tail: false,
            begin: |world| world.kafka.kill9(),
            end: |world| world.kafka.restart(),
        },
    )
}

/// SIGSTOP of the broker, five times for 60 s (once for 12 s in the short form).
pub(crate) fn paused(context: Context, spool: bool) -> Row {
    let (rounds, span) = context.size((5, Duration::from_secs(60)), (1, Duration::from_secs(12)));
    outages(
        &context,
        &Outages {
            spool,
            rounds,
            span,
            tail: true,
            begin: |world| world.kafka.pause(),
            end: |world| world.kafka.resume(),
        },
    )
}

fn outages(context: &Context, outages: &Outages) -> Row {
    let &Outages { spool: with_spool, rounds, span, .. } = outages;
    let folder = spool_folder();
    let spool = with_spool.then_some((folder.as_path(), "1GiB"));
    let mut world = World::new(context, &Plan { spool, ..Plan::plain() });
    let mut dice = Dice::new(context.seed);
    world.start();
    world.busy(Traffic::new(context.seed, RATE, CONNECTIONS));
    let mut slowest_return = Duration::ZERO;
    for round in 1..=rounds {
        thread::sleep(dice.span(Duration::from_secs(3), Duration::from_secs(6)));
        (outages.begin)(&world);
        let gone = Instant::now();
        let open = world.await_open(OPEN);
        world.require(open.is_some(), || format!("round {round}: the breaker is not open"));
        if with_spool {
            thread::sleep(span.saturating_sub(gone.elapsed()));
        } else {
            check_told(&mut world, gone + span);
        }
        let back = Instant::now();
        if let Some(open) = open {
            check_outage(&mut world, round, (gone, open, back), outages);
        }
        (outages.end)(&world);
        let took = await_return(&mut world, round, with_spool);
        slowest_return = slowest_return.max(took);
    }
    thread::sleep(Duration::from_secs(3));
    world.quiet();
    let what = if with_spool { "the spool is empty" } else { "the first 2xx comes" };
    world.note(format!(
        "{rounds} outages of {} s; {what} at most {} ms after the return",
        span.as_secs(),
        millis(slowest_return)
    ));
    check_statuses(&mut world);
    check_answered(&mut world);
    check_share(&mut world, with_spool);
    world.judge()
}

/// What was sent and answered between the outage's begin and the breaker's opening, and after that.
fn check_outage(
    world: &mut World,
    round: u32,
    (gone, open, back): (Instant, Instant, Instant),
    outages: &Outages,
) {
    let answers = world.answers();
    let (all, fast) = (answers.within(gone, back), answers.within(open, back));
    let (p99, good, lag) = (fast.quantile(0.99), all.good(), world.lag(gone, back));
    let tail = all.quantile(0.999);
    world.say(&format!(
        "round {round}: breaker open after {} ms; {} answers, {good} with a 2xx, p99.9 {} ms; once open p99 {} ms, \
         slowest {} ms; the machine's own lag {} ms",
        millis(open.saturating_duration_since(gone)),
        all.answered(),
        millis(tail),
        millis(p99),
        millis(fast.slowest()),
        millis(lag)
    ));
    world.require(p99 <= FAST + lag, || {
        format!("round {round}: p99 {p99:?} with the breaker open, the machine's own lag {lag:?}")
    });
    world.require(!outages.tail || tail <= TAIL + lag, || {
        format!("round {round}: p99.9 {tail:?}, the machine's own lag {lag:?}")
    });
    world.require(fast.answered() > 0, || format!("round {round}: nobody was answered"));
    if outages.spool {
        check_spooled(world, round, &all, (gone, back));
    } else {
        // Sent after the broker stood still, answered before it went on: nobody can have acknowledged that.
        world.require(good == 0, || {
            format!("round {round}: {good} answers were a 2xx without Kafka")
        });
    }
}

/// With a spool nobody is refused, but while its disk stands still.
fn check_spooled(world: &mut World, round: u32, all: &Answers, (gone, back): (Instant, Instant)) {
    let (refused, all) = (all.non_2xx(), all.answered());
    let stall = world.syncs.slowest(gone, back);
    // No spool takes a record while its disk stands still. Then, and only then, a few may be refused.
    let excused = stall >= STALL && refused * 100 <= all;
    world.require(refused == 0 || excused, || {
        format!("round {round}: {refused} answers were no 2xx, the disk's slowest sync {stall:?}")
    });
    if refused > 0 && excused {
        world.note(format!(
            "round {round}: {refused} answers were no 2xx while the disk stood still for {} ms",
            millis(stall)
        ));
    }
}

/// Until then all that ask get a 503 in time, and each says when to come back.
pub(super) fn check_told(world: &mut World, until: Instant) {
    let (mut asked, mut wrong) = (0, Vec::new());
    while Instant::now() < until {
        let sent = Instant::now();
        let answer = world.probe();
        let took = sent.elapsed();
        asked += 1;
        let told = matches!(&answer, Some((503, Some(after))) if after.parse::<u32>().is_ok());
        if !told || took > DEADLINE + world.lag(sent, Instant::now()) {
            wrong.push(format!("{answer:?} after {took:?}"));
        }
        thread::sleep(LOOK.min(until.saturating_duration_since(Instant::now())));
    }
    world.require(asked > 0 && wrong.is_empty(), || {
        let first = wrong.first().cloned().unwrap_or_default();
        format!(
            "{} of {asked} were not told 503 with Retry-After, the first one {first}",
            wrong.len()
        )
    });
}

/// A postern that lives cuts nobody off and has no closed door: whoever comes is answered.
pub(super) fn check_answered(world: &mut World) {
    let answers = world.answers();
    let (cut, refused) = (answers.cut(), answers.refused());
    world.require(cut + refused == 0, || {
        format!("{cut} requests were cut and {refused} found nobody, while postern lived")
    });
}

/// Waits until the outage leaves no trace; how long that took.
pub(super) fn await_return(world: &mut World, round: u32, with_spool: bool) -> Duration {
    let back = Instant::now();
    if with_spool {
        let drained = world.await_drained(DRAINED);
        world.require(drained.is_some(), || {
            format!("round {round}: the spool is not empty in {DRAINED:?}")
        });
        return drained.unwrap_or(DRAINED);
    }
    postern_rig::eventually(BACK, || world.answers().first_2xx_since(back).is_some());
    let first = world.answers().first_2xx_since(back);
    world
        .require(first.is_some(), || format!("round {round}: no 2xx in {BACK:?} after the return"));
    first.map_or(BACK, |first| first - back)
}

/// With a spool hardly anybody is refused: one in a thousand at most.
pub(super) fn check_share(world: &mut World, with_spool: bool) {
    let answers = world.answers();
    let (refused, all) = (answers.non_2xx(), answers.answered());
    if with_spool {
        world.require(refused * 1_000 <= all, || format!("{refused} of {all} answers were no 2xx"));
    }
}
