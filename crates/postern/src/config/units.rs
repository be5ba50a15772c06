//! How are durations, sizes, addresses, URLs and dates written?
//!
//! No message repeats what was written: a value may be a secret that was put in the wrong place.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http::Uri;
use ipnet::IpNet;
use jiff::civil::Date;

const DURATIONS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const SIZES: [(&str, u64); 4] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// Reads a duration such as `2.5s`, `250ms`, `1m`, `12h`, `7d`, exact to the millisecond.
///
/// # Errors
/// What is expected.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let expected = || "write a duration such as \"2.5s\", \"250ms\", \"1m\" or \"7d\"".to_owned();
    let (number, unit) = split_unit(text, &DURATIONS).ok_or_else(expected)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if !is_digits(whole) || !is_digits(fraction) || fraction.len() > 9 {
        return Err(expected());
    }
    let too_long = || "this duration is too long".to_owned();
    let whole: u64 = whole.parse().map_err(|_| too_long())?;
    let scale = 10_u64.pow(u32::try_from(fraction.len()).expect("at most 9 digits"));
    let fraction: u64 = fraction.parse().expect("at most 9 digits");
    let part = u128::from(fraction) * u128::from(unit);
    if !part.is_multiple_of(u128::from(scale)) {
        return Err("durations are exact to the millisecond: use fewer digits".to_owned());
    }
    let part = u64::try_from(part / u128::from(scale)).map_err(|_| too_long())?;
    let millis = whole.checked_mul(unit).and_then(|millis| millis.checked_add(part));
    millis.map(Duration::from_millis).ok_or_else(too_long)
}

/// Reads a size such as `4MiB`, `64KiB`, `512B`, in bytes.
///
/// # Errors
/// What is expected.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let expected =
        || "write a size as a whole number of B, KiB, MiB or GiB, such as \"4MiB\"".to_owned();
    let (number, unit) = split_unit(text, &SIZES).ok_or_else(expected)?;
    if !is_digits(number) {
        return Err(expected());
    }
    let number: Option<u64> = number.parse().ok();
    number
        .and_then(|number| number.checked_mul(unit))
        .ok_or_else(|| "this size is too large".into())
}

/// Splits off the longest unit that the text ends in.
fn split_unit<'t>(text: &'t str, units: &[(&str, u64)]) -> Option<(&'t str, u64)> {
    let found = units.iter().filter(|(unit, _)| text.ends_with(unit));
    let &(unit, factor) = found.max_by_key(|(unit, _)| unit.len())?;
    Some((text.strip_suffix(unit)?.trim_end(), factor))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Writes a duration as [`duration`] reads it.
pub(crate) fn show_duration(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let exact = DURATIONS.iter().rev().find(|(_, unit)| millis.is_multiple_of(*unit));
    match exact {
        _ if millis == 0 => "0s".to_owned(),
        // "1500ms" reads better as "1.5s".
        Some((_, 1)) if millis > 1_000 && millis.is_multiple_of(100) => {
            format!("{}.{}s", millis / 1_000, millis % 1_000 / 100)
        }
        Some((name, unit)) => format!("{}{name}", millis / unit),
        None => format!("{millis}ms"),
    }
}

/// Writes a size as [`size`] reads it.
pub(crate) fn show_size(bytes: u64) -> String {
    match SIZES.iter().rev().find(|(_, unit)| bytes.is_multiple_of(*unit)) {
        Some((name, unit)) if bytes > 0 => format!("{}{name}", bytes / unit),
        _ => format!("{bytes}B"),
    }
}

/// Reads a listener's address, such as `127.0.0.1:8080` or `[::]:8080`.
///
/// # Errors
/// What is expected.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "write an IP address and a port, such as \"127.0.0.1:8080\", \"0.0.0.0:8080\" or \"[::]:8080\""
            .to_owned()
    })
}

/// Reads a network such as `203.0.113.0/24`; a single address stands for itself.
///
/// # Errors
/// What is expected.
pub(crate) fn network(text: &str) -> Result<IpNet, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address));
    }
    let network: IpNet = text.parse().map_err(|_| {
        "write an address range in CIDR form, such as \"203.0.113.0/24\" or \"2001:db8::/32\""
            .to_owned()
    })?;
    if network.addr() == network.network() {
        Ok(network)
    } else {
        Err("the address has bits set beyond its prefix: name the network, or use /32 (/128) for one host"
            .to_owned())
    }
}

/// Reads the URL under which providers reach the edge: `https`, or `http` to a loopback host; without user, query
/// or fragment; a trailing slash is dropped.
///
/// # Errors
/// What is expected.
pub(crate) fn public_url(text: &str) -> Result<String, String> {
    let expected = "write an https URL without query, such as \"https://hooks.example.com\"";
    if text.contains('?') {
        return Err(expected.to_owned());
    }
    web_url(text, expected, "providers only deliver to https; http is for loopback hosts")?;
    Ok(text.trim_end_matches('/').to_owned())
}

/// Reads the URL of a key set: `https`, or `http` to a loopback host; without user or fragment.
///
/// # Errors
/// What is expected.
pub(crate) fn key_set_url(text: &str) -> Result<String, String> {
    let expected = "write an https URL, such as \"https://www.googleapis.com/oauth2/v3/certs\"";
    let plain = "keys must come by https, or anybody on the way could forge tokens; http is for loopback hosts";
    web_url(text, expected, plain)?;
    Ok(text.to_owned())
}

/// Whether a text is the URL of a host; `plain` says why http to another machine will not do.
fn web_url(text: &str, expected: &str, plain: &str) -> Result<(), String> {
    let expected = || expected.to_owned();
    if text.contains(['#', '@']) || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(expected());
    }
    let uri: Uri = text.parse().map_err(|_| expected())?;
    let authority = uri.authority().ok_or_else(expected)?;
    let host = authority.host();
    let port = authority.port_u16().is_some_and(|port| port > 0) || authority.as_str() == host;
    if host.is_empty() || !port {
        return Err(expected());
    }
    match uri.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if is_loopback(host) => Ok(()),
        Some("http") => Err(plain.to_owned()),
        _ => Err(expected()),
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Reads a date such as `2026-11-01`.
///
/// # Errors
/// What is expected.
pub(crate) fn date(text: &str) -> Result<Date, String> {
    let expected = || "write a date as \"YYYY-MM-DD\", such as \"2026-11-01\"".to_owned();
    if text.len() != 10 {
        return Err(expected());
    }
    text.parse().map_err(|_| expected())
}

#[cfg(test)]
mod tests;
