//! Which hook tokens are published with their format, and how does another implementation sign one?

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use postern_core::claims::Claims;
use postern_core::key_ring::KeyRing;
use postern_core::reason::Reason;
use postern_core::secret::Secret;
use postern_core::service::Service;
use postern_core::time::Day;
use sha2::Sha256;

/// Published with the token format: service, key id, claims, token. Every key is the 32 bytes 00 01 .. 1f.
pub(crate) type Vector = (Service, &'static str, Told, &'static str);

/// Claims as text: tenant, user, subject, label, last day.
#[derive(Clone, Copy, Default)]
pub(crate) struct Told {
    pub(crate) tenant: &'static str,
    pub(crate) user: Option<&'static str>,
    pub(crate) subject: Option<&'static str>,
    pub(crate) label: Option<&'static str>,
    pub(crate) last_day: Option<&'static str>,
}

pub(crate) const fn told(tenant: &'static str) -> Told {
    Told { tenant, user: None, subject: None, label: None, last_day: None }
}

pub(crate) const INBOX: Told =
    Told { user: Some("user_123"), label: Some("inbox"), ..told("org_acme") };
pub(crate) const USER: Told = Told { user: Some("user_123"), ..told("org_acme") };

pub(crate) const VECTORS: [Vector; 10] = [
    (Service::Graph, "k1", told("org_acme"), "p1.k1.AQhvcmdfYWNtZQ.nDdMAsImbt9ZVgRzlPUI4w"),
    (
        Service::Graph,
        "k1",
        INBOX,
        "p1.k1.AQhvcmdfYWNtZQMIdXNlcl8xMjMHBWluYm94.DBFn87hiGKVVWOhR_yGUFg",
    ),
    (
        Service::Graph,
        "k1",
        Told {
            user: Some("84bd8158-6d4d-4958-8b9f-9d6445542f95"),
            label: Some("inbox-12"),
            ..told("3f2504e0-4f89-11d3-9a0c-0305e82c3301")
        },
        "p1.k1.AgA_JQTgT4kR05oMAwXoLDMBBACEvYFYbU1JWIufnWRFVC-VBwhpbmJveC0xMg.0WOmm-22RkkQLTCRqGQgDw",
    ),
    (
        Service::Graph,
        "k1",
        Told {
            user: Some("user_84bd8158-6d4d-4958-8b9f-9d6445542f95"),
            label: Some("inbox"),
            ..told("org_3f2504e0-4f89-11d3-9a0c-0305e82c3301")
        },
        "p1.k1.AgRvcmdfPyUE4E-JEdOaDAMF6CwzAQQFdXNlcl-EvYFYbU1JWIufnWRFVC-VBwVpbmJveA.aeLoCgB9kD5EyM--A8x8bQ",
    ),
    (
        Service::Graph,
        "k1",
        told("ORG_3F2504E0-4F89-11D3-9A0C-0305E82C3301"),
        "p1.k1.AShPUkdfM0YyNTA0RTAtNEY4OS0xMUQzLTlBMEMtMDMwNUU4MkMzMzAx.9BzOuH1Sxs8Ak18asL7b5w",
    ),
    (
        Service::Graph,
        "k2",
        Told { subject: Some("jane.doe@example.com"), label: Some("inbox"), ..told("org_acme") },
        "p1.k2.AQhvcmdfYWNtZQUUamFuZS5kb2VAZXhhbXBsZS5jb20HBWluYm94.T2Rg0PqPqM6G41TIVxJKAQ",
    ),
    (
        Service::Graph,
        "prod-7",
        Told { last_day: Some("2026-11-24"), ..INBOX },
        "p1.prod-7.AQhvcmdfYWNtZQMIdXNlcl8xMjMHBWluYm94CFEt.Xqm5oE1WRFy_kbCBArrqFg",
    ),
    (Service::Calendar, "k1", USER, "p1.k1.AQhvcmdfYWNtZQMIdXNlcl8xMjM.igiu_E6Fjcw-qfhwkdMYrw"),
    (Service::Drive, "k1", USER, "p1.k1.AQhvcmdfYWNtZQMIdXNlcl8xMjM.iKOzYK1DadBJ8xFdNltvYQ"),
    (
        Service::Ews,
        "k1",
        Told { subject: Some("räkna@bank.example"), ..told("org_bank") },
        "p1.k1.AQhvcmdfYmFuawUTcsOka25hQGJhbmsuZXhhbXBsZQ.mW4TDdtpjnjyvqhnAOY7Zg",
    ),
];

pub(crate) const KEY: [u8; 32] = {
    let mut key = [0; 32];
    let mut at = 0;
    while at < 32 {
        key[at] = at as u8;
        at += 1;
    }
    key
};
pub(crate) const TOKEN: &str = VECTORS[1].3;

impl Told {
    pub(crate) fn claims(self) -> Claims {
        Claims {
            tenant: self.tenant.to_owned(),
            user: self.user.map(str::to_owned),
            subject: self.subject.map(str::to_owned),
            label: self.label.map(str::to_owned),
            last_day: self.last_day.map(day),
        }
    }
}

pub(crate) fn day(text: &str) -> Day {
    Day::parse(text).expect("a day")
}

pub(crate) fn ring_signing_with(signing: &str) -> KeyRing {
    let key = || Secret::from_file_content(KEY.to_vec());
    let keys = ["k1", "k2", "prod-7"].map(|kid| (kid.to_owned(), key()));
    KeyRing::new(signing, keys.into()).expect("a good ring")
}

/// On a day on which every vector is valid.
pub(crate) fn verify(service: Service, token: &str) -> Result<Claims, Reason> {
    ring_signing_with("k1").verify(service, token, day("2026-11-24"))
}

/// Signs anything, as only a holder of the key can, by another implementation of the format: HKDF-SHA256 without salt
/// is two HMACs, the first under 32 zero bytes.
pub(crate) fn sign(service: Service, kid: &str, claims: &[u8]) -> String {
    sign_text(service, &format!("p1.{kid}.{}", BASE64.encode(claims)))
}

pub(crate) fn sign_text(service: Service, signed: &str) -> String {
    let hmac = |key: &[u8], message: &[u8]| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
        mac.update(message);
        mac.finalize().into_bytes().to_vec()
    };
    let extracted = hmac(&[0; 32], &KEY);
    let info = [b"postern hook v1 ", service.as_str().as_bytes(), &[1]].concat();
    let tag = hmac(&hmac(&extracted, &info), signed.as_bytes());
    format!("{signed}.{}", BASE64.encode(&tag[..16]))
}
