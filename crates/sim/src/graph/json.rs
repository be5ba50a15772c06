//! How is JSON put together without a tree in between?

/// The digits of standard base64, as in etags and keys.
pub(super) const STANDARD: &[u8; 64] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// The digits of URL-safe base64, as in Outlook ids and JWTs.
pub(super) const URL_SAFE: &[u8; 64] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Appends `"name":"value",` for a value that is a JSON string's inside already.
pub(super) fn member(json: &mut String, name: &str, value: &str) {
    for part in ["\"", name, "\":\"", value, "\","] {
        json.push_str(part);
    }
}

/// Ends an object: its last member's comma becomes the brace.
pub(super) fn close(json: &mut String) {
    json.pop();
    json.push('}');
}
