//! How does Google sign the tokens of its Pub/Sub pushes, and who publishes the keys?
//!
//! Source: Google Cloud, "Authenticate push subscriptions"; RFC 7515 to 7519. [`JwtForgery`] makes
//! the tokens that a receiver must refuse, [`KeySetServer`] plays the key endpoint.

mod forge;
mod server;

use std::{fmt, sync::Arc};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaEncoding},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use serde_json::{Value, json};

pub use forge::JwtForgery;
pub(crate) use forge::warm_up;
pub use server::{KeySetAnswer, KeySetServer};

/// How long a token of Google's is good for, in seconds.
pub const LIFETIME: i64 = 3_600;
/// Google's issuer, in both spellings that it uses.
const ISSUERS: [&str; 2] = ["https://accounts.google.com", "accounts.google.com"];

/// Why there is no signer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignerError {
    /// A key without a name can be in no key set.
    #[error("the key id is empty; name the key")]
    Kid,
    /// The system gave no randomness, or the memory ended.
    #[error("no RSA key could be made")]
    Generate,
    /// Not the private key of an RSA pair of 2,048 to 8,192 bits.
    #[error("this is no RSA private key in PKCS#8 (DER) of 2048 to 8192 bits")]
    Pkcs8,
}

/// What a token says; the members are those of Google's tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TokenClaims {
    /// The audience: what the push subscription was configured with.
    pub aud: String,
    /// The numeric id of the service account.
    pub azp: String,
    /// The address of the service account.
    pub email: String,
    /// Always true in what Google sends.
    pub email_verified: bool,
    /// When it ends, in seconds since 1970-01-01 UTC.
    pub exp: i64,
    /// When it was issued.
    pub iat: i64,
    /// Who issued it.
    pub iss: String,
    /// From when on it is good; Google leaves it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    /// The numeric id again.
    pub sub: String,
}

impl TokenClaims {
    /// A genuine token's claims, good for an hour from `issued` (seconds since 1970-01-01 UTC).
    pub fn new(audience: &str, service_account: &str, issued: i64) -> Self {
        const ACCOUNT_ID: &str = "117204586139270058843";
        Self {
            aud: audience.into(),
            azp: ACCOUNT_ID.into(),
            email: service_account.into(),
            email_verified: true,
            exp: issued.saturating_add(LIFETIME),
            iat: issued,
            iss: ISSUERS[0].into(),
            nbf: None,
            sub: ACCOUNT_ID.into(),
        }
    }

    /// The same claims with the issuer in its other spelling.
    #[must_use]
    pub fn without_scheme(self) -> Self {
        Self { iss: ISSUERS[1].into(), ..self }
    }
}

/// An RSA key that signs tokens. Clones share the key.
#[derive(Clone)]
pub struct Signer {
    kid: Arc<str>,
    pair: Arc<KeyPair>,
}

// The key is a secret: only its name is shown.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signer").field(&self.kid).finish()
    }
}

impl Signer {
    /// A new key of 2,048 bits, which takes a fraction of a second.
    ///
    /// # Errors
    /// When `kid` is empty or no key can be made.
    pub fn generate(kid: &str) -> Result<Self, SignerError> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| SignerError::Generate)?;
        Self::new(kid, pair)
    }

    /// The key that [`Signer::pkcs8`] gave.
    ///
    /// # Errors
    /// When `kid` is empty or `der` is no RSA private key in PKCS#8.
    pub fn from_pkcs8(kid: &str, der: &[u8]) -> Result<Self, SignerError> {
        Self::new(kid, KeyPair::from_pkcs8(der).map_err(|_| SignerError::Pkcs8)?)
    }

    fn new(kid: &str, pair: KeyPair) -> Result<Self, SignerError> {
        if kid.is_empty() {
            return Err(SignerError::Kid);
        }
        Ok(Self { kid: kid.into(), pair: Arc::new(pair) })
    }

    /// The key's name.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The private key as PKCS#8 (DER): a secret, for another process that signs with it.
    pub fn pkcs8(&self) -> Vec<u8> {
        let der: Pkcs8V1Der<'_> = self.pair.as_der().expect("a pair that signs can be written");
        der.as_ref().to_vec()
    }

    /// A JSON Web Key Set with this key alone.
    pub fn jwks(&self) -> String {
        Self::jwks_of([self])
    }

    /// A JSON Web Key Set with several keys, as during a rotation.
    pub fn jwks_of<'a>(signers: impl IntoIterator<Item = &'a Self>) -> String {
        let keys: Vec<Value> = signers.into_iter().map(Self::jwk).collect();
        json!({ "keys": keys }).to_string()
    }

    /// RFC 7517 and RFC 7518, section 6.3.1.
    fn jwk(&self) -> Value {
        let (n, e) = self.components();
        json!({
            "kty": "RSA", "alg": "RS256", "use": "sig", "kid": &*self.kid,
            "n": URL_SAFE_NO_PAD.encode(n), "e": URL_SAFE_NO_PAD.encode(e),
        })
    }

    /// Modulus and exponent without leading zeros, out of the `RSAPublicKey` of RFC 8017, A.1.1.
    fn components(&self) -> (&[u8], &[u8]) {
        let der = self.pair.public_key().as_ref();
        let (mut sequence, _) = take(der);
        let mut next = || {
            let (integer, rest) = take(sequence);
            sequence = rest;
            let sign = integer.iter().take_while(|byte| **byte == 0).count();
            &integer[sign..]
        };
        (next(), next())
    }

    /// A genuine token for these claims (RS256).
    pub fn token(&self, claims: &TokenClaims) -> String {
        self.sign(&self.header(), &json!(claims))
    }

    /// A token of this header and these claims, whether they make sense or not, signed with RS256.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = signing_input(header, claims);
        let signature = self.signature(&RSA_PKCS1_SHA256, &signed);
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn header(&self) -> Value {
        json!({ "alg": "RS256", "kid": &*self.kid, "typ": "JWT" })
    }

    fn signature(&self, encoding: &'static dyn RsaEncoding, signed: &str) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(encoding, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .expect("the buffer has the length of the modulus");
        signature
    }
}

/// What a signature covers (RFC 7515, section 5.1).
fn signing_input(header: &Value, claims: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", encode(header), encode(claims))
}

/// The contents of a DER value of the crypto library's own making, and what stands behind it.
fn take(der: &[u8]) -> (&[u8], &[u8]) {
    let length = usize::from(der[1]);
    let (start, length) = match length {
        0..=127 => (2, length),
        _ => {
            let end = 2 + length - 128;
            (end, der[2..end].iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
        }
    };
    der[start..].split_at(length)
}
