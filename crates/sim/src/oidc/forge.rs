//! Which bearer tokens must a receiver refuse?

mod claims;

use std::sync::LazyLock;

use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    signature::{KeyPair as _, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use self::claims::wrong;
use super::{Signer, TokenClaims, signing_input};
use crate::rng::{Rng, Stream};

/// Somebody else's key. One for the whole process: making it takes a while.
static STRANGER: LazyLock<Signer> =
    LazyLock::new(|| Signer::generate("stranger").expect("the system makes keys"));

/// Makes what is made only once, so that no delivery waits for it.
pub(crate) fn warm_up(forgeries: &[JwtForgery]) {
    let foreign = [JwtForgery::OtherKey, JwtForgery::UnknownKid];
    if forgeries.iter().any(|forgery| foreign.contains(forgery)) {
        LazyLock::force(&STRANGER);
    }
}

/// A way for the `Authorization` of a push to be not genuine. But for what it names, everything
/// about the token is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JwtForgery {
    /// No header, or no token in it.
    Missing,
    /// No bearer token of three parts, or two of them.
    Malformed,
    /// Algorithm `none`.
    Unsigned,
    /// HS256, keyed with the public key in one of its spellings.
    HmacWithPublicKey,
    /// Another algorithm than RS256, correctly signed, or the word for it in another spelling.
    OtherAlgorithm,
    /// An extension that must be understood (`crit`).
    Critical,
    /// A key id that is in no key set, or none.
    UnknownKid,
    /// Signed by another key under the genuine key id; some bring that key, or its address, along.
    OtherKey,
    /// A genuine token that was changed after it was signed.
    Tampered,
    /// Over for longer than clocks may differ.
    Expired,
    /// `exp` absent or not a number.
    NoExpiry,
    /// `nbf` or `iat` at least a day ahead.
    NotYetValid,
    /// For somebody else, or for several.
    WrongAudience,
    /// Of another service account, or of none.
    WrongAccount,
    /// `email_verified` is anything but the boolean true.
    NotVerified,
    /// Issued by somebody else.
    WrongIssuer,
}

impl JwtForgery {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Missing,
        Self::Malformed,
        Self::Unsigned,
        Self::HmacWithPublicKey,
        Self::OtherAlgorithm,
        Self::Critical,
        Self::UnknownKid,
        Self::OtherKey,
        Self::Tampered,
        Self::Expired,
        Self::NoExpiry,
        Self::NotYetValid,
        Self::WrongAudience,
        Self::WrongAccount,
        Self::NotVerified,
        Self::WrongIssuer,
    ];

    /// A word for it, for command lines and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Unsigned => "unsigned",
            Self::HmacWithPublicKey => "hmac-with-public-key",
            Self::OtherAlgorithm => "other-algorithm",
            Self::Critical => "critical",
            Self::UnknownKid => "unknown-kid",
            Self::OtherKey => "other-key",
            Self::Tampered => "tampered",
            Self::Expired => "expired",
            Self::NoExpiry => "no-expiry",
            Self::NotYetValid => "not-yet-valid",
            Self::WrongAudience => "wrong-audience",
            Self::WrongAccount => "wrong-account",
            Self::NotVerified => "not-verified",
            Self::WrongIssuer => "wrong-issuer",
        }
    }
}

impl Signer {
    /// The values of the `Authorization` header (none, one or two) in the place of
    /// `Bearer <token of these claims>`.
    ///
    /// The claims must be those of a token that is good now; times are told from their `iat`. `salt`
    /// picks among the many ways to be bad: the same salt gives the same values while the process
    /// lives.
    pub fn forge(&self, claims: &TokenClaims, forgery: JwtForgery, salt: u64) -> Vec<String> {
        let mut rng = Rng::new(salt, Stream::Jwt, forgery as u64);
        let token = match forgery {
            JwtForgery::Missing if rng.chance(0.5) => return Vec::new(),
            JwtForgery::Missing => return vec!["Bearer".into()],
            JwtForgery::Malformed => return malformed(&self.token(claims), &mut rng),
            JwtForgery::Unsigned => self.unsigned(claims, &mut rng),
            JwtForgery::HmacWithPublicKey => self.keyed(claims, &mut rng),
            JwtForgery::OtherAlgorithm => self.other_algorithm(claims, &mut rng),
            JwtForgery::Critical => self.critical(claims, &mut rng),
            JwtForgery::UnknownKid => self.unknown_kid(claims, &mut rng),
            JwtForgery::OtherKey => self.other_key(claims, &mut rng),
            JwtForgery::Tampered => self.tampered(claims, &mut rng),
            _ => self.sign(&self.header(), &wrong(claims, forgery, &mut rng)),
        };
        vec![format!("Bearer {token}")]
    }

    fn with_header(&self, name: &str, value: impl Into<Value>) -> Value {
        let mut header = self.header();
        header[name] = value.into();
        header
    }

    fn unsigned(&self, claims: &TokenClaims, rng: &mut Rng) -> String {
        let header = self.with_header("alg", rng.pick(&["none", "None", "NONE", "nOnE"]));
        let signed = signing_input(&header, &json!(claims));
        // Some forgers leave the signature of the genuine token in its place.
        let signature = if rng.chance(0.5) { "" } else { &self.token(claims) };
        format!("{signed}.{}", signature.rsplit('.').next().unwrap_or_default())
    }

    fn keyed(&self, claims: &TokenClaims, rng: &mut Rng) -> String {
        let signed = signing_input(&self.with_header("alg", "HS256"), &json!(claims));
        let key = self.public_spellings().swap_remove(rng.below(5) as usize);
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes keys of any length");
        mac.update(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }

    /// The public key as verifiers have been seen to hold it: PEM with and without the last line
    /// break, both DER forms, and the bare modulus.
    fn public_spellings(&self) -> Vec<Vec<u8>> {
        let public = self.pair.public_key();
        let spki: PublicKeyX509Der<'_> = public.as_der().expect("a public key can be written");
        let text = STANDARD.encode(spki.as_ref());
        let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
        for line in text.as_bytes().chunks(64) {
            pem.extend(line.iter().copied().map(char::from));
            pem.push('\n');
        }
        pem.push_str("-----END PUBLIC KEY-----");
        vec![
            format!("{pem}\n").into(),
            pem.into(),
            spki.as_ref().to_vec(),
            public.as_ref().to_vec(),
            self.components().0.to_vec(),
        ]
    }

    fn other_algorithm(&self, claims: &TokenClaims, rng: &mut Rng) -> String {
        let (name, encoding) = match rng.below(5) {
            0 => (json!("RS384"), &RSA_PKCS1_SHA384),
            1 => (json!("RS512"), &RSA_PKCS1_SHA512),
            // Signed with RS256, which only an exact comparison of the word finds out.
            word => {
                let word = [json!("rs256"), json!("RS256 "), Value::Null][word as usize - 2].take();
                return self.sign(&self.with_header("alg", word), &json!(claims));
            }
        };
        let signed = signing_input(&self.with_header("alg", name), &json!(claims));
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(self.signature(encoding, &signed)))
    }

    fn critical(&self, claims: &TokenClaims, rng: &mut Rng) -> String {
        let header = match rng.below(3) {
            0 => self.with_header("crit", json!(["exp"])),
            1 => {
                let mut header = self.with_header("crit", json!(["b64"]));
                header["b64"] = true.into();
                header
            }
            _ => self.with_header("crit", json!(["https://attacker.example/skip-verification"])),
        };
        self.sign(&header, &json!(claims))
    }

    fn unknown_kid(&self, claims: &TokenClaims, rng: &mut Rng) -> String {
        let kid = match rng.below(8) {
            0 => Value::Null,
            1 => "".into(),
            2 => "../../../../dev/null".into(),
            3 => "' OR '1'='1".into(),
            4 => json!([&*self.kid]),
            _ => format!("{:016x}{:016x}{:08x}", rng.next(), rng.next(), rng.below(1 << 32)).into(),
        };
        let signer = if rng.chance(0.5) { self } else { &STRANGER };
        signer.sign(&self.with_header("kid", kid), &json!(claims))
    }

    fn other_key(&self, claims: &TokenClaims, rng: &mut Rng) -> String {
        let url = "https://keys.attacker.example/oauth2/v3/certs";
        let header = match rng.below(6) {
            0 => self.with_header("jwk", STRANGER.jwk()),
            1 => self.with_header("jku", url),
            2 => self.with_header("x5u", url),
            _ => self.header(),
        };
        STRANGER.sign(&header, &json!(claims))
    }

    fn tampered(&self, claims: &TokenClaims, rng: &mut Rng) -> String {
        let token = self.token(claims);
        let (signed, signature) = token.rsplit_once('.').expect("three parts");
        let mut bytes = URL_SAFE_NO_PAD.decode(signature).expect("signed here");
        match rng.below(3) {
            0 => {
                let later = TokenClaims { exp: claims.exp + 600, ..claims.clone() };
                let signed = signing_input(&self.header(), &json!(later));
                return format!("{signed}.{signature}");
            }
            1 => bytes.truncate(bytes.len() - 1 - rng.below(200) as usize),
            _ => {
                let bit = rng.below(bytes.len() as u64 * 8) as usize;
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
        }
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(bytes))
    }
}

/// What is no single bearer token of three base64url parts.
fn malformed(token: &str, rng: &mut Rng) -> Vec<String> {
    let (signed, signature) = token.rsplit_once('.').expect("three parts");
    let claims = signed.split_once('.').expect("three parts").1;
    let not_json = URL_SAFE_NO_PAD.encode("not JSON");
    let header = match rng.below(11) {
        0 => "Basic cHVzaDpwYXNzd29yZA==".into(),
        1 => token.into(),
        2 => format!("Bearer {signed}"),
        3 => format!("Bearer {token}.{signature}"),
        4 => format!("Bearer {token}=="),
        5 => format!("Bearer {token}, Bearer {token}"),
        6 => format!("Bearer {not_json}.{claims}.{signature}"),
        7 => format!("Bearer {}", token.replace('.', ":")),
        8 => "Bearer a.b.c".into(),
        9 => format!("Token {token}"),
        _ => return vec![format!("Bearer {token}"), format!("Bearer {token}")],
    };
    vec![header]
}
