//! Which reason does a strict reader of contract section 3 find in a value? Written for the tests
//! alone, apart from the code that mints.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use postern_sim::Reason;
use sha2::Sha256;

/// The tenant of a good token, or why it is none. `keys` are the ring that verifies.
pub(crate) fn read(
    value: Option<&str>,
    service: &str,
    today: u16,
    keys: &[(&str, &[u8])],
) -> Result<String, Reason> {
    let value = value.unwrap_or_default();
    if value.is_empty() {
        return Err(Reason::NoToken);
    }
    let parts: Vec<_> = value.split('.').collect();
    let [version, kid, claims, tag] = parts[..] else { return Err(Reason::MalformedToken) };
    let kid_fits = (1..=8).contains(&kid.len())
        && kid.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if version != "p1" || !kid_fits {
        return Err(Reason::MalformedToken);
    }
    let decode = |text| URL_SAFE_NO_PAD.decode(text).map_err(|_| Reason::MalformedToken);
    let (fields, tag) = (decode(claims)?, decode(tag)?);
    if tag.len() != 16 {
        return Err(Reason::MalformedToken);
    }
    let (tenant, last_day) = fields_of(&fields).ok_or(Reason::MalformedToken)?;
    let Some((_, key)) = keys.iter().find(|(name, _)| *name == kid) else {
        return Err(Reason::UnknownKey);
    };
    let mut derived = [0; 32];
    let info = format!("postern hook v1 {service}");
    Hkdf::<Sha256>::new(None, key).expand(info.as_bytes(), &mut derived).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&derived).unwrap();
    mac.update(&value.as_bytes()[..value.rfind('.').unwrap()]);
    if mac.verify_truncated_left(&tag).is_err() {
        return Err(Reason::ForgedToken);
    }
    if last_day.is_some_and(|day| day < today) {
        return Err(Reason::ExpiredToken);
    }
    Ok(tenant)
}

/// Tenant and last day; `None` when the fields break a rule.
fn fields_of(mut rest: &[u8]) -> Option<(String, Option<u16>)> {
    let (mut tenant, mut last_day, mut before) = (None, None, 0);
    while let [code, tail @ ..] = rest {
        let pair_twice = code % 2 == 0 && *code <= 6 && code - 1 == before;
        if *code <= before || pair_twice || *code > 8 || *code == 0 {
            return None;
        }
        before = *code;
        if *code == 8 {
            let day = tail.get(..2)?;
            last_day = Some(u16::from_be_bytes([day[0], day[1]]));
            rest = &tail[2..];
            continue;
        }
        let length = usize::from(*tail.first()?);
        let compact = matches!(code, 2 | 4 | 6);
        let end = 1 + length + if compact { 16 } else { 0 };
        let field = tail.get(1..end)?;
        let mut text = std::str::from_utf8(&field[..length]).ok()?.to_owned();
        if compact {
            text.push_str(&uuid(&field[length..]));
        } else if text.is_empty() || (*code != 7 && ends_in_uuid(&text)) {
            return None;
        }
        if *code <= 2 {
            tenant = Some(text);
        }
        rest = &tail[end..];
    }
    Some((tenant?, last_day))
}

fn uuid(bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

fn ends_in_uuid(text: &str) -> bool {
    let Some(start) = text.len().checked_sub(36) else { return false };
    let Some(tail) = text.get(start..) else { return false };
    tail.char_indices().all(|(place, letter)| match place {
        8 | 13 | 18 | 23 => letter == '-',
        _ => matches!(letter, '0'..='9' | 'a'..='f'),
    })
}
