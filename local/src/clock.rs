//! Reads the time of day, and formats it as AWS does. Nothing else in this crate reads it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// The current time in milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> i64 {
    since_epoch().as_millis().try_into().unwrap_or(i64::MAX)
}

/// The time `ahead` from now in milliseconds since the Unix epoch, which is the format of deadlines in the Runtime API.
pub(crate) fn ms_from_now(ahead: Duration) -> i64 {
    let ahead = i64::try_from(ahead.as_millis()).unwrap_or(i64::MAX);
    now_ms().saturating_add(ahead)
}

/// A time in the format of API Gateway events: `22/Nov/2026:16:21:34 +0000`.
pub(crate) fn access_log_time(ms: i64) -> String {
    timestamp(ms).strftime("%d/%b/%Y:%H:%M:%S +0000").to_string()
}

/// A time in RFC 3339, UTC.
pub(crate) fn rfc3339(ms: i64) -> String {
    timestamp(ms).to_string()
}

/// The day in the format of log stream names: `2026/11/22`.
pub(crate) fn log_stream_day(ms: i64) -> String {
    timestamp(ms).strftime("%Y/%m/%d").to_string()
}

fn timestamp(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[expect(clippy::disallowed_methods, reason = "only this module reads the clock")]
fn since_epoch() -> Duration {
    // A clock that is set before 1970 counts as 1970.
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{access_log_time, log_stream_day, rfc3339};

    #[test]
    fn times_are_spelled_as_aws_does() {
        assert_eq!(access_log_time(1_583_348_638_390), "04/Mar/2020:19:03:58 +0000");
        assert_eq!(rfc3339(1_583_348_638_390), "2020-03-04T19:03:58.39Z");
        assert_eq!(log_stream_day(1_583_348_638_390), "2020/03/04");
    }
}
