//! Do operators get their answers, also while the public side is saturated?

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use postern_edge::admin::{self, Admin};
use postern_edge::phase::{Life, Phase};
use serde_json::{Value, json};

use crate::support::notice::good;
use crate::support::{GRAPH, Gateway, Plan, post};

/// The edge's own metrics, as contract section 5 names them.
const NAMES: [(&str, &str); 9] = [
    ("postern_connections", "gauge"),
    ("postern_graph_slow_ratio", "gauge"),
    ("postern_http_request_duration_seconds", "histogram"),
    ("postern_http_requests_total", "counter"),
    ("postern_inflight_bytes", "gauge"),
    ("postern_jwks_age_seconds", "gauge"),
    ("postern_notifications_total", "counter"),
    ("postern_quarantined_total", "counter"),
    ("postern_refused_total", "counter"),
];

/// An admin listener for a gateway.
fn start(gateway: &Gateway) -> SocketAddr {
    let edge = std::sync::Arc::clone(&gateway.edge);
    let life = gateway.life().clone();
    let phase = life.clone();
    let admin = Admin {
        life,
        registry: gateway.registry.clone(),
        refresh: Box::new(move || edge.refresh_metrics()),
        status: Box::new(move || json!({ "phase": phase.phase().as_str() })),
    };
    admin::start("127.0.0.1:0".parse().expect("an address"), admin).expect("binds")
}

/// One request on a connection of its own, from a thread that the test's runtime does not need: status, headers and
/// body.
fn ask(address: SocketAddr, request: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).expect("the admin listener accepts");
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a socket");
    let request = format!("{request} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    (status, head.to_ascii_lowercase(), body.to_owned())
}

#[tokio::test]
async fn each_phase_is_told_and_only_serving_is_ready() {
    let gateway = Gateway::start().await;
    let starting = Admin {
        life: Life::new(),
        registry: gateway.registry.clone(),
        refresh: Box::new(|| ()),
        status: Box::new(|| Value::Null),
    };
    let address =
        admin::start("127.0.0.1:0".parse().expect("an address"), starting).expect("binds");
    assert_eq!(ask(address, "GET /readyz").0, 503);
    assert_eq!(ask(address, "GET /livez").0, 200);

    let address = start(&gateway);
    for (phase, ready) in [
        (Phase::Serving, 200),
        (Phase::Lingering, 503),
        (Phase::Draining, 503),
        (Phase::Flushing, 503),
        (Phase::Stopped, 503),
    ] {
        gateway.life().advance(phase);
        let (status, head, body) = ask(address, "GET /readyz");
        assert_eq!((status, body.trim_end()), (ready, phase.as_str()));
        assert!(head.contains("cache-control: no-store"));
        assert_eq!(ask(address, "GET /livez").0, 200, "alive in every phase");
        let (status, head, body) = ask(address, "GET /status");
        let told: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!((status, told), (200, json!({ "phase": phase.as_str() })));
        assert!(head.contains("content-type: application/json"));
    }
}

#[tokio::test]
async fn only_its_four_paths_answer_and_only_to_get() {
    let gateway = Gateway::start().await;
    let address = start(&gateway);
    for request in [
        "GET /",
        "GET /metric",
        "GET /metrics/",
        "GET /v1/microsoft/graph",
        "POST /v1/microsoft/graph",
        "POST /readyz",
        "DELETE /metrics",
        "POST /status",
    ] {
        let (status, _, _) = ask(address, request);
        assert!([404, 405].contains(&status), "{request}: {status}");
    }
    let (status, head, body) = ask(address, "HEAD /livez");
    assert_eq!((status, body.as_str()), (200, ""), "{head}");
    // And none of them is public.
    for path in ["/livez", "/readyz", "/metrics", "/status"] {
        let get = format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n");
        gateway.ask(get).await.assert_bare(404);
    }
}

#[tokio::test]
async fn metrics_have_the_names_and_closed_labels_of_the_contract() {
    let gateway = Gateway::start().await;
    let address = start(&gateway);
    let (_, head, before) = ask(address, "GET /metrics");
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    let types: Vec<(&str, &str)> =
        before.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    assert_eq!(types, NAMES);

    // Whatever is sent, no series is added: labels come from closed sets.
    gateway.ask(post("/v1/microsoft/graph/org_acme", good("n-1"))).await.assert_bare(202);
    gateway.ask(post("/secret-path", good("n-1"))).await.assert_bare(404);
    gateway.ask(format!("BREW {GRAPH} HTTP/1.1\r\nHost: h\r\n\r\n")).await.assert_bare(405);
    assert_eq!(gateway.kafka.ids(), ["n-1"]);
    let (_, _, after) = ask(address, "GET /metrics");
    let series = |text: &str| -> Vec<String> {
        let name = |line: &str| line.rsplit_once(' ').map(|(name, _)| name.to_owned());
        text.lines().filter(|line| !line.starts_with('#')).filter_map(name).collect()
    };
    assert_eq!(series(&before), series(&after));
    for word in ["org_acme", "secret", "BREW", "user_123", "AAMk", "p1.k1"] {
        assert!(!after.contains(word), "{word}");
    }
    for line in [
        r#"postern_http_requests_total{code="202",route="graph"} 1"#,
        r#"postern_http_requests_total{code="404",route="other"} 1"#,
        r#"postern_http_requests_total{code="405",route="graph"} 1"#,
        r#"postern_http_request_duration_seconds_count{route="graph"} 2"#,
        r#"postern_http_request_duration_seconds_bucket{route="graph",le="2.5"} 2"#,
        r#"postern_notifications_total{outcome="published",service="graph"} 1"#,
        r#"postern_refused_total{reason="method"} 1"#,
    ] {
        assert!(after.lines().any(|seen| seen == line), "{line}\n{after}");
    }
}

/// The public side has a runtime of its own here, whose only thread is blocked while the admin listener is asked.
#[test]
fn it_answers_while_the_public_side_is_saturated() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let gateway = runtime.block_on(runtime.spawn(Gateway::start())).expect("starts");
    let address = start(&gateway);
    gateway.kafka.plan(Plan::Block(Duration::from_millis(1_500)));
    let mut public = TcpStream::connect(gateway.address).expect("connects");
    let blocked = Instant::now();
    public.write_all(&post(GRAPH, good("n-1"))).expect("sent");
    while gateway.kafka.handed().0 == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    for path in ["/livez", "/readyz", "/metrics", "/status"] {
        assert_eq!(ask(address, &format!("GET {path}")).0, 200, "{path}");
    }
    assert!(blocked.elapsed() < Duration::from_millis(1_200), "{:?}", blocked.elapsed());
    assert_eq!(gateway.kafka.published(), [], "the public side is still blocked");
    let mut answer = [0; 12];
    public.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 202");
    assert_eq!(gateway.kafka.ids(), ["n-1"]);
}
