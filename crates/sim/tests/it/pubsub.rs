//! Are Pub/Sub pushes well-formed, complete in their variety, and honest about what they expect?

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use postern_sim::{
    Delivery, Feed, Forgery, Item, JwtForgery, Mix, Provider, Push, Reason, RecordKey, Scenario,
    ScenarioError, Verdict, World,
};

use crate::support::{
    NOW,
    push::{Said, judge, parts},
    signer,
};

const SUBSCRIPTION: &str = "projects/acme-prod/subscriptions/gmail+push";

fn push(feed: Feed, wrapped: bool, configured: bool) -> Push {
    Push {
        source: if feed == Feed::Gmail { "gmail".into() } else { "drive-events".into() },
        audience: "https://hooks.example.com/v1/google/pubsub/gmail".into(),
        service_account: "push@acme-prod.iam.gserviceaccount.com".into(),
        subscription: configured.then(|| SUBSCRIPTION.into()),
        tenant: configured.then(|| "Käse & Söhne/7".into()),
        wrapped,
        feed,
        signer: signer(),
    }
}

fn play(seed: u64, mix: Mix, push: Push) -> Arc<Scenario> {
    let pubsub = Provider::Pubsub { push, world: World::default() };
    Arc::new(Scenario::new(seed, NOW, mix, [pubsub]).unwrap())
}

/// All ways in which a push subscription can be configured.
fn pushes() -> impl Iterator<Item = Push> {
    let both = [true, false];
    let feeds = [Feed::Gmail, Feed::Workspace];
    feeds.into_iter().flat_map(move |feed| {
        both.into_iter().flat_map(move |wrapped| {
            both.into_iter().map(move |configured| push(feed, wrapped, configured))
        })
    })
}

#[test]
fn what_is_expected_agrees_with_an_independent_reading() {
    for push in pushes() {
        let mix = Mix { unusable: 0.05, malformed: 0.05, ..Mix::varied() };
        let scenario = play(7, mix, push.clone());
        let (mut ids, mut types) = (HashSet::new(), BTreeSet::new());
        let (mut reasons, mut refused) = (HashSet::new(), 0);
        for sequence in 0..2_500 {
            let delivery = scenario.delivery(sequence);
            if delivery.repeats.is_some() {
                continue;
            }
            assert_eq!(delivery.uri.path(), format!("/v1/google/pubsub/{}", push.source));
            let (status, found) = judge(&delivery, &push);
            assert_eq!(delivery.expected.status, status, "{delivery:?}");
            let Some(found) = found else {
                assert!(delivery.expected.items.is_empty());
                refused += 1;
                continue;
            };
            let [item] = &delivery.expected.items[..] else { panic!("one message is one item") };
            assert!(ids.insert((item.source.clone(), item.key.clone())), "{item:?} is not unique");
            match (item.verdict, found) {
                (Verdict::Published(_), Ok(said)) => {
                    types.extend(said.records.iter().map(|(kind, _)| kind.clone()));
                    genuine(item, &said);
                }
                (Verdict::Quarantined(reason), Err(found)) => {
                    assert_eq!(reason, found, "{delivery:?}");
                    reasons.insert(reason);
                }
                (expected, found) => panic!("{expected:?} against {found:?} in {delivery:?}"),
            }
        }
        let expected = if push.feed == Feed::Gmail { 1 } else { 10 };
        assert_eq!(types.len(), expected, "{types:#?}");
        let mismatch = usize::from(push.subscription.is_some());
        assert_eq!(reasons.len(), 2 + mismatch, "{reasons:?}");
        assert!((150..350).contains(&refused), "{refused}");
    }
}

fn genuine(item: &Item, said: &Said) {
    let source = item.source.replace("%2B", "+");
    assert_eq!(source, said.source);
    match &item.key {
        RecordKey::Id(id) => {
            assert_eq!(said.id.as_ref(), Some(id));
            assert!(id.bytes().all(|byte| byte.is_ascii_digit()), "{id}");
        }
        RecordKey::Subject(subject) => {
            assert_eq!((&said.id, said.subject.as_ref()), (&None, Some(subject)));
        }
    }
    let key = item.partition_key.as_deref().unwrap();
    assert_eq!(parts(key), said.key);
    let Verdict::Published(records) = item.verdict else { panic!("{item:?}") };
    let records: Vec<_> =
        records.iter().map(|record| (record.kind.to_owned(), record.id_suffix)).collect();
    assert_eq!(records, said.records);
}

#[test]
fn a_seed_determines_every_push_in_any_order() {
    for push in [push(Feed::Gmail, true, true), push(Feed::Workspace, false, true)] {
        let (first, second) =
            (play(1, Mix::varied(), push.clone()), play(1, Mix::varied(), push.clone()));
        let other = play(2, Mix::varied(), push);
        for sequence in (0..300).rev() {
            let (delivery, again) = (first.delivery(sequence), second.delivery(sequence));
            assert_eq!((&delivery.headers, &delivery.body), (&again.headers, &again.body));
            assert_eq!(format!("{:?}", delivery.expected), format!("{:?}", again.expected));
            if let Some(origin) = delivery.repeats {
                let origin = first.delivery(origin);
                assert_eq!((&delivery.headers, &delivery.body), (&origin.headers, &origin.body));
            } else if delivery.expected.status == 204 {
                let other = other.delivery(sequence);
                assert_ne!((&delivery.headers, &delivery.body), (&other.headers, &other.body));
            }
        }
    }
}

#[test]
fn the_plainest_mix_is_genuine_and_reuses_its_tokens() {
    for push in pushes() {
        let scenario = play(3, Mix::default(), push);
        let mut tokens = HashSet::new();
        for sequence in 0..300 {
            let delivery = scenario.delivery(sequence);
            assert_eq!((delivery.expected.status, delivery.genuine()), (204, 1));
            tokens.insert(delivery.headers["authorization"].clone());
        }
        assert_eq!(tokens.len(), 2);
    }
}

/// Which of these forms occur in a text.
fn spellings(delivery: &Delivery) -> Vec<&'static str> {
    let text = String::from_utf8(delivery.body.to_vec()).unwrap();
    let has = |word: &str| text.contains(word);
    let data = text.split("ata\":").nth(1).and_then(|rest| rest.split('"').nth(1)).unwrap();
    let padded = data.ends_with('=');
    let forms = [
        ("both ids", has("\"messageId\"") && has("\"message_id\"")),
        ("camel id", has("\"messageId\"") && !has("\"message_id\"")),
        ("snake id", !has("\"messageId\"") && has("\"message_id\"")),
        ("no id", !has("\"messageId\"") && !has("\"message_id\"")),
        ("no subscription", !has("\"subscription\"")),
        ("padded", padded),
        ("not padded", !padded && !data.len().is_multiple_of(4)),
        ("standard alphabet", data.contains(['+', '/'])),
        ("URL-safe alphabet", data.contains(['-', '_'])),
        ("spaced", has("\": ")),
        ("compact", !has("\": ")),
        ("@type", has("\"@type\"")),
        ("null attributes", has("\"attributes\":null") || has("\"attributes\": null")),
        ("attributes", has("\"key\":\"value\"")),
        ("escaped name", has("\\u0064ata")),
        ("ordering key", has("\"orderingKey\"")),
        ("delivery attempt", has("\"deliveryAttempt\"")),
        ("future members", has("\"futureMember\"")),
        ("subscription first", text.starts_with("{\"subscription\"")),
    ];
    forms.into_iter().filter(|(_, found)| *found).map(|(name, _)| name).collect()
}

#[test]
fn every_spelling_of_an_envelope_comes() {
    let mix = Mix { odd: 0.4, without_id: 0.1, ..Mix::default() };
    let scenario = play(11, mix, push(Feed::Gmail, true, false));
    let mut found = BTreeSet::new();
    for sequence in 0..2_000 {
        found.extend(spellings(&scenario.delivery(sequence)));
    }
    assert_eq!(found.len(), 19, "{found:#?}");
}

#[test]
fn positions_are_numbers_and_texts_of_every_size() {
    let push = push(Feed::Gmail, false, false);
    let scenario = play(12, Mix::default(), push.clone());
    let (mut found, mut cases) = (BTreeSet::new(), BTreeSet::new());
    for sequence in 0..1_000 {
        let delivery = scenario.delivery(sequence);
        let (_, said) = judge(&delivery, &push);
        let said = said.unwrap().unwrap();
        let history = said.history.unwrap();
        let as_text = String::from_utf8_lossy(&delivery.body).contains(&format!("\"{history}\""));
        let size = match history {
            u64::MAX => "largest",
            9_007_199_254_740_993.. => {
                assert!(history as f64 as u64 != history, "a double would not do for {history}");
                "beyond a double"
            }
            10_000.. => "usual",
            _ => "small",
        };
        found.insert((size, as_text));
        let address = said.subject.unwrap();
        cases.insert((address.to_lowercase() == address, address.is_ascii()));
    }
    assert_eq!(found.len(), 8, "{found:?}");
    assert_eq!(cases.len(), 3, "lower case, mixed case, not ASCII: {cases:?}");
}

#[test]
fn a_message_that_tells_nothing_is_found_by_its_mailbox() {
    let mix = Mix { without_id: 1.0, ..Mix::default() };
    let unconfigured = play(13, mix.clone(), push(Feed::Gmail, false, false));
    let configured = play(13, mix, push(Feed::Gmail, false, true));
    let mut subjects = HashSet::new();
    for sequence in 0..200 {
        let delivery = unconfigured.delivery(sequence);
        assert!(!delivery.headers.keys().any(|name| name.as_str().starts_with("x-goog")));
        let item = &delivery.expected.items[0];
        assert_eq!(&*item.source, "//postern/pubsub/gmail");
        assert!(subjects.insert(item.key.clone()));
        let source = &configured.delivery(sequence).expected.items[0].source;
        assert_eq!(
            **source,
            *"//pubsub.googleapis.com/projects/acme-prod/subscriptions/gmail%2Bpush"
        );
    }
    // Without metadata nobody could tell what a Workspace message is.
    let mix = Mix { without_id: 1.0, ..Mix::default() };
    let workspace = play(13, mix, push(Feed::Workspace, false, true)).delivery(0);
    assert!(workspace.headers.contains_key("x-goog-pubsub-message-id"));
}

#[test]
fn both_modes_of_cloud_events_come_with_every_lifecycle_signal() {
    let mix = Mix { lifecycle: 0.5, odd: 0.3, ..Mix::default() };
    let scenario = play(14, mix, push(Feed::Workspace, false, true));
    let mut found = BTreeSet::new();
    for sequence in 0..1_000 {
        let delivery = scenario.delivery(sequence);
        let text = String::from_utf8(delivery.body.to_vec()).unwrap();
        let structured = delivery.headers.get("content-type");
        assert_eq!(structured.is_none(), delivery.headers.contains_key("ce-type"));
        found.insert(if structured.is_some() { "structured" } else { "binary" });
        for word in [
            "spec_version",
            "\"specversion\"",
            "suspension_reason",
            "suspensionReason",
            "expire_time",
            "expireTime",
            ".expirationReminder\"",
            "\"file_id\"",
            "mimeType",
        ] {
            found.extend(text.contains(word).then_some(word));
        }
    }
    assert_eq!(found.len(), 11, "{found:#?}");
}

#[test]
fn forgeries_are_those_of_the_mix() {
    let forged = |forgeries: Vec<Forgery>, jwt_forgeries: Vec<JwtForgery>, configured| {
        let mix = Mix { forged: 1.0, forgeries, jwt_forgeries, ..Mix::default() };
        let scenario = play(15, mix, push(Feed::Gmail, true, configured));
        let outcomes: BTreeSet<_> = (0..200)
            .map(|sequence| {
                let expected = scenario.delivery(sequence).expected;
                let reason = expected.items.first().map(|item| item.verdict);
                assert!(matches!(
                    reason,
                    None | Some(Verdict::Quarantined(Reason::TenantMismatch))
                ));
                (expected.status, reason.is_some())
            })
            .collect();
        outcomes
    };
    let (anywhere, mismatch) = (Forgery::ANYWHERE.to_vec(), vec![Forgery::TenantMismatch]);
    let expired = || vec![JwtForgery::Expired];
    assert_eq!(forged(anywhere, expired(), true), [(401, false)].into());
    assert_eq!(forged(mismatch.clone(), expired(), true), [(204, true), (401, false)].into());
    // Who takes any subscription has no other one.
    assert_eq!(forged(mismatch, expired(), false), [(401, false)].into());
}

#[test]
fn pushes_that_make_no_sense_are_refused() {
    let refused = |change: fn(&mut Push), mix: Mix| {
        let mut push = push(Feed::Gmail, true, true);
        change(&mut push);
        let pubsub = Provider::Pubsub { push, world: World::default() };
        Scenario::new(1, NOW, mix, [pubsub]).unwrap_err()
    };
    let changes: [fn(&mut Push); 8] = [
        |push| push.source.clear(),
        |push| push.audience.clear(),
        |push| push.service_account.clear(),
        |push| push.tenant = Some(String::new()),
        |push| push.subscription = Some("gmail".into()),
        |push| push.subscription = Some("projects/p/topics/t".into()),
        |push| push.subscription = Some("projects//subscriptions/s".into()),
        |push| push.subscription = Some("projects/p/subscriptions/ä".into()),
    ];
    for change in changes {
        let error = refused(change, Mix::default());
        assert!(matches!(error, ScenarioError::Push { .. }), "{error}");
    }
    let mix = Mix { forged: 0.1, jwt_forgeries: vec![], ..Mix::default() };
    assert_eq!(refused(|_| {}, mix), ScenarioError::NoForgery);
}
