//! What do the tests of a replay send, quarantine and judge again?

use http::{HeaderMap, HeaderName, HeaderValue};
use postern_core::batch::Batch;
use postern_core::claims::Claims;
use postern_core::delivery::{Delivery, Route};
use postern_core::form::Form;
use postern_core::key_ring::KeyRing;
use postern_core::provider::google::PubsubSource;
use postern_core::quarantine::{KEPT_PATH, Quarantined};
use postern_core::replay::{Judge, Judged, Stored, Unjudged};
use postern_core::secret::Secret;
use postern_core::service::Service;
use postern_core::time::{Day, UnixMillis};
use postern_core::trust::{Deny, Trust};
use serde_json::{Value, json};

/// 2026-11-18T11:06:40.000Z
pub(crate) const RECEIVED: UnixMillis = UnixMillis(1_795_000_000_000);
pub(crate) const RECEIVED_TEXT: &str = "2026-11-18T11:06:40.000Z";
pub(crate) const GRAPH: &str = "/v1/microsoft/graph";

pub(crate) fn ring(kids: &[&str]) -> KeyRing {
    let key = |kid: &&str| {
        let bytes: Vec<u8> = kid.bytes().cycle().take(32).collect();
        ((*kid).to_owned(), Secret::from_file_content(bytes))
    };
    KeyRing::new(kids[0], kids.iter().map(key).collect()).expect("good keys")
}

pub(crate) fn trust(kids: &[&str]) -> Trust {
    Trust::new(Some(ring(kids)), Vec::new(), Deny::default())
}

pub(crate) fn denying(kids: &[&str], tenant: &str, user: Option<&str>) -> Trust {
    let rule = (tenant.to_owned(), user.map(str::to_owned));
    Trust::new(Some(ring(kids)), Vec::new(), Deny::new(vec![rule]))
}

pub(crate) fn token(kid: &str, service: Service, last_day: Option<Day>) -> String {
    let claims = Claims {
        tenant: "org_acme".to_owned(),
        user: Some("user_1".to_owned()),
        last_day,
        ..Claims::default()
    };
    ring(&[kid]).mint(service, &claims).expect("fits")
}

pub(crate) fn graph(kid: &str) -> String {
    token(kid, Service::Graph, None)
}

pub(crate) fn item(id: &str, token: &str) -> Value {
    json!({"id": id, "subscriptionId": "sub-1", "changeType": "created", "clientState": token,
        "resource": "Users/u1/Messages/m1", "resourceData": {"id": "m1"}})
}

pub(crate) fn body(items: &[Value]) -> String {
    json!({ "value": items }).to_string()
}

pub(crate) fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        let name: HeaderName = name.parse().expect("a name");
        (name, HeaderValue::from_str(value).expect("a value"))
    };
    pairs.iter().map(pair).collect()
}

pub(crate) fn source(wrapped: bool, subscription: Option<&str>) -> PubsubSource {
    PubsubSource {
        name: "gmail".to_owned(),
        audience: "https://hooks.example.com/v1/google/pubsub/gmail".to_owned(),
        service_account: "push@p.iam.gserviceaccount.com".to_owned(),
        subscription: subscription.map(str::to_owned),
        wrapped,
        tenant: None,
    }
}

/// A delivery and where it came in.
pub(crate) struct Sent<'a> {
    pub(crate) path: &'a str,
    pub(crate) route: Route<'a>,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a str,
}

impl<'a> Sent<'a> {
    pub(crate) fn graph(body: &'a str) -> Self {
        Self { path: GRAPH, route: Route::Graph { tenant: None }, headers: &[], body }
    }

    /// The quarantine record that the edge writes of it, as far as it does not trust it.
    pub(crate) fn quarantined(&self, trust: &Trust, max_body: usize) -> Batch {
        let delivery = Delivery {
            route: self.route,
            body: self.body.as_bytes(),
            traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            received: RECEIVED,
            max_items: 2_000,
        };
        let verified = delivery.verify(trust).expect("is readable");
        let whole = verified.whole_body();
        let first = verified.untrusted().first().expect("something is not trusted");
        let mut kept = vec![(KEPT_PATH, self.path.as_bytes())];
        kept.extend(self.headers.iter().map(|(name, value)| (*name, value.as_bytes())));
        Quarantined {
            service: verified.service().as_str(),
            items: if whole.is_some() { &[] } else { verified.untrusted() },
            reason: whole.unwrap_or(first.reason),
            body: verified.kept_body(delivery.body),
            kept: &kept,
            received: RECEIVED,
            traceparent: delivery.traceparent,
        }
        .record(trust.ring(), max_body)
    }

    /// What it comes to after it was quarantined under one trust and is replayed under another.
    pub(crate) fn replayed(&self, then: &Trust, now: &Trust) -> Came {
        self.replayed_with(then, now, &[])
    }

    pub(crate) fn replayed_with(
        &self,
        then: &Trust,
        now: &Trust,
        sources: &[PubsubSource],
    ) -> Came {
        came(&replay(&self.quarantined(then, 10_000), now, sources).expect("can be judged"))
    }
}

pub(crate) fn replay(
    record: &Batch,
    now: &Trust,
    sources: &[PubsubSource],
) -> Result<Judged, Unjudged> {
    let record = record.records().next().expect("one record");
    let header = |name: &str| record.headers().find(|(have, _)| *have == name).map(|(_, v)| v);
    let stored = Stored::read(header, record.value()).ok_or(Unjudged::NoRecord)?;
    assert_eq!(stored.received, RECEIVED);
    Judge { trust: now, sources, form: Form::default() }.judge(&stored)
}

/// The ids of what is published, why the rest is not, and how many items are denied.
#[derive(Debug, PartialEq)]
pub(crate) struct Came {
    pub(crate) ids: Vec<String>,
    pub(crate) untrusted: Vec<&'static str>,
    pub(crate) denied: usize,
}

pub(crate) fn came(judged: &Judged) -> Came {
    let id = |event: Value| {
        assert_eq!(
            (&event["time"], &event["recordedtime"]),
            (&RECEIVED_TEXT.into(), &RECEIVED_TEXT.into())
        );
        assert!(event["traceparent"].as_str().expect("is kept").starts_with("00-4bf9"));
        event["id"].as_str().expect("an id").to_owned()
    };
    let value = |value: Option<&[u8]>| serde_json::from_slice(value.expect("a value"));
    let events = judged.batch.records().map(|record| value(record.value()).expect("JSON"));
    let ids: Vec<_> = events.map(id).collect();
    assert_eq!(ids.len(), judged.passed, "each of these items has one record");
    let untrusted = judged.untrusted.iter().map(|reason| reason.as_str()).collect();
    Came { ids, untrusted, denied: judged.denied }
}

pub(crate) fn published(ids: &[&str]) -> Came {
    let ids = ids.iter().map(ToString::to_string).collect();
    Came { ids, untrusted: Vec::new(), denied: 0 }
}

pub(crate) fn untrusted(reasons: &[&'static str]) -> Came {
    Came { ids: Vec::new(), untrusted: reasons.to_vec(), denied: 0 }
}
