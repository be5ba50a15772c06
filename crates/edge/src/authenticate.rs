//! Is a Pub/Sub push really Google's? The token of its head is judged before a byte of its body is read.

use std::time::Duration;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use postern_core::provider::google::PubsubSource;
use postern_core::provider::google::oidc::{AuthError, Bearer, Verifier};
use postern_core::time::UnixMillis;
use tokio::time::Instant;

use crate::key_sets::{FRESH, KeySets};
use crate::refusal::Refusal;

/// The configured sources, and the keys that their tokens are verified with. The default has none.
#[derive(Debug, Default)]
pub struct Pubsub {
    sources: Vec<PubsubSource>,
    keys: KeySets,
    verifier: Verifier,
}

impl Pubsub {
    /// Sources, and the key set that somebody else keeps fresh.
    #[must_use]
    pub fn new(sources: Vec<PubsubSource>, keys: KeySets) -> Self {
        Self { sources, keys, verifier: Verifier::default() }
    }

    /// The sources.
    #[must_use]
    pub fn sources(&self) -> &[PubsubSource] {
        &self.sources
    }

    /// How old the key set is; `None`: there is none yet. Without sources nobody needs one: zero, which alarms nobody.
    #[must_use]
    pub fn keys_age(&self) -> Option<Duration> {
        if self.sources.is_empty() {
            return Some(Duration::ZERO);
        }
        self.keys.current().map(|set| set.age())
    }

    /// Judges the token of a push. A key that is not known yet is waited for until `deadline`.
    ///
    /// # Errors
    /// [`Refusal::Unauthenticated`], or [`Refusal::Undecided`] while only keys that cannot be had could tell: an outage
    /// of the issuer must not turn away what is genuine for good.
    pub async fn authenticate(
        &self,
        headers: &HeaderMap,
        source: &PubsubSource,
        now: UnixMillis,
        deadline: Instant,
    ) -> Result<(), Refusal> {
        let bearer = bearer(headers).ok_or(Refusal::Unauthenticated)?;
        let mut set = self.keys.current().ok_or(Refusal::Undecided)?;
        loop {
            match self.verifier.verify(bearer, &set.keys, source, now) {
                Ok(()) => return Ok(()),
                Err(AuthError::Unauthenticated) => return Err(Refusal::Unauthenticated),
                Err(AuthError::UnknownKey) if set.age() < FRESH => {
                    return Err(Refusal::Unauthenticated);
                }
                Err(AuthError::UnknownKey) => {}
            }
            let newer = self.keys.newer(deadline).await.filter(|newer| newer.age() < FRESH);
            set = newer.ok_or(Refusal::Undecided)?;
        }
    }
}

/// The one bearer token of a request.
fn bearer(headers: &HeaderMap) -> Option<Bearer<'_>> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (Some(one), None) => Bearer::read(one.as_bytes()),
        _ => None,
    }
}
