//! Do tokens come out as the manual says, and do wrong ones fail?

use postern_core::secret::Secret;

use super::*;

pub(super) fn ring(kid: &str) -> KeyRing {
    let key = Secret::from_file_content((0..32).collect());
    KeyRing::new(kid, vec![(kid.to_owned(), key)]).expect("is a ring")
}

const DAY: Day = Day(0x512D);
const DATED: &str = "p1.prod-7.AQhvcmdfYWNtZQMIdXNlcl8xMjMHBWluYm94CFEt.Xqm5oE1WRFy_kbCBArrqFg";

#[test]
fn inspected_tokens_have_the_members_of_the_manual_in_their_order() {
    let (inspected, verdict) = judge(&ring("prod-7"), DATED, Some(Service::Graph), DAY);
    assert_eq!(verdict, Ok(()));
    assert_eq!(
        show(&inspected.expect("verifies")),
        r#"{"kid":"prod-7","tenant":"org_acme","user":"user_123","subject":null,"label":"inbox","lastDay":"2026-11-24","services":["graph"]}"#
    );
}

#[test]
fn an_expired_token_verifies_for_nothing() {
    let (inspected, verdict) = judge(&ring("prod-7"), DATED, None, Day(DAY.0 + 1));
    assert!(show(&inspected.expect("is genuine")).ends_with(r#""services":[]}"#));
    assert!(verdict.expect_err("has expired").contains("2026-11-24"));
}

#[test]
fn what_does_not_verify_is_not_shown() {
    let forged = format!("{}A", &DATED[..DATED.len() - 1]);
    for (token, service) in [
        (DATED, Some(Service::Drive)),
        (forged.as_str(), None),
        ("p1.k9.AQhvcmdfYWNtZQ.nDdMAsImbt9ZVgRzlPUI4w", None),
        ("", None),
        ("hello", None),
    ] {
        let (inspected, verdict) = judge(&ring("prod-7"), token, service, DAY);
        assert!(inspected.is_none() && verdict.is_err(), "{token}");
    }
}
