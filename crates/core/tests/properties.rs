//! What holds for every delivery, whatever it is made of?

#[path = "properties/parts.rs"]
mod parts;
#[path = "properties/world.rs"]
mod world;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use postern_core::delivery::{Delivery, Route};
use postern_core::form::{ContentMode, Form};
use postern_core::percent;
use postern_core::service::Service;
use postern_core::time::UnixMillis;
use proptest::prelude::*;
use serde_json::{Value, json};
use world::{
    Fate, RECEIVED, body, delivery, json_value, judge, near_json, ring, token, trust, usable,
};

/// What one body comes to: counts, and every record with its key, as text.
fn outcome(body: &[u8], received: UnixMillis) -> Option<(usize, usize, usize, usize, Vec<Value>)> {
    let route = Route::Graph { tenant: None };
    let delivery = Delivery { route, body, traceparent: None, received, max_items: 2_000 };
    let trust = trust();
    let verified = delivery.verify(&trust).ok()?;
    let (batch, too_large) = verified.normalize(&Form::default());
    assert!(too_large.is_empty(), "bodies of tests are small");
    let records = batch
        .records()
        .map(|record| {
            let key = String::from_utf8_lossy(record.key().expect("a key")).into_owned();
            let mut event: Value =
                serde_json::from_slice(record.value().expect("a value")).expect("JSON");
            event["time"].take();
            event["recordedtime"].take();
            json!({ "topic": record.topic().as_str(), "key": key, "event": event })
        })
        .collect();
    let (genuine, untrusted) = (verified.genuine(), verified.untrusted().len());
    Some((genuine, untrusted, verified.denied(), verified.total(), records))
}

/// Neither panics nor loses count, and publishes nothing that nobody signed.
fn is_judged(body: &[u8]) -> Result<(), TestCaseError> {
    let Some((genuine, untrusted, denied, total, records)) = outcome(body, RECEIVED) else {
        return Ok(());
    };
    prop_assert_eq!(genuine + untrusted + denied, total);
    if genuine == 0 {
        prop_assert!(records.is_empty());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_judged(body in proptest::collection::vec(any::<u8>(), 0..600)) {
        is_judged(&body)?;
    }

    #[test]
    fn anything_like_json_is_judged(body in near_json()) {
        is_judged(&body)?;
    }

    #[test]
    fn any_json_is_judged(value in json_value()) {
        is_judged(&serde_json::to_vec(&value).expect("JSON"))?;
        is_judged(&serde_json::to_vec(&json!({ "value": value })).expect("JSON"))?;
        is_judged(&serde_json::to_vec(&json!({ "value": [value] })).expect("JSON"))?;
    }

    #[test]
    fn each_item_meets_its_own_fate(items in delivery()) {
        let body = body(&items);
        let (genuine, untrusted, denied, total, records) =
            outcome(&body, RECEIVED).expect("it is readable");
        let count = |fate| items.iter().filter(|planned| planned.fate == fate).count();
        prop_assert_eq!(genuine, count(Fate::Genuine));
        prop_assert_eq!(denied, count(Fate::Denied));
        prop_assert_eq!(untrusted, count(Fate::Untrusted));
        prop_assert_eq!(total, items.len());
        // The order of records is that of the items, and none is there that no genuine item asked for.
        let mut records = records.iter();
        for planned in items.iter().filter(|planned| planned.fate == Fate::Genuine) {
            follows_from(&planned.item, &mut records)?;
        }
        prop_assert!(records.next().is_none(), "a record of no genuine item");
    }

    #[test]
    fn the_untrusted_are_named_in_order(items in delivery()) {
        let (body, trust) = (body(&items), trust());
        let verified = judge(&body, &trust).expect("it is readable");
        let named: Vec<usize> = verified.untrusted().iter().map(|item| item.index).collect();
        let planned: Vec<usize> = items
            .iter()
            .enumerate()
            .filter(|(_, planned)| planned.fate == Fate::Untrusted)
            .map(|(index, _)| index)
            .collect();
        prop_assert_eq!(named, planned);
    }

    #[test]
    fn the_same_delivery_gives_the_same_records_at_any_time(items in delivery(), later in 0i64..1 << 40) {
        let body = body(&items);
        prop_assert_eq!(outcome(&body, RECEIVED), outcome(&body, UnixMillis(RECEIVED.0 + later)));
    }

    #[test]
    fn a_changed_byte_of_a_client_state_proves_one_item_less(
        items in proptest::collection::vec(usable(), 1..5),
        chosen in any::<proptest::sample::Index>(),
        at in any::<proptest::sample::Index>(),
        xor in 1u8..=255,
    ) {
        let states: Vec<String> = (0..items.len()).map(|n| token("t", Some(&format!("u{n}")))).collect();
        let items: Vec<Value> = items
            .into_iter()
            .zip(&states)
            .map(|(mut item, state)| {
                item.insert("clientState".into(), state.as_str().into());
                Value::Object(item)
            })
            .collect();
        let mut body = serde_json::to_vec(&json!({ "value": items })).expect("JSON");
        let state = &states[chosen.index(states.len())];
        let start = body.windows(state.len()).position(|part| part == state.as_bytes());
        body[start.expect("it stands there once") + at.index(state.len())] ^= xor;
        let trust = trust();
        if let Ok(verified) = judge(&body, &trust) {
            prop_assert!(verified.genuine() < items.len(), "it still proves all items");
        }
    }

    #[test]
    fn a_changed_byte_anywhere_proves_nothing_more(
        items in delivery(),
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut body = body(&items);
        let place = at.index(body.len());
        body[place] = byte;
        let known: HashSet<&str> =
            items.iter().filter_map(|planned| planned.item["clientState"].as_str()).collect();
        let genuine = items.iter().filter(|planned| planned.fate == Fate::Genuine).count();
        let trust = trust();
        if let Ok(verified) = judge(&body, &trust) {
            prop_assert!(verified.genuine() <= genuine, "{known:?}");
        }
    }
}

/// Takes the records of one genuine item off the front and holds them against it.
fn follows_from<'r>(
    item: &Value,
    records: &mut impl Iterator<Item = &'r Value>,
) -> Result<(), TestCaseError> {
    let said = |name: &str| item[name].as_str().filter(|text| !text.is_empty());
    let subscription = said("subscriptionId").expect("usable items have one");
    let count = match said("lifecycleEvent") {
        Some(word) if ["missed", "subscriptionremoved"].contains(&&*word.to_ascii_lowercase()) => 2,
        _ => 1,
    };
    for place in 0..count {
        let record = records.next().ok_or_else(|| TestCaseError::fail("a record is missing"))?;
        let event = &record["event"];
        let source = event["source"].as_str().expect("text");
        let id = source.strip_prefix("//graph.microsoft.com/subscriptions/").expect("the source");
        let id = percent::decode_segment(id);
        prop_assert_eq!(id.as_deref(), Some(subscription));
        prop_assert_eq!(&record["key"], &event["partitionkey"]);
        let claimed = ring()
            .verify(Service::Graph, said("clientState").expect("genuine"), RECEIVED.day())
            .expect("genuine");
        let key: Vec<Option<String>> =
            record["key"].as_str().expect("text").split('/').map(percent::decode_segment).collect();
        prop_assert_eq!(key[0].as_ref(), Some(&claimed.tenant));
        if claimed.user.is_some() {
            prop_assert_eq!(&key[1], &claimed.user);
        }
        prop_assert_eq!(&event["data"]["credential"]["tenantId"], &json!(claimed.tenant));
        let lifecycle = said("lifecycleEvent").is_some() && place == 0;
        let topic = if lifecycle { "lifecycle" } else { "events" };
        prop_assert_eq!(&record["topic"], &json!(topic));
        if let (Some(given), 0) = (said("id"), place) {
            prop_assert_eq!(&event["id"], given);
        }
        if !event["data"]["fetch"].is_null() {
            let url = event["data"]["fetch"]["url"].as_str().expect("text");
            let path = url.strip_prefix("https://graph.microsoft.com/v1.0/").expect("the host");
            prop_assert!(
                path.split('/').all(|part| !part.is_empty() && part != "." && part != ".."),
                "{}",
                url
            );
        }
    }
    Ok(())
}

#[test]
fn hashed_ids_tell_every_field_apart() {
    let item = |subscription: &str, change: &str, resource: &str, etag: &str| {
        let item = json!({
            "subscriptionId": subscription, "changeType": change, "resource": resource,
            "resourceData": { "@odata.etag": etag }, "clientState": token("t", Some("u")),
        });
        let body = serde_json::to_vec(&json!({ "value": [item] })).expect("JSON");
        let (.., records) = outcome(&body, RECEIVED).expect("readable");
        records[0]["event"]["id"].as_str().expect("text").to_owned()
    };
    let ids: HashSet<String> = [
        item("ab", "c", "d", "e"),
        item("a", "bc", "d", "e"),
        item("ab", "cd", "", "e"),
        item("ab", "c", "de", ""),
        item("ab", "c", "", "de"),
        item("ab", "c", "d", ""),
        item("ab", "C", "d", "e"),
        item("AB", "c", "d", "e"),
    ]
    .into();
    assert_eq!(ids.len(), 8, "{ids:?}");
}

/// As large as a body may be, and made to be slow.
#[test]
fn the_work_for_a_body_is_bounded() {
    const LARGE: usize = 4 << 20;
    let fill = |head: &str, part: &str, tail: &str| {
        [head, &part.repeat((LARGE - head.len() - tail.len()) / part.len()), tail].concat()
    };
    let state = token("t", Some("u"));
    let genuine =
        format!(r#"{{"value":[{{"subscriptionId":"s","changeType":"c","clientState":"{state}","#);
    let bodies = [
        fill("", "[", ""),
        fill("", "{\"value\":", ""),
        fill("{\"value\":[", "[", ""),
        fill("{\"value\":[", "[],", ""),
        fill("{\"value\":[{\"a\":", "[", ""),
        fill("{\"", "\\u0000", ""),
        fill("{", "\"a\":0,", ""),
        fill("{\"value\":[{", "\"id\":0,", ""),
        fill(&genuine, "\"id\":\"\\ud800\",", "\"x\":0}]}"),
        fill(&format!("{genuine}\"resource\":\""), "/", "\"}]}"),
        fill(&format!("{genuine}\"resource\":\"Users/u/"), "messages('''')/", "\"}]}"),
        fill(&format!("{genuine}\"resource\":\"Users("), "'", "\"}]}"),
        fill(
            &format!("{genuine}\"resource\":\"Users/"),
            "\u{1}\u{7f}é".replace('\u{1}', "\\u0001").as_str(),
            "\"}]}",
        ),
        fill(&format!("{genuine}\"subscriptionExpirationDateTime\":\"2026"), "0", "\"}]}"),
        fill(&format!("{genuine}\"deep\":"), "{\"a\":", ""),
        fill(&format!("{{\"value\":[{{\"clientState\":\"{state}"), ".", "\"}]}"),
    ];
    for body in bodies {
        let started = Instant::now();
        let trust = trust();
        if let Ok(verified) = judge(body.as_bytes(), &trust) {
            for mode in [ContentMode::Structured, ContentMode::Binary] {
                let (batch, too_large) = verified.normalize(&Form { mode, ..Form::default() });
                assert_eq!(batch.len() + too_large.len(), verified.genuine());
            }
        }
        let took = started.elapsed();
        // Without optimization and on a busy machine; the work is linear, so what is not would take minutes.
        assert!(took < Duration::from_secs(5), "{:.40} took {took:?}", body);
    }
}
