//! How does Google post? Pub/Sub pushes of Gmail and Workspace Events, and Calendar and Drive
//! channels.
//!
//! Shapes follow Google's guides and payloads that others have recorded; what is expected of each
//! comes from the contract, sections 2.1, 4.1 and 4.3.

mod bearer;
mod channels;
mod envelope;
mod gmail;
mod malformed;
mod pubsub;
mod push;
mod workspace;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use jiff::Timestamp;

pub(crate) use channels::Channels;
pub(crate) use pubsub::Pubsub;
pub use push::{Feed, Push};

/// Inserts a header whose value is visible ASCII by construction.
fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    let value = HeaderValue::from_str(value).expect("visible ASCII by construction");
    headers.insert(name, value);
}

/// The headers that Google's sender puts on everything, as recorded by receivers.
fn sender(user_agent: &'static str) -> HeaderMap {
    HeaderMap::from_iter([
        (header::ACCEPT, HeaderValue::from_static("application/json")),
        (header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, deflate, br")),
        (header::FROM, HeaderValue::from_static("noreply@google.com")),
        (header::USER_AGENT, HeaderValue::from_static(user_agent)),
    ])
}

/// A time in one of strftime's forms, in UTC.
fn time(form: &str, second: i64) -> String {
    let time = Timestamp::from_second(second).expect("a few days from a checked time");
    time.strftime(form).to_string()
}
