//! Does `postern replay` publish what passes with today's keys, with its first id and time, and lose nothing?

use std::path::PathBuf;
use std::time::{Duration, Instant};

use postern_sim::{Claims, KeyRing, KeySetServer, Service, Signer, TokenClaims};
use serde_json::{Value, json};

use crate::support::config::{Config, quoted};
use crate::support::consumer::{Mode, Reader, Record, read_all};
use crate::support::kafka::{Kafka, Topics};
use crate::support::ports::free_port;
use crate::support::process::{Finished, Postern, Process, command, postern};
use crate::support::{eventually, graph, hook};

const K2: &[u8] = &[b'2'; 32];

/// The ring of [`hook`], and a second key.
fn with_k2(config: Config) -> Config {
    let (k1, k2) = (config.file("hook-key", &hook::KEY), config.file("hook-k2", K2));
    let path = |path: PathBuf| quoted(path.to_str().unwrap());
    let keys = format!("{{ k1 = {}, k2 = {} }}", path(k1), path(k2));
    config.set("hook_tokens", "keys", &keys)
}

/// A token that only the second key proves.
fn late(service: Service, user: &str) -> String {
    let claims = Claims { tenant: "org_acme".into(), user: Some(user.into()), ..Claims::default() };
    KeyRing::new([("k2", K2)]).unwrap().mint(service, &claims).unwrap()
}

fn send(edge: &Postern, path: &str, ids: &[&str], token: &str) {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let body = graph::notifications(&ids, token);
    assert_eq!(edge.post(path, &[], body.as_bytes()).status, 202);
}

/// Runs it with a configuration; the summary where it got that far.
fn replay(config: &Config, options: &[&str]) -> (Finished, Value) {
    let file = config.write();
    let arguments = [&["replay", "--json", "--config", file.to_str().unwrap()], options].concat();
    let finished = postern(&arguments);
    let summary = serde_json::from_str(&finished.stdout).unwrap_or(Value::Null);
    (finished, summary)
}

/// Runs it to a good end.
fn replayed(config: &Config, options: &[&str]) -> Value {
    let (finished, summary) = replay(config, options);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(summary.is_object(), "{finished:?}");
    summary
}

fn ids(kafka: &Kafka, topic: &str) -> Vec<String> {
    let mut ids: Vec<_> = read_all(kafka, topic).iter().map(Record::id).collect();
    ids.sort();
    ids
}

/// The first receipts of what lies in quarantine.
fn receipts(kafka: &Kafka, topics: &Topics) -> Vec<String> {
    let records = read_all(kafka, &topics.quarantine);
    let receipt = |record: &Record| record.header("ce_recordedtime").unwrap().to_owned();
    records.iter().map(receipt).collect()
}

#[test]
fn what_passes_is_published_once_with_its_first_id_and_time() {
    let kafka = Kafka::shared();
    let topics = kafka.new_topics();
    let config = Config::new(kafka, &topics);
    let edge = Postern::start(&config);
    send(&edge, graph::PATH, &["late"], &late(Service::Graph, "user_1"));
    send(&edge, graph::PATH, &["forged"], "p1.k1.AQhvcmdfYWNtZQ.AAAAAAAAAAAAAAAAAAAAAA");
    let receipts = receipts(kafka, &topics);
    assert_eq!(receipts.len(), 2);

    let nothing = replayed(&config, &["--dry-run"]);
    assert_eq!(nothing["untrusted"], json!({ "unknown-key": 1, "forged-token": 1 }));
    let config = with_k2(config);
    for _ in 0..2 {
        // A dry run leaves everything as it is, the group too.
        let dry = replayed(&config, &["--dry-run"]);
        assert_eq!((&dry["passed"]["items"], &dry["published"]["items"]), (&1.into(), &0.into()));
        assert_eq!((&dry["read"], &dry["committed"]), (&2.into(), &false.into()));
        assert!(read_all(kafka, &topics.events).is_empty(), "a dry run publishes nothing");
    }

    let summary = replayed(&config, &[]);
    assert_eq!(
        summary,
        json!({"group": "postern-replay", "dryRun": false, "read": 2, "filtered": 0,
            "passed": {"deliveries": 1, "items": 1, "records": 1},
            "published": {"deliveries": 1, "items": 1, "records": 1}, "failed": 0,
            "untrusted": {"forged-token": 1}, "denied": 0, "unjudged": {}, "left": 0,
            "interrupted": false, "committed": true})
    );
    let records = read_all(kafka, &topics.events);
    let [record] = records.as_slice() else { panic!("one record: {records:?}") };
    let event = record.event();
    assert_eq!((record.key.as_deref(), &event["id"]), (Some("org_acme/user_1"), &"late".into()));
    assert_eq!(
        (&event["time"], &event["recordedtime"]),
        (&json!(receipts[0]), &json!(receipts[0]))
    );

    let again = replayed(&config, &[]);
    assert_eq!((&again["read"], &again["left"]), (&0.into(), &0.into()), "{again}");
    assert_eq!(ids(kafka, &topics.events), ["late"]);
    assert_eq!(read_all(kafka, &topics.quarantine).len(), 2, "nothing is quarantined again");

    // Once passed over is not lost: from the beginning it is judged again.
    let denying = config.append("[[deny]]\ntenant = \"org_acme\"");
    let all = replayed(&denying, &["--from-beginning"]);
    assert_eq!((&all["read"], &all["denied"]), (&2.into(), &1.into()));
    assert_eq!(ids(kafka, &topics.events), ["late"], "nothing of a denied connection");
}

#[test]
fn every_provider_comes_back_by_its_own_route() {
    let kafka = Kafka::shared();
    let topics = kafka.new_topics();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let signer = Signer::generate("5b1c0f77d2e94a38").unwrap();
    let server = runtime.block_on(KeySetServer::start(signer.jwks())).unwrap();
    let (audience, account) =
        ("https://hooks.example.com/push", "push@p-1.iam.gserviceaccount.com");
    let config = Config::new(kafka, &topics)
        .set("kafka", "mode", "\"binary\"")
        .set("google", "jwks_url", &quoted(&server.url()))
        .set("pubsub.gmail", "audience", &quoted(audience))
        .set("pubsub.gmail", "service_account", &quoted(account))
        .set("pubsub.gmail", "subscription", "\"projects/p-1/subscriptions/another\"");
    let edge = Postern::start(&config);

    let tenant = format!("{}/org_acme", graph::PATH);
    send(&edge, &tenant, &["routed"], &late(Service::Graph, "user_1"));
    send(&edge, &format!("{}/org_other", graph::PATH), &["lost"], &late(Service::Graph, "user_1"));
    for (service, path) in [(Service::Calendar, "calendar"), (Service::Drive, "drive")] {
        let headers = [
            ("X-Goog-Channel-ID", "chan-1"),
            ("X-Goog-Channel-Token", &*late(service, "user_2")),
            ("X-Goog-Message-Number", if path == "drive" { "18" } else { "17" }),
            ("X-Goog-Resource-State", "exists"),
        ];
        assert_eq!(edge.post(&format!("/v1/google/{path}"), &headers, b"").status, 204);
    }
    let issued = jiff::Timestamp::now().as_second() - 60;
    let token = signer.token(&TokenClaims::new(audience, account, issued));
    let push = br#"{"subscription":"projects/p-1/subscriptions/mail","message":{"messageId":"77",
        "data":"eyJlbWFpbEFkZHJlc3MiOiJqYW5lQGV4YW1wbGUuY29tIiwiaGlzdG9yeUlkIjoiOTkifQ=="}}"#;
    let bearer = [("Authorization", &*format!("Bearer {token}"))];
    assert_eq!(edge.post("/v1/google/pubsub/gmail", &bearer, push).status, 204);
    assert_eq!(receipts(kafka, &topics).len(), 5);
    drop(edge);
    drop(server);

    // The key is there, the subscription is the right one; the issuer's keys are not asked for.
    let right = "\"projects/p-1/subscriptions/mail\"";
    let config = with_k2(config).set("pubsub.gmail", "subscription", right);
    let summary = replayed(&config, &[]);
    assert_eq!(summary["published"]["items"], 4, "{summary}");
    assert_eq!(summary["untrusted"], json!({ "tenant-mismatch": 1 }));
    let mut reader = Reader::open_as(kafka, &topics.events, Mode::Binary);
    let mut ids: Vec<String> = reader.read_to_end().iter().map(Record::id).collect();
    ids.sort();
    assert_eq!(ids, ["17", "18", "77", "routed"]);
}

#[test]
fn of_a_mixed_delivery_only_what_was_not_trusted_is_published() {
    let kafka = Kafka::shared();
    let topics = kafka.new_topics();
    let config = Config::new(kafka, &topics);
    let edge = Postern::start(&config);
    let both = |token: &str, id: &str| -> Value {
        let body = graph::notifications(&[id.to_owned()], token);
        serde_json::from_str::<Value>(&body).unwrap()["value"][0].clone()
    };
    let early = hook::graph("org_acme", "user_1", "inbox");
    let items = [both(&early, "early"), both(&late(Service::Graph, "user_2"), "late")];
    let body = json!({ "value": items }).to_string();
    assert_eq!(edge.post(graph::PATH, &[], body.as_bytes()).status, 202);
    assert!(eventually(Duration::from_secs(10), || receipts(kafka, &topics).len() == 1));
    assert_eq!(ids(kafka, &topics.events), ["early"]);
    let summary = replayed(&with_k2(config), &[]);
    assert_eq!(summary["published"]["items"], 1, "{summary}");
    assert_eq!(ids(kafka, &topics.events), ["early", "late"], "what was published is not again");
}

#[test]
fn filters_leave_out_and_leave_the_group_and_a_limit_ends_it() {
    let kafka = Kafka::shared();
    let topics = kafka.new_topics();
    let config = Config::new(kafka, &topics);
    let edge = Postern::start(&config);
    for id in ["one", "two", "three"] {
        send(&edge, graph::PATH, &[id], &late(Service::Graph, "user_1"));
    }
    send(&edge, graph::PATH, &["none"], "");
    let config = with_k2(config);
    for (options, left_out) in [
        (&["--service", "drive"][..], 4),
        (&["--reason", "no-token"], 3),
        (&["--since", "1h"], 0),
        (&["--since", "2031-01-01"], 4),
    ] {
        let dry = replayed(&config, &[options, &["--dry-run"]].concat());
        assert_eq!(dry["filtered"], left_out, "{options:?}");
    }
    let filtered = replayed(&config, &["--reason", "unknown-key", "--limit", "1"]);
    assert_eq!(
        (&filtered["published"]["items"], &filtered["committed"]),
        (&1.into(), &false.into())
    );
    assert_eq!(ids(kafka, &topics.events), ["one"]);
    // The group has not moved: what was published comes again, and each limited run goes on where the last one ended.
    for left in [2, 0] {
        let limited = replayed(&config, &["--limit", "2"]);
        assert_eq!((&limited["read"], &limited["left"]), (&2.into(), &left.into()));
    }
    assert_eq!(ids(kafka, &topics.events), ["one", "one", "three", "two"]);
    let other = replayed(&config, &["--group", "somebody-else", "--dry-run"]);
    assert_eq!(other["read"], 4, "each group has a place of its own");
}

#[test]
fn what_kafka_does_not_take_stays_the_groups_business() {
    let kafka = Kafka::shared();
    let topics = kafka.new_topics();
    let config = Config::new(kafka, &topics);
    let edge = Postern::start(&config);
    send(&edge, graph::PATH, &["late"], &late(Service::Graph, "user_1"));
    send(&edge, graph::PATH, &["none"], "");
    drop(edge);
    let config = with_k2(config);
    kafka.delete_topic(&topics.events);
    let (finished, summary) = replay(&config, &[]);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.stderr.contains("kafka does not take what passes"), "{finished:?}");
    assert_eq!((&summary["failed"], &summary["published"]["items"]), (&1.into(), &0.into()));

    // A signal ends the trying at once, and the group still stands before it.
    let file = config.write();
    let mut process =
        Process::spawn(command(&["replay", "--json", "--config", file.to_str().unwrap()]));
    let asked = || process.stderr().contains("quarantined deliver");
    assert!(eventually(Duration::from_secs(20), asked), "{}", process.stderr());
    std::thread::sleep(Duration::from_millis(500));
    let told = Instant::now();
    process.signal("INT");
    assert_eq!(process.wait(Duration::from_secs(10)), Some(1), "{}", process.stderr());
    println!("ended {:?} after the signal", told.elapsed());
    let summary: Value = serde_json::from_str(&process.stdout()).unwrap();
    assert_eq!((&summary["interrupted"], &summary["failed"]), (&true.into(), &1.into()));

    kafka.create_topic(&topics.events, 3, &[]);
    let summary = replayed(&config, &[]);
    assert_eq!((&summary["read"], &summary["published"]["items"]), (&2.into(), &1.into()));
    assert_eq!(ids(kafka, &topics.events), ["late"]);
}

#[test]
fn a_record_that_kafka_refuses_for_good_holds_up_nothing_else() {
    let kafka = Kafka::shared();
    let topics = kafka.new_topics();
    let config = Config::new(kafka, &topics);
    let edge = Postern::start(&config);
    let late = late(Service::Graph, "user_1");
    for id in ["first", &"x".repeat(3_000), "last"] {
        send(&edge, graph::PATH, &[id], &late);
    }
    drop(edge);
    let config = with_k2(config);
    kafka.alter_topic(&topics.events, &[("max.message.bytes", "3000")]);
    for _ in 0..2 {
        let (finished, summary) = replay(&config, &[]);
        assert_eq!(finished.code, Some(1), "{finished:?}");
        assert!(finished.stderr.contains("max.message.bytes"), "{finished:?}");
        assert_eq!(summary["failed"], 1, "{summary}");
    }
    // The group stands before the large one: what is behind it comes again.
    assert_eq!(ids(kafka, &topics.events), ["first", "last", "last"]);
    kafka.alter_topic(&topics.events, &[]);
    assert_eq!(replayed(&config, &[])["published"]["items"], 2);
    assert_eq!(replayed(&config, &[])["read"], 0);
}

#[test]
fn without_kafka_it_says_so_in_time_and_misuse_is_misuse() {
    let topics = Topics::named();
    let port = free_port();
    let config = Config::bare().kafka(&format!("127.0.0.1:{port}"), &topics).ring();
    let start = Instant::now();
    let (finished, _) = replay(&config, &[]);
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(1), ""), "{finished:?}");
    for part in ["no broker answered", &port.to_string(), "kafka.bootstrap_servers"] {
        assert!(finished.stderr.contains(part), "no {part}: {}", finished.stderr);
    }

    let (missing, _) = replay(&Config::new(Kafka::shared(), &topics), &[]);
    assert_eq!(missing.code, Some(1), "{missing:?}");
    assert!(missing.stderr.contains("postern topics create"), "{missing:?}");

    for options in [
        &["--service", "imap"][..],
        &["--reason", "none"],
        &["--since", "soon"],
        &["--limit", "0"],
        &["--group", ""],
    ] {
        assert_eq!(replay(&config, options).0.code, Some(2), "{options:?}");
    }
    let keyless = config.file("secret", b"made elsewhere");
    let keyless = Config::bare().kafka("127.0.0.1:1", &topics).append(&format!(
        "[[static_secret]]\nservice = \"graph\"\nfile = {}\ntenant = \"org_acme\"",
        quoted(keyless.to_str().unwrap())
    ));
    let (finished, _) = replay(&keyless, &[]);
    assert_eq!(finished.code, Some(2), "{finished:?}");
    assert!(finished.stderr.contains("hook_tokens"), "{finished:?}");
    assert_eq!(postern(&["replay"]).code, Some(2), "no configuration at all");
}
