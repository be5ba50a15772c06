//! How is a hook token written, and who signs it?
//!
//! A hook token is the signed value that a provider echoes back with every notification
//! (contract section 3): `p1.<kid>.<claims>.<tag>`. This is the minting side only, written from the
//! contract; [`Forgery`] makes the tokens that a receiver must not trust.

mod forge;

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

pub use forge::Forgery;

/// The service a token is good for; a token of one never verifies for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// Microsoft Graph `clientState`, at most 128 characters.
    Graph,
    /// `X-Goog-Channel-Token` of a Calendar channel, at most 256 characters.
    Calendar,
    /// `X-Goog-Channel-Token` of a Drive channel, at most 256 characters.
    Drive,
    /// The last segment of an EWS push URL; 1,024 characters here, well within the 2,083 of a URL.
    Ews,
}

impl Service {
    const ALL: [Self; 4] = [Self::Graph, Self::Calendar, Self::Drive, Self::Ews];

    /// The word that stands in the key derivation.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Graph => "graph",
            Self::Calendar => "calendar",
            Self::Drive => "drive",
            Self::Ews => "ews",
        }
    }

    /// The longest token that the provider echoes, in characters.
    pub fn limit(self) -> usize {
        match self {
            Self::Graph => 128,
            Self::Calendar | Self::Drive => 256,
            Self::Ews => 1024,
        }
    }
}

/// What a token says about the connection that it belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Whose connection it is (mandatory).
    pub tenant: String,
    /// The user; `None` for an installation-level connection.
    pub user: Option<String>,
    /// The mailbox that an installation-level connection watches.
    pub subject: Option<String>,
    /// What the subscription watches, free text.
    pub label: Option<String>,
    /// The last day on which the token is valid, in days since 1970-01-01 UTC.
    pub last_day: Option<u16>,
}

/// Why a key ring or a token cannot be made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum HookError {
    /// A ring without a key signs nothing.
    #[error("the key ring is empty; give at least one key")]
    NoKey,
    /// The key's name breaks the contract's alphabet.
    #[error("key id {0:?} is not 1 to 8 of a-z, 0-9 and -; rename it")]
    Kid(String),
    /// Two keys carry one name.
    #[error("key id {0:?} is in the ring twice; remove one of the two")]
    DuplicateKid(String),
    /// The key is too short to be one.
    #[error("key {kid:?} has {bytes} bytes; it needs 32 or more")]
    ShortKey {
        /// The key's name.
        kid: String,
        /// How long it is.
        bytes: usize,
    },
    /// A claim that is given must hold something.
    #[error("claim {0} is empty; leave it out or fill it")]
    EmptyClaim(&'static str),
    /// A claim's length is one byte.
    #[error("claim {claim} has {bytes} bytes; a token holds at most 255 of it")]
    LongClaim {
        /// Which one.
        claim: &'static str,
        /// How long it is.
        bytes: usize,
    },
    /// The provider would refuse or cut the token.
    #[error("the {service} token has {bytes} bytes; the provider keeps {limit}", service = .service.as_str())]
    TooLong {
        /// The service it was for.
        service: Service,
        /// How long it is.
        bytes: usize,
        /// The most that fits.
        limit: usize,
    },
}

/// The keys that sign hook tokens. The first one signs unless another is named.
#[derive(Clone)]
pub struct KeyRing {
    keys: Vec<Key>,
}

#[derive(Clone)]
struct Key {
    kid: String,
    /// Keyed states, one a service: cloning one is cheaper than keying it again.
    macs: [Hmac<Sha256>; 4],
}

// Keys are secrets: only their names are shown.
impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| &key.kid)).finish()
    }
}

impl KeyRing {
    /// A ring of named keys, each of 32 or more bytes; the first one signs.
    ///
    /// # Errors
    /// When there is no key, a name breaks the alphabet or comes twice, or a key is too short.
    pub fn new<'a>(keys: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<Self, HookError> {
        let mut ring = Self { keys: Vec::new() };
        for (kid, secret) in keys {
            let named = matches!(kid.len(), 1..=8)
                && kid.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
            if !named {
                return Err(HookError::Kid(kid.into()));
            }
            if ring.keys.iter().any(|key| key.kid == kid) {
                return Err(HookError::DuplicateKid(kid.into()));
            }
            if secret.len() < 32 {
                return Err(HookError::ShortKey { kid: kid.into(), bytes: secret.len() });
            }
            ring.keys.push(Key::derive(kid, secret));
        }
        if ring.keys.is_empty() { Err(HookError::NoKey) } else { Ok(ring) }
    }

    /// A token signed by the first key.
    ///
    /// # Errors
    /// When a claim is empty or too long, or the provider would not keep the whole token.
    pub fn mint(&self, service: Service, claims: &Claims) -> Result<String, HookError> {
        self.mint_by(0, service, claims)
    }

    /// A token signed by the key at a place in the ring, counted round: during a rotation old and
    /// new keys are out there together.
    ///
    /// # Errors
    /// As [`KeyRing::mint`].
    pub fn mint_by(
        &self,
        place: usize,
        service: Service,
        claims: &Claims,
    ) -> Result<String, HookError> {
        let token = self.key(place).sign(service, &claims.encode()?);
        if token.len() > service.limit() {
            return Err(HookError::TooLong { service, bytes: token.len(), limit: service.limit() });
        }
        Ok(token)
    }

    fn key(&self, place: usize) -> &Key {
        &self.keys[place % self.keys.len()]
    }
}

impl Key {
    fn derive(kid: &str, secret: &[u8]) -> Self {
        let hkdf = Hkdf::<Sha256>::new(None, secret);
        let macs = Service::ALL.map(|service| {
            let mut derived = [0; 32];
            let info = [b"postern hook v1 ".as_slice(), service.as_str().as_bytes()];
            hkdf.expand_multi_info(&info, &mut derived).expect("32 bytes are one block");
            Hmac::new_from_slice(&derived).expect("HMAC takes keys of any length")
        });
        Self { kid: kid.into(), macs }
    }

    /// The token over claims that are already encoded, whether they make sense or not.
    fn sign(&self, service: Service, claims: &[u8]) -> String {
        let mut token = String::with_capacity(128);
        token.push_str("p1.");
        token.push_str(&self.kid);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let tag = self.tag(service, token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(tag, &mut token);
        token
    }

    fn tag(&self, service: Service, signed: &[u8]) -> [u8; 16] {
        let mut mac = self.macs[service as usize].clone();
        mac.update(signed);
        let full = mac.finalize().into_bytes();
        full[..16].try_into().expect("SHA-256 has 32 bytes")
    }
}

impl Claims {
    /// The fields of contract section 3 in ascending order.
    fn encode(&self) -> Result<Vec<u8>, HookError> {
        let mut out = Vec::with_capacity(80);
        push_text(&mut out, 1, "tenant", &self.tenant)?;
        if let Some(user) = &self.user {
            push_text(&mut out, 3, "user", user)?;
        }
        if let Some(subject) = &self.subject {
            push_text(&mut out, 5, "subject", subject)?;
        }
        if let Some(label) = &self.label {
            push_plain(&mut out, 7, "label", label)?;
        }
        if let Some(day) = self.last_day {
            out.push(8);
            out.extend_from_slice(&day.to_be_bytes());
        }
        Ok(out)
    }
}

/// Writes a text as field `code`, or as `code + 1` when it ends in a canonical lower-case UUID.
fn push_text(
    out: &mut Vec<u8>,
    code: u8,
    claim: &'static str,
    text: &str,
) -> Result<(), HookError> {
    let Some((prefix, uuid)) = split_uuid(text) else {
        return push_plain(out, code, claim, text);
    };
    let length = u8::try_from(prefix.len())
        .map_err(|_| HookError::LongClaim { claim, bytes: text.len() })?;
    out.extend_from_slice(&[code + 1, length]);
    out.extend_from_slice(prefix.as_bytes());
    out.extend_from_slice(&uuid);
    Ok(())
}

fn push_plain(
    out: &mut Vec<u8>,
    code: u8,
    claim: &'static str,
    text: &str,
) -> Result<(), HookError> {
    if text.is_empty() {
        return Err(HookError::EmptyClaim(claim));
    }
    let length =
        u8::try_from(text.len()).map_err(|_| HookError::LongClaim { claim, bytes: text.len() })?;
    out.extend_from_slice(&[code, length]);
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// What stands before a canonical lower-case UUID at the end of a text, and the UUID's bytes.
fn split_uuid(text: &str) -> Option<(&str, [u8; 16])> {
    let (prefix, tail) = text.split_at_checked(text.len().checked_sub(36)?)?;
    let mut uuid = [0; 16];
    let mut digits = 0;
    for (place, byte) in tail.bytes().enumerate() {
        let dash = matches!(place, 8 | 13 | 18 | 23);
        let value = match byte {
            b'-' if dash => continue,
            b'0'..=b'9' if !dash => byte - b'0',
            b'a'..=b'f' if !dash => byte - b'a' + 10,
            _ => return None,
        };
        uuid[digits / 2] = uuid[digits / 2] << 4 | value;
        digits += 1;
    }
    Some((prefix, uuid))
}
