//! Who waits for Google's keys, for how long, and what is he told when they do not come?

use std::sync::Arc;
use std::time::Duration;

use postern_edge::authenticate::Pubsub;
use postern_edge::clock;
use postern_edge::key_sets::KeySets;
use postern_edge::refusal::Refusal;
use tokio::time::{Instant, advance, sleep};

use crate::oidc::Signer;
use crate::support::google::{BODY, Issued, head, key_set, pass, source, token, with_body};
use crate::support::quick;

#[tokio::test]
async fn before_the_first_key_set_only_what_may_be_a_token_is_503() {
    let world = Issued::cold(quick()).await;
    let genuine = format!("Bearer {}", token(&world.signer, "gmail"));
    for (authorization, status) in [
        (genuine.as_str(), 503),
        ("bearer abc.def.ghi", 503),
        ("Bearer abc.def", 401),
        ("Bearer abc.def.", 401),
        ("Bearer", 401),
        ("Basic cHVzaGVyOnNlY3JldA==", 401),
        ("", 401),
    ] {
        let answer = world.gateway.ask(with_body(&head("gmail", authorization), BODY)).await;
        assert_eq!(answer.status, status, "{authorization:.30}");
        answer.assert_bare(status);
    }
    assert_eq!(world.gateway.kafka.handed(), (0, 0));
    assert!(world.gateway.gauge("postern_jwks_age_seconds").is_infinite());
    world.keys.store(key_set([&world.signer]));
    world.gateway.ask(world.push("gmail", BODY)).await.assert_bare(204);
    assert!(world.gateway.gauge("postern_jwks_age_seconds") < 5.0);
}

#[tokio::test]
async fn a_push_under_a_new_key_waits_for_the_set_that_has_it() {
    let world = Issued::cold(quick()).await;
    let old = Signer::generate("old");
    world.keys.store(key_set([&old]));
    pass(Duration::from_secs(60)).await;
    let fetcher = {
        let (keys, set) = (world.keys.clone(), key_set([&old, &world.signer]));
        tokio::spawn(async move {
            keys.wanted().await;
            sleep(Duration::from_millis(200)).await;
            keys.store(set);
        })
    };
    let asked = Instant::now();
    world.gateway.ask(world.push("gmail", BODY)).await.assert_bare(204);
    assert!(asked.elapsed() >= Duration::from_millis(200), "{:?}", asked.elapsed());
    fetcher.await.expect("no panic");
    assert_eq!(world.gateway.kafka.ids(), ["2070"]);
}

#[tokio::test]
async fn a_set_that_does_not_come_in_time_is_503_in_time() {
    let world = Issued::cold(quick()).await;
    let old = Signer::generate("old");
    world.keys.store(key_set([&old]));
    pass(Duration::from_secs(60)).await;
    let asked = Instant::now();
    world.gateway.ask(world.push("gmail", BODY)).await.assert_bare(503);
    assert!(
        asked.elapsed() < quick().deadline + Duration::from_millis(300),
        "{:?}",
        asked.elapsed()
    );
    assert_eq!(world.gateway.answered_within("pubsub", 1.0), 1);
    // In the meantime whoever has a known key is not held up.
    let known = format!("Bearer {}", token(&old, "gmail"));
    let asked = Instant::now();
    world.gateway.ask(with_body(&head("gmail", &known), BODY)).await.assert_bare(204);
    assert!(asked.elapsed() < Duration::from_millis(300), "{:?}", asked.elapsed());
    assert_eq!(world.gateway.kafka.ids(), ["2070"]);
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_that_wait_at_the_same_time_cause_one_fetch_and_are_401() {
    let (google, stranger) = (Signer::generate("a"), Signer::generate("unknown"));
    let keys = KeySets::default();
    keys.store(key_set([&google]));
    advance(Duration::from_secs(3_600)).await;
    let pubsub = Arc::new(Pubsub::new(Vec::new(), keys.clone()));
    let authorization = format!("Bearer {}", token(&stranger, "gmail"));
    let mut headers = http::HeaderMap::new();
    headers.insert("authorization", authorization.parse().expect("a value"));
    let fetches = tokio::spawn({
        let (keys, set) = (keys.clone(), key_set([&google]));
        async move {
            keys.wanted().await;
            sleep(Duration::from_millis(400)).await;
            keys.store(set);
            // Those that asked while it was under way are answered; nobody asks again of a set this young.
            sleep(Duration::from_secs(5)).await;
        }
    });
    let begun = Instant::now();
    let asked: Vec<_> = (0..10_000)
        .map(|number: u64| {
            let (pubsub, headers) = (Arc::clone(&pubsub), headers.clone());
            tokio::spawn(async move {
                // Some come while the fetch is under way, some after it.
                sleep(Duration::from_millis(number % 2_000)).await;
                let deadline = Instant::now() + Duration::from_millis(2_400);
                pubsub.authenticate(&headers, &source("gmail"), clock::now(), deadline).await
            })
        })
        .collect();
    for asked in asked {
        assert_eq!(asked.await.expect("no panic"), Err(Refusal::Unauthenticated));
    }
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "nobody waited in vain: {:?}",
        begun.elapsed()
    );
    fetches.await.expect("no panic");
}
