//! Which pushes and channel notifications can nobody read?

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::insert;
use crate::rng::Rng;

/// A body that is broken whatever it was to be: no JSON, or no text. Never empty: a CloudEvent may
/// have no data.
pub(super) fn broken(body: &Bytes, rng: &mut Rng) -> Bytes {
    match rng.below(8) {
        // The closing brace is always among what is cut off.
        0..=2 => {
            let (start, end) =
                (body.len() - body.trim_ascii_start().len(), body.trim_ascii_end().len());
            body.slice(..start + 1 + rng.below((end - start - 1) as u64) as usize)
        }
        3 => Bytes::from([b"\xef\xbb\xbf", &body[..]].concat()),
        4 => Bytes::from([&body[..], b"x"].concat()),
        5 => {
            let mut broken = body.to_vec();
            let middle = broken.len() / 2;
            broken[middle] = 0xff;
            Bytes::from(broken)
        }
        6 => Bytes::from("[".repeat(20_000)),
        _ => Bytes::from_static(b"<?xml version=\"1.0\"?><message/>"),
    }
}

/// A body in the place of a wrapped push that is none.
pub(super) fn push(body: &Bytes, rng: &mut Rng) -> Bytes {
    match rng.below(13) {
        0..=5 => broken(body, rng),
        12 => Bytes::new(),
        // As the samples of Google's own subscribers are tested.
        6 => Bytes::from_static(b"{\"nomessage\":\"invalid\"}"),
        7 => Bytes::from_static(b"{ message: true }"),
        8 => Bytes::from_static(b"{\"message\":true}"),
        9 => Bytes::from_static(b"\"\""),
        10 => Bytes::from_static(b"{}"),
        _ => Bytes::from([b"[", &body[..], b"]"].concat()),
    }
}

/// Breaks one of the headers without which a channel notification says nothing.
pub(super) fn channel(headers: &mut HeaderMap, rng: &mut Rng) {
    let id = HeaderName::from_static("x-goog-channel-id");
    let number = HeaderName::from_static("x-goog-message-number");
    let state = HeaderName::from_static("x-goog-resource-state");
    let one = match rng.below(3) {
        0 => id,
        1 => number.clone(),
        _ => state,
    };
    match rng.below(4) {
        0 => drop(headers.remove(one)),
        1 => drop(headers.insert(one, HeaderValue::from_static(""))),
        2 => {
            let again = headers[&one].clone();
            headers.append(one, again);
        }
        _ => {
            let none = ["abc", "-1", "1e3", "1.5", "0x10", "1 2", "18446744073709551616"];
            insert(headers, number, rng.pick(&none));
        }
    }
}
