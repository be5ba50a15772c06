//! What time is it? The only place that reads the wall clock; everything else is given the time.

use std::time::{SystemTime, UNIX_EPOCH};

use postern_core::time::UnixMillis;

/// The wall clock now.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
