//! Is the `validationToken` handshake answered whatever else is the matter?

use postern_core::publish::PublishError;
use postern_edge::phase::Phase;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;

use crate::support::{Answer, FORMS, Gateway, Plan, post, quick};

/// Checks the whole of a handshake's answer.
#[track_caller]
fn assert_echo(answer: &Answer, token: &str) {
    assert_eq!((answer.status, answer.body.as_slice()), (200, token.as_bytes()), "{answer:?}");
    assert_eq!(answer.all("content-type"), ["text/plain; charset=utf-8"]);
    assert_eq!(answer.all("x-content-type-options"), ["nosniff"]);
    assert_eq!(answer.all("cache-control"), ["no-store"]);
    for (name, _) in &answer.headers {
        let known = [
            "content-type",
            "x-content-type-options",
            "cache-control",
            "content-length",
            "connection",
            "date",
        ];
        assert!(known.contains(&name.to_ascii_lowercase().as_str()), "{answer:?}");
    }
}

#[tokio::test]
async fn the_token_is_echoed_whatever_kafka_and_the_tenant_are() {
    let gateway = Gateway::start().await;
    for plan in [Plan::Take, Plan::Stuck, Plan::Panic, Plan::Fail(PublishError::Unavailable)] {
        gateway.kafka.plan(plan);
        gateway.kafka.plan_quarantine(plan);
        for target in
            [FORMS[0], FORMS[1], "/v1/microsoft/graph/org_unknown", "/v1/microsoft/graph/%zz"]
        {
            let target = format!("{target}?a=b&validationToken=Validation%3a+t%2B1&c=d");
            assert_echo(&gateway.ask(post(&target, "")).await, "Validation: t+1");
        }
    }
    assert_eq!(gateway.kafka.handed(), (0, 0));
    gateway.assert_counted(&[("http_requests 200 graph", 16)]);
}

#[tokio::test]
async fn the_body_is_neither_read_nor_awaited() {
    let gateway = Gateway::start().await;
    for headers in [
        "Content-Length: 1000\r\n",
        "Content-Length: 4194304\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Content-Length: 1000\r\nExpect: 100-continue\r\n",
    ] {
        let mut wire = gateway.connect().await;
        let head =
            format!("POST {}?validationToken=t HTTP/1.1\r\nHost: h\r\n{headers}\r\n", FORMS[0]);
        let asked = tokio::time::Instant::now();
        let answer = wire.ask(head).await;
        assert_echo(&answer, "t");
        assert!(asked.elapsed() < quick().body_deadline, "{headers}: {:?}", asked.elapsed());
        assert!(answer.closes(), "what follows must not be taken for a request: {answer:?}");
        wire.assert_closed().await;
    }
    // A body that is there is not taken for a request either.
    let mut wire = gateway.connect().await;
    let inside = post("/v1/microsoft/graph?validationToken=inside", "");
    wire.send(post("/v1/microsoft/graph?validationToken=t", inside)).await;
    let answers = wire.drain().await;
    assert_eq!(answers.len(), 1);
    assert_echo(&answers[0], "t");
}

#[tokio::test]
async fn a_connection_serves_handshakes_and_deliveries_one_after_the_other() {
    let gateway = Gateway::start().await;
    let mut wire = gateway.connect().await;
    for index in 0..3 {
        let token = format!("t{index}");
        let target = format!("{}?validationToken={token}", FORMS[0]);
        let answer = wire.ask(post(&target, "")).await;
        assert_echo(&answer, &token);
        assert!(!answer.closes());
        let id = format!("n-{index}");
        wire.ask(post(FORMS[0], crate::support::notice::good(&id))).await.assert_bare(202);
        assert_eq!(gateway.kafka.ids().last(), Some(&id));
    }
    assert_eq!(gateway.gauge("postern_connections"), 1.0);
}

#[tokio::test]
async fn it_works_in_every_phase() {
    for phase in [Phase::Lingering, Phase::Draining, Phase::Flushing] {
        let gateway = Gateway::start().await;
        gateway.life().advance(phase);
        let answer = gateway.ask(post("/v1/microsoft/graph?validationToken=t", "")).await;
        assert_echo(&answer, "t");
        assert_eq!(answer.closes(), phase >= Phase::Draining, "{phase:?}");
    }
}

/// Writes a token into a query, each character in one of the ways that a form may have.
fn encode(token: &str, style: usize) -> String {
    let escape = |c: char| {
        let mut utf8 = [0; 4];
        c.encode_utf8(&mut utf8).bytes().map(|byte| format!("%{byte:02X}")).collect::<String>()
    };
    token
        .chars()
        .enumerate()
        .map(|(at, c)| match (c, (at + style) % 3) {
            (' ', 0 | 1) => "+".to_owned(),
            (c, 0) if c.is_ascii_alphanumeric() || "-._~!$'()*,;:@/?=".contains(c) => c.to_string(),
            (c, 1) => escape(c).to_lowercase(),
            (c, _) => escape(c),
        })
        .collect()
}

#[tokio::test]
async fn a_thousand_random_tokens_are_echoed_byte_for_byte() {
    let gateway = Gateway::start().await;
    let mut wire = gateway.connect().await;
    let mut runner = TestRunner::deterministic();
    let tokens = r"[^\p{Cc}]{1,200}|[ -~]{1,200}|[+%&= ]{1,40}|[A-Za-z0-9_.-]{100,1024}";
    for index in 0..1_000 {
        let token = tokens.new_tree(&mut runner).expect("a strategy").current();
        let target = format!("{}?validationToken={}", FORMS[index % 2], encode(&token, index));
        assert_echo(&wire.ask(post(&target, "")).await, &token);
    }
    gateway.assert_counted(&[("http_requests 200 graph", 1_000)]);
}

#[tokio::test]
async fn what_must_not_be_echoed_is_400() {
    let gateway = Gateway::start().await;
    let long = "x".repeat(1_025);
    let spread = "%78".repeat(1_025);
    let queries = [
        "validationToken",
        "validationToken=",
        "validationToken=&a=b",
        "validationToken=a&validationToken=a",
        "validationToken=a&validationToken",
        "validationToken=%",
        "validationToken=%4",
        "validationToken=%zz",
        "validationToken=%ff",
        "validationToken=%c3%28",
        "validationToken=%ed%a0%80",
        "validationToken=%00",
        "validationToken=a%0d%0aSet-Cookie:%20a=b",
        "validationToken=%09",
        "validationToken=%7f",
        "validationToken=%c2%80",
        "validationToken=%C2%9F",
        &["validationToken=", &long].concat(),
        &["validationToken=", &spread].concat(),
    ];
    for (index, query) in queries.iter().enumerate() {
        let target = format!("{}?{query}", FORMS[index % 2]);
        gateway.ask(post(&target, crate::support::notice::good("n"))).await.assert_bare(400);
    }
    let count = queries.len() as u64;
    gateway.assert_counted(&[("http_requests 400 graph", count), ("refused unreadable", count)]);
    assert_eq!(gateway.kafka.handed(), (0, 0));
    // Another name is another parameter: an ordinary delivery.
    for (index, name) in
        ["validationtoken", "validationToken%20", "xvalidationToken", "validation%54oken"]
            .iter()
            .enumerate()
    {
        let id = format!("n-{index}");
        let target = format!("{}?{name}=t", FORMS[0]);
        gateway.ask(post(&target, crate::support::notice::good(&id))).await.assert_bare(202);
        assert_eq!(gateway.kafka.ids().last(), Some(&id));
    }
}
