//! Are tokens signed and forged as RFC 7519, Google's guide and the contract say?

use std::collections::{BTreeSet, HashSet};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use hmac::{Hmac, KeyInit, Mac};
use postern_sim::{JwtForgery, Signer, SignerError, TokenClaims};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::{
    NOW,
    jwt::{Fault, Trust, faults, parse},
    signer,
};

const AUDIENCE: &str = "https://hooks.example.com/v1/google/pubsub/gmail";
const ACCOUNT: &str = "push@project.iam.gserviceaccount.com";

fn claims() -> TokenClaims {
    TokenClaims::new(AUDIENCE, ACCOUNT, NOW)
}

fn judge(values: &[String], jwks: &str, now: i64) -> BTreeSet<Fault> {
    let values: Vec<_> = values.iter().map(String::as_str).collect();
    faults(&values, &Trust { jwks, audience: AUDIENCE, account: ACCOUNT, now })
}

#[test]
fn genuine_tokens_have_no_fault_for_an_hour_and_the_leeway() {
    let signer = signer();
    for claims in [claims(), claims().without_scheme()] {
        let token = [format!("Bearer {}", signer.token(&claims))];
        for now in [NOW - 300, NOW, NOW + 3_600, NOW + 3_899] {
            assert_eq!(judge(&token, &signer.jwks(), now), [].into());
        }
        assert_eq!(judge(&token, &signer.jwks(), NOW - 301), [Fault::Early].into());
        assert_eq!(judge(&token, &signer.jwks(), NOW + 3_900), [Fault::Over].into());
    }
    let header = parse(&[&format!("Bearer {}", signer.token(&claims()))]).ok().unwrap().header;
    assert_eq!(header, json!({"alg": "RS256", "kid": "key-1", "typ": "JWT"}));
    let late = TokenClaims { nbf: Some(NOW + 1_000), ..claims() };
    let late = [format!("Bearer {}", signer.token(&late))];
    assert_eq!(judge(&late, &signer.jwks(), NOW), [Fault::Early].into());
}

/// The one fault that each forgery promises.
fn promised(forgery: JwtForgery) -> Fault {
    match forgery {
        JwtForgery::Missing => Fault::NoToken,
        JwtForgery::Malformed => Fault::Form,
        JwtForgery::Unsigned | JwtForgery::HmacWithPublicKey | JwtForgery::OtherAlgorithm => {
            Fault::Algorithm
        }
        JwtForgery::Critical => Fault::Critical,
        JwtForgery::UnknownKid => Fault::Kid,
        JwtForgery::OtherKey | JwtForgery::Tampered => Fault::Signature,
        JwtForgery::Expired => Fault::Over,
        JwtForgery::NoExpiry => Fault::NoExpiry,
        JwtForgery::NotYetValid => Fault::Early,
        JwtForgery::WrongAudience => Fault::Audience,
        JwtForgery::WrongAccount => Fault::Account,
        JwtForgery::NotVerified => Fault::Unverified,
        JwtForgery::WrongIssuer => Fault::Issuer,
    }
}

#[test]
fn every_forgery_is_refused_for_its_own_reason_and_no_other() {
    let signer = signer();
    let jwks = signer.jwks();
    for forgery in JwtForgery::ALL {
        let mut values = HashSet::new();
        for salt in 0..60 {
            let forged = signer.forge(&claims(), forgery, salt);
            assert_eq!(
                judge(&forged, &jwks, NOW),
                [promised(forgery)].into(),
                "{forgery:?} {forged:?}"
            );
            // Waiting mends none of them.
            assert!(!judge(&forged, &jwks, NOW + 600).is_empty(), "{forgery:?} {forged:?}");
            values.insert(forged);
        }
        assert_eq!(signer.forge(&claims(), forgery, 7), signer.forge(&claims(), forgery, 7));
        let fewest = if forgery == JwtForgery::Missing { 2 } else { 3 };
        assert!(values.len() >= fewest, "{forgery:?} has {} forms", values.len());
    }
}

/// What a naive verifier would take for the key of an HMAC.
fn public_spellings(jwks: &str) -> Vec<Vec<u8>> {
    let key = &serde_json::from_str::<Value>(jwks).unwrap()["keys"][0];
    let modulus = URL_SAFE_NO_PAD.decode(key["n"].as_str().unwrap()).unwrap();
    // Written out for a key of 2,048 bits and the exponent 65,537.
    let pkcs1 = [b"\x30\x82\x01\x0a\x02\x82\x01\x01\x00", &modulus[..], b"\x02\x03\x01\x00\x01"];
    let pkcs1 = pkcs1.concat();
    let algorithm = b"\x30\x82\x01\x22\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x82\x01\x0f\x00";
    let spki = [&algorithm[..], &pkcs1].concat();
    let text = STANDARD.encode(&spki);
    let lines: Vec<_> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", lines.join("\n"));
    vec![format!("{pem}\n").into(), pem.into(), spki, pkcs1, modulus]
}

#[test]
fn hmac_tokens_really_verify_under_the_public_key() {
    let signer = signer();
    let spellings = public_spellings(&signer.jwks());
    let mut found = HashSet::new();
    for salt in 0..60 {
        let forged = signer.forge(&claims(), JwtForgery::HmacWithPublicKey, salt);
        let parts = parse(&[&forged[0]]).ok().unwrap();
        assert_eq!(parts.header["alg"], "HS256");
        let place = spellings.iter().position(|key| {
            let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
            mac.update(parts.signed.as_bytes());
            mac.verify_slice(&parts.signature).is_ok()
        });
        found.insert(place.expect("one of the spellings"));
    }
    assert_eq!(found.len(), 5);
}

#[test]
fn the_well_known_ways_to_cheat_are_among_them() {
    let signer = signer();
    let mut found = BTreeSet::new();
    for forgery in JwtForgery::ALL {
        for salt in 0..60 {
            let forged = signer.forge(&claims(), forgery, salt);
            found.insert(match forged.len() {
                0 => "no header".into(),
                1 => match parse(&[&forged[0]]) {
                    Err(_) => forged[0].split(['.', ' ']).next().unwrap().into(),
                    Ok(parts) => cheat(&parts.header, &parts.claims, parts.signature.is_empty()),
                },
                _ => "two headers".into(),
            });
        }
    }
    for cheat in [
        "no header",
        "two headers",
        "Basic",
        "Token",
        "Bearer",
        "none, unsigned",
        "NONE, signed",
        "HS256",
        "RS384",
        "RS512",
        "rs256",
        "no alg",
        "crit",
        "jwk",
        "jku",
        "x5u",
        "no kid",
        "kid is no text",
        "no audience",
        "several audiences",
        "no email",
        "no issuer",
        "no exp",
        "exp is text",
        "verified as text",
        "verified as number",
        "not said to be verified",
    ] {
        assert!(found.contains(cheat), "{cheat:?} is missing of {found:#?}");
    }
}

/// The most striking thing about a token.
fn cheat(header: &Value, claims: &Value, unsigned: bool) -> String {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let alg = header["alg"].as_str().unwrap_or("no alg");
    if alg.eq_ignore_ascii_case("none") {
        return format!("{alg}, {}", if unsigned { "unsigned" } else { "signed" });
    }
    if alg != "RS256" {
        return alg.into();
    }
    for name in ["crit", "jwk", "jku", "x5u"] {
        if header.get(name).is_some() {
            return name.into();
        }
    }
    let found = match header {
        _ if header["kid"].is_null() => "no kid",
        _ if !header["kid"].is_string() => "kid is no text",
        _ if claims["aud"].is_null() => "no audience",
        _ if claims["aud"].is_array() => "several audiences",
        _ if claims["email"].is_null() => "no email",
        _ if claims["iss"].is_null() => "no issuer",
        _ if claims["exp"].is_null() => "no exp",
        _ if claims["exp"].is_string() => "exp is text",
        _ if claims["email_verified"] == "true" => "verified as text",
        _ if claims["email_verified"] == 1 => "verified as number",
        _ if claims["email_verified"].is_null() => "not said to be verified",
        _ => return text(&header["kid"]).unwrap_or_default(),
    };
    found.into()
}

#[test]
fn every_forgery_has_a_place_and_a_word_of_its_own() {
    let words: HashSet<_> = JwtForgery::ALL.iter().map(|forgery| forgery.as_str()).collect();
    assert_eq!(words.len(), 16);
    let places: Vec<_> = JwtForgery::ALL.iter().map(|forgery| *forgery as usize).collect();
    assert!(places.iter().copied().eq(0..16), "{places:?}");
    assert!(words.iter().all(|word| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')));
}

#[test]
fn another_process_signs_with_the_same_key() {
    let signer = signer();
    let copy = Signer::from_pkcs8("key-1", &signer.pkcs8()).unwrap();
    assert_eq!(copy.jwks(), signer.jwks());
    assert_eq!(copy.token(&claims()), signer.token(&claims()));
    let renamed = Signer::from_pkcs8("key-2", &signer.pkcs8()).unwrap();
    let both = Signer::jwks_of([&signer, &renamed]);
    assert_eq!(serde_json::from_str::<Value>(&both).unwrap()["keys"][1]["kid"], "key-2");
    for signer in [&signer, &renamed] {
        let token = [format!("Bearer {}", signer.token(&claims()))];
        assert_eq!(judge(&token, &both, NOW), [].into());
    }
}

#[test]
fn keys_that_are_none_are_refused_and_secrets_do_not_show() {
    assert_eq!(Signer::generate("").err(), Some(SignerError::Kid));
    let der = signer().pkcs8();
    assert_eq!(Signer::from_pkcs8("", &der).err(), Some(SignerError::Kid));
    for der in [&[][..], b"-----BEGIN PRIVATE KEY-----", &der[..der.len() - 1]] {
        assert_eq!(Signer::from_pkcs8("k", der).err(), Some(SignerError::Pkcs8));
    }
    assert_eq!(format!("{:?}", signer()), "Signer(\"key-1\")");
}
