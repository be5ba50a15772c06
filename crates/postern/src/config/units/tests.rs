//! Is what is written read exactly, and everything else refused?

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
    for (text, bytes) in [("4MiB", 4 << 20), ("64KiB", 65_536), ("512B", 512), ("1 GiB", 1 << 30)] {
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
    assert_eq!(network("203.0.113.10").map(|n| n.to_string()).as_deref(), Ok("203.0.113.10/32"));
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
        "https://a:0",
        "https://a:99999",
        "https://:443",
    ] {
        assert!(public_url(text).is_err(), "{text}");
    }
}

#[test]
fn key_set_urls() {
    for text in [
        "https://www.googleapis.com/oauth2/v3/certs",
        "https://proxy.example:8443/keys?of=google",
        "http://127.0.0.1:9000/certs",
        "http://[::1]:9000/",
        "http://localhost/certs/",
    ] {
        assert_eq!(key_set_url(text).as_deref(), Ok(text));
    }
    for text in [
        "http://www.googleapis.com/oauth2/v3/certs",
        "http://127.0.0.1.example.com/",
        "http://0.0.0.0/certs",
        "www.googleapis.com/oauth2/v3/certs",
        "/oauth2/v3/certs",
        "file:///etc/keys.json",
        "https://user:secret@a/certs",
        "https://a/certs#keys",
        "https://a/ certs",
        "https://a:http/certs",
        "",
    ] {
        assert!(key_set_url(text).is_err(), "{text}");
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
