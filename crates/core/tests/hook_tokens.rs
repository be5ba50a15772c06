//! Do hook tokens prove what they say, and nothing else?

#[path = "hook_tokens/vectors.rs"]
mod vectors;

use postern_core::claims::Claims;
use postern_core::key_ring::{KeyRing, MintError, RingError};
use postern_core::reason::Reason;
use postern_core::secret::Secret;
use postern_core::service::Service;
use postern_core::time::Day;
use vectors::{INBOX, KEY, TOKEN, VECTORS, day, ring_signing_with, sign, sign_text, told, verify};

#[test]
fn every_vector_is_minted_and_verified() {
    for (service, kid, told, token) in VECTORS {
        let ring = ring_signing_with(kid);
        assert_eq!(ring.mint(service, &told.claims()).as_deref(), Ok(token));
        assert_eq!(verify(service, token), Ok(told.claims()), "{token}");
    }
}

#[test]
fn the_other_implementation_agrees() {
    let claims = [&b"\x01\x08org_acme\x03\x08user_123\x07\x05inbox"[..]].concat();
    assert_eq!(sign(Service::Graph, "k1", &claims), TOKEN);
}

#[test]
fn a_token_of_one_service_never_verifies_for_another() {
    for (service, _, _, token) in VECTORS {
        for other in Service::ALL.into_iter().filter(|other| *other != service) {
            assert_eq!(verify(other, token), Err(Reason::ForgedToken), "{token} for {other}");
        }
    }
}

#[test]
fn no_token_with_one_flipped_bit_verifies() {
    for (service, _, _, token) in VECTORS {
        for at in 0..token.len() {
            for bit in 0..8 {
                let mut bytes = token.as_bytes().to_vec();
                bytes[at] ^= 1 << bit;
                // What is no text cannot be a token: JSON and header values are read as text first.
                let Ok(flipped) = String::from_utf8(bytes) else { continue };
                let result = verify(service, &flipped);
                assert!(result.is_err(), "{flipped} verifies as {result:?}");
            }
        }
    }
}

#[test]
fn no_cut_or_longer_token_verifies() {
    for end in 0..TOKEN.len() {
        assert!(verify(Service::Graph, &TOKEN[..end]).is_err(), "{end} bytes verify");
    }
    for more in ["=", "A", ".", " ", "\n", "\0", ".A", "é"] {
        let after = verify(Service::Graph, &format!("{TOKEN}{more}"));
        assert_eq!(after, Err(Reason::MalformedToken), "{more:?} behind it");
        let before = verify(Service::Graph, &format!("{more}{TOKEN}"));
        assert_eq!(before, Err(Reason::MalformedToken), "{more:?} before it");
    }
}

/// Each of these carries a good tag, so nothing but its form speaks against it.
#[test]
fn what_is_signed_but_not_canonical_is_malformed() {
    let tenant = b"\x01\x08org_acme";
    let uuid = b"84bd8158-6d4d-4958-8b9f-9d6445542f95";
    for (why, claims) in [
        ("no claims", &b""[..]),
        ("no tenant", b"\x03\x01u"),
        ("empty tenant", b"\x01\x00"),
        ("empty user", &[tenant, &b"\x03\x00"[..]].concat()),
        ("empty subject", &[tenant, &b"\x05\x00"[..]].concat()),
        ("empty label", &[tenant, &b"\x07\x00"[..]].concat()),
        ("tenant twice", &[&tenant[..], tenant].concat()),
        ("label twice", &[tenant, &b"\x07\x01a\x07\x01b"[..]].concat()),
        ("both tenant forms", &[tenant, &b"\x02\x00"[..], &[7; 16]].concat()),
        ("both user forms", &[tenant, &b"\x03\x01u\x04\x00"[..], &[7; 16]].concat()),
        ("both subject forms", &[tenant, &b"\x05\x01u\x06\x00"[..], &[7; 16]].concat()),
        ("both forms, the other way", &[&b"\x02\x00"[..], &[7; 16], tenant].concat()),
        ("wrong order", &[&b"\x03\x01u"[..], tenant].concat()),
        ("label before user", &[tenant, &b"\x07\x01a\x03\x01u"[..]].concat()),
        ("day before label", &[tenant, &b"\x08\x51\x2d\x07\x01a"[..]].concat()),
        ("field 00", &[tenant, &b"\x00\x01a"[..]].concat()),
        ("field 09", &[tenant, &b"\x09\x01a"[..]].concat()),
        ("field ff", &[tenant, &b"\xff\x01a"[..]].concat()),
        ("text that the UUID form holds, tenant", &[&b"\x01\x24"[..], uuid].concat()),
        ("the same, user with prefix", &[tenant, &b"\x03\x29user_"[..], uuid].concat()),
        ("the same, subject", &[tenant, &b"\x05\x24"[..], uuid].concat()),
        ("length beyond the end", b"\x01\x09org_acme"),
        ("UUID cut", b"\x02\x00123456789abcdef"),
        ("half a day", &[tenant, &b"\x08\x51"[..]].concat()),
        ("no length", &[tenant, &b"\x03"[..]].concat()),
        ("not UTF-8", b"\x01\x02\xc3\x28"),
        ("prefix not UTF-8", &[&b"\x02\x01\xff"[..], &[7; 16]].concat()),
    ] {
        let token = sign(Service::Graph, "k1", claims);
        assert_eq!(verify(Service::Graph, &token), Err(Reason::MalformedToken), "{why}");
    }
}

#[test]
fn what_is_signed_and_canonical_verifies() {
    let uuid = b"84bd8158-6d4d-4958-8b9f-9d6445542f95";
    let upper = uuid.to_ascii_uppercase();
    let mut bent = uuid.to_vec();
    bent[8] = b'_';
    for (claims, tenant) in [
        (&b"\x01\x01a"[..], "a"),
        (&[&b"\x01\x24"[..], &upper].concat(), "84BD8158-6D4D-4958-8B9F-9D6445542F95"),
        (&[&b"\x01\x24"[..], &bent].concat(), "84bd8158_6d4d-4958-8b9f-9d6445542f95"),
        (&[&b"\x01\x25"[..], uuid, b"x"].concat(), "84bd8158-6d4d-4958-8b9f-9d6445542f95x"),
        (&[&b"\x02\x00"[..], &[0; 16]].concat(), "00000000-0000-0000-0000-000000000000"),
        (
            &[&b"\x02\x02\xc3\xa9"[..], &[0xff; 16]].concat(),
            "éffffffff-ffff-ffff-ffff-ffffffffffff",
        ),
    ] {
        let claims = verify(Service::Graph, &sign(Service::Graph, "k1", claims));
        assert_eq!(claims.map(|claims| claims.tenant).as_deref(), Ok(tenant));
    }
}

#[test]
fn only_the_canonical_base64_of_a_value_is_taken() {
    let signed = "p1.k1.AQhvcmdfYWNtZQ";
    let good = sign_text(Service::Graph, signed);
    assert_eq!(good, VECTORS[0].3);
    // Each is signed as it stands, so only the second reading of the same bytes speaks against it.
    for claims in ["AQhvcmdfYWNtZQ==", "AQhvcmdfYWNtZR", "AQhvcmdfYWNtZQ\n", "AQhvcmdf YWNtZQ"] {
        let token = sign_text(Service::Graph, &format!("p1.k1.{claims}"));
        assert_eq!(verify(Service::Graph, &token), Err(Reason::MalformedToken), "{claims:?}");
    }
    let standard = sign(Service::Graph, "k1", b"\x01\x03\xe2\x82\xac\x07\x02~?").replace('_', "/");
    assert!(standard.contains('/') || standard.contains('+'), "the alphabet matters: {standard}");
    assert_eq!(verify(Service::Graph, &standard), Err(Reason::MalformedToken));
    for tag in ["==", "=", "A"] {
        let token = format!("{good}{tag}");
        assert_eq!(verify(Service::Graph, &token), Err(Reason::MalformedToken), "{token}");
    }
    // The last letter of 22 carries four bits that 16 bytes have no use for.
    for last in ["x", "y", "z", "0"] {
        let token = format!("{}{last}", &good[..good.len() - 1]);
        assert_eq!(verify(Service::Graph, &token), Err(Reason::MalformedToken), "{token}");
    }
}

#[test]
fn the_frame_is_judged_to_the_letter() {
    let claims = "AQhvcmdfYWNtZQ";
    for signed in [
        format!("p1.K1.{claims}"),
        format!("p1..{claims}"),
        format!("p1.k_1.{claims}"),
        format!("p1.ké.{claims}"),
        format!("p1.k12345678.{claims}"),
        format!("p2.k1.{claims}"),
        format!("P1.k1.{claims}"),
        format!(".k1.{claims}"),
        format!("k1.{claims}"),
        format!("p1.k1.{claims}.{claims}"),
        "p1.k1.".to_owned(),
        String::new(),
    ] {
        let token = sign_text(Service::Graph, &signed);
        assert_eq!(verify(Service::Graph, &token), Err(Reason::MalformedToken), "{token}");
    }
    for kid in ["a", "-", "0", "abcdefgh", "12345678"] {
        let token = sign(Service::Graph, kid, b"\x01\x01a");
        assert_eq!(verify(Service::Graph, &token), Err(Reason::UnknownKey), "{kid} is a key id");
    }
    let short = sign_text(Service::Graph, &format!("p1.k1.{claims}"));
    let tag = short.rsplit_once('.').expect("four parts").1;
    for tag in [&tag[..20], &tag[..16], "", &format!("{tag}AAAA")] {
        let token = format!("p1.k1.{claims}.{tag}");
        assert_eq!(verify(Service::Graph, &token), Err(Reason::MalformedToken), "{token}");
    }
}

#[test]
fn malformed_goes_before_unknown_key_before_forged_before_expired() {
    let forged = |token: &str| token.replace("Xqm5", "Xqm6");
    let expired = VECTORS[6].3;
    let late = day("2026-11-25");
    let ring = ring_signing_with("k1");
    let verify = |token: &str| ring.verify(Service::Graph, token, late);
    assert_eq!(verify(expired), Err(Reason::ExpiredToken));
    assert_eq!(verify(&forged(expired)), Err(Reason::ForgedToken));
    assert_eq!(verify(&forged(expired).replace("prod-7", "prod-8")), Err(Reason::UnknownKey));
    let malformed = forged(expired).replace("prod-7", "prod-8").replace("CFEt", "CFE");
    assert_eq!(verify(&malformed), Err(Reason::MalformedToken));
}

#[test]
fn the_last_day_is_the_last_day() {
    let ring = ring_signing_with("k1");
    let verify = |on: Day| ring.verify(Service::Graph, VECTORS[6].3, on).map(|_| ());
    assert_eq!(verify(day("1970-01-01")), Ok(()));
    assert_eq!(verify(day("2026-11-23")), Ok(()));
    assert_eq!(verify(day("2026-11-24")), Ok(()), "valid to the end of its last day");
    assert_eq!(verify(day("2026-11-25")), Err(Reason::ExpiredToken));
    let last = ring
        .mint(Service::Graph, &Claims { last_day: Some(Day(65_535)), ..told("t").claims() })
        .expect("2149-06-06 can be written");
    assert!(ring.verify(Service::Graph, &last, day("2149-06-06")).is_ok());
    assert_eq!(ring.verify(Service::Graph, &last, day("2149-06-07")), Err(Reason::ExpiredToken));
}

#[test]
fn a_token_that_the_provider_would_cut_is_not_minted() {
    let ring = ring_signing_with("k1");
    for (service, limit) in [(Service::Graph, 128), (Service::Calendar, 256), (Service::Drive, 256)]
    {
        let fits = |label: usize| {
            let claims = Claims { label: Some("l".repeat(label)), ..told("org_acme").claims() };
            ring.mint(service, &claims)
        };
        let longest = (1..=255).take_while(|label| fits(*label).is_ok()).last().expect("one fits");
        let token = fits(longest).expect("it fits");
        assert!((limit - 1..=limit).contains(&token.len()), "{service}: {} bytes", token.len());
        assert_eq!(
            verify(service, &token).map(|claims| claims.label.map(|l| l.len())),
            Ok(Some(longest))
        );
        match fits(longest + 1) {
            Err(MintError::TooLong { service: of, bytes, limit: allowed }) => {
                assert_eq!((of, allowed), (service, limit));
                assert!(bytes > limit);
            }
            other => panic!("{service}: {other:?}"),
        }
    }
}

#[test]
fn a_long_text_is_no_token_and_costs_nothing() {
    let long = "A".repeat(4 << 20);
    for token in [long.clone(), format!("p1.k1.{long}.{long}"), ".".repeat(1 << 20)] {
        assert_eq!(verify(Service::Graph, &token), Err(Reason::MalformedToken));
    }
}

#[test]
fn inspect_tells_everything_and_for_which_services() {
    let ring = ring_signing_with("k1");
    for (service, kid, told, token) in VECTORS {
        let inspected = ring.inspect(token).expect("it verifies, on whatever day");
        assert_eq!(inspected.kid, kid);
        assert_eq!(inspected.claims, told.claims());
        assert_eq!(inspected.services, [service]);
    }
    assert_eq!(ring.inspect("no token"), Err(Reason::MalformedToken));
    assert_eq!(ring.inspect(&TOKEN.replace("k1", "k9")), Err(Reason::UnknownKey));
    assert_eq!(ring.inspect(&TOKEN.replace("DBFn", "DBFm")), Err(Reason::ForgedToken));
}

#[test]
fn several_keys_verify_and_one_signs() {
    let other = || Secret::from_file_content(vec![0x5a; 32]);
    let first = || Secret::from_file_content(KEY.to_vec());
    let rotated = KeyRing::new("k2", vec![("k1".into(), first()), ("k2".into(), other())])
        .expect("a good ring");
    assert!(rotated.verify(Service::Graph, TOKEN, day("2026-11-24")).is_ok(), "old tokens live on");
    let new = rotated.mint(Service::Graph, &INBOX.claims()).expect("fits");
    assert!(new.starts_with("p1.k2."), "{new}");
    assert_eq!(verify(Service::Graph, &new), Err(Reason::ForgedToken), "k2 is another key there");
    let withdrawn = KeyRing::new("k2", vec![("k2".into(), other())]).expect("a good ring");
    let old = withdrawn.verify(Service::Graph, TOKEN, day("2026-11-24"));
    assert_eq!(old, Err(Reason::UnknownKey));
}

#[test]
fn a_bad_ring_is_refused_by_name() {
    let key = |bytes: usize| Secret::from_file_content(vec![7; bytes]);
    let ring = |signing: &str, keys: &[(&str, usize)]| {
        let keys = keys.iter().map(|(kid, bytes)| ((*kid).to_owned(), key(*bytes))).collect();
        KeyRing::new(signing, keys).map(|ring| ring.signing_kid().to_owned())
    };
    let kid = |kid: &str| kid.to_owned();
    assert_eq!(ring("k1", &[("k1", 32), ("k2", 64)]), Ok(kid("k1")));
    assert_eq!(ring("k1", &[("k1", 31)]), Err(RingError::Short { kid: kid("k1"), bytes: 31 }));
    assert_eq!(ring("K1", &[("K1", 32)]), Err(RingError::Kid { kid: kid("K1") }));
    assert_eq!(ring("", &[("", 32)]), Err(RingError::Kid { kid: kid("") }));
    assert_eq!(ring("k1", &[("k1", 32), ("k1", 32)]), Err(RingError::Twice { kid: kid("k1") }));
    assert_eq!(ring("k2", &[("k1", 32)]), Err(RingError::Signing { kid: kid("k2") }));
    assert_eq!(ring("k1", &[]), Err(RingError::Signing { kid: kid("k1") }));
}

#[test]
fn no_message_or_debug_text_shows_a_key() {
    let secret = Secret::from_file_content(b"correct horse battery staple, thirty-two".to_vec());
    let ring = KeyRing::new("k1", vec![("k1".into(), secret)]).expect("a good ring");
    let text = format!("{ring:?}");
    assert!(!text.contains("horse") && !text.contains("99, 111"), "{text}");
}
