//! The only place that reads the time. Everything else is handed `now`.

use std::time::{SystemTime, UNIX_EPOCH};

use ulid::Ulid;

use crate::domain::Millis;

/// The time by the wall clock.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the home of the clock")]
pub fn now() -> Millis {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::saturating(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}

/// A new identifier that sorts by time and cannot be guessed (80 random bits).
#[must_use]
pub fn new_ulid() -> Ulid {
    Ulid::generate()
}
