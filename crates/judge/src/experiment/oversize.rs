//! Is a 2xx kept when Kafka takes no record of that size? What was acknowledged is in its topic or in quarantine.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use postern_rig::consumer::read_all;
use postern_rig::process;
use serde_json::Value;

use super::broker::{await_return, check_answered};
use super::postern::check_statuses;
use crate::context::Context;
use crate::load::Traffic;
use crate::verdict::{Row, millis};
use crate::world::{Plan, World, spool_folder};

const RATE: f64 = 200.0;
/// With a spool: what is refused in company is tried again alone, one after the other, and has to be through within
/// [`DRAINED`].
const SPOOLED_RATE: f64 = 100.0;
const CONNECTIONS: usize = 32;
/// No record is smaller.
const NOTHING: &str = "300";
/// Each record alone is smaller, a batch of some is not: a broker refuses all that came with one that is too large.
const ONE_BY_ONE: &str = "3000";
/// Kafka's own default.
const DEFAULT: &str = "1048588";
/// So long the limit is in force before answers are held against it, and so long they are.
const IN_FORCE: Duration = Duration::from_secs(2);
const WATCHED: Duration = Duration::from_secs(10);
/// What was spooled is out of the spool within this, limit or not: nothing goes round in circles.
const DRAINED: Duration = Duration::from_secs(60);

impl World {
    /// Both topics take no batch that is larger than so many bytes.
    fn limit_records(&self, bytes: &str) {
        for topic in [&self.topics.events, &self.topics.lifecycle] {
            self.kafka.alter_topic(topic, &[("max.message.bytes", bytes)]);
        }
    }
}

/// What posterns have counted, one after another: a process that is killed takes its counters along.
#[derive(Default)]
struct Counted {
    /// Items quarantined as too large while their sender waited.
    items: f64,
    /// Records that went from the spool into quarantine.
    spooled: f64,
}

impl Counted {
    fn add(&mut self, world: &mut World) {
        let labels = [("reason", "too-large")];
        let items = world.metric_with("postern_quarantined_total", &labels);
        world.require(items.is_some(), || "postern does not show its metrics".to_owned());
        self.items += items.unwrap_or_default();
        // A postern without a spool shows none.
        self.spooled += world.metric("postern_spool_refused_total").unwrap_or_default();
    }
}

/// Three times (once in the short form): both topics take nothing of the size that records have. What Kafka can never take
/// is quarantined, durably, and its sender gets a 2xx; what the quarantine's budget does not take gets 503.
pub(crate) fn refused(context: Context) -> Row {
    let mut world = World::new(&context, &Plan::plain());
    world.with_aside = true;
    world.start();
    world.busy(Traffic::new(context.seed, RATE, CONNECTIONS));
    let rounds = context.size(3, 1);
    let mut spans = Vec::new();
    for round in 1..=rounds {
        thread::sleep(Duration::from_secs(3));
        world.limit_records(NOTHING);
        spans.push(watch(&mut world, round));
        world.limit_records(DEFAULT);
        await_return(&mut world, round, false);
    }
    finish(&mut world);
    let mut counted = Counted::default();
    counted.add(&mut world);
    check_injected(&mut world, &spans);
    check_counts(&mut world, &counted, &[]);
    check_answered(&mut world);
    world.judge()
}

/// The same to records that were spooled before, twice (only the first in the short form): nothing of their size is taken,
/// then each of them alone is.
pub(crate) fn refused_after_the_spool(context: Context) -> Row {
    let folder = spool_folder();
    let spool = Some((folder.as_path(), "256MiB"));
    let mut world = World::new(&context, &Plan { spool, ..Plan::plain() });
    world.with_aside = true;
    world.start();
    world.busy(Traffic::new(context.seed, SPOOLED_RATE, CONNECTIONS));
    let (mut counted, mut spans, mut slowest) = (Counted::default(), Vec::new(), Duration::ZERO);
    let bounds = context.size(&[NOTHING, ONE_BY_ONE][..], &[NOTHING][..]);
    for (round, bound) in (1..).zip(bounds) {
        fill_spool(&mut world, round);
        counted.add(&mut world);
        // Before it comes back Kafka has another limit: no record of the spool slips through.
        world.postern().kill9();
        world.kafka.resume();
        world.limit_records(bound);
        world.start();
        let drained = world.await_drained(DRAINED);
        world.require(drained.is_some(), || {
            format!("round {round}: the spool is not empty in {DRAINED:?}")
        });
        slowest = slowest.max(drained.unwrap_or(DRAINED));
        let span = watch(&mut world, round);
        check_bound(&mut world, round, bound);
        if *bound == NOTHING {
            spans.push(span);
        }
        world.limit_records(DEFAULT);
        await_return(&mut world, round, false);
    }
    finish(&mut world);
    counted.add(&mut world);
    world.note(format!("the spool was empty {} ms after its start at most", millis(slowest)));
    let opened = opened(&mut world);
    check_injected(&mut world, &spans);
    check_counts(&mut world, &counted, &opened);
    let files = set_aside(&folder);
    world.require(files.is_empty(), || format!("set aside though quarantine takes it: {files:?}"));
    world.judge()
}

/// Kafka stands still until there is something in the spool.
fn fill_spool(world: &mut World, round: u32) {
    thread::sleep(Duration::from_secs(3));
    world.kafka.pause();
    let open = world.await_open(Duration::from_secs(5));
    world.require(open.is_some(), || format!("round {round}: the breaker is not open"));
    thread::sleep(Duration::from_secs(4));
    let held = world.metric("postern_spool_records").unwrap_or_default();
    world.say(&format!("round {round}: {held} records in the spool"));
    world.require(held > 0.0, || format!("round {round}: nothing was spooled"));
}

/// The limit is in force; gives the span in which nobody can have written more.
fn watch(world: &mut World, round: u32) -> (Instant, Instant) {
    thread::sleep(IN_FORCE);
    let from = Instant::now();
    thread::sleep(WATCHED);
    let to = Instant::now();
    let answers = world.answers().within(from, to);
    world.say(&format!(
        "round {round}: {} answers under the limit, {} with a 2xx, p99 {} ms",
        answers.answered(),
        answers.good(),
        millis(answers.quantile(0.99))
    ));
    world.require(answers.good() > 0, || format!("round {round}: nothing was quarantined"));
    (from, to)
}

/// What the spool gave up in this round: all that it held, or nothing.
fn check_bound(world: &mut World, round: u32, bound: &str) {
    let refused = world.metric("postern_spool_refused_total").unwrap_or_default();
    let fits = bound == ONE_BY_ONE;
    world.require(fits == (refused == 0.0), || {
        format!("round {round}: {refused} records of the spool were given up at {bound} bytes")
    });
}

fn finish(world: &mut World) {
    thread::sleep(Duration::from_secs(3));
    world.quiet();
    check_statuses(world);
}

/// The records that went from the spool into quarantine, opened by the command that people use.
fn opened(world: &mut World) -> Vec<String> {
    let records = read_all(&world.kafka, &world.topics.quarantine).len();
    let file = world.config.write().display().to_string();
    let tail = ["tail", "--config", &file, "--topic", "quarantine", "--from-beginning", "--json"];
    let tail = process::postern(&[&tail[..], &["--max", &records.to_string()]].concat());
    world.require(tail.code == Some(0), || format!("tail failed: {}", tail.stderr.trim()));
    let mut ids = Vec::new();
    for line in tail.stdout.lines() {
        let record: Value = serde_json::from_str(line).expect("tail --json writes JSON");
        let headers = &record["headers"];
        if headers["postern_reason"] != "too-large" || headers["postern_items"] != "[]" {
            continue;
        }
        let body = record["body"].as_str().unwrap_or_default();
        let event: Value = serde_json::from_str(body).unwrap_or_default();
        world.oracle.saw_opened(&event);
        ids.push(format!("{} {}", event["dataschema"], event["id"]));
    }
    ids
}

/// While nothing of their size was taken: what was acknowledged is in quarantine, all of it, and nowhere else.
fn check_injected(world: &mut World, spans: &[(Instant, Instant)]) {
    world.await_all_read();
    let (mut promised, mut aside, mut published) = (0, 0, 0);
    for &(from, to) in spans {
        let (all, kept, out) = world.oracle.promised_within(from, to);
        (promised, aside, published) = (promised + all, aside + kept, published + out);
    }
    world.note(format!("{promised} records injected that no topic takes, {aside} in quarantine"));
    world.require(promised > 0 && aside == promised && published == 0, || {
        format!(
            "{promised} records were injected, {aside} are in quarantine, {published} in a topic"
        )
    });
}

/// Postern's counters and the quarantine topic say the same. A record whose acknowledgement came too late lies there
/// uncounted, or twice; that may be one in a hundred.
fn check_counts(world: &mut World, counted: &Counted, opened: &[String]) {
    let mut distinct = opened.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let (listed, counted_items, counted_records) =
        (world.oracle.listed(), counted.items as usize, counted.spooled as usize);
    world.note(format!(
        "quarantined while their sender waited: {listed} items listed, {counted_items} counted; out of the spool: {} \
         records, {} distinct, {counted_records} counted",
        opened.len(),
        distinct.len()
    ));
    let agree = |there: usize, counted: usize| counted <= there && (there - counted) * 100 <= there;
    world.require(agree(listed, counted_items), || {
        format!("{listed} items lie in quarantine, {counted_items} were counted")
    });
    world.require(agree(opened.len(), counted_records), || {
        format!(
            "{} records of the spool lie in quarantine, {counted_records} were counted",
            opened.len()
        )
    });
    world.require(agree(opened.len(), distinct.len()), || {
        format!(
            "{} records of the spool lie in quarantine, {} distinct",
            opened.len(),
            distinct.len()
        )
    });
}

/// Files of the spool's directory that hold what nobody took.
fn set_aside(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).expect("the spool's directory is there").flatten();
    let names = files.map(|file| file.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("refused-") || name.starts_with("damaged-")).collect()
}
