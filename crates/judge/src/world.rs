//! What does an experiment stand in? Brokers of its own, a postern that comes back at the same ports, senders, an auditor,
//! the control echo; and in the end one row.

mod ask;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use postern_rig::config::{Config, quoted};
use postern_rig::kafka::{Kafka, Options, Topics};
use postern_rig::ports::free_port;
use postern_rig::process::{Postern, Process};
use postern_rig::{eventually, scratch};
use postern_sim::Retry;

use crate::auditor::Auditor;
use crate::context::Context;
use crate::echo::Echo;
use crate::load::{Load, Sent, Traffic};
use crate::oracle::{Oracle, Shape};
use crate::syncs::Syncs;
use crate::verdict::{Answers, Row, millis, row};

/// After the faults the topics get so long to hold all that was promised.
const SETTLE: Duration = Duration::from_secs(120);
/// A fresh notification after the faults is acknowledged within so long.
const LIVELY: Duration = Duration::from_secs(30);

/// Senders that stood still for so long show in the table.
const STALL: Duration = Duration::from_millis(250);

/// What an experiment asks for.
pub(crate) struct Plan<'a> {
    pub(crate) kafka: Options,
    /// The spool's directory and its `max_bytes`; `None`: no spool.
    pub(crate) spool: Option<(&'a Path, &'a str)>,
}

impl Plan<'_> {
    /// One broker, no spool.
    pub(crate) fn plain() -> Self {
        Plan { kafka: Options::default(), spool: None }
    }
}

/// A running experiment.
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) name: &'static str,
    pub(crate) kafka: Kafka,
    pub(crate) topics: Topics,
    pub(crate) config: Config,
    pub(crate) oracle: Arc<Oracle>,
    pub(crate) echo: Echo,
    pub(crate) syncs: Syncs,
    pub(crate) public: u16,
    pub(crate) admin: u16,
    pub(crate) postern: Option<Postern>,
    spool: bool,
    /// Deliveries that were posted to see what their sender is told.
    probes: u64,
    /// What is quarantined because no topic takes its size counts as kept.
    pub(crate) with_aside: bool,
    /// What is audited.
    audited: Vec<String>,
    auditor: Option<Auditor>,
    load: Option<Load>,
    notes: Vec<String>,
    faults: Vec<String>,
}

/// The one place where the judge writes postern's configuration.
pub(crate) fn configure(
    kafka: &Kafka,
    topics: &Topics,
    ports: (u16, u16),
    spool: Option<(&Path, &str)>,
) -> Config {
    let config = Config::new(kafka, topics).ports(ports.0, ports.1);
    let config = config.set("shutdown", "linger", "\"1s\"").set("shutdown", "grace", "\"1s\"");
    let Some((dir, max_bytes)) = spool else { return config };
    let dir = dir.to_str().expect("the target directory has a plain name");
    config.set("spool", "dir", &quoted(dir)).set("spool", "max_bytes", &quoted(max_bytes))
}

/// A fresh directory for a spool.
pub(crate) fn spool_folder() -> PathBuf {
    scratch::folder("spool")
}

impl World {
    /// Brokers, topics and an auditor; no postern yet.
    pub(crate) fn new(context: &Context, plan: &Plan<'_>) -> Self {
        let kafka = Kafka::start(&plan.kafka);
        let topics = kafka.new_topics();
        let audited = topics.all().map(str::to_owned).to_vec();
        Self::around(context, plan, (kafka, topics), (Shape::Events, audited))
    }

    /// The same for another receiver, which writes bodies into one topic.
    pub(crate) fn of_peer(context: &Context, topic: &str) -> Self {
        let plan = Plan::plain();
        let kafka = Kafka::start(&plan.kafka);
        let topics = Topics::named();
        kafka.create_topic(topic, 3, &[]);
        Self::around(context, &plan, (kafka, topics), (Shape::Bodies, vec![topic.to_owned()]))
    }

    fn around(
        context: &Context,
        plan: &Plan<'_>,
        (kafka, topics): (Kafka, Topics),
        (shape, audited): (Shape, Vec<String>),
    ) -> Self {
        let (public, admin) = (free_port(), free_port());
        let config = configure(&kafka, &topics, (public, admin), plan.spool);
        let oracle = Arc::new(Oracle::new(shape));
        let mut world = Self {
            seed: context.seed,
            name: context.name,
            spool: plan.spool.is_some(),
            kafka,
            topics,
            config,
            oracle,
            echo: Echo::start(),
            syncs: Syncs::start(),
            public,
            admin,
            postern: None,
            probes: 0,
            with_aside: false,
            audited,
            auditor: None,
            load: None,
            notes: Vec::new(),
            faults: Vec::new(),
        };
        world.audit();
        world
    }

    /// Starts reading the topics; before and after a topic is made anew.
    pub(crate) fn audit(&mut self) {
        let topics: Vec<_> = self.audited.iter().map(String::as_str).collect();
        self.auditor = Some(Auditor::start(&self.kafka, &topics, &self.oracle));
    }

    /// Reads what there is to its end, and no further.
    pub(crate) fn pause_audit(&mut self) {
        if let Some(auditor) = self.auditor.take()
            && let Err(what) = auditor.finish()
        {
            self.fault(format!("the auditor stopped: {what}"));
        }
    }

    pub(crate) fn say(&self, what: &str) {
        crate::progress::say(self.name, what);
    }

    /// A figure for the table.
    pub(crate) fn note(&mut self, what: String) {
        self.say(&what);
        self.notes.push(what);
    }

    /// A reason why the experiment has not passed.
    pub(crate) fn fault(&mut self, what: String) {
        self.say(&format!("FAULT: {what}"));
        self.faults.push(what);
    }

    /// A fault unless it holds.
    pub(crate) fn require(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.fault(what());
        }
    }

    /// Starts postern and waits for its ready line.
    pub(crate) fn start(&mut self) {
        self.start_under(&[], |_| {});
    }

    /// The same by a wrapper, such as `prlimit`, or with variables.
    pub(crate) fn start_under(&mut self, wrapper: &[&str], prepare: impl FnOnce(&mut Command)) {
        let process = self.spawn_under(wrapper, prepare);
        self.postern = Some(Postern::await_ready(process));
    }

    /// Starts postern and does not wait.
    pub(crate) fn spawn_under(
        &self,
        wrapper: &[&str],
        prepare: impl FnOnce(&mut Command),
    ) -> Process {
        Postern::spawn_under(&self.config, wrapper, |command| {
            command.env("POSTERN_LOG", "info");
            prepare(command);
        })
    }

    pub(crate) fn postern(&mut self) -> &mut Postern {
        self.postern.as_mut().expect("postern was started")
    }

    /// Starts to post to postern.
    pub(crate) fn busy(&mut self, traffic: Traffic) {
        self.busy_at(traffic, self.public);
    }

    /// Starts to post to another port of the loopback.
    pub(crate) fn busy_at(&mut self, traffic: Traffic, port: u16) {
        self.load = Some(Load::start(traffic, port, &self.oracle));
    }

    /// Sends nothing new and waits for the last answers.
    pub(crate) fn quiet(&mut self) {
        if let Some(load) = self.load.take() {
            let Sent { report, stall } = load.stop();
            if stall >= STALL {
                self.note(format!("the senders themselves stood still for {} ms", millis(stall)));
            }
            let counts = report.counts;
            self.say(&format!(
                "{} requests, {} with a 2xx, {} other statuses, {} cut, {} never sent",
                counts.attempts,
                counts.successes,
                counts.other_statuses,
                counts.resets,
                counts.unsent
            ));
        }
    }

    /// How late the machine itself was in the span: its echo in the minute before the end or, with a spool, its disk.
    pub(crate) fn lag(&self, from: Instant, to: Instant) -> Duration {
        let disk = if self.spool { self.syncs.slowest(from, to) } else { Duration::ZERO };
        self.echo.lag_before(to).max(disk)
    }

    /// All answers so far.
    pub(crate) fn answers(&self) -> Answers {
        Answers::new(self.oracle.answers())
    }

    /// Waits until all that was promised so far is read.
    pub(crate) fn await_all_read(&mut self) {
        let read = eventually(SETTLE, || {
            thread::sleep(Duration::from_millis(200));
            self.oracle.audit(self.with_aside).missing.is_empty()
        });
        self.require(read, || format!("not all that was promised came within {SETTLE:?}"));
    }

    /// The faults are over: everything promised arrives, and something fresh is taken. Then the row.
    pub(crate) fn judge(mut self) -> Row {
        self.quiet();
        self.check_lively();
        let settled = eventually(SETTLE, || {
            thread::sleep(Duration::from_millis(200));
            self.oracle.audit(self.with_aside).missing.is_empty()
        });
        if self.spool && settled && self.await_drained(SETTLE).is_none() {
            let left = self.metric("postern_spool_records");
            self.fault(format!("the spool is not empty after {SETTLE:?}: {left:?} records"));
        }
        self.pause_audit();
        let audit = self.oracle.audit(self.with_aside);
        if audit.aside > 0 {
            self.note(format!(
                "{} records in quarantine because no topic takes their size",
                audit.aside
            ));
        }
        let mut row = row(&self.answers(), &audit, &self.echo, &self.faults);
        row.notes.append(&mut self.notes);
        row
    }

    /// Twenty fresh deliveries get their 2xx; the ledger holds them like all others.
    fn check_lively(&mut self) {
        let retry = Retry {
            attempts: 30,
            delay: Duration::from_millis(200),
            longest: Duration::from_millis(500),
        };
        let mut traffic = Traffic::new(self.seed ^ 0x6c69_7665_6c79, 20.0, 2);
        (traffic.requests, traffic.retry) = (Some(20), Some(retry));
        let start = Instant::now();
        let sent = Load::start(traffic, self.public, &self.oracle).join();
        let (took, good) = (start.elapsed(), sent.report.counts.successes);
        self.require(good == 20 && took <= LIVELY, || {
            format!("after the faults {good} of 20 fresh deliveries were acknowledged in {took:?}")
        });
    }
}
