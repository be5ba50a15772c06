//! How does a test get a real Apache Kafka, and how does it take it away again?

mod access;
mod certificates;
mod jars;
mod node;
mod properties;
mod topics;

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::metadata::{Metadata, MetadataTopic};

pub use certificates::Certificates;
pub use topics::Topics;

use super::ports::free_port;
use super::scratch;
use node::Node;
use properties::{Ports, Properties};

/// The user that a SCRAM broker knows.
pub const SCRAM_USER: &str = "postern";
/// And that user's password.
pub const SCRAM_PASSWORD: &str = "correct-horse";

/// How long a cluster may take to answer: about 2 s when fresh, 6 s after a kill, more on a busy machine.
const READY: Duration = Duration::from_secs(60);

/// How clients reach a broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Security {
    /// No TLS and no password.
    #[default]
    Plaintext,
    /// SASL_SSL with SCRAM-SHA-512.
    ScramSha512,
    /// SSL with `ssl.client.auth=required`.
    MutualTls,
}

impl Security {
    fn protocol(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::ScramSha512 => "SASL_SSL",
            Self::MutualTls => "SSL",
        }
    }
}

/// What kind of cluster a test asks for.
pub struct Options {
    /// 1 or 3; with 3 all topics have three replicas.
    pub brokers: usize,
    /// How clients reach the brokers.
    pub security: Security,
    /// More lines of `server.properties`; they win over the fixture's own.
    pub properties: Vec<(String, String)>,
    /// The brokers run as an operator's do, with all of Java's compilers: for measuring. Otherwise they start quickly.
    pub steady: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { brokers: 1, security: Security::Plaintext, properties: Vec::new(), steady: false }
    }
}

/// A running cluster; it ends with the value.
pub struct Kafka {
    nodes: Vec<Node>,
    security: Security,
    certificates: Option<Certificates>,
    folder: PathBuf,
}

impl Kafka {
    /// The plaintext broker that tests share; start another one to hurt it.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Kafka> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&Options::default()))
    }

    /// Starts a cluster and waits until it answers.
    pub fn start(options: &Options) -> Self {
        // Somebody may take a port between the look and the bind: then once more with other ports.
        for _ in 0..4 {
            match Self::try_start(options) {
                Ok(kafka) => return kafka,
                Err(log) if log.contains("BindException") || log.contains("already in use") => {}
                Err(log) => panic!("the broker does not start; it says:\n{log}"),
            }
        }
        panic!("the broker found no free ports in four tries");
    }

    fn try_start(options: &Options) -> Result<Self, String> {
        let folder = scratch::folder("kafka");
        let security = options.security;
        let certificates = (security != Security::Plaintext).then(|| Certificates::make(&folder));
        let port =
            |_| Ports { client: free_port(), internal: free_port(), controller: free_port() };
        let all_ports: Vec<Ports> = (0..options.brokers).map(port).collect();
        let format = |place| {
            let properties = Properties {
                place,
                all_ports: &all_ports,
                security,
                certificates: certificates.as_ref(),
                options,
            };
            Node::format(folder.join(format!("node-{}", place + 1)), &properties)
        };
        let nodes: Vec<Node> = (0..options.brokers).map(format).collect();
        let kafka = Self { nodes, security, certificates, folder };
        kafka.nodes.iter().for_each(Node::start);
        kafka.await_ready()?;
        Ok(kafka)
    }

    /// What goes into `bootstrap_servers`.
    pub fn bootstrap(&self) -> String {
        let addresses = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.ports.client));
        addresses.collect::<Vec<_>>().join(",")
    }

    /// How many brokers the cluster has when all are up.
    pub fn brokers(&self) -> usize {
        self.nodes.len()
    }

    /// The TLS files; a plaintext broker has none.
    pub fn certificates(&self) -> &Certificates {
        self.certificates.as_ref().expect("only TLS brokers have certificates")
    }

    /// Kills every broker at once (SIGKILL).
    pub fn kill9(&self) {
        self.nodes.iter().for_each(Node::kill9);
    }

    /// Kills the broker at one place, counted from 0.
    pub fn kill9_at(&self, place: usize) {
        self.nodes[place].kill9();
    }

    /// Starts the brokers that are down, on their old data and ports, and waits until all answer.
    pub fn restart(&self) {
        self.restart_unready();
        self.await_ready().unwrap_or_else(|log| panic!("the broker is not back; it says:\n{log}"));
    }

    /// Starts the brokers that are down and does not wait for them.
    pub fn restart_unready(&self) {
        self.nodes.iter().filter(|node| !node.is_running()).for_each(Node::start);
    }

    /// Stops every broker in its tracks (SIGSTOP): connections stay open and nothing answers.
    pub fn pause(&self) {
        self.nodes.iter().for_each(|node| node.signal("STOP"));
    }

    /// Stops the broker at one place, counted from 0.
    pub fn pause_at(&self, place: usize) {
        self.nodes[place].signal("STOP");
    }

    /// Lets every broker go on after [`Kafka::pause`].
    pub fn resume(&self) {
        self.nodes.iter().for_each(|node| node.signal("CONT"));
    }

    /// The librdkafka properties of a client that the broker accepts, the address and the password left out.
    pub fn client_properties(&self) -> Vec<(&'static str, String)> {
        let mut properties = vec![("security.protocol", self.security.protocol().to_owned())];
        if let Some(files) = &self.certificates {
            properties.push(("ssl.ca.location", files.ca.display().to_string()));
        }
        match self.security {
            Security::Plaintext => {}
            Security::ScramSha512 => {
                properties.push(("sasl.mechanism", "SCRAM-SHA-512".to_owned()));
                properties.push(("sasl.username", SCRAM_USER.to_owned()));
            }
            Security::MutualTls => {
                let client = &self.certificates().client;
                let certificate = client.certificate.display().to_string();
                properties.push(("ssl.certificate.location", certificate));
                properties.push(("ssl.key.location", client.key.display().to_string()));
            }
        }
        properties
    }

    /// A file that holds the SCRAM password; `None` where clients need none.
    pub fn password_file(&self) -> Option<PathBuf> {
        (self.security == Security::ScramSha512).then(|| {
            let file = self.folder.join("password");
            fs::write(&file, SCRAM_PASSWORD).expect("the folder is writable");
            file
        })
    }

    /// A client configuration that the broker accepts; quick to reconnect.
    pub fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.bootstrap());
        config.set("reconnect.backoff.ms", "20").set("reconnect.backoff.max.ms", "100");
        for (name, value) in self.client_properties() {
            config.set(name, value);
        }
        if self.security == Security::ScramSha512 {
            config.set("sasl.password", SCRAM_PASSWORD);
        }
        config
    }

    /// Asks the cluster what it holds.
    fn metadata(&self, topic: Option<&str>) -> KafkaResult<Metadata> {
        let client: BaseConsumer = self.client().create()?;
        client.fetch_metadata(topic, Duration::from_secs(2))
    }

    /// Waits until every broker is known and every partition has a leader.
    ///
    /// # Errors
    /// The end of the log of a broker that ended, or of the first one when time is up.
    fn await_ready(&self) -> Result<(), String> {
        let end = Instant::now() + READY;
        let client: BaseConsumer = self.client().create().expect("the properties are known");
        loop {
            if let Ok(metadata) = client.fetch_metadata(None, Duration::from_millis(500))
                && metadata.brokers().len() == self.nodes.len()
                && metadata
                    .topics()
                    .iter()
                    .flat_map(MetadataTopic::partitions)
                    .all(|p| p.leader() >= 0)
            {
                return Ok(());
            }
            if let Some((node, how)) = self.nodes.iter().find_map(|n| Some((n, n.ended()?))) {
                return Err(format!("{}\nended: {how}", node.log_tail()));
            }
            if Instant::now() >= end {
                return Err(format!("{}\nnot ready in {READY:?}", self.nodes[0].log_tail()));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}
