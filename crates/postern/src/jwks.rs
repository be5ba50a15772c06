//! How are Google's public keys fetched and kept fresh? One background task; requests only ever wait for it.
//!
//! The address is configuration: nothing of a request decides what is fetched.

use std::time::Duration;

use anyhow::{Context as _, bail};
use aws_lc_rs::rand;
use bytes::Bytes;
use http::header::{ACCEPT, AGE, CACHE_CONTROL, USER_AGENT};
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use postern_core::provider::google::oidc::KeySet;
use postern_edge::key_sets::{FRESH, KeySets};
use tokio::time::{Instant, sleep_until, timeout};

/// A key set has two or three keys of about 400 bytes.
const LARGEST: usize = 256 << 10;
/// How long one fetch may take: a request that waits for it has a little more.
const FETCH: Duration = Duration::from_secs(2);
/// Bounds of what the issuer's Cache-Control may ask for; without one, an hour.
const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
const UNSAID: Duration = Duration::from_secs(60 * 60);
/// The wait after the first failed fetch while there are no keys at all; it doubles up to [`FRESH`].
const FIRST_RETRY: Duration = Duration::from_millis(500);

type HttpsClient = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

/// Fetches a key set again and again, for as long as the process lives.
pub(crate) struct Fetcher {
    url: Uri,
    client: HttpsClient,
    sets: KeySets,
}

impl Fetcher {
    /// A fetcher of the set at `url` (https, or http to loopback).
    ///
    /// # Errors
    /// When the URL is none, or the system's certificates cannot be read.
    pub(crate) fn new(url: &str, sets: KeySets) -> anyhow::Result<Self> {
        let url: Uri = url.parse().context("google.jwks_url is no URL")?;
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()
            .context("cannot read the system's certificates (Debian: package ca-certificates)")?
            .https_or_http()
            .enable_http1()
            .build();
        let client =
            Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Ok(Self { url, client, sets })
    }

    /// Keeps the key set fresh: at the pace that its issuer asks for, and earlier where a request wants a newer one. At
    /// most one fetch in 10 s once there are keys; an outage leaves the old ones.
    pub(crate) async fn run(self) {
        let mut retry = FIRST_RETRY;
        loop {
            let started = Instant::now();
            let kept = self.refresh().await;
            let has_keys = self.sets.current().is_some();
            let next = started + kept.unwrap_or(if has_keys { FRESH } else { retry });
            retry = if kept.is_some() { FIRST_RETRY } else { (retry * 2).min(FRESH) };
            let earliest = if has_keys { started + FRESH } else { next };
            tokio::select! {
                () = sleep_until(next) => {}
                () = self.sets.wanted() => sleep_until(earliest.min(next)).await,
            }
        }
    }

    /// One fetch: puts the new set in the place of the old one and gives how long it may be kept, or leaves the old one.
    async fn refresh(&self) -> Option<Duration> {
        match self.fetch().await {
            Ok((keys, lifetime)) => {
                self.sets.store(keys);
                tracing::debug!(next = ?lifetime, "google's key set fetched");
                Some(lifetime)
            }
            Err(error) => {
                self.sets.failed();
                let stale = self.sets.current().map(|set| set.age().as_secs());
                tracing::warn!(error = %format_args!("{error:#}"), stale_seconds = stale, "google's key set could not be fetched");
                None
            }
        }
    }

    async fn fetch(&self) -> anyhow::Result<(KeySet, Duration)> {
        timeout(FETCH, self.get()).await.context("no answer in time")?
    }

    async fn get(&self) -> anyhow::Result<(KeySet, Duration)> {
        let request = Request::get(self.url.clone())
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, concat!("postern/", env!("CARGO_PKG_VERSION")))
            .body(Empty::new())?;
        let response = self.client.request(request).await.context("cannot reach it")?;
        let (head, body) = response.into_parts();
        // A redirect is no answer either: the address is the one that was configured.
        if head.status != StatusCode::OK {
            bail!("answered {}", head.status);
        }
        #[expect(clippy::disallowed_methods, reason = "capped by Limited, timed by the caller")]
        let body = Limited::new(body, LARGEST).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!("its body: {error}"))?.to_bytes();
        Ok((KeySet::parse(&body)?, lifetime(&head.headers)))
    }
}

/// How long a set may be kept: `max-age` less `Age` (RFC 9111), within bounds, less up to a tenth so that replicas do
/// not all ask at once.
fn lifetime(headers: &HeaderMap) -> Duration {
    let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    let directives = text(CACHE_CONTROL).unwrap_or_default().split(',').map(str::trim);
    let max_age = directives
        .filter_map(|directive| directive.split_once('='))
        .find(|(name, _)| name.eq_ignore_ascii_case("max-age"))
        .and_then(|(_, seconds)| seconds.trim_matches('"').parse().ok())
        .map_or(UNSAID, Duration::from_secs);
    let age = text(AGE)
        .and_then(|seconds| seconds.trim().parse().ok())
        .map_or(Duration::ZERO, Duration::from_secs);
    let kept = max_age.saturating_sub(age).clamp(SHORTEST, LONGEST);
    let mut jitter = [0; 1];
    if rand::fill(&mut jitter).is_err() {
        // Replicas then ask together; that is all.
        return kept;
    }
    kept - kept / 10 * u32::from(jitter[0]) / 255
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use postern_sim::{KeySetAnswer, KeySetServer, Signer};

    use super::*;

    fn headers(pairs: &[(http::HeaderName, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), http::HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn honours_max_age_and_age() {
        let about = |headers: &HeaderMap, seconds: u64| {
            let lifetime = lifetime(headers).as_secs();
            assert!(
                (seconds * 9 / 10 - 1..=seconds).contains(&lifetime),
                "{lifetime} for {seconds}"
            );
        };
        about(
            &headers(&[(CACHE_CONTROL, "public, max-age=23641, must-revalidate, no-transform")]),
            23_641,
        );
        about(&headers(&[(CACHE_CONTROL, "Max-Age=18821"), (AGE, "52")]), 18_769);
        about(&headers(&[]), 3_600);
        about(&headers(&[(CACHE_CONTROL, "max-age=0")]), 60);
        about(&headers(&[(CACHE_CONTROL, "max-age=99999999")]), 86_400);
        about(&headers(&[(CACHE_CONTROL, "max-age=abc")]), 3_600);
    }

    #[tokio::test]
    async fn a_rotation_is_followed_and_a_flood_of_requests_is_no_flood_of_fetches() {
        let (old, new) = (Signer::generate("old"), Signer::generate("new"));
        let (old, new) = (old.expect("a key"), new.expect("a key"));
        let server = KeySetServer::start(old.jwks()).await.expect("a port");
        let sets = KeySets::default();
        tokio::spawn(Fetcher::new(&server.url(), sets.clone()).expect("a fetcher").run());
        let soon = Instant::now() + Duration::from_secs(5);
        let first = sets.newer(soon).await.expect("the first set");
        server.publish(Signer::jwks_of([&old, &new]));
        let asked = Instant::now();
        // A wait lasts a millisecond at least: a second or two in all.
        for _ in 0..1_000 {
            let soon = Instant::now() + Duration::from_micros(10);
            drop(sets.newer(soon).await);
        }
        assert_eq!(server.fetches(), 1, "at most one in 10 s");
        // As requests do that name an unknown key: a fresh set is the answer, an old one is asked to be renewed.
        let renewed = loop {
            let soon = Instant::now() + Duration::from_millis(100);
            let set = sets.newer(soon).await.expect("a set");
            if !Arc::ptr_eq(&set, &first) {
                break set;
            }
            assert!(asked.elapsed() < Duration::from_secs(12), "the rotation was not followed");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert!(renewed.age() < first.age());
        assert_eq!(server.fetches(), 2);
        assert!(asked.elapsed() < Duration::from_secs(12), "{:?}", asked.elapsed());
    }

    #[tokio::test]
    async fn an_answer_that_is_no_key_set_leaves_the_keys() {
        let signer = Signer::generate("kept").expect("a key");
        let server = KeySetServer::start(signer.jwks()).await.expect("a port");
        let statuses = [201, 301, 302, 304, 404, 429, 500, 503]
            .map(|status| KeySetAnswer { status, ..KeySetAnswer::of(signer.jwks()) });
        let bodies = ["", "{}", r#"{"keys":[]}"#, r#"{"keys":{}}"#, "<html>", r#"{"keys":["#, "[]"];
        let long = format!("{}{}", signer.jwks(), " ".repeat(LARGEST));
        let broken = KeySetAnswer { broken: true, ..KeySetAnswer::of(signer.jwks()) };
        let never = KeySetAnswer { delay: FETCH * 2, ..KeySetAnswer::of(signer.jwks()) };
        let answers = statuses.into_iter().chain(bodies.map(KeySetAnswer::of));
        for answer in answers.chain([KeySetAnswer::of(long), broken, never]) {
            let name = format!("{answer:.120?}");
            server.answer(answer);
            // With keys in hand, and with none.
            for jwks in [Some(signer.jwks()), None] {
                let sets = KeySets::default();
                if let Some(jwks) = &jwks {
                    let kept = KeySet::parse(jwks.as_bytes()).expect("a key set");
                    sets.store(kept);
                }
                let before = sets.current();
                let fetches = server.fetches();
                let fetcher = Fetcher::new(&server.url(), sets.clone()).expect("a fetcher");
                assert_eq!(fetcher.refresh().await, None, "{name}");
                let after = sets.current();
                assert_eq!(server.fetches(), fetches + 1, "{name}");
                assert_eq!(after.is_some(), jwks.is_some(), "{name}");
                let kept = before.zip(after).is_none_or(|(one, other)| Arc::ptr_eq(&one, &other));
                assert!(kept, "{name}");
            }
        }
    }
}
