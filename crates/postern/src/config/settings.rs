//! What has postern to know, resolved and checked?
//!
//! The second of two stages: plain values, ready for use. Secrets stay in their files; [`super::secrets`] loads them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use jiff::civil::Date;
use postern_core::form::ContentMode;
use postern_core::provider::google::PubsubSource;
use postern_core::provider::microsoft::Cloud;
use postern_core::service::Service;
use postern_kafka::TopicNames;

use super::problem::Place;

/// The whole configuration.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// `[server]`.
    pub(crate) server: Server,
    /// `[shutdown]`.
    pub(crate) shutdown: Shutdown,
    /// `[limits]`.
    pub(crate) limits: Limits,
    /// `[kafka]`.
    pub(crate) kafka: Kafka,
    /// `[hook_tokens]`, where it names keys.
    pub(crate) hook_tokens: Option<HookTokens>,
    /// `[[static_secret]]`.
    pub(crate) static_secrets: Vec<StaticSecret>,
    /// `graph.cloud`.
    pub(crate) cloud: Cloud,
    /// `[pubsub.<name>]`, in the order of their names.
    pub(crate) pubsub: Vec<PubsubSource>,
    /// `[google]`.
    pub(crate) google: Google,
    /// `[quarantine]`.
    pub(crate) quarantine: Quarantine,
    /// `[spool]`; absent: Kafka out of reach is 503.
    pub(crate) spool: Option<postern_spool::Settings>,
    /// `[[deny]]`.
    pub(crate) deny: Vec<DenyRule>,
    /// `[endpoints]`.
    pub(crate) endpoints: Endpoints,
}

/// Listeners and deadlines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    /// Where providers post.
    pub(crate) public: SocketAddr,
    /// Where `/livez`, `/readyz`, `/metrics` and `/status` are.
    pub(crate) admin: SocketAddr,
    /// What providers are told, without a trailing slash.
    pub(crate) public_url: Option<String>,
    /// From the request head to the last byte of the answer.
    pub(crate) deadline: Duration,
    /// From the request head to the last byte of the body; shorter than `deadline`.
    pub(crate) body_deadline: Duration,
}

/// How long a drain takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shutdown {
    /// Unready, and still serving as before.
    pub(crate) linger: Duration,
    /// Answers carry `Connection: close`; no idle connection is closed before it is over.
    pub(crate) grace: Duration,
}

/// What one process takes at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Open connections.
    pub(crate) connections: usize,
    /// Sum of the bodies in flight, in bytes.
    pub(crate) inflight_bytes: usize,
    /// Largest bodies.
    pub(crate) body: BodyLimits,
    /// Items in one delivery.
    pub(crate) items: usize,
}

impl Limits {
    /// Bytes that may wait for Kafka, and as many for the disk: records take about twice what their bodies do. More than a
    /// second of work for two cores is not wanted, and the largest delivery has to fit.
    pub(crate) fn queue_bytes(&self) -> usize {
        self.inflight_bytes.saturating_mul(2).clamp(16 << 20, 32 << 20)
    }
}

/// The largest body of each kind of route, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BodyLimits {
    /// Microsoft Graph.
    pub(crate) graph: usize,
    /// Pub/Sub, Calendar and Drive.
    pub(crate) google: usize,
}

/// The cluster and the topics.
#[derive(Clone, Debug)]
pub(crate) struct Kafka {
    /// `host:port`, comma-separated; absent where nothing was configured.
    pub(crate) bootstrap_servers: Option<String>,
    /// The topics' names.
    pub(crate) topics: TopicNames,
    /// How records are written.
    pub(crate) mode: ContentMode,
    /// librdkafka properties, none of them secret.
    pub(crate) properties: BTreeMap<String, String>,
    /// librdkafka properties whose value is the content of a file.
    pub(crate) property_files: BTreeMap<String, SecretFile>,
}

/// The key ring.
#[derive(Clone, Debug)]
pub(crate) struct HookTokens {
    /// The key id that signs; it is one of `keys`.
    pub(crate) signing: String,
    /// Key ids and their files.
    pub(crate) keys: Vec<(String, SecretFile)>,
}

/// A secret of subscriptions made elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct StaticSecret {
    /// The service whose deliveries carry it.
    pub(crate) service: Service,
    /// Where it is.
    pub(crate) file: SecretFile,
    /// Whose deliveries they are.
    pub(crate) tenant: String,
    /// Absent: installation level.
    pub(crate) user: Option<String>,
}

/// A file that holds a secret, and the key that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SecretFile {
    /// The key path.
    pub(crate) key: String,
    /// Where the key was set.
    pub(crate) place: Place,
    /// The file. It is shown with care: see [`super::secrets`].
    pub(crate) path: PathBuf,
}

/// What is Google's for all of its routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Google {
    /// Where the keys are that sign Pub/Sub's tokens: https, or http to loopback.
    pub(crate) jwks_url: String,
}

/// The budget of quarantine records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quarantine {
    /// Records a second.
    pub(crate) records_per_second: u32,
    /// Bytes a second.
    pub(crate) bytes_per_second: u32,
    /// Bytes of a body that are kept.
    pub(crate) max_body: usize,
}

/// A connection, or a whole tenant, whose deliveries are thrown away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DenyRule {
    /// The tenant.
    pub(crate) tenant: String,
    /// Absent: the whole tenant.
    pub(crate) user: Option<String>,
}

/// What `postern endpoints` prints for firewall admins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Endpoints {
    /// Where providers reach us.
    pub(crate) ingress_addresses: Vec<IpNet>,
    /// Where postern and fetchers come from.
    pub(crate) egress_addresses: Vec<IpNet>,
    /// When they changed last.
    pub(crate) changed: Option<Date>,
}

impl Settings {
    /// The defaults on the embedded Kafka: no waiting at the end, as no balancer stands in front.
    pub(crate) fn embedded(public: SocketAddr, admin: SocketAddr) -> Self {
        let mut settings = super::resolve::defaults();
        settings.server.public = public;
        settings.server.admin = admin;
        settings.shutdown = Shutdown { linger: Duration::ZERO, grace: Duration::ZERO };
        settings
    }

    /// Whether something could verify a delivery of that service.
    pub(crate) fn covers(&self, service: Service) -> bool {
        let secret = || self.static_secrets.iter().any(|one| one.service == service);
        match service {
            Service::Graph | Service::Calendar | Service::Drive => {
                self.hook_tokens.is_some() || secret()
            }
            Service::Ews => self.hook_tokens.is_some(),
            Service::Gmail | Service::WorkspaceEvents => !self.pubsub.is_empty(),
        }
    }
}
