//! Do the values make sense, each alone and together?
//!
//! One function a section; each reads its keys, so a new section is one function and one line in [`settings`].

use std::ops::RangeInclusive;
use std::time::Duration;

use postern_core::provider::microsoft::Cloud;
use postern_core::service::Service;

use super::mode::{DEFAULT_ADMIN, DEFAULT_PUBLIC};
use super::problem::Problem;
use super::raw::Raw;
use super::read::{Found, Reader, one_of};
use super::settings::{
    BodyLimits, DenyRule, Endpoints, Limits, Quarantine, Server, Settings, Shutdown,
};
use super::source::Source;
use super::{resolve_google, resolve_kafka, resolve_keys, resolve_spool, units};

/// What a command cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing: defaults will do.
    Nothing,
    /// A cluster.
    Kafka,
    /// A cluster and something that verifies deliveries.
    Serve,
}

/// Graph and Exchange may be slow, but 2.5 s is what the contract promises at most.
const LONGEST_DEADLINE: Duration = Duration::from_millis(2_500);
/// The body's share of it at most; the rest belongs to Kafka.
const LONGEST_BODY_DEADLINE: Duration = Duration::from_millis(1_500);
/// Shorter ones would turn every hiccup of a network into a 503.
const SHORTEST_DEADLINE: Duration = Duration::from_millis(200);
const SHORTEST_BODY_DEADLINE: Duration = Duration::from_millis(100);
/// No orchestrator waits longer for a process to end.
const DRAIN: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(600);
const DRAIN_DEFAULT: Duration = Duration::from_secs(5);

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// A body is held in memory as a whole.
const BODY: RangeInclusive<u64> = KIB..=64 * MIB;
/// What the contract says is too much for one delivery.
const MOST_ITEMS: u64 = 2_000;
/// A claim of a hook token holds at most 255 bytes.
const LONGEST_NAME: usize = 255;

/// Reads everything. The settings are complete only when there is no problem.
pub(crate) fn settings(source: &Source, raw: &Raw, need: Need) -> (Settings, Vec<Problem>) {
    let mut reader = Reader::new(source, raw);
    let settings = sections(&mut reader, need);
    (settings, reader.finish())
}

/// What nothing configured gives.
pub(crate) fn defaults() -> Settings {
    let (settings, problems) = settings(&Source::default(), &Raw::default(), Need::Nothing);
    assert!(problems.is_empty(), "the defaults make sense: {problems:?}");
    settings
}

/// Every section, in the order of the annotated example.
pub(super) fn sections(reader: &mut Reader<'_>, need: Need) -> Settings {
    let server = server(reader);
    let limits = limits(reader);
    let settings = Settings {
        pubsub: resolve_google::pubsub(reader, server.public_url.as_deref()),
        google: resolve_google::google(reader),
        server,
        shutdown: Shutdown {
            linger: reader.duration("shutdown.linger", DRAIN_DEFAULT, DRAIN),
            grace: reader.duration("shutdown.grace", DRAIN_DEFAULT, DRAIN),
        },
        kafka: resolve_kafka::kafka(reader, need != Need::Nothing),
        hook_tokens: resolve_keys::hook_tokens(reader),
        static_secrets: resolve_keys::static_secrets(reader),
        cloud: cloud(reader),
        quarantine: quarantine(reader),
        spool: resolve_spool::spool(reader, limits.queue_bytes()),
        limits,
        deny: deny(reader),
        endpoints: endpoints(reader),
    };
    let faulty =
        ["hook_tokens", "static_secret", "pubsub"].iter().any(|section| reader.is_faulty(section));
    let dead = !Service::ALL.into_iter().any(|service| settings.covers(service));
    if need == Need::Serve && dead && !faulty {
        reader.note(Problem::of(
            "hook_tokens",
            "missing: without keys, a [[static_secret]] or a [pubsub.<name>] nothing could be verified and no route \
             would be live; give hook_tokens.keys a key id and a file that `openssl rand -hex 32` filled",
        ));
    }
    settings
}

fn server(reader: &mut Reader<'_>) -> Server {
    let default = |text| units::address(text).expect("the default is an address");
    let public = reader.parsed("server.public", units::address);
    let admin = reader.parsed("server.admin", units::address);
    let public_url = reader.parsed("server.public_url", units::public_url);
    let deadline =
        reader.duration("server.deadline", LONGEST_DEADLINE, SHORTEST_DEADLINE..=LONGEST_DEADLINE);
    // A shorter deadline alone leaves the body the same share of it.
    let share = LONGEST_BODY_DEADLINE.mul_f64(deadline.div_duration_f64(LONGEST_DEADLINE));
    let body_deadline = reader.duration(
        "server.body_deadline",
        share,
        SHORTEST_BODY_DEADLINE..=LONGEST_BODY_DEADLINE,
    );
    if body_deadline >= deadline {
        reader.note(Problem::of(
            "server.body_deadline",
            "must be shorter than server.deadline: what is left belongs to Kafka",
        ));
    }
    let server = Server {
        public: public.as_ref().map_or_else(|| default(DEFAULT_PUBLIC), |found| found.value),
        admin: admin.as_ref().map_or_else(|| default(DEFAULT_ADMIN), |found| found.value),
        public_url: public_url.map(|found| found.value),
        deadline,
        body_deadline,
    };
    if collide(&server) {
        let message = "is taken by server.public: the two listeners need addresses of their own";
        reader.note(match (admin, public) {
            (Some(admin), _) => admin.problem(message),
            (None, Some(public)) => public
                .problem("is taken by server.admin: the two listeners need addresses of their own"),
            (None, None) => Problem::of("server.admin", message),
        });
    }
    server
}

fn collide(server: &Server) -> bool {
    let (public, admin) = (server.public, server.admin);
    let wildcard = public.ip().is_unspecified() || admin.ip().is_unspecified();
    public.port() == admin.port() && public.port() != 0 && (wildcard || public.ip() == admin.ip())
}

fn limits(reader: &mut Reader<'_>) -> Limits {
    let inflight_bytes = reader.size("limits.inflight_bytes", 64 * MIB, 64 * KIB..=64 * GIB);
    let graph = reader.size("limits.body.graph", 4 * MIB, BODY);
    let google = reader.size("limits.body.google", 256 * KIB, BODY);
    // Fixed by the contract; it takes effect with the route of that provider.
    let ews = reader.size("limits.body.ews", MIB, BODY);
    if [graph, google, ews].into_iter().any(|body| body > inflight_bytes) {
        reader.note(Problem::of(
            "limits.inflight_bytes",
            "is smaller than the largest body of limits.body: such a body could never be taken",
        ));
    }
    Limits {
        connections: size(reader.number("limits.connections", 10_000, 1..=1_000_000)),
        inflight_bytes: size(inflight_bytes),
        body: BodyLimits { graph: size(graph), google: size(google) },
        items: size(reader.number("limits.items", MOST_ITEMS, 1..=MOST_ITEMS)),
    }
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn cloud(reader: &mut Reader<'_>) -> Cloud {
    const WORDS: [&str; 3] = ["global", "usgov", "china"];
    let cloud = reader.parsed("graph.cloud", |word| {
        Cloud::from_word(word).ok_or_else(|| format!("takes {}", one_of(&WORDS)))
    });
    cloud.map_or_else(Cloud::default, |found| found.value)
}

fn quarantine(reader: &mut Reader<'_>) -> Quarantine {
    let records = reader.number("quarantine.records_per_second", 100, 1..=100_000);
    let bytes = reader.size("quarantine.bytes_per_second", MIB, KIB..=GIB);
    // A record must stay below the 1,000,000 bytes that Kafka takes by default, headers included.
    let max_body = reader.size("quarantine.max_body", 512 * KIB, KIB..=900 * KIB);
    if max_body > bytes {
        reader.note(Problem::of(
            "quarantine.bytes_per_second",
            "is smaller than quarantine.max_body: such a record would never fit the budget",
        ));
    }
    let narrow = |number| u32::try_from(number).expect("the bounds are below 32 bits");
    Quarantine {
        records_per_second: narrow(records),
        bytes_per_second: narrow(bytes),
        max_body: size(max_body),
    }
}

/// Reads `[[deny]]`; the only section that is read again while postern runs.
pub(super) fn deny(reader: &mut Reader<'_>) -> Vec<DenyRule> {
    let mut rules = Vec::new();
    for at in 0..reader.tables("deny") {
        let table = format!("deny[{at}]");
        let tenant = name(reader, &table, "tenant");
        let user = name(reader, &table, "user");
        let user_given = reader.has(&format!("{table}.user"));
        match tenant {
            // A rule whose user cannot be read must not deny the whole tenant.
            Some(tenant) if user.is_some() || !user_given => {
                rules.push(DenyRule { tenant: tenant.value, user: user.map(|user| user.value) });
            }
            Some(_) => {}
            None => missing(reader, &table, "tenant", "whose deliveries are thrown away"),
        }
    }
    rules
}

fn endpoints(reader: &mut Reader<'_>) -> Endpoints {
    let mut networks = |key: &str| {
        let mut networks = Vec::new();
        for text in reader.texts(key) {
            match units::network(&text.value) {
                Ok(network) => networks.push(network),
                Err(expected) => reader.note(text.problem(expected)),
            }
        }
        networks
    };
    let ingress_addresses = networks("endpoints.ingress_addresses");
    let egress_addresses = networks("endpoints.egress_addresses");
    let changed = reader.parsed("endpoints.changed", units::date).map(|found| found.value);
    Endpoints { ingress_addresses, egress_addresses, changed }
}

/// The name of a tenant or a user, as long as a hook token could hold it.
pub(super) fn name(reader: &mut Reader<'_>, table: &str, key: &str) -> Option<Found<String>> {
    reader.parsed(&format!("{table}.{key}"), |text| {
        if text.len() > LONGEST_NAME || text.chars().any(char::is_control) {
            Err("takes at most 255 bytes without control characters".to_owned())
        } else {
            Ok(text.to_owned())
        }
    })
}

/// Notes that a table lacks a key, unless a faulty one was noted already.
pub(super) fn missing(reader: &mut Reader<'_>, table: &str, key: &str, why: &str) {
    let full = format!("{table}.{key}");
    if !reader.has(&full) {
        let place = reader.place(table);
        reader.note(Problem {
            key: full,
            place,
            message: format!("missing: name the {key} {why}"),
        });
    }
}

#[cfg(test)]
mod tests;
