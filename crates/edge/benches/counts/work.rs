//! What is done under valgrind? Judging a notification, or answering its request, a number of times.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use postern_core::batch::Batch;
use postern_core::delivery::{Delivery, Route};
use postern_core::form::Form;
use postern_core::key_ring::KeyRing;
use postern_core::provider::google::PubsubSource;
use postern_core::provider::google::oidc::{Bearer, KeySet, Verifier};
use postern_core::publish::{Circuit, Durable, Publish, PublishError};
use postern_core::secret::Secret;
use postern_core::service::Service;
use postern_core::time::UnixMillis;
use postern_core::trust::{Deny, Trust};
use postern_edge::authenticate::Pubsub;
use postern_edge::config::Config;
use postern_edge::key_sets::KeySets;
use postern_edge::listener;
use postern_edge::metrics::Metrics;
use postern_edge::phase::{Life, Phase};
use postern_edge::pipeline::Edge;
use prometheus::Registry;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::case::Case;

const JWKS: &str = include_str!("jwks.json");
/// 2026-11-25: hook tokens and the bearer token are good on that day.
const NOW: UnixMillis = UnixMillis(1_795_564_800_000);

/// Does a part of the work of a case `rounds` times.
pub(crate) fn run(part: &str, case: &str, rounds: &str) -> Result<(), String> {
    let case = Case::named(case).ok_or_else(|| format!("no case {case}"))?;
    let rounds: u64 = rounds.parse().map_err(|_| format!("no number: {rounds}"))?;
    match part {
        "judge" => judge(case, rounds),
        "answer" => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?
            .block_on(answer(case, rounds)),
        _ => Err(format!("no part {part}")),
    }
}

/// Verifies and normalizes; a Pub/Sub push with its token.
fn judge(case: Case, rounds: u64) -> Result<(), String> {
    let (head, body) = case.request()?;
    let headers = headers(&head)?;
    let (trust, source, form) = (trust()?, source(), Form::default());
    let keys = KeySet::parse(JWKS.as_bytes()).map_err(|error| error.to_string())?;
    let route = match case {
        Case::Graph | Case::GraphTen => Route::Graph { tenant: None },
        Case::Calendar => Route::Channel { service: Service::Calendar, headers: &headers },
        Case::Drive => Route::Channel { service: Service::Drive, headers: &headers },
        Case::Gmail | Case::GmailNewToken | Case::Workspace => {
            Route::Pubsub { source: &source, headers: &headers }
        }
    };
    let verifiers: Vec<Verifier> = (0..=rounds).map(|_| Verifier::default()).collect();
    for round in 0..rounds {
        if matches!(route, Route::Pubsub { .. }) {
            let verifier = match case {
                Case::GmailNewToken => &verifiers[usize::try_from(round).unwrap_or(0)],
                _ => &verifiers[0],
            };
            let authorization = headers.get(header::AUTHORIZATION).ok_or("no token")?;
            let bearer = Bearer::read(authorization.as_bytes()).ok_or("no bearer token")?;
            verifier.verify(bearer, &keys, &source, NOW).map_err(|error| error.to_string())?;
        }
        let delivery =
            Delivery { route, body: &body, traceparent: None, received: NOW, max_items: 2_000 };
        let verified = delivery.verify(&trust).map_err(|error| error.to_string())?;
        let (batch, refused) = verified.normalize(&form);
        let items = if case == Case::GraphTen { 10 } else { 1 };
        if batch.len() != items || !refused.is_empty() || !verified.untrusted().is_empty() {
            return Err(format!("{} of {items} items are genuine", batch.len()));
        }
        black_box(batch);
    }
    Ok(())
}

/// Answers the request over a real connection; client and server share the one thread.
async fn answer(case: Case, rounds: u64) -> Result<(), String> {
    let (head, body) = case.request()?;
    let mut request = head.replace('\n', "\r\n").into_bytes();
    request.extend_from_slice(
        format!("\r\nHost: hooks.example.com\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(),
    );
    request.extend_from_slice(&body);

    let keys = KeySets::default();
    keys.store(KeySet::parse(JWKS.as_bytes()).map_err(|error| error.to_string())?);
    let metrics = Metrics::register(&Registry::new()).map_err(|error| error.to_string())?;
    let life = Life::new();
    life.advance(Phase::Serving);
    let pubsub = Pubsub::new(vec![source()], keys);
    let edge = Edge::new(Config::default(), trust()?, pubsub, Free, metrics, life);
    let text = |error: std::io::Error| error.to_string();
    let listener = listener::bind(([127, 0, 0, 1], 0).into()).map_err(text)?;
    let address = listener.local_addr().map_err(text)?;
    let (_stop, stopped) = watch::channel(false);
    tokio::spawn(listener::run(listener, Arc::clone(&edge), stopped));

    let mut client = TcpStream::connect(address).await.map_err(text)?;
    let mut answer = vec![0; 4_096];
    for _ in 0..rounds {
        client.write_all(&request).await.map_err(text)?;
        let mut filled = 0;
        while !answer[..filled].ends_with(b"\r\n\r\n") {
            filled += client.read(&mut answer[filled..]).await.map_err(text)?;
            if filled == 0 {
                return Err("the connection was closed".to_owned());
            }
        }
        if !answer.starts_with(b"HTTP/1.1 202") && !answer.starts_with(b"HTTP/1.1 204") {
            return Err(String::from_utf8_lossy(&answer[..filled]).into_owned());
        }
    }
    Ok(())
}

/// Publishes nowhere, for nothing.
struct Free;

impl Publish for Free {
    fn circuit(&self) -> Circuit {
        Circuit::Closed
    }

    async fn publish(&self, batch: &Batch, _deadline: Instant) -> Result<Durable, PublishError> {
        black_box(batch);
        Ok(Durable::Kafka)
    }

    async fn quarantine(&self, _record: Batch, _deadline: Instant) -> Result<(), PublishError> {
        Err(PublishError::Failed)
    }

    fn quarantine_unwaited(&self, _record: Batch) -> Result<(), PublishError> {
        Err(PublishError::Failed)
    }
}

/// The ring of the fixtures.
fn trust() -> Result<Trust, String> {
    let key = Secret::from_file_content((0..32).collect());
    let ring = KeyRing::new("k1", vec![("k1".to_owned(), key)]).map_err(|e| e.to_string())?;
    Ok(Trust::new(Some(ring), Vec::new(), Deny::default()))
}

/// The source that the token is for.
fn source() -> PubsubSource {
    PubsubSource {
        name: "counts".to_owned(),
        audience: "https://hooks.example.com/v1/google/pubsub/counts".to_owned(),
        service_account: "counts@post-office-7.iam.gserviceaccount.com".to_owned(),
        subscription: None,
        wrapped: true,
        tenant: Some("org_acme".to_owned()),
    }
}

/// The headers of a fixture.
fn headers(head: &str) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for line in head.lines().skip(1) {
        let (name, value) = line.split_once(':').ok_or("a header without a colon")?;
        let name: HeaderName = name.parse().map_err(|_| format!("no header name: {name}"))?;
        let value = HeaderValue::from_str(value.trim()).map_err(|error| error.to_string())?;
        headers.append(name, value);
    }
    Ok(headers)
}
