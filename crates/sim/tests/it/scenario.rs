//! Do the providers take turns, and do their deliveries arrive as they are written?

use std::{
    collections::{BTreeMap, HashSet},
    future,
    sync::Arc,
    time::Duration,
};

use postern_sim::{Feed, Mix, Provider, Push, Scenario, World, run};

use crate::support::{
    NOW, load, ring,
    server::{Act, Server, status},
    signer,
};

fn pubsub(source: &str, feed: Feed) -> Provider {
    let push = Push {
        source: source.into(),
        audience: format!("https://hooks.example.com/v1/google/pubsub/{source}"),
        service_account: "push@acme-prod.iam.gserviceaccount.com".into(),
        subscription: Some("projects/acme-prod/subscriptions/all".into()),
        tenant: None,
        wrapped: true,
        feed,
        signer: signer(),
    };
    Provider::Pubsub { push, world: World::default() }
}

fn everybody(seed: u64, mix: Mix) -> Arc<Scenario> {
    let world = World::default();
    let providers = [
        Provider::Graph { ring: ring(), world },
        pubsub("gmail", Feed::Gmail),
        pubsub("events", Feed::Workspace),
        Provider::Channels { ring: ring(), world },
    ];
    Arc::new(Scenario::new(seed, NOW, mix, providers).unwrap())
}

#[test]
fn all_providers_take_turns_and_share_no_record() {
    let scenario = everybody(1, Mix::varied());
    let (mut shares, mut keys) = (BTreeMap::new(), HashSet::new());
    for sequence in 0..4_000 {
        let delivery = scenario.delivery(sequence);
        let route = delivery.uri.path().split('/').take(5).collect::<Vec<_>>().join("/");
        let route = if route.starts_with("/v1/microsoft") { "graph".into() } else { route };
        *shares.entry(route).or_insert(0) += 1;
        if delivery.repeats.is_none() {
            for item in delivery.expected.items {
                assert!(keys.insert((item.source, item.key)));
            }
        }
    }
    let counts: Vec<_> = shares.values().copied().collect();
    assert_eq!(shares.len(), 5, "{shares:?}");
    assert!(counts.iter().all(|count| *count > 350), "{shares:?}");
}

#[test]
fn a_late_body_is_408_but_who_may_not_send_is_401_at_once() {
    let mix = Mix { slow: 1.0, slow_for: Duration::from_secs(3), forged: 0.5, ..Mix::default() };
    let push = pubsub("gmail", Feed::Gmail);
    let scenario = Scenario::new(1, NOW, mix, [push]).unwrap();
    let mut statuses = BTreeMap::new();
    for sequence in 0..100 {
        let delivery = scenario.delivery(sequence);
        assert!(delivery.slow.is_some() && delivery.expected.items.is_empty());
        *statuses.entry(delivery.expected.status).or_insert(0) += 1;
    }
    assert_eq!(statuses.keys().copied().collect::<Vec<_>>(), [401, 408]);
    assert_eq!(statuses.values().sum::<u64>(), 100);
}

#[tokio::test]
async fn google_s_deliveries_arrive_whole() {
    let mix = Mix { slow: 0.0, handshakes: 0.0, ..Mix::varied() };
    let scenario = everybody(4, mix);
    let expected = Arc::clone(&scenario);
    let server = Server::start(move |number, _| {
        Act::Answer(status(expected.delivery(number as u64).expected.status))
    })
    .await;
    let report = run(
        load(server.port, 300),
        Arc::clone(&scenario),
        Arc::new(()),
        Arc::default(),
        future::pending(),
    );
    let report = report.await.unwrap();
    assert_eq!((report.counts.attempts, report.counts.unexpected), (300, 0));
    for (sequence, seen) in server.seen().iter().enumerate() {
        let delivery = scenario.delivery(sequence as u64);
        assert!(seen.head.starts_with(&format!("POST {} HTTP/1.1\r\n", delivery.uri)));
        assert_eq!(seen.body, delivery.body);
        assert_eq!(seen.header("content-length"), Some(&*delivery.body.len().to_string()));
        for name in delivery.headers.keys() {
            let values: Vec<_> =
                delivery.headers.get_all(name).iter().map(|v| v.to_str().unwrap()).collect();
            let sent: Vec<_> = seen
                .head
                .lines()
                .filter_map(|line| line.split_once(':'))
                .filter(|(found, _)| found.eq_ignore_ascii_case(name.as_str()))
                .map(|(_, value)| value.trim())
                .collect();
            assert_eq!(sent, values, "{name}");
        }
    }
}
