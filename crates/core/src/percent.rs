//! How is text percent-encoded and decoded?

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but the unreserved characters of RFC 3986, as the contract's `source` and keys are encoded.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Appends `text` with every UTF-8 byte outside `A-Z a-z 0-9 - . _ ~` as upper-case `%XX`.
pub fn encode_into(out: &mut String, text: &str) {
    // A look at many bytes at once, to the end: most ids and names need nothing.
    let plain = |byte: u8| {
        byte.is_ascii_alphanumeric()
            | (byte == b'-')
            | (byte == b'.')
            | (byte == b'_')
            | (byte == b'~')
    };
    if text.bytes().fold(true, |all, byte| all & plain(byte)) {
        out.push_str(text);
    } else {
        out.extend(utf8_percent_encode(text, RESERVED));
    }
}

/// Decodes one path segment strictly. `None`: a broken `%` or bytes that are not UTF-8.
#[must_use]
pub fn decode_segment(segment: &str) -> Option<String> {
    decode(segment, false)
}

/// Decodes one `application/x-www-form-urlencoded` value strictly (`+` is a space).
/// `None`: a broken `%` or bytes that are not UTF-8.
#[must_use]
pub fn decode_form(value: &str) -> Option<String> {
    decode(value, true)
}

/// The `percent-encoding` crate lets a broken `%` through as it stands; here it is an error.
fn decode(text: &str, plus_is_space: bool) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'%' => {
                let high = hex_digit(*bytes.get(at + 1)?)?;
                let low = hex_digit(*bytes.get(at + 2)?)?;
                out.push(high << 4 | low);
                at += 2;
            }
            b'+' if plus_is_space => out.push(b' '),
            other => out.push(other),
        }
        at += 1;
    }
    String::from_utf8(out).ok()
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_as_the_contract_shows() {
        let mut key = String::from("org_acme/");
        encode_into(&mut key, "jane.doe@example.com");
        assert_eq!(key, "org_acme/jane.doe%40example.com");
    }

    #[test]
    fn the_quick_way_encodes_what_the_crate_encodes() {
        for character in (0..=0x180).filter_map(char::from_u32) {
            for text in [format!("{character}"), format!("a{character}z")] {
                let mut ours = String::new();
                encode_into(&mut ours, &text);
                assert_eq!(ours, utf8_percent_encode(&text, RESERVED).to_string(), "{text:?}");
            }
        }
    }

    #[test]
    fn decodes_strictly() {
        assert_eq!(decode_form("a+b%2Bc%3a").as_deref(), Some("a b+c:"));
        assert_eq!(decode_segment("a+b").as_deref(), Some("a+b"));
        for broken in ["%", "%4", "%zz", "%+1", "%ff", "a%c3"] {
            assert_eq!(decode_form(broken), None, "{broken}");
        }
    }
}
