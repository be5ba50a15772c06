//! What of a token's header is followed? `alg` and `kid`, and nothing else anywhere.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512,
    RSA_PSS_SHA256, RsaEncoding,
};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD as BASE64};
use serde_json::{Value, json};

use crate::signer::Signer;
use crate::world::Verdict::{self, Accepted, Refused, UnknownKey};
use crate::world::{Case, KID, World};

#[test]
fn only_rs256_with_a_known_key_passes() {
    let world = World::new();
    world.check(&cases(&world));
}

pub(crate) fn cases(world: &World) -> Vec<Case> {
    [algorithms(world), other_algorithms(world), kids(world), extensions(world), odd(world)]
        .into_iter()
        .flatten()
        .collect()
}

/// A genuine token, but for one member of its header, signed by somebody.
fn with(world: &World, signer: &Signer, name: &str, value: Value) -> String {
    let mut header = world.google.header();
    header[name] = value;
    signer.sign(header.to_string(), world.claims().to_string())
}

/// Google's signature under a header that says something else.
fn algorithms(world: &World) -> Vec<Case> {
    let said = |name: &str, alg: Value| {
        Case::of_token(name, &with(world, &world.google, "alg", alg), Refused)
    };
    let mut without = world.google.header();
    without.as_object_mut().expect("an object").remove("alg");
    let claims = world.claims().to_string();
    vec![
        said("alg none", json!("none")),
        said("alg None", json!("None")),
        said("alg NONE", json!("NONE")),
        said("alg empty", json!("")),
        said("alg null", Value::Null),
        said("alg number", json!(256)),
        said("alg list", json!(["RS256"])),
        said("alg object", json!({"RS256": true})),
        said("alg in lower case", json!("rs256")),
        said("alg with a space", json!("RS256 ")),
        said("alg RS384 over an RS256 signature", json!("RS384")),
        said("alg PS256 over an RS256 signature", json!("PS256")),
        said("alg ES256 over an RS256 signature", json!("ES256")),
        said("alg HS256 over an RS256 signature", json!("HS256")),
        said("alg EdDSA", json!("EdDSA")),
        Case::of_token("no alg", &world.google.sign(without.to_string(), claims), Refused),
    ]
}

/// Good signatures of every other kind.
fn other_algorithms(world: &World) -> Vec<Case> {
    let signed = |alg: &str, sign: &dyn Fn(&str) -> Vec<u8>| {
        let header = json!({ "alg": alg, "kid": KID, "typ": "JWT" });
        let encode = |value: &Value| BASE64.encode(value.to_string());
        let signed = format!("{}.{}", encode(&header), encode(&world.claims()));
        let signature = sign(&signed);
        format!("{signed}.{}", BASE64.encode(signature))
    };
    let rsa = |encoding: &'static dyn RsaEncoding| {
        move |text: &str| world.google.signature(encoding, text)
    };
    let mac = |key: Vec<u8>| {
        move |text: &str| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
            hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
        }
    };
    let der = world.google.public().to_vec();
    let body = BASE64_STANDARD.encode(&der);
    let pem = format!("-----BEGIN RSA PUBLIC KEY-----\n{body}\n-----END RSA PUBLIC KEY-----\n");
    let jwk = world.google.jwk();
    let modulus = BASE64.decode(jwk["n"].as_str().expect("text")).expect("base64url");
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("randomness");
    let ecdsa = |text: &str| {
        let signature = pair.sign(&SystemRandom::new(), text.as_bytes()).expect("it signs");
        signature.as_ref().to_vec()
    };
    let tokens = [
        ("RS384, well signed", signed("RS384", &rsa(&RSA_PKCS1_SHA384))),
        ("RS512, well signed", signed("RS512", &rsa(&RSA_PKCS1_SHA512))),
        ("PS256, well signed", signed("PS256", &rsa(&RSA_PSS_SHA256))),
        ("RS256 over an RS512 signature", signed("RS256", &rsa(&RSA_PKCS1_SHA512))),
        ("RS256 over a PS256 signature", signed("RS256", &rsa(&RSA_PSS_SHA256))),
        ("HS256 keyed with the public key in DER", signed("HS256", &mac(der.clone()))),
        ("HS256 keyed with the public key in PEM", signed("HS256", &mac(pem.into_bytes()))),
        ("HS256 keyed with the modulus", signed("HS256", &mac(modulus))),
        ("HS256 keyed with the JWK", signed("HS256", &mac(jwk.to_string().into_bytes()))),
        ("HS256 with an empty key", signed("HS256", &mac(Vec::new()))),
        ("RS256 over an HS256 signature", signed("RS256", &mac(der))),
        ("ES256, well signed", signed("ES256", &ecdsa)),
        ("RS256 over an ES256 signature", signed("RS256", &ecdsa)),
        ("alg none with a signature of zeros", signed("none", &|_| vec![0; 256])),
        ("alg none with a signature of one byte", signed("none", &|_| vec![0])),
    ];
    tokens.map(|(name, token)| Case::of_token(name, &token, Refused)).into()
}

fn kids(world: &World) -> Vec<Case> {
    let said = |name: &str, kid: Value, verdict: Verdict| {
        Case::of_token(name, &with(world, &world.google, "kid", kid), verdict)
    };
    let mut without = world.google.header();
    without.as_object_mut().expect("an object").remove("kid");
    let claims = world.claims().to_string();
    let twice = |first: &str, last: &str| {
        let header = format!(r#"{{"alg":"RS256","kid":"{first}","kid":"{last}"}}"#);
        world.google.sign(header, &claims)
    };
    let escaped = world.google.sign(
        format!(r#"{{"\u0061lg":"RS\u0032\u00356","\u006bid":"\u0033{}"}}"#, &KID[1..]),
        &claims,
    );
    let unknown = |name: &str, kid: String| said(name, json!(kid), UnknownKey);
    vec![
        Case::of_token("Google's other key", &world.google_too.token(&world.claims()), Accepted),
        Case::of_token("kid written with escapes", &escaped, Accepted),
        Case::of_token("no kid", &world.google.sign(without.to_string(), &claims), Refused),
        said("kid empty", json!(""), Refused),
        said("kid null", Value::Null, Refused),
        said("kid number", json!(1), Refused),
        said("kid list", json!([KID]), Refused),
        said("kid object", json!({"kid": KID}), Refused),
        Case::of_token("kid twice, the same", &twice(KID, KID), Refused),
        Case::of_token("kid twice, a stranger's first", &twice("x", KID), Refused),
        Case::of_token("kid twice, a stranger's last", &twice(KID, "x"), Refused),
        unknown("kid of a path", "../../../../dev/null".to_owned()),
        unknown("kid of a file URL", "file:///etc/hostname".to_owned()),
        unknown("kid of a URL", "https://keys.example.net/jwks.json".to_owned()),
        unknown("kid of SQL", format!("{KID}' OR '1'='1")),
        unknown("kid of a shell command", format!("{KID}|id")),
        unknown("kid in upper case", KID.to_uppercase()),
        unknown("kid with a space", format!("{KID} ")),
        unknown("kid with a NUL", format!("{KID}\0")),
        unknown("kid cut", KID[..8].to_owned()),
        unknown("kid of four thousand characters", "a".repeat(4_000)),
        unknown("kid of both keys", format!("{KID},91ab27de5580c3f4")),
        said("kid of another known key", json!("91ab27de5580c3f4"), Refused),
    ]
}

/// Members that other verifiers follow: a genuine token passes with them, a stranger's never does.
fn extensions(world: &World) -> Vec<Case> {
    let stranger = world.stranger.jwk();
    let der = BASE64_STANDARD.encode(world.stranger.public());
    let url = "https://keys.example.net/jwks.json";
    let mut cases = Vec::new();
    for (name, value) in [
        ("jku", json!(url)),
        ("x5u", json!(url)),
        ("jwk", stranger),
        ("x5c", json!([der])),
        ("x5t", json!("dGh1bWJwcmludA")),
        ("typ", json!("at+jwt")),
        ("cty", json!("JWT")),
        ("b64", json!(false)),
    ] {
        let token = |signer| with(world, signer, name, value.clone());
        let genuine = format!("{name} of a genuine token");
        cases.push(Case::of_token(&genuine, &token(&world.google), Accepted));
        let forged = format!("{name} of a stranger");
        cases.push(Case::of_token(&forged, &token(&world.stranger), Refused));
    }
    for (name, crit) in [
        ("crit empty", json!([])),
        ("crit exp", json!(["exp"])),
        ("crit b64", json!(["b64"])),
        ("crit unknown", json!(["urn:example:policy"])),
        ("crit text", json!("exp")),
        ("crit null", Value::Null),
        ("crit of what is known", json!(["alg", "kid"])),
    ] {
        cases.push(Case::of_token(name, &with(world, &world.google, "crit", crit), Refused));
    }
    cases
}

fn odd(world: &World) -> Vec<Case> {
    let claims = world.claims().to_string();
    let genuine = world.google.header().to_string();
    let inside = genuine.trim_matches(['{', '}']).to_owned();
    let signed = |name: &str, header: Vec<u8>, verdict: Verdict| {
        Case::of_token(name, &world.google.sign(header, &claims), verdict)
    };
    vec![
        signed("header with white space", format!(" {{\r\n\t{inside} }} ").into(), Accepted),
        signed(
            "header with unknown members",
            format!(r#"{{{inside},"x":[{{}}]}}"#).into(),
            Accepted,
        ),
        signed("alg twice", format!(r#"{{{inside},"alg":"RS256"}}"#).into(), Refused),
        signed("alg twice, none last", format!(r#"{{{inside},"alg":"none"}}"#).into(), Refused),
        signed(
            "alg twice by an escape",
            format!(r#"{{{inside},"\u0061lg":"none"}}"#).into(),
            Refused,
        ),
        signed("header twice", format!("{genuine}{genuine}").into(), Refused),
        signed("header with text behind it", format!("{genuine}x").into(), Refused),
        signed("header with a NUL behind it", format!("{genuine}\0").into(), Refused),
        signed("header in a list", format!("[{genuine}]").into(), Refused),
        signed("header as text", Value::from(genuine.as_str()).to_string().into(), Refused),
        signed("header with a byte order mark", format!("\u{feff}{genuine}").into(), Refused),
        signed("header of a number", b"1".to_vec(), Refused),
        signed("header null", b"null".to_vec(), Refused),
        signed("header of no members", b"{}".to_vec(), Refused),
        signed("header cut", genuine[..genuine.len() - 1].into(), Refused),
        signed(
            "header that is no UTF-8",
            [b"{\"alg\":\"RS256\",\"kid\":\"", &b"\xff\"}"[..]].concat(),
            Refused,
        ),
    ]
}
