//! Which values in a token's place must a receiver not trust, and for which reason?

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{Claims, HookError, Key, KeyRing, Service};
use crate::{
    delivery::Reason,
    rng::{Rng, Stream},
};

/// A way to be not genuine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Forgery {
    /// Absent or empty.
    NoToken,
    /// No hook token, or one that breaks its grammar; where it is signed, the tag is right.
    Malformed,
    /// A key id that is not in the ring.
    UnknownKid,
    /// A tag with flipped bits.
    ForgedTag,
    /// A genuine token whose last day is over.
    Expired,
    /// A genuine token of another service.
    OtherService,
    /// A genuine token of another tenant than the one in the URL; nothing but that URL makes it bad.
    TenantMismatch,
}

impl Forgery {
    /// All that are bad wherever they are sent; [`Forgery::TenantMismatch`] needs a tenant route.
    pub const ANYWHERE: [Self; 6] = [
        Self::NoToken,
        Self::Malformed,
        Self::UnknownKid,
        Self::ForgedTag,
        Self::Expired,
        Self::OtherService,
    ];

    /// The quarantine reason that the contract promises for it.
    pub fn reason(self) -> Reason {
        match self {
            Self::NoToken => Reason::NoToken,
            Self::Malformed => Reason::MalformedToken,
            Self::UnknownKid => Reason::UnknownKey,
            Self::ForgedTag | Self::OtherService => Reason::ForgedToken,
            Self::Expired => Reason::ExpiredToken,
            Self::TenantMismatch => Reason::TenantMismatch,
        }
    }
}

impl KeyRing {
    /// A bad token in the place of the one for `claims`; `None` where there is to be none at all.
    ///
    /// `today` is the day the receiver will judge it on, in days since 1970-01-01. `salt` picks
    /// among the many ways to be bad: the same salt gives the same value.
    ///
    /// # Errors
    /// As [`KeyRing::mint`]: the claims themselves must be good.
    pub fn forge(
        &self,
        service: Service,
        claims: &Claims,
        forgery: Forgery,
        today: u16,
        salt: u64,
    ) -> Result<Option<String>, HookError> {
        let mut rng = Rng::new(salt, Stream::Forgery, forgery as u64);
        let key = self.key(rng.next() as usize);
        let encoded = claims.encode()?;
        Ok(Some(match forgery {
            Forgery::NoToken => return Ok(rng.chance(0.5).then(String::new)),
            Forgery::Malformed => malformed(key, service, claims, &encoded, &mut rng),
            Forgery::UnknownKid => {
                let kid = self.unknown_kid(&mut rng);
                Key { kid, ..key.clone() }.sign(service, &encoded)
            }
            Forgery::ForgedTag => flip(&key.sign(service, &encoded), &mut rng),
            Forgery::Expired => {
                let days_over = 1 + rng.below(400) as u16;
                let last_day = Some(today.saturating_sub(days_over));
                key.sign(service, &Claims { last_day, ..claims.clone() }.encode()?)
            }
            Forgery::OtherService => {
                let others = Service::ALL.map(|other| (other != service).then_some(other));
                let place = rng.below(3) as usize;
                let other = others.into_iter().flatten().nth(place).expect("three others");
                key.sign(other, &encoded)
            }
            Forgery::TenantMismatch => {
                // Changes the first byte or the length, never the meaning of the rest.
                let tenant = format!("other-{:x}-{}", rng.below(1 << 16), short(&claims.tenant));
                let wrong = Claims { tenant, last_day: None, label: None, ..claims.clone() };
                key.sign(service, &wrong.encode()?)
            }
        }))
    }

    fn unknown_kid(&self, rng: &mut Rng) -> String {
        loop {
            let kid = format!("x{:x}", rng.below(1 << 24));
            if self.keys.iter().all(|key| key.kid != kid) {
                return kid;
            }
        }
    }
}

/// At most eight characters of a text.
fn short(text: &str) -> &str {
    text.char_indices().nth(8).map_or(text, |(end, _)| &text[..end])
}

/// The same token with one to three bits of its tag flipped, still canonical base64url.
fn flip(token: &str, rng: &mut Rng) -> String {
    let (signed, tag) = token.rsplit_once('.').expect("a token has three dots");
    let mut tag = URL_SAFE_NO_PAD.decode(tag).expect("signed here");
    let first = rng.below(128) as usize;
    for step in 0..=rng.below(3) as usize {
        // Distinct bits: the steps are smaller than the tag.
        let bit = (first + step * 41) % 128;
        tag[bit / 8] ^= 1 << (bit % 8);
    }
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn malformed(
    key: &Key,
    service: Service,
    claims: &Claims,
    encoded: &[u8],
    rng: &mut Rng,
) -> String {
    let token = key.sign(service, encoded);
    let last_dot = token.rfind('.').expect("a token has three dots");
    let longer = |tail: &[u8]| key.sign(service, &[encoded, tail].concat());
    match rng.below(14) {
        0 => format!("SecretClientState-{:016x}", rng.next()),
        1 => rng.uuid(),
        2 => "p1...".into(),
        3 => token[..last_dot].into(),
        4 => format!("{token}="),
        5 => token.replacen("p1.", "p2.", 1),
        6 => Key { kid: "K1_UPPER".into(), ..key.clone() }.sign(service, encoded),
        7 => Key { kid: "nine-long".into(), ..key.clone() }.sign(service, encoded),
        8 => loose_bits(&token),
        9 => token[..token.len() - 3].into(),
        // From here on the tag is right and the claims are wrong.
        10 => longer(&[9, 1, b'x']),
        11 => longer(&[1, 1, b'x']),
        12 => key.sign(service, &encoded[..encoded.len() - 1]),
        // A UUID as plain text, which the compact form must hold.
        _ => {
            let mut fields = vec![1, 36];
            fields.extend_from_slice(rng.uuid().as_bytes());
            if let Some(label) = claims.label.as_deref().map(short) {
                fields.extend_from_slice(&[7, label.len() as u8]);
                fields.extend_from_slice(label.as_bytes());
            }
            key.sign(service, &fields)
        }
    }
}

/// The token with one of the four unused bits behind its 16-byte tag set: same bytes, other text.
fn loose_bits(token: &str) -> String {
    let (rest, last) = token.split_at(token.len() - 1);
    // Of 22 characters for 16 bytes the last carries two bits: A, Q, g or w.
    let loose = match last {
        "A" => 'B',
        "Q" => 'R',
        "g" => 'h',
        _ => 'x',
    };
    format!("{rest}{loose}")
}
