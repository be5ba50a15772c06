//! Is there any byte string that is not answered, or that takes the server down? Property tests.

use postern_edge::config::Config;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestRunner};
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

use crate::support::notice::{body, genuine, item, token, trust};
use crate::support::{GRAPH, Gateway, post, quick};

/// Pieces that make up requests, and bytes that make them go wrong.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let words: Vec<&'static [u8]> = vec![
        b"POST ",
        b"GET ",
        b"/v1/microsoft/graph",
        b"/org_acme",
        b"?validationToken=a",
        b"%",
        b" HTTP/1.1\r\n",
        b" HTTP/1.0\r\n",
        b"Host: h\r\n",
        b"Content-Length: 5\r\n",
        b"Content-Length: 12\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Expect: 100-continue\r\n",
        b"Connection: keep-alive\r\n",
        b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
        b"\r\n",
        b"\n",
        b"5\r\nhello\r\n",
        b"0\r\n\r\n",
        b"{\"value\":[]}",
        b"POST /v1/microsoft/graph HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\n\r\n{\"value\":[]}",
        b"POST /v1/microsoft/graph HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
    ];
    prop_oneof![
        6 => proptest::sample::select(words).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..40),
    ]
}

fn serving(config: Config) -> (Runtime, Gateway) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let gateway = runtime.block_on(Gateway::with(config, trust()));
    (runtime, gateway)
}

/// Without regression files: a found case becomes a named test.
fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Cases { cases, failure_persistence: None, ..Cases::default() })
}

#[test]
fn any_bytes_get_an_answer_or_a_closed_connection_and_the_server_lives_on() {
    let (runtime, gateway) = serving(quick());
    let known = [100, 200, 202, 400, 404, 405, 408, 413, 414, 415, 431, 503];
    runner(600)
        .run(&vec(piece(), 0..14), |pieces| {
            runtime.block_on(async {
                let mut wire = gateway.connect().await;
                wire.send_some(&pieces.concat()).await;
                wire.finish().await;
                for answer in wire.drain().await {
                    prop_assert!(known.contains(&answer.status), "{answer:?}");
                    prop_assert!(answer.status == 200 || answer.body.is_empty(), "{answer:?}");
                }
                Ok(())
            })?;
            // Nothing in there holds a token.
            prop_assert_eq!(gateway.kafka.handed(), (0, 0));
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    runtime.block_on(async {
        gateway.assert_serves("n-1").await;
        gateway.until("closed", |gateway| gateway.gauge("postern_connections") == 0.0).await;
    });
}

#[test]
fn any_change_to_a_good_request_publishes_it_whole_or_not_at_all() {
    let (runtime, gateway) = serving(quick());
    let request = post(GRAPH, body(&[genuine("n-1"), genuine("n-2")]));
    let change = (0..request.len(), vec(any::<u8>(), 0..3), 0_usize..3);
    runner(300)
        .run(&change, |(at, put, gone)| {
            let mut changed = request.clone();
            changed.splice(at..(at + gone).min(request.len()), put);
            let before = gateway.kafka.published().len();
            let taken = runtime.block_on(async {
                let mut wire = gateway.connect().await;
                wire.send_some(&changed).await;
                wire.finish().await;
                wire.drain().await.iter().filter(|answer| answer.status == 202).count()
            });
            let published = gateway.kafka.published().len() - before;
            // One item may have become untrusted by the change, then the other one decides.
            prop_assert!(published <= 2);
            prop_assert!(taken == 1 || published == 0, "{} answers, {} records", taken, published);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    runtime.block_on(gateway.assert_serves("n-3"));
}

/// A value of any JSON type, small.
fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(json!([])),
        Just(json!({"id": 7})),
        Just(json!({"@odata.type": "#Microsoft.Graph.Event", "id": "e"})),
    ]
}

/// An item with some members changed to any value, or left out.
fn odd_item() -> impl Strategy<Value = Value> {
    let names = [
        "id",
        "subscriptionId",
        "subscriptionExpirationDateTime",
        "tenantId",
        "organizationId",
        "clientState",
        "changeType",
        "lifecycleEvent",
        "resource",
        "resourceData",
        "sequence",
    ];
    let change = (proptest::sample::select(names.to_vec()), proptest::option::of(value()));
    let tokens = vec![token("org_acme"), token("org_b"), String::new(), "guess".to_owned()];
    let whole =
        (proptest::sample::select(tokens), vec(change, 0..3)).prop_map(|(token, changes)| {
            let mut item = item("n", &token);
            let members: &mut Map<String, Value> = item.as_object_mut().expect("an object");
            for (name, value) in changes {
                match value {
                    Some(value) => members.insert(name.to_owned(), value),
                    None => members.remove(name),
                };
            }
            item
        });
    prop_oneof![8 => whole, 1 => value()]
}

/// Whether an item is genuine and usable, by the words of the contract.
fn is_good(item: &Value) -> bool {
    let Some(item) = item.as_object() else { return false };
    let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default();
    let fine = |members: &Map<String, Value>, names: &[&str]| {
        names.iter().all(|name| members.get(*name).is_none_or(|v| v.is_null() || v.is_string()))
    };
    let texts = [
        "id",
        "subscriptionId",
        "subscriptionExpirationDateTime",
        "tenantId",
        "organizationId",
        "clientState",
        "changeType",
        "lifecycleEvent",
        "resource",
    ];
    let data = match item.get("resourceData") {
        None | Some(Value::Null) => true,
        Some(Value::Object(data)) => fine(data, &["@odata.type", "@odata.etag", "id"]),
        Some(_) => false,
    };
    data && fine(item, &texts)
        && !text("subscriptionId").is_empty()
        && !(text("changeType").is_empty() && text("lifecycleEvent").is_empty())
        && [token("org_acme"), token("org_b")].contains(&text("clientState").to_owned())
}

#[test]
fn any_json_is_judged_item_by_item_and_each_is_counted_once() {
    let config = Config { quarantine_records: 1_000_000, quarantine_bytes: 1 << 30, ..quick() };
    let (runtime, gateway) = serving(config);
    runner(400)
        .run(&vec(odd_item(), 0..6), |items| {
            let before = gateway.counted();
            let published = gateway.kafka.published().len();
            let quarantined = gateway.kafka.quarantined().len();
            let answer = runtime.block_on(gateway.ask(post(GRAPH, body(&items))));
            prop_assert_eq!(answer.status, 202);
            let after = gateway.counted();
            let more = |outcome: &str| {
                let name = format!("notifications {outcome} graph");
                let count = |counted: &std::collections::BTreeMap<String, u64>| {
                    counted.get(&name).copied().unwrap_or(0)
                };
                usize::try_from(count(&after) - count(&before)).expect("few")
            };
            let good = items.iter().filter(|item| is_good(item)).count();
            prop_assert_eq!(more("published"), good);
            prop_assert_eq!(more("quarantined"), items.len() - good);
            let records = gateway.kafka.published().len() - published;
            prop_assert!(records >= good && records <= 2 * good, "{} of {}", records, good);
            let kept = gateway.kafka.quarantined().len() - quarantined;
            prop_assert_eq!(kept, usize::from(good < items.len()));
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn any_text_that_looks_like_json_is_answered() {
    let config = Config { quarantine_records: 1_000_000, quarantine_bytes: 1 << 30, ..quick() };
    let (runtime, gateway) = serving(config);
    let text = prop_oneof![
        r#"[\[\]{}":,0-9eE.+\-a-c \\ ]{0,200}"#,
        r#"\{"value":[\[\]{}":,0-9a-c \\ ]{0,100}\}?"#,
        r#"\{"(value|validationTokens)":(\[\]|\[7,\{\}\]|null|\{\})(,"(value|validationTokens|x)":(\[\]|null|"a"))?\}"#,
    ];
    runner(600)
        .run(&text, |text| {
            let readable = serde_json::from_str::<Value>(&text)
                .is_ok_and(|value| value.get("value").is_some_and(Value::is_array));
            let answer = runtime.block_on(gateway.ask(post(GRAPH, &text)));
            prop_assert!([202, 400].contains(&answer.status), "{}", answer.status);
            prop_assert!(answer.status == 400 || readable, "{}", text);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    let taken = gateway.counted().get("http_requests 202 graph").copied().unwrap_or(0);
    assert!(taken > 20, "some of it is readable: {taken}");
    assert_eq!(gateway.kafka.published(), []);
}
