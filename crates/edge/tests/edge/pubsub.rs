//! Is a Pub/Sub push authenticated before anything else, and is nothing genuine refused?

use std::time::Duration;

use postern_core::provider::google::PubsubSource;
use postern_core::provider::google::oidc::KeySet;
use postern_edge::authenticate::Pubsub;
use postern_edge::clock;
use postern_edge::key_sets::KeySets;
use serde_json::Value;

use crate::oidc::{Signer, claims, jwks};
use crate::support::google::pass;
use crate::support::notice::trust;
use crate::support::{Gateway, Plan, quick};

const ROUTE: &str = "/v1/google/pubsub/gmail";
const AUDIENCE: &str = "https://hooks.example.com/v1/google/pubsub/gmail";
const ACCOUNT: &str = "push@p.iam.gserviceaccount.com";
/// `{"emailAddress":"jane@example.com","historyId":1710}`
const BODY: &str = r#"{"message":{"data":"eyJlbWFpbEFkZHJlc3MiOiJqYW5lQGV4YW1wbGUuY29tIiwiaGlzdG9yeUlkIjoxNzEwfQ==","messageId":"2070"}}"#;

async fn gateway(keys: KeySets) -> Gateway {
    let source = PubsubSource {
        name: "gmail".to_owned(),
        audience: AUDIENCE.to_owned(),
        service_account: ACCOUNT.to_owned(),
        subscription: None,
        wrapped: true,
        tenant: None,
    };
    Gateway::with_pubsub(quick(), trust(), Pubsub::new(vec![source], keys)).await
}

fn good() -> Value {
    claims(AUDIENCE, ACCOUNT, clock::now().0 / 1_000)
}

fn set(signers: &[&Signer]) -> KeySet {
    KeySet::parse(&jwks(signers.iter().copied())).expect("a key set")
}

fn push(authorization: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {ROUTE} HTTP/1.1\r\nHost: h\r\nAuthorization: {authorization}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

fn bearer(signer: &Signer) -> String {
    format!("Bearer {}", signer.token(&good()))
}

#[tokio::test]
async fn a_genuine_push_is_published_and_any_other_is_401() {
    let (google, stranger) = (Signer::generate("k1"), Signer::generate("k1"));
    let keys = KeySets::default();
    keys.store(set(&[&google]));
    let gateway = gateway(keys).await;
    assert_eq!(gateway.ask(push(&bearer(&google), BODY)).await.status, 204);
    assert_eq!(gateway.kafka.ids(), ["2070"]);
    let mut other = good();
    other["aud"] = "https://hooks.example.com/".into();
    for authorization in [
        bearer(&stranger),
        format!("Bearer {}", google.token(&other)),
        "Basic abc".to_owned(),
        "Bearer".to_owned(),
        "Bearer a.b".to_owned(),
    ] {
        assert_eq!(
            gateway.ask(push(&authorization, BODY)).await.status,
            401,
            "{authorization:.20}"
        );
    }
    // Judged before the body: one that is too large, and never sent, changes nothing.
    let head = format!(
        "POST {ROUTE} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer a.b\r\nContent-Length: 9999999\r\n\r\n"
    );
    assert_eq!(gateway.ask(head).await.status, 401);
    assert_eq!(gateway.kafka.ids(), ["2070"], "nothing else came through");
    gateway.assert_counted(&[
        ("http_requests 204 pubsub", 1),
        ("http_requests 401 pubsub", 6),
        ("notifications published gmail", 1),
        ("refused unauthenticated", 6),
    ]);
}

#[tokio::test]
async fn a_cold_start_is_503_for_what_may_be_genuine() {
    let google = Signer::generate("k1");
    let keys = KeySets::default();
    let gateway = gateway(keys.clone()).await;
    assert_eq!(gateway.ask(push(&bearer(&google), BODY)).await.status, 503);
    assert_eq!(gateway.ask(push("Bearer nonsense", BODY)).await.status, 401);
    keys.store(set(&[&google]));
    assert_eq!(gateway.ask(push(&bearer(&google), BODY)).await.status, 204);
    assert_eq!(gateway.kafka.ids(), ["2070"]);
}

#[tokio::test]
async fn an_outage_of_the_key_set_refuses_nothing_genuine() {
    let (old, new) = (Signer::generate("old"), Signer::generate("new"));
    let keys = KeySets::default();
    keys.store(set(&[&old]));
    pass(Duration::from_secs(3_600)).await;
    keys.failed();
    let gateway = gateway(keys.clone()).await;
    assert_eq!(gateway.ask(push(&bearer(&old), BODY)).await.status, 204, "stale keys work");
    assert_eq!(gateway.ask(push(&bearer(&new), BODY)).await.status, 503, "nobody can tell");
    keys.store(set(&[&old, &new]));
    assert_eq!(gateway.ask(push(&bearer(&new), BODY)).await.status, 204, "rotation is followed");
    let nobody = Signer::generate("nobody");
    assert_eq!(gateway.ask(push(&bearer(&nobody), BODY)).await.status, 401, "a fresh set lacks it");
    assert_eq!(gateway.kafka.ids(), ["2070", "2070"]);
}

#[tokio::test]
async fn what_a_genuine_push_carries_is_never_refused() {
    let google = Signer::generate("k1");
    let keys = KeySets::default();
    keys.store(set(&[&google]));
    let gateway = gateway(keys).await;
    assert_eq!(gateway.ask(push(&bearer(&google), "{}")).await.status, 204);
    let large = "x".repeat(300 << 10);
    assert_eq!(gateway.ask(push(&bearer(&google), &large)).await.status, 204);
    let quarantined = gateway.kafka.quarantined();
    let reasons: Vec<_> =
        quarantined.iter().map(|record| record.header("postern_reason")).collect();
    assert_eq!(reasons, [Some("unreadable-body"), Some("too-large")]);
    assert_eq!(quarantined[1].header("postern_size"), Some("307200"));
    assert_eq!(quarantined[1].header("postern_sha256"), None);
    gateway.kafka.plan_quarantine(Plan::Fail(postern_core::publish::PublishError::Unavailable));
    assert_eq!(gateway.ask(push(&bearer(&google), "{}")).await.status, 503, "not durable");
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_unknown_keys_are_one_fetch() {
    let (google, stranger) = (Signer::generate("k1"), Signer::generate("unknown"));
    let keys = KeySets::default();
    keys.store(set(&[&google]));
    tokio::time::advance(Duration::from_secs(60)).await;
    let pubsub = Pubsub::new(Vec::new(), keys.clone());
    let source = PubsubSource {
        name: "gmail".to_owned(),
        audience: AUDIENCE.to_owned(),
        service_account: ACCOUNT.to_owned(),
        subscription: None,
        wrapped: true,
        tenant: None,
    };
    let mut headers = http::HeaderMap::new();
    headers.insert("authorization", bearer(&stranger).parse().expect("a value"));
    let fetcher = {
        let keys = keys.clone();
        tokio::spawn(async move {
            let mut fetches = 0;
            // As the task in the binary: one at a time, then a rest.
            while tokio::time::timeout(Duration::from_secs(5), keys.wanted()).await.is_ok() {
                fetches += 1;
                keys.failed();
                tokio::time::sleep(Duration::from_secs(10)).await;
            }
            fetches
        })
    };
    for _ in 0..10_000 {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(2);
        let judged = pubsub.authenticate(&headers, &source, clock::now(), deadline).await;
        assert_eq!(judged, Err(postern_edge::refusal::Refusal::Undecided));
    }
    assert_eq!(fetcher.await.expect("no panic"), 1);
}
