//! Does every fixture case come out as written, judged in memory?
//!
//! The cases are folders of `tests/fixtures`; the same ones are posted to the whole process by the `it` tests.

#[path = "judge/admitted.rs"]
mod admitted;
#[path = "../../../tests/fixtures/case.rs"]
mod case;
#[path = "judge/judge.rs"]
mod judge;
#[path = "../../../tests/fixtures/oidc.rs"]
mod oidc;
#[path = "judge/schemas.rs"]
mod schemas;

use case::{Body, Case};
use judge::Judge;

const PROVIDERS: [&str; 2] = ["google", "microsoft"];

#[test]
fn every_case_comes_out_as_written() {
    let judge = Judge::new();
    let mut failures = Vec::new();
    for case in PROVIDERS.into_iter().flat_map(|provider| judge.cases(provider)) {
        let outcome = judge.outcome(&case);
        failures.extend(case.check(&outcome).err());
    }
    let count = failures.len();
    assert!(failures.is_empty(), "{}\n{count} cases differ", failures.join("\n"));
}

#[test]
fn every_record_is_valid_in_both_modes() {
    let judge = Judge::new();
    let mut records = 0;
    for case in PROVIDERS.into_iter().flat_map(|provider| judge.cases(provider)) {
        records += judge.check_records(&case);
    }
    assert!(records > 100, "only {records} records were looked at");
}

#[test]
fn every_quarantined_delivery_opens_and_holds_what_was_sent() {
    let judge = Judge::new();
    let (mut kept, mut withheld) = (0, 0);
    for case in PROVIDERS.into_iter().flat_map(|provider| judge.cases(provider)) {
        let Some(quarantine) = &case.expected.quarantine else { continue };
        let opened = judge.check_quarantine(&case, quarantine);
        match quarantine.body {
            Body::Kept => {
                assert_eq!(opened, case.request.body, "{}", case.name);
                kept += 1;
            }
            Body::Withheld => {
                assert_eq!(opened, b"", "{}: nothing of a denied connection is stored", case.name);
                withheld += 1;
            }
        }
    }
    assert!(kept > 20 && withheld > 2, "{kept} kept and {withheld} withheld: too few cases");
}

#[test]
fn every_case_comes_out_of_a_replay_as_it_would_have_at_receipt() {
    let judge = Judge::new();
    let mut records = 0;
    for case in PROVIDERS.into_iter().flat_map(|provider| judge.cases(provider)) {
        records += judge.check_replay(&case);
    }
    assert!(records > 100, "only {records} records were replayed");
}

/// The limit of items is a number, so these bodies are made here and not kept as data.
#[test]
fn two_thousand_items_are_taken_and_one_more_is_not() {
    let judge = Judge::new();
    let plain = named("path-plain");
    let item: serde_json::Value =
        serde_json::from_slice(&plain.request.body).expect("the case holds JSON");
    let item = item["value"][0].to_string();
    for (count, status) in [(1_999, 202), (2_000, 202), (2_001, 413), (50_000, 413)] {
        let mut many = named("path-plain");
        many.request.body =
            format!(r#"{{"value":[{}]}}"#, vec![item.as_str(); count].join(",")).into_bytes();
        let outcome = judge.outcome(&many);
        assert_eq!(outcome.status, status, "{count} items");
        assert_eq!(outcome.records.len(), if status == 202 { count } else { 0 });
    }
    // The limit also holds for items that are no notifications, and where one of them is oddly written.
    for odd in ["7", "{}", r#""\ud800""#] {
        let mut many = named("path-plain");
        let list = vec![odd; 2_001].join(",");
        many.request.body = format!(r#"{{"value":[{list}]}}"#).into_bytes();
        assert_eq!(judge.outcome(&many).status, 413, "{odd}");
    }
}

#[test]
fn what_is_larger_than_a_record_goes_into_quarantine_and_the_rest_is_published() {
    let judge = Judge::new();
    let mut case = named("identity-same-item-twice");
    let body = String::from_utf8(case.request.body).expect("text");
    let large = body.replacen("AAMkADk3", &"A".repeat(600_000), 1);
    assert!(large.len() > body.len(), "the case names the message");
    case.request.body = large.into_bytes();
    let outcome = judge.outcome(&case);
    assert_eq!(outcome.status, 202);
    assert_eq!(outcome.records.len(), 1, "the second item is published");
    let quarantine = outcome.quarantine.expect("the first item is quarantined");
    assert_eq!(quarantine.reason, "too-large");
    assert_eq!(quarantine.items, [case::Item { index: 0, reason: "too-large".to_owned() }]);
}

fn named(name: &str) -> Case {
    case::all("microsoft")
        .into_iter()
        .find(|case| case.name == name)
        .unwrap_or_else(|| panic!("there is no case {name}"))
}
