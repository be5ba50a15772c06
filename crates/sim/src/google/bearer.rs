//! Which bearer token does a push carry?
//!
//! Google signs a token once and sends it with many messages for up to an hour. So does this: two
//! tokens at a time, renewed every half hour, and a small stock of forged ones, since a signature
//! costs more than everything else about a delivery.

use std::{
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use http::HeaderValue;

use crate::{
    oidc::{JwtForgery, Signer, TokenClaims},
    rng::Rng,
};

/// How long the same tokens are sent.
const PERIOD: Duration = Duration::from_secs(1_800);
/// How old the older one of them is at the start: it outlives the period by a few minutes.
const OLDER: i64 = 1_500;
/// Tokens in stock for each way to forge.
const STOCK: usize = 16;

/// The tokens of one push subscription.
pub(super) struct Bearers {
    signer: Signer,
    audience: String,
    service_account: String,
    now: i64,
    started: Instant,
    current: Mutex<Option<(u64, [HeaderValue; 2])>>,
    forged: [[OnceLock<Arc<[HeaderValue]>>; STOCK]; JwtForgery::ALL.len()],
}

impl fmt::Debug for Bearers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bearers").field("signer", &self.signer).finish_non_exhaustive()
    }
}

impl Bearers {
    /// Tokens of which the first are issued at `now`, in seconds since 1970-01-01 UTC.
    pub(super) fn new(signer: Signer, audience: &str, service_account: &str, now: i64) -> Self {
        Self {
            signer,
            audience: audience.into(),
            service_account: service_account.into(),
            now,
            started: Instant::now(),
            current: Mutex::default(),
            forged: std::array::from_fn(|_| std::array::from_fn(|_| OnceLock::new())),
        }
    }

    /// A genuine token that is good now.
    pub(super) fn genuine(&self, rng: &mut Rng) -> HeaderValue {
        // Mostly the newer one.
        let place = usize::from(rng.chance(0.25));
        self.at(self.started.elapsed(), place)
    }

    fn at(&self, elapsed: Duration, place: usize) -> HeaderValue {
        let period = elapsed.as_secs() / PERIOD.as_secs();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match &*current {
            Some((of, tokens)) if *of == period => tokens[place].clone(),
            _ => {
                let issued = self.now + (period * PERIOD.as_secs()) as i64;
                let tokens = [self.claims(issued), self.claims(issued - OLDER).without_scheme()]
                    .map(|claims| value(&format!("Bearer {}", self.signer.token(&claims))));
                current.insert((period, tokens)).1[place].clone()
            }
        }
    }

    /// Forged values in its place: none, one or two.
    pub(super) fn forged(&self, forgery: JwtForgery, rng: &mut Rng) -> Arc<[HeaderValue]> {
        let salt = rng.below(STOCK as u64);
        let slot = &self.forged[forgery as usize][salt as usize];
        let make = || {
            let values = self.signer.forge(&self.claims(self.now), forgery, salt);
            values.iter().map(|text| value(text)).collect()
        };
        Arc::clone(slot.get_or_init(make))
    }

    fn claims(&self, issued: i64) -> TokenClaims {
        TokenClaims::new(&self.audience, &self.service_account, issued)
    }
}

fn value(text: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(text).expect("base64url and a few words");
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, time::Duration};

    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use serde_json::Value;

    use super::Bearers;
    use crate::oidc::Signer;

    const NOW: i64 = 1_795_305_600;

    #[test]
    fn tokens_are_reused_and_renewed_long_before_they_end() {
        let signer = Signer::generate("k").unwrap();
        let bearers = Bearers::new(signer, "https://a.example", "push@p.example", NOW);
        let mut tokens = HashSet::new();
        for minute in 0..240 {
            for place in [0, 1] {
                let token = bearers.at(Duration::from_secs(minute * 60), place);
                let claims = token.to_str().unwrap().split('.').nth(1).unwrap();
                let claims: Value =
                    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
                let (issued, ends) =
                    (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
                let now = NOW + minute as i64 * 60;
                assert!(issued <= now && now + 240 < ends && ends == issued + 3_600, "{claims}");
                tokens.insert(token);
            }
        }
        assert_eq!(tokens.len(), 16, "two for each half hour of four hours");
    }
}
