//! Are Calendar's and Drive's notifications taken as they come over the wire, and refused in the order of the contract?

use std::time::Duration;

use postern_core::publish::PublishError;
use postern_core::quarantine;
use postern_core::service::Service;
use postern_edge::phase::Phase;

use crate::support::google::{notification, with_body};
use crate::support::notice::ring;
use crate::support::{Gateway, Plan, quick};

#[tokio::test]
async fn headers_as_google_writes_them_are_the_notification() {
    let gateway = Gateway::start().await;
    let plain = with_body(&notification(Service::Calendar, 7), "");
    let odd = with_body(&notification(Service::Calendar, 7).replace("X-Goog-", "x-GOOG-"), "")
        .iter()
        .map(|byte| char::from(*byte))
        .collect::<String>()
        .replace(": ", ":  ")
        .replace("exists\r\n", "\texists \t\r\n");
    let mut wire = gateway.connect().await;
    for request in [plain, odd.into_bytes()] {
        wire.ask(request).await.assert_bare(204);
    }
    let published = gateway.kafka.published();
    assert_eq!(published.len(), 2);
    assert_eq!(published[0].event()["data"], published[1].event()["data"]);
    assert_eq!(gateway.kafka.ids(), ["7", "7"]);
    // With no length at all, and with a body that should not be there.
    wire.ask(format!("{}\r\n", notification(Service::Drive, 8))).await.assert_bare(204);
    wire.ask(with_body(&notification(Service::Drive, 9), r#"{"kind":"drive#changes"}"#))
        .await
        .assert_bare(204);
    assert_eq!(gateway.kafka.ids(), ["7", "7", "8", "9"]);
    gateway.assert_counted(&[
        ("http_requests 204 calendar", 2),
        ("http_requests 204 drive", 2),
        ("notifications published calendar", 2),
        ("notifications published drive", 2),
    ]);
    gateway.assert_settled().await;
}

#[tokio::test]
async fn header_bytes_that_are_no_text_are_judged_by_what_they_are() {
    let gateway = Gateway::start().await;
    let with = |name: &str, value: &[u8]| {
        let head = notification(Service::Calendar, 7);
        let lines = head.split_inclusive("\r\n").filter(|line| !line.starts_with(name));
        let head: String = lines.collect();
        [head.as_bytes(), name.as_bytes(), b": ", value, b"\r\nContent-Length: 0\r\n\r\n"].concat()
    };
    for name in ["X-Goog-Channel-ID", "X-Goog-Message-Number", "X-Goog-Resource-State"] {
        gateway.ask(with(name, b"1\xff")).await.assert_bare(400);
    }
    // What is not needed is as if it were not there.
    for name in
        ["X-Goog-Resource-ID", "X-Goog-Resource-URI", "X-Goog-Channel-Expiration", "X-Goog-Changed"]
    {
        gateway.ask(with(name, b"x\xff")).await.assert_bare(204);
    }
    gateway.ask(with("X-Goog-Channel-Token", b"p1.k1.\xff\xfe")).await.assert_bare(204);
    let records = gateway.kafka.quarantined();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].header("postern_reason"), Some("malformed-token"));
    assert_eq!(gateway.kafka.published().len(), 4);
    gateway.assert_counted(&[
        ("http_requests 400 calendar", 3),
        ("http_requests 204 calendar", 5),
        ("refused unreadable", 3),
        ("notifications published calendar", 4),
        ("notifications quarantined calendar", 1),
        ("quarantined malformed-token calendar", 1),
    ]);
}

#[tokio::test]
async fn a_channel_without_a_good_token_is_quarantined_with_its_headers() {
    let gateway = Gateway::start().await;
    let head = notification(Service::Drive, 7);
    let guessed: String = head
        .split_inclusive("\r\n")
        .map(|line| {
            if line.starts_with("X-Goog-Channel-Token") {
                "X-Goog-Channel-Token: guess\r\n"
            } else {
                line
            }
        })
        .collect();
    gateway.ask(with_body(&guessed, "body")).await.assert_bare(204);
    assert_eq!(gateway.kafka.published(), []);
    let record = gateway.kafka.quarantined().remove(0);
    assert_eq!(record.header("postern_service"), Some("drive"));
    assert_eq!(record.header("postern_items"), Some(r#"[{"index":0,"reason":"malformed-token"}]"#));
    let value = record.value.as_deref().expect("sealed");
    let opened = quarantine::open(&ring(), "k1", "drive", value).expect("opens");
    assert_eq!(opened.body, b"body");
    let kept: Vec<(&str, &str)> = opened
        .kept
        .iter()
        .map(|(name, value)| (name.as_str(), std::str::from_utf8(value).expect("text")))
        .collect();
    assert_eq!(kept[0], ("path", "/v1/google/drive"));
    for pair in [("x-goog-channel-token", "guess"), ("x-goog-message-number", "7")] {
        assert!(kept.contains(&pair), "{kept:?}");
    }
    let clear: String = record.headers.iter().map(|(_, value)| value.as_str()).collect();
    assert!(!clear.contains("guess"), "{clear}");
}

#[tokio::test]
async fn the_first_fault_in_the_order_of_the_contract_decides() {
    for (service, route) in [(Service::Calendar, "calendar"), (Service::Drive, "drive")] {
        let gateway = Gateway::start().await;
        gateway.kafka.plan(Plan::Fail(PublishError::Unavailable));
        gateway.kafka.plan_quarantine(Plan::Fail(PublishError::Unavailable));
        let good = notification(service, 7);
        let bad = good.replace("X-Goog-Message-Number: 7", "X-Goog-Message-Number: seven");
        let large = "Content-Length: 300000\r\n";
        for (what, request, status) in [
            ("no host", good.replace("Host:", "No-Host:") + large + "\r\n", 400),
            ("method", good.replace("POST", "PUT") + large + "Content-Encoding: gzip\r\n\r\n", 405),
            ("encoding", good.clone() + large + "Content-Encoding: gzip\r\n\r\n", 415),
            ("size", bad.clone() + large + "\r\n", 413),
            ("slow", bad.clone() + "Content-Length: 5\r\n\r\nab", 408),
            ("unreadable", bad + "Content-Length: 0\r\n\r\n", 400),
            ("not durable", good.clone() + "Content-Length: 0\r\n\r\n", 503),
        ] {
            let answer = gateway.ask(request).await;
            assert_eq!(answer.status, status, "{what}");
            answer.assert_bare(status);
        }
        let path = good.replace(&format!("/v1/google/{route} "), "/v1/google/nothing ");
        gateway.ask(path + "Content-Length: 0\r\n\r\n").await.assert_bare(404);
        let counted = gateway.counted();
        for (name, count) in [
            (format!("http_requests 400 {route}"), 2),
            (format!("http_requests 405 {route}"), 1),
            (format!("http_requests 408 {route}"), 1),
            (format!("http_requests 413 {route}"), 1),
            (format!("http_requests 415 {route}"), 1),
            (format!("http_requests 503 {route}"), 1),
            ("http_requests 404 other".to_owned(), 1),
            (format!("notifications failed {route}"), 1),
        ] {
            assert_eq!(counted.get(&name), Some(&count), "{name}: {counted:?}");
        }
        assert_eq!((gateway.kafka.published(), gateway.kafka.quarantined()), (vec![], vec![]));
        gateway.assert_settled().await;
    }
}

#[tokio::test]
async fn a_notification_waits_for_its_record_and_fails_with_it() {
    let gateway = Gateway::with(quick(), crate::support::notice::trust()).await;
    gateway.kafka.plan(Plan::Hold);
    let mut wire = gateway.connect().await;
    wire.send(with_body(&notification(Service::Calendar, 7), "")).await;
    wire.assert_silent(Duration::from_millis(200)).await;
    gateway.kafka.plan(Plan::Take);
    wire.answer().await.assert_bare(204);
    assert_eq!(gateway.kafka.ids(), ["7"]);
    gateway.life().advance(Phase::Flushing);
    let answer = gateway.ask(with_body(&notification(Service::Calendar, 8), "")).await;
    answer.assert_bare(503);
    assert!(answer.closes());
    gateway.assert_counted(&[
        ("http_requests 204 calendar", 1),
        ("http_requests 503 calendar", 1),
        ("refused draining", 1),
        ("notifications published calendar", 1),
        ("notifications failed calendar", 1),
    ]);
    assert_eq!(gateway.kafka.ids(), ["7"]);
}
