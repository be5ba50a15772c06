//! Who is there in the matrix? Google with two keys, a stranger who names his key like one of them, a source, a clock.

use postern_core::provider::google::PubsubSource;
use postern_core::provider::google::oidc::{AuthError, Bearer, KeySet, Verifier};
use postern_core::time::UnixMillis;
use serde_json::Value;

use crate::signer::{self, Signer};

/// 2026-11-25T12:00:00Z, in seconds.
pub(crate) const NOW: i64 = 1_795_608_000;
pub(crate) const KID: &str = "3c6f4f0e2b9d41a7";
const OTHER_KID: &str = "91ab27de5580c3f4";

/// What becomes of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accepted,
    /// Not a token of this source, whatever keys there are.
    Refused,
    /// A newer key set may know the key.
    UnknownKey,
    /// Not even a bearer token.
    NoBearer,
}

/// One `Authorization` header and what is to come of it.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) authorization: Vec<u8>,
    pub(crate) verdict: Verdict,
}

impl Case {
    pub(crate) fn new(name: &str, authorization: impl Into<Vec<u8>>, verdict: Verdict) -> Self {
        Self { name: name.to_owned(), authorization: authorization.into(), verdict }
    }

    /// A case of a token behind the usual scheme.
    pub(crate) fn of_token(name: &str, token: &str, verdict: Verdict) -> Self {
        Self::new(name, format!("Bearer {token}"), verdict)
    }
}

pub(crate) struct World {
    pub(crate) google: Signer,
    pub(crate) google_too: Signer,
    /// Its key bears the name of Google's first one.
    pub(crate) stranger: Signer,
    pub(crate) keys: KeySet,
    pub(crate) source: PubsubSource,
}

impl World {
    pub(crate) fn new() -> Self {
        let [google, google_too, stranger] = [KID, OTHER_KID, KID].map(Signer::generate);
        let keys = KeySet::parse(&signer::jwks([&google, &google_too])).expect("two good keys");
        Self { google, google_too, stranger, keys, source: source("gmail") }
    }

    /// The claims of a genuine token of this source, a minute old.
    pub(crate) fn claims(&self) -> Value {
        signer::claims(&self.source.audience, &self.source.service_account, NOW - 60)
    }

    /// A genuine token.
    pub(crate) fn token(&self) -> String {
        self.google.token(&self.claims())
    }

    /// What a verifier that never saw a token makes of a header.
    pub(crate) fn judge(&self, authorization: &[u8]) -> Verdict {
        self.judge_at(&Verifier::default(), authorization, NOW)
    }

    pub(crate) fn judge_at(&self, verifier: &Verifier, authorization: &[u8], now: i64) -> Verdict {
        let Some(bearer) = Bearer::read(authorization) else { return Verdict::NoBearer };
        let now = UnixMillis(now * 1_000);
        verdict(verifier.verify(bearer, &self.keys, &self.source, now))
    }

    /// Judges every case by a verifier that saw nothing, and by one that just saw the genuine token.
    pub(crate) fn check(&self, cases: &[Case]) {
        let seasoned = Verifier::default();
        let genuine = format!("Bearer {}", self.token());
        assert_eq!(self.judge_at(&seasoned, genuine.as_bytes(), NOW), Verdict::Accepted);
        let mut wrong = Vec::new();
        for case in cases {
            let seen = [
                self.judge(&case.authorization),
                self.judge_at(&seasoned, &case.authorization, NOW),
                // Once more: nothing of the first answer may be remembered wrongly.
                self.judge_at(&seasoned, &case.authorization, NOW),
            ];
            if seen != [case.verdict; 3] {
                wrong.push(format!("{}: {seen:?} and not {:?}", case.name, case.verdict));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

pub(crate) fn verdict(result: Result<(), AuthError>) -> Verdict {
    match result {
        Ok(()) => Verdict::Accepted,
        Err(AuthError::Unauthenticated) => Verdict::Refused,
        Err(AuthError::UnknownKey) => Verdict::UnknownKey,
    }
}

pub(crate) fn source(name: &str) -> PubsubSource {
    PubsubSource {
        name: name.to_owned(),
        audience: format!("https://hooks.example.com/v1/google/pubsub/{name}"),
        service_account: "pusher@post-office-7.iam.gserviceaccount.com".to_owned(),
        subscription: None,
        wrapped: true,
        tenant: None,
    }
}
