//! What of a quarantined delivery passes when keys, secrets, sources or deny rules have changed, and what never does?

#[path = "replay/world.rs"]
mod world;

use http::HeaderMap;
use postern_core::batch::Batch;
use postern_core::delivery::Route;
use postern_core::form::Form;
use postern_core::provider::google::PubsubSource;
use postern_core::quarantine::{KEPT_PATH, KeptBody, Quarantined};
use postern_core::reason::Reason;
use postern_core::replay::{Judge, Stored, Unjudged};
use postern_core::secret::Secret;
use postern_core::service::Service;
use postern_core::time::Day;
use postern_core::trust::{Deny, StaticSecret, Trust};
use world::{
    Came, GRAPH, RECEIVED, Sent, body, came, denying, graph, headers, item, published, replay,
    ring, source, token, trust, untrusted,
};

#[test]
fn a_key_that_was_missing_makes_a_delivery_pass_with_its_first_id_and_time() {
    let (then, now) = (trust(&["k1"]), trust(&["k1", "k2"]));
    let sent = body(&[item("id-1", &graph("k2"))]);
    let sent = Sent::graph(&sent);
    assert_eq!(sent.replayed(&then, &now), published(&["id-1"]));
    assert_eq!(sent.replayed(&then, &then), untrusted(&["unknown-key"]));

    // What was sealed with an older key opens as long as the ring holds it, whichever key signs now.
    assert_eq!(sent.replayed(&then, &trust(&["k2", "k1"])), published(&["id-1"]));
    let gone = replay(&sent.quarantined(&then, 10_000), &trust(&["k2"]), &[]);
    assert_eq!(gone.expect_err("cannot be opened"), Unjudged::UnknownKey);
    let none = Trust::default();
    let gone = replay(&sent.quarantined(&then, 10_000), &none, &[]);
    assert_eq!(gone.expect_err("cannot be opened"), Unjudged::UnknownKey);
}

#[test]
fn a_static_secret_that_was_missing_makes_a_delivery_pass() {
    let secret = Secret::from_file_content(b"made elsewhere".to_vec());
    let secret = StaticSecret::new(Service::Graph, &secret, "org_old".to_owned(), None);
    let now = Trust::new(Some(ring(&["k1"])), vec![secret], Deny::default());
    let sent = body(&[item("id-1", "made elsewhere")]);
    assert_eq!(Sent::graph(&sent).replayed(&trust(&["k1"]), &now), published(&["id-1"]));
}

#[test]
fn what_is_forged_or_had_expired_at_receipt_never_passes() {
    let then = trust(&["k1"]);
    let (today, yesterday) = (RECEIVED.day(), Day(RECEIVED.day().0 - 1));
    let mut forged = graph("k1");
    forged.replace_range(forged.len() - 2.., "AA");
    for (token, then, reason) in [
        (forged, &then, "forged-token"),
        (token("k1", Service::Graph, Some(yesterday)), &then, "expired-token"),
        (token("k2", Service::Graph, Some(yesterday)), &then, "expired-token"),
        (token("k1", Service::Drive, None), &then, "forged-token"),
        (String::new(), &then, "no-token"),
        ("hush".to_owned(), &then, "malformed-token"),
    ] {
        let sent = body(&[item("id-1", &token)]);
        let came = Sent::graph(&sent).replayed(then, &trust(&["k1", "k2"]));
        assert_eq!(came, untrusted(&[reason]), "{token}");
    }
    // A last day that has passed since is no fault: it is judged as of the first receipt.
    let sent = body(&[item("id-1", &token("k2", Service::Graph, Some(today)))]);
    let came = Sent::graph(&sent).replayed(&then, &trust(&["k1", "k2"]));
    assert_eq!(came, published(&["id-1"]));
}

#[test]
fn nothing_of_a_connection_that_is_denied_now_is_published() {
    let then = trust(&["k1"]);
    let sent = body(&[item("id-1", &graph("k2")), item("id-2", "")]);
    for user in [None, Some("user_1")] {
        let now = denying(&["k1", "k2"], "org_acme", user);
        let came = Sent::graph(&sent).replayed(&then, &now);
        assert_eq!(came, Came { denied: 1, ..untrusted(&["no-token"]) });
    }
    let other = denying(&["k1", "k2"], "org_acme", Some("user_2"));
    assert_eq!(Sent::graph(&sent).replayed(&then, &other).ids, ["id-1"]);
}

#[test]
fn of_a_mixed_delivery_only_what_was_not_trusted_is_judged() {
    let (then, now) = (trust(&["k1"]), trust(&["k1", "k2"]));
    let items = [
        item("published-1", &graph("k1")),
        item("late", &graph("k2")),
        item("published-2", &graph("k1")),
        item("never", ""),
    ];
    let sent = body(&items);
    let sent = Sent::graph(&sent);
    let came = sent.replayed(&then, &now);
    assert_eq!(came, Came { ids: vec!["late".to_owned()], ..untrusted(&["no-token"]) });
    // Denied now: the items that were published then are none of the replay's business.
    let came = sent.replayed(&then, &denying(&["k1", "k2"], "org_acme", None));
    assert_eq!(came, Came { denied: 1, ..untrusted(&["no-token"]) });
}

#[test]
fn where_the_list_of_items_may_be_cut_everything_is_judged() {
    let (then, now) = (trust(&["k1"]), trust(&["k1", "k2"]));
    for (count, first) in [(99, None), (100, Some("published")), (150, Some("published"))] {
        let late = graph("k2");
        let mut items = vec![item("published", &graph("k1"))];
        items.extend((0..count).map(|at| item(&format!("late-{at}"), &late)));
        let sent = body(&items);
        let judged = replay(&Sent::graph(&sent).quarantined(&then, 100_000), &now, &[]);
        let came = came(&judged.expect("can be judged"));
        assert_eq!(came.ids.len(), count + usize::from(first.is_some()), "{count}");
        assert_eq!(came.ids.iter().find(|id| *id == "published").map(String::as_str), first);
    }
}

#[test]
fn the_tenant_segment_of_the_route_counts_as_it_did() {
    let (then, now) = (trust(&["k1"]), trust(&["k1", "k2"]));
    let sent = body(&[item("id-1", &graph("k2"))]);
    for (segment, decoded, came) in [
        ("org_acme", Some("org_acme"), published(&["id-1"])),
        ("org%5Facme", Some("org_acme"), published(&["id-1"])),
        ("org_other", Some("org_other"), untrusted(&["tenant-mismatch"])),
        ("org%zz", None, untrusted(&["tenant-mismatch"])),
    ] {
        let path = format!("{GRAPH}/{segment}");
        let route = Route::Graph { tenant: Some(decoded) };
        let sent = Sent { path: &path, route, ..Sent::graph(&sent) };
        assert_eq!(sent.replayed(&then, &now), came, "{segment}");
    }
}

#[test]
fn channels_are_replayed_from_their_headers() {
    for (service, path) in
        [(Service::Calendar, "/v1/google/calendar"), (Service::Drive, "/v1/google/drive")]
    {
        let token = token("k2", service, None);
        let sent = [
            ("x-goog-channel-id", "chan-1"),
            ("x-goog-channel-token", token.as_str()),
            ("x-goog-message-number", "17"),
            ("x-goog-resource-state", "exists"),
        ];
        let map = headers(&sent);
        let route = Route::Channel { service, headers: &map };
        let sent = Sent { path, route, headers: &sent, body: "ignored and long" };
        let (then, now) = (trust(&["k1"]), trust(&["k1", "k2"]));
        assert_eq!(sent.replayed(&then, &now), published(&["17"]));
        // The body of a channel says nothing: it does not matter that it was cut.
        let cut = replay(&sent.quarantined(&then, 4), &now, &[]).expect("can be judged");
        assert_eq!(came(&cut), published(&["17"]));
    }
}

const PUSH: &str = r#"{"subscription":"projects/p/subscriptions/s","message":{"messageId":"77",
    "data":"eyJlbWFpbEFkZHJlc3MiOiJqYW5lQGV4YW1wbGUuY29tIiwiaGlzdG9yeUlkIjoiOTkifQ=="}}"#;

#[test]
fn a_push_passes_once_its_source_is_configured_as_it_is_sent() {
    let trust = trust(&["k1"]);
    let (wrong, right) = (Some("projects/p/subscriptions/t"), Some("projects/p/subscriptions/s"));
    let none = HeaderMap::new();
    let then = source(true, wrong);
    let route = Route::Pubsub { source: &then, headers: &none };
    let sent = Sent { path: "/v1/google/pubsub/gmail", route, headers: &[], body: PUSH };
    let now = |source| sent.replayed_with(&trust, &trust, &[source]);
    assert_eq!(now(source(true, right)), published(&["77"]));
    assert_eq!(now(source(true, None)), published(&["77"]));
    assert_eq!(now(source(true, wrong)), untrusted(&["tenant-mismatch"]));
    assert_eq!(now(source(false, right)), untrusted(&["unusable-item"]));
    let denied = PubsubSource { tenant: Some("org_gone".to_owned()), ..source(true, right) };
    let came = sent.replayed_with(&trust, &denying(&["k1"], "org_gone", None), &[denied]);
    assert_eq!(came, Came { denied: 1, ..published(&[]) });
    let gone = replay(&sent.quarantined(&trust, 10_000), &trust, &[]);
    assert_eq!(gone.expect_err("no such source"), Unjudged::NoRoute);
}

#[test]
fn an_unwrapped_push_is_replayed_from_its_kept_headers() {
    let trust = trust(&["k1"]);
    let event = r#"{"file":{"id":"f-1"}}"#;
    let sent = [
        ("x-goog-pubsub-message-id", "78"),
        ("x-goog-pubsub-subscription-name", "projects/p/subscriptions/s"),
        ("ce-id", "e-1"),
        ("ce-type", "google.workspace.drive.file.v3.created"),
        ("ce-source", "//workspaceevents.googleapis.com/subscriptions/w-1"),
    ];
    let map = headers(&sent);
    let then = source(false, Some("projects/p/subscriptions/t"));
    let route = Route::Pubsub { source: &then, headers: &map };
    let sent = Sent { path: "/v1/google/pubsub/gmail", route, headers: &sent, body: event };
    let now = source(false, Some("projects/p/subscriptions/s"));
    assert_eq!(sent.replayed_with(&trust, &trust, &[now]), published(&["78"]));
}

#[test]
fn a_cloud_event_never_comes_back_as_a_gmail_notification() {
    let trust = trust(&["k1"]);
    let mail = r#"{"emailAddress":"jane@example.com","historyId":"99"}"#;
    // Only this header made it a CloudEvent, and it is not among those that are kept.
    let map = headers(&[("ce-odd", "1")]);
    let source = source(false, None);
    let route = Route::Pubsub { source: &source, headers: &map };
    let sent = Sent { path: "/v1/google/pubsub/gmail", route, headers: &[], body: mail };
    let came = sent.replayed_with(&trust, &trust, std::slice::from_ref(&source));
    assert_eq!(came, untrusted(&["unusable-item"]));
}

#[test]
fn what_was_not_stored_is_told_and_not_published() {
    let (then, now) = (trust(&["k1"]), trust(&["k1", "k2"]));
    let sent = body(&[item("id-1", &graph("k2"))]);
    let sent = Sent::graph(&sent);
    let why = |record: &Batch| replay(record, &now, &[]).expect_err("cannot be judged");
    assert_eq!(why(&sent.quarantined(&then, 100)), Unjudged::Cut);
    assert_eq!(why(&sent.quarantined(&Trust::default(), 10_000)), Unjudged::NothingKept);

    let mixed = body(&[item("gone", &graph("k1")), item("id-1", &graph("k2"))]);
    let denying = denying(&["k1"], "org_acme", None);
    assert_eq!(why(&Sent::graph(&mixed).quarantined(&denying, 10_000)), Unjudged::Withheld);

    let record = |service: &'static str, body, path: &str| {
        let kept = [(KEPT_PATH, path.as_bytes())];
        Quarantined {
            service,
            items: &[],
            reason: Reason::TooLarge,
            body,
            kept: &kept,
            received: RECEIVED,
            traceparent: None,
        }
        .record(then.ring(), 10_000)
    };
    let unread = record("gmail", KeptBody::Unread(Some(9_000_000)), "/v1/google/pubsub/gmail");
    assert_eq!(why(&unread), Unjudged::NotRead);
    let body = KeptBody::Whole(sent.body.as_bytes());
    assert_eq!(why(&record("graph", body, "/v1/elsewhere")), Unjudged::NoRoute);
    assert_eq!(why(&record("imap", body, GRAPH)), Unjudged::NoRecord);
}

#[test]
fn records_that_were_changed_are_told_and_not_published() {
    let now = trust(&["k1", "k2"]);
    let sent = body(&[item("id-1", &graph("k2"))]);
    let batch = Sent::graph(&sent).quarantined(&trust(&["k1"]), 10_000);
    let record = batch.records().next().expect("one record");
    let value = record.value().expect("is sealed");
    let judged = |change: (&str, &str), value: &[u8]| {
        let header = |name: &str| match record.headers().find(|(have, _)| *have == name) {
            Some(_) if name == change.0 => Some(change.1.as_bytes()),
            found => found.map(|(_, value)| value),
        };
        let stored = Stored::read(header, Some(value)).ok_or(Unjudged::NoRecord)?;
        Judge { trust: &now, sources: &[], form: Form::default() }.judge(&stored)
    };
    assert_eq!(judged(("", ""), value).expect("as it was").passed, 1);
    let mut changed = value.to_vec();
    changed[40] ^= 1;
    assert_eq!(judged(("", ""), &changed).expect_err("changed"), Unjudged::DoesNotOpen);
    assert_eq!(judged(("", ""), &value[..7]).expect_err("short"), Unjudged::DoesNotOpen);
    for (change, expected) in [
        (("postern_service", "drive"), Unjudged::DoesNotOpen),
        (("postern_kid", "k2"), Unjudged::DoesNotOpen),
        (("postern_kid", "k9"), Unjudged::UnknownKey),
        (("postern_items", "{}"), Unjudged::NoRecord),
        (("postern_items", r#"[{"index":-1,"reason":"no-token"}]"#), Unjudged::NoRecord),
        (("ce_recordedtime", "yesterday"), Unjudged::NoRecord),
    ] {
        assert_eq!(judged(change, value).expect_err("changed"), expected, "{change:?}");
    }
}
