//! Is a body read as it was framed, and never acknowledged when its framing breaks?

use std::time::Duration;

use crate::support::notice::{chunked, good};
use crate::support::{GRAPH, Gateway, post};

/// A POST with a chunked body, as it stands.
fn chunks(headers: &str, body: &[u8]) -> Vec<u8> {
    let head =
        format!("POST {GRAPH} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

#[tokio::test]
async fn every_way_to_chunk_a_body_gives_the_same_delivery() {
    let gateway = Gateway::start().await;
    let one_by_one = |body: &[u8]| {
        let mut out = Vec::new();
        for byte in body {
            out.extend_from_slice(&[b"1\r\n", &[*byte][..], b"\r\n"].concat());
        }
        [out.as_slice(), b"0\r\n\r\n"].concat()
    };
    let body = good("n-0");
    let (size, upper) = (format!("{:x}", body.len()), format!("{:X}", body.len()));
    let chunk =
        |size: &str, end: &str| [size.as_bytes(), b"\r\n", &body, b"\r\n", end.as_bytes()].concat();
    let mut wire = gateway.connect().await;
    let ways = [
        chunked(&body),
        one_by_one(&body),
        chunk(&upper, "0\r\n\r\n"),
        chunk(&format!("000{size}"), "000\r\n\r\n"),
        chunk(&format!("{size};name=value;x=\"y\""), "0;last\r\n\r\n"),
        chunk(&size, "0\r\nX-Trailer: a\r\nContent-Length: 5\r\nHost: other\r\n\r\n"),
    ];
    for (index, way) in ways.iter().enumerate() {
        // Nothing of one body is left over for the next request: one connection takes them all.
        wire.ask(chunks("", way)).await.assert_bare(202);
        assert_eq!(gateway.kafka.published().len(), index + 1);
    }
    let published = gateway.kafka.published();
    let data = |record: &crate::support::recorder::Stored| record.event()["data"].clone();
    assert!(published.iter().all(|record| data(record) == data(&published[0])));
    gateway.assert_settled().await;
}

#[tokio::test]
async fn a_broken_chunk_is_400_and_closes_and_is_never_acknowledged() {
    let body = good("n-1");
    let size = format!("{:x}", body.len());
    let with = |size: &str, after: &[u8]| [size.as_bytes(), b"\r\n", &body, after].concat();
    let broken: Vec<(&str, Vec<u8>)> = vec![
        ("hexadecimal prefix", with(&format!("0x{size}"), b"\r\n0\r\n\r\n")),
        ("signed size", with(&format!("+{size}"), b"\r\n0\r\n\r\n")),
        ("negative size", with("-1", b"\r\n0\r\n\r\n")),
        ("no size", with("", b"\r\n0\r\n\r\n")),
        ("size of 65 bits", with("10000000000000000", b"\r\n0\r\n\r\n")),
        ("size with a letter", with("1g", b"\r\n0\r\n\r\n")),
        ("size line with a bare LF", [size.as_bytes(), b"\n", &body, b"\r\n0\r\n\r\n"].concat()),
        ("LF inside an extension", with(&format!("{size};a\nb"), b"\r\n0\r\n\r\n")),
        ("no line end after the data", with(&size, b"0\r\n\r\n")),
        ("bare LF after the data", with(&size, b"\n0\r\n\r\n")),
        ("more data than announced", with(&size, b"x\r\n0\r\n\r\n")),
        ("less data than announced", with(&format!("{:x}", body.len() + 2), b"\r\n0\r\n\r\n")),
        ("the last chunk is not a number", with(&size, b"\r\nz\r\n\r\n")),
        ("trailers of 20 KB", {
            let trailers = format!("\r\n0\r\nX: {}\r\n\r\n", "x".repeat(20_000));
            with(&size, trailers.as_bytes())
        }),
        (
            "an extension of 20 KB",
            with(&format!("{size};{}", "x".repeat(20_000)), b"\r\n0\r\n\r\n"),
        ),
    ];
    for (name, body) in broken {
        let gateway = Gateway::start().await;
        let mut wire = gateway.connect().await;
        wire.send_some(&chunks("", &body)).await;
        // Should the last bytes be missed, the sender's end of sending breaks the body.
        wire.finish().await;
        let answers = wire.drain().await;
        assert!(answers.len() <= 1, "{name}: {answers:?}");
        for answer in &answers {
            answer.assert_bare(400);
            assert!(answer.closes(), "{name}");
        }
        assert_eq!(gateway.kafka.handed(), (0, 0), "{name}");
        gateway.until(name, |gateway| !gateway.counted().is_empty()).await;
        gateway.assert_counted(&[("http_requests 400 graph", 1), ("refused framing", 1)]);
        gateway.assert_settled().await;
    }
}

#[tokio::test]
async fn a_body_that_ends_too_early_is_never_acknowledged() {
    let gateway = Gateway::start().await;
    let body = good("n-1");
    let whole = post(GRAPH, &body);
    let framed = chunks("", &chunked(&body));
    let cuts = [(&whole, 1), (&whole, body.len()), (&framed, 5), (&framed, 2)];
    for (cut, (request, left_out)) in (1..).zip(cuts) {
        let mut wire = gateway.connect().await;
        wire.send(&request[..request.len() - left_out]).await.finish().await;
        for answer in wire.drain().await {
            answer.assert_bare(400);
        }
        gateway
            .until("counted", |gateway| gateway.counted().get("refused framing") == Some(&cut))
            .await;
    }
    assert_eq!(gateway.kafka.handed(), (0, 0));
    gateway.assert_serves("n-2").await;
}

#[tokio::test]
async fn continue_is_said_only_when_the_body_is_wanted() {
    let gateway = Gateway::start().await;
    let body = good("n-1");
    let expecting = |target: &str, headers: &str, length: usize| {
        format!(
            "POST {target} HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n{headers}\
             Content-Length: {length}\r\n\r\n"
        )
    };
    let mut wire = gateway.connect().await;
    assert_eq!(wire.ask(expecting(GRAPH, "", body.len())).await.status, 100);
    wire.ask(&body).await.assert_bare(202);
    assert_eq!(gateway.kafka.ids(), ["n-1"]);

    for (head, status) in [
        (expecting("/nowhere", "", 10), 404),
        (expecting(GRAPH, "Content-Encoding: gzip\r\n", 10), 415),
        (expecting(GRAPH, "", (4 << 20) + 1), 413),
        (expecting("/v1/microsoft/graph?validationToken=", "", 10), 400),
        (expecting(GRAPH, "", 10).replace("POST", "PUT"), 405),
    ] {
        let mut wire = gateway.connect().await;
        let answer = wire.ask(head).await;
        answer.assert_bare(status);
        assert!(answer.closes(), "{status}");
        wire.assert_closed().await;
    }
    assert_eq!(gateway.kafka.handed(), (1, 0));
}

#[tokio::test]
async fn a_refusal_before_the_body_ends_the_connection_and_says_so() {
    let gateway = Gateway::start().await;
    for (target, status) in [("/nowhere", 404), ("/v1/microsoft/graph?validationToken=", 400)] {
        // Head and body come in two segments, as many clients send them.
        let request = post(target, good("n-1"));
        let (head, body) = request.split_at(request.len() - good("n-1").len());
        let mut wire = gateway.connect().await;
        let answer = wire.ask(head).await;
        answer.assert_bare(status);
        assert!(answer.closes());
        wire.send_some(body).await;
        wire.assert_closed().await;
        // Without a body there is no reason to end it.
        let mut wire = gateway.connect().await;
        for _ in 0..2 {
            let answer = wire.ask(post(target, "")).await;
            answer.assert_bare(status);
            assert!(!answer.closes());
        }
    }
    assert_eq!(gateway.kafka.handed(), (0, 0));
}

#[tokio::test]
async fn a_body_in_two_segments_is_one_delivery() {
    let gateway = Gateway::start().await;
    let request = post(GRAPH, good("n-1"));
    for cut in [request.len() - 1, request.len() - good("n-1").len(), 10, 1] {
        let mut wire = gateway.connect().await;
        wire.send(&request[..cut]).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        wire.ask(&request[cut..]).await.assert_bare(202);
    }
    assert_eq!(gateway.kafka.ids(), ["n-1"; 4]);
}
