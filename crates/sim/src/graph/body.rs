//! What do rich deliveries carry beside their items, and which bodies can nobody read?

use bytes::Bytes;

use crate::{
    rng::Rng,
    text::{STANDARD, URL_SAFE},
};

/// Appends the member `encryptedContent` of an item: the right shape around random bytes.
pub(super) fn encrypted_content(json: &mut String, rng: &mut Rng) {
    let mut text = |json: &mut String, name: &str, letters: usize, end: &str| {
        json.push_str(name);
        rng.letters(json, letters, STANDARD);
        json.push_str(end);
    };
    text(json, "\"encryptedContent\":{\"data\":\"", 1_366, "==");
    text(json, "\",\"dataKey\":\"", 342, "==");
    text(json, "\",\"dataSignature\":\"", 43, "=");
    text(
        json,
        "\",\"encryptionCertificateId\":\"cert-1\",\"encryptionCertificateThumbprint\":\"",
        40,
        "",
    );
    json.push_str("\"},");
}

/// Appends the member `validationTokens`: one text in the shape of a JWT, signed by nobody.
pub(super) fn validation_tokens(json: &mut String, rng: &mut Rng) {
    json.push_str(",\"validationTokens\":[\"eyJ");
    for (letters, end) in [(60, ".eyJ"), (420, "."), (342, "\"]")] {
        rng.letters(json, letters, URL_SAFE);
        json.push_str(end);
    }
}

/// A body in the place of the given one that is no JSON or not of the right shape.
pub(super) fn unreadable(body: &Bytes, rng: &mut Rng) -> Bytes {
    let fixed = |text: &'static str| Bytes::from_static(text.as_bytes());
    match rng.below(12) {
        // The closing brace is always among what is cut off.
        0..=2 => body.slice(..rng.below(body.len() as u64) as usize),
        3 => Bytes::from([b"[", &body[..], b"]"].concat()),
        4 => Bytes::from([b"\xef\xbb\xbf", &body[..]].concat()),
        5 => Bytes::from([&body[..], b"x"].concat()),
        6 => {
            let mut broken = body.to_vec();
            // In the middle of the first member's name: no UTF-8.
            broken[3] = 0xff;
            Bytes::from(broken)
        }
        7 => fixed("{\"values\":[]}"),
        8 => fixed("{\"value\":{\"subscriptionId\":\"x\"}}"),
        9 => fixed("{\"value\":[],\"value\":[]}"),
        10 => Bytes::from("[".repeat(20_000)),
        _ => fixed("<?xml version=\"1.0\"?><value/>"),
    }
}
