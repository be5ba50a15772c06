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
    let expected =
        || "write an https URL without query, such as \"https://hooks.example.com\"".to_owned();
    if text.contains(['#', '?', '@']) || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(expected());
    }
    let uri: Uri = text.parse().map_err(|_| expected())?;
    let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(expected)?;
    if uri.authority().is_some_and(|authority| authority.as_str().ends_with(':')) {
        return Err(expected());
    }
    match uri.scheme_str() {
        Some("https") => {}
        Some("http") if is_loopback(host) => {}
        Some("http") => {
            return Err("providers only deliver to https; http is for loopback hosts".to_owned());
        }
        _ => return Err(expected()),
    }
    Ok(text.trim_end_matches('/').to_owned())
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
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in [
            ("2.5s", 2_500),
            ("250ms", 250),
            ("1m", 60_000),
            ("0s", 0),
            ("1.5 s", 1_500),
            ("7d", 604_800_000),
            ("0.001s", 1),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in [
            "",
            "s",
            "2",
            "2.5",
            "-1s",
            "+1s",
            "1e3s",
            ".5s",
            "5.s",
            "1.2.3s",
            "0.0001s",
            "1x",
            "1 min",
            "99999999999999999999s",
            "18446744073709551615d",
            "1.0000000000s",
            "٣s",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in
            [("4MiB", 4 << 20), ("64KiB", 65_536), ("512B", 512), ("1 GiB", 1 << 30)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "4", "4MB", "4mib", "-1B", "1.5MiB", "MiB", "99999999999GiB", "0x10B"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_shown_is_what_is_read() {
        for millis in [0, 1, 250, 1_000, 1_500, 2_500, 60_000, 61_000, 1_234, 86_400_000] {
            let length = Duration::from_millis(millis);
            assert_eq!(duration(&show_duration(length)), Ok(length), "{}", show_duration(length));
        }
        for bytes in [0, 1, 1_023, 1_024, 4 << 20, (1 << 30) + 1] {
            assert_eq!(size(&show_size(bytes)), Ok(bytes));
        }
        assert_eq!(show_duration(Duration::from_millis(2_500)), "2.5s");
        assert_eq!(show_size(4 << 20), "4MiB");
    }

    #[test]
    fn networks() {
        assert_eq!(
            network("203.0.113.10").map(|n| n.to_string()).as_deref(),
            Ok("203.0.113.10/32")
        );
        assert_eq!(network("2001:db8::/32").map(|n| n.to_string()).as_deref(), Ok("2001:db8::/32"));
        for text in ["203.0.113.10/24", "203.0.113.0/33", "203.0.113", "example.com", ""] {
            assert!(network(text).is_err(), "{text}");
        }
    }

    #[test]
    fn public_urls() {
        for (text, url) in [
            ("https://hooks.example.com", "https://hooks.example.com"),
            ("https://hooks.example.com/", "https://hooks.example.com"),
            ("https://hooks.example.com:8443/in", "https://hooks.example.com:8443/in"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("http://localhost", "http://localhost"),
        ] {
            assert_eq!(public_url(text).as_deref(), Ok(url), "{text}");
        }
        for text in [
            "",
            "hooks.example.com",
            "http://hooks.example.com",
            "https://",
            "https:///x",
            "ftp://a",
            "https://a?b",
            "https://a#b",
            "https://user:secret@a",
            "https://a b",
            "https://a:",
        ] {
            assert!(public_url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn dates_and_addresses() {
        assert!(date("2026-11-01").is_ok());
        for text in ["2026-13-01", "2026-1-1", "20261101", "2026-11-01T00:00:00Z", ""] {
            assert!(date(text).is_err(), "{text}");
        }
        assert!(address("[::]:0").is_ok());
        for text in ["localhost:8080", ":8080", "127.0.0.1", "127.0.0.1:99999"] {
            assert!(address(text).is_err(), "{text}");
        }
    }
}
