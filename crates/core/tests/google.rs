//! Does every documented Google delivery give the record that the contract says, and every odd one no less?
//!
//! Cases are rows: a name, what was sent, and what of the records is looked at. Each record is held against its schema.

#[path = "judge/schemas.rs"]
mod schemas;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName, HeaderValue};
use postern_core::claims::Claims;
use postern_core::delivery::{Delivery, Form, Rejection, Route};
use postern_core::key_ring::KeyRing;
use postern_core::provider::google::PubsubSource;
use postern_core::secret::Secret;
use postern_core::service::Service;
use postern_core::time::UnixMillis;
use postern_core::trust::{Deny, StaticSecret, Trust};
use schemas::Schemas;
use serde_json::{Value, json};

const RECEIVED: UnixMillis = UnixMillis(1_795_000_000_000);
const RECEIVED_TEXT: &str = "2026-11-18T11:06:40.000Z";

fn ring() -> KeyRing {
    let key = Secret::from_file_content((0..32).collect());
    KeyRing::new("k1", vec![("k1".to_owned(), key)]).expect("a good key")
}

fn trust() -> Trust {
    let secret = Secret::from_file_content(b"made elsewhere".to_vec());
    let made_elsewhere =
        StaticSecret::new(Service::Drive, &secret, "org_old".to_owned(), Some("user_7".to_owned()));
    let deny = Deny::new(vec![("org_gone".to_owned(), None)]);
    Trust::new(Some(ring()), vec![made_elsewhere], deny)
}

fn source(tenant: Option<&str>, subscription: Option<&str>, wrapped: bool) -> PubsubSource {
    PubsubSource {
        name: "gmail".to_owned(),
        audience: "https://hooks.example.com/v1/google/pubsub/gmail".to_owned(),
        service_account: "push@p.iam.gserviceaccount.com".to_owned(),
        subscription: subscription.map(str::to_owned),
        wrapped,
        tenant: tenant.map(str::to_owned),
    }
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        let name: HeaderName = name.parse().expect("a name");
        map.append(name, HeaderValue::from_str(value).expect("a value"));
    }
    map
}

/// What came of a delivery: its records, each as (topic, key, event), or the reason of its quarantine.
#[derive(Debug, PartialEq)]
enum Came {
    Records(Vec<(&'static str, String, Value)>),
    Quarantined(&'static str),
    Denied,
    Refused(Rejection),
}

fn judge(name: &str, route: Route<'_>, body: &[u8]) -> Came {
    let (traceparent, received) = (None, RECEIVED);
    let delivery = Delivery { route, body, traceparent, received, max_items: 2_000 };
    let verified = match delivery.verify(&trust()) {
        Ok(verified) => verified,
        Err(rejection) => return Came::Refused(rejection),
    };
    assert_eq!(verified.total(), 1, "{name}");
    if verified.denied() > 0 {
        return Came::Denied;
    }
    if let Some(untrusted) = verified.untrusted().first() {
        assert_eq!(verified.genuine(), 0, "{name}");
        return Came::Quarantined(untrusted.reason.as_str());
    }
    let (batch, too_large) = verified.normalize(&Form::default());
    assert!(too_large.is_empty(), "{name}");
    let schemas = Schemas::read();
    let records = batch.records().map(|record| {
        let event: Value = serde_json::from_slice(record.value().expect("a value")).expect("JSON");
        schemas.check(name, event["dataschema"].as_str().expect("text"), &event);
        assert_eq!(event["recordedtime"], RECEIVED_TEXT, "{name}");
        let key = String::from_utf8(record.key().expect("a key").to_vec()).expect("text");
        assert_eq!(event["partitionkey"], *key, "{name}");
        (record.topic().as_str(), key, event)
    });
    Came::Records(records.collect())
}

fn push(name: &str, source: &PubsubSource, sent: &[(&str, &str)], body: &str) -> Came {
    judge(name, Route::Pubsub { source, headers: &headers(sent) }, body.as_bytes())
}

fn channel(name: &str, service: Service, sent: &[(&str, &str)]) -> Came {
    let mut all = vec![
        ("X-Goog-Channel-ID", "chan/1"),
        ("X-Goog-Message-Number", "10"),
        ("X-Goog-Resource-ID", "res-1"),
        ("X-Goog-Channel-Expiration", "Tue, 19 Nov 2030 01:13:52 GMT"),
    ];
    all.retain(|(name, _)| !sent.iter().any(|(given, _)| given == name));
    all.extend(sent.iter().filter(|(_, value)| *value != "-absent-").copied());
    judge(
        name,
        Route::Channel { service, headers: &headers(&all) },
        b"{\"kind\":\"drive#changes\"}",
    )
}

fn token(service: Service, user: Option<&str>, subject: Option<&str>) -> String {
    let claims = Claims {
        tenant: "org_acme".to_owned(),
        user: user.map(str::to_owned),
        subject: subject.map(str::to_owned),
        label: Some("main".to_owned()),
        last_day: None,
    };
    ring().mint(service, &claims).expect("fits")
}

/// The one record.
fn only(name: &str, came: Came) -> (&'static str, String, Value) {
    match came {
        Came::Records(mut records) if records.len() == 1 => records.remove(0),
        other => panic!("{name}: {other:?}"),
    }
}

fn gmail(history: &str) -> String {
    format!(r#"{{"emailAddress": "Jane@Example.com", "historyId": {history}}}"#)
}

fn wrapped(data: &str, rest: &str) -> String {
    let data = BASE64_STANDARD.encode(data);
    format!(
        r#"{{"message":{{"data":"{data}"{rest}}},"subscription":"projects/p/subscriptions/s"}}"#
    )
}

const IDS: &str = r#","messageId":"2070","message_id":"2070","publishTime":"2021-02-26T19:13:55.749Z","publish_time":"2021-02-26T19:13:55.749Z","attributes":{"key":"value"},"orderingKey":"key","@type":"x""#;

#[test]
fn a_gmail_push_is_a_change_of_its_mailbox() {
    let name = "row 1: wrapped, text history id";
    let (topic, key, event) = only(
        name,
        push(name, &source(None, None, true), &[], &wrapped(&gmail("\"1234567890\""), IDS)),
    );
    assert_eq!((topic, key.as_str()), ("events", "jane%40example.com"));
    assert_eq!(event["type"], "io.postern.mailbox.changed.v1");
    assert_eq!(event["source"], "//pubsub.googleapis.com/projects/p/subscriptions/s");
    assert_eq!((&event["id"], &event["subject"]), (&json!("2070"), &json!("Jane@Example.com")));
    assert_eq!(event["time"], "2021-02-26T19:13:55.749Z");
    let data = &event["data"];
    assert_eq!(data["credential"], json!({"provider": "google", "subject": "Jane@Example.com"}));
    assert_eq!(data["mailbox"], json!({"id": null, "address": "Jane@Example.com"}));
    assert_eq!(data["cursor"], json!({"kind": "gmail.history", "value": "1234567890"}));
    assert_eq!((&data["service"], &data["identity"]), (&json!("gmail"), &json!("strong")));
    assert_eq!((&data["fetch"], &data["changed"]), (&Value::Null, &Value::Null));

    let name = "a source with a tenant";
    let ours = source(Some("org_acme"), Some("projects/p/subscriptions/s"), true);
    let (_, key, event) = only(name, push(name, &ours, &[], &wrapped(&gmail("1710"), IDS)));
    assert_eq!(key, "org_acme/jane%40example.com");
    let credential = json!({"provider": "google", "tenantId": "org_acme", "credentialFor": "installation", "subject": "Jane@Example.com"});
    assert_eq!(event["data"]["credential"], credential);
}

#[test]
fn every_spelling_of_a_push_is_the_same_push() {
    let any = source(None, None, true);
    for (name, history) in [
        ("row 2: number", "1710"),
        ("row 2: beyond 2^53", "9007199254740993"),
        ("row 2: u64", "18446744073709551615"),
    ] {
        let (_, _, event) = only(name, push(name, &any, &[], &wrapped(&gmail(history), IDS)));
        assert_eq!(event["data"]["cursor"]["value"], history, "{name}");
    }
    let data = gmail("1710");
    for (name, encoded) in [
        ("row 3: padded", BASE64_STANDARD.encode(&data)),
        ("row 3: without padding", BASE64_STANDARD_NO_PAD.encode(&data)),
        ("row 3: url-safe", BASE64_URL_SAFE_NO_PAD.encode(&data)),
    ] {
        let body = format!(r#"{{"message":{{"data":"{encoded}","messageId":"1"}}}}"#);
        let (_, _, event) = only(name, push(name, &any, &[], &body));
        assert_eq!(event["data"]["cursor"]["value"], "1710", "{name}");
        assert_eq!(event["source"], "//postern/pubsub/gmail", "{name}");
    }
    for (name, rest) in [
        ("row 4: camel case", r#","messageId":"7""#),
        ("row 4: snake case", r#","message_id":"7""#),
    ] {
        let (_, _, event) = only(name, push(name, &any, &[], &wrapped(&data, rest)));
        assert_eq!(event["id"], "7", "{name}");
        assert_eq!(event["time"], RECEIVED_TEXT, "{name}");
    }
    let name = "no id at all";
    let (_, _, first) = only(name, push(name, &any, &[], &wrapped(&data, "")));
    let (_, _, again) = only(name, push(name, &any, &[], &wrapped(&data, "")));
    assert_eq!(first["id"], again["id"]);
    assert_eq!(first["data"]["identity"], "weak");

    let raw = source(None, None, false);
    let sent = [
        ("x-goog-pubsub-subscription-name", "projects/p/subscriptions/s"),
        ("x-goog-pubsub-message-id", "2070"),
        ("x-goog-pubsub-publish-time", "2021-02-26T19:13:55.749Z"),
    ];
    let name = "row 18: unwrapped with metadata";
    let (_, _, event) = only(name, push(name, &raw, &sent, &data));
    assert_eq!(
        (&event["id"], &event["time"]),
        (&json!("2070"), &json!("2021-02-26T19:13:55.749Z"))
    );
    let name = "row 18: unwrapped without metadata";
    let (_, _, event) = only(name, push(name, &raw, &[], &data));
    assert_eq!(event["data"]["identity"], "weak");
}

#[test]
fn a_push_that_says_nothing_is_quarantined_and_never_refused() {
    let ours = source(Some("org_acme"), Some("projects/p/subscriptions/s"), true);
    for (name, body, reason) in [
        ("row 7: no members", "{}".to_owned(), "unreadable-body"),
        ("row 7: empty", String::new(), "unreadable-body"),
        ("row 7: text", "\"\"".to_owned(), "unreadable-body"),
        ("row 7: no message", r#"{"nomessage":"invalid"}"#.to_owned(), "unreadable-body"),
        ("row 7: no JSON", "{ message: true }".to_owned(), "unreadable-body"),
        ("row 7: truncated", r#"{"message":{"data":"#.to_owned(), "unreadable-body"),
        ("sample: message is true", r#"{"message":true}"#.to_owned(), "unreadable-body"),
        (
            "row 8: attributes without data",
            r#"{"message":{"attributes":{"k":"v"},"messageId":"1"}}"#.to_owned(),
            "unusable-item",
        ),
        (
            "row 8: text data",
            wrapped("Hello Cloud Pub/Sub! Here is my message!", IDS),
            "unusable-item",
        ),
        (
            "row 8: binary data",
            r#"{"message":{"data":"AQIDBA==","messageId":"1"}}"#.to_owned(),
            "unusable-item",
        ),
        (
            "row 8: no base64",
            r#"{"message":{"data":"%%%","messageId":"1"}}"#.to_owned(),
            "unusable-item",
        ),
        (
            "row 4: two ids",
            wrapped(&gmail("1"), r#","messageId":"1","message_id":"2""#),
            "unusable-item",
        ),
        ("row 9: no address", wrapped(r#"{"historyId":1}"#, IDS), "unusable-item"),
        ("row 9: history id of letters", wrapped(&gmail("\"abc\""), IDS), "unusable-item"),
        ("row 9: negative", wrapped(&gmail("-1"), IDS), "unusable-item"),
        ("row 9: exponent", wrapped(&gmail("1e3"), IDS), "unusable-item"),
        ("row 9: null", wrapped(&gmail("null"), IDS), "unusable-item"),
        (
            "row 17: another subscription",
            wrapped(&gmail("1"), IDS).replace("subscriptions/s", "subscriptions/t"),
            "tenant-mismatch",
        ),
    ] {
        assert_eq!(push(name, &ours, &[], &body), Came::Quarantined(reason), "{name}");
    }
    let gone = source(Some("org_gone"), None, true);
    assert_eq!(push("denied", &gone, &[], &wrapped(&gmail("1"), IDS)), Came::Denied);
}

fn workspace(r#type: &str, data: &str) -> String {
    let attributes = json!({
        "ce-id": "e-1", "ce-specversion": "1.0", "ce-type": r#type, "ce-time": "2026-05-18T06:50:43.641299Z",
        "ce-source": "//workspaceevents.googleapis.com/subscriptions/sub-1",
        "ce-subject": "//drive.googleapis.com/files/FILE_1", "ce-datacontenttype": "application/json",
    });
    wrapped(data, &format!(r#","messageId":"9","attributes":{attributes}"#))
}

#[test]
fn workspace_events_are_files_and_unknown_types_are_not_dropped() {
    let ours = source(Some("org_acme"), None, true);
    for (word, kind, fetched) in [
        ("created", "file.added", true),
        ("added", "file.added", true),
        ("deleted", "file.removed", false),
        ("trashed", "file.trashed", true),
        ("unTrashed", "file.untrashed", true),
        ("contentChanged", "file.updated", true),
    ] {
        let r#type = format!("google.workspace.drive.file.v3.{word}");
        let body = workspace(&r#type, r#"{"file":{"id":"FILE_1"}}"#);
        let (topic, key, event) = only(word, push(word, &ours, &[], &body));
        assert_eq!((topic, key.as_str()), ("events", "org_acme"), "{word}");
        assert_eq!(event["type"], format!("io.postern.{kind}.v1"), "{word}");
        assert_eq!(event["data"]["resource"]["providerType"], r#type, "{word}");
        assert_eq!(event["data"]["subscription"]["id"], "sub-1", "{word}");
        let url = "https://www.googleapis.com/drive/v3/files/FILE_1";
        let fetch = json!({"method": "GET", "url": url, "headers": {}});
        assert_eq!(event["data"]["fetch"], if fetched { fetch } else { Value::Null }, "{word}");
    }
    for r#type in [
        "google.workspace.drive.comment.v3.created",
        "google.workspace.drive.accessproposal.v3.created",
        "com.example.someevent",
        "google.workspace.events.subscription.v1.new",
    ] {
        let (topic, _, event) = only(r#type, push(r#type, &ours, &[], &workspace(r#type, "{}")));
        assert_eq!((topic, &event["type"]), ("events", &json!("io.postern.other.changed.v1")));
        assert_eq!(event["data"]["resource"]["providerType"], r#type);
    }
    let bare = source(None, None, true);
    let body = workspace("google.workspace.drive.file.v3.created", "{}");
    let (_, key, event) = only("no tenant", push("no tenant", &bare, &[], &body));
    assert_eq!(
        (key.as_str(), &event["data"]["credential"]),
        ("sub-1", &json!({"provider": "google"}))
    );
}

#[test]
fn workspace_lifecycle_events_are_signals_and_gaps() {
    let ours = source(Some("org_acme"), None, true);
    for (word, kind, reason) in [
        ("suspended", "subscription.suspended", Some("gap")),
        ("expired", "subscription.expired", Some("expired")),
        ("expirationReminder", "subscription.expiring", None),
    ] {
        let r#type = format!("google.workspace.events.subscription.v1.{word}");
        for member in ["expire_time", "expireTime"] {
            let data = format!(
                r#"{{"subscription":{{"name":"subscriptions/sub-1","{member}":"2026-06-08T18:50:43.641299Z"}}}}"#
            );
            let structured = json!({
                "id": "e-1", "source": "//workspaceevents.googleapis.com/subscriptions/sub-1", "type": r#type,
                "spec_version": "1.0", "data": serde_json::from_str::<Value>(&data).expect("JSON"),
            });
            let content = r#","messageId":"9","attributes":{"content-type":"application/cloudevents+json; charset=UTF-8"}"#;
            for body in [workspace(&r#type, &data), wrapped(&structured.to_string(), content)] {
                let Came::Records(records) = push(word, &ours, &[], &body) else {
                    panic!("{word}")
                };
                assert_eq!(records[0].0, "lifecycle", "{word}");
                assert_eq!(records[0].2["type"], format!("io.postern.{kind}.v1"), "{word}");
                assert_eq!(
                    records[0].2["data"]["subscription"]["expiresAt"],
                    "2026-06-08T18:50:43.641Z"
                );
                assert_eq!(records.len(), 1 + usize::from(reason.is_some()), "{word}");
                if let Some(reason) = reason {
                    let (topic, _, event) = &records[1];
                    assert_eq!((*topic, &event["id"]), ("events", &json!("9.resync")), "{word}");
                    assert_eq!(event["data"]["resync"], json!({"reason": reason, "since": null}));
                    assert_eq!(event["data"]["resource"]["kind"], "drive");
                }
            }
        }
    }
}

#[test]
fn a_channel_says_what_its_state_says() {
    let calendar = token(Service::Calendar, Some("user_123"), None);
    let drive = token(Service::Drive, Some("user_123"), None);
    for (state, service, uri, kind, collection) in [
        (
            "exists",
            Service::Calendar,
            "calendars/jane%40example.com/events?alt=json",
            "calendar.changed",
            Some("events"),
        ),
        ("exists", Service::Calendar, "calendars/primary/acl", "calendar.changed", Some("acl")),
        ("exists", Service::Calendar, "users/me/settings", "calendar.changed", Some("settings")),
        (
            "exists",
            Service::Calendar,
            "users/me/calendarList",
            "calendar.changed",
            Some("calendarList"),
        ),
        (
            "not_exists",
            Service::Calendar,
            "calendars/primary/events",
            "calendar.deleted",
            Some("events"),
        ),
        (
            "renamed",
            Service::Calendar,
            "calendars/primary/events",
            "calendar.other",
            Some("events"),
        ),
        ("change", Service::Drive, "changes", "drive.changed", None),
        ("changed", Service::Drive, "changes", "drive.changed", None),
        ("add", Service::Drive, "files/f", "file.added", None),
        ("remove", Service::Drive, "files/f", "file.removed", None),
        ("update", Service::Drive, "files/f", "file.updated", None),
        ("trash", Service::Drive, "files/f", "file.trashed", None),
        ("untrash", Service::Drive, "files/f", "file.untrashed", None),
        ("melted", Service::Drive, "files/f", "file.other", None),
        ("melted", Service::Drive, "changes", "drive.other", None),
    ] {
        let token = if service == Service::Calendar { &calendar } else { &drive };
        let uri = format!("https://www.googleapis.com/x/v3/{uri}");
        let sent = [
            ("X-Goog-Channel-Token", &**token),
            ("X-Goog-Resource-State", state),
            ("X-Goog-Resource-URI", &uri),
        ];
        let (topic, key, event) = only(state, channel(state, service, &sent));
        assert_eq!((topic, key.as_str()), ("events", "org_acme/user_123"), "{state}");
        assert_eq!(event["type"], format!("io.postern.{kind}.v1"), "{state}");
        assert_eq!(event["source"], format!("//www.googleapis.com/{service}/channels/chan%2F1"));
        assert_eq!((&event["id"], &event["subject"]), (&json!("10"), &json!("res-1")));
        let data = &event["data"];
        assert_eq!(data["resource"]["collection"], json!(collection), "{state}");
        assert_eq!(data["subscription"]["expiresAt"], "2030-11-19T01:13:52.000Z", "{state}");
        assert_eq!(data["subscription"]["label"], "main", "{state}");
        assert_eq!((&data["providerChange"], &data["fetch"]), (&json!(state), &Value::Null));
    }
    let name = "row 20: sync";
    let sent = [
        ("X-Goog-Channel-Token", &*calendar),
        ("X-Goog-Resource-State", "sync"),
        ("X-Goog-Message-Number", "1"),
    ];
    let (topic, _, event) = only(name, channel(name, Service::Calendar, &sent));
    assert_eq!(
        (topic, &event["type"]),
        ("lifecycle", &json!("io.postern.subscription.confirmed.v1"))
    );
    assert_eq!(event["subject"], "chan/1");
}

#[test]
fn the_details_of_a_channel() {
    let drive = token(Service::Drive, None, Some("Jane@Example.com"));
    let with = |more: &[(&'static str, &'static str)]| {
        let mut sent = vec![("X-Goog-Channel-Token", &*drive), ("X-Goog-Resource-State", "update")];
        sent.extend_from_slice(more);
        channel("details", Service::Drive, &sent)
    };
    for (changed, expected) in [
        (&[("X-Goog-Changed", "content,properties")][..], json!(["content", "properties"])),
        (&[("X-Goog-Changed", "content, permissions ")], json!(["content", "permissions"])),
        (
            &[("X-Goog-Changed", "content"), ("X-Goog-Changed", "parents")],
            json!(["content", "parents"]),
        ),
        (&[], Value::Null),
    ] {
        let (_, key, event) = only("row 22", with(changed));
        assert_eq!(event["data"]["changed"], expected);
        assert_eq!(key, "org_acme/jane%40example.com", "the token's subject, in lower case");
        assert_eq!(event["data"]["credential"]["subject"], "Jane@Example.com", "as it was given");
    }
    let (_, _, event) = only("number", with(&[("X-Goog-Message-Number", "18446744073709551615")]));
    assert_eq!(event["id"], "18446744073709551615");
    let (_, _, event) = only("row 26", with(&[("X-Goog-Channel-Expiration", "soon")]));
    assert_eq!(event["data"]["subscription"]["expiresAt"], Value::Null);
    for faulty in [
        &[("X-Goog-Channel-ID", "-absent-")][..],
        &[("X-Goog-Channel-ID", "")],
        &[("X-Goog-Channel-ID", "a"), ("X-Goog-Channel-ID", "a")],
        &[("X-Goog-Message-Number", "-absent-")],
        &[("X-Goog-Message-Number", "abc")],
        &[("X-Goog-Message-Number", "-1")],
        &[("X-Goog-Message-Number", "+1")],
        &[("X-Goog-Message-Number", "1.0")],
        &[("X-Goog-Message-Number", "18446744073709551616")],
        &[("X-Goog-Channel-Token", "twice")],
    ] {
        assert_eq!(with(faulty), Came::Refused(Rejection::Unreadable), "{faulty:?}");
    }
}

#[test]
fn a_channel_token_proves_its_service_alone() {
    let calendar = token(Service::Calendar, Some("user_123"), None);
    let denied = ring()
        .mint(Service::Drive, &Claims { tenant: "org_gone".to_owned(), ..Claims::default() })
        .expect("fits");
    let state = ("X-Goog-Resource-State", "sync");
    for (token, came) in [
        (&*calendar, Came::Quarantined("forged-token")),
        ("p1.k9.AQhvcmdfYWNtZQ.nDdMAsImbt9ZVgRzlPUI4w", Came::Quarantined("unknown-key")),
        ("398348u3tu83ut8uu38", Came::Quarantined("malformed-token")),
        ("", Came::Quarantined("no-token")),
        ("-absent-", Came::Quarantined("no-token")),
        (&*denied, Came::Denied),
    ] {
        let sent = [("X-Goog-Channel-Token", token), state];
        assert_eq!(channel(token, Service::Drive, &sent), came, "{token}");
    }
    let sent = [("X-Goog-Channel-Token", "made elsewhere"), ("X-Goog-Resource-State", "add")];
    let (_, key, _) = only("static secret", channel("static secret", Service::Drive, &sent));
    assert_eq!(key, "org_old/user_7");
}
