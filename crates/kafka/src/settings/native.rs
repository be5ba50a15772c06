//! What does librdkafka get told? The defaults, what the operator sets over them, and what nobody may.

use std::time::Duration;

use rdkafka::ClientConfig;

use super::Settings;

/// What follows of a connection that both a producer and a consumer understand: the prefixes of the properties that
/// the follower and the topic commands take over.
const CONNECTION_PREFIXES: &[&str] = &[
    "api.version.",
    "broker.",
    "client.",
    "connections.",
    "debug",
    "enable.sasl.",
    "enable.ssl.",
    "https.",
    "metadata.",
    "reconnect.",
    "sasl.",
    "security.",
    "socket.",
    "ssl.",
];

impl Settings {
    /// The configuration of a producer whose queue holds `messages` records and `kbytes` KiB, and that tries each for
    /// `message_timeout`.
    pub(crate) fn producer(
        &self,
        messages: usize,
        kbytes: usize,
        message_timeout: Duration,
    ) -> ClientConfig {
        let mut config = self.connection_defaults();
        // While five requests to a broker are in flight the next records batch by themselves: waiting gains nothing.
        config.set("linger.ms", "0");
        // An unknown topic is to fail within the deadline (librdkafka's default: 30 s).
        config.set("topic.metadata.propagation.max.ms", "1000");
        // The broker gives up on slow followers before the client gives up on the connection.
        config.set("request.timeout.ms", "1500");
        config.extend(self.properties.clone());

        config.set("bootstrap.servers", &self.bootstrap_servers);
        config.set("enable.idempotence", "true");
        config.set("acks", "all");
        config.set("max.in.flight.requests.per.connection", "5");
        config.set("partitioner", "murmur2_random");
        config.set("allow.auto.create.topics", "false");
        config.set("message.timeout.ms", message_timeout.as_millis().to_string());
        config.set("queue.buffering.max.messages", messages.to_string());
        config.set("queue.buffering.max.kbytes", kbytes.to_string());
        config
    }

    /// The configuration of a client that only reads: the follower and the topic commands.
    pub(crate) fn client(&self) -> ClientConfig {
        let mut config = self.connection_defaults();
        let shared = |name: &str| CONNECTION_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        config.extend(self.properties.clone().into_iter().filter(|(name, _)| shared(name)));
        config.set("bootstrap.servers", &self.bootstrap_servers);
        config.set("allow.auto.create.topics", "false");
        config
    }

    fn connection_defaults(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("client.id", "postern");
        // A dead broker's records fail, and a returning one is found, no later than the next reconnect
        // (librdkafka's default grows to 10 s).
        config.set("reconnect.backoff.ms", "50");
        config.set("reconnect.backoff.max.ms", "500");
        // A paused broker is given up on within the deadline (default: 60 s and 30 s).
        config.set("socket.timeout.ms", "2000");
        config.set("socket.connection.setup.timeout.ms", "2000");
        config.set("socket.keepalive.enable", "true");
        // Client telemetry is the operator's to ask for.
        config.set("enable.metrics.push", "false");
        config
    }
}
