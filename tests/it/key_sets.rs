//! Which of Google's keys does a running postern go by: before the first key set, and while its issuer rotates them?

use std::time::Duration;

use postern_sim::{KeySetServer, Signer, TokenClaims};
use tokio::runtime::{Builder, Runtime};

use crate::support::client::get;
use crate::support::config::{Config, quoted};
use crate::support::consumer::{Record, read_all};
use crate::support::eventually;
use crate::support::kafka::{Kafka, Topics};
use crate::support::process::Postern;

const AUDIENCE: &str = "https://hooks.example.com/v1/google/pubsub/gmail";
const ACCOUNT: &str = "push@project.iam.gserviceaccount.com";
const PATH: &str = "/v1/google/pubsub/gmail";
/// A set this old is fetched again for a key that it lacks; a younger one is the answer.
const OLD_ENOUGH: f64 = 10.0;

/// A source whose pushes are unwrapped, and whose issuer is there.
fn configured(kafka: &Kafka, topics: &Topics, key_set: &str) -> Config {
    Config::new(kafka, topics)
        .set("google", "jwks_url", &quoted(key_set))
        .set("pubsub.gmail", "audience", &quoted(AUDIENCE))
        .set("pubsub.gmail", "service_account", &quoted(ACCOUNT))
        .set("pubsub.gmail", "wrapped", "false")
}

fn token(signer: &Signer) -> String {
    let issued = jiff::Timestamp::now().as_second() - 60;
    signer.token(&TokenClaims::new(AUDIENCE, ACCOUNT, issued))
}

/// Pushes a message under a token; the status of the answer.
fn push(edge: &Postern, id: &str, token: &str) -> u16 {
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str()), ("x-goog-pubsub-message-id", id)];
    let body = br#"{"emailAddress":"jane@example.com","historyId":1710}"#;
    edge.post(PATH, &headers, body).status
}

fn age(edge: &Postern) -> f64 {
    edge.metrics().value("postern_jwks_age_seconds", &[])
}

/// Google's part: a key endpoint with a thread of its own.
fn issuer(signer: &Signer) -> (KeySetServer, Runtime) {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = runtime.block_on(KeySetServer::start(signer.jwks())).unwrap();
    (server, runtime)
}

#[test]
fn a_rotated_key_is_taken_and_one_that_is_gone_proves_nothing() {
    let kafka = Kafka::shared();
    let topics = kafka.new_topics();
    let [first, second, stranger] =
        ["first", "second", "stranger"].map(|kid| Signer::generate(kid).unwrap());
    let [old, new, unknown] = [&first, &second, &stranger].map(token);
    let (server, _runtime) = issuer(&first);
    let edge = Postern::start(&configured(kafka, &topics, &server.url()));
    let loaded = || age(&edge).is_finite();
    assert!(eventually(Duration::from_secs(10), loaded), "no key set: {}", edge.stderr());
    assert_eq!(push(&edge, "before", &old), 204);
    assert_eq!(push(&edge, "too-early", &new), 401, "the set is young and lacks it");

    server.publish(Signer::jwks_of([&first, &second]));
    let old_enough = || age(&edge) >= OLD_ENOUGH;
    assert!(eventually(Duration::from_secs(15), old_enough), "{}", age(&edge));
    assert_eq!(server.fetches(), 1, "nobody needed another one");
    assert_eq!(push(&edge, "rotated", &new), 204, "it waits for the set that has its key");
    assert_eq!(push(&edge, "beside", &old), 204, "both keys are good");
    assert_eq!(server.fetches(), 2);

    server.publish(second.jwks());
    assert!(eventually(Duration::from_secs(15), old_enough), "{}", age(&edge));
    assert_eq!(push(&edge, "unknown", &unknown), 401);
    assert_eq!(server.fetches(), 3, "asked for a key that there is not");
    // The same token was good before, and is good for most of an hour by what it says.
    assert_eq!(push(&edge, "gone", &old), 401);
    assert_eq!(push(&edge, "after", &new), 204);
    assert_eq!(server.fetches(), 3, "a set this young is the answer");

    let mut ids: Vec<String> = read_all(kafka, &topics.events).iter().map(Record::id).collect();
    ids.sort();
    assert_eq!(ids, ["after", "before", "beside", "rotated"]);
    let refused = [("reason", "unauthenticated")];
    assert_eq!(edge.metrics().value("postern_refused_total", &refused), 3.0);
    assert!(read_all(kafka, &topics.quarantine).is_empty(), "nothing of it is stored");
}

#[test]
fn a_key_set_that_was_never_loaded_is_infinitely_old() {
    let kafka = Kafka::shared();
    // Nobody listens there.
    let topics = kafka.new_topics();
    let edge = Postern::start(&configured(kafka, &topics, "http://127.0.0.1:9/certs"));
    assert_eq!(age(&edge), f64::INFINITY);
    assert_eq!(edge.post(PATH, &[], b"{}").status, 401);
    assert_eq!(edge.post(PATH, &[("Authorization", "Basic x")], b"{}").status, 401);
    let bearer = "Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.eyJhIjoxfQ.AAAA";
    let answer = edge.post(PATH, &[("Authorization", bearer)], b"{}");
    assert_eq!(answer.status, 503, "well-formed, and nobody can tell");
    assert!(answer.header("retry-after").is_some());
    assert_eq!(edge.post("/v1/google/pubsub/other", &[], b"{}").status, 404);
    assert_eq!(get(edge.admin(), "/readyz").status, 200, "a key set never makes it unready");
    let log = edge.stderr();
    assert!(log.contains("jwks") || log.contains("key set"), "the log does not say so:\n{log}");
}
