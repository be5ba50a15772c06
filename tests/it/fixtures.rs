//! Does every fixture case come out as written when it is posted to the real process before a real Kafka?
//!
//! One process and one set of topics for all cases of a test, one case after the other: whatever is new in the topics
//! came of the last case. `tests/fixtures/README.md` describes the folders.

#[path = "../fixtures/case.rs"]
mod case;
mod counts;
mod issuer;
mod stand;
mod trust;

use serde_json::Value;

use self::stand::Stand;
use crate::support::consumer::Mode;

#[test]
fn every_case_comes_out_as_written() {
    Stand::new(Mode::Structured).post_all();
}

#[test]
fn every_case_comes_out_as_written_in_binary_mode() {
    Stand::new(Mode::Binary).post_all();
}

#[test]
fn the_same_request_again_gives_the_same_ids_and_sources() {
    let mut stand = Stand::new(Mode::Structured);
    for name in [
        "sample-outlook-message-basic",
        "sample-lifecycle-missed",
        "identity-weak",
        "sample-gmail-push",
        "gmail-id-missing",
        "sample-lifecycle-suspended",
        "sample-calendar-sync",
        "sample-drive-file-updated",
    ] {
        let case = stand.named(name);
        let (first, again) = (stand.published(&case), stand.published(&case));
        assert!(!first.is_empty(), "{name} publishes something");
        assert_eq!(ids(&first), ids(&again), "{name}");
    }
}

/// The limit is a number, so these bodies are made here and not kept as data.
#[test]
fn two_thousand_items_are_published_and_one_more_is_refused() {
    let mut stand = Stand::new(Mode::Structured);
    let plain = stand.named("path-plain");
    let body: Value = serde_json::from_slice(&plain.request.body).unwrap();
    let item = body["value"][0].to_string();
    for (count, status) in [(2_000, 202), (2_001, 413)] {
        let mut case = stand.named("path-plain");
        let list = vec![item.as_str(); count].join(",");
        case.request.body = format!(r#"{{"value":[{list}]}}"#).into_bytes();
        assert_eq!(stand.post(&case).status, status, "{count} items");
        let records = stand.new_records(if status == 202 { count } else { 0 }, 0, 0);
        assert!(records.iter().all(|record| record.id() == records[0].id()));
    }
}

/// Not data: its size alone matters. The server may end it by itself (414, 431) or read it and refuse it (400).
#[test]
fn a_handshake_of_a_hundred_kibibytes_is_refused() {
    let stand = Stand::new(Mode::Structured);
    let mut case = stand.named("handshake-too-long");
    case.request.target = format!("/v1/microsoft/graph?validationToken={}", "x".repeat(102_400));
    let response = stand.post(&case);
    assert!([400, 414, 431].contains(&response.status), "{}", response.status);
    assert_eq!(response.body, b"");
}

fn ids(events: &[Value]) -> Vec<(&Value, &Value)> {
    events.iter().map(|event| (&event["source"], &event["id"])).collect()
}
