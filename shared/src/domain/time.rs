//! Points in time and days, as the interface and the store represent them.

use std::fmt;

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::RuleBroken;

/// Milliseconds since the Unix epoch, up to the end of the year 9999.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[schema(maximum = 253_402_207_200_000_u64, example = 1_795_341_600_000_u64)]
#[serde(try_from = "u64", into = "u64")]
pub struct Millis(u64);

/// 9999-12-30T22:00:00Z, the last whole hour that every calendar library can represent in every time zone.
const LAST: u64 = 253_402_207_200_000;

impl Millis {
    /// The seconds until the next day begins, in UTC.
    #[must_use]
    pub fn seconds_left_in_day(self) -> u64 {
        86_400 - self.seconds() % 86_400
    }

    /// The point in time `millis` after the epoch, or the last valid one if that is later.
    #[must_use]
    pub fn saturating(millis: u64) -> Self {
        Self(millis.min(LAST))
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch, as DynamoDB's TTL and JWTs require.
    #[must_use]
    pub fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// The point in time `seconds` later, or the last valid one.
    #[must_use]
    pub fn plus_seconds(self, seconds: u64) -> Self {
        Self::saturating(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    /// The point in time `seconds` earlier, but not before the epoch.
    #[must_use]
    pub fn minus_seconds(self, seconds: u64) -> Self {
        Self(self.0.saturating_sub(seconds.saturating_mul(1000)))
    }

    /// The day, in UTC.
    #[must_use]
    pub fn day(self) -> Day {
        Day((self.seconds() / 86_400) as u32)
    }

    /// The hour of the day, in UTC: 0 to 23.
    #[must_use]
    pub fn hour(self) -> usize {
        (self.seconds() % 86_400 / 3600) as usize
    }

    fn timestamp(self) -> Timestamp {
        Timestamp::from_millisecond(i64::try_from(self.0).unwrap_or_default()).unwrap_or_default()
    }
}

/// Formats the time as RFC 3339 in UTC: `2026-11-22T10:00:00.123Z`.
impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.timestamp())
    }
}

impl From<Millis> for u64 {
    fn from(millis: Millis) -> Self {
        millis.0
    }
}

impl TryFrom<u64> for Millis {
    type Error = RuleBroken;

    fn try_from(millis: u64) -> Result<Self, RuleBroken> {
        if millis > LAST {
            return Err(RuleBroken("must be milliseconds since 1970, before the year 10000".to_owned()));
        }
        Ok(Self(millis))
    }
}

/// A day in UTC, counted from the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Day(u32);

impl Day {
    /// The day `days` earlier, but not before the epoch.
    #[must_use]
    pub fn minus(self, days: u32) -> Self {
        Self(self.0.saturating_sub(days))
    }

    /// The day `days` later.
    #[must_use]
    pub fn plus(self, days: u32) -> Self {
        Self(self.0.saturating_add(days))
    }

    /// When the day begins.
    #[must_use]
    pub fn start(self) -> Millis {
        Millis::saturating(u64::from(self.0) * 86_400_000)
    }
}

/// Formats the day as `YYYY-MM-DD`.
impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.start().timestamp().to_zoned(TimeZone::UTC).date())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_knows_its_day_and_hour_in_utc() {
        let time = Millis::saturating(1_795_337_999_999);
        assert_eq!(time.to_string(), "2026-11-22T08:59:59.999Z");
        assert_eq!(time.day().to_string(), "2026-11-22");
        assert_eq!(time.hour(), 8);
        assert_eq!(time.day().minus(22).to_string(), "2026-10-31");
    }

    #[test]
    fn the_last_time_has_a_day() {
        assert_eq!(Millis::saturating(u64::MAX).day().to_string(), "9999-12-30");
    }
}
