//! What is planted where a secret belongs, who sends it, and how is a text searched for it?

use std::time::Duration;

use postern_sim::{Claims, KeyRing, Service};

use crate::support::client::{self, get};
use crate::support::config::{Config, quoted};
use crate::support::graph;
use crate::support::kafka::Topics;
use crate::support::ports::free_port;
use crate::support::process::Postern;

/// Each is found in no other text.
pub(super) const RING_KEY: &str = "hush-ring-key-hush-ring-key-hush-ring-key";
const STATIC_SECRET: &str = "hush-static-secret";
const PASSWORD: &str = "hush-kafka-password";
const BODY: &str = "hush-body";
const QUERY: &str = "hush-query";
const VALIDATION: &str = "hush-validation";
const BEARER: &str = "hush-bearer";
const SUBJECT: &str = "hush.address@example.com";
/// All of them hold this.
const HUSH: &str = "hush";

/// The most that there is to say.
pub(super) const TRACE: &str = "info,postern=trace,postern_core=trace,postern_edge=trace,postern_kafka=trace,librdkafka=trace,hyper=trace";

/// Fails when a text holds a planted secret: as it is, in hexadecimal, as numbers, or in base64.
pub(super) fn check_silent(what: &str, text: &str) {
    let lower = text.to_lowercase();
    let bytes = HUSH.as_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let numbers = format!("{bytes:?}").trim_matches(['[', ']']).to_owned();
    // "hush" at each of the three places that a byte can have in base64, without the letters that neighbours change.
    for spelling in [HUSH, &hex, &numbers, "ahvz", "odxno", "h1c2"] {
        let found = lower
            .find(spelling)
            .map(|at| lower[at.saturating_sub(100)..].chars().take(300).collect());
        assert_eq!(found, None::<String>, "{what} holds a secret, spelled {spelling}");
    }
}

/// A ring, a static secret and a deny rule, the first two planted.
pub(super) fn keys(config: Config) -> Config {
    let file =
        |name: &str, text: &str| quoted(config.file(name, text.as_bytes()).to_str().unwrap());
    let (ring, fixed) = (file("ring", RING_KEY), file("static", STATIC_SECRET));
    let deny = "[[deny]]\ntenant = \"hush-gone\"";
    let tables = format!(
        "[[static_secret]]\nservice = \"graph\"\nfile = {fixed}\ntenant = \"hush-tenant\"\n{deny}"
    );
    config.set("hook_tokens", "keys", &format!("{{ k1 = {ring} }}")).append(&tables)
}

/// The same, with a planted password for a Kafka that is away.
pub(super) fn away() -> Config {
    let servers = format!("127.0.0.1:{}", free_port());
    let config = Config::bare()
        .kafka(&servers, &Topics::named())
        .set("shutdown", "linger", "\"0s\"")
        .set("shutdown", "grace", "\"0s\"")
        .set("kafka.properties", "\"security.protocol\"", "\"SASL_PLAINTEXT\"")
        .set("kafka.properties", "\"sasl.mechanism\"", "\"SCRAM-SHA-512\"")
        .set("kafka.properties", "\"sasl.username\"", "\"postern\"");
    let password = config.file("password", PASSWORD.as_bytes());
    let password = quoted(password.to_str().unwrap());
    keys(config.set("kafka.property_files", "\"sasl.password\"", &password))
}

/// What is sent as `clientState`: genuine, denied, forged, static, none of ours, empty. The first three are hook tokens.
pub(super) fn tokens() -> Vec<String> {
    let ring = KeyRing::new([("k1", RING_KEY.as_bytes())]).unwrap();
    let claims = |tenant: &str| Claims {
        tenant: tenant.into(),
        user: Some("hush-user".into()),
        subject: Some(SUBJECT.into()),
        label: Some("hush-label".into()),
        ..Claims::default()
    };
    let good = ring.mint(Service::Graph, &claims("hush-org")).unwrap();
    let gone = ring.mint(Service::Graph, &claims("hush-gone")).unwrap();
    let forged = format!("{}hush", &good[..good.len() - 4]);
    [&good, &gone, &forged, STATIC_SECRET, "hush-no-token", ""].map(str::to_owned).into()
}

/// Everything that a sender can put a secret into. Without Kafka, what has to be durable is 503.
pub(super) fn send(edge: &Postern, kafka_is_there: bool) {
    let decided = |status: u16, durable: u16| {
        assert!(status == durable || (status == 503 && !kafka_is_there), "{status}");
    };
    let query = format!("{}?token={QUERY}", graph::PATH);
    let body =
        |token: &str| graph::notifications(&[BODY.to_owned()], token).replacen("AAMk", SUBJECT, 1);
    for token in &tokens() {
        let headers = [
            ("Authorization", BEARER),
            ("Cookie", "hush-cookie"),
            ("X-Goog-Channel-Token", "hush"),
        ];
        decided(edge.post(&query, &headers, body(token).as_bytes()).status, 202);
    }
    for body in [
        &b"{\"value\":[{\"clientState\":\"hush"[..],
        b"hush",
        b"\xff hush",
        b"{\"value\":\"hush\"}",
    ] {
        assert_eq!(edge.post(&query, &[], body).status, 400);
    }
    let segment = format!("{}/hush-segment", graph::PATH);
    decided(edge.post(&segment, &[], body(&tokens()[0]).as_bytes()).status, 202);
    let echo = |query: &str| {
        let answer = edge.post(&format!("{}?validationToken={query}", graph::PATH), &[], b"");
        (answer.status, answer.text())
    };
    assert_eq!(echo(VALIDATION), (200, VALIDATION.to_owned()));
    for bad in [format!("{VALIDATION}%00").as_str(), "hush%zz"] {
        assert_eq!(echo(bad), (400, String::new()), "{bad}");
    }
    let channel = [
        ("X-Goog-Channel-ID", "hush-channel"),
        ("X-Goog-Channel-Token", "hush-channel-token"),
        ("X-Goog-Message-Number", "1"),
        ("X-Goog-Resource-State", "exists"),
    ];
    decided(edge.post("/v1/google/calendar", &channel, b"").status, 204);
    assert_eq!(edge.post("/hush-path", &[], b"hush").status, 404);
    assert_eq!(edge.post("/v1/exchange/ews/p1.k1.hush.hush", &[], b"hush").status, 404);
    assert_eq!(
        edge.post("/v1/google/pubsub/hush", &[("Authorization", "Bearer hush.hush.hush")], b"hush")
            .status,
        404
    );
    assert_eq!(get(edge.public(), "/v1/microsoft/graph/hush?hush=hush").status, 405);
    assert_eq!(edge.post(graph::PATH, &[("Content-Encoding", "hush")], b"hush").status, 415);
    for raw in [
        "POST /hush HTTP/1.1\r\nHost: hush\r\nHost: hush\r\nContent-Length: 4\r\n\r\nhush",
        "POST /v1/microsoft/graph HTTP/1.1\r\nhush hush: hush\r\n\r\n",
        "hush hush hush\r\n\r\n",
        "POST /v1/microsoft/graph HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nhush\r\n",
    ] {
        drop(client::exchange(edge.public(), raw.as_bytes(), Duration::from_millis(300)));
    }
}
