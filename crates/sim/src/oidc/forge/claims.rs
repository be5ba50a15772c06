//! Which single fault can the claims of a token have?

use serde_json::{Value, json};

use super::JwtForgery;
use crate::{
    oidc::{LIFETIME, TokenClaims},
    rng::Rng,
};

const DAY: i64 = 86_400;
/// Further away than the leeway that the contract gives to clocks (300 s).
const BEYOND_LEEWAY: i64 = 400;

/// The claims with the one fault that the forgery names.
pub(super) fn wrong(claims: &TokenClaims, forgery: JwtForgery, rng: &mut Rng) -> Value {
    let now = claims.iat;
    let mut wrong = json!(claims);
    let mut set = |name: &str, values: &mut [Value]| {
        let place = rng.below(values.len() as u64) as usize;
        wrong[name] = values[place].take();
    };
    match forgery {
        JwtForgery::Expired => {
            let exp = now - BEYOND_LEEWAY - rng.below(7 * DAY as u64) as i64;
            (wrong["exp"], wrong["iat"]) = (exp.into(), (exp - LIFETIME).into());
        }
        JwtForgery::NoExpiry => {
            set(
                "exp",
                &mut [Value::Null, claims.exp.to_string().into(), true.into(), json!([now])],
            );
        }
        JwtForgery::NotYetValid => {
            let from = now + DAY + rng.below(30 * DAY as u64) as i64;
            let name = if rng.chance(0.5) { "nbf" } else { "iat" };
            (wrong[name], wrong["exp"]) = (from.into(), (from + LIFETIME).into());
        }
        JwtForgery::WrongAudience => {
            let aud = &claims.aud;
            set(
                "aud",
                &mut [
                    "https://other.example/v1/google/pubsub/gmail".into(),
                    format!("{aud}/").into(),
                    format!("{aud}?token=1").into(),
                    other_case(aud).into(),
                    json!([aud]),
                    Value::Null,
                ],
            );
        }
        JwtForgery::WrongAccount => {
            let account = &claims.email;
            set(
                "email",
                &mut [
                    "push@attacker-project.iam.gserviceaccount.com".into(),
                    format!("{account}.attacker.example").into(),
                    other_case(account).into(),
                    json!([account]),
                    Value::Null,
                ],
            );
        }
        JwtForgery::NotVerified => {
            set("email_verified", &mut [false.into(), "true".into(), Value::Null, 1.into()]);
        }
        JwtForgery::WrongIssuer => set(
            "iss",
            &mut [
                "https://accounts.google.com/".into(),
                "http://accounts.google.com".into(),
                "https://accounts.google.com.attacker.example".into(),
                "https://securetoken.google.com/project".into(),
                Value::Null,
            ],
        ),
        _ => unreachable!("not a matter of claims"),
    }
    // In a token an absent member is more likely than a null one.
    if let Value::Object(members) = &mut wrong
        && rng.chance(0.7)
    {
        members.retain(|_, value| !value.is_null());
    }
    wrong
}

/// The text with its letters in another case; a text without letters gets some.
fn other_case(text: &str) -> String {
    let upper = text.to_uppercase();
    if upper == text { format!("{text}x") } else { upper }
}
