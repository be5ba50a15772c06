//! Which headers hold a bearer token of the form of a JWT?

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD as BASE64};
use serde_json::json;

use crate::world::Verdict::{Accepted, NoBearer, Refused};
use crate::world::{Case, World};

#[test]
fn only_one_bearer_token_of_three_parts_is_looked_at() {
    let world = World::new();
    world.check(&cases(&world));
}

pub(crate) fn cases(world: &World) -> Vec<Case> {
    [schemes(world), parts(world), encodings(world), sizes(world)].into_iter().flatten().collect()
}

fn schemes(world: &World) -> Vec<Case> {
    let token = world.token();
    let with = |before: &str, after: &str| format!("{before}{token}{after}").into_bytes();
    vec![
        Case::new("genuine", with("Bearer ", ""), Accepted),
        Case::new("scheme in lower case", with("bearer ", ""), Accepted),
        Case::new("scheme in upper case", with("BEARER ", ""), Accepted),
        Case::new("two spaces", with("Bearer  ", ""), Accepted),
        Case::new("nine spaces", with("Bearer         ", ""), Accepted),
        Case::new("a space behind it", with("Bearer ", " "), Accepted),
        Case::new("empty value", "", NoBearer),
        Case::new("spaces only", "   ", NoBearer),
        Case::new("scheme alone", "Bearer", NoBearer),
        Case::new("scheme and a space", "Bearer ", NoBearer),
        Case::new("no scheme", with("", ""), NoBearer),
        Case::new("no space", with("Bearer", ""), NoBearer),
        Case::new("a tab for the space", with("Bearer\t", ""), NoBearer),
        Case::new("a tab behind the space", with("Bearer \t", ""), NoBearer),
        Case::new("a no-break space", with("Bearer\u{a0}", ""), NoBearer),
        Case::new("a colon", with("Bearer: ", ""), NoBearer),
        Case::new("an equals sign", with("Bearer=", ""), NoBearer),
        Case::new("scheme Basic", with("Basic ", ""), NoBearer),
        Case::new("Basic credentials", "Basic cHVzaGVyOnNlY3JldA==", NoBearer),
        Case::new("scheme Token", with("Token ", ""), NoBearer),
        Case::new("scheme in other letters", with("Веarer ", ""), NoBearer),
        Case::new("quoted", with("Bearer \"", "\""), NoBearer),
        Case::new("a parameter behind it", with("Bearer ", ", realm=x"), NoBearer),
        Case::new("a word behind it", with("Bearer ", " x"), NoBearer),
        Case::new("twice in one value", with(&format!("Bearer {token}, Bearer "), ""), NoBearer),
        Case::new("non-ASCII behind it", with("Bearer ", "\u{e9}"), NoBearer),
        Case::new(
            "a byte that is no UTF-8",
            [&with("Bearer ", "")[..], b"\xff"].concat(),
            NoBearer,
        ),
        Case::new("a NUL behind it", with("Bearer ", "\0"), NoBearer),
        Case::new("a line break behind it", with("Bearer ", "\n"), NoBearer),
    ]
}

fn parts(world: &World) -> Vec<Case> {
    let token = world.token();
    let (signed, signature) = token.rsplit_once('.').expect("three parts");
    let (header, claims) = signed.split_once('.').expect("three parts");
    let spaced = format!("{header}. {claims}.{signature}");
    let folded = format!("{header}.\r\n {claims}.{signature}");
    [
        ("one part", header.to_owned()),
        ("two parts", signed.to_owned()),
        ("four parts", format!("{token}.{signature}")),
        ("five parts, as encrypted ones have", format!("{header}.{claims}.{header}.{token}")),
        ("dots only", "..".to_owned()),
        ("no header", format!(".{claims}.{signature}")),
        ("no claims", format!("{header}..{signature}")),
        ("no signature", format!("{signed}.")),
        ("a dot in front", format!(".{token}")),
        ("a dot behind", format!("{token}.")),
        ("a space inside", spaced),
        ("a line break inside", folded),
    ]
    .map(|(name, token)| Case::of_token(name, &token, NoBearer))
    .into()
}

fn encodings(world: &World) -> Vec<Case> {
    let token = world.token();
    let parts: Vec<&str> = token.split('.').collect();
    let (header, claims, signature) = (parts[0], parts[1], parts[2]);
    // Claims of a length that leaves unused bits in the last character.
    let text = (0..3)
        .map(|spaces| format!("{}{}", world.claims(), " ".repeat(spaces)))
        .find(|text| text.len() % 3 == 1)
        .expect("one of three lengths");
    let clean = world.google.sign(world.google.header().to_string(), &text);
    let loose = |part: &str| {
        let last = part.bytes().last().expect("not empty");
        let at = ALPHABET.iter().position(|known| *known == last).expect("base64url");
        let other = char::from(ALPHABET[at + 1]);
        format!("{}{other}", &part[..part.len() - 1])
    };
    let clean_parts: Vec<&str> = clean.split('.').collect();
    let loose_claims = loose(clean_parts[1]);
    let loose_claims = format!("{}.{loose_claims}.{}", clean_parts[0], clean_parts[2]);
    let claims_of_standard = BASE64_STANDARD.encode(format!("{}??>>", world.claims()));
    assert!(claims_of_standard.contains(['+', '/']), "the other alphabet shows");
    vec![
        Case::of_token("claims with spaces behind them", &clean, Accepted),
        Case::of_token("claims with unused bits set", &loose_claims, Refused),
        Case::of_token(
            "signature with unused bits set",
            &format!("{header}.{claims}.{}", loose(signature)),
            Refused,
        ),
        Case::of_token("signature with padding", &format!("{token}=="), NoBearer),
        Case::of_token("claims with padding", &format!("{header}.{claims}=.{signature}"), NoBearer),
        Case::of_token(
            "claims in the other alphabet",
            &format!("{header}.{claims_of_standard}.{signature}"),
            NoBearer,
        ),
        Case::of_token(
            "header of an impossible length",
            &format!("{}.{claims}.{signature}", &header[..header.len() - header.len() % 4 + 1]),
            Refused,
        ),
        Case::of_token("parts that are not JSON", "abc.def.ghi", Refused),
        Case::of_token("percent-encoded", &format!("{header}%2E{claims}%2E{signature}"), NoBearer),
    ]
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn sizes(world: &World) -> Vec<Case> {
    let of_size = |bytes: usize| {
        let mut claims = world.claims();
        claims["note"] = json!("");
        let bare = world.google.token(&claims).len();
        claims["note"] = json!("x".repeat((bytes - bare) / 4 * 3));
        world.google.token(&claims)
    };
    let (kilobytes, large, huge) = (of_size(8_000), of_size(64 << 10), of_size(1 << 20));
    assert!((7_900..8_192).contains(&kilobytes.len()), "{}", kilobytes.len());
    let deep = |name: &str, open: &str, close: &str| {
        let nested = format!("{}{}", open.repeat(1_200), close.repeat(1_200));
        let claims = world.claims().to_string();
        let claims = claims.replacen('{', &format!("{{\"{name}\":{nested},"), 1);
        world.google.sign(world.google.header().to_string(), claims)
    };
    let dots = ".".repeat(4_000);
    let zeros = BASE64.encode([0; 3_000]);
    vec![
        Case::of_token("eight thousand characters", &kilobytes, Accepted),
        Case::of_token("64 KiB, well signed", &large, NoBearer),
        Case::of_token("1 MiB, well signed", &huge, NoBearer),
        Case::of_token("lists in lists in lists, unread", &deep("x", "[", "]"), Accepted),
        Case::of_token("lists in lists in lists as audience", &deep("aud", "[", "]"), Refused),
        Case::of_token("thousands of dots", &dots, NoBearer),
        Case::of_token("zeros in three parts", &format!("{zeros}.AA.AA"), Refused),
    ]
}
