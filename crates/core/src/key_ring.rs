//! Which keys sign and verify hook tokens, and seal quarantined deliveries?

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::claims::{Claims, EncodeError};
use crate::reason::Reason;
use crate::secret::Secret;
use crate::service::Service;
use crate::time::Day;

type HmacSha256 = Hmac<Sha256>;

/// First part of every token: the version of its form.
const VERSION: &str = "p1";
/// The tag is the first 16 bytes of HMAC-SHA256.
const TAG: usize = 16;
/// A longer text is no token, whatever it holds: bounds the work that a stranger can ask for.
const LONGEST_TOKEN: usize = 1_400;
/// Shortest ring key, in bytes.
const SHORTEST_KEY: usize = 32;
const SEAL_INFO: &[u8] = b"postern quarantine v1";

/// The keys: several verify, one signs.
pub struct KeyRing {
    keys: Vec<RingKey>,
    signing: usize,
}

struct RingKey {
    kid: String,
    /// Keyed MAC state for each service, in the order of [`Service::HOOKED`].
    hooks: [HmacSha256; Service::HOOKED.len()],
    seal: Zeroizing<[u8; 32]>,
}

/// Why a ring cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    /// A key id leaves the alphabet.
    #[error("key id {kid:?} must be 1 to 8 of a-z 0-9 -")]
    Kid {
        /// The key id.
        kid: String,
    },
    /// A key is too short.
    #[error(
        "key {kid} holds {bytes} bytes, at least 32 are needed: fill its file with the text of 32 random bytes in hex or \
         base64, such as `openssl rand -hex 32` prints"
    )]
    Short {
        /// The key id.
        kid: String,
        /// Its length.
        bytes: usize,
    },
    /// The same key id twice.
    #[error("key id {kid} is given twice")]
    Twice {
        /// The key id.
        kid: String,
    },
    /// The signing key is not in the ring.
    #[error("signing key {kid:?} is not among the keys")]
    Signing {
        /// The key id.
        kid: String,
    },
}

/// Why a token cannot be minted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MintError {
    /// The claims cannot be encoded.
    #[error(transparent)]
    Claims(#[from] EncodeError),
    /// Deliveries of that service carry no token.
    #[error("{service} deliveries carry no hook token")]
    NoToken {
        /// The service.
        service: Service,
    },
    /// The provider would refuse or cut it.
    #[error(
        "the token takes {bytes} bytes, {service} allows {limit}: shorten the label, subject, user or tenant"
    )]
    TooLong {
        /// The service it is for.
        service: Service,
        /// Its length.
        bytes: usize,
        /// What the provider allows.
        limit: usize,
    },
}

/// What `token inspect` tells of a token that verifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// The key that signed it.
    pub kid: String,
    /// What it says.
    pub claims: Claims,
    /// The services that it verifies for.
    pub services: Vec<Service>,
}

/// Something sealed does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The ring does not hold the key that sealed it.
    #[error("the ring does not hold the key that sealed it")]
    UnknownKey,
    /// The ciphertext, its service or its key is not what was sealed.
    #[error("it does not open: changed, cut, or sealed for another service")]
    Changed,
}

impl KeyRing {
    /// Builds a ring of `(kid, key)` pairs; `signing` names the one that signs and seals.
    ///
    /// # Errors
    /// The first thing that is wrong with the ring.
    pub fn new(signing: &str, keys: Vec<(String, Secret)>) -> Result<Self, RingError> {
        let mut ring: Vec<RingKey> = Vec::with_capacity(keys.len());
        for (kid, secret) in keys {
            if !is_kid(&kid) {
                return Err(RingError::Kid { kid });
            }
            if ring.iter().any(|key| key.kid == kid) {
                return Err(RingError::Twice { kid });
            }
            let bytes = secret.expose();
            if bytes.len() < SHORTEST_KEY {
                return Err(RingError::Short { kid, bytes: bytes.len() });
            }
            ring.push(RingKey::derive(kid, bytes));
        }
        let signing = ring
            .iter()
            .position(|key| key.kid == signing)
            .ok_or_else(|| RingError::Signing { kid: signing.to_owned() })?;
        Ok(Self { keys: ring, signing })
    }

    /// Mints a token for a service with the signing key.
    ///
    /// # Errors
    /// When the claims cannot be encoded, or the token does not fit the provider's limit.
    pub fn mint(&self, service: Service, claims: &Claims) -> Result<String, MintError> {
        if !Service::HOOKED.contains(&service) {
            return Err(MintError::NoToken { service });
        }
        let key = &self.keys[self.signing];
        let claims = BASE64_URL_SAFE_NO_PAD.encode(claims.encode()?);
        let mut token = format!("{VERSION}.{}.{claims}", key.kid);
        let tag = key.tag(service, token.as_bytes());
        token.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(tag, &mut token);
        let limit = service.token_limit();
        if token.len() > limit {
            return Err(MintError::TooLong { service, bytes: token.len(), limit });
        }
        Ok(token)
    }

    /// Verifies a token for a service on a day.
    ///
    /// # Errors
    /// In this order: malformed, unknown key (without MAC work), forged, expired.
    pub fn verify(&self, service: Service, token: &str, today: Day) -> Result<Claims, Reason> {
        let claims = self.prove(service, token)?;
        if claims.expired(today) { Err(Reason::ExpiredToken) } else { Ok(claims) }
    }

    /// Like [`KeyRing::verify`], for any day.
    pub(crate) fn prove(&self, service: Service, token: &str) -> Result<Claims, Reason> {
        let parts = Parts::split(token).ok_or(Reason::MalformedToken)?;
        let key = self.key(parts.kid).ok_or(Reason::UnknownKey)?;
        if key.verifies(service, &parts) { Ok(parts.claims) } else { Err(Reason::ForgedToken) }
    }

    /// Reads a token and says which services it verifies for, expired or not.
    ///
    /// # Errors
    /// Malformed, unknown key, or forged for every service.
    pub fn inspect(&self, token: &str) -> Result<Inspected, Reason> {
        let parts = Parts::split(token).ok_or(Reason::MalformedToken)?;
        let key = self.key(parts.kid).ok_or(Reason::UnknownKey)?;
        let services: Vec<Service> =
            Service::HOOKED.into_iter().filter(|&service| key.verifies(service, &parts)).collect();
        if services.is_empty() {
            return Err(Reason::ForgedToken);
        }
        Ok(Inspected { kid: parts.kid.to_owned(), claims: parts.claims, services })
    }

    /// The id of the key that signs and seals.
    #[must_use]
    pub fn signing_kid(&self) -> &str {
        &self.keys[self.signing].kid
    }

    /// Seals `plain` under the signing key with AES-256-GCM, bound to `context`: nonce, ciphertext and tag.
    pub(crate) fn seal(&self, context: &str, mut plain: Vec<u8>) -> Vec<u8> {
        let key = self.keys[self.signing].aead();
        let nonce = key
            .seal_in_place_append_tag(Aad::from(context.as_bytes()), &mut plain)
            .expect("AES-256-GCM takes up to 64 GiB, a body is far below");
        let mut sealed = Vec::with_capacity(NONCE_LEN + plain.len());
        sealed.extend_from_slice(nonce.as_ref());
        sealed.append(&mut plain);
        sealed
    }

    /// Opens what [`KeyRing::seal`] made.
    pub(crate) fn open(
        &self,
        kid: &str,
        context: &str,
        sealed: &[u8],
    ) -> Result<Vec<u8>, OpenError> {
        let key = self.key(kid).ok_or(OpenError::UnknownKey)?.aead();
        let (nonce, ciphertext) = sealed.split_at_checked(NONCE_LEN).ok_or(OpenError::Changed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| OpenError::Changed)?;
        let mut buffer = ciphertext.to_vec();
        let plain = key
            .open_in_place(nonce, Aad::from(context.as_bytes()), &mut buffer)
            .map_err(|_| OpenError::Changed)?
            .len();
        buffer.truncate(plain);
        Ok(buffer)
    }

    fn key(&self, kid: &str) -> Option<&RingKey> {
        self.keys.iter().find(|key| key.kid == kid)
    }
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| &key.kid)).finish()
    }
}

impl RingKey {
    fn derive(kid: String, secret: &[u8]) -> Self {
        let kdf = hkdf::Hkdf::<Sha256>::new(None, secret);
        let expand = |info: &[&[u8]]| {
            let mut key = Zeroizing::new([0; 32]);
            kdf.expand_multi_info(info, key.as_mut_slice())
                .expect("32 bytes are below the 8,160 that HKDF-SHA256 can give");
            key
        };
        let hooks = Service::HOOKED.map(|service| {
            let key = expand(&[b"postern hook v1 ", service.as_str().as_bytes()]);
            HmacSha256::new_from_slice(key.as_slice()).expect("HMAC takes a key of any length")
        });
        Self { kid, hooks, seal: expand(&[SEAL_INFO]) }
    }

    fn tag(&self, service: Service, signed: &[u8]) -> [u8; TAG] {
        let mut mac = self.hooks[service as usize].clone();
        mac.update(signed);
        let mut tag = [0; TAG];
        tag.copy_from_slice(&mac.finalize().into_bytes()[..TAG]);
        tag
    }

    fn verifies(&self, service: Service, parts: &Parts<'_>) -> bool {
        Service::HOOKED.contains(&service)
            && self.tag(service, parts.signed.as_bytes()).ct_eq(&parts.tag).into()
    }

    fn aead(&self) -> RandomizedNonceKey {
        RandomizedNonceKey::new(&AES_256_GCM, self.seal.as_slice())
            .expect("the derived key has the 32 bytes of AES-256")
    }
}

/// A token taken apart; nothing is proven yet.
struct Parts<'a> {
    kid: &'a str,
    claims: Claims,
    signed: &'a str,
    tag: [u8; TAG],
}

impl<'a> Parts<'a> {
    fn split(token: &'a str) -> Option<Self> {
        if token.len() > LONGEST_TOKEN {
            return None;
        }
        let (signed, tag) = token.rsplit_once('.')?;
        let mut parts = signed.split('.');
        let (version, kid, claims) = (parts.next()?, parts.next()?, parts.next()?);
        if version != VERSION || parts.next().is_some() || !is_kid(kid) {
            return None;
        }
        // The engine refuses padding and non-zero trailing bits, so one text stands for one value.
        let tag: [u8; TAG] = BASE64_URL_SAFE_NO_PAD.decode(tag).ok()?.try_into().ok()?;
        let claims = Claims::decode(&BASE64_URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
        Some(Self { kid, claims, signed, tag })
    }
}

/// Why a token fails where there is no ring at all: its key is unknown, unless it is no token.
pub(crate) fn without_ring(token: &str) -> Reason {
    if Parts::split(token).is_some() { Reason::UnknownKey } else { Reason::MalformedToken }
}

fn is_kid(text: &str) -> bool {
    (1..=8).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}
