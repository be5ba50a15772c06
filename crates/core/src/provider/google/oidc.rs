//! Is a Pub/Sub push really Google's, for us? The OIDC token of its `Authorization` header.
//!
//! Source: Google Cloud, "Authenticate push subscriptions"; RFC 7519; RFC 8725 for what is not taken from a token:
//! no header member but `kid` is followed anywhere, and RS256 is the only algorithm.

mod key_set;

use aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::de::{IgnoredAny, MapAccess};
use sha2::{Digest as _, Sha256};

use super::source::PubsubSource;
use crate::json::{Faults, Json, Members, Name, Text};
use crate::time::UnixMillis;

pub use key_set::{KeySet, KeySetError};

/// Google's issuer, in both spellings that it uses.
const ISSUERS: [&str; 2] = ["https://accounts.google.com", "accounts.google.com"];
/// How far apart the clocks may be.
const LEEWAY_SECONDS: i64 = 300;
/// A longer token is none of Google's (theirs have about 1,100 bytes); bounds the work for a stranger.
const LONGEST_TOKEN: usize = 8 << 10;
/// Verified tokens that are remembered: Google uses one for many messages of a subscription.
const REMEMBERED: usize = 1_024;

/// Why a request is not authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// Not a token of this source.
    #[error("no token that authenticates this source")]
    Unauthenticated,
    /// Signed by a key that the set does not hold: a newer set may.
    #[error("the token names a key that is not known yet")]
    UnknownKey,
}

/// A bearer token of the form of a JWT; nothing is proven yet.
#[derive(Clone, Copy, Debug)]
pub struct Bearer<'h> {
    token: &'h str,
    signed: &'h str,
    header: &'h str,
    claims: &'h str,
    signature: &'h str,
}

impl<'h> Bearer<'h> {
    /// Reads an `Authorization` header; `None` for anything but a bearer token of three base64url parts.
    #[must_use]
    pub fn read(authorization: &'h [u8]) -> Option<Self> {
        let text = std::str::from_utf8(authorization).ok()?.trim_matches(' ');
        let (scheme, token) = text.split_once(' ')?;
        let token = token.trim_start_matches(' ');
        if !scheme.eq_ignore_ascii_case("bearer") || token.len() > LONGEST_TOKEN {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        // To the end of each, which compiles to a look at many bytes at once: most tokens are good.
        let fits = |byte: u8| byte.is_ascii_alphanumeric() | (byte == b'-') | (byte == b'_');
        let base64url =
            |part: &str| !part.is_empty() & part.bytes().fold(true, |all, byte| all & fits(byte));
        let formed = [header, claims, signature].into_iter().all(base64url);
        formed.then_some(Self { token, signed, header, claims, signature })
    }
}

/// Verifies tokens, and remembers those that were good.
#[derive(Debug)]
pub struct Verifier {
    good: quick_cache::sync::Cache<[u8; 32], Good>,
}

/// A token that was verified for a source.
#[derive(Clone, Debug)]
struct Good {
    source: String,
    kid: String,
    /// The key that signed it.
    print: [u8; 32],
    times: Times,
}

/// The instants of a token, in seconds since 1970-01-01.
#[derive(Clone, Copy, Debug, Default)]
struct Times {
    exp: i64,
    nbf: Option<i64>,
    iat: Option<i64>,
}

impl Times {
    fn hold(&self, now: UnixMillis) -> bool {
        let now = now.0.div_euclid(1_000);
        let begun = |at: Option<i64>| at.is_none_or(|at| at <= now.saturating_add(LEEWAY_SECONDS));
        now < self.exp.saturating_add(LEEWAY_SECONDS) && begun(self.nbf) && begun(self.iat)
    }
}

impl Default for Verifier {
    fn default() -> Self {
        Self { good: quick_cache::sync::Cache::new(REMEMBERED) }
    }
}

impl Verifier {
    /// Verifies a token for a source.
    ///
    /// # Errors
    /// [`AuthError::UnknownKey`] where only a newer key set could tell, else [`AuthError::Unauthenticated`].
    pub fn verify(
        &self,
        bearer: Bearer<'_>,
        keys: &KeySet,
        source: &PubsubSource,
        now: UnixMillis,
    ) -> Result<(), AuthError> {
        let digest: [u8; 32] = Sha256::digest(bearer.token.as_bytes()).into();
        if let Some(good) = self.good.get(&digest)
            && good.source == source.name
            && keys.key(&good.kid).is_some_and(|key| key.print == good.print)
        {
            return if good.times.hold(now) { Ok(()) } else { Err(AuthError::Unauthenticated) };
        }
        let good = prove(bearer, keys, source, now)?;
        self.good.insert(digest, good);
        Ok(())
    }
}

fn prove(
    bearer: Bearer<'_>,
    keys: &KeySet,
    source: &PubsubSource,
    now: UnixMillis,
) -> Result<Good, AuthError> {
    let refused = AuthError::Unauthenticated;
    let decode = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| refused);
    let header = decode(bearer.header)?;
    let header: Header<'_> = object(&header).ok_or(refused)?;
    let rs256 = header.alg.as_deref() == Some("RS256");
    let kid = header.kid.filter(|kid| rs256 && !kid.is_empty()).ok_or(refused)?;
    // The claims are looked at first: they cost less than the signature, and decide whether a key is worth a fetch.
    let claims = decode(bearer.claims)?;
    let claims: Claims<'_> = object(&claims).ok_or(refused)?;
    let times = claims.accepted_by(source).filter(|times| times.hold(now)).ok_or(refused)?;
    let signature = decode(bearer.signature)?;
    let key = keys.key(&kid).ok_or(AuthError::UnknownKey)?;
    key.rsa
        .verify(&RSA_PKCS1_2048_8192_SHA256, bearer.signed.as_bytes(), &signature)
        .map_err(|_| refused)?;
    Ok(Good { source: source.name.clone(), kid: kid.into_owned(), print: key.print, times })
}

/// Reads an object in which nothing that is read is faulty.
fn object<'b, O: Members<'b>>(json: &'b [u8]) -> Option<O> {
    match serde_json::from_slice(json) {
        Ok(Json::Object(object)) => Some(object),
        _ => None,
    }
}

/// The JOSE header, as far as it is followed.
#[derive(Default)]
struct Header<'b> {
    alg: Text<'b>,
    kid: Text<'b>,
}

impl<'b> Members<'b> for Header<'b> {
    fn read<A: MapAccess<'b>>(mut map: A) -> Result<Self, A::Error> {
        let mut header = Self::default();
        let mut faults = Faults::default();
        while let Some(Name(name)) = map.next_key()? {
            match &*name {
                "alg" => faults.text(0, &mut header.alg, map.next_value::<Json<'b>>()?),
                "kid" => faults.text(1, &mut header.kid, map.next_value::<Json<'b>>()?),
                // An extension that must be understood: none is.
                "crit" => {
                    map.next_value::<IgnoredAny>()?;
                    faults.add(true);
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(if faults.found() { Self::default() } else { header })
    }
}

#[derive(Default)]
struct Claims<'b> {
    faulty: bool,
    iss: Text<'b>,
    aud: Text<'b>,
    email: Text<'b>,
    email_verified: bool,
    exp: Option<i64>,
    nbf: Option<i64>,
    iat: Option<i64>,
}

impl Claims<'_> {
    /// The token's instants, if everything else of it is what this source expects.
    fn accepted_by(&self, source: &PubsubSource) -> Option<Times> {
        let issued = self.iss.as_deref().is_some_and(|iss| ISSUERS.contains(&iss));
        let accepted = !self.faulty
            && issued
            && self.aud.as_deref() == Some(source.audience.as_str())
            && self.email.as_deref() == Some(source.service_account.as_str())
            && self.email_verified;
        let exp = self.exp.filter(|_| accepted)?;
        Some(Times { exp, nbf: self.nbf, iat: self.iat })
    }
}

impl<'b> Members<'b> for Claims<'b> {
    fn read<A: MapAccess<'b>>(mut map: A) -> Result<Self, A::Error> {
        let mut claims = Self::default();
        let mut faults = Faults::default();
        while let Some(Name(name)) = map.next_key()? {
            let (number, slot) = match &*name {
                "iss" => (0, &mut claims.iss),
                "aud" => (1, &mut claims.aud),
                "email" => (2, &mut claims.email),
                "email_verified" => {
                    faults.see(3);
                    let verified: Json<'b> = map.next_value()?;
                    claims.email_verified = matches!(verified, Json::Truth(true));
                    continue;
                }
                "exp" | "nbf" | "iat" => {
                    let (number, slot) = match &*name {
                        "exp" => (4, &mut claims.exp),
                        "nbf" => (5, &mut claims.nbf),
                        _ => (6, &mut claims.iat),
                    };
                    faults.see(number);
                    *slot = seconds(&map.next_value()?);
                    // An instant of another type must not pass for one that is absent.
                    faults.add(slot.is_none());
                    continue;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            faults.text(number, slot, map.next_value::<Json<'b>>()?);
        }
        claims.faulty = faults.found();
        Ok(claims)
    }
}

/// A NumericDate: whole seconds, or with a fraction that is cut (RFC 7519, section 2).
fn seconds(value: &Json<'_>) -> Option<i64> {
    match value {
        Json::Number(number) => number.as_i64().or_else(|| {
            let float = number.as_f64().filter(|float| (0.0..9e15).contains(float))?;
            #[expect(clippy::cast_possible_truncation, reason = "in range by the filter")]
            Some(float as i64)
        }),
        _ => None,
    }
}
