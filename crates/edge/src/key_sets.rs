//! Which public keys does Google sign with now? Kept here, fetched elsewhere: the edge has no HTTP client.
//!
//! A request whose token names an unknown key asks for a newer set and waits for it within its deadline. Whatever the
//! number of such requests, there is one fetch at a time and at most one in [`FRESH`].

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use postern_core::provider::google::oidc::KeySet;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

/// A set this young is not fetched again: a key that it lacks does not exist.
pub const FRESH: Duration = Duration::from_secs(10);

/// The current key set of an issuer; clones share it.
#[derive(Clone, Debug)]
pub struct KeySets(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    current: ArcSwapOption<Loaded>,
    /// Wakes the fetcher.
    wanted: Notify,
    /// How many fetches have ended, well or not.
    ended: watch::Sender<u64>,
    /// When the last one failed, if it did.
    failed: ArcSwapOption<Instant>,
}

/// A key set with the moment at which it came.
#[derive(Debug)]
pub struct Loaded {
    /// The keys.
    pub keys: KeySet,
    loaded: Instant,
}

impl Loaded {
    /// How old it is.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.loaded.elapsed()
    }
}

impl Default for KeySets {
    fn default() -> Self {
        let shared = Shared {
            current: ArcSwapOption::empty(),
            wanted: Notify::new(),
            ended: watch::Sender::new(0),
            failed: ArcSwapOption::empty(),
        };
        Self(Arc::new(shared))
    }
}

impl KeySets {
    /// The current set; `None` until one was loaded.
    #[must_use]
    pub fn current(&self) -> Option<Arc<Loaded>> {
        self.0.current.load_full()
    }

    /// Asks for a newer set and waits until a fetch has ended, or until `deadline`; returns what is current then. While
    /// the issuer does not answer nobody waits.
    pub async fn newer(&self, deadline: Instant) -> Option<Arc<Loaded>> {
        if self.0.failed.load().as_ref().is_some_and(|failed| failed.elapsed() < FRESH) {
            return self.current();
        }
        let mut ended = self.0.ended.subscribe();
        // A fetch may have ended since the caller looked: its end is not waited for once more.
        if let Some(current) = self.current().filter(|current| current.age() < FRESH) {
            return Some(current);
        }
        self.0.wanted.notify_one();
        // Without an answer in time the old set is what there is.
        drop(timeout_at(deadline, ended.changed()).await);
        self.current()
    }

    /// For the fetcher: keeps a set that was fetched, and lets go whoever waits for it.
    pub fn store(&self, keys: KeySet) {
        self.0.current.store(Some(Arc::new(Loaded { keys, loaded: Instant::now() })));
        self.0.failed.store(None);
        self.end();
    }

    /// For the fetcher: a fetch has failed; the old set stays.
    pub fn failed(&self) {
        self.0.failed.store(Some(Arc::new(Instant::now())));
        self.end();
    }

    fn end(&self) {
        self.0.ended.send_modify(|ended| *ended += 1);
    }

    /// For the fetcher: resolves when a request wants a newer set.
    pub async fn wanted(&self) {
        self.0.wanted.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JWKS: &str = concat!(
        r#"{"keys":[{"kty":"RSA","kid":"a","e":"AQAB","n":""#,
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs",
        "tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbI",
        "SD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        r#""}]}"#
    );

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_is_let_go_by_a_fetch_or_by_the_deadline() {
        let sets = KeySets::default();
        let soon = Instant::now() + Duration::from_secs(1);
        assert!(sets.newer(soon).await.is_none(), "nobody fetched");
        let wait = || {
            let (sets, end) = (sets.clone(), Instant::now() + Duration::from_secs(60));
            tokio::spawn(async move { (sets.newer(end).await, end - Instant::now()) })
        };
        let waiting = wait();
        sets.wanted().await;
        sets.failed();
        let (got, left) = waiting.await.expect("no panic");
        assert!(got.is_none() && left == Duration::from_secs(60), "a failed fetch has ended too");
        tokio::time::advance(FRESH).await;
        let waiting = wait();
        sets.wanted().await;
        sets.store(KeySet::parse(JWKS.as_bytes()).expect("the key set of RFC 7517"));
        let (got, left) = waiting.await.expect("no panic");
        assert!(got.expect("a set").age() < FRESH && left == Duration::from_secs(60));
        sets.failed();
        let asked = Instant::now();
        assert!(sets.newer(asked + Duration::from_secs(60)).await.is_some(), "the old set stays");
        assert_eq!(asked.elapsed(), Duration::ZERO, "nobody waits for an issuer that is away");
    }
}
