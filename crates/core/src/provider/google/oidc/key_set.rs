//! Which keys does Google sign its tokens with? A JSON Web Key Set, as it is read.
//!
//! Source: RFC 7517; RFC 7518, section 6.3.

use aws_lc_rs::rsa::PublicKeyComponents;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// Google's public keys, by key id.
#[derive(Debug, Default)]
pub struct KeySet {
    keys: Vec<Key>,
}

/// One of its RSA keys.
#[derive(Debug)]
pub(super) struct Key {
    id: String,
    pub(super) rsa: PublicKeyComponents<Vec<u8>>,
    /// Tells it from another key that comes under the same id later.
    pub(super) print: [u8; 32],
}

/// A key set cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// No JSON Web Key Set.
    #[error("it is no JSON Web Key Set")]
    Unreadable,
    /// No usable key in it: keeping the old set is safer.
    #[error("it holds no RSA key for signatures")]
    Empty,
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<serde_json::Value>,
}

/// RFC 7517 and RFC 7518, section 6.3.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: String,
    n: String,
    e: String,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default, rename = "use")]
    usage: Option<String>,
}

impl KeySet {
    /// Reads a JSON Web Key Set; keys of other kinds are passed over.
    ///
    /// # Errors
    /// When it is none, or holds no usable key.
    pub fn parse(json: &[u8]) -> Result<Self, KeySetError> {
        let jwks: Jwks = serde_json::from_slice(json).map_err(|_| KeySetError::Unreadable)?;
        let keys: Vec<_> = jwks.keys.into_iter().filter_map(rsa_key).collect();
        if keys.is_empty() { Err(KeySetError::Empty) } else { Ok(Self { keys }) }
    }

    /// The key of that id.
    pub(super) fn key(&self, kid: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.id == kid)
    }
}

fn rsa_key(value: serde_json::Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    let is = |word: &Option<String>, wanted: &str| word.as_ref().is_none_or(|word| word == wanted);
    let usable = jwk.kty == "RSA" && is(&jwk.alg, "RS256") && is(&jwk.usage, "sig");
    let n = BASE64_URL_SAFE_NO_PAD.decode(jwk.n).ok()?;
    let e = BASE64_URL_SAFE_NO_PAD.decode(jwk.e).ok()?;
    // Below 2,048 bits the verification would refuse every signature anyway.
    let sized = (256..=1_024).contains(&n.len()) && (1..=8).contains(&e.len());
    let print = Sha256::new().chain_update(&n).chain_update(&e).finalize().into();
    (usable && sized && !jwk.kid.is_empty()).then_some(Key {
        id: jwk.kid,
        rsa: PublicKeyComponents { n, e },
        print,
    })
}
