//! Is the first fault of a request answered, counted once, and told with its own headers?

use postern_core::publish::PublishError;

use crate::support::notice::{body, genuine, good};
use crate::support::{FORMS, GRAPH, Gateway, Plan, post};

/// A request with every fault from number `first` on, and none before.
fn faulty(form: &str, first: usize) -> Vec<u8> {
    let host = if first == 0 { "" } else { "Host: hooks.example.com\r\n" };
    let path = if first <= 1 { "/v1/nowhere" } else { form };
    let method = if first <= 2 { "GET" } else { "POST" };
    let encoding = if first <= 3 { "Content-Encoding: gzip\r\n" } else { "" };
    let query = if first <= 5 { "?validationToken=" } else { "" };
    let sent = match first {
        0..=6 => b"{}".to_vec(),
        7 => br#"{"value":"#.to_vec(),
        _ => good("n-1"),
    };
    let length = match first {
        0..=4 => (4 << 20) + 1,
        5 | 6 => 10,
        _ => sent.len(),
    };
    let head = format!(
        "{method} {path}{query} HTTP/1.1\r\n{host}{encoding}Content-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), &sent].concat()
}

#[tokio::test]
async fn the_first_fault_in_the_order_of_the_contract_is_answered() {
    for form in FORMS {
        for (first, (status, reason, route)) in [
            (400, "host", "graph"),
            (404, "path", "other"),
            (405, "method", "graph"),
            (415, "encoding", "graph"),
            (413, "too-large", "graph"),
            (400, "unreadable", "graph"),
            (408, "timeout", "graph"),
            (400, "unreadable", "graph"),
            (503, "undecided", "graph"),
            (202, "", "graph"),
        ]
        .into_iter()
        .enumerate()
        {
            let gateway = Gateway::start().await;
            if first <= 8 {
                gateway.kafka.plan(Plan::Fail(PublishError::Unavailable));
            }
            let answer = gateway.ask(faulty(form, first)).await;
            answer.assert_bare(status);
            // The path of the first fault is a wrong one, too: its framing is judged before.
            let route = if first == 0 { "other" } else { route };
            let request = format!("http_requests {status} {route}");
            let refused = format!("refused {reason}");
            let (failed, published) =
                ("notifications failed graph", "notifications published graph");
            match first {
                9 => gateway.assert_counted(&[(&request, 1), (published, 1)]),
                8 => gateway.assert_counted(&[(&request, 1), (&refused, 1), (failed, 1)]),
                _ => gateway.assert_counted(&[(&request, 1), (&refused, 1)]),
            }
            assert_eq!(gateway.kafka.published().len(), usize::from(first == 9));
            assert_eq!(gateway.kafka.quarantined(), []);
            gateway.assert_settled().await;
        }
    }
}

#[tokio::test]
async fn what_needs_no_kafka_is_answered_while_kafka_is_away() {
    let gateway = Gateway::start().await;
    gateway.kafka.plan(Plan::Stuck);
    gateway.kafka.plan_quarantine(Plan::Stuck);
    for (request, status) in [
        (post(GRAPH, "{"), 400),
        (post("/nowhere", good("n-1")), 404),
        (post(GRAPH, r#"{"value":[]}"#), 202),
        (post("/v1/microsoft/graph?validationToken=", ""), 400),
    ] {
        gateway.ask(request).await.assert_bare(status);
    }
    assert_eq!(gateway.ask(post("/v1/microsoft/graph?validationToken=t", "")).await.body, b"t");
    assert_eq!(gateway.kafka.handed(), (0, 0));
}

#[tokio::test]
async fn only_post_is_allowed() {
    let gateway = Gateway::start().await;
    let methods = ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "post", "PROPFIND"];
    for form in FORMS {
        for method in methods {
            let request =
                format!("{method} {form} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
            let answer = gateway.ask(request).await;
            assert_eq!((answer.status, answer.all("allow")), (405, vec!["POST"]), "{method}");
            assert_eq!(answer.all("cache-control"), ["no-store"], "{method}");
            assert!(answer.body.is_empty());
        }
    }
    let refused = 2 * methods.len() as u64;
    gateway.assert_counted(&[("http_requests 405 graph", refused), ("refused method", refused)]);
}

#[tokio::test]
async fn a_declared_encoding_is_refused_unless_it_is_identity() {
    let gateway = Gateway::start().await;
    let with = |headers: &str, id: &str| {
        let body = good(id);
        let head = format!(
            "POST {GRAPH} HTTP/1.1\r\nHost: h\r\n{headers}Content-Length: {}\r\n\r\n",
            body.len()
        );
        [head.as_bytes(), &body].concat()
    };
    for refused in [
        "Content-Encoding: gzip\r\n",
        "content-encoding: br\r\n",
        "Content-Encoding: zstd\r\n",
        "Content-Encoding: identity, gzip\r\n",
        "Content-Encoding: identity\r\nContent-Encoding: deflate\r\n",
        "Content-Encoding: identity,identity\r\n",
        "Content-Encoding: *\r\n",
        "Content-Encoding:\r\n",
        "Content-Encoding: \u{fffd}\r\n",
    ] {
        gateway.ask(with(refused, "n")).await.assert_bare(415);
    }
    assert_eq!(gateway.kafka.handed(), (0, 0));
    for (index, taken) in [
        "Content-Encoding: identity\r\n",
        "Content-Encoding: \tIDENTITY \r\n",
        "Content-Encoding: identity\r\nContent-Encoding: identity\r\n",
        "Content-Type: application/x-nonsense; utf-8\r\n",
        "Accept-Encoding: gzip\r\n",
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("n-{index}");
        gateway.ask(with(taken, &id)).await.assert_bare(202);
        assert_eq!(gateway.kafka.ids().last(), Some(&id), "{taken}");
    }
    gateway.assert_counted(&[
        ("http_requests 415 graph", 9),
        ("refused encoding", 9),
        ("http_requests 202 graph", 5),
        ("notifications published graph", 5),
    ]);
}

#[tokio::test]
async fn a_delivery_of_2000_items_is_taken_and_one_more_is_too_many() {
    let gateway = Gateway::start().await;
    let mut items: Vec<_> = (0..2_000).map(|index| genuine(&format!("n-{index}"))).collect();
    gateway.ask(post(GRAPH, body(&items))).await.assert_bare(202);
    let published = gateway.kafka.ids();
    assert_eq!(published.len(), 2_000);
    assert!(published.iter().enumerate().all(|(index, id)| *id == format!("n-{index}")));
    items.push(genuine("one-more"));
    gateway.ask(post(GRAPH, body(&items))).await.assert_bare(413);
    assert_eq!(gateway.kafka.published().len(), 2_000);
    gateway.assert_counted(&[
        ("http_requests 202 graph", 1),
        ("http_requests 413 graph", 1),
        ("notifications published graph", 2_000),
        ("refused too-large", 1),
    ]);
}

#[tokio::test]
async fn what_is_not_readable_is_400_and_nothing_of_it_is_kept() {
    let gateway = Gateway::start().await;
    let good = String::from_utf8(good("n-1")).expect("text");
    let bodies: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"{}".to_vec(),
        br#"{"value":null}"#.to_vec(),
        br#"{"value":{}}"#.to_vec(),
        br#"{"Value":[]}"#.to_vec(),
        br#"{"value":[],"value":[]}"#.to_vec(),
        br#"{"value":[],"validationTokens":"t"}"#.to_vec(),
        br#"{"value":[]} {}"#.to_vec(),
        br#"{"value":[],}"#.to_vec(),
        format!("\u{feff}{good}").into_bytes(),
        good.as_bytes()[..good.len() - 1].to_vec(),
        [good.as_bytes(), b"\xff"].concat(),
        good.replace("n-1", "n\u{0}1").into_bytes(),
        [&b"{\"value\":[{\"id\":\""[..], b"\xc3\x28", b"\"}]}"].concat(),
        [b"{\"value\":".to_vec(), vec![b'['; 100_000]].concat(),
    ];
    let count = bodies.len() as u64;
    for body in bodies {
        gateway.ask(post(GRAPH, &body)).await.assert_bare(400);
    }
    assert_eq!(gateway.kafka.handed(), (0, 0));
    gateway.assert_counted(&[("http_requests 400 graph", count), ("refused unreadable", count)]);
    gateway.assert_serves("n-2").await;
}
