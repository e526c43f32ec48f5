//! Logging: one JSON object a line, with the id of the request. Logs never contain a password, token, secret or
//! message.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Writes logs of `level` and above to standard output, where Lambda collects them. An unknown level means `info`. Call
/// it once, at the cold start.
pub fn init(level: &str) {
    let level = level.parse().unwrap_or(LevelFilter::INFO);
    // Libraries log bodies and headers at low levels, so only their warnings are logged.
    let filter = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_targets([("shared", level), ("functions", level)]);
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        // CloudWatch adds the time to each line.
        .without_time();
    // A second call, in a test, changes nothing.
    let _already_set = tracing_subscriber::registry().with(lines).with(filter).try_init();
}
