//! The only module that reads the clock and makes random identifiers and random pauses. `clippy.toml` forbids reading
//! the clock anywhere else.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ulid::Ulid;

use crate::domain::Millis;

/// The current time, by the wall clock.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the home of the clock")]
pub fn now() -> Millis {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::saturating(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}

/// A random pause of at most `most`, in whole milliseconds ("full jitter"): requests that failed at the same moment do
/// not all try again at the same moment.
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
