//! Do the metrics have the names and the closed label sets of the contract, and is each item counted once?

use std::collections::BTreeSet;
use std::time::Duration;

use postern_sim::{Claims, KeyRing, Service};

use crate::support::client::{self, Connection, get};
use crate::support::config::Config;
use crate::support::kafka::Kafka;
use crate::support::metrics::Metrics;
use crate::support::process::Postern;
use crate::support::{eventually, graph, hook};

/// Contract section 5 for what is built: no spool, no renewer.
const NAMES: [&str; 16] = [
    "postern_breaker_state",
    "postern_build_info",
    "postern_connections",
    "postern_graph_slow_ratio",
    "postern_http_request_duration_seconds",
    "postern_http_requests_total",
    "postern_inflight_bytes",
    "postern_jwks_age_seconds",
    "postern_kafka_delivery_duration_seconds",
    "postern_kafka_delivery_failures_total",
    "postern_kafka_queue_messages",
    "postern_notifications_total",
    "postern_quarantined_total",
    "postern_refused_total",
    // Not of the contract, and where it stands for each series: the process's own.
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
];
const ROUTES: &[&str] = &["graph", "pubsub", "calendar", "drive", "other"];
const SERVICES: &[&str] = &["graph", "gmail", "calendar", "drive", "workspace-events"];
const OUTCOMES: &[&str] = &["published", "spooled", "quarantined", "denied", "dropped", "failed"];
/// `undecryptable` belongs to rich notifications, which are built later.
const REASONS: &[&str] = &[
    "no-token",
    "malformed-token",
    "unknown-key",
    "forged-token",
    "expired-token",
    "tenant-mismatch",
    "validation-tokens",
    "unusable-item",
    "unreadable-body",
    "too-large",
];
const LATER_REASONS: &[&str] = &["undecryptable"];
const REFUSALS: &[&str] = &[
    "path",
    "method",
    "host",
    "framing",
    "encoding",
    "too-large",
    "timeout",
    "unreadable",
    "unauthenticated",
    "overloaded",
    "draining",
    "undecided",
];
const LATER_REFUSALS: &[&str] = &["address"];

/// The values that a label has in a metric.
fn label(metrics: &Metrics, name: &str, label: &str) -> BTreeSet<String> {
    let start = format!("{label}=\"");
    let value = |labels: &str| {
        let pair = labels.split(',').find_map(|pair| pair.strip_prefix(&start));
        pair.map(|rest| rest.trim_end_matches('"').to_owned())
    };
    metrics.series(name).filter_map(|(labels, _)| value(labels)).collect()
}

/// All of `built` are there, and nothing beside them but what may come later.
fn check_set(metrics: &Metrics, name: &str, key: &str, built: &[&str], later: &[&str]) {
    let have = label(metrics, name, key);
    for word in built {
        assert!(have.contains(*word), "{name} has no {key} {word}: {have:?}");
    }
    let strange =
        |word: &&String| !built.contains(&word.as_str()) && !later.contains(&word.as_str());
    assert_eq!(have.iter().find(strange), None, "{name} has a strange {key}");
}

#[test]
fn names_and_labels_are_those_of_the_contract() {
    let kafka = Kafka::shared();
    let edge = Postern::start(&Config::new(kafka, &kafka.new_topics()));
    let metrics = edge.metrics();
    let kinds = || metrics.text().lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let names: BTreeSet<&str> = kinds().filter_map(|line| line.split(' ').next()).collect();
    for name in NAMES {
        // A failure that never happened has no series: its error names are librdkafka's, not a set of ours.
        let may_be_absent = name == "postern_kafka_delivery_failures_total";
        assert!(may_be_absent || names.contains(name), "{name} is missing: {names:?}");
    }
    let strange = |name: &&&str| name.starts_with("postern_") && !NAMES.contains(name);
    assert_eq!(names.iter().find(strange), None, "a metric that the contract does not name");

    for name in ["postern_http_requests_total", "postern_http_request_duration_seconds_count"] {
        check_set(&metrics, name, "route", ROUTES, &[]);
    }
    check_set(&metrics, "postern_notifications_total", "service", SERVICES, &[]);
    check_set(&metrics, "postern_notifications_total", "outcome", OUTCOMES, &[]);
    check_set(&metrics, "postern_quarantined_total", "service", SERVICES, &[]);
    check_set(&metrics, "postern_quarantined_total", "reason", REASONS, LATER_REASONS);
    check_set(&metrics, "postern_refused_total", "reason", REFUSALS, LATER_REFUSALS);
    check_set(
        &metrics,
        "postern_jwks_age_seconds",
        "issuer",
        &["https://accounts.google.com"],
        &[],
    );
    let buckets = [
        "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "1.5", "2", "2.5", "3", "5",
        "10", "+Inf",
    ];
    check_set(&metrics, "postern_http_request_duration_seconds_bucket", "le", &buckets, &[]);
    // A label name that could hold a tenant, a user, a mailbox or a subscription is none of these.
    let allowed =
        ["route", "code", "service", "outcome", "reason", "error", "issuer", "le", "version"];
    for line in metrics.text().lines().filter(|line| line.starts_with("postern_")) {
        let Some((_, rest)) = line.split_once('{') else { continue };
        for pair in rest.split('}').next().unwrap().split(',') {
            let name = pair.split('=').next().unwrap();
            assert!(allowed.contains(&name), "label {name} in {line}");
        }
    }
}

/// What was counted between two readings.
struct Delta(Metrics, Metrics);

impl Delta {
    fn of(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.1.value(name, labels) - self.0.value(name, labels)
    }

    fn items(&self, outcome: &str) -> f64 {
        self.of("postern_notifications_total", &[("service", "graph"), ("outcome", outcome)])
    }

    fn requests(&self, route: &str, code: &str) -> f64 {
        self.of("postern_http_requests_total", &[("route", route), ("code", code)])
    }
}

fn item(id: &str, token: &str) -> serde_json::Value {
    let body: serde_json::Value =
        serde_json::from_str(&graph::notifications(&[id.to_owned()], token)).unwrap();
    body["value"][0].clone()
}

#[test]
fn each_item_and_each_request_is_counted_once() {
    let kafka = Kafka::shared();
    let config = Config::new(kafka, &kafka.new_topics());
    let config = config.append("[[deny]]\ntenant = \"org_gone\"");
    let edge = Postern::start(&config);
    let before = edge.metrics();
    let good = hook::graph("org_acme", "user_1", "inbox");
    let gone = hook::graph("org_gone", "user_1", "inbox");
    let forged = format!("{}AAAAAAAA", &good[..good.len() - 8]);
    let mixed = serde_json::json!({ "value": [
        item("good-1", &good), item("good-2", &good), item("gone-1", &gone),
        item("forged-1", &forged), item("none-1", ""), {"changeType": "created"},
    ]});
    let post = |path: &str, body: &str| edge.post(path, &[], body.as_bytes()).status;
    assert_eq!(post(graph::PATH, &mixed.to_string()), 202);
    let unknown = KeyRing::new([("k9", &hook::KEY[..])]).unwrap();
    let unknown = unknown.mint(Service::Graph, &Claims { tenant: "t".into(), ..Claims::default() });
    let unknown = graph::notifications(&["unknown-1".into()], &unknown.unwrap());
    assert_eq!(post(graph::PATH, &unknown), 202);
    assert_eq!(post(graph::PATH, "nothing of ours"), 400);
    assert_eq!(post(&format!("{}?validationToken=a", graph::PATH), ""), 200);
    assert_eq!(
        post("/v1/microsoft/graph/org_other", &graph::notifications(&["t-1".into()], &good)),
        202
    );
    assert_eq!(post("/elsewhere", ""), 404);
    assert_eq!(get(edge.public(), graph::PATH).status, 405);
    // The quarantine record of a mixed delivery is sent beside its answer.
    let settled = || {
        edge.metrics().value("postern_notifications_total", &[("outcome", "quarantined")]) >= 5.0
    };
    assert!(eventually(Duration::from_secs(5), settled), "{}", edge.metrics().text());
    let delta = Delta(before, edge.metrics());
    let outcomes = OUTCOMES.iter().map(|outcome| delta.items(outcome)).collect::<Vec<_>>();
    assert_eq!(outcomes, [2.0, 0.0, 5.0, 1.0, 0.0, 0.0], "{OUTCOMES:?}");
    for (reason, count) in [
        ("forged-token", 1.0),
        ("no-token", 1.0),
        ("unusable-item", 1.0),
        ("malformed-token", 0.0),
        ("unknown-key", 1.0),
        ("tenant-mismatch", 1.0),
    ] {
        let found =
            delta.of("postern_quarantined_total", &[("service", "graph"), ("reason", reason)]);
        assert_eq!(found, count, "{reason}");
    }
    let codes = [("202", 3.0), ("400", 1.0), ("200", 1.0), ("405", 1.0), ("404", 0.0)];
    for (code, count) in codes {
        assert_eq!(delta.requests("graph", code), count, "{code}");
    }
    assert_eq!(delta.requests("other", "404"), 1.0);
    let timed = delta.of("postern_http_request_duration_seconds_count", &[("route", "graph")]);
    assert_eq!(timed, 6.0);
    for reason in ["path", "method", "unreadable"] {
        assert_eq!(delta.of("postern_refused_total", &[("reason", reason)]), 1.0, "{reason}");
    }
    let settled = || edge.metrics().value("postern_kafka_queue_messages", &[]) == 0.0;
    assert!(eventually(Duration::from_secs(5), settled), "records that never settle");
    assert_eq!(delta.1.value("postern_breaker_state", &[]), 0.0);
    assert_eq!(delta.1.value("postern_build_info", &[]), 1.0);
}

#[test]
fn junk_over_the_budget_is_dropped_beside_something_genuine_and_refused_alone() {
    let kafka = Kafka::shared();
    let config = Config::new(kafka, &kafka.new_topics());
    let edge = Postern::start(&config.set("quarantine", "records_per_second", "1"));
    let good = hook::graph("org_acme", "user_1", "inbox");
    let junk = graph::notifications(&["junk-1".into()], "");
    let mut statuses = Vec::new();
    for _ in 0..20 {
        let answer = edge.post(graph::PATH, &[], junk.as_bytes());
        assert_eq!(answer.status == 503, answer.header("retry-after").is_some());
        statuses.push(answer.status);
    }
    assert!(statuses.contains(&202) && statuses.contains(&503), "{statuses:?}");
    assert_eq!(statuses.iter().find(|status| ![202, 503].contains(*status)), None);
    for place in 0..20 {
        let mixed = serde_json::json!({ "value": [item(&format!("good-{place}"), &good), item("junk", "")]});
        assert_eq!(edge.post(graph::PATH, &[], mixed.to_string().as_bytes()).status, 202);
    }
    let count =
        |outcome| edge.metrics().value("postern_notifications_total", &[("outcome", outcome)]);
    assert_eq!(count("published"), 20.0);
    assert!(count("dropped") >= 15.0 && count("failed") >= 15.0, "{}", edge.metrics().text());
    // A drop is counted at once; the few records within the budget are counted when they are sent.
    let all = || count("quarantined") + count("dropped") + count("failed") == 40.0;
    assert!(eventually(Duration::from_secs(5), all), "{}", edge.metrics().text());
}

#[test]
fn a_half_sent_body_is_counted_and_a_slow_one_is_told_so() {
    let kafka = Kafka::shared();
    let edge = Postern::start(&Config::new(kafka, &kafka.new_topics()));
    let body = graph::notifications(&["slow".into()], &hook::graph("org_acme", "user_1", "inbox"));
    let request = client::request("POST", graph::PATH, &[], body.as_bytes());
    let mut slow = Connection::open(edge.public()).unwrap();
    slow.send(&request[..request.len() - 10]).unwrap();
    let gauge = |name: &str| edge.metrics().value(name, &[]);
    let half = (body.len() - 10) as f64;
    let counted = || gauge("postern_inflight_bytes") >= half && gauge("postern_connections") >= 1.0;
    assert!(eventually(Duration::from_secs(1), counted), "not counted");
    assert_eq!(slow.read_response().unwrap().status, 408);
    let gone = || gauge("postern_inflight_bytes") == 0.0 && gauge("postern_connections") == 0.0;
    assert!(eventually(Duration::from_secs(5), gone), "still counted");
    let timeout = [("reason", "timeout")];
    assert_eq!(edge.metrics().value("postern_refused_total", &timeout), 1.0);
}
