//! What holds for everything that comes in by Google's routes, whatever it is made of?

use http::{HeaderMap, HeaderName, HeaderValue};
use postern_core::claims::Claims;
use postern_core::delivery::{Delivery, Route};
use postern_core::form::Form;
use postern_core::key_ring::KeyRing;
use postern_core::provider::google::PubsubSource;
use postern_core::provider::google::oidc::{Bearer, KeySet, Verifier};
use postern_core::secret::Secret;
use postern_core::service::Service;
use postern_core::time::UnixMillis;
use postern_core::trust::{Deny, Trust};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

const RECEIVED: UnixMillis = UnixMillis(1_795_608_000_123);
const NAMES: [&str; 14] = [
    "x-goog-channel-id",
    "x-goog-channel-token",
    "x-goog-channel-expiration",
    "x-goog-message-number",
    "x-goog-resource-id",
    "x-goog-resource-state",
    "x-goog-resource-uri",
    "x-goog-changed",
    "x-goog-pubsub-message-id",
    "x-goog-pubsub-subscription-name",
    "x-goog-pubsub-publish-time",
    "content-type",
    "ce-type",
    "ce-subject",
];

fn trust() -> (Trust, String) {
    let key = Secret::from_file_content((0..32).collect());
    let ring = KeyRing::new("k1", vec![("k1".to_owned(), key)]).expect("a good key");
    let claims = Claims { tenant: "org_acme".to_owned(), ..Claims::default() };
    let token = ring.mint(Service::Drive, &claims).expect("it fits");
    (Trust::new(Some(ring), Vec::new(), Deny::default()), token)
}

fn source(wrapped: bool) -> PubsubSource {
    PubsubSource {
        name: "any".to_owned(),
        audience: "https://hooks.example.com/v1/google/pubsub/any".to_owned(),
        service_account: "pusher@post-office-7.iam.gserviceaccount.com".to_owned(),
        subscription: None,
        wrapped,
        tenant: None,
    }
}

/// Values that headers have, nearly have, and never have.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "1",
        "0",
        "18446744073709551616",
        "exists",
        "sync",
        "update",
        "",
        "a,b,,c",
        "Tue, 01 Dec 2026 01:13:52 GMT",
        "2026-11-24T08:15:30.250Z",
        "//drive.googleapis.com/files/..",
        "projects/p/subscriptions/s",
        "application/cloudevents+json",
        "google.workspace.drive.file.v3.x",
        "google.workspace.events.subscription.v1.expired",
        "https://www.googleapis.com/calendar/v3/a?/b#c/",
    ]);
    prop_oneof![
        4 => known.prop_map(|text| text.as_bytes().to_vec()),
        1 => vec(prop_oneof![Just(b'\t'), 0x20_u8..0x7f, 0x80_u8..=0xff], 0..40),
    ]
}

fn headers() -> impl Strategy<Value = HeaderMap> {
    vec((prop::sample::select(NAMES.to_vec()), value()), 0..14).prop_map(|pairs| {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let value = HeaderValue::from_bytes(&value).expect("bytes that a header may hold");
            headers.append(HeaderName::from_static(name), value);
        }
        headers
    })
}

/// JSON of the members that are read, with anything behind them, and bytes.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("7".to_owned()),
        Just("\"x\"".to_owned()),
        Just("\"eyJlbWFpbEFkZHJlc3MiOiJhQGIuYyIsImhpc3RvcnlJZCI6MX0=\"".to_owned()),
        Just("\"google.workspace.drive.file.v3.created\"".to_owned()),
    ];
    let names = vec![
        "message",
        "subscription",
        "data",
        "messageId",
        "message_id",
        "publishTime",
        "attributes",
        "ce-type",
        "content-type",
        "emailAddress",
        "historyId",
        "file",
        "id",
        "name",
        "type",
        "x",
    ];
    let json = leaf.prop_recursive(5, 48, 6, move |inner| {
        let member = (prop::sample::select(names.clone()), inner.clone());
        prop_oneof![
            4 => vec(member, 0..6).prop_map(|members| {
                let members: Vec<_> = members.iter().map(|(n, v)| format!("\"{n}\":{v}")).collect();
                format!("{{{}}}", members.join(","))
            }),
            1 => vec(inner, 0..3).prop_map(|items| format!("[{}]", items.join(","))),
        ]
    });
    prop_oneof![4 => json.prop_map(String::into_bytes), 1 => vec(any::<u8>(), 0..200)]
}

/// Judges; what is genuine has records that can be read, what is not has none.
fn check(route: Route<'_>, body: &[u8], trust: &Trust) -> Result<bool, TestCaseError> {
    let delivery =
        Delivery { route, body, traceparent: None, received: RECEIVED, max_items: 2_000 };
    let Ok(verified) = delivery.verify(trust) else { return Ok(false) };
    prop_assert_eq!(verified.total(), 1);
    prop_assert_eq!(verified.genuine() + verified.untrusted().len() + verified.denied(), 1);
    let (batch, too_large) = verified.normalize(&Form::default());
    prop_assert!(too_large.is_empty());
    prop_assert_eq!(!batch.is_empty(), verified.genuine() == 1);
    for record in batch.records() {
        let event: Value = serde_json::from_slice(record.value().expect("a value")).expect("JSON");
        prop_assert_eq!(event["partitionkey"].as_str().map(str::as_bytes), record.key());
        for name in ["id", "source", "type", "partitionkey"] {
            prop_assert!(event[name].as_str().is_some_and(|text| !text.is_empty()), "{}", name);
        }
    }
    Ok(verified.genuine() == 1)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_push_is_judged_and_never_refused(body in body(), headers in headers(), wrapped: bool) {
        let (trust, _) = trust();
        let source = source(wrapped);
        let route = Route::Pubsub { source: &source, headers: &headers };
        check(route, &body, &trust)?;
        let delivery = Delivery { route, body: &body, traceparent: None, received: RECEIVED, max_items: 1 };
        prop_assert!(delivery.verify(&trust).is_ok(), "a push is never refused for what it holds");
    }

    #[test]
    fn nothing_of_a_channel_is_genuine_without_its_token(mut headers in headers(), body in body()) {
        let (trust, token) = trust();
        let route = Route::Channel { service: Service::Drive, headers: &headers };
        prop_assert!(!check(route, &body, &trust)?);
        headers.insert("x-goog-channel-token", token.parse().expect("a value"));
        let calendar = Route::Channel { service: Service::Calendar, headers: &headers };
        prop_assert!(!check(calendar, &body, &trust)?, "a token of Drive");
        check(Route::Channel { service: Service::Drive, headers: &headers }, &body, &trust)?;
    }

    #[test]
    fn no_bytes_pass_for_a_token(authorization in prop_oneof![
        vec(any::<u8>(), 0..200),
        "[Bb]earer [A-Za-z0-9_-]{0,60}\\.[A-Za-z0-9_-]{0,60}\\.[A-Za-z0-9_-]{0,60}".prop_map(String::into_bytes),
    ]) {
        if let Some(bearer) = Bearer::read(&authorization) {
            let judged = Verifier::default().verify(bearer, &KeySet::default(), &source(true), RECEIVED);
            prop_assert!(judged.is_err());
        }
        prop_assert!(KeySet::parse(&authorization).is_err());
    }
}
