//! How are texts put into JSON, paths and record keys without a tree in between?

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The digits of standard base64, as in etags and keys.
pub(crate) const STANDARD: &[u8; 64] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// The digits of URL-safe base64, as in Outlook ids and JWTs.
pub(crate) const URL_SAFE: &[u8; 64] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Everything but `A-Z a-z 0-9 - . _ ~` (contract section 4.1).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The text percent-encoded as the contract has it in record keys, sources and paths.
pub(crate) fn encode(text: &str) -> Cow<'_, str> {
    utf8_percent_encode(text, UNRESERVED).into()
}

/// Appends `"name":"value",` for a value that is a JSON string's inside already.
pub(crate) fn member(json: &mut String, name: &str, value: &str) {
    for part in ["\"", name, "\":\"", value, "\","] {
        json.push_str(part);
    }
}

/// Ends an object: its last member's comma becomes the brace.
pub(crate) fn close(json: &mut String) {
    json.pop();
    json.push('}');
}
