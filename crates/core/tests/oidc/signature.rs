//! Does a signature prove anything but what it was made for?

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde_json::json;

use crate::world::Verdict::{self, Accepted, Refused, UnknownKey};
use crate::world::{Case, NOW, World};

#[test]
fn only_the_signature_of_these_very_bytes_passes() {
    let world = World::new();
    world.check(&cases(&world));
}

pub(crate) fn cases(world: &World) -> Vec<Case> {
    let token = world.token();
    let (signed, signature) = token.rsplit_once('.').expect("three parts");
    let bytes = BASE64.decode(signature).expect("base64url");
    let said = |name: &str, signature: &[u8], verdict: Verdict| {
        Case::of_token(name, &format!("{signed}.{}", BASE64.encode(signature)), verdict)
    };
    let flipped = |at: usize| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        bytes
    };
    let mut later = world.claims();
    later["exp"] = json!(NOW + 360_000);
    let later = world.google.token(&later);
    let (other_signed, other) = later.rsplit_once('.').expect("three parts");
    let stranger = world.stranger.token(&world.claims());
    let (_, of_stranger) = stranger.rsplit_once('.').expect("three parts");
    let too = world.google_too.token(&world.claims());
    let (_, of_other_key) = too.rsplit_once('.').expect("three parts");
    let foreign = crate::signer::Signer::generate("5e5e0000ffff1111");
    vec![
        said("its own signature", &bytes, Accepted),
        said("first bit changed", &flipped(0), Refused),
        said("last bit changed", &flipped(255), Refused),
        said("cut by a byte", &bytes[..255], Refused),
        said("cut to a byte", &bytes[..1], Refused),
        said("a byte longer", &[&bytes[..], &[0]].concat(), Refused),
        said("a zero in front", &[&[0], &bytes[..]].concat(), Refused),
        said("all zeros", &[0; 256], Refused),
        said("one", &[&[0; 255][..], &[1]].concat(), Refused),
        said("all ones", &[0xff; 256], Refused),
        said("of 512 bytes", &[0x5a; 512], Refused),
        Case::of_token("of another token", &format!("{signed}.{other}"), Refused),
        Case::of_token("under other claims", &format!("{other_signed}.{signature}"), Refused),
        Case::of_token("of a stranger's key of that name", &stranger, Refused),
        Case::of_token("of a stranger, put in", &format!("{signed}.{of_stranger}"), Refused),
        Case::of_token("of Google's other key", &format!("{signed}.{of_other_key}"), Refused),
        Case::of_token("of a key that nobody knows", &foreign.token(&world.claims()), UnknownKey),
        Case::of_token("reversed parts", &format!("{signature}.{signed}"), Refused),
    ]
}

#[test]
fn a_token_that_is_not_for_this_source_is_never_worth_a_fetch() {
    let world = World::new();
    let foreign = crate::signer::Signer::generate("5e5e0000ffff1111");
    for (claim, value) in [
        ("iss", json!("https://example.net")),
        ("aud", json!("https://example.net")),
        ("email", json!("other@post-office-7.iam.gserviceaccount.com")),
        ("email_verified", json!(false)),
        ("exp", json!(NOW - 301)),
        ("iat", json!(NOW + 301)),
        ("nbf", json!(NOW + 301)),
    ] {
        let mut claims = world.claims();
        claims[claim] = value;
        let authorization = format!("Bearer {}", foreign.token(&claims));
        assert_eq!(world.judge(authorization.as_bytes()), Refused, "{claim}");
    }
}

/// Every single bit of a token counts.
#[test]
fn no_character_can_be_exchanged() {
    let world = World::new();
    let token = world.token();
    for at in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[at] = match changed[at] {
            b'.' => continue,
            b'A' => b'B',
            _ => b'A',
        };
        let changed = [b"Bearer ", &changed[..]].concat();
        let verdict = world.judge(&changed);
        assert!(matches!(verdict, Refused | UnknownKey), "character {at}: {verdict:?}");
    }
}
