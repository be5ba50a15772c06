//! What becomes of a Pub/Sub push, whatever its size and whatever the state of the world? A 4xx would be pushed for days.

use std::time::Duration;

use postern_core::publish::PublishError;
use postern_core::quarantine;
use postern_edge::config::Config;
use postern_edge::phase::Phase;
use tokio::time::Instant;

use crate::support::google::{BODY, Issued, head, with_body};
use crate::support::notice::ring;
use crate::support::{Plan, quick};

/// Longer than `limits.body.google`.
const LARGE: usize = 300 << 10;

/// Time enough for megabytes, also on a busy machine.
fn patient() -> Config {
    let (deadline, body_deadline) = (Duration::from_secs(12), Duration::from_secs(8));
    Config { deadline, body_deadline, ..quick() }
}

#[tokio::test]
async fn a_large_push_is_put_aside_and_its_sender_sees_no_reset() {
    let world = Issued::with(patient()).await;
    let head = world.head("gmail");
    for megabytes in [1, 8, 15] {
        let size = megabytes << 20;
        let mut wire = world.gateway.connect().await;
        wire.send(format!("{head}Content-Length: {size}\r\n\r\n")).await;
        // The answer is there before the body is, and the sender writes on: every byte is taken.
        let answer = wire.answer().await;
        answer.assert_bare(204);
        assert!(answer.closes());
        wire.send(vec![b'x'; size]).await;
        wire.finish().await;
        wire.assert_closed_orderly().await;
    }
    let records = world.gateway.kafka.quarantined();
    let sizes: Vec<_> = records.iter().map(|record| record.header("postern_size")).collect();
    assert_eq!(sizes, [Some("1048576"), Some("8388608"), Some("15728640")]);
    for record in &records {
        assert_eq!(record.header("postern_reason"), Some("too-large"));
        assert_eq!(record.header("postern_items"), Some("[]"));
        assert_eq!(record.header("postern_sha256"), None);
        assert_eq!(record.header("postern_truncated"), Some("true"));
        let value = record.value.as_deref().expect("sealed");
        let opened = quarantine::open(&ring(), "k1", "gmail", value).expect("opens");
        assert_eq!(opened.body, b"");
        assert_eq!(opened.kept[0], ("path".to_owned(), b"/v1/google/pubsub/gmail".to_vec()));
        assert!(!opened.kept.iter().any(|(name, _)| name == "authorization"), "never kept");
    }
    let ids: std::collections::BTreeSet<_> =
        records.iter().map(|record| record.header("ce_id")).collect();
    assert_eq!(ids.len(), 3, "each has an id of its own");
    world.gateway.assert_counted(&[
        ("http_requests 204 pubsub", 3),
        ("notifications quarantined gmail", 3),
        ("quarantined too-large gmail", 3),
    ]);
    world.gateway.assert_settled().await;
}

#[tokio::test]
async fn a_large_push_in_chunks_is_put_aside_once_it_is_too_large() {
    let world = Issued::with(patient()).await;
    let mut wire = world.gateway.connect().await;
    wire.send(format!("{}Transfer-Encoding: chunked\r\n\r\n", world.head("gmail"))).await;
    let chunk = [b"10000\r\n", &vec![b'x'; 0x10000][..], b"\r\n"].concat();
    for _ in 0..64 {
        wire.send(&chunk).await;
    }
    wire.answer().await.assert_bare(204);
    wire.send("0\r\n\r\n").await.finish().await;
    wire.assert_closed_orderly().await;
    let record = world.gateway.kafka.quarantined().remove(0);
    assert_eq!(record.header("postern_reason"), Some("too-large"));
    assert_eq!(record.header("postern_size"), None, "nobody declared it");
    world.gateway.assert_settled().await;
}

#[tokio::test]
async fn a_sender_that_never_ends_is_cut_at_the_body_deadline() {
    let world = Issued::start().await;
    let mut wire = world.gateway.connect().await;
    let asked = Instant::now();
    wire.send(format!("{}Content-Length: {}\r\n\r\nx", world.head("gmail"), 1 << 30)).await;
    wire.answer().await.assert_bare(204);
    wire.assert_closed().await;
    let took = asked.elapsed();
    assert!(took >= quick().body_deadline - Duration::from_millis(5), "{took:?}");
    assert!(took < quick().body_deadline + Duration::from_millis(500), "{took:?}");
    world.gateway.assert_settled().await;
}

#[tokio::test]
async fn a_sender_that_sends_without_end_gets_16_mib_in_and_no_more() {
    let world = Issued::with(patient()).await;
    let mut wire = world.gateway.connect().await;
    wire.send(format!("{}Content-Length: {}\r\n\r\n", world.head("gmail"), 1_u64 << 40)).await;
    wire.answer().await.assert_bare(204);
    let mut sent = 0;
    let piece = vec![b'x'; 1 << 20];
    while sent < 64 && wire.takes(&piece).await {
        sent += 1;
    }
    assert!((16..40).contains(&sent), "{sent} MiB were taken");
    world.gateway.assert_settled().await;
}

#[tokio::test]
async fn a_large_push_that_cannot_be_put_aside_is_503() {
    let world = Issued::with(Config { quarantine_records: 1, ..quick() }).await;
    let large = format!("{}Content-Length: {LARGE}\r\n\r\n", world.head("gmail"));
    world.gateway.kafka.plan_quarantine(Plan::Fail(PublishError::Unavailable));
    world.gateway.ask(&large).await.assert_bare(503);
    world.gateway.kafka.plan_quarantine(Plan::Take);
    // The budget of this second is spent.
    world.gateway.ask(&large).await.assert_bare(503);
    world.gateway.ask(world.push("gmail", "{}")).await.assert_bare(503);
    assert_eq!(world.gateway.kafka.quarantined(), []);
    world.gateway.ask(world.push("gmail", BODY)).await.assert_bare(204);
    assert_eq!(world.gateway.kafka.ids(), ["2070"], "what is genuine needs no budget");
    world.gateway.assert_counted(&[
        ("http_requests 503 pubsub", 3),
        ("http_requests 204 pubsub", 1),
        ("refused undecided", 3),
        ("notifications failed gmail", 3),
        ("notifications published gmail", 1),
    ]);
}

#[tokio::test]
async fn nothing_of_a_denied_tenant_is_stored_whatever_it_sends() {
    let world = Issued::start().await;
    for body in [BODY.as_bytes(), b"{}", b"", b"\xff\xfe", &vec![b'x'; LARGE]] {
        world.gateway.ask(world.push("gone", body)).await.assert_bare(204);
    }
    assert_eq!(world.gateway.kafka.handed(), (0, 0));
    world
        .gateway
        .assert_counted(&[("http_requests 204 pubsub", 5), ("notifications denied gmail", 5)]);
    // Whoever cannot prove that he is Google learns nothing of it.
    world.gateway.ask(with_body(&head("gone", "Bearer a.b.c"), BODY)).await.assert_bare(401);
}

#[tokio::test]
async fn a_large_cloud_event_is_one_of_workspace() {
    let world = Issued::start().await;
    let head = world.head("raw") + "ce-type: google.workspace.drive.file.v3.created\r\n";
    world.gateway.ask(format!("{head}Content-Length: {LARGE}\r\n\r\n")).await.assert_bare(204);
    let record = world.gateway.kafka.quarantined().remove(0);
    assert_eq!(record.header("postern_service"), Some("workspace-events"));
    assert_eq!(record.header("ce_source"), Some("//postern/quarantine/workspace-events"));
    assert_eq!(world.gateway.counted()["quarantined too-large workspace-events"], 1);
}

#[tokio::test]
async fn an_unwrapped_push_is_one_item_and_its_headers_tell_whose() {
    let world = Issued::start().await;
    let gmail = world.head("raw");
    let binary = gmail.clone() + "ce-type: google.workspace.drive.file.v3.created\r\n";
    let structured = gmail.replace("application/json", "application/cloudevents+json");
    assert_ne!(structured, gmail, "the head has a content type");
    let (unreadable, unusable) = ("unreadable-body", "unusable-item");
    let cases = [
        (&gmail, "\x01\x02", unreadable, "gmail"),
        (&gmail, "{}", unusable, "gmail"),
        (&binary, "\x01\x02", unreadable, "workspace-events"),
        (&binary, r#"{"file":{"id":7}}"#, unusable, "workspace-events"),
        (&structured, "", unreadable, "workspace-events"),
        (&structured, "{}", unusable, "workspace-events"),
    ];
    for (head, body, reason, service) in cases {
        world.gateway.ask(with_body(head, body)).await.assert_bare(204);
        let record = world.gateway.kafka.quarantined().pop().expect("a record");
        assert_eq!(record.header("postern_reason"), Some(reason), "{body:?}");
        assert_eq!(record.header("postern_service"), Some(service), "{body:?}");
        let items = record.header("postern_items").expect("told in every record");
        assert_eq!(items == "[]", reason == unreadable, "{body:?}: {items}");
    }
    world.gateway.assert_counted(&[
        ("http_requests 204 pubsub", 6),
        ("notifications quarantined gmail", 2),
        ("notifications quarantined workspace-events", 4),
        ("quarantined unreadable-body gmail", 1),
        ("quarantined unusable-item gmail", 1),
        ("quarantined unreadable-body workspace-events", 2),
        ("quarantined unusable-item workspace-events", 2),
    ]);
}

#[tokio::test]
async fn the_first_fault_in_the_order_of_the_contract_decides() {
    let world = Issued::start().await;
    world.gateway.kafka.plan(Plan::Fail(PublishError::Unavailable));
    world.gateway.kafka.plan_quarantine(Plan::Fail(PublishError::Unavailable));
    let (good, bad) = (world.head("gmail"), head("gmail", "Bearer a.b.c"));
    let (large, gzip) = ("Content-Length: 300000\r\n", "Content-Encoding: gzip\r\n");
    for (what, request, status) in [
        ("no host", bad.replace("Host:", "No-Host:") + large + "\r\n", 400),
        ("path", bad.replace("pubsub/gmail", "pubsub/none") + large + gzip + "\r\n", 404),
        ("method", bad.replace("POST", "GET") + large + gzip + "\r\n", 405),
        ("encoding", bad.clone() + large + gzip + "\r\n", 415),
        ("token before size", bad.clone() + large + "\r\n", 401),
        ("token before the body", bad.clone() + "Content-Length: 5\r\n\r\n", 401),
        ("token before what is unreadable", bad + "Content-Length: 1\r\n\r\n{", 401),
        ("two tokens", good.clone() + "Authorization: Bearer a.b.c\r\n" + large + "\r\n", 401),
        ("slow", good.clone() + "Content-Length: 5\r\n\r\nab", 408),
        ("not durable", good.clone() + "Content-Length: 1\r\n\r\n{", 503),
        ("too large and not durable", good + large + "\r\n", 503),
    ] {
        let answer = world.gateway.ask(request).await;
        assert_eq!(answer.status, status, "{what}");
        answer.assert_bare(status);
    }
    let counted = world.gateway.counted();
    for (name, count) in [
        ("http_requests 401 pubsub", 4),
        ("refused unauthenticated", 4),
        ("http_requests 404 other", 1),
        ("http_requests 408 pubsub", 1),
        ("http_requests 503 pubsub", 2),
        ("notifications failed gmail", 2),
    ] {
        assert_eq!(counted.get(name), Some(&count), "{name}: {counted:?}");
    }
    world.gateway.assert_settled().await;
}

#[tokio::test]
async fn continue_is_said_to_google_alone() {
    let world = Issued::start().await;
    let expecting = |head: &str| {
        format!("{head}Expect: 100-continue\r\nContent-Length: {}\r\n\r\n", BODY.len())
    };
    let mut wire = world.gateway.connect().await;
    wire.send(expecting(&world.head("gmail"))).await;
    assert_eq!(wire.answer().await.status, 100);
    wire.send(BODY).await.answer().await.assert_bare(204);
    assert_eq!(world.gateway.kafka.ids(), ["2070"]);
    world.gateway.ask(expecting(&head("gmail", "Bearer a.b.c"))).await.assert_bare(401);
}

#[tokio::test]
async fn flushing_is_503_for_google_and_401_for_everybody_else() {
    let world = Issued::start().await;
    world.gateway.life().advance(Phase::Flushing);
    let large = format!("{}Content-Length: {LARGE}\r\n\r\n", world.head("gmail"));
    for request in [world.push("gmail", BODY), world.push("gmail", "{"), large.into_bytes()] {
        let answer = world.gateway.ask(request).await;
        answer.assert_bare(503);
        assert!(answer.closes());
    }
    world.gateway.ask(with_body(&head("gmail", "Bearer x"), BODY)).await.assert_bare(401);
    assert_eq!(world.gateway.kafka.handed(), (0, 0));
    world.gateway.assert_counted(&[
        ("http_requests 503 pubsub", 3),
        ("http_requests 401 pubsub", 1),
        ("refused draining", 3),
        ("refused unauthenticated", 1),
        ("notifications failed gmail", 3),
    ]);
}
