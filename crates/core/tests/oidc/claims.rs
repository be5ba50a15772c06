//! Whose token is it, for whom, and when? Claims that Google signed and that are not this source's.

use serde_json::{Value, json};

use crate::world::Verdict::{self, Accepted, Refused};
use crate::world::{Case, NOW, World};

#[test]
fn only_the_claims_of_this_source_pass() {
    let world = World::new();
    world.check(&cases(&world));
}

pub(crate) fn cases(world: &World) -> Vec<Case> {
    [issuers(world), audiences(world), accounts(world), times(world), odd_times(world), odd(world)]
        .into_iter()
        .flatten()
        .collect()
}

/// A genuine token, but for one claim; `None`: without it.
fn with(world: &World, name: &str, value: Option<Value>) -> String {
    let mut claims = world.claims();
    let members = claims.as_object_mut().expect("an object");
    match value {
        Some(value) => drop(members.insert(name.to_owned(), value)),
        None => assert!(members.remove(name).is_some(), "it has {name}"),
    }
    world.google.token(&claims)
}

/// A genuine token whose claims hold one more member at their end.
fn with_more(world: &World, member: &str) -> String {
    let claims = world.claims().to_string();
    let claims = format!("{},{member}}}", claims.strip_suffix('}').expect("an object"));
    world.google.sign(world.google.header().to_string(), claims)
}

/// Cases that differ in one claim.
fn of_claim<const N: usize>(
    world: &World,
    claim: &str,
    cases: [(&str, Option<Value>, Verdict); N],
) -> Vec<Case> {
    let case = |(name, value, verdict): (&str, Option<Value>, Verdict)| {
        Case::of_token(&format!("{claim}: {name}"), &with(world, claim, value), verdict)
    };
    cases.into_iter().map(case).collect()
}

fn issuers(world: &World) -> Vec<Case> {
    let said = |iss: &str| Some(json!(iss));
    let mut cases = of_claim(
        world,
        "iss",
        [
            ("with scheme", said("https://accounts.google.com"), Accepted),
            ("without scheme", said("accounts.google.com"), Accepted),
            ("missing", None, Refused),
            ("null", Some(Value::Null), Refused),
            ("empty", said(""), Refused),
            ("number", Some(json!(7)), Refused),
            ("list", Some(json!(["https://accounts.google.com"])), Refused),
            ("trailing slash", said("https://accounts.google.com/"), Refused),
            ("plain http", said("http://accounts.google.com"), Refused),
            ("upper case", said("HTTPS://ACCOUNTS.GOOGLE.COM"), Refused),
            ("longer host", said("https://accounts.google.com.example.net"), Refused),
            ("longer in front", said("https://example.net/accounts.google.com"), Refused),
            ("with a port", said("https://accounts.google.com:443"), Refused),
            ("with a space", said(" accounts.google.com"), Refused),
            ("of IAP", said("https://cloud.google.com/iap"), Refused),
            ("of another product", said("https://securetoken.google.com/p"), Refused),
            ("of another provider", said("https://sts.windows.net/"), Refused),
        ],
    );
    let again = with_more(world, r#""iss":"https://accounts.google.com""#);
    cases.push(Case::of_token("iss: twice", &again, Refused));
    cases
}

fn audiences(world: &World) -> Vec<Case> {
    let own = &world.source.audience;
    let said = |aud: String| Some(json!(aud));
    let mut cases = of_claim(
        world,
        "aud",
        [
            ("missing", None, Refused),
            ("null", Some(Value::Null), Refused),
            ("empty", said(String::new()), Refused),
            ("number", Some(json!(1)), Refused),
            ("true", Some(json!(true)), Refused),
            ("object", Some(json!({ own.as_str(): own })), Refused),
            ("list of the right one", Some(json!([own])), Refused),
            ("list with the right one", Some(json!([own, "https://example.net"])), Refused),
            ("trailing slash", said(format!("{own}/")), Refused),
            ("upper case", said(own.to_uppercase()), Refused),
            ("host in other case", said(own.replace("hooks.example", "Hooks.Example")), Refused),
            ("with a query", said(format!("{own}?token=x")), Refused),
            ("with a port", said(own.replace(".com/", ".com:443/")), Refused),
            ("plain http", said(own.replace("https", "http")), Refused),
            ("of another source", said(own.replace("gmail", "drive")), Refused),
            ("prefix", said(own[..own.len() - 1].to_owned()), Refused),
            ("with a space", said(format!("{own} ")), Refused),
            ("two in one text", said(format!("{own} https://example.net")), Refused),
            ("of somebody else", said("https://example.net".to_owned()), Refused),
        ],
    );
    let again = |member: &str| with_more(world, member);
    let right = again(&format!(r#""aud":"{own}""#));
    let wrong = again(r#""aud":"https://example.net""#);
    cases.push(Case::of_token("aud: twice, the same", &right, Refused));
    cases.push(Case::of_token("aud: twice, another last", &wrong, Refused));
    let escaped = again(r#""\u0061ud":"https://example.net""#);
    cases.push(Case::of_token("aud: twice by an escape", &escaped, Refused));
    cases
}

fn accounts(world: &World) -> Vec<Case> {
    let own = &world.source.service_account;
    let said = |email: String| Some(json!(email));
    let mut cases = of_claim(
        world,
        "email",
        [
            ("missing", None, Refused),
            ("null", Some(Value::Null), Refused),
            ("empty", said(String::new()), Refused),
            ("list", Some(json!([own])), Refused),
            ("upper case", said(own.to_uppercase()), Refused),
            ("another account of the project", said(own.replace("pusher", "other")), Refused),
            ("same name in another project", said(own.replace("-7", "-8")), Refused),
            ("longer", said(format!("{own}.example.net")), Refused),
            ("with a space", said(format!(" {own}")), Refused),
            (
                "of Gmail's publisher",
                said("gmail-api-push@system.gserviceaccount.com".into()),
                Refused,
            ),
        ],
    );
    cases.extend(of_claim(
        world,
        "email_verified",
        [
            ("missing", None, Refused),
            ("null", Some(Value::Null), Refused),
            ("false", Some(json!(false)), Refused),
            ("text true", Some(json!("true")), Refused),
            ("one", Some(json!(1)), Refused),
            ("list", Some(json!([true])), Refused),
        ],
    ));
    for (name, member) in [
        ("email: twice", format!(r#""email":"{own}""#)),
        ("email_verified: twice", r#""email_verified":true"#.to_owned()),
        ("email_verified: false, then true", r#""email_verified":false"#.to_owned()),
    ] {
        cases.push(Case::of_token(name, &with_more(world, &member), Refused));
    }
    // Who pushes is told by `email`; the numeric ids have no form that is promised.
    cases.extend(of_claim(
        world,
        "azp",
        [("missing", None, Accepted), ("an address", Some(json!(own)), Accepted)],
    ));
    cases.extend(of_claim(world, "sub", [("missing", None, Accepted)]));
    cases
}

/// 300 s of leeway on either side, and not one more.
fn times(world: &World) -> Vec<Case> {
    let at = |seconds: i64| Some(json!(NOW + seconds));
    let mut cases = of_claim(
        world,
        "exp",
        [
            ("in an hour", at(3_600), Accepted),
            ("now", at(0), Accepted),
            ("200 s ago", at(-200), Accepted),
            ("299 s ago", at(-299), Accepted),
            ("300 s ago", at(-300), Refused),
            ("400 s ago", at(-400), Refused),
            ("a day ago", at(-86_400), Refused),
            ("in ten years", at(315_360_000), Accepted),
        ],
    );
    cases.extend(of_claim(
        world,
        "iat",
        [
            ("missing", None, Accepted),
            ("59 minutes ago", at(-3_540), Accepted),
            ("a week ago", at(-604_800), Accepted),
            ("in 299 s", at(299), Accepted),
            ("in 300 s", at(300), Accepted),
            ("in 301 s", at(301), Refused),
            ("in 400 s", at(400), Refused),
        ],
    ));
    cases.extend(of_claim(
        world,
        "nbf",
        [
            ("an hour ago", at(-3_600), Accepted),
            ("in 300 s", at(300), Accepted),
            ("in 301 s", at(301), Refused),
            ("in an hour", at(3_600), Refused),
        ],
    ));
    cases
}

fn odd_times(world: &World) -> Vec<Case> {
    let text = Some(json!((NOW + 3_600).to_string()));
    let mut cases = of_claim(
        world,
        "exp",
        [
            ("missing", None, Refused),
            ("null", Some(Value::Null), Refused),
            ("text", text.clone(), Refused),
            ("date", Some(json!("2030-01-01T00:00:00Z")), Refused),
            ("true", Some(json!(true)), Refused),
            ("list", Some(json!([NOW + 3_600])), Refused),
            ("zero", Some(json!(0)), Refused),
            ("negative", Some(json!(-NOW)), Refused),
            ("the least of 64 bits", Some(json!(i64::MIN)), Refused),
            ("beyond 63 bits", Some(json!(u64::MAX)), Refused),
            ("with a fraction", Some(json!(3_591_216_000.5)), Accepted),
            ("with a fraction, past", Some(json!(1_000_000_000.5)), Refused),
            ("1e300", Some(json!(1e300)), Refused),
            ("negative fraction", Some(json!(-0.5)), Refused),
        ],
    );
    for claim in ["iat", "nbf"] {
        cases.extend(of_claim(
            world,
            claim,
            [
                ("text", text.clone(), Refused),
                ("as text in the past", Some(json!("0")), Refused),
                ("list", Some(json!([])), Refused),
                ("1e300", Some(json!(1e300)), Refused),
                ("the most of 63 bits", Some(json!(i64::MAX)), Refused),
                ("the least of 64 bits", Some(json!(i64::MIN)), Accepted),
            ],
        ));
    }
    for (name, number) in [
        ("exp: beyond every number", "1e400"),
        ("exp: of a thousand digits", &"9".repeat(1_000)),
        ("exp: with a leading zero", "03591216000"),
        ("exp: with a plus", "+3591216000"),
        ("exp: hexadecimal", "0xd6000000"),
        ("exp: not a number", "NaN"),
        ("exp: infinite", "Infinity"),
    ] {
        let claims = world.claims().to_string();
        let own = format!(r#""exp":{}"#, NOW - 60 + 3_600);
        assert!(claims.contains(&own), "{claims}");
        let claims = claims.replace(&own, &format!(r#""exp":{number}"#));
        let token = world.google.sign(world.google.header().to_string(), claims);
        cases.push(Case::of_token(name, &token, Refused));
    }
    for (name, member) in [
        ("exp: twice", format!(r#""exp":{}"#, NOW + 7_200)),
        ("iat: twice", format!(r#""iat":{NOW}"#)),
    ] {
        cases.push(Case::of_token(name, &with_more(world, &member), Refused));
    }
    cases
}

fn odd(world: &World) -> Vec<Case> {
    let genuine = world.claims().to_string();
    let inside = genuine.trim_matches(['{', '}']).to_owned();
    let header = world.google.header().to_string();
    let signed = |name: &str, claims: Vec<u8>, verdict: Verdict| {
        let name = format!("claims: {name}");
        Case::of_token(&name, &world.google.sign(&header, claims), verdict)
    };
    let utf16: Vec<u8> = genuine.encode_utf16().flat_map(u16::to_be_bytes).collect();
    vec![
        signed("with white space", format!("\n{{ {inside}\t}}\r\n").into(), Accepted),
        signed("with escapes", genuine.replace("\"iss\"", r#""\u0069s\u0073""#).into(), Accepted),
        signed(
            "with unknown members",
            format!(r#"{{{inside},"hd":{{"a":[1]}}}}"#).into(),
            Accepted,
        ),
        signed(
            "with an unread member twice",
            format!(r#"{{{inside},"sub":"1"}}"#).into(),
            Accepted,
        ),
        signed("twice", format!("{genuine}{genuine}").into(), Refused),
        signed("with text behind them", format!("{genuine} x").into(), Refused),
        signed("with a NUL behind them", format!("{genuine}\0").into(), Refused),
        signed("with a trailing comma", format!("{{{inside},}}").into(), Refused),
        signed("with a comment", format!("{genuine}/* */").into(), Refused),
        signed("cut", genuine[..genuine.len() - 1].into(), Refused),
        signed("in a list", format!("[{genuine}]").into(), Refused),
        signed("as text", Value::from(genuine.as_str()).to_string().into(), Refused),
        signed("in an object", format!(r#"{{"claims":{genuine}}}"#).into(), Refused),
        signed("null", b"null".to_vec(), Refused),
        signed("of no members", b"{}".to_vec(), Refused),
        signed("with a byte order mark", format!("\u{feff}{genuine}").into(), Refused),
        signed("in UTF-16", utf16, Refused),
        signed("names in upper case", genuine.replace("\"aud\"", "\"AUD\"").into(), Refused),
        signed("in single quotes", genuine.replace('"', "'").into(), Refused),
        signed("not JSON", b"pusher".to_vec(), Refused),
    ]
}
