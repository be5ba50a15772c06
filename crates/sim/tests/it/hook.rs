//! Are tokens minted and forged as the contract says?

use postern_sim::{Claims, Forgery, HookError, KeyRing, Reason, Service};

use crate::support::{TODAY, key, reader::read, ring};

fn claims(tenant: &str, user: &str, subject: &str, label: &str, last_day: u16) -> Claims {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Claims {
        tenant: tenant.into(),
        user: some(user),
        subject: some(subject),
        label: some(label),
        last_day: (last_day > 0).then_some(last_day),
    }
}

#[test]
fn the_contracts_test_vectors_come_out() {
    use Service::{Calendar, Drive, Ews, Graph};
    let uuids = ("3f2504e0-4f89-11d3-9a0c-0305e82c3301", "84bd8158-6d4d-4958-8b9f-9d6445542f95");
    let (org, user) = (format!("org_{}", uuids.0), format!("user_{}", uuids.1));
    let upper = org.to_uppercase();
    // 2026-11-24 is day 20781.
    let vectors = [
        (
            Graph,
            "k1",
            claims("org_acme", "", "", "", 0),
            "p1.k1.AQhvcmdfYWNtZQ.nDdMAsImbt9ZVgRzlPUI4w",
        ),
        (
            Graph,
            "k1",
            claims("org_acme", "user_123", "", "inbox", 0),
            "p1.k1.AQhvcmdfYWNtZQMIdXNlcl8xMjMHBWluYm94.DBFn87hiGKVVWOhR_yGUFg",
        ),
        (
            Graph,
            "k1",
            claims(uuids.0, uuids.1, "", "inbox-12", 0),
            "p1.k1.AgA_JQTgT4kR05oMAwXoLDMBBACEvYFYbU1JWIufnWRFVC-VBwhpbmJveC0xMg.0WOmm-22RkkQLTCRqGQgDw",
        ),
        (
            Graph,
            "k1",
            claims(&org, &user, "", "inbox", 0),
            "p1.k1.AgRvcmdfPyUE4E-JEdOaDAMF6CwzAQQFdXNlcl-EvYFYbU1JWIufnWRFVC-VBwVpbmJveA.aeLoCgB9kD5EyM--A8x8bQ",
        ),
        (
            Graph,
            "k1",
            claims(&upper, "", "", "", 0),
            "p1.k1.AShPUkdfM0YyNTA0RTAtNEY4OS0xMUQzLTlBMEMtMDMwNUU4MkMzMzAx.9BzOuH1Sxs8Ak18asL7b5w",
        ),
        (
            Graph,
            "k2",
            claims("org_acme", "", "jane.doe@example.com", "inbox", 0),
            "p1.k2.AQhvcmdfYWNtZQUUamFuZS5kb2VAZXhhbXBsZS5jb20HBWluYm94.T2Rg0PqPqM6G41TIVxJKAQ",
        ),
        (
            Graph,
            "prod-7",
            claims("org_acme", "user_123", "", "inbox", 20_781),
            "p1.prod-7.AQhvcmdfYWNtZQMIdXNlcl8xMjMHBWluYm94CFEt.Xqm5oE1WRFy_kbCBArrqFg",
        ),
        (
            Calendar,
            "k1",
            claims("org_acme", "user_123", "", "", 0),
            "p1.k1.AQhvcmdfYWNtZQMIdXNlcl8xMjM.igiu_E6Fjcw-qfhwkdMYrw",
        ),
        (
            Drive,
            "k1",
            claims("org_acme", "user_123", "", "", 0),
            "p1.k1.AQhvcmdfYWNtZQMIdXNlcl8xMjM.iKOzYK1DadBJ8xFdNltvYQ",
        ),
        (
            Ews,
            "k1",
            claims("org_bank", "", "räkna@bank.example", "", 0),
            "p1.k1.AQhvcmdfYmFuawUTcsOka25hQGJhbmsuZXhhbXBsZQ.mW4TDdtpjnjyvqhnAOY7Zg",
        ),
    ];
    for (service, kid, claims, token) in vectors {
        let ring = KeyRing::new([(kid, key().as_slice())]).unwrap();
        assert_eq!(ring.mint(service, &claims).as_deref(), Ok(token), "{claims:?}");
    }
}

/// One for each shape that claims take, with and without a last day of their own.
fn shapes() -> Vec<Claims> {
    vec![
        claims("org_acme", "", "", "", 0),
        claims("org_acme", "user_1", "", "inbox", TODAY),
        claims("org_3f2504e0-4f89-11d3-9a0c-0305e82c3301", "user_2", "", "inbox", 0),
        claims("3f2504e0-4f89-11d3-9a0c-0305e82c3301", "", "box1@t1.example", "tasks", TODAY + 9),
        claims("Käse & Söhne/4", "84bd8158-6d4d-4958-8b9f-9d6445542f95", "", "", TODAY + 1),
    ]
}

#[test]
fn what_is_minted_verifies_until_its_last_day_is_over() {
    let (first, second) = (key(), [7; 40]);
    let keys = [("k1", first.as_slice()), ("prod-7", second.as_slice())];
    for (place, claims) in shapes().iter().enumerate() {
        let token = ring().mint_by(place, Service::Graph, claims).unwrap();
        let read = |today| read(Some(&token), "graph", today, &keys);
        assert_eq!(read(TODAY).as_ref(), Ok(&claims.tenant));
        if let Some(last_day) = claims.last_day {
            assert_eq!(read(last_day + 1), Err(Reason::ExpiredToken));
        }
    }
}

#[test]
fn every_forgery_is_refused_for_its_own_reason_and_no_other() {
    let (first, second) = (key(), [7; 40]);
    let keys = [("k1", first.as_slice()), ("prod-7", second.as_slice())];
    for claims in shapes() {
        for forgery in Forgery::ANYWHERE {
            for salt in 0..200 {
                let forged = ring().forge(Service::Graph, &claims, forgery, TODAY, salt).unwrap();
                assert_eq!(
                    read(forged.as_deref(), "graph", TODAY, &keys),
                    Err(forgery.reason()),
                    "{forgery:?} {forged:?}"
                );
                let again = ring().forge(Service::Graph, &claims, forgery, TODAY, salt).unwrap();
                assert_eq!(forged, again);
            }
        }
        for salt in 0..50 {
            let other = ring()
                .forge(Service::Graph, &claims, Forgery::TenantMismatch, TODAY, salt)
                .unwrap();
            let tenant = read(other.as_deref(), "graph", TODAY, &keys).unwrap();
            assert_ne!(tenant, claims.tenant);
        }
    }
}

#[test]
fn forged_tokens_come_in_all_their_variety() {
    let claims = claims("org_acme", "user_1", "", "inbox", 0);
    let mut values = std::collections::HashSet::new();
    for salt in 0..300 {
        let malformed = ring().forge(Service::Graph, &claims, Forgery::Malformed, TODAY, salt);
        values.insert(malformed.unwrap().unwrap());
    }
    // Nine of the fourteen kinds have few values, the other five are new every time.
    assert!(values.len() > 60, "{}", values.len());
}

#[test]
fn bad_keys_and_claims_are_refused_with_the_reason() {
    let key = key();
    let ring_of = |kid| KeyRing::new([(kid, key.as_slice())]);
    for kid in ["", "UPPER", "nine-long", "under_", "ä"] {
        assert_eq!(ring_of(kid).err(), Some(HookError::Kid(kid.into())));
    }
    let short = KeyRing::new([("k1", &key[..31])]).err();
    assert_eq!(short, Some(HookError::ShortKey { kid: "k1".into(), bytes: 31 }));
    let twice = KeyRing::new([("k1", key.as_slice()), ("k1", key.as_slice())]).err();
    assert_eq!(twice, Some(HookError::DuplicateKid("k1".into())));
    assert_eq!(KeyRing::new([]).err(), Some(HookError::NoKey));

    let ring = ring_of("k1").unwrap();
    let mint = |claims: &Claims| ring.mint(Service::Graph, claims).unwrap_err();
    assert_eq!(mint(&claims("", "", "", "", 0)), HookError::EmptyClaim("tenant"));
    let long = "x".repeat(256);
    assert_eq!(
        mint(&claims(&long, "", "", "", 0)),
        HookError::LongClaim { claim: "tenant", bytes: 256 }
    );
    let error = mint(&claims("org_acme", "", &"x".repeat(80), "", 0));
    assert_eq!(error.to_string(), "the graph token has 152 bytes; the provider keeps 128");
    assert!(!format!("{ring:?}").contains("macs"), "keys do not show");
}
