//! How is a broker configured: small, quick to come back, and with the listener that the test asks for?

use std::fmt::Write as _;
use std::path::Path;

use super::certificates::Certificates;
use super::{Options, Security};

/// A broker's three ports.
#[derive(Clone, Copy)]
pub(super) struct Ports {
    /// What clients use, in the security that the test asks for.
    pub(super) client: u16,
    /// Between brokers, plaintext on the loopback.
    pub(super) internal: u16,
    /// Between controllers, plaintext on the loopback.
    pub(super) controller: u16,
}

/// What a node's `server.properties` is made of.
pub(super) struct Properties<'a> {
    /// Where in `ports` this node stands.
    pub(super) place: usize,
    /// The ports of all nodes.
    pub(super) all_ports: &'a [Ports],
    pub(super) security: Security,
    pub(super) certificates: Option<&'a Certificates>,
    pub(super) options: &'a Options,
}

impl Properties<'_> {
    pub(super) fn ports(&self) -> Ports {
        self.all_ports[self.place]
    }

    /// The file's text for a data directory.
    pub(super) fn to_text(&self, data: &Path) -> String {
        let Ports { client, internal, controller } = self.ports();
        let protocol = self.security.protocol();
        let copies = self.all_ports.len().min(3);
        let mut text = format!(
            "process.roles=broker,controller\n\
             node.id={id}\n\
             controller.quorum.voters={voters}\n\
             listeners=CLIENT://127.0.0.1:{client},INTERNAL://127.0.0.1:{internal},CONTROLLER://127.0.0.1:{controller}\n\
             listener.security.protocol.map=CLIENT:{protocol},INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
             inter.broker.listener.name=INTERNAL\n\
             controller.listener.names=CONTROLLER\n\
             log.dirs={data}\n\
             offsets.topic.replication.factor={copies}\n\
             transaction.state.log.replication.factor={copies}\n\
             transaction.state.log.min.isr={in_sync}\n\
             {COMMON}",
            id = self.place + 1,
            voters = self.voters(),
            data = data.display(),
            in_sync = copies.div_ceil(2),
        );
        self.write_security(&mut text);
        for (name, value) in &self.options.properties {
            writeln!(text, "{name}={value}").expect("a String takes any text");
        }
        text
    }

    fn voters(&self) -> String {
        let voters = self.all_ports.iter().zip(1..);
        let voters = voters.map(|(ports, id)| format!("{id}@127.0.0.1:{}", ports.controller));
        voters.collect::<Vec<_>>().join(",")
    }

    fn write_security(&self, text: &mut String) {
        let Some(certificates) = self.certificates else { return };
        text.push_str("ssl.keystore.type=PEM\nssl.truststore.type=PEM\n");
        let (broker, ca) = (certificates.broker.display(), certificates.ca.display());
        writeln!(text, "ssl.keystore.location={broker}\nssl.truststore.location={ca}")
            .expect("a String takes any text");
        text.push_str(match self.security {
            Security::MutualTls => "ssl.client.auth=required\n",
            Security::ScramSha512 => SCRAM,
            Security::Plaintext => "",
        });
    }
}

const SCRAM: &str = "\
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.client.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
";

/// A killed broker is not let in again before its old session has ended: short sessions, short outages.
const COMMON: &str = "\
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500
auto.create.topics.enable=false
offsets.topic.num.partitions=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=2
log.cleaner.dedupe.buffer.size=4194304
";
