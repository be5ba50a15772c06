//! What time is it? Tokens are signed for now, and numbers that differ from run to run begin with it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Time since 1970-01-01 UTC.
#[expect(clippy::disallowed_methods, reason = "the product's clock is not the benchmark's to use")]
pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
