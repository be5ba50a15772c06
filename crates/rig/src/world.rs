//! What does a test of the promise stand in? A broker of its own, a postern that always comes back at the same ports, and
//! a load that may run while things die.

use std::time::Duration;

use super::config::Config;
use super::consumer::read_all;
use super::kafka::{Kafka, Options, Topics};
use super::load::{Answer, Load};
use super::ports::free_port;

/// The provider's patience is 3 s; postern's deadline of 2.5 s and the way there and back stay below it.
const SLOWEST: Duration = Duration::from_millis(2_900);

/// Broker, topics, configuration and ports of one test.
pub struct World {
    /// One broker; no other test has it.
    pub kafka: Kafka,
    /// Three topics in it.
    pub topics: Topics,
    /// Has these topics and ports.
    pub config: Config,
    /// Where senders post.
    pub public: u16,
    /// Where the operator looks.
    pub admin: u16,
    load: Option<Load>,
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// Starts the broker and makes the topics; no postern yet.
    pub fn new() -> Self {
        let kafka = Kafka::start(&Options::default());
        let topics = kafka.new_topics();
        let (public, admin) = (free_port(), free_port());
        let config = Config::new(&kafka, &topics).ports(public, admin);
        Self { kafka, topics, config, public, admin, load: None }
    }

    /// Sets a key of the configuration; see [`Config::set`].
    #[must_use]
    pub fn set(mut self, section: &str, key: &str, value: &str) -> Self {
        self.config = self.config.set(section, key, value);
        self
    }

    /// Starts to post so many requests a second.
    pub fn busy(&mut self, rate: u32) {
        self.load = Some(Load::start(self.public, rate));
    }

    /// The load that runs.
    pub fn load(&self) -> &Load {
        self.load.as_ref().expect("the load runs")
    }

    /// Stops the load and compares ledger and topic; `least` acknowledged notifications make the run meaningful. Gives
    /// all answers; fails the test where one came late, or where anything but genuine events was published.
    pub fn audit(&mut self, least: usize) -> Vec<Answer> {
        let mut load = self.load.take().expect("the load runs");
        load.stop();
        let answers = load.answers();
        let slowest = answers.iter().map(|answer| answer.took).max().unwrap_or_default();
        let audit = load.ledger().audit(&read_all(&self.kafka, &self.topics.events));
        eprintln!(
            "{} requests, {} notifications acknowledged, {} records, {} duplicates, {} missing, {} spurious, \
             slowest answer {slowest:?}",
            answers.len(),
            audit.acknowledged,
            audit.records,
            audit.duplicates,
            audit.missing.len(),
            audit.spurious.len(),
        );
        audit.check();
        assert!(audit.acknowledged >= least, "only {} acknowledged", audit.acknowledged);
        assert!(slowest <= SLOWEST, "the slowest answer took {slowest:?}");
        for topic in [&self.topics.lifecycle, &self.topics.quarantine] {
            assert!(
                read_all(&self.kafka, topic).is_empty(),
                "{topic}: only genuine events were sent"
            );
        }
        answers
    }
}
