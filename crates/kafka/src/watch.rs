//! Who looks after a lane in the background: stalls, reachability, dead producers?

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use postern_core::publish::Circuit;
use rdkafka::metadata::Metadata;
use rdkafka::producer::Producer as _;

use crate::lane::Lane;

/// How often stalls and overdue probes are looked for.
const TICK: Duration = Duration::from_millis(50);
/// The distance of metadata requests while Kafka is out of reach. They also make librdkafka reconnect.
const RETRY: Duration = Duration::from_millis(250);
/// Without an acknowledgement for so long, Kafka is asked for metadata: an outage that begins while no request
/// comes is known within 3 s too, and connections stay in use.
const IDLE: Duration = Duration::from_secs(1);
/// How long a first answer may take while the breaker is closed.
const QUICK: Duration = Duration::from_millis(500);
/// How long an answer may take otherwise: a Kafka with answers of 1 s is slow, not away.
const PATIENT: Duration = Duration::from_millis(1_200);
/// A producer that died is replaced at most this often, growing while none of them gets an acknowledgement; not much, as
/// nothing is acknowledged until it is replaced.
const REBUILD_FIRST: Duration = Duration::from_secs(1);
const REBUILD_LAST: Duration = Duration::from_secs(2);

/// What Kafka said to a metadata request.
enum Answer {
    /// The topic has a leader.
    Ready,
    /// It answered, and the topic cannot be written to.
    NotReady,
    /// It did not answer.
    None,
}

/// The state of one watcher.
struct Watcher {
    lane: Arc<Lane>,
    last_question: Option<Instant>,
    last_rebuild: Option<Instant>,
    rebuild_backoff: Duration,
    warmed: bool,
}

/// Starts the watcher of a lane. It ends after `stop`, and is the last to let go of the lane: dropping a producer
/// blocks.
pub(crate) fn spawn(lane: Arc<Lane>, stop: Arc<AtomicBool>) -> std::io::Result<()> {
    let health = Arc::clone(&lane.health);
    let name = ["kafka-", lane.plan.name].concat();
    let watcher = Watcher {
        lane,
        last_question: None,
        last_rebuild: None,
        rebuild_backoff: REBUILD_FIRST,
        warmed: false,
    };
    let handle = thread::Builder::new().name(name).spawn(move || watcher.run(&stop))?;
    health.set_watcher(handle.thread().clone());
    Ok(())
}

impl Watcher {
    fn run(mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Acquire) {
            let pause = self.step();
            thread::park_timeout(pause);
        }
        while Arc::strong_count(&self.lane) > 1 {
            thread::park_timeout(TICK);
        }
    }

    /// Does what is due and says when to look again.
    fn step(&mut self) -> Duration {
        let now = Instant::now();
        self.replace_the_dead(now);
        let lane = Arc::clone(&self.lane);
        let health = &lane.health;
        health.tick(now);
        match health.state() {
            Circuit::Open => {
                if let Answer::Ready = self.ask(PATIENT) {
                    health.reachable(Instant::now());
                    return TICK;
                }
                RETRY
            }
            Circuit::Closed | Circuit::HalfOpen => {
                let suspicion = health.take_suspicion();
                if suspicion || self.is_idle(now) {
                    self.confirm(suspicion);
                }
                TICK
            }
        }
    }

    /// Whether it is time to ask although nobody waits.
    fn is_idle(&self, now: Instant) -> bool {
        let progress = &self.lane.health.progress;
        let last = progress.last_contact().max(self.last_question);
        let long_ago = last.is_none_or(|last| now.saturating_duration_since(last) >= IDLE);
        // While records are outstanding the stall rule judges, and must not wait for an answer here.
        long_ago && progress.outstanding() == 0
    }

    /// Asks while the breaker is not open; opens it when Kafka does not answer. Only a suspicion of librdkafka's
    /// makes one missing answer enough.
    fn confirm(&mut self, suspicion: bool) {
        let answered = |answer| !matches!(answer, Answer::None);
        if answered(self.ask(QUICK)) {
            return;
        }
        if suspicion || self.lane.health.take_suspicion() || !answered(self.ask(PATIENT)) {
            self.lane.health.unreachable(Instant::now());
        }
    }

    /// One metadata request for the lane's topic.
    fn ask(&mut self, timeout: Duration) -> Answer {
        let answer = self.fetch(timeout);
        self.last_question = Some(Instant::now());
        answer
    }

    fn fetch(&mut self, timeout: Duration) -> Answer {
        let lane = &self.lane;
        let client = lane.client();
        let [first, others @ ..] = lane.plan.topics else { return Answer::NotReady };
        let name = lane.names.name(*first);
        let Ok(metadata) = client.producer.client().fetch_metadata(Some(name), timeout) else {
            return Answer::None;
        };
        lane.health.progress.contacted(Instant::now());
        lane.health.tick(Instant::now());
        if !self.warmed {
            self.warmed = true;
            for topic in others {
                // Only to know the leaders before the first record; a failure shows with that record.
                drop(client.producer.client().fetch_metadata(Some(lane.names.name(*topic)), QUICK));
            }
        }
        if has_leader(&metadata, name) { Answer::Ready } else { Answer::NotReady }
    }

    fn replace_the_dead(&mut self, now: Instant) {
        if !self.lane.is_dead(now) {
            return;
        }
        if self.last_rebuild.is_some_and(|last| now.duration_since(last) < self.rebuild_backoff) {
            return;
        }
        let lived = self
            .last_rebuild
            .is_none_or(|last| self.lane.health.progress.last_ack().is_some_and(|ack| ack > last));
        self.rebuild_backoff =
            if lived { REBUILD_FIRST } else { (self.rebuild_backoff * 2).min(REBUILD_LAST) };
        self.last_rebuild = Some(now);
        self.warmed = false;
        let producer = self.lane.plan.name;
        match self.lane.rebuild() {
            Ok(generation) => {
                tracing::warn!(producer, generation, "the kafka producer died and was replaced");
            }
            Err(error) => {
                tracing::error!(producer, %error, "the kafka producer died and cannot be replaced");
            }
        }
    }
}

/// Whether the topic can be written to as far as metadata says.
fn has_leader(metadata: &Metadata, name: &str) -> bool {
    let topic = metadata.topics().iter().find(|topic| topic.name() == name);
    topic.is_some_and(|topic| {
        topic.error().is_none()
            && topic.partitions().iter().any(|partition| partition.leader() >= 0)
    })
}
