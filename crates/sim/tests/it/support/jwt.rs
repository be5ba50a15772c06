//! What is wrong with an `Authorization` header? Written for the tests alone, apart from the code
//! that signs: it goes on after the first fault, so that a test can see that there is no other.

use std::collections::BTreeSet;

use aws_lc_rs::{rsa::PublicKeyComponents, signature::RSA_PKCS1_2048_8192_SHA256};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

/// The clocks of both sides may differ by this much (contract section 2.1).
const LEEWAY: i64 = 300;

/// A reason to refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Fault {
    NoToken,
    Form,
    Algorithm,
    Critical,
    Kid,
    Signature,
    Over,
    NoExpiry,
    Early,
    Audience,
    Account,
    Unverified,
    Issuer,
}

/// Who is to be believed, and when it is.
pub(crate) struct Trust<'a> {
    pub(crate) jwks: &'a str,
    pub(crate) audience: &'a str,
    pub(crate) account: &'a str,
    pub(crate) now: i64,
}

/// Header and claims of a bearer token, and its parts as they were sent.
pub(crate) struct Parts {
    pub(crate) header: Value,
    pub(crate) claims: Value,
    pub(crate) signed: String,
    pub(crate) signature: Vec<u8>,
}

/// The one bearer token of these header values.
pub(crate) fn parse(values: &[&str]) -> Result<Parts, Fault> {
    let [value] = values else {
        return Err(if values.is_empty() { Fault::NoToken } else { Fault::Form });
    };
    if value.trim() == "Bearer" {
        return Err(Fault::NoToken);
    }
    let token = value.strip_prefix("Bearer ").ok_or(Fault::Form)?;
    let parts: Vec<_> = token.split('.').collect();
    let [header, claims, signature] = parts[..] else { return Err(Fault::Form) };
    let decode = |part| URL_SAFE_NO_PAD.decode(part).map_err(|_| Fault::Form);
    let object = |part| match serde_json::from_slice(&decode(part)?) {
        Ok(value @ Value::Object(_)) => Ok(value),
        _ => Err(Fault::Form),
    };
    Ok(Parts {
        header: object(header)?,
        claims: object(claims)?,
        signed: format!("{header}.{claims}"),
        signature: decode(signature)?,
    })
}

/// Everything that is wrong; nothing, when the token is to be believed.
pub(crate) fn faults(values: &[&str], trust: &Trust<'_>) -> BTreeSet<Fault> {
    let parts = match parse(values) {
        Ok(parts) => parts,
        Err(fault) => return [fault].into(),
    };
    let mut faults = BTreeSet::new();
    let mut check = |good: bool, fault| {
        if !good {
            faults.insert(fault);
        }
    };
    let Parts { header, claims, .. } = &parts;
    check(header["alg"] == "RS256", Fault::Algorithm);
    check(header.get("crit").is_none(), Fault::Critical);
    match key(trust.jwks, &header["kid"]) {
        None => check(false, Fault::Kid),
        Some(key) if header["alg"] == "RS256" => {
            let (signed, signature) = (parts.signed.as_bytes(), &parts.signature);
            let good = key.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature).is_ok();
            check(good, Fault::Signature);
        }
        Some(_) => {}
    }
    let issuers = ["https://accounts.google.com", "accounts.google.com"];
    check(claims["iss"].as_str().is_some_and(|iss| issuers.contains(&iss)), Fault::Issuer);
    check(claims["aud"] == trust.audience, Fault::Audience);
    check(claims["email"] == trust.account, Fault::Account);
    check(claims["email_verified"] == true, Fault::Unverified);
    match claims["exp"].as_i64() {
        None => check(false, Fault::NoExpiry),
        Some(exp) => check(trust.now < exp + LEEWAY, Fault::Over),
    }
    for name in ["iat", "nbf"] {
        let begun = claims[name].as_i64().is_none_or(|at| at <= trust.now + LEEWAY);
        check(begun, Fault::Early);
    }
    faults
}

/// The key of a name in a key set.
fn key(jwks: &str, kid: &Value) -> Option<PublicKeyComponents<Vec<u8>>> {
    let jwks: Value = serde_json::from_str(jwks).unwrap();
    let keys = jwks["keys"].as_array().unwrap();
    let key = keys.iter().find(|key| kid.is_string() && key["kid"] == *kid)?;
    assert_eq!(
        (&key["kty"], &key["alg"], &key["use"]),
        (&"RSA".into(), &"RS256".into(), &"sig".into())
    );
    let number = |name: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
        assert_ne!(bytes[0], 0, "RFC 7518 has no leading zeros");
        bytes
    };
    Some(PublicKeyComponents { n: number("n"), e: number("e") })
}
