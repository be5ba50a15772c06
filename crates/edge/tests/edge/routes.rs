//! Which paths exist, and what do the others tell a stranger?

use postern_core::claims::Claims;
use postern_core::secret::Secret;
use postern_core::service::Service;
use postern_core::trust::{Deny, StaticSecret, Trust};

use crate::support::notice::{body, genuine, good, item, token, trust, trust_that_denies};
use crate::support::{GRAPH, Gateway, post, quick};

#[tokio::test]
async fn every_unknown_path_gets_the_same_bare_404() {
    let gateway = Gateway::start().await;
    let mut answers = Vec::new();
    let paths = [
        "/",
        "/v1",
        "/v1/microsoft",
        "/v1/microsoft/graph/",
        "/v1/microsoft/graph//",
        "/v1/microsoft/graph/a/b",
        "/v1/microsoft/graph/a/",
        "/v1/microsoft/graphs",
        "/v1/Microsoft/graph",
        "/V1/microsoft/graph",
        "//v1/microsoft/graph",
        "/v1//microsoft/graph",
        "/v1/microsoft/../microsoft/graph",
        "/v1/microsoft%2fgraph",
        "/v1/microsoft/grap%68",
        "/v1/google",
        "/v1/google/calendar/",
        "/v1/google/drive/org_acme",
        "/v1/google/pubsub/gmail",
        "/v1/exchange/ews/p1.k1.x.y",
        "/livez",
        "/readyz",
        "/metrics",
        "/status",
        "/favicon.ico",
        "/?validationToken=%3Cscript%3E",
    ];
    for path in paths {
        let mut answer = gateway.ask(post(path, "")).await;
        answer.assert_bare(404);
        answer.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("date"));
        answers.push(answer);
        assert_eq!(gateway.ask(post(path, good("n"))).await.status, 404, "{path}");
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    let twice = 2 * paths.len() as u64;
    gateway.assert_counted(&[("http_requests 404 other", twice), ("refused path", twice)]);
    assert_eq!(gateway.kafka.handed(), (0, 0));
}

#[tokio::test]
async fn a_target_that_is_no_path_is_404() {
    let gateway = Gateway::start().await;
    for line in ["OPTIONS * HTTP/1.1", "CONNECT h HTTP/1.1", "CONNECT h:443 HTTP/1.1"] {
        let host = line.split(' ').nth(1).filter(|target| *target != "*").unwrap_or("h");
        let answer = gateway.ask(format!("{line}\r\nHost: {host}\r\n\r\n")).await;
        assert_eq!((answer.status, answer.body.len()), (404, 0), "{line}");
        assert_eq!(answer.all("cache-control"), ["no-store"]);
    }
    gateway.assert_serves("n-1").await;
}

#[tokio::test]
async fn the_whole_of_the_target_is_the_route() {
    let gateway = Gateway::start().await;
    for (index, target) in [
        "/v1/microsoft/graph".to_owned(),
        "/v1/microsoft/graph?".to_owned(),
        "/v1/microsoft/graph?x=/y&validationtoken=a".to_owned(),
        "/v1/microsoft/graph/org_acme".to_owned(),
        "/v1/microsoft/graph/org%5Facme?y".to_owned(),
        "http://hooks.example.com/v1/microsoft/graph".to_owned(),
        "HTTP://HOOKS.example.com/v1/microsoft/graph/org_acme".to_owned(),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("n-{index}");
        gateway.ask(post(&target, good(&id))).await.assert_bare(202);
        assert_eq!(gateway.kafka.ids().last(), Some(&id), "{target}");
    }
    assert_eq!(gateway.kafka.quarantined(), []);
}

#[tokio::test]
async fn a_tenant_segment_takes_only_its_own_tenant() {
    let gateway = Gateway::start().await;
    let delivery = body(&[genuine("mine"), item("theirs", &token("org_other"))]);
    let answer = gateway.ask(post("/v1/microsoft/graph/org_acme", &delivery)).await;
    answer.assert_bare(202);
    assert_eq!(gateway.kafka.ids(), ["mine"]);
    for segment in ["org_Acme", "org_acme%20", "org_acme+", "%zz", "%ff", "%", "org%2Facme", "."] {
        let target = format!("/v1/microsoft/graph/{segment}");
        gateway.ask(post(&target, good("n"))).await.assert_bare(202);
    }
    assert_eq!(gateway.kafka.ids(), ["mine"]);
    let quarantined = gateway.kafka.quarantined();
    assert_eq!(quarantined.len(), 9);
    assert!(quarantined.iter().all(|r| r.header("postern_reason") == Some("tenant-mismatch")));
    let expected = r#"[{"index":1,"reason":"tenant-mismatch"}]"#;
    assert_eq!(quarantined[0].header("postern_items"), Some(expected));
    gateway.assert_counted(&[
        ("http_requests 202 graph", 9),
        ("notifications published graph", 1),
        ("notifications quarantined graph", 9),
        ("quarantined tenant-mismatch graph", 9),
    ]);
}

#[tokio::test]
async fn a_route_that_nothing_could_verify_does_not_exist() {
    let of_calendar = StaticSecret::new(
        Service::Calendar,
        &Secret::from_file_content(b"calendar".to_vec()),
        "org_acme".to_owned(),
        None,
    );
    for nothing in [Trust::default(), Trust::new(None, vec![of_calendar], Deny::default())] {
        let gateway = Gateway::with(quick(), nothing).await;
        gateway.ask(post(GRAPH, good("n"))).await.assert_bare(404);
        gateway.ask(post("/v1/microsoft/graph?validationToken=t", "")).await.assert_bare(404);
        gateway.assert_counted(&[("http_requests 404 other", 2), ("refused path", 2)]);
    }
}

#[tokio::test]
async fn a_static_secret_is_enough_and_quarantine_then_has_no_body() {
    let secret = StaticSecret::new(
        Service::Graph,
        &Secret::from_file_content(b"legacy\n".to_vec()),
        "org_acme".to_owned(),
        Some("user_9".to_owned()),
    );
    let trust = Trust::new(None, vec![secret], Deny::default());
    let gateway = Gateway::with(quick(), trust).await;
    let delivery = body(&[item("mine", "legacy"), item("junk", "legacy\n")]);
    gateway.ask(post("/v1/microsoft/graph/org_acme", &delivery)).await.assert_bare(202);
    let published = gateway.kafka.published();
    assert_eq!(gateway.kafka.ids(), ["mine"]);
    assert_eq!(published[0].key.as_deref(), Some(&b"org_acme/user_9"[..]));
    let quarantined = gateway.kafka.quarantined();
    assert_eq!(quarantined.len(), 1);
    assert_eq!(quarantined[0].value, None);
    assert_eq!(quarantined[0].header("postern_kid"), None);
    assert_eq!(quarantined[0].header("postern_reason"), Some("malformed-token"));
}

#[tokio::test]
async fn keys_and_deny_rules_are_swapped_without_a_restart() {
    let gateway = Gateway::start().await;
    let delivery = body(&[item("n-1", &token("org_gone"))]);
    gateway.ask(post(GRAPH, &delivery)).await.assert_bare(202);
    assert_eq!(gateway.kafka.ids(), ["n-1"]);
    gateway.edge.set_trust(trust_that_denies());
    gateway.ask(post(GRAPH, &delivery)).await.assert_bare(202);
    assert_eq!((gateway.kafka.ids().len(), gateway.kafka.quarantined().len()), (1, 0));
    gateway.edge.set_trust(trust());
    gateway.ask(post(GRAPH, &delivery)).await.assert_bare(202);
    assert_eq!(gateway.kafka.ids(), ["n-1", "n-1"]);
    gateway.assert_counted(&[
        ("http_requests 202 graph", 3),
        ("notifications published graph", 2),
        ("notifications denied graph", 1),
    ]);
}

#[tokio::test]
async fn a_token_of_another_service_proves_nothing() {
    let gateway = Gateway::start().await;
    let claims = Claims { tenant: "org_acme".to_owned(), ..Claims::default() };
    let calendar =
        crate::support::notice::ring().mint(Service::Calendar, &claims).expect("it fits");
    gateway.ask(post(GRAPH, body(&[item("n-1", &calendar)]))).await.assert_bare(202);
    assert_eq!(gateway.kafka.published(), []);
    assert_eq!(gateway.kafka.quarantined()[0].header("postern_reason"), Some("forged-token"));
}
