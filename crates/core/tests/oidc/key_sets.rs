//! What is taken from what the issuer publishes?

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD as BASE64};
use postern_core::provider::google::oidc::KeySetError::{self, Empty, Unreadable};
use postern_core::provider::google::oidc::{Bearer, KeySet, Verifier};
use postern_core::time::UnixMillis;
use serde_json::{Value, json};

use crate::signer::{self, Signer};
use crate::world::{KID, NOW, Verdict, World, verdict};

fn parse(json: impl AsRef<[u8]>) -> Result<(), KeySetError> {
    KeySet::parse(json.as_ref()).map(drop)
}

fn judge(keys: &KeySet, world: &World, signer: &Signer) -> Verdict {
    let authorization = format!("Bearer {}", signer.token(&world.claims()));
    let bearer = Bearer::read(authorization.as_bytes()).expect("a token");
    verdict(Verifier::default().verify(bearer, keys, &world.source, UnixMillis(NOW * 1_000)))
}

#[test]
fn what_is_no_key_set_is_refused() {
    let jwk = Signer::generate(KID).jwk();
    let good = json!({ "keys": [jwk] }).to_string();
    for body in [
        String::new(),
        "null".to_owned(),
        "{}".to_owned(),
        "[]".to_owned(),
        "7".to_owned(),
        r#"{"keys":{}}"#.to_owned(),
        r#"{"keys":null}"#.to_owned(),
        r#"{"keys":"none"}"#.to_owned(),
        r#"{"Keys":[]}"#.to_owned(),
        json!([jwk]).to_string(),
        jwk.to_string(),
        json!({ "keys": jwk }).to_string(),
        json!({ KID: "-----BEGIN CERTIFICATE-----\nMIIC\n-----END CERTIFICATE-----\n" })
            .to_string(),
        "<!doctype html><title>502 Bad Gateway</title>".to_owned(),
        format!("\u{feff}{good}"),
        format!("{good}{good}"),
        good[..good.len() - 1].to_owned(),
        format!("{{\"keys\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000)),
    ] {
        assert_eq!(parse(&body), Err(Unreadable), "{}", &body[..body.len().min(80)]);
    }
    assert_eq!(parse(b"{\"keys\":[\xff]}"), Err(Unreadable));
    assert_eq!(parse(good), Ok(()));
}

#[test]
fn a_set_without_a_usable_key_is_refused() {
    let good = Signer::generate(KID).jwk();
    let with = |name: &str, value: Value| {
        let mut jwk = good.clone();
        jwk[name] = value;
        jwk
    };
    let without = |name: &str| {
        let mut jwk = good.clone();
        assert!(jwk.as_object_mut().expect("an object").remove(name).is_some());
        jwk
    };
    let number = |bytes: usize| json!(BASE64.encode(vec![0xc5; bytes]));
    let modulus = BASE64.decode(good["n"].as_str().expect("text")).expect("base64url");
    assert_eq!(parse(r#"{"keys":[]}"#), Err(Empty));
    for jwk in [
        Value::Null,
        json!(1),
        json!("key"),
        json!({}),
        json!([]),
        // P-256, as IAP and others sign with.
        json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": KID,
               "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}),
        json!({"kty": "OKP", "crv": "Ed25519", "kid": KID, "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}),
        json!({"kty": "oct", "alg": "HS256", "kid": KID, "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ"}),
        with("kty", json!("rsa")),
        with("alg", json!("RS512")),
        with("alg", json!("PS256")),
        with("alg", json!("none")),
        with("use", json!("enc")),
        with("kid", json!("")),
        with("kid", json!(7)),
        with("kid", Value::Null),
        // 1,024 and 2,040 bits, and far beyond every key that is in use.
        with("n", number(128)),
        with("n", number(255)),
        with("n", number(2_048)),
        with("n", json!("")),
        with("n", json!("not base64url!")),
        with("n", json!(format!("{}=", good["n"].as_str().expect("text")))),
        with("n", json!(BASE64_STANDARD.encode([&[0xfb; 6][..], &modulus[..]].concat()))),
        with("e", json!("")),
        with("e", number(9)),
        with("e", json!(65_537)),
        without("kty"),
        without("kid"),
        without("n"),
        without("e"),
    ] {
        assert_eq!(parse(json!({ "keys": [jwk] }).to_string()), Err(Empty), "{jwk}");
    }
}

#[test]
fn whatever_else_is_in_a_set_leaves_its_good_keys() {
    let world = World::new();
    let (mut first, mut last) = (world.google.jwk(), world.google_too.jwk());
    first["x5c"] = json!(["MIIC"]);
    first["key_ops"] = json!(["verify"]);
    for name in ["alg", "use"] {
        assert!(last.as_object_mut().expect("an object").remove(name).is_some());
    }
    let set = json!({
        "keys": [Value::Null, {"kty": "EC", "kid": KID}, first, {"kty": "RSA", "kid": "x"}, 5, last],
        "next": "https://keys.example.net",
    });
    let keys = KeySet::parse(set.to_string().as_bytes()).expect("two of them are good");
    for signer in [&world.google, &world.google_too] {
        assert_eq!(judge(&keys, &world, signer), Verdict::Accepted);
    }
    assert_eq!(judge(&keys, &world, &Signer::generate("x")), Verdict::UnknownKey);
}

#[test]
fn of_two_keys_with_one_name_the_first_counts() {
    let world = World::new();
    let set = signer::jwks([&world.google, &world.stranger]);
    let keys = KeySet::parse(&set).expect("good keys");
    assert_eq!(judge(&keys, &world, &world.google), Verdict::Accepted);
    assert_eq!(judge(&keys, &world, &world.stranger), Verdict::Refused);
}

#[test]
fn an_odd_modulus_or_exponent_verifies_nothing_and_does_no_harm() {
    let world = World::new();
    for (name, bytes) in
        [("n", vec![0; 256]), ("n", vec![0xff; 1_024]), ("e", vec![1]), ("e", vec![0])]
    {
        let mut jwk = world.google.jwk();
        jwk[name] = json!(BASE64.encode(&bytes));
        let keys = KeySet::parse(json!({ "keys": [jwk] }).to_string().as_bytes()).expect("in size");
        assert_eq!(judge(&keys, &world, &world.google), Verdict::Refused, "{name} {bytes:?}");
    }
    // A key of 1 as exponent would take any text as its own signature.
    let mut jwk = world.google.jwk();
    jwk["e"] = json!("AQ");
    let keys = KeySet::parse(json!({ "keys": [jwk] }).to_string().as_bytes()).expect("in size");
    assert_eq!(judge(&keys, &world, &world.stranger), Verdict::Refused);
}
