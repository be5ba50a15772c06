//! Does the framing corpus hold (what hyper refuses, what it leaves to its user), with a second request pipelined
//! behind each case that must not be served where the first one's end is in doubt?

use crate::support::notice::{chunked, good};
use crate::support::{Gateway, post};

/// What is expected of a case.
enum Expect {
    /// One refusal, then the end: by postern (with this reason) or by hyper (`None`).
    Refused(u16, Option<&'static str>),
    /// One 202, then the end: the second request is not served.
    TakenAndClosed,
    /// A 202, and the second request is served as its own.
    Taken,
    /// A refusal that leaves no doubt where the request ends: the second request is served.
    RefusedAndNext(u16, &'static str),
}
use Expect::{Refused, RefusedAndNext, Taken, TakenAndClosed};

const PATH: &str = "/v1/microsoft/graph";

/// A request of its own: its token is in the answer if, and only if, it is served.
fn second() -> Vec<u8> {
    post("/v1/microsoft/graph?validationToken=second", "")
}

/// A request line, headers and a body.
fn request(line: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    [line.as_bytes(), b"\r\n", headers.as_bytes(), b"\r\n", body].concat()
}

/// A POST with these headers after `Host`, and a body with its length in front of them.
fn sized(headers: &str) -> Vec<u8> {
    let body = good("n-1");
    let headers = format!("Host: h\r\nContent-Length: {}\r\n{headers}", body.len());
    request(&format!("POST {PATH} HTTP/1.1"), &headers, &body)
}

/// A POST with these headers and the body as it stands.
fn framed(headers: &str, body: &[u8]) -> Vec<u8> {
    request(&format!("POST {PATH} HTTP/1.1"), &format!("Host: h\r\n{headers}"), body)
}

/// Sends a case with the second request behind it and checks everything about it.
async fn check(name: &str, request: &[u8], expect: &Expect) {
    let gateway = Gateway::start().await;
    let mut wire = gateway.connect().await;
    wire.send_some(&[request, &second()].concat()).await;
    let mut published: &[&str] = &[];
    let mut counted = Vec::new();
    match *expect {
        Refused(status, reason) => {
            let answers = wire.drain().await;
            assert_eq!(answers.len(), 1, "{name}: {answers:?}");
            assert_eq!((answers[0].status, answers[0].body.len()), (status, 0), "{name}");
            if let Some(reason) = reason {
                answers[0].assert_bare(status);
                assert!(answers[0].closes(), "{name}");
                counted =
                    vec![format!("http_requests {status} graph"), format!("refused {reason}")];
            }
        }
        TakenAndClosed => {
            let answers = wire.drain().await;
            assert_eq!(answers.len(), 1, "{name}: {answers:?}");
            answers[0].assert_bare(202);
            published = &["n-1"];
            counted.push("http_requests 202 graph".to_owned());
        }
        Taken => {
            let answer = wire.answer().await;
            assert_eq!(answer.status, 202, "{name}");
            answer.assert_bare(202);
            assert_eq!(wire.answer().await.body, b"second", "{name}");
            published = &["n-1"];
            counted.push("http_requests 202 graph".to_owned());
        }
        RefusedAndNext(status, reason) => {
            wire.answer().await.assert_bare(status);
            assert_eq!(wire.answer().await.body, b"second", "{name}");
            counted = vec![format!("refused {reason}")];
        }
    }
    assert_eq!(gateway.kafka.ids(), published, "{name}");
    assert_eq!(gateway.kafka.quarantined(), [], "{name}");
    for counter in &counted {
        assert_eq!(gateway.counted().get(counter), Some(&1), "{name}: {counter}");
    }
    if let Refused(_, None) = expect {
        assert!(gateway.counted().is_empty(), "{name}: hyper answers before postern sees it");
    }
    gateway.assert_settled().await;
}

async fn check_all(cases: Vec<(&str, Vec<u8>, Expect)>) {
    for (name, request, expect) in cases {
        check(name, &request, &expect).await;
    }
}

#[tokio::test]
async fn content_length_and_transfer_encoding_together() {
    let body = chunked(&good("n-1"));
    let all = body.len() + second().len();
    check_all(vec![
        (
            "length, then chunked",
            framed(&format!("Content-Length: {all}\r\nTransfer-Encoding: chunked\r\n"), &body),
            TakenAndClosed,
        ),
        (
            "chunked, then length",
            framed(&format!("Transfer-Encoding: chunked\r\nContent-Length: {all}\r\n"), &body),
            TakenAndClosed,
        ),
        (
            "chunked, then a length of zero",
            framed("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", &body),
            TakenAndClosed,
        ),
        ("chunked alone", framed("Transfer-Encoding: chunked\r\n", &body), Taken),
        ("chunked in capitals", framed("TRANSFER-ENCODING:\tChunKED \r\n", &body), Taken),
    ])
    .await;
}

#[tokio::test]
async fn content_lengths() {
    let body = good("n-1");
    let length = body.len();
    let with = |value: &str| framed(&format!("Content-Length: {value}\r\n"), &body);
    let two = |first: &str, second: &str| {
        framed(&format!("Content-Length: {first}\r\nContent-Length: {second}\r\n"), &body)
    };
    let exact = length.to_string();
    check_all(vec![
        ("two lengths", two(&exact, "0"), Refused(400, None)),
        ("two lengths, the other way", two("0", &exact), Refused(400, None)),
        ("a list of two", with(&format!("0, {length}")), Refused(400, None)),
        ("plus sign", with("+0"), Refused(400, None)),
        ("minus sign", with("-1"), Refused(400, None)),
        ("hexadecimal", with("0x0"), Refused(400, None)),
        ("2^64", with("18446744073709551616"), Refused(400, None)),
        ("empty", with(""), Refused(400, None)),
        ("with a fraction", with("5.0"), Refused(400, None)),
        ("with an exponent", with("1e1"), Refused(400, None)),
        ("with a space inside", with("1 1"), Refused(400, None)),
        ("other digits", with("\u{0661}"), Refused(400, None)),
        ("two equal lengths", two(&exact, &exact), Taken),
        ("leading zeros", with(&format!("000{length}")), Taken),
        ("a lookalike beside it", sized("Content_Length: 0\r\n"), Taken),
    ])
    .await;
}

#[tokio::test]
async fn transfer_encodings() {
    let body = chunked(&good("n-1"));
    let with = |lines: &str| framed(lines, &body);
    let te = |value: &str| framed(&format!("Transfer-Encoding: {value}\r\n"), &body);
    check_all(vec![
        ("unknown", te("xchunked"), Refused(400, None)),
        ("identity", te("identity"), Refused(400, None)),
        ("chunked is not last", te("chunked, identity"), Refused(400, None)),
        (
            "a cow in a second line",
            with("Transfer-Encoding: chunked\r\nTransfer-Encoding: cow\r\n"),
            Refused(400, None),
        ),
        ("vertical tab", te("\x0bchunked"), Refused(400, None)),
        ("in quotes", te("\"chunked\""), Refused(400, None)),
        ("with a parameter", te("chunked;q=1"), Refused(400, None)),
        ("empty", te(""), Refused(400, None)),
        ("identity before it", te("identity, chunked"), Refused(400, Some("framing"))),
        ("gzip before it", te("gzip, chunked"), Refused(400, Some("framing"))),
        ("an empty element before it", te(", chunked"), Refused(400, Some("framing"))),
        ("twice in one line", te("chunked, chunked"), Refused(400, Some("framing"))),
        (
            "twice in two lines",
            with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
            Refused(400, Some("framing")),
        ),
        (
            "in HTTP/1.0",
            request(
                &format!("POST {PATH} HTTP/1.0"),
                "Host: h\r\nTransfer-Encoding: chunked\r\n",
                &body,
            ),
            Refused(400, None),
        ),
    ])
    .await;
}

#[tokio::test]
async fn hosts_and_targets() {
    let body = good("n-1");
    let length = format!("Content-Length: {}\r\n", body.len());
    let to = |line: &str, hosts: &str| request(line, &format!("{hosts}{length}"), &body);
    let line = format!("POST {PATH} HTTP/1.1");
    let absolute = format!("POST http://h{PATH} HTTP/1.1");
    check_all(vec![
        ("no Host", to(&line, ""), Refused(400, Some("host"))),
        ("two Hosts", to(&line, "Host: h\r\nHost: other\r\n"), Refused(400, Some("host"))),
        ("the same Host twice", to(&line, "Host: h\r\nhost: h\r\n"), Refused(400, Some("host"))),
        ("absolute, another Host", to(&absolute, "Host: other\r\n"), Refused(400, Some("host"))),
        ("absolute, another port", to(&absolute, "Host: h:80\r\n"), Refused(400, Some("host"))),
        ("absolute, no Host", to(&absolute, ""), Refused(400, Some("host"))),
        ("absolute, the same Host", to(&absolute, "Host: H\r\n"), Taken),
        (
            "HTTP/1.0 without Host",
            to(&format!("POST {PATH} HTTP/1.0"), ""),
            Refused(400, Some("host")),
        ),
        ("HTTP/1.0", to(&format!("POST {PATH} HTTP/1.0"), "Host: h\r\n"), TakenAndClosed),
        (
            "HTTP/1.0 that stays",
            to(&format!("POST {PATH} HTTP/1.0"), "Host: h\r\nConnection: keep-alive\r\n"),
            Taken,
        ),
    ])
    .await;
}

#[tokio::test]
async fn lines_and_bytes() {
    let body = good("n-1");
    let bare_lf =
        String::from_utf8(sized("")).expect("text").replacen("\r\n", "\n", 4).into_bytes();
    let lines = |count| (0..count).map(|at| format!("X-{at}: a\r\n")).collect::<String>();
    let line = |line: String| {
        request(&line, &format!("Host: h\r\nContent-Length: {}\r\n", body.len()), &body)
    };
    check_all(vec![
        ("space before the colon", sized("X-A : b\r\n"), Refused(400, None)),
        (
            "space before the colon of the framing",
            framed("Transfer-Encoding : chunked\r\n", b""),
            Refused(400, None),
        ),
        ("folded line", sized("X-A: b\r\n c\r\n"), Refused(400, None)),
        (
            "folded framing",
            framed("Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n"),
            Refused(400, None),
        ),
        ("bare CR", sized("X-A: b\rc\r\n"), Refused(400, None)),
        ("NUL in a value", sized("X-A: b\0c\r\n"), Refused(400, None)),
        ("NUL in a name", sized("X\0A: b\r\n"), Refused(400, None)),
        ("no name", sized(": b\r\n"), Refused(400, None)),
        ("no colon", sized("nonsense\r\n"), Refused(400, None)),
        ("65 headers", sized(&lines(63)), Refused(431, None)),
        (
            "a header of 20 KB",
            sized(&format!("X-A: {}\r\n", "x".repeat(20_000))),
            Refused(431, None),
        ),
        ("HTTP/1.2", line(format!("POST {PATH} HTTP/1.2")), Refused(400, None)),
        ("HTTP/2.0", line(format!("POST {PATH} HTTP/2.0")), Refused(400, None)),
        ("HTTP/0.9", line(format!("POST {PATH}")), Refused(400, None)),
        ("lower-case version", line(format!("POST {PATH} http/1.1")), Refused(400, None)),
        ("two spaces", line(format!("POST  {PATH} HTTP/1.1")), Refused(400, None)),
        ("tab for a space", line(format!("POST\t{PATH} HTTP/1.1")), Refused(400, None)),
        (
            "control character in the target",
            line("POST /\x01 HTTP/1.1".to_owned()),
            Refused(400, None),
        ),
        ("bare LF line ends", bare_lf, Taken),
        ("an empty line in front", [b"\r\n", sized("").as_slice()].concat(), Taken),
        ("an upgrade that is not taken", sized("Connection: Upgrade\r\nUpgrade: h2c\r\n"), Taken),
        ("64 headers", sized(&lines(62)), Taken),
    ])
    .await;
}

#[tokio::test]
async fn a_method_that_is_refused() {
    let body = good("n-1");
    let with_body = |method: &str| {
        request(
            &format!("{method} {PATH} HTTP/1.1"),
            &format!("Host: h\r\nContent-Length: {}\r\n", body.len()),
            &body,
        )
    };
    check_all(vec![
        ("GET with a body", with_body("GET"), Refused(405, Some("method"))),
        (
            "GET without",
            request(&format!("GET {PATH} HTTP/1.1"), "Host: h\r\n", b""),
            RefusedAndNext(405, "method"),
        ),
    ])
    .await;
}
