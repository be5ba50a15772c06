//! Is a remembered token trusted any longer, or by anybody else, than a new one?

use postern_core::provider::google::PubsubSource;
use postern_core::provider::google::oidc::{Bearer, KeySet, Verifier};
use postern_core::time::UnixMillis;
use serde_json::json;

use crate::signer;
use crate::world::Verdict::{self, Accepted, Refused, UnknownKey};
use crate::world::{NOW, World, source, verdict};

/// One verifier and one token over time.
struct Remembered<'w> {
    world: &'w World,
    verifier: Verifier,
    token: String,
}

impl<'w> Remembered<'w> {
    fn new(world: &'w World) -> Self {
        Self { world, verifier: Verifier::default(), token: world.token() }
    }

    fn at(&self, now: i64) -> Verdict {
        self.with(&self.world.keys, &self.world.source, now)
    }

    fn with(&self, keys: &KeySet, source: &PubsubSource, now: i64) -> Verdict {
        let authorization = format!("Bearer {}", self.token);
        let bearer = Bearer::read(authorization.as_bytes()).expect("a token");
        verdict(self.verifier.verify(bearer, keys, source, UnixMillis(now * 1_000)))
    }
}

#[test]
fn a_remembered_token_expires_like_any_other() {
    let world = World::new();
    let seen = Remembered::new(&world);
    let expiry = NOW - 60 + 3_600;
    for (now, verdict) in [
        (NOW, Accepted),
        (NOW + 1, Accepted),
        (expiry + 200, Accepted),
        (expiry + 299, Accepted),
        (expiry + 300, Refused),
        (expiry + 400, Refused),
        // The clock goes back: into the token's time, before it, and into it again.
        (expiry, Accepted),
        (NOW - 60 - 300, Accepted),
        (NOW - 60 - 301, Refused),
        (0, Refused),
        (i64::MIN / 1_000, Refused),
        (i64::MAX / 1_000, Refused),
        (NOW, Accepted),
    ] {
        assert_eq!(seen.at(now), verdict, "at {now}");
    }
}

#[test]
fn a_refusal_is_not_remembered() {
    let world = World::new();
    let seen = Remembered::new(&world);
    assert_eq!(seen.at(NOW - 60 - 301), Refused);
    assert_eq!(seen.at(NOW), Accepted, "its time has come");
    let other = Remembered::new(&world);
    let none = KeySet::default();
    assert_eq!(other.with(&none, &world.source, NOW), UnknownKey);
    assert_eq!(other.at(NOW), Accepted, "its key has come");
}

#[test]
fn a_token_is_remembered_for_its_source_alone() {
    let world = World::new();
    let seen = Remembered::new(&world);
    let other = |change: &dyn Fn(&mut PubsubSource)| {
        let mut other = source("gmail");
        other.name = "other".to_owned();
        change(&mut other);
        other
    };
    assert_eq!(seen.at(NOW), Accepted);
    for (name, other) in [
        ("audience", other(&|other| other.audience.push('/'))),
        ("account", other(&|other| other.service_account.insert(0, 'x'))),
        ("both", source("other")),
    ] {
        assert_eq!(seen.with(&world.keys, &other, NOW), Refused, "{name}");
        assert_eq!(seen.at(NOW), Accepted, "{name}: still good for its own");
    }
    // Two sources of one audience and one account share their tokens, as Pub/Sub signs them.
    assert_eq!(seen.with(&world.keys, &other(&|_| {}), NOW), Accepted);
    assert_eq!(seen.at(NOW), Accepted);
}

#[test]
fn a_token_whose_key_is_withdrawn_is_withdrawn_with_it() {
    let world = World::new();
    let seen = Remembered::new(&world);
    assert_eq!(seen.at(NOW), Accepted);
    let set = |signers: &[&signer::Signer]| {
        KeySet::parse(&signer::jwks(signers.iter().copied())).expect("good keys")
    };
    let rotated = set(&[&world.google_too]);
    assert_eq!(seen.with(&rotated, &world.source, NOW), UnknownKey);
    let overlap = set(&[&world.google_too, &world.google]);
    assert_eq!(seen.with(&overlap, &world.source, NOW), Accepted, "both are published");
    // The same name for another key: what the old one signed proves nothing any more.
    let replaced = set(&[&world.stranger]);
    assert_eq!(seen.with(&replaced, &world.source, NOW), Refused);
    assert_eq!(seen.with(&overlap, &world.source, NOW), Accepted);
}

#[test]
fn one_remembered_token_helps_no_other() {
    let world = World::new();
    let seen = Remembered::new(&world);
    assert_eq!(seen.at(NOW), Accepted);
    let (signed, _) = seen.token.rsplit_once('.').expect("three parts");
    let (_, of_stranger) = {
        let token = world.stranger.token(&world.claims());
        let (signed, signature) = token.rsplit_once('.').expect("three parts");
        (signed.to_owned(), signature.to_owned())
    };
    let forged = format!("Bearer {signed}.{of_stranger}");
    for _ in 0..3 {
        assert_eq!(world.judge_at(&seen.verifier, forged.as_bytes(), NOW), Refused);
    }
    assert_eq!(seen.at(NOW), Accepted);
}

/// More tokens than are remembered, twice over, from several threads: each is judged right each time.
#[test]
fn more_tokens_than_are_remembered_are_all_judged() {
    let world = World::new();
    let verifier = Verifier::default();
    let tokens: Vec<String> = (0..1_500)
        .map(|number| {
            let mut claims = world.claims();
            claims["jti"] = json!(number);
            format!("Bearer {}", world.google.token(&claims))
        })
        .collect();
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                for (number, token) in tokens.iter().enumerate() {
                    let verdict = world.judge_at(&verifier, token.as_bytes(), NOW);
                    assert_eq!(verdict, Accepted, "{number}");
                }
            });
        }
    });
    for token in &tokens {
        let later = world.judge_at(&verifier, token.as_bytes(), NOW + 4_000);
        assert_eq!(later, Refused, "none outlives its time");
    }
}
