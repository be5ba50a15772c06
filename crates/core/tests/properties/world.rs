//! Which deliveries can there be? Strategies for bodies of strangers and of Graph itself.

use postern_core::claims::Claims;
use postern_core::delivery::{Delivery, Rejection, Route, Verified};
use postern_core::key_ring::KeyRing;
use postern_core::secret::Secret;
use postern_core::service::Service;
use postern_core::time::UnixMillis;
use postern_core::trust::{Deny, Trust};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// 2026-11-25T12:00:00.123Z
pub(crate) const RECEIVED: UnixMillis = UnixMillis(1_795_608_000_123);

/// A ring with one key; the tenant `denied` is denied.
pub(crate) fn trust() -> Trust {
    Trust::new(Some(ring()), Vec::new(), Deny::new(vec![("denied".to_owned(), None)]))
}

pub(crate) fn ring() -> KeyRing {
    let key = Secret::from_file_content((0..32).collect());
    KeyRing::new("k1", vec![("k1".to_owned(), key)]).expect("a good ring")
}

pub(crate) fn claims(tenant: &str, user: Option<&str>) -> Claims {
    Claims { tenant: tenant.to_owned(), user: user.map(str::to_owned), ..Claims::default() }
}

pub(crate) fn token(tenant: &str, user: Option<&str>) -> String {
    ring().mint(Service::Graph, &claims(tenant, user)).expect("short claims fit")
}

pub(crate) fn judge<'b>(body: &'b [u8], trust: &Trust) -> Result<Verified<'b>, Rejection> {
    let route = Route::Graph { tenant: None };
    Delivery { route, body, traceparent: None, received: RECEIVED, max_items: 2_000 }.verify(trust)
}

/// What becomes of one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Genuine,
    Denied,
    Untrusted,
}

/// An item and what has to become of it, by construction.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) fate: Fate,
    pub(crate) item: Value,
}

/// Text with all that hurts: quotes, slashes, percent signs, controls, other scripts.
pub(crate) fn text() -> BoxedStrategy<String> {
    prop_oneof![
        "[A-Za-z0-9_=-]{1,40}",
        r#"[a-z/%'"()@. \\&+#?-]{1,20}"#,
        any::<String>().prop_filter("a text", |text| !text.is_empty()),
    ]
    .boxed()
}

fn resource() -> BoxedStrategy<String> {
    let collection = prop_oneof![
        Just("messages"),
        Just("Events"),
        Just("contacts"),
        Just("todo/lists/L/tasks"),
        Just("mailFolders('inbox')/messages"),
    ];
    prop_oneof![
        text(),
        (text(), collection.clone(), text())
            .prop_map(|(user, name, id)| format!("Users/{user}/{name}/{id}")),
        (text(), collection, text())
            .prop_map(|(user, name, id)| format!("users('{user}')/{name}('{id}')")),
        text().prop_map(|id| format!("me/messages/{id}")),
        Just(String::new()),
    ]
    .boxed()
}

fn word() -> BoxedStrategy<String> {
    prop_oneof![
        Just("created".to_owned()),
        Just("updated".to_owned()),
        Just("deleted".to_owned()),
        text()
    ]
    .boxed()
}

fn lifecycle() -> BoxedStrategy<Option<String>> {
    let known = ["missed", "subscriptionRemoved", "reauthorizationRequired", ""];
    prop_oneof![
        3 => Just(None),
        1 => proptest::sample::select(known.map(str::to_owned).to_vec()).prop_map(Some),
        1 => text().prop_map(Some),
    ]
    .boxed()
}

/// A usable item without `clientState`.
pub(crate) fn usable() -> BoxedStrategy<Map<String, Value>> {
    let data = proptest::option::of((
        proptest::option::of(prop_oneof![Just("#Microsoft.Graph.Message".to_owned()), text()]),
        proptest::option::of(text()),
        proptest::option::of(text()),
    ));
    let named = (text(), word(), proptest::option::of(resource()), lifecycle());
    let rest = (proptest::option::of(text()), proptest::option::of(text()), data);
    (named, rest)
        .prop_map(|((subscription, change, resource, lifecycle), (id, tenant, data))| {
            let mut item = Map::new();
            item.insert("subscriptionId".into(), subscription.into());
            item.insert("changeType".into(), change.into());
            for (name, value) in [
                ("resource", resource),
                ("lifecycleEvent", lifecycle),
                ("id", id),
                ("tenantId", tenant),
            ] {
                if let Some(value) = value {
                    item.insert(name.into(), value.into());
                }
            }
            if let Some((kind, etag, id)) = data {
                item.insert(
                    "resourceData".into(),
                    json!({ "@odata.type": kind, "@odata.etag": etag, "id": id }),
                );
            }
            item
        })
        .boxed()
}

/// An item of any fate.
pub(crate) fn planned() -> BoxedStrategy<Planned> {
    let with = |item: Map<String, Value>, state: Value| {
        let mut item = item;
        item.insert("clientState".into(), state);
        Value::Object(item)
    };
    let states = prop_oneof![
        Just(Value::Null),
        text().prop_map(Value::String),
        Just(json!(token("t", Some("u")).replacen("p1.k1", "p1.k2", 1))),
        Just(json!(token("t", None) + "A")),
    ];
    prop_oneof![
        4 => (usable(), "[a-z]{1,4}", proptest::option::of("[a-z@.]{1,8}")).prop_map(
            move |(item, tenant, user)| Planned {
                fate: Fate::Genuine,
                item: with(item, token(&tenant, user.as_deref()).into()),
            }
        ),
        1 => usable().prop_map(move |item| Planned {
            fate: Fate::Denied,
            item: with(item, token("denied", Some("u")).into()),
        }),
        1 => (usable(), states).prop_map(move |(item, state)| Planned {
            fate: Fate::Untrusted,
            item: with(item, state),
        }),
        1 => json_value().prop_filter("no notification", |value| value.get("clientState").is_none())
            .prop_map(|item| Planned { fate: Fate::Untrusted, item }),
    ]
    .boxed()
}

/// A whole delivery.
pub(crate) fn delivery() -> BoxedStrategy<Vec<Planned>> {
    proptest::collection::vec(planned(), 0..8).boxed()
}

/// The body of a delivery.
pub(crate) fn body(items: &[Planned]) -> Vec<u8> {
    let items: Vec<&Value> = items.iter().map(|planned| &planned.item).collect();
    serde_json::to_vec(&json!({ "value": items })).expect("JSON")
}

/// Any JSON value, its names often those that are read.
pub(crate) fn json_value() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        let name = prop_oneof![
            proptest::sample::select(vec![
                "value",
                "validationTokens",
                "id",
                "subscriptionId",
                "changeType",
                "resource",
                "lifecycleEvent",
                "resourceData",
                "tenantId",
                "@odata.type",
            ])
            .prop_map(str::to_owned),
            any::<String>(),
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            proptest::collection::vec((name, inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
    .boxed()
}

/// Bytes that look like JSON until they do not.
pub(crate) fn near_json() -> BoxedStrategy<Vec<u8>> {
    let piece = prop_oneof![
        proptest::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "\\",
            "\\u",
            "\\ud800",
            "d800",
            "null",
            "true",
            "1e9999",
            "-",
            "0",
            ".5",
            "e",
            " ",
            "\"value\":",
            "\"value\":[",
            "{\"value\":[{",
            "\"clientState\":",
            "\"subscriptionId\":\"s\"",
            "\"changeType\":\"created\"",
            "\"encryptedContent\":",
            "\"validationTokens\":",
            "\"resourceData\":{",
            "\u{feff}",
            "\0",
            "é",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        Just(serde_json::to_vec(&token("t", Some("u"))).expect("JSON")),
        proptest::collection::vec(any::<u8>(), 1..4),
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat()).boxed()
}
