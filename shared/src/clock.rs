//! The only place that reads the time. Everything else is handed `now`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ulid::Ulid;

use crate::domain::Millis;

/// The time by the wall clock.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the home of the clock")]
pub fn now() -> Millis {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::saturating(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}

/// Any time up to `most`, in milliseconds: full jitter, which spreads those who failed together.
#[must_use]
pub fn jitter(most: Duration) -> Duration {
    let milliseconds = new_ulid().random() % (most.as_millis() + 1);
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default())
}

/// A new identifier that sorts by time and cannot be guessed (80 random bits).
#[must_use]
pub fn new_ulid() -> Ulid {
    Ulid::generate()
}
